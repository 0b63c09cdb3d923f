//! A year of numbers, in and out, beside plain rows in the same SQLite. For `bench/run store`.
//!
//! `numbers FOLDER [DAYS]` writes 20 series, a number a minute each, on both sides: at the same durability (WAL, synced at
//! each commit) and with as many numbers to a commit. All answers are held against each other before
//! any time is told. Prints one JSON object.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "for those who work here")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use alignwatch_model::{
    Timestamp,
    config::Retention,
    record::{Commit, Reading},
};
use alignwatch_store::{Point, Store, Tended, open};
use rusqlite::{Connection, params};

const N_SERIES: i64 = 20;
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
const BEGIN: i64 = 1_700_006_400;

/// Minutes in a commit: 100,000 numbers, a twentieth of a second at the floor of two million a second.
const MINUTES_A_COMMIT: i64 = 5_000;

/// The width of a point: a year in 487 of them, and a multiple of an hour, so that what is rolled up answers exactly.
const STEP: i64 = 18 * 3600;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = Path::new(&arguments[1]);
    let days: i64 = arguments.get(2).map_or(365, |text| text.parse().unwrap());
    let minutes = days * DAY / MINUTE;
    let (mut store, _) = open(&folder.join("ours")).unwrap();
    let our_insert = fill_ours(&mut store, minutes);
    let (peer, peer_insert) = fill_peer(&folder.join("peer.sqlite"), minutes);
    let end = BEGIN + minutes * MINUTE;
    let series: Vec<i64> = store.series(None, None).unwrap().iter().map(|row| row.id).collect();
    let all_equal = |store: &Store| {
        let (theirs, ours) = (|n| asked_of_peer(&peer, n, end), |n: i64| asked(store, series[n as usize], end));
        (0..N_SERIES).all(|n| are_equal(&theirs(n), &ours(n)))
    };
    assert!(all_equal(&store), "the answers differ, so that there is nothing to compare");
    let peer_question = median(|n| asked_of_peer(&peer, n, end));
    let our_question = median(|n| asked(&store, series[n as usize], end));
    let (our_bytes, peer_bytes) = (bytes(&store), size(&peer));
    let slowest_step = tend(&mut store, end);
    assert!(all_equal(&store), "rolled up, the answers differ");
    let our_question_rolled_up = median(|n| asked(&store, series[n as usize], end));
    let n = (minutes * N_SERIES) as f64;
    println!(
        "{{\"n_numbers\": {n}, \"our_insert_seconds\": {our_insert}, \"peer_insert_seconds\": {peer_insert}, \
         \"our_question_seconds\": {our_question}, \"our_question_rolled_up_seconds\": {our_question_rolled_up}, \
         \"peer_question_seconds\": {peer_question}, \"our_bytes_each\": {}, \"peer_bytes_each\": {}, \
         \"our_bytes_each_rolled_up\": {}, \"slowest_step_seconds\": {slowest_step}}}",
        our_bytes / n,
        peer_bytes / n,
        bytes(&store) / n,
    );
    let _ = fs::remove_dir_all(folder);
}

/// A constant, a counter, two decimals of noise, bytes that change by the hour.
fn value(series: i64, minute: i64) -> f64 {
    match series % 4 {
        0 => 42.0,
        1 => (minute * (series + 1)) as f64,
        2 => (noise(minute * N_SERIES + series) % 10_000) as f64 / 100.0,
        _ => (noise(minute / 60 * N_SERIES + series) % 1_000_000_000) as f64,
    }
}

