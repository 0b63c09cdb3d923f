//! Numbers over time: how they come in.
//!
//! What is measured is written to a log first, one row a commit and repository: that is all that a commit costs. As soon
//! as the log of a repository has enough of each series, it is folded into their chunks. A commit that brings much
//! is folded at once.

use std::collections::BTreeMap;

use alignwatch_model::record::Reading;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustc_hash::FxHashMap;

use crate::{Point, StoreError, chunk};

/// Numbers of each series that wait in the log of a repository.
///
/// Source: ours; five hours at the usual interval. A chunk is then written sixteen times until it is full, and a
/// question reads at most 1.5 KiB of log for each series of its repository.
const FOLD_AT: usize = 64;

/// Bytes of one number in the log: its series, its time, its value.
const ENTRY: usize = 24;

/// Series that are remembered by name. Source: ours; some MiB.
const NAMES_AT_MOST: usize = 50_000;

/// Ids of series by repository, metric and labels.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: FxHashMap<String, FxHashMap<&'static str, FxHashMap<String, i64>>>,
    n: usize,
}

impl Names {
    fn get(&self, reading: &Reading) -> Option<i64> {
        self.known.get(&reading.repository)?.get(reading.metric)?.get(&reading.labels).copied()
    }

    fn put(&mut self, reading: &Reading, id: i64) {
        if self.n == NAMES_AT_MOST {
            self.forget();
        }
        let metrics = self.known.entry(reading.repository.clone()).or_default();
        metrics.entry(reading.metric).or_default().insert(reading.labels.clone(), id);
        self.n += 1;
    }

    /// Forgets all: after a transaction that was not kept, an id may be nobody's.
    pub(crate) fn forget(&mut self) {
        *self = Names::default();
    }
}

/// Adds readings, each to its series. A second reading of the same second replaces the first.
pub(crate) fn add(transaction: &Transaction<'_>, names: &mut Names, readings: &[Reading]) -> Result<(), StoreError> {
    let mut by_repository = BTreeMap::<&str, Vec<(i64, i64, f64)>>::new();
    for reading in readings.iter().filter(|reading| reading.value.is_finite()) {
        let series = id(transaction, names, reading)?;
        by_repository.entry(&reading.repository).or_default().push((series, reading.at.0, reading.value));
    }
    for (repository, numbers) in by_repository {
        add_to_one(transaction, repository, numbers)?;
    }
    Ok(())
}

fn id(transaction: &Transaction<'_>, names: &mut Names, reading: &Reading) -> Result<i64, StoreError> {
    if let Some(id) = names.get(reading) {
        return Ok(id);
    }
    let name = params![reading.repository, reading.metric, reading.labels];
    let mut find =
        transaction.prepare_cached("SELECT id FROM series WHERE repository = ?1 AND metric = ?2 AND labels = ?3")?;
    let found = find.query_row(name, |row| row.get(0)).optional()?;
    let id = match found {
        Some(id) => id,
        None => {
            let mut put =
                transaction.prepare_cached("INSERT INTO series (repository, metric, labels) VALUES (?1, ?2, ?3)")?;
            put.insert(name)?
        }
    };
    names.put(reading, id);
    Ok(id)
}

fn add_to_one(
    transaction: &Transaction<'_>,
    repository: &str,
    mut numbers: Vec<(i64, i64, f64)>,
) -> Result<(), StoreError> {
    let mut waiting = transaction.prepare_cached("SELECT coalesce(sum(n), 0) FROM log WHERE repository = ?1")?;
    let n_waiting: i64 = waiting.query_row([repository], |row| row.get(0))?;
    let mut ids: Vec<i64> = numbers.iter().map(|(series, ..)| *series).collect();
    ids.sort_unstable();
    ids.dedup();
    if n_waiting as usize + numbers.len() < FOLD_AT * ids.len() {
        let mut write = transaction.prepare_cached("INSERT INTO log (repository, n, packed) VALUES (?1, ?2, ?3)")?;
        write.execute(params![repository, numbers.len() as i64, logged(&numbers)])?;
        return Ok(());
    }
    if 0 < n_waiting {
        let mut before = in_log(transaction, repository)?;
        before.append(&mut numbers);
        numbers = before;
        transaction.prepare_cached("DELETE FROM log WHERE repository = ?1")?.execute([repository])?;
    }
    fold(transaction, numbers)
}

/// Puts numbers, in the order in which they came, into the chunks of their series.
pub(crate) fn fold(transaction: &Transaction<'_>, numbers: Vec<(i64, i64, f64)>) -> Result<(), StoreError> {
    let mut by_series = BTreeMap::<i64, Vec<(i64, f64)>>::new();
    for (series, at, value) in numbers {
        by_series.entry(series).or_default().push((at, value));
    }
    for (series, numbers) in by_series {
        chunk::append(transaction, series, 0, in_order(numbers), replace)?;
    }
    Ok(())
}

/// What was measured later at the same time counts.
pub(crate) fn replace(before: &mut Point, new: &Point) {
    *before = *new;
}

/// Numbers in the order in which they came, as points in order of time.
pub(crate) fn in_order(numbers: Vec<(i64, f64)>) -> Vec<Point> {
    let is_in_order = numbers.is_sorted_by(|a, b| a.0 < b.0);
    let points = numbers.into_iter().map(|(at, value)| Point::number(at, value)).collect();
    if is_in_order { points } else { chunk::in_order(points, replace) }
}

/// The numbers of one series that wait in the log, in the order in which they came.
pub(crate) fn waiting(connection: &Connection, series: i64) -> Result<Vec<(i64, f64)>, StoreError> {
    let mut find = connection.prepare_cached("SELECT repository FROM series WHERE id = ?1")?;
    let repository: Option<String> = find.query_row([series], |row| row.get(0)).optional()?;
    let Some(repository) = repository else { return Ok(Vec::new()) };
    let mut rows = connection.prepare_cached("SELECT packed FROM log WHERE repository = ?1 ORDER BY id")?;
    let mut rows = rows.query([repository])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        numbers.extend(entries(bytes).filter(|(id, ..)| *id == series).map(|(_, at, value)| (at, value)));
    }
    Ok(numbers)
}

fn in_log(connection: &Connection, repository: &str) -> Result<Vec<(i64, i64, f64)>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT packed FROM log WHERE repository = ?1 ORDER BY id")?;
    let mut rows = rows.query([repository])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.extend(entries(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?));
    }
    Ok(numbers)
}

/// Numbers as bytes of the log.
pub(crate) fn logged(numbers: &[(i64, i64, f64)]) -> Vec<u8> {
    let bytes = |(series, at, value): &(i64, i64, f64)| [series.to_le_bytes(), at.to_le_bytes(), value.to_le_bytes()];
    numbers.iter().flat_map(bytes).flatten().collect()
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = (i64, i64, f64)> + '_ {
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    entries.iter().map(|entry| {
        let eight = |from: usize| <[u8; 8]>::try_from(&entry[from..from + 8]).expect("eight bytes of twenty-four");
        (i64::from_le_bytes(eight(0)), i64::from_le_bytes(eight(8)), f64::from_le_bytes(eight(16)))
    })
}
