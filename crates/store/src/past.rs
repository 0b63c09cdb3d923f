//! What the history of a repository tells of the time before it was watched.

use std::collections::{HashMap, HashSet};

use alignwatch_model::record::Reading;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    StoreError,
    series::{self, Names},
};

/// Keeps what no series has yet: it may be told again after each start, and must not be kept twice.
pub(crate) fn add(transaction: &Transaction<'_>, names: &mut Names, past: &[Reading]) -> Result<(), StoreError> {
    let mut is_there =
        transaction.prepare_cached("SELECT 1 FROM series WHERE repository = ?1 AND metric = ?2 AND labels = ?3")?;
    let mut known = HashMap::new();
    let keys: HashSet<_> = past.iter().map(key).collect();
    for (repository, metric, labels) in keys {
        let found = is_there.query_row(params![repository, metric, labels], |_| Ok(())).optional()?;
        known.insert((repository, metric, labels), found.is_some());
    }
    let new: Vec<Reading> = past.iter().filter(|reading| !known[&key(reading)]).cloned().collect();
    series::add(transaction, names, &new)
}

fn key(reading: &Reading) -> (&str, &str, &str) {
    (&reading.repository, reading.metric, &reading.labels)
}
