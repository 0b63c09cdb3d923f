//! The store from outside: what is acknowledged stays, what is damaged is mended, what is asked is answered.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::{fs, path::Path};

use alignwatch_model::{
    Severity, Status, Timestamp,
    record::{Commit, FindingRow, Reading, Sweep, SweepOutcome},
    run::{Finished, Happened, Moment, Outcome, RunEvent, RunId, event::Started},
};
use alignwatch_store::{Mended, Store, StoreError, WhichRuns, open, open_to_read};

fn store(folder: &Path) -> Store {
    open(folder).unwrap().0
}

fn finding(key: &str) -> FindingRow {
    let check = "conflicting";
    FindingRow { key: key.into(), check, severity: Severity::Warning, summary: "s".into(), document: "{}".into() }
}

fn seen(at: i64, keys: &[&str], settled: &[&'static str]) -> Commit {
    let outcome = SweepOutcome::Seen {
        status: Status::Warning,
        document: format!("{{\"at\":{at}}}"),
        branches: Vec::new(),
        findings: keys.iter().map(|key| finding(key)).collect(),
        settled: settled.to_vec(),
    };
    swept(at, outcome)
}

fn swept(at: i64, outcome: SweepOutcome) -> Commit {
    let (repository, path) = ("r".to_owned(), "/r".to_owned());
    let sweep = Sweep { repository, path, at: Timestamp(at), seconds: 0.5, outcome };
    Commit { sweeps: vec![sweep], ..Commit::default() }
}

fn readings(metric: &'static str, numbers: impl IntoIterator<Item = (i64, f64)>) -> Commit {
    let reading =
        |(at, value)| Reading { repository: "r".into(), metric, labels: "{}".into(), at: Timestamp(at), value };
    Commit { readings: numbers.into_iter().map(reading).collect(), ..Commit::default() }
}

/// Keys of findings with their times: `key began-ended`.
fn told(store: &Store, also_ended: bool) -> Vec<String> {
    let findings = store.findings(Some("r"), also_ended, 100).unwrap();
    let told = |row: &alignwatch_store::PastFinding| {
        let ended = row.ended_at.map_or_else(|| "open".to_owned(), |at| at.0.to_string());
        format!("{} {}-{ended}", row.key, row.began_at.0)
    };
    findings.iter().map(told).collect()
}

#[test]
fn a_finding_lasts_from_the_first_sweep_that_has_it_to_the_first_that_has_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    for (at, keys) in [(10, &["a", "b"][..]), (20, &["a"]), (30, &["a", "b"])] {
        store.commit(&seen(at, keys, &["conflicting"])).unwrap();
    }
    assert_eq!(told(&store, false), ["b 30-open", "a 10-open"]);
    assert_eq!(told(&store, true), ["b 30-open", "a 10-open", "b 10-20"]);
}

#[test]
fn a_finding_of_a_check_that_could_not_look_is_not_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    store.commit(&seen(10, &["a"], &["conflicting"])).unwrap();
    store.commit(&seen(20, &[], &["stale-lock"])).unwrap();
    assert_eq!(told(&store, false), ["a 10-open"]);
}

#[test]
fn a_repository_that_cannot_be_seen_is_unknown_and_keeps_what_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    store.commit(&seen(10, &["a"], &["conflicting"])).unwrap();
    store.commit(&swept(20, SweepOutcome::Failed("it is gone".into()))).unwrap();
    let row = store.repository("r").unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.reason.as_deref()), ("unknown", Some("it is gone")));
    assert_eq!((row.swept_at, row.seen_at), (Timestamp(20), Some(Timestamp(10))));
    assert_eq!(told(&store, false), ["a 10-open"]);
    assert_eq!(store.document("r").unwrap().unwrap(), "{\"at\":10}");
}

