//! `temporary-files`: files that a git made for a while and left go into the quarantine.

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Known, Look, Span,
    facts::storage::Litterer,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Moves left-over temporary files aside.
pub(super) static TASK: Task = Task {
    id: "temporary-files",
    title: "Move files aside that a git made for a while and left",
    why: "A git that is killed leaves half-written packs; some are as large as the repository. They are moved, never removed, until the quarantine is cleared.",
    guard: Guard::Derived,
    uses: &[],
    looks: &[Look::Locks, Look::Storage],
    usual: "1d",
    opt_in: None,
    undo: "`alignwatch task undo ID` moves them back",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

/// Up to this age somebody may still write it. Source: Gitaly, which removes them then.
const YOUNG: Span = Span::hours(24);

const N: &str = "old temporary files";

fn old<'a>(seen: &Seen<'a>) -> Result<Vec<&'a Litterer>, &'a str> {
    let storage = numbers::storage(seen)?;
    let litter = match &storage.temporary {
        Known::Seen(litter) => litter,
        Known::Unknown(reason) => return Err(reason),
    };
    let is_old = |file: &&Litterer| {
        let at = file.modified_at.seen();
        file.is_temporary && !file.is_folder && at.is_some_and(|at| YOUNG < seen.now.since(*at))
    };
    Ok(litter.named.iter().filter(is_old).collect())
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let old = old(seen);
    let bytes = old.as_ref().map(|files| files.iter().map(|file| file.bytes).sum()).map_err(|reason| *reason);
    vec![
        numbers::measure(N, old.map(|files| files.len() as u64), "files"),
        numbers::measure("size of old temporary files", bytes, "bytes"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(N, 1, "Gitaly: temporary files older than 24 h");
    let old = old(seen).unwrap_or_default();
    let draft =
        old.iter().fold(draft, |draft, file| draft.step(format!("move objects/{} aside", file.path))).costs(1, 0);
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{} are older than {YOUNG}", words::count(old.len(), "file"))),
        Ok(false) => draft.rest("no temporary file is old"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let objects =
        work.git.opened().objects_dir.strip_prefix(&work.git.opened().common_dir).ok().and_then(|path| path.to_str());
    let objects = objects.ok_or("the objects lie outside of the Git directory")?;
    let moved = old(&work.seen)?.iter().map(|file| format!("{objects}/{}", file.path)).collect();
    Ok(Undo { quarantine: format!("quarantine/{}", work.id), moved, ..Undo::default() })
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    work.undo.move_aside(&work.git.opened().common_dir).map(drop)
}
