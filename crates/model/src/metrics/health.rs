//! Health of a repository, as the checks judge it.

use std::collections::BTreeMap;

use super::{Breadth, Kind, Measured, Metric, Sample, seen};
use crate::{
    Look, Severity, Status,
    snapshot::{LockKind, LockVerdict},
};

/// Each check.
pub(super) static CHECK_STATUS: Metric = Metric {
    name: "alignwatch_check_status",
    kind: Kind::Gauge,
    unit: "",
    labels: &["check", "status"],
    help: "1 for the status that the check has",
    formula: "one series for each check with its status: ok, info, warning, error, critical, unknown or skipped",
    why: "Health at a glance, with what could not be seen kept apart from what is well",
    worry: "error or critical at once; unknown for an hour (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| {
        let sample = |judged: &crate::checks::Judged| Sample::of([judged.check.id, judged.status.word()], 1.0);
        measured.judged.iter().map(sample).collect()
    },
    ..Metric::PLAIN
};

/// Findings by severity.
pub(super) static FINDINGS: Metric = Metric {
    name: "alignwatch_findings",
    kind: Kind::Gauge,
    unit: "",
    labels: &["severity"],
    help: "Findings of each severity",
    formula: "count of findings by severity; all severities are there, also with 0",
    why: "The trend of what is wrong",
    worry: "critical above 0 (alignwatch)",
    breadth: Breadth::Repository,
    read: findings,
    ..Metric::PLAIN
};

/// Locks.
pub(super) static LOCKS: Metric = Metric {
    name: "alignwatch_locks",
    kind: Kind::Gauge,
    unit: "",
    labels: &["kind", "verdict"],
    help: "Lock files, by what they lock and by whether somebody holds them",
    formula: "count of lock files by kind (index; ref, with reflogs and HEAD; packed_refs; config; objects: commit-graph, \
              multi-pack-index, alternates; maintenance; other) and verdict (live, stale, unknown); all are there, also with 0",
    why: "A stale lock stops every alignment, and makes maintenance do nothing and say nothing",
    worry: "stale above 0 for ten minutes (alignwatch)",
    breadth: Breadth::Repository,
    read: locks,
    ..Metric::PLAIN
};

/// The cost of watching.
pub(super) static LOOK_DURATION: Metric = Metric {
    name: "alignwatch_look_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["look"],
    help: "How long each part of the last inspection took",
    formula: "time from beginning to end of the part, by the monotonic clock; no sample for a part that was not taken",
    why: "What watching costs, and where a repository gets slow",
    worry: "",
    breadth: Breadth::Repository,
    read: look_durations,
    ..Metric::PLAIN
};

fn findings(measured: &Measured<'_>) -> Vec<Sample> {
    let severities = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    let mut counts: BTreeMap<Severity, usize> = severities.into_iter().map(|severity| (severity, 0)).collect();
    for finding in measured.judged.iter().flat_map(|judged| &judged.findings) {
        *counts.entry(finding.severity).or_default() += 1;
    }
    counts.into_iter().map(|(severity, n)| Sample::of([Status::from(severity).word()], n as f64)).collect()
}

fn locks(measured: &Measured<'_>) -> Vec<Sample> {
    let Some(locks) = seen(&measured.snapshot.locks) else { return Vec::new() };
    let verdicts = [(LockVerdict::Live, "live"), (LockVerdict::Stale, "stale"), (LockVerdict::Unknown, "unknown")];
    let count = |kind, verdict| locks.iter().filter(|lock| lock.kind == kind && lock.verdict == verdict).count() as f64;
    let of_kind = |kind: LockKind| {
        verdicts.map(|(verdict, word)| Sample::of([kind.word(), word], count(kind, verdict))).into_iter()
    };
    LockKind::ALL.into_iter().flat_map(of_kind).collect()
}

fn look_durations(measured: &Measured<'_>) -> Vec<Sample> {
    let looks = &measured.snapshot.looks;
    let taken = Look::ALL.iter().filter(|&&look| looks.missing(look).is_none());
    taken.map(|&look| Sample::of([&look.word()], looks.seconds(look))).collect()
}