/// The end of splitmix64.
fn noise(n: i64) -> u64 {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

fn commits(minutes: i64) -> impl Iterator<Item = Vec<(i64, i64, f64)>> {
    (0..minutes).step_by(MINUTES_A_COMMIT as usize).map(move |from| {
        let numbers =
            |minute| (0..N_SERIES).map(move |series| (series, BEGIN + minute * MINUTE, value(series, minute)));
        (from..minutes.min(from + MINUTES_A_COMMIT)).flat_map(numbers).collect()
    })
}

fn fill_ours(store: &mut Store, minutes: i64) -> f64 {
    let reading = |(series, at, value): (i64, i64, f64)| Reading {
        repository: "r".into(),
        metric: "m",
        labels: format!("{series:02}"),
        at: Timestamp(at),
        value,
    };
    let mut taken = Duration::ZERO;
    for numbers in commits(minutes) {
        let commit = Commit { readings: numbers.into_iter().map(reading).collect(), ..Commit::default() };
        let began = Instant::now();
        store.commit(&commit).unwrap();
        taken += began.elapsed();
    }
    taken.as_secs_f64()
}

fn fill_peer(path: &Path, minutes: i64) -> (Connection, f64) {
    let mut peer = Connection::open(path).unwrap();
    peer.pragma_update(None, "journal_mode", "WAL").unwrap();
    peer.pragma_update(None, "synchronous", "FULL").unwrap();
    let table = "CREATE TABLE sample (series INTEGER, at INTEGER, value REAL, PRIMARY KEY (series, at)) WITHOUT ROWID";
    peer.execute_batch(table).unwrap();
    let mut taken = Duration::ZERO;
    for numbers in commits(minutes) {
        let began = Instant::now();
        let transaction = peer.transaction().unwrap();
        let mut put = transaction.prepare_cached("INSERT INTO sample VALUES (?1, ?2, ?3)").unwrap();
        for (series, at, value) in numbers {
            put.execute(params![series, at, value]).unwrap();
        }
        drop(put);
        transaction.commit().unwrap();
        taken += began.elapsed();
    }
    (peer, taken.as_secs_f64())
}

fn asked(store: &Store, series: i64, end: i64) -> Vec<Point> {
    store.points(series, Timestamp(BEGIN), Timestamp(end), STEP).unwrap()
}

/// The same from rows, put into spans here: twice as fast as `GROUP BY`.
fn asked_of_peer(peer: &Connection, series: i64, end: i64) -> Vec<Point> {
    let sql = "SELECT at, value FROM sample WHERE series = ?1 AND ?2 <= at AND at < ?3 ORDER BY at";
    let mut rows = peer.prepare_cached(sql).unwrap();
    let mut rows = rows.query(params![series, BEGIN, end]).unwrap();
    let mut spans = BTreeMap::<i64, Point>::new();
    while let Some(row) = rows.next().unwrap() {
        let (at, value): (i64, f64) = (row.get_unwrap(0), row.get_unwrap(1));
        let begin = BEGIN + (at - BEGIN) / STEP * STEP;
        let take_in = |span: &mut Point| {
            span.n += 1;
            span.least = span.least.min(value);
            span.most = span.most.max(value);
            span.sum += value;
            span.last = value;
        };
        let first =
            Point { at: Timestamp(begin), n: 1, least: value, most: value, sum: value, first: value, last: value };
        spans.entry(begin).and_modify(take_in).or_insert(first);
    }
    spans.into_values().collect()
}

/// Sums are added in another order, so that they may differ in the last digits.
fn are_equal(a: &[Point], b: &[Point]) -> bool {
    let is_same = |(a, b): (&Point, &Point)| {
        (a.sum - b.sum).abs() <= 1e-9 * a.sum.abs() && Point { sum: 0.0, ..*a } == Point { sum: 0.0, ..*b }
    };
    a.len() == b.len() && std::iter::zip(a, b).all(is_same)
}

/// Seconds of a question, over all series.
fn median<T>(ask: impl Fn(i64) -> T) -> f64 {
    let time = |series: i64| {
        let began = Instant::now();
        std::hint::black_box(ask(series));
        began.elapsed().as_secs_f64()
    };
    let mut times: Vec<f64> = (0..N_SERIES).map(time).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Rolls up what is old by the defaults; the slowest step.
fn tend(store: &mut Store, now: i64) -> f64 {
    let mut slowest = 0_f64;
    loop {
        let began = Instant::now();
        let done = store.tend(&Retention::default(), Timestamp(now)).unwrap();
        slowest = slowest.max(began.elapsed().as_secs_f64());
        if done != Tended::Some {
            return slowest;
        }
    }
}

fn bytes(store: &Store) -> f64 {
    store.used_bytes().unwrap() as f64
}

fn size(peer: &Connection) -> f64 {
    let number = |name: &str| peer.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    (number("page_count") * number("page_size")) as f64
}
