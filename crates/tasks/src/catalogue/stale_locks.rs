//! `stale-locks`: locks that nobody holds go into the quarantine.

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Known, Look,
    snapshot::{Lock, LockVerdict},
    task::{Measure, Plan},
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Moves stale locks aside.
pub(super) static TASK: Task = Task {
    id: "stale-locks",
    title: "Move locks aside that nobody holds",
    why: "One left-over lock makes git's own upkeep do nothing and say that all is well. A lock counts as left over only when no process works here, it is older than its kind gets, and it did not change between two looks.",
    guard: Guard::Locks,
    uses: &[],
    looks: &[Look::Locks],
    usual: "1h",
    opt_in: None,
    undo: "`alignwatch task undo ID` moves them back",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const STALE: &str = "locks that nobody holds";

fn stale<'a>(seen: &Seen<'a>) -> Result<Vec<&'a Lock>, &'a str> {
    match &seen.snapshot.locks {
        Known::Seen(locks) => Ok(locks.iter().filter(|lock| lock.verdict == LockVerdict::Stale).collect()),
        Known::Unknown(reason) => Err(reason),
    }
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![crate::numbers::measure(STALE, stale(seen).map(|locks| locks.len() as u64), "locks")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(STALE, 1, "ours and Gitaly's ages, by the kind of lock");
    let stale = stale(seen).unwrap_or_default();
    let draft = stale
        .iter()
        .fold(draft, |draft, lock| draft.step(format!("move {} aside: {}", lock.path, lock.because)))
        .costs(1, 0);
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("nobody holds {}", words::count(stale.len(), "lock"))),
        Ok(false) => draft.rest("no lock is left over"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let moved = stale(&work.seen)?.iter().map(|lock| lock.path.clone()).collect();
    Ok(Undo { quarantine: format!("quarantine/{}", work.id), moved, ..Undo::default() })
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    work.undo.move_aside(&work.git.opened().common_dir).map(drop)
}
