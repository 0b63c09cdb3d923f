//! A daemon that is killed again and again loses nothing that it acknowledged.
//!
//! `ALIGNWATCH_KILLS` says how often; a run of the tests does it a hundred times.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use alignwatch_testkit::sketch;
use serde_json::json;

use crate::daemon::{Daemon, report};

/// Kills in a run of the tests.
const KILLS: u64 = 100;

/// Runs that report meanwhile: each has its own id, and its events are numbered.
const REPORTERS: u64 = 2;

#[test]
fn what_was_acknowledged_survives_any_number_of_kills() {
    let kills = std::env::var("ALIGNWATCH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let acknowledged = Mutex::new(BTreeSet::<(String, u64)>::new());
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let next = AtomicU64::new(0);
    for kill in 0..kills {
        let daemon = Daemon::watching(data.path(), &[repo.path()]);
        daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
        let (port, is_over) = (daemon.port, AtomicBool::new(false));
        thread::scope(|scope| {
            for reporter in 0..REPORTERS {
                let (next, acknowledged, is_over) = (&next, &acknowledged, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let run = run(reporter, kill);
                        if report(port, &event(&run, number)) == Some(202) {
                            acknowledged.lock().unwrap().insert((run, number));
                        }
                    }
                });
            }
            // Anywhere between at once and in the midst of it (xorshift64, so that a failure comes again).
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            thread::sleep(Duration::from_micros(chance % 60_000));
            daemon.kill();
            is_over.store(true, Ordering::Relaxed);
        });
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(kills as usize <= acknowledged.len(), "{} of {kills} kills: too few to show anything", acknowledged.len());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let kept: BTreeSet<(String, u64)> = acknowledged
        .iter()
        .map(|(run, _)| run)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .flat_map(|run| kept(&daemon, run))
        .collect();
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// The numbers of the events of a run, as the daemon tells them.
fn kept(daemon: &Daemon, run: &str) -> Vec<(String, u64)> {
    let document = daemon.json(&format!("/api/v1/runs/{run}"));
    let stages = document["stages"].as_array().unwrap().iter();
    stages.map(|stage| (run.to_owned(), stage["stage"].as_str().unwrap().parse().unwrap())).collect()
}

/// A new run now and then, so that the bound on the events of one is not met.
fn run(reporter: u64, kill: u64) -> String {
    format!("01ARZ3NDEKZZZZZZZZZZZ{reporter}{:04}", kill / 20)
}

fn event(run: &str, number: u64) -> serde_json::Value {
    json!({
        "schema": "alignwatch.event/1", "id": number.to_string(), "run": run, "at": "2026-01-01T00:00:00Z",
        "type": "stage", "data": {"stage": number.to_string()},
    })
}
