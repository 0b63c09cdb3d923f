//! Alignment runs: the events that were reported, and beside them what they amount to.
//!
//! The row of a run is always made from its events, in the same transaction, so that an event which comes twice,
//! late or in another order changes nothing.

use std::collections::BTreeSet;

use alignwatch_model::run::{Happened, Run, RunEvent, RunId};
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

/// Adds events, and makes the rows of their runs anew.
pub(crate) fn add(transaction: &Transaction<'_>, events: &[RunEvent]) -> Result<(), StoreError> {
    for event in events {
        put(transaction, event)?;
    }
    let runs: BTreeSet<&RunId> = events.iter().map(|event| &event.run).collect();
    let beating: BTreeSet<&RunId> = events.iter().filter(|event| is_heartbeat(event)).map(|event| &event.run).collect();
    for run in beating {
        only_last_heartbeat(transaction, run)?;
    }
    for run in runs {
        sum_up(transaction, run)?;
    }
    Ok(())
}

/// Of two events with one id the same one stays, whichever came first: as [`Run::apply`] has it.
fn put(transaction: &Transaction<'_>, event: &RunEvent) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO event (run, id, at, is_heartbeat, document) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET at = ?3, is_heartbeat = ?4, document = ?5 WHERE ?5 < document",
        )?
        .execute(params![event.run.as_str(), event.id, event.at.0, is_heartbeat(event), event.json()])?;
    Ok(())
}

fn is_heartbeat(event: &RunEvent) -> bool {
    matches!(event.what, Happened::Heartbeat {})
}

fn only_last_heartbeat(transaction: &Transaction<'_>, run: &RunId) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "DELETE FROM event WHERE run = ?1 AND is_heartbeat AND id <> (
                SELECT id FROM event WHERE run = ?1 AND is_heartbeat ORDER BY at DESC, id DESC LIMIT 1)",
        )?
        .execute([run.as_str()])?;
    Ok(())
}

/// What indices hold is written only where it is another than before.
fn sum_up(transaction: &Transaction<'_>, id: &RunId) -> Result<(), StoreError> {
    let run = Run::of(events(transaction, id)?);
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

fn events(connection: &rusqlite::Connection, id: &RunId) -> Result<Vec<RunEvent>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT document FROM event WHERE run = ?1")?;
    let texts = rows.query_map([id.as_str()], |row| row.get::<_, String>(0))?;
    texts.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
}

impl Store {
    /// A run with all its events; `None` when nothing was reported of it.
    pub fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let events = events(&self.connection, id)?;
        Ok((!events.is_empty()).then(|| Run::of(events)))
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
