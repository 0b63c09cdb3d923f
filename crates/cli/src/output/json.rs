//! The JSON documents. Their schemas stand in docs/schema, and tests hold both together.
//!
//! Times are RFC 3339 in UTC, durations end in `_seconds`, ids and refs are
//! whole, and a number that is not known is `null`.

use std::{collections::BTreeMap, time::Duration};

use alignwatch_model::{
    Branch, Evidence, Finding, Look, Oid, RefName, Severity, Snapshot, Span, Timestamp,
    branch::{Cause, Conflict, Upstream},
    checks::{self, Check},
    snapshot::Line,
};
use serde::Serialize;

mod doctor;
mod explain;

pub use doctor::{doctor, journal};
pub use explain::explain;

use super::escape;
use crate::report::{self, BranchesReport, CheckReport, CheckResult, Checked, Judgement};

/// The document of `check`: `alignwatch.check/1`.
pub fn check(report: &CheckReport) -> String {
    escape::json(&CheckDocument {
        schema: "alignwatch.check/1",
        host: host(report),
        repositories: report.repositories.iter().map(repository_checked).collect(),
    })
}

/// The document of `check --list`: `alignwatch.checks/1`.
pub fn check_list(list: &[&Check]) -> String {
    let checks = list.iter().map(|check| CheckListed {
        id: check.id,
        title: check.title,
        family: check.family.to_string(),
        severity: check.severity,
        cost: check.cost().word(),
        looks_at: check.looks_at,
        why: check.why,
        git_says: check.git_says,
        look: check.runbook.look,
        mend: check.runbook.mend,
        sure: check.runbook.sure,
        undo: check.runbook.undo,
        threshold: check.threshold.as_ref().map(threshold_listed),
    });
    escape::json(&CheckListDocument { schema: "alignwatch.checks/1", checks: checks.collect() })
}

/// The document of `branches`: `alignwatch.branches/1`.
pub fn branches(report: &BranchesReport) -> String {
    let snapshot = &report.snapshot;
    let limit = report.selection.limit.filter(|&limit| limit > 0).unwrap_or(usize::MAX);
    let selected = report.selected();
    escape::json(&BranchesDocument {
        schema: "alignwatch.branches/1",
        seen_at: snapshot.seen_at,
        repository: repository(snapshot),
        lines: snapshot.lines.iter().map(line).collect(),
        summary: Summary { elapsed_seconds: Some(seconds(report.elapsed)), ..summary(snapshot) },
        branches: selected.iter().take(limit).map(|seen| branch(seen, snapshot.seen_at)).collect(),
    })
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    schema: &'static str,
    host: Option<Evidence>,
    repositories: Vec<RepositoryChecked<'a>>,
}

#[derive(Serialize)]
struct RepositoryChecked<'a> {
    path: &'a str,
    id: Option<&'a str>,
    status: &'static str,
    reason: Option<&'a str>,
    elapsed_seconds: f64,
    lines: Vec<LineFound<'a>>,
    findings: Vec<&'a Finding>,
    checks: Vec<CheckRun<'a>>,
    branches_summary: Option<Summary>,
}

#[derive(Serialize)]
struct CheckRun<'a> {
    id: &'a str,
    status: &'static str,
    reason: Option<&'a str>,
    elapsed_seconds: f64,
}

#[derive(Serialize)]
struct CheckListDocument<'a> {
    schema: &'static str,
    checks: Vec<CheckListed<'a>>,
}

#[derive(Serialize)]
struct CheckListed<'a> {
    id: &'a str,
    title: &'a str,
    family: String,
    severity: Severity,
    cost: &'a str,
    looks_at: &'a str,
    why: &'a str,
    git_says: Option<&'a str>,
    look: &'a str,
    mend: &'a str,
    sure: &'a str,
    undo: Option<&'a str>,
    threshold: Option<ThresholdListed<'a>>,
}

