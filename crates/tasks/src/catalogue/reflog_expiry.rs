//! `reflog-expiry`: old entries of reflogs go, by git's own ages; commits that only they knew get a name before.

use std::{fs, path::Path};

use alignwatch_git::tend::{RefUndo, Undo, only_in_old_entries};
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
    why: "Each entry keeps what it names, and each count of objects walks it. Git's own ages count: 90 days, and 30 for what no branch reaches. Commits that only such entries knew stay under refs/archive/, until `archive-expiry` finds them in a proven backup.",
    guard: Guard::Changes,
    uses: &[],
    looks: &[Look::Locks, Look::Storage],
    usual: "7d",
    opt_in: None,
    undo: "`alignwatch task undo ID`: the entries are there again, and all that they name",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const OLD: &str = "entries older than 90 days";
const BYTES: &str = "size of reflogs";

/// Source: git-config(1), `gc.reflogExpire`.
const AGE: Span = Span::days(90);

/// Source: git-config(1), `gc.reflogExpireUnreachable`: younger entries stay, whatever they name.
const AGE_UNREACHABLE: Span = Span::days(30);

/// Commits that one run gives a name. Source: ours; more is no litter but somebody's way of work.
const NAMED_AT_MOST: usize = 10_000;

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

/// The reflog that stashes are in. Git never shortens it, unless somebody asks for that by name.
const STASHES: &str = "logs/refs/stash";

/// Does the repository itself say when entries go?
fn has_own_ages(seen: &Seen<'_>) -> bool {
    let is_age = |key: &[u8]| {
        key.starts_with(b"gc.") && (key.ends_with(b"reflogexpire") || key.ends_with(b"reflogexpireunreachable"))
    };
    seen.opened.includes_files() || seen.opened.settings().iter().any(|entry| is_age(&entry.key))
}

fn n_old(seen: &Seen<'_>) -> Result<u64, String> {
    let mut n = 0;
    for log in logs(&seen.opened.common_dir)?.into_iter().filter(|log| log != STASHES) {
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
    // Each reflog is copied before it is touched.
    let bytes = draft.input(BYTES).value.unwrap_or(0).unsigned_abs();
    let many = draft.reaches(OLD, ENTRIES, "git: maintenance.reflog-expire.auto");
    let draft = draft
        .step("name under refs/archive/ what only old entries know")
        .step("git reflog expire --all")
        .costs(5, bytes);
    match many {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act("there are many old entries"),
        Ok(false) => draft.rest("there are few old entries"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let mut undo = Undo { quarantine: format!("quarantine/{}", work.id), ..Undo::default() };
    let common_dir = &work.git.opened().common_dir;
    let logs = logs(common_dir)?;
    // Where somebody chose other ages, any entry may go, also a stash.
    let is_ours = !has_own_ages(&work.seen);
    let before = if is_ours { Timestamp(work.seen.now.0 - AGE_UNREACHABLE.0) } else { Timestamp(i64::MAX) };
    let known = only_in_old_entries(work.git, &logs, before, |log| is_ours && log == STASHES)?;
    if NAMED_AT_MOST < known.len() {
        return Err(format!("{} commits are known to old entries only, and {NAMED_AT_MOST} are the most", known.len()));
    }
    let named = known.into_iter().map(|id| RefUndo {
        name: format!("refs/archive/{}/reflogs/{id}", work.id),
        before: None,
        after: Some(id),
    });
    undo.refs.extend(named);
    undo.copy(common_dir, &logs)?;
    Ok(undo)
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let commands = work.undo.transaction(false)?;
    if !commands.is_empty() {
        let call = work.git.command("update-ref").option("--stdin").option("-z").input(commands);
        call.run().map_err(|error| format!("nothing was taken out: {error}"))?;
    }
    // Without ages, so that those of the repository count, and stashes stay: `--expire` would drop old ones (seen).
    let call = work.git.command("reflog").option("expire").option("--all");
    call.run().map(drop).map_err(|error| error.to_string())
}
