//! What was seen and judged, as what is to be kept.

use std::collections::BTreeMap;

use super::Inspected;
use crate::{
    Known, Snapshot, Status, Timestamp,
    checks::Judged,
    kept::KeptBranch,
    metrics::{self, Measured, Metric, Sample},
    record::{self, Commit, FindingRow, Reading, Sweep, SweepOutcome},
};

/// What was seen as what is to be kept: its findings, its numbers, its document.
pub(super) fn judged_commit(inspected: &Inspected, measured: &Measured<'_>, with_past: bool) -> Commit {
    let (snapshot, judged, now) = (measured.snapshot, measured.judged, measured.now);
    let (path, seconds) = (inspected.path.as_str(), inspected.seconds);
    let findings: Vec<FindingRow> = judged.iter().flat_map(|judged| &judged.findings).map(finding_row).collect();
    let settled = judged.iter().filter(|judged| judged.reason.is_none()).map(|judged| judged.check.id).collect();
    let looked = judged.iter().map(|judged| judged.status).filter(|&status| status != Status::Skipped);
    let outcome = SweepOutcome::Seen {
        status: looked.reduce(Status::worst).unwrap_or(Status::Unknown),
        document: document(snapshot, judged),
        branches: snapshot.watched().map(KeptBranch::of).collect(),
        findings,
        settled,
    };
    let repository = snapshot.repository.id.clone();
    let readings = readings(measured);
    let past = if with_past { past_readings(measured) } else { Vec::new() };
    let sweep = Sweep { repository, path: path.to_owned(), at: now, seconds, outcome };
    Commit { sweeps: vec![sweep], readings, past, ..Commit::default() }
}

fn finding_row(finding: &crate::Finding) -> FindingRow {
    FindingRow {
        key: finding.key.clone(),
        check: finding.check,
        severity: finding.severity,
        summary: finding.summary.clone(),
        document: serde_json::to_string(finding).unwrap_or_else(|_| "null".to_owned()),
    }
}

/// The part of a sweep that pages show besides its findings: lines, checks, branches, backups.
fn document(snapshot: &Snapshot, judged: &[Judged]) -> String {
    let checks: Vec<_> = judged
        .iter()
        .map(|judged| serde_json::json!({"id": judged.check.id, "status": judged.status.word(), "reason": judged.reason}))
        .collect();
    let lines: Vec<_> = snapshot
        .lines
        .iter()
        .map(
            |line| serde_json::json!({"ref": line.name.text(), "because": line.because, "confidence": line.confidence}),
        )
        .collect();
    let mut by_state = BTreeMap::<&str, usize>::new();
    for branch in snapshot.watched() {
        *by_state.entry(branch.state().word()).or_default() += 1;
    }
    let backups = match &snapshot.facts.backups {
        Known::Seen(backups) => serde_json::json!({"seen": backups}),
        Known::Unknown(reason) => serde_json::json!({"unknown": reason}),
    };
    let is_bare = snapshot.repository.is_bare;
    serde_json::json!({"checks": checks, "lines": lines, "by_state": by_state, "backups": backups, "is_bare": is_bare})
        .to_string()
}

fn readings(measured: &Measured<'_>) -> Vec<Reading> {
    let mut readings = Vec::new();
    for metric in metrics::ALL {
        for sample in (metric.read)(measured) {
            let role = sample.labels.first().map(String::as_str);
            let repository = if metric.is_of_machine(role) { "" } else { &measured.snapshot.repository.id };
            readings.push(reading(repository, metric, sample, measured.now, false));
        }
    }
    readings.extend(measured.tally.readings(&measured.snapshot.repository.id, measured.now));
    readings
}

/// What the weeks before were, for the metrics that history can tell.
fn past_readings(measured: &Measured<'_>) -> Vec<Reading> {
    let Some(past) = measured.snapshot.facts.past.seen() else { return Vec::new() };
    let repository = &measured.snapshot.repository.id;
    let mut readings = Vec::new();
    for (metric, of) in metrics::ALL.iter().filter_map(|metric| Some((metric, metric.past?))) {
        for (number, end) in past.ends.iter().enumerate().take(past.n_weeks()) {
            let samples = of(measured, past, number).into_iter();
            readings.extend(samples.map(|sample| reading(repository, metric, sample, *end, true)));
        }
    }
    readings
}

fn reading(repository: &str, metric: &Metric, sample: Sample, at: Timestamp, is_reconstructed: bool) -> Reading {
    let own = std::iter::zip(metric.labels, sample.labels).map(|(name, value)| ((*name).to_owned(), value.into()));
    let mark = is_reconstructed.then(|| (record::RECONSTRUCTED.to_owned(), "true".into()));
    let labels: serde_json::Map<_, _> = own.chain(mark).collect();
    Reading {
        repository: repository.to_owned(),
        metric: metric.name,
        labels: serde_json::Value::Object(labels).to_string(),
        at,
        value: sample.value,
    }
}
