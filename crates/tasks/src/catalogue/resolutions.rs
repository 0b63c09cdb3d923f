//! `resolutions`: remembered resolutions of conflicts that nobody used for long go into the quarantine.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Look, Span, Timestamp,
    task::{Measure, Plan},
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Moves old resolutions aside.
pub(super) static TASK: Task = Task {
    id: "resolutions",
    title: "Move remembered resolutions aside that nobody used for long",
    why: "`rr-cache` grows with every conflict. Git's own ages count: 60 days for a resolution, 15 for a conflict that was never resolved.",
    guard: Guard::Derived,
    uses: &[],
    looks: &[Look::Locks],
    usual: "7d",
    opt_in: None,
    undo: "`alignwatch task undo ID` moves them back",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const OLD: &str = "old resolutions";

/// Source: git-rerere(1), `gc.rerereResolved`.
const RESOLVED: Span = Span::days(60);

/// Source: git-rerere(1), `gc.rerereUnresolved`.
const UNRESOLVED: Span = Span::days(15);

/// From so many on. Source: ours; git's weekly task asks for one.
const MANY: i64 = 10;

/// Resolutions of one run. Source: ours.
const AT_MOST: usize = 10_000;

/// Files of old resolutions, below the Git directory, and how many resolutions they are.
fn old(common_dir: &Path, now: Timestamp) -> (Vec<String>, usize) {
    let (mut files, mut n) = (Vec::new(), 0);
    for folder in fs::read_dir(common_dir.join("rr-cache")).into_iter().flatten().flatten().take(AT_MOST) {
        let inside: Vec<_> = fs::read_dir(folder.path()).into_iter().flatten().flatten().collect();
        let is_resolved = inside.iter().any(|entry| entry.file_name().to_string_lossy().starts_with("postimage"));
        let newest = inside.iter().filter_map(|entry| entry.metadata().ok()).map(|about| about.mtime()).max();
        let limit = if is_resolved { RESOLVED } else { UNRESOLVED };
        if newest.is_some_and(|at| limit < now.since(Timestamp(at))) {
            n += 1;
            let below = inside
                .iter()
                .filter_map(|entry| Some(entry.path().strip_prefix(common_dir).ok()?.to_str()?.to_owned()));
            files.extend(below);
        }
    }
    files.sort();
    (files, n)
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![Measure::of(OLD, old(&seen.opened.common_dir, seen.now).1 as i64, "resolutions")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let many = draft.reaches(OLD, MANY, "git-rerere(1): 60 days, 15 days where it was never resolved");
    let (files, n) = old(&seen.opened.common_dir, seen.now);
    let told = words::count(n, "resolution");
    let draft = draft.step(format!("move {told} aside ({})", words::count(files.len(), "file"))).costs(1, 0);
    match many {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("nobody used {told} for long")),
        Ok(false) => draft.rest(format!("{told} are old")),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let moved = old(&work.git.opened().common_dir, work.seen.now).0;
    Ok(Undo { quarantine: format!("quarantine/{}", work.id), moved, ..Undo::default() })
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    work.undo.move_aside(&work.git.opened().common_dir)?;
    for folder in fs::read_dir(work.git.opened().common_dir.join("rr-cache")).into_iter().flatten().flatten() {
        // Only empty ones go.
        let _ = fs::remove_dir(folder.path());
    }
    Ok(())
}