#[derive(Serialize)]
struct ThresholdListed<'a> {
    default: i64,
    minimum: i64,
    maximum: i64,
    unit: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct BranchesDocument<'a> {
    schema: &'static str,
    seen_at: Timestamp,
    repository: Repository<'a>,
    lines: Vec<LineFound<'a>>,
    summary: Summary,
    branches: Vec<BranchSeen<'a>>,
}

#[derive(Serialize)]
struct Repository<'a> {
    path: &'a str,
    id: &'a str,
    object_format: &'a str,
}

/// A primary line, and how it was found.
#[derive(Serialize)]
struct LineFound<'a> {
    #[serde(flatten)]
    name: Ref<'a>,
    oid: Oid,
    because: &'a str,
    confidence: f64,
}

#[derive(Serialize)]
struct Summary {
    total: usize,
    ignored: usize,
    by_state: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_seconds: Option<f64>,
}

#[derive(Serialize)]
struct BranchSeen<'a> {
    #[serde(flatten)]
    name: Ref<'a>,
    oid: Option<Oid>,
    #[serde(flatten)]
    base: Base<'a>,
    base_oid: Option<Oid>,
    ahead: Option<u32>,
    behind: Option<u32>,
    merge_bases: Option<&'a [Oid]>,
    idle_age_seconds: Option<Span>,
    base_age_seconds: Option<Span>,
    divergence_age_seconds: Option<Span>,
    state: &'static str,
    reason: Option<&'a str>,
    within_budget: Option<bool>,
    relation: &'static str,
    base_confidence: Option<f64>,
    base_because: Option<&'a str>,
    merge: MergePredicted<'a>,
    merged_proof: Option<&'static str>,
    upstream: Option<&'a Upstream>,
    author: Option<&'a str>,
    subject: Option<&'a str>,
    committed_at: Option<Timestamp>,
}

/// A ref as text; for a name that is no text, its bytes as well.
#[derive(Serialize)]
struct Ref<'a> {
    r#ref: &'a RefName,
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_hex: Option<String>,
}

/// The base as text; for a name that is no text, its bytes as well.
#[derive(Serialize)]
struct Base<'a> {
    base: Option<&'a RefName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_hex: Option<String>,
}

#[derive(Serialize)]
struct MergePredicted<'a> {
    verdict: &'static str,
    conflict_paths: Option<Vec<&'a str>>,
    conflicts: Option<&'a [Conflict]>,
    causes: &'a [Cause],
    reason: Option<&'a str>,
}

/// The machine. All repositories were seen from the same one, so the first sample stands for all;
/// each repository adds its own file systems.
fn host(report: &CheckReport) -> Option<Evidence> {
    let judgements = report.repositories.iter().filter_map(|checked| checked.judgement.as_ref().ok());
    let mut samples = judgements.filter_map(|judgement| judgement.snapshot.host.seen()).map(|sample| sample.facts());
    let mut host = samples.next()?;
    for sample in samples {
        let Some(serde_json::Value::Array(more)) = sample.get("file_systems") else { continue };
        if let Some(serde_json::Value::Array(known)) = host.get_mut("file_systems") {
            let new: Vec<_> = more.iter().filter(|one| !known.contains(one)).cloned().collect();
            known.extend(new);
        }
    }
    Some(host)
}

fn repository_checked(checked: &Checked) -> RepositoryChecked<'_> {
    let elapsed_seconds = seconds(checked.elapsed);
    let status = checked.status().word();
    match &checked.judgement {
        Ok(judgement) => RepositoryChecked { elapsed_seconds, status, ..judged(judgement) },
        Err(failure) => RepositoryChecked {
            path: &checked.path,
            id: None,
            status,
            reason: Some(&failure.message),
            elapsed_seconds,
            lines: Vec::new(),
            findings: Vec::new(),
            checks: Vec::new(),
            branches_summary: None,
        },
    }
}

