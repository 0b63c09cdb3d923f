//! `gc-log`: the note that stopped git's own upkeep goes into the quarantine.

use std::{fs, os::unix::fs::MetadataExt};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Look, Timestamp,
    task::{Measure, Plan},
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Moves an old `gc.log` aside.
pub(super) static TASK: Task = Task {
    id: "gc-log",
    title: "Move the note aside that stopped git's own upkeep",
    why: "While `gc.log` is there, git's automatic upkeep does nothing. After a day git itself passes over it; the file stays and misleads.",
    guard: Guard::Derived,
    uses: &[],
    looks: &[Look::Locks],
    usual: "1d",
    opt_in: None,
    undo: "`alignwatch task undo ID` moves it back",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const AGE: &str = "days since gc.log was written";

/// Source: git-config(1), `gc.logExpiry`.
const DAYS: i64 = 1;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let about = fs::symlink_metadata(seen.opened.common_dir.join("gc.log")).ok().filter(|about| about.is_file());
    // One that is not there is as young as any.
    let days = about.map_or(0, |about| seen.now.since(Timestamp(about.mtime())).whole_days());
    vec![Measure::of(AGE, days, "days")]
}

fn plan(_: &Seen<'_>, mut draft: Draft) -> Plan {
    let old = draft.reaches(AGE, DAYS, "git: gc.logExpiry");
    let draft = draft.step("move gc.log aside").costs(1, 0);
    match old {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act("it is old"),
        Ok(false) => draft.rest("there is none, or a young one whose cause should be mended"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    Ok(Undo { quarantine: format!("quarantine/{}", work.id), moved: vec!["gc.log".to_owned()], ..Undo::default() })
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    work.undo.move_aside(&work.git.opened().common_dir).map(drop)
}
