//! `reflog-expiry`: old entries of reflogs go, by git's own ages.

use std::{fs, path::Path};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Known, Look, Span, Timestamp,
    task::{Measure, Plan},
};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Expires reflogs.
pub(super) static TASK: Task = Task {
    id: "reflog-expiry",
    title: "Take old entries out of reflogs",
    why: "Each entry keeps what it names, and each count of objects walks it. Git's own ages count: 90 days, and 30 for what no branch reaches.",
    guard: Guard::Changes,
    looks: &[Look::Locks, Look::Storage],
    usual: "7d",
    opt_in: None,
    undo: "`alignwatch task undo ID`: the entries are there again",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const OLD: &str = "entries older than 90 days";
const BYTES: &str = "size of reflogs";

/// Source: git-config(1), `gc.reflogExpire`.
const AGE: Span = Span::days(90);

/// From so many on. Source: git, `maintenance.reflog-expire.auto`.
const ENTRIES: i64 = 100;

/// Bytes of all reflogs that are read and kept. Source: ours; a million moves.
const BYTES_AT_MOST: u64 = 256 << 20;

/// Reflogs below the Git directory, of the repository and of its linked worktrees.
fn logs(common_dir: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut open = vec![common_dir.join("logs")];
    let linked = fs::read_dir(common_dir.join("worktrees")).into_iter().flatten().flatten();
    open.extend(linked.map(|entry| entry.path().join("logs")));
    let mut left = BYTES_AT_MOST;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let about =
                entry.metadata().map_err(|error| format!("cannot look at `{}`: {error}", entry.path().display()))?;
            if about.is_dir() {
                open.push(entry.path());
            } else if about.is_file() {
                left = left.checked_sub(about.len()).ok_or("the reflogs are too large to be kept")?;
                let path = entry.path();
                let below = path
                    .strip_prefix(common_dir)
                    .ok()
                    .and_then(Path::to_str)
                    .ok_or("the name of a reflog is no text")?;
                found.push(below.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn n_old(seen: &Seen<'_>) -> Result<u64, String> {
    let mut n = 0;
    for log in logs(&seen.opened.common_dir)? {
        let text =
            fs::read(seen.opened.common_dir.join(&log)).map_err(|error| format!("cannot read `{log}`: {error}"))?;
        let is_old = |at: Timestamp| AGE < seen.now.since(at);
        n += text
            .split(|&byte| byte == b'\n')
            .filter_map(alignwatch_git::tend::entry_at)
            .filter(|at| is_old(*at))
            .count() as u64;
    }
    Ok(n)
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let bytes = numbers::storage(seen).and_then(|storage| match &storage.reflogs {
        Known::Seen(records) => Ok(records.bytes),
        Known::Unknown(reason) => Err(reason.as_str()),
    });
    vec![Measure::known(OLD, Known::from_result(n_old(seen)), "entries"), numbers::measure(BYTES, bytes, "bytes")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    if seen.snapshot.repository.ref_backend != "files" {
        return draft.refuse("reflogs are in tables here, which could not be brought back exactly");
    }
    let many = draft.reaches(OLD, ENTRIES, "git: maintenance.reflog-expire.auto");
    let draft = draft.step("git reflog expire --all --expire=90.days --expire-unreachable=30.days").costs(5, 0);
    match many {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act("there are many old entries"),
        Ok(false) => draft.rest("there are few old entries"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let mut undo = Undo { quarantine: format!("quarantine/{}", work.id), ..Undo::default() };
    let common_dir = &work.git.opened().common_dir;
    undo.copy(common_dir, &logs(common_dir)?)?;
    Ok(undo)
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let call = work.git.command("reflog").option("expire").option("--all").option("--expire=90.days.ago");
    call.option("--expire-unreachable=30.days.ago").run().map(drop).map_err(|error| error.to_string())
}