#[test]
fn one_that_is_gone_is_told_as_gone_and_keeps_what_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    store.commit(&seen(10, &["a"], &["conflicting"])).unwrap();
    store.commit(&swept(20, SweepOutcome::Gone("no folder".into()))).unwrap();
    let row = store.repository("r").unwrap().unwrap();
    assert_eq!(
        (row.status.as_str(), row.reason.as_deref(), row.seen_at),
        ("gone", Some("no folder"), Some(Timestamp(10)))
    );
    assert_eq!(told(&store, false), ["a 10-open"]);
    store.commit(&seen(30, &["a"], &["conflicting"])).unwrap();
    assert_ne!(store.repository("r").unwrap().unwrap().status, "gone");
}

#[test]
fn one_that_was_gone_before_it_was_ever_seen_is_one_repository_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let mut first = swept(10, SweepOutcome::Gone("no folder".into()));
    let path = first.sweeps[0].path.clone();
    first.sweeps[0].repository.clone_from(&path);
    store.commit(&first).unwrap();
    assert_eq!(store.repositories().unwrap().len(), 1);
    store.commit(&seen(20, &["a"], &["conflicting"])).unwrap();
    let ids: Vec<_> = store.repositories().unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, ["r"]);
}

#[test]
fn points_are_what_the_numbers_are_however_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    // Two and a half chunks, with a gap of a day in the second.
    let number = |n: i64| (n * 60 + if 1500 < n { 86_400 } else { 0 }, (n % 97) as f64 / 4.0);
    let numbers: Vec<(i64, f64)> = (0..2600).map(number).collect();
    for some in numbers.chunks(100) {
        store.commit(&readings("m", some.iter().copied())).unwrap();
    }
    let series = store.series(Some("m"), None).unwrap()[0].id;
    for (from, to, step) in [(0, 300_000, 3600), (17, 200_000, 61), (100_000, 400_000, 1_000_000), (0, 10, 1)] {
        let points = store.points(series, Timestamp(from), Timestamp(to), step).unwrap();
        let span = |at: i64| from + (at - from) / step * step;
        let within: Vec<_> = numbers.iter().filter(|(at, _)| (from..to).contains(at)).collect();
        assert_eq!(points.iter().map(|point| point.n).sum::<u64>(), within.len() as u64);
        for point in points {
            let here: Vec<f64> =
                within.iter().filter(|(at, _)| span(*at) == point.at.0).map(|(_, value)| *value).collect();
            assert_eq!((point.n, point.first, point.last), (here.len() as u64, here[0], here[here.len() - 1]));
            assert_eq!(point.least, here.iter().copied().fold(f64::INFINITY, f64::min));
            assert_eq!(point.most, here.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            assert!((point.sum - here.iter().sum::<f64>()).abs() < 1e-6);
        }
    }
}

