//! Alignment runs: the events that were reported, and beside them what they amount to.
//!
//! The row of a run is always made from its events, in the same transaction, so that an event which comes twice,
//! late or in another order changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use alignwatch_model::run::{Run, RunEvent, RunId};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{Store, StoreError};

/// Which runs are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct WhichRuns<'a> {
    /// Only of this repository, by its id.
    pub repository: Option<&'a str>,
    /// Only of this workflow.
    pub workflow: Option<&'a str>,
    /// Only those that began before this one.
    pub before: Option<&'a RunId>,
}

/// Bytes of events of [`Recent`] runs that are remembered. Source: ours; in memory they take a few times as much.
const REMEMBERED_AT_MOST: usize = 8 << 20;

/// Bytes of one run up to which it is remembered. Source: ours; 5,000 usual events.
const RUN_AT_MOST: usize = REMEMBERED_AT_MOST / 4;

/// Runs that were written lately, as they are kept, so that what comes next of one is added without reading it again.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    runs: BTreeMap<RunId, Kept>,
    n_bytes: usize,
}

/// A run as it is kept.
#[derive(Debug)]
struct Kept {
    run: Run,
    /// Of all events that came, also those that others took the place of.
    n_bytes: usize,
}

impl Recent {
    /// Takes a run out.
    fn take(&mut self, id: &RunId) -> Option<Kept> {
        let kept = self.runs.remove(id)?;
        self.n_bytes -= kept.n_bytes;
        Some(kept)
    }

    fn put(&mut self, id: &RunId, kept: Kept) {
        if RUN_AT_MOST < kept.n_bytes {
            return;
        }
        self.n_bytes += kept.n_bytes;
        self.runs.insert(id.clone(), kept);
        while REMEMBERED_AT_MOST < self.n_bytes {
            // Ids begin with the time at which the run did.
            let oldest = self.runs.pop_first();
            self.n_bytes -= oldest.map_or(0, |(_, kept)| kept.n_bytes);
        }
    }

    /// Forgets all: after a transaction that was not kept, and when rows went, it is not what is kept.
    pub(crate) fn forget(&mut self) {
        *self = Recent::default();
    }
}

/// Adds events, and makes the rows of their runs anew.
pub(crate) fn add(transaction: &Transaction<'_>, recent: &mut Recent, events: &[RunEvent]) -> Result<(), StoreError> {
    let mut by_run = BTreeMap::<&RunId, Vec<&RunEvent>>::new();
    for event in events {
        by_run.entry(&event.run).or_default().push(event);
    }
    for (id, new) in by_run {
        let mut kept = match recent.take(id) {
            Some(kept) => kept,
            None => as_kept(transaction, id)?,
        };
        add_to_one(transaction, id, &mut kept, &new)?;
        recent.put(id, kept);
    }
    Ok(())
}

/// Adds events to a run, in memory and in the file. Of its heartbeats, the last is kept.
fn add_to_one(
    transaction: &Transaction<'_>,
    id: &RunId,
    Kept { run, n_bytes }: &mut Kept,
    new: &[&RunEvent],
) -> Result<(), StoreError> {
    let is_new = |run: &Run, event: &RunEvent| run.event(&event.id).is_none();
    let first_heard: BTreeSet<&str> =
        new.iter().filter(|event| is_new(run, event)).map(|event| event.id.as_str()).collect();
    let changed: Vec<&&RunEvent> = new.iter().filter(|event| run.apply((**event).clone())).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let gone = run.keep_last_heartbeat();
    let mut remove = transaction.prepare_cached("DELETE FROM event WHERE run = ?1 AND id = ?2")?;
    for gone in gone.iter().filter(|gone| !first_heard.contains(gone.as_str())) {
        remove.execute([id.as_str(), gone])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO event (run, id, at, is_heartbeat, document) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for event in changed.into_iter().filter_map(|event| run.event(&event.id)) {
        let document = event.json();
        *n_bytes += document.len();
        put.execute(params![id.as_str(), event.id, event.at.0, event.is_heartbeat(), document])?;
    }
    sum_up(transaction, id, run)
}

/// What indices hold is written only where it is another than before.
fn sum_up(transaction: &Transaction<'_>, id: &RunId, run: &Run) -> Result<(), StoreError> {
    let Some(document) = run.document() else { return Ok(()) };
    let started = document.started.clone().unwrap_or_default();
    let (repository, path) = (started.repository_id.unwrap_or_default(), started.repository.unwrap_or_default());
    let row = params![
        id.as_str(),
        started.workflow,
        repository,
        path,
        document.began_at.unwrap_or_default().0,
        document.heard_at.unwrap_or_default().0,
        document.outcome.map(|outcome| outcome.word()),
        serde_json::to_string(&document)?,
    ];
    let n_changed = transaction
        .prepare_cached(
            "UPDATE run SET began_at = ?5, heard_at = ?6, outcome = ?7, document = ?8
             WHERE id = ?1 AND workflow = ?2 AND repository = ?3 AND path = ?4",
        )?
        .execute(row)?;
    if n_changed == 0 {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO run (id, workflow, repository, path, began_at, heard_at, outcome, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(row)?;
    }
    Ok(())
}

fn as_kept(connection: &rusqlite::Connection, id: &RunId) -> Result<Kept, StoreError> {
    let mut rows = connection.prepare_cached("SELECT document FROM event WHERE run = ?1")?;
    let texts = rows.query_map([id.as_str()], |row| row.get::<_, String>(0))?;
    let mut kept = Kept { run: Run::default(), n_bytes: 0 };
    for text in texts {
        let text = text?;
        kept.n_bytes += text.len();
        kept.run.apply(serde_json::from_str(&text)?);
    }
    Ok(kept)
}

impl Store {
    /// A run with all its events; `None` when nothing was reported of it.
    pub fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let run = as_kept(&self.connection, id)?.run;
        Ok((0 < run.n_events()).then_some(run))
    }

    /// How many events are kept of a run.
    pub fn n_events(&self, id: &RunId) -> Result<u64, StoreError> {
        let mut row = self.connection.prepare_cached("SELECT count(*) FROM event WHERE run = ?1")?;
        let count: Option<i64> = row.query_row([id.as_str()], |row| row.get(0)).optional()?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// The documents of runs (JSON, schema `alignwatch.run/1`), the newest first.
    pub fn runs(&self, which: WhichRuns<'_>, at_most: usize) -> Result<Vec<String>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT document FROM run
             WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR workflow = ?2) AND (?3 IS NULL OR id < ?3)
             ORDER BY id DESC LIMIT ?4",
        )?;
        let before = which.before.map(RunId::as_str);
        let rows =
            rows.query_map(params![which.repository, which.workflow, before, at_most as i64], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
