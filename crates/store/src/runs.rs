//! Alignment runs: the events that were reported, and beside them what they amount to.
//!
//! The row of a run is always made from its events, in the same transaction, so that an event which comes twice,
//! late or in another order changes nothing.

use std::collections::BTreeMap;

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
    let mut runs: BTreeMap<&RunId, Vec<&RunEvent>> = BTreeMap::new();
    for event in events {
        runs.entry(&event.run).or_default().push(event);
    }
    for (run, new) in runs {
        if new.iter().any(|event| is_heartbeat(event)) {
            only_last_heartbeat(transaction, run)?;
        }
        sum_up(transaction, run, new.iter().any(|event| is_start(event)))?;
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

fn is_start(event: &RunEvent) -> bool {
    matches!(event.what, Happened::Started(_))
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

/// `is_new_start` = what the row says of how the run began may be another now.
fn sum_up(transaction: &Transaction<'_>, id: &RunId, is_new_start: bool) -> Result<(), StoreError> {
    let run = Run::of(events(transaction, id)?);
    let Some(document) = run.document() else { return Ok(()) };
    if !is_new_start {
        let text = serde_json::to_string(&document)?;
        let outcome = document.outcome.map(|outcome| outcome.word());
        let (began, heard) = (document.began_at.unwrap_or_default().0, document.heard_at.unwrap_or_default().0);
        // What an index holds is left alone.
        let n_changed = transaction
            .prepare_cached("UPDATE run SET began_at = ?2, heard_at = ?3, outcome = ?4, document = ?5 WHERE id = ?1")?
            .execute(params![id.as_str(), began, heard, outcome, text])?;
        if 0 < n_changed {
            return Ok(());
        }
    }
    let started = document.started.clone().unwrap_or_default();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO run (id, workflow, repository, path, began_at, heard_at, outcome, document)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id.as_str(),
            started.workflow,
            started.repository_id.unwrap_or_default(),
            started.repository.unwrap_or_default(),
            document.began_at.unwrap_or_default().0,
            document.heard_at.unwrap_or_default().0,
            document.outcome.map(|outcome| outcome.word()),
            serde_json::to_string(&document)?,
        ])?;
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
