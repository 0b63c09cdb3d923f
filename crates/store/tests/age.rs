//! What gets old takes less room, and says the same in wider spans.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::{fs, path::Path};

use alignwatch_model::{
    Severity, Span, Status, Timestamp,
    config::Retention,
    record::{Commit, FindingRow, Reading, Sweep, SweepOutcome},
    run::{Happened, Moment, RunEvent, RunId, event::Started},
};
use alignwatch_store::{Store, Tended, WhichRuns, open};

const DAY: i64 = 86_400;

fn store(folder: &Path) -> Store {
    open(folder).unwrap().0
}

/// A whole number below ten thousand that nobody can foresee (the end of splitmix64).
fn noise(n: i64) -> f64 {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 27)) % 10_000) as f64
}

/// A number each `step` seconds, of several series: whole ones, decimals, a counter.
fn fill(store: &mut Store, n_series: i64, days: i64, step: i64) {
    let number = |series: i64, at: i64| match series % 3 {
        0 => (at / 3600 % 5) as f64,
        1 => noise(at + series) / 100.0,
        _ => (at / step) as f64,
    };
    for day in 0..days {
        let times = (0..DAY / step).map(|n| day * DAY + n * step);
        let readings = times.flat_map(|at| {
            (0..n_series).map(move |series| Reading {
                repository: "r".into(),
                metric: "m",
                labels: format!("{series:04}"),
                at: Timestamp(at),
                value: number(series, at),
            })
        });
        store.commit(&Commit { readings: readings.collect(), ..Commit::default() }).unwrap();
    }
}

/// Tends until nothing is left to do; says the number of steps.
fn tend(store: &mut Store, retention: &Retention, now: i64) -> (usize, Tended) {
    for step in 1..10_000 {
        let done = store.tend(retention, Timestamp(now)).unwrap();
        if done != Tended::Some {
            return (step, done);
        }
    }
    panic!("it has no end");
}

fn days(days: i64) -> Span {
    Span::days(days)
}

#[test]
fn rolled_up_numbers_have_the_same_sums_and_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    fill(&mut store, 3, 40, 120);
    let asked = |store: &Store, step: i64| -> Vec<_> {
        let series = store.series(None, None).unwrap();
        let points = series.iter().map(|row| store.points(row.id, Timestamp(0), Timestamp(40 * DAY), step).unwrap());
        points.collect()
    };
    let before: Vec<_> = [300, 3600, DAY, 5 * DAY].map(|step| asked(&store, step)).into();
    let retention = Retention { raw: days(2), by_five_minutes: days(9), by_hour: days(20), ..Retention::default() };
    assert_eq!(tend(&mut store, &retention, 40 * DAY).1, Tended::All);
    let after: Vec<_> = [300, 3600, DAY, 5 * DAY].map(|step| asked(&store, step)).into();
    // Days say the same for the whole time, hours for the last 20 days, five minutes for the last nine.
    for (step, since) in [(0, 40 - 8), (1, 40 - 19), (2, 0), (3, 0)] {
        for (before, after) in std::iter::zip(&before[step], &after[step]) {
            let lately = |points: &[alignwatch_store::Point]| -> Vec<_> {
                points.iter().filter(|point| since * DAY <= point.at.0).copied().collect()
            };
            let (before, after) = (lately(before), lately(after));
            assert_eq!(before.len(), after.len());
            for (before, after) in std::iter::zip(before, after) {
                assert!((before.sum - after.sum).abs() <= 1e-9 * before.sum.abs(), "{before:?} {after:?}");
                assert_eq!(
                    alignwatch_store::Point { sum: 0.0, ..before },
                    alignwatch_store::Point { sum: 0.0, ..after }
                );
            }
        }
    }
    let n_points = |points: &[Vec<alignwatch_store::Point>]| points.iter().map(Vec::len).sum::<usize>();
    assert!(n_points(&after[0]) < n_points(&before[0]) / 2, "nothing was rolled up");
    // The second time there is nothing to do.
    assert_eq!(tend(&mut store, &retention, 40 * DAY), (1, Tended::All));
}

#[test]
fn what_is_too_old_for_days_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    fill(&mut store, 1, 40, 600);
    let retention = Retention {
        raw: days(1),
        by_five_minutes: days(2),
        by_hour: days(3),
        by_day: days(30),
        ..Retention::default()
    };
    tend(&mut store, &retention, 40 * DAY);
    tend(&mut store, &retention, 400 * DAY);
    let series = store.series(None, None).unwrap()[0].id;
    assert_eq!(store.points(series, Timestamp(0), Timestamp(400 * DAY), DAY).unwrap(), []);
}

