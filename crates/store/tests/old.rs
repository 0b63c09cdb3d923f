//! What older stores hold is there after the step to this version.
//!
//! Each `fixtures/version-N.sqlite` was filled by the code that wrote version N (`examples/fill.rs`), and is never made
//! anew.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::{fs, path::Path};

use alignwatch_model::Timestamp;
use alignwatch_store::{Store, StoreError, WhichRuns, open, open_to_read};

const BEGIN: i64 = 1_700_000_000;

fn put(folder: &Path, version: i64) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/version-{version}.sqlite"));
    fs::copy(fixture, folder.join("store.sqlite")).unwrap();
}

/// Versions of which there is a filled store: all before this one.
fn versions() -> Vec<i64> {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    let current: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    (1..current).collect()
}

fn numbers(store: &Store, repository: &str) -> Vec<(i64, f64)> {
    let series = store.series(None, Some(repository)).unwrap();
    assert_eq!(series.len(), 1);
    let points = store.points(series[0].id, Timestamp(0), Timestamp(i64::MAX), 1).unwrap();
    points.iter().map(|point| (point.at.0, point.sum)).collect()
}

#[test]
fn a_filled_store_of_each_older_version_keeps_all_it_holds() {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), version);
        let (store, _) = open(folder.path()).unwrap();
        let a: Vec<_> = (0..1500).map(|n| (BEGIN + n * 60, (n % 7) as f64)).collect();
        let b: Vec<_> = (0..1500).step_by(3).map(|n| (BEGIN + n * 60, n as f64 / 4.0)).collect();
        assert_eq!((numbers(&store, "a"), numbers(&store, "b")), (a, b), "version {version}");
        let findings = store.findings(Some("a"), true, 10).unwrap();
        let told: Vec<_> = findings.iter().map(|row| (row.key.as_str(), row.began_at.0, row.ended_at)).collect();
        let (second, third) = (BEGIN + 500 * 60, BEGIN + 1000 * 60);
        assert_eq!(told, [("two", second, Some(Timestamp(third))), ("one", BEGIN, None)], "version {version}");
        assert_eq!(store.document("a").unwrap().unwrap(), "{\"n\":1000}");
        assert_eq!(store.repository("b").unwrap().unwrap().reason.as_deref(), Some("it is gone"));
        let n_runs = store.runs(WhichRuns::default(), 10).unwrap().len();
        assert_eq!(n_runs, usize::from(2 <= version), "version {version}");
        assert_eq!(store.branch("a", "refs/heads/x").unwrap().is_some(), 3 <= version, "version {version}");
        assert_eq!(store.examine().unwrap(), None);
    }
}

#[test]
fn an_older_store_is_not_read_before_somebody_brought_it_up() {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), version);
        assert!(matches!(open_to_read(folder.path()), Err(StoreError::Older { .. })));
        drop(open(folder.path()).unwrap());
        open_to_read(folder.path()).unwrap();
    }
}

#[test]
fn a_step_that_is_cut_short_leaves_the_older_store_as_it_was() {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), version);
        let other = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
        // One step can't remove what something else looks at, another finds a name taken: both fail at their very end.
        other
            .execute_batch("CREATE VIEW looks_on AS SELECT n_recent FROM series; CREATE TABLE record_open (x)")
            .unwrap();
        assert!(open(folder.path()).is_err());
        let found: i64 = other.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        // Steps before the one that failed stand.
        assert!((version..=versions().len() as i64).contains(&found), "version {version} became {found}");
        other.execute_batch("DROP VIEW looks_on; DROP TABLE record_open").unwrap();
        drop(other);
        assert_eq!(numbers(&open(folder.path()).unwrap().0, "a").len(), 1500);
    }
}
