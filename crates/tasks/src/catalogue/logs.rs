//! `logs`: what alignwatch writes down of its own doing stays small.

use std::fs;

use alignwatch_model::{
    Known,
    task::{Measure, Plan},
};

use super::backup::shelf;
use crate::{
    journal::{Journal, LARGE, OLD_FILE_NAME},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Shortens the journal of tasks and the notes about backups.
pub(super) static TASK: Task = Task {
    id: "logs",
    title: "Shorten the journal of tasks and the notes about backups",
    why: "Both are read at each turn. What takes a run back stays, as do the newest runs, all that is not over, and what was found of backups that are there. What goes out of the journal lies beside it once more.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[],
    usual: "1d",
    opt_in: None,
    undo: "not needed: what was taken out of the journal lies in `tasks.old.jsonl` until the next time",
    measure,
    plan,
    prepare: None,
    perform,
};

const BYTES: &str = "size of the journal";
const NOTES: &str = "notes about backups that are gone";

/// From so many on. Source: ours; a month of hourly backups.
const NOTES_AT_MOST: i64 = 720;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let journal = Journal::of(seen.data_dir).size_bytes().map_err(|error| error.to_string());
    let notes = shelf(seen).and_then(|shelf| shelf.n_stray_notes().map_err(|error| error.to_string()));
    vec![
        Measure::known(BYTES, Known::from_result(journal), "bytes"),
        Measure::known(NOTES, Known::from_result(notes.map(|n| n as u64)), "notes"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let large = draft.reaches(BYTES, i64::try_from(LARGE).unwrap_or(i64::MAX), "alignwatch: about 5,000 runs");
    let stray = draft.reaches(NOTES, NOTES_AT_MOST, "alignwatch: a month of hourly backups");
    let bytes = draft.input(BYTES).value.unwrap_or(0).unsigned_abs();
    let draft = draft
        .step(format!("take out of the journal what nobody needs, and keep all of it once more as {OLD_FILE_NAME}"))
        .step("take out notes about backups that are gone")
        .costs(1, 2 * bytes)
        .writes_in(seen.data_dir);
    match (large, stray) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(false), Ok(false)) => draft.rest("both are small"),
        (Ok(true), _) => draft.act("the journal is large"),
        (_, Ok(true)) => draft.act("there are many notes about backups that are gone"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let journal = Journal::of(work.seen.data_dir);
    let kept = journal.keep_small(work.seen.config.cleanup.archive_for, work.seen.now);
    kept.map_err(|error| error.to_string())?;
    let shelf = shelf(&work.seen)?;
    if fs::exists(shelf.folder()).unwrap_or(false) {
        shelf.forget_strays().map_err(|error| error.to_string())?;
    }
    Ok(())
}