#[test]
fn a_commit_is_kept_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let mut commit = seen(10, &["a"], &[]);
    // A time that the table can't take would be our own bug; a second writer is a way to fail that others can cause.
    let other = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    other.execute_batch("CREATE TRIGGER no BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no'); END").unwrap();
    commit.readings = readings("m", [(1, 1.0)]).readings;
    assert!(store.commit(&commit).is_err());
    assert!(store.repositories().unwrap().is_empty());
    other.execute_batch("DROP TRIGGER no").unwrap();
    store.commit(&commit).unwrap();
    assert_eq!(store.repositories().unwrap().len(), 1);
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = store(folder.path());
    let told = open(folder.path()).unwrap_err().to_string();
    assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
    let reader = open_to_read(folder.path()).unwrap();
    first.commit(&seen(10, &["a"], &[])).unwrap();
    assert_eq!(reader.repositories().unwrap().len(), 1);
    drop(first);
    store(folder.path());
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(folder.path()));
    let path = folder.path().join("store.sqlite");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(open_to_read(folder.path()), Err(StoreError::Newer { found: 99, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_store_is_moved_aside_and_the_newest_good_backup_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut filled = store(folder.path());
    filled.commit(&seen(10, &["a"], &[])).unwrap();
    let good = filled.back_up(Timestamp(1)).unwrap();
    filled.commit(&seen(20, &["b"], &[])).unwrap();
    let bad = filled.back_up(Timestamp(2)).unwrap();
    drop(filled);
    fs::write(&bad.path, b"no database").unwrap();
    fs::write(&path, vec![7; 20_000]).unwrap();
    let (mended, how) = open(folder.path()).unwrap();
    assert_eq!(told(&mended, false), ["a 10-open"]);
    let Mended::FromBackup { moved_to, backup, .. } = how else { panic!("{how:?}") };
    assert_eq!(backup, good.path);
    assert_eq!(fs::read(moved_to).unwrap(), vec![7; 20_000]);
}

#[test]
fn damage_that_only_a_whole_reading_finds_is_mended_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut filled = store(folder.path());
    filled.commit(&seen(10, &["a", "b"], &[])).unwrap();
    let good = filled.back_up(Timestamp(1)).unwrap();
    drop(filled);
    // An index without its entries: the quick look at the start leaves indexes alone.
    let other = rusqlite::Connection::open(&path).unwrap();
    let root: i64 = other
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'finding_open'", [], |row| row.get(0))
        .unwrap();
    let page_bytes: i64 = other.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    drop(other);
    let mut bytes = fs::read(&path).unwrap();
    let page = ((root - 1) * page_bytes) as usize;
    // A leaf of an index (type 10) without a cell, whose content begins at its end. Source: sqlite.org, fileformat2.html.
    let [high, low] = (page_bytes as u16).to_be_bytes();
    bytes[page..page + 8].copy_from_slice(&[10, 0, 0, 0, 0, high, low, 0]);
    fs::write(&path, bytes).unwrap();
    let (damaged, how) = open(folder.path()).unwrap();
    assert_eq!(how, Mended::No);
    assert!(damaged.examine().unwrap().unwrap().contains("finding_open"));
    drop(damaged);
    let (mended, how) = open(folder.path()).unwrap();
    assert!(matches!(how, Mended::FromBackup { backup, .. } if backup == good.path));
    assert_eq!(mended.examine().unwrap(), None);
    drop(mended);
    assert_eq!(open(folder.path()).unwrap().1, Mended::No);
}

#[test]
fn a_damaged_store_without_a_backup_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    fs::write(&path, vec![7; 20_000]).unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), vec![7; 20_000]);
}

#[test]
fn a_file_that_cannot_be_opened_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let filled = store(folder.path());
    filled.back_up(Timestamp(1)).unwrap();
    drop(filled);
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Sqlite(_))));
    assert!(path.is_dir());
    assert!(!folder.path().join("store.damaged-1").exists());
}

#[test]
fn a_mending_that_was_killed_half_way_is_ended_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut filled = store(folder.path());
    filled.commit(&seen(10, &["a"], &[])).unwrap();
    let backup = filled.back_up(Timestamp(1)).unwrap().path;
    drop(filled);
    // The damaged file is aside, and the draft did not get its name any more.
    fs::rename(&path, folder.path().join("store.damaged-1")).unwrap();
    fs::copy(&backup, folder.path().join("store.mended")).unwrap();
    assert_eq!(told(&store(folder.path()), false), ["a 10-open"]);
    assert!(!folder.path().join("store.mended").exists());
    // A draft beside a file that is there is of no use.
    fs::copy(&backup, folder.path().join("store.mended")).unwrap();
    assert_eq!(told(&store(folder.path()), false), ["a 10-open"]);
    assert!(!folder.path().join("store.mended").exists());
}

#[test]
fn a_backup_that_claims_to_be_from_the_future_is_not_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    store.back_up(Timestamp(5)).unwrap();
    fs::write(folder.path().join("backups/store-999999999999.sqlite"), "x").unwrap();
    assert_eq!(store.newest_backup_at(Timestamp(10)), Some(Timestamp(5)));
}

