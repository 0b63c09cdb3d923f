//! What is old takes less room: rolled up to spans of five minutes, an hour, a day, and dropped in the end.
//!
//! The work is done a little at a time ([`Store::tend`]), so that a commit never waits for more than one small
//! step. What goes first, when the file is larger than it may be: the oldest numbers as they were measured, then the
//! oldest of five minutes, then of hours, then of days, then findings that are over, then runs. What never goes: findings that
//! last, what was seen of a repository, and the numbers of the last day.

use alignwatch_model::{Span, Timestamp, config::Retention};
use rusqlite::{Transaction, TransactionBehavior, params};

use crate::{
    Point, Store, StoreError,
    chunk::{self, WIDTHS},
    point::Spans,
    records,
};

/// Chunks that one step rolls up. Source: measured; a step takes some hundredths of a second.
const CHUNKS_A_STEP: usize = 32;

/// Findings, and runs, that one step drops. Source: ours.
const ROWS_A_STEP: i64 = 200;

/// Free pages that one step gives back to the file system: 1 MiB. Source: ours; some hundredths of a second.
const PAGES_A_STEP: i64 = 256;

/// Numbers that stay however large the file is. Source: ours; what happened since yesterday is what people look for.
const NEWEST: Span = Span::days(1);

/// What a step of tending did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tended {
    /// There is more to do.
    Some,
    /// Nothing is left to do.
    All,
    /// The file is larger than it may be, and nothing that is left may go.
    StillTooLarge {
        /// What it takes, without free pages.
        size_bytes: u64,
    },
}

impl Store {
    /// Makes one small step towards what `retention` wants. To be called again until there is nothing left.
    ///
    /// Errors: [`StoreError`]; then this step did nothing.
    pub fn tend(&mut self, retention: &Retention, now: Timestamp) -> Result<Tended, StoreError> {
        let size_bytes = self.used_bytes()?;
        let is_too_large = retention.size < size_bytes;
        // Some of them may go.
        self.recent.forget();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut n_done = drop_findings(&transaction, now.0.saturating_sub(retention.findings.0))?;
        n_done += drop_runs(&transaction, now.0.saturating_sub(retention.runs.0))?;
        n_done += records::drop_old(&transaction, now.0.saturating_sub(retention.findings.0), ROWS_A_STEP)?;
        for (level, keep) in keeps(retention).into_iter().enumerate() {
            n_done += shrink(&transaction, level, now.0.saturating_sub(keep.0), CHUNKS_A_STEP.saturating_sub(n_done))?;
        }
        if is_too_large && n_done == 0 {
            n_done = make_room(&transaction, now)?;
        }
        transaction.commit()?;
        let n_freed = self.give_back()?;
        Ok(match (n_done + n_freed, is_too_large) {
            (0, true) => Tended::StillTooLarge { size_bytes },
            (0, false) => Tended::All,
            _ => Tended::Some,
        })
    }

    /// Bytes of the file that hold something.
    pub fn used_bytes(&self) -> Result<u64, StoreError> {
        let number = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let pages = number("page_count")? - number("freelist_count")?;
        Ok((pages.max(0) * number("page_size")?).unsigned_abs())
    }

    /// Gives free pages at the end of the file back, and says how many.
    fn give_back(&self) -> Result<usize, StoreError> {
        let free = || self.connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
        let before = free()?;
        if before == 0 {
            return Ok(0);
        }
        let mut vacuum = self.connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(before.saturating_sub(free()?).max(0).unsigned_abs() as usize)
    }
}

/// How long each level is kept.
fn keeps(retention: &Retention) -> [Span; WIDTHS.len()] {
    [retention.raw, retention.by_five_minutes, retention.by_hour, retention.by_day]
}

fn drop_findings(transaction: &Transaction<'_>, ended_before: i64) -> Result<usize, StoreError> {
    let mut drop = transaction.prepare_cached(
        "DELETE FROM finding WHERE (repository, key, began_at) IN (
            SELECT repository, key, began_at FROM finding WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
    )?;
    Ok(drop.execute(params![ended_before, ROWS_A_STEP])?)
}

/// Drops runs of which nothing was heard since a time, with their events.
fn drop_runs(transaction: &Transaction<'_>, heard_before: i64) -> Result<usize, StoreError> {
    let mut oldest = transaction.prepare_cached("SELECT id FROM run WHERE heard_at < ?1 ORDER BY heard_at LIMIT ?2")?;
    let rows = oldest.query_map(params![heard_before.saturating_mul(1000), ROWS_A_STEP], |row| row.get(0))?;
    let ids: Vec<String> = rows.collect::<Result<_, _>>()?;
    for id in &ids {
        transaction.prepare_cached("DELETE FROM event WHERE run = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id])?;
    }
    Ok(ids.len())
}

/// Makes room by what is not old enough to go by itself: the first that there is.
fn make_room(transaction: &Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let before = now.0.saturating_sub(NEWEST.0);
    for level in 0..WIDTHS.len() {
        let n_done = shrink(transaction, level, before, CHUNKS_A_STEP)?;
        if n_done != 0 {
            return Ok(n_done);
        }
    }
    let n_done = drop_findings(transaction, before)? + records::drop_old(transaction, before, ROWS_A_STEP)?;
    if n_done != 0 { Ok(n_done) } else { drop_runs(transaction, before) }
}

/// Rolls chunks of a level up that end before a time, the oldest first; those of days are dropped.
fn shrink(transaction: &Transaction<'_>, level: usize, before: i64, at_most: usize) -> Result<usize, StoreError> {
    let mut oldest = transaction
        .prepare_cached("SELECT id, series FROM chunk WHERE level = ?1 AND to_at < ?2 ORDER BY to_at LIMIT ?3")?;
    let rows = oldest.query_map(params![level as i64, before, at_most as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    for &(id, series) in &rows {
        if let Some(width) = WIDTHS.get(level + 1) {
            let mut spans = Spans::new(0, *width);
            chunk::columns(transaction, id)?.points().for_each(|point| spans.add(point));
            chunk::append(transaction, series, level + 1, spans.finish(), Point::take_in)?;
        }
        chunk::remove(transaction, id)?;
    }
    Ok(rows.len())
}
