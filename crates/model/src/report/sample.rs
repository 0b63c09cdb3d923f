//! A week of a repository, for tests: with a gap, a run that lost something, noise, and upkeep.

use super::held::{Held, HeldCourse, HeldFinding, HeldNote, HeldRepository, HeldTask, Period, Times};
use crate::{
    Known, Severity, Span, Timestamp,
    alert::{Alert, Phase, sample},
    config::Config,
    metrics,
    run::{
        Document, Finished, Loss, LossKind, Moment, Operation, Outcome, RunId, Stage, Verification, event::Started,
        verification::Verified,
    },
    task::{Came, Measure, Report as TaskReport},
    trend::Series,
};

/// 2026-01-12T00:00:00Z, a Monday.
pub(crate) const UNTIL: i64 = 1_768_176_000;

/// Names that would do harm where text is taken for more than text.
pub(crate) const HOSTILE: &str = "x`</td><script>alert(1)</script>\u{202e}|[a](b)\n";

pub(crate) fn config() -> Config {
    let text = "windows:\n  - {name: night, open: \"0 2 * * *\", lasts: 1h}\n";
    Config::from_yaml(text, "f").unwrap().0
}

pub(crate) fn times() -> Times {
    let until = Timestamp(UNTIL);
    Times::of(Period::Week, until, &config().store, until)
}

pub(crate) fn held() -> Held {
    Held {
        repositories: vec![repository()],
        runs: vec![run(1, Outcome::Aligned), run(2, Outcome::Conflict), run(9, Outcome::Aligned)],
        alerts: alerts(),
        messages: Vec::new(),
        notes: vec![HeldNote { at: hours_ago(49), what: "acknowledged".into(), of: "a1: two conflict".into() }],
        tasks: Known::Seen(vec![task(1, Came::Effect), task(2, Came::Noop), task(3, Came::Failed)]),
        machine: vec![course("alignwatch_host_cpu_used_ratio", "", |_| 0.25)],
        left_out: Vec::new(),
    }
}

pub(crate) fn hours_ago(hours: i64) -> Timestamp {
    Timestamp(UNTIL - hours * 3_600)
}

fn repository() -> HeldRepository {
    HeldRepository {
        id: "r".into(),
        path: "/srv/git/product.git".into(),
        status: "error".into(),
        reason: None,
        first_seen_at: hours_ago(24 * 30),
        swept_at: hours_ago(0),
        findings: vec![
            finding("conflicting", Severity::Error, 30, None, "`a` conflicts with `main`"),
            finding("conflicting", Severity::Warning, 300, None, HOSTILE),
            finding("stale", Severity::Warning, 400, Some(20), "`old` is stale"),
        ],
        sweeps: sweeps(),
        courses: vec![
            // 0.8 in the week before, 0.9 in this one, and 0 within the maintenance window.
            course("alignwatch_within_budget_ratio", "", |at| match at {
                at if (2..3).contains(&(at.0.rem_euclid(86_400) / 3_600)) => 0.0,
                at if at < hours_ago(168) => 0.8,
                _ => 0.9,
            }),
            course("alignwatch_branches", "conflicting", |at| if at < hours_ago(100) { 1.0 } else { 4.0 }),
        ],
    }
}

/// Every five minutes, but for six hours two days ago.
fn sweeps() -> Vec<Timestamp> {
    let all = (0..2 * 7 * 288).map(|n| Timestamp(UNTIL - n * 300));
    let mut seen: Vec<_> = all.filter(|at| !(hours_ago(54)..hours_ago(48)).contains(at)).collect();
    seen.reverse();
    seen
}

fn course(metric: &str, label: &str, value: impl Fn(Timestamp) -> f64) -> HeldCourse {
    let measured: Vec<_> = sweeps().into_iter().map(|at| (at, value(at))).collect();
    HeldCourse {
        metric: metrics::by_name(metric).unwrap(),
        label: label.to_owned(),
        year: Series::new(measured.iter().copied()),
        measured,
        rebuilt: Vec::new(),
    }
}

pub(super) fn finding(check: &str, severity: Severity, began: i64, ended: Option<i64>, summary: &str) -> HeldFinding {
    HeldFinding {
        check: check.into(),
        severity,
        summary: summary.into(),
        impact: "A merge needs a person.".into(),
        commands: vec!["git merge-tree main a".into()],
        began_at: hours_ago(began),
        ended_at: ended.map(hours_ago),
    }
}

fn run(days: i64, outcome: Outcome) -> Document {
    let at = Moment(hours_ago(24 * days - 1).0 * 1_000);
    let branch = "refs/heads/topic".to_owned();
    let loss = Loss {
        kind: LossKind::CommitsLost,
        severity: Severity::Critical,
        summary: format!("2 commits of `{HOSTILE}` are gone"),
        commits: Vec::new(),
        paths: Vec::new(),
        n_paths: 0,
    };
    let verified = Verified { branch: branch.clone(), losses: vec![loss], kept_by: None, ..Verified::default() };
    let verification = Verification { branches: vec![verified], unknown: Vec::new() };
    let is_lossy = outcome == Outcome::Conflict;
    Document {
        schema: crate::run::SCHEMA.to_owned(),
        run: RunId::from_parts(at.0.unsigned_abs(), [1; 10]),
        outcome: Some(outcome),
        began_at: Some(at),
        ended_at: Some(at),
        heard_at: Some(at),
        started: Some(Started { workflow: "nightly".into(), ..Started::default() }),
        finished: Some(Finished { outcome, duration_seconds: Some(12.5), n_moved: 1, ..Finished::default() }),
        stages: vec![Stage::default()],
        operations: vec![Operation { branch, base: Some("refs/heads/main".into()), outcome, ..Operation::default() }],
        verification: is_lossy.then_some(verification),
        n_events: 3,
    }
}

/// One that somebody took on, one that was noise, one of the week before.
fn alerts() -> Vec<Alert> {
    let alert = |id: &str, from: i64, lasted: Option<Span>| Alert {
        id: id.into(),
        phase: if lasted.is_some() { Phase::Resolved } else { Phase::Firing },
        starts_at: Some(hours_ago(from)),
        ends_at: lasted.map(|lasted| Timestamp(hours_ago(from).0 + lasted.0)),
        ..sample::pending()
    };
    let over = alert("a2", 20, Some(Span::minutes(2)));
    // One that is over is kept in two places for a while.
    vec![alert("a1", 50, None), over.clone(), over, alert("a3", 200, Some(Span::hours(1)))]
}

fn task(id: u64, result: Came) -> HeldTask {
    let size = |value| vec![Measure::of("size", value, "bytes")];
    let report = TaskReport {
        before: size(5 << 20),
        after: size(if result == Came::Effect { 2 << 20 } else { 5 << 20 }),
        took_seconds: 3.0,
        ..TaskReport::of_nothing(result, format!("size 5 → {HOSTILE}"))
    };
    HeldTask {
        id,
        at: hours_ago(i64::try_from(id).unwrap()),
        task: "repack".into(),
        repository: "/srv/git/product.git".into(),
        report: Some(report),
        is_healed: false,
    }
}