#[test]
fn a_ceiling_takes_the_oldest_first_and_never_the_newest_nor_what_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let finding = |key: &str| FindingRow {
        key: key.into(),
        check: "c",
        severity: Severity::Warning,
        summary: "s".repeat(1000),
        document: "{}".into(),
    };
    for (at, keys) in [(1, &["lasts", "over"][..]), (2, &["lasts"])] {
        let findings = keys.iter().map(|key| finding(key)).collect();
        let outcome = SweepOutcome::Seen {
            status: Status::Warning,
            document: "{}".into(),
            findings,
            branches: Vec::new(),
            settled: vec!["c"],
        };
        let sweep = Sweep { repository: "r".into(), path: "/r".into(), at: Timestamp(at), seconds: 0.1, outcome };
        store.commit(&Commit { sweeps: vec![sweep], ..Commit::default() }).unwrap();
    }
    fill(&mut store, 30, 30, 60);
    let file = folder.path().join("store.sqlite");
    store.tend(&Retention::default(), Timestamp(30 * DAY)).unwrap();
    let before = store.used_bytes().unwrap();
    assert!(1 << 20 < before, "{before}");
    let retention = Retention { size: before / 2, ..Retention::default() };
    assert_eq!(tend(&mut store, &retention, 30 * DAY).1, Tended::All);
    let after = store.used_bytes().unwrap();
    assert!(after <= before / 2 && before / 4 < after, "{after} of {before}");
    // The file itself has shrunk, too, once its log is written back.
    drop(store);
    let on_disk = fs::metadata(&file).unwrap().len();
    assert!(on_disk <= before / 2 + (64 << 10), "{on_disk} of {before}");
    let mut store = self::store(folder.path());
    let series = store.series(None, None).unwrap()[0].id;
    let minutes = |from: i64| store.points(series, Timestamp(from), Timestamp(from + DAY), 60).unwrap().len();
    assert!(minutes(29 * DAY) == 1440 && minutes(0) < 1440, "{} {}", minutes(29 * DAY), minutes(0));
    // A ceiling that can't be met is told, and what lasts and what is new stays.
    let retention = Retention { size: 1, ..Retention::default() };
    assert!(matches!(tend(&mut store, &retention, 30 * DAY).1, Tended::StillTooLarge { .. }));
    let keys: Vec<_> = store.findings(None, true, 10).unwrap().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["lasts"]);
    assert_eq!(store.points(series, Timestamp(29 * DAY), Timestamp(30 * DAY), 60).unwrap().len(), 1440);
}

#[test]
fn runs_go_with_their_age_and_all_their_events_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let run = |day: u8| RunId::from_parts(u64::from(day), [day; 10]);
    let report = |store: &mut Store, day: u8| {
        let what = Happened::Started(Started { workflow: "nightly".into(), ..Started::default() });
        let event = RunEvent::new("e".to_owned(), run(day), Moment(i64::from(day) * DAY * 1000), what);
        store.commit(&Commit { events: vec![event], ..Commit::default() }).unwrap();
    };
    for day in [1, 3] {
        report(&mut store, day);
    }
    tend(&mut store, &Retention::default(), 367 * DAY);
    assert_eq!(store.runs(WhichRuns::default(), 10).unwrap().len(), 1);
    assert_eq!((store.n_events(&run(1)).unwrap(), store.n_events(&run(3)).unwrap()), (0, 1));
    // What went is not taken for what is kept: it can be told again.
    report(&mut store, 1);
    assert_eq!(store.n_events(&run(1)).unwrap(), 1);
}

#[test]
fn findings_that_are_over_go_with_their_age_and_a_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    for at in 0..500 {
        let finding = FindingRow {
            key: format!("k{at}"),
            check: "c",
            severity: Severity::Info,
            summary: "s".into(),
            document: "{}".into(),
        };
        let outcome = SweepOutcome::Seen {
            status: Status::Info,
            document: "{}".into(),
            findings: vec![finding],
            branches: Vec::new(),
            settled: vec!["c"],
        };
        let sweep = Sweep { repository: "r".into(), path: "/r".into(), at: Timestamp(at), seconds: 0.1, outcome };
        store.commit(&Commit { sweeps: vec![sweep], ..Commit::default() }).unwrap();
    }
    let retention = Retention::default();
    let count = |store: &Store| store.findings(None, true, 10_000).unwrap().len();
    store.tend(&retention, Timestamp(366 * DAY)).unwrap();
    assert_eq!(count(&store), 300);
    tend(&mut store, &retention, 366 * DAY);
    assert_eq!(count(&store), 1);
}
