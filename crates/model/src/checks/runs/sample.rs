//! Runs for tests.

use super::super::{Check, Seen, sample::*};
use crate::{
    Known, Snapshot, Timestamp,
    config::Config,
    facts::runs::{Brief, Ended as End, Process},
    run::{Outcome as Ended, RunId},
};

pub(super) const HOUR: i64 = 3600;

pub(super) fn run(number: u8, hours_ago: i64) -> Brief {
    let began_at = Timestamp(NOW.0 - hours_ago * HOUR);
    Brief {
        run: RunId::from_parts(1, [number; 10]),
        workflow: "nightly".into(),
        began_at,
        heard_at: began_at,
        ended: None,
        process: Process::Unknown,
        losses: Vec::new(),
        is_unverified: false,
        operations: Vec::new(),
    }
}

pub(super) fn ended(number: u8, hours_ago: i64, outcome: Ended, seconds: i64) -> Brief {
    let run = run(number, hours_ago);
    let at = Timestamp(run.began_at.0 + seconds);
    let because = "it exited 1".into();
    Brief { ended: Some(End { at, outcome, because, seconds: Some(seconds as f64) }), heard_at: at, ..run }
}

pub(super) fn with(runs: Vec<Brief>) -> Snapshot {
    let mut snapshot = snapshot([]);
    snapshot.facts.runs = Known::Seen(runs);
    snapshot
}

pub(super) fn configured(check: &'static Check, snapshot: &Snapshot, yaml: &str) -> Vec<String> {
    let config = Config::from_yaml(yaml, "f").unwrap().0;
    let seen = Seen { snapshot, config: &config, now: NOW, check };
    (check.judge)(&seen).findings.into_iter().map(|finding| finding.summary).collect()
}