#[test]
fn only_the_newest_backups_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for at in 1..=10 {
        store.back_up(Timestamp(at)).unwrap();
    }
    assert_eq!(fs::read_dir(folder.path().join("backups")).unwrap().count(), alignwatch_store::BACKUPS_KEPT);
}

fn run_event(run: u8, number: u8, what: Happened) -> RunEvent {
    let id = format!("e{number}");
    RunEvent::new(id, RunId::from_parts(u64::from(run), [run; 10]), Moment(i64::from(number) * 1000), what)
}

fn reported(events: Vec<RunEvent>) -> Commit {
    Commit { events, ..Commit::default() }
}

fn started(workflow: &str, repository: &str) -> Happened {
    Happened::Started(Started {
        workflow: workflow.into(),
        repository_id: Some(repository.into()),
        ..Started::default()
    })
}

fn finished(outcome: Outcome) -> Happened {
    Happened::Finished(Finished { outcome, ..Finished::default() })
}

#[test]
fn a_run_is_what_its_events_amount_to_in_any_order_and_however_often_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let events = vec![
        run_event(1, 1, started("nightly", "r")),
        run_event(1, 2, Happened::Heartbeat {}),
        run_event(1, 3, Happened::Heartbeat {}),
        run_event(1, 4, finished(Outcome::Aligned)),
    ];
    store.commit(&reported(events.iter().rev().cloned().collect())).unwrap();
    let once = store.runs(WhichRuns::default(), 10).unwrap();
    for event in events.clone() {
        store.commit(&reported(vec![event])).unwrap();
    }
    assert_eq!(store.runs(WhichRuns::default(), 10).unwrap(), once);
    let document: serde_json::Value = serde_json::from_str(&once[0]).unwrap();
    assert_eq!((&document["outcome"], &document["started"]["workflow"]), (&"aligned".into(), &"nightly".into()));
    let id = &events[0].run;
    assert_eq!(store.n_events(id).unwrap(), 3, "of heartbeats only the last stays");
    assert_eq!(store.run(id).unwrap().unwrap().outcome(), Some(Outcome::Aligned));
    assert_eq!(store.run(&RunId::from_parts(9, [9; 10])).unwrap(), None);
}

#[test]
fn runs_are_found_by_repository_workflow_and_page_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let all = [(1, "nightly", "r"), (2, "weekly", "r"), (3, "nightly", "s"), (4, "nightly", "r")];
    store
        .commit(&reported(
            all.iter().map(|(run, workflow, repository)| run_event(*run, 1, started(workflow, repository))).collect(),
        ))
        .unwrap();
    let found = |which| -> Vec<String> {
        let run = |text: String| {
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["run"].as_str().unwrap().to_owned()
        };
        store.runs(which, 2).unwrap().into_iter().map(run).collect()
    };
    let id = |run: u8| RunId::from_parts(u64::from(run), [run; 10]).to_string();
    let nightly = WhichRuns { repository: Some("r"), workflow: Some("nightly"), ..WhichRuns::default() };
    assert_eq!(found(nightly), [id(4), id(1)]);
    let before = RunId::from_parts(3, [3; 10]);
    assert_eq!(found(WhichRuns { before: Some(&before), ..WhichRuns::default() }), [id(2), id(1)]);
}

#[test]
fn the_past_is_kept_once_however_often_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = open(folder.path()).unwrap();
    let week = 7 * 86_400;
    let told = |value: f64| Commit {
        past: readings("alignwatch_open_branches", (0..52).map(|n| (n * week, value))).readings,
        ..Commit::default()
    };
    // After twenty starts there would be enough of them for a chunk.
    for n in 0..25 {
        store.commit(&told(f64::from(n))).unwrap();
    }
    let series = store.series(Some("alignwatch_open_branches"), None).unwrap();
    assert_eq!(series.len(), 1);
    let points = store.points(series[0].id, Timestamp(0), Timestamp(52 * week), week).unwrap();
    assert_eq!(points.len(), 52);
    assert!(points.iter().all(|point| (point.n, point.first) == (1, 0.0)), "{points:?}");
}
