//! Fills a store of this version, for tests of later ones: `tests/old.rs` holds it against what is written here.
//!
//! Before a step is added to `schema.rs`, once, with the version that is to become old:
//! `cargo run -p alignwatch-store --example fill -- /tmp/fill && mv /tmp/fill/store.sqlite
//! crates/store/tests/fixtures/version-N.sqlite`

#![expect(clippy::unwrap_used, reason = "for those who work here")]

use alignwatch_model::{
    Severity, Status, Timestamp,
    kept::KeptBranch,
    record::{Commit, FindingRow, Reading, Sweep, SweepOutcome},
    run::{Finished, Happened, Moment, Outcome, RunEvent, RunId, event::Started},
};

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let (mut store, _) = alignwatch_store::open(std::path::Path::new(&folder)).unwrap();
    for n in 0..1500 {
        store.commit(&commit(n)).unwrap();
    }
}

/// A commit a minute; numbers of two repositories, a finding that lasts and one that ends, a run.
fn commit(n: i64) -> Commit {
    let at = Timestamp(1_700_000_000 + n * 60);
    let reading = |repository: &str, value: f64| Reading {
        repository: repository.into(),
        metric: "alignwatch_branches",
        labels: "{\"state\":\"behind\"}".into(),
        at,
        value,
    };
    let mut commit = Commit { readings: vec![reading("a", (n % 7) as f64)], ..Commit::default() };
    if n % 3 == 0 {
        commit.readings.push(reading("b", n as f64 / 4.0));
    }
    if n % 500 == 0 {
        commit.sweeps = sweeps(n, at);
    }
    if n == 7 {
        commit.events = run();
    }
    commit
}

fn sweeps(n: i64, at: Timestamp) -> Vec<Sweep> {
    let keys: &[&str] = if n == 500 { &["one", "two"] } else { &["one"] };
    let finding = |key: &&str| FindingRow {
        key: (*key).into(),
        check: "conflicting",
        severity: Severity::Warning,
        summary: format!("{key} is wrong"),
        document: "{}".into(),
    };
    let seen = SweepOutcome::Seen {
        status: Status::Warning,
        document: format!("{{\"n\":{n}}}"),
        branches: vec![branch()],
        findings: keys.iter().map(finding).collect(),
        settled: vec!["conflicting"],
    };
    let sweep = |repository: &str, outcome| Sweep {
        repository: repository.into(),
        path: format!("/srv/{repository}"),
        at,
        seconds: 0.5,
        outcome,
    };
    vec![sweep("a", seen), sweep("b", SweepOutcome::Failed("it is gone".into()))]
}

fn branch() -> KeptBranch {
    let json = r#"{"ref":"refs/heads/x","relation":"track","budget":{},"state":"behind","verdict":"clean","behind":3}"#;
    serde_json::from_str(json).unwrap()
}

fn run() -> Vec<RunEvent> {
    let event = |id: &str, what| {
        let begin = 1_700_000_000_000;
        RunEvent::new(id.to_owned(), RunId::from_parts(begin as u64, [1; 10]), Moment(begin), what)
    };
    let started = Started { workflow: "nightly".into(), repository_id: Some("a".into()), ..Started::default() };
    let finished = Finished { outcome: Outcome::Aligned, ..Finished::default() };
    vec![event("e1", Happened::Started(started)), event("e2", Happened::Finished(finished))]
}