fn judged(judgement: &Judgement) -> RepositoryChecked<'_> {
    let snapshot = &judgement.snapshot;
    RepositoryChecked {
        path: &snapshot.repository.path,
        id: Some(&snapshot.repository.id),
        status: judgement.status().word(),
        reason: None,
        elapsed_seconds: 0.0,
        lines: snapshot.lines.iter().map(line).collect(),
        findings: judgement.findings(),
        checks: judgement.checks.iter().map(check_run).collect(),
        branches_summary: snapshot.looks.missing(Look::History).is_none().then(|| summary(snapshot)),
    }
}

fn check_run(result: &CheckResult) -> CheckRun<'_> {
    CheckRun {
        id: result.check.id,
        status: result.status.word(),
        reason: result.reason.as_deref(),
        elapsed_seconds: seconds(result.elapsed),
    }
}

fn threshold_listed(spec: &checks::ThresholdSpec) -> ThresholdListed<'_> {
    let (minimum, maximum) = spec.range;
    ThresholdListed { default: spec.default, minimum, maximum, unit: spec.unit, source: spec.source }
}

fn repository(snapshot: &Snapshot) -> Repository<'_> {
    let seen = &snapshot.repository;
    Repository { path: &seen.path, id: &seen.id, object_format: &seen.object_format }
}

fn line(line: &Line) -> LineFound<'_> {
    LineFound { name: named(&line.name), oid: line.oid, because: &line.because, confidence: rounded(line.confidence) }
}

fn summary(snapshot: &Snapshot) -> Summary {
    let counts = report::by_state(snapshot);
    Summary {
        total: counts.values().sum(),
        ignored: snapshot.n_ignored(),
        by_state: counts.into_iter().map(|(state, n)| (state.word(), n)).collect(),
        elapsed_seconds: None,
    }
}

fn branch(seen: &Branch, now: Timestamp) -> BranchSeen<'_> {
    let (tip, drift) = (seen.tip.seen(), seen.drift.seen());
    let choice = seen.base.as_ref();
    BranchSeen {
        name: named(&seen.name),
        oid: tip.map(|tip| tip.oid),
        base: Base {
            base: choice.map(|choice| &choice.name),
            base_hex: choice.and_then(|choice| hex_unless_text(&choice.name)),
        },
        base_oid: choice.map(|choice| choice.oid),
        ahead: drift.map(|drift| drift.ahead),
        behind: drift.map(|drift| drift.behind),
        merge_bases: drift.map(|drift| &*drift.merge_bases),
        idle_age_seconds: seen.idle_age(now),
        base_age_seconds: seen.base_age(now),
        divergence_age_seconds: seen.divergence_age(now),
        state: seen.state().word(),
        reason: seen.why_unknown(),
        within_budget: seen.within_budget(now),
        relation: seen.relation.word(),
        base_confidence: choice.map(|choice| rounded(choice.confidence)),
        base_because: choice.map(|choice| &*choice.because),
        merge: merge(seen),
        merged_proof: seen.proof().map(|proof| proof.word()),
        upstream: seen.upstream.as_ref(),
        author: tip.map(|tip| &*tip.author),
        subject: tip.map(|tip| &*tip.subject),
        committed_at: tip.map(|tip| tip.committed_at),
    }
}

fn merge(seen: &Branch) -> MergePredicted<'_> {
    let conflicts = seen.merge.conflicts.as_deref();
    MergePredicted {
        verdict: seen.merge.verdict.word(),
        conflict_paths: conflicts.map(|conflicts| conflicts.iter().map(|conflict| &*conflict.path).collect()),
        conflicts,
        causes: &seen.causes,
        reason: seen.merge.reason.as_deref(),
    }
}

fn named(name: &RefName) -> Ref<'_> {
    Ref { r#ref: name, ref_hex: hex_unless_text(name) }
}

fn hex_unless_text(name: &RefName) -> Option<String> {
    let bytes = name.as_bytes();
    std::str::from_utf8(bytes).is_err().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// In whole microseconds: more digits would be noise.
fn seconds(elapsed: Duration) -> f64 {
    elapsed.as_micros() as f64 / 1e6
}

/// To four digits: a confidence is an estimate.
fn rounded(confidence: f64) -> f64 {
    (confidence * 1e4).round() / 1e4
}
