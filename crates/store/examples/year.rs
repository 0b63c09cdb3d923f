//! A year of one repository with a thousand branches, in simulated time: how large the store gets, and how long anybody
//! waits.
//!
//! `year FOLDER [DAYS]` keeps a sweep each five minutes as the daemon does: 200 series, a thousand branches of which forty
//! move a day, 300 findings of which ten end a day, twenty alignment runs a day; and tends the store each hour of that
//! time. Prints one JSON object.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "for those who work here")]

use std::{fs, path::Path, time::Instant};

use alignwatch_model::{
    Severity, Status, Timestamp,
    config::Retention,
    kept::KeptBranch,
    record::{Commit, FindingRow, Reading, Sweep, SweepOutcome},
    run::{Finished, Happened, Moment, Outcome, RunEvent, RunId, event::Started},
};
use alignwatch_store::{Store, Tended, open};

const N_SERIES: i64 = 200;
const N_BRANCHES: i64 = 1000;
const N_FINDINGS: i64 = 300;
const FIVE_MINUTES: i64 = 300;
const SWEEPS_A_DAY: i64 = 288;
const BEGIN: i64 = 1_700_006_400;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = Path::new(&arguments[1]);
    let days: i64 = arguments.get(2).map_or(365, |text| text.parse().unwrap());
    let (mut store, _) = open(folder).unwrap();
    let (mut commits, mut steps) = (Vec::new(), Vec::new());
    for sweep in 0..days * SWEEPS_A_DAY {
        let commit = commit(sweep);
        commits.push(seconds(|| store.commit(&commit).unwrap()));
        if sweep % 12 == 0 {
            tend(&mut store, BEGIN + sweep * FIVE_MINUTES, &mut steps);
        }
    }
    let n = (days * SWEEPS_A_DAY * N_SERIES) as f64;
    let used = store.used_bytes().unwrap();
    let all = Instant::now();
    assert_eq!(store.examine().unwrap(), None);
    let examined = all.elapsed().as_secs_f64();
    drop(store);
    println!(
        "{{\"days\": {days}, \"n_numbers\": {n}, \"file_bytes\": {}, \"bytes_each\": {:.3}, \"commit_seconds\": {}, \
         \"step_seconds\": {}, \"examine_seconds\": {examined:.2}}}",
        fs::metadata(folder.join("store.sqlite")).unwrap().len(),
        used as f64 / n,
        spread(commits),
        spread(steps),
    );
    let _ = fs::remove_dir_all(folder);
}

fn tend(store: &mut Store, now: i64, steps: &mut Vec<f64>) {
    loop {
        let mut done = Tended::All;
        steps.push(seconds(|| done = store.tend(&Retention::default(), Timestamp(now)).unwrap()));
        if done != Tended::Some {
            return;
        }
    }
}

fn seconds(act: impl FnOnce()) -> f64 {
    let began = Instant::now();
    act();
    began.elapsed().as_secs_f64()
}

/// Median, 99th percentile and greatest.
fn spread(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("{{\"median\": {:.5}, \"p99\": {:.5}, \"most\": {:.5}}}", at(0.5), at(0.99), at(1.0))
}

fn commit(sweep: i64) -> Commit {
    let at = Timestamp(BEGIN + sweep * FIVE_MINUTES);
    let reading = |series: i64| Reading {
        repository: "r".into(),
        metric: "m",
        labels: format!("{series:03}"),
        at,
        value: value(series, sweep),
    };
    let outcome = SweepOutcome::Seen {
        status: Status::Warning,
        document: format!("{{\"n\":{sweep},\"checks\":\"{}\"}}", "x".repeat(8_000)),
        branches: (0..N_BRANCHES).map(|number| branch(number, sweep)).collect(),
        findings: (0..N_FINDINGS).map(|number| finding(number, sweep)).collect(),
        settled: vec!["c"],
    };
    let sweeps = vec![Sweep { repository: "r".into(), path: "/srv/r".into(), at, seconds: 0.2, outcome }];
    let readings = (0..N_SERIES).map(reading).collect();
    Commit { sweeps, readings, events: if sweep % 14 == 0 { run(at) } else { Vec::new() }, ..Commit::default() }
}

/// Half never change, a quarter moves by whole numbers some times a day, an eighth are times, an eighth are counters.
fn value(series: i64, sweep: i64) -> f64 {
    match series % 8 {
        0..4 => series as f64,
        4 | 5 => 100.0 + (noise(sweep / 50 * N_SERIES + series) % 20) as f64,
        6 => (noise(sweep * N_SERIES + series) % 1_000_000_000) as f64 / 1e9,
        _ => (sweep * series) as f64,
    }
}

fn branch(number: i64, sweep: i64) -> KeptBranch {
    // Each moves every 25 days.
    let moved = (sweep + number * 7) / (25 * SWEEPS_A_DAY);
    let oid = format!("{:040x}", noise(number * 1_000_003 + moved));
    let json = format!(
        r#"{{"ref":"refs/heads/feature/{number}","oid":"{oid}","relation":"track","budget":{{}},"state":"diverged",
            "verdict":"clean","ahead":{},"behind":{},"author":"Ada Lovelace","subject":"a subject of usual length"}}"#,
        moved % 20,
        moved % 300
    );
    serde_json::from_str(&json).unwrap()
}

fn finding(number: i64, sweep: i64) -> FindingRow {
    // Each lasts thirty days; then it is another one.
    let which = (sweep + number * 29) / (30 * SWEEPS_A_DAY);
    FindingRow {
        key: format!("c:refs/heads/{number}:{which}"),
        check: "c",
        severity: Severity::Warning,
        summary: format!("feature/{number} is 120 commits behind main, which has moved for 40 days"),
        document: format!("{{\"evidence\":\"{}\"}}", "e".repeat(800)),
    }
}

fn run(at: Timestamp) -> Vec<RunEvent> {
    let begin = at.0 * 1000;
    let id = RunId::from_parts(begin as u64, [7; 10]);
    let started = Started { workflow: "nightly".into(), repository_id: Some("r".into()), ..Started::default() };
    let finished = Finished { outcome: Outcome::Aligned, ..Finished::default() };
    let event = |name: &str, at: i64, what| RunEvent::new(name.to_owned(), id.clone(), Moment(at), what);
    vec![event("start", begin, Happened::Started(started)), event("end", begin + 60_000, Happened::Finished(finished))]
}

/// The end of splitmix64.
fn noise(n: i64) -> u64 {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}
