//! `backup-retention`: old backups go; of the last days, weeks and months some stay.

use alignwatch_model::{
    task::{Measure, Plan, retention::may_go},
    words,
};

use super::backup::{kept, shelf};
use crate::{
    backup::Kept,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Takes old backups away.
pub(super) static TASK: Task = Task {
    id: "backup-retention",
    title: "Take old backups away: grandfather, father, son",
    why: "Backups fill disks. The newest that was restored and compared stays, all after it, and what they need.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[],
    usual: "1d",
    opt_in: None,
    undo: "none: only backups go that are older than a proven one and that no kept one needs",
    measure,
    plan,
    prepare: None,
    perform,
};

fn old(seen: &Seen<'_>, kept: &[Kept]) -> Vec<String> {
    let aged: Vec<_> = kept.iter().map(Kept::aged).collect();
    may_go(&aged, seen.config.backup.spans())
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    match kept(seen) {
        Ok(kept) => {
            let bytes: u64 = kept.iter().map(|kept| kept.size_bytes).sum();
            let n = old(seen, &kept).len();
            vec![
                Measure::of("backups that may go", n as i64, "backups"),
                Measure::of("size of all backups", i64::try_from(bytes).unwrap_or(i64::MAX), "bytes"),
            ]
        }
        Err(reason) => vec![Measure::unknown("backups that may go", "backups", &reason)],
    }
}

fn plan(seen: &Seen<'_>, draft: Draft) -> Plan {
    let kept = match kept(seen) {
        Ok(kept) => kept,
        Err(reason) => return draft.refuse(reason),
    };
    // A manifest that can't be read may be the one that others need.
    if let Some(damaged) = kept.iter().find(|kept| kept.manifest.is_err()) {
        return draft.refuse(format!("`{}` is damaged: look at it first", damaged.name));
    }
    let old = old(seen, &kept);
    let draft = old.iter().fold(draft, |draft, name| draft.step(format!("remove `{name}`"))).costs(1, 0);
    match old.len() {
        0 => draft.rest(format!("all {} stay", words::count(kept.len(), "backup"))),
        n => draft.act(format!("{} of {} may go", n, words::count(kept.len(), "backup"))),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let shelf = shelf(&work.seen)?;
    let kept = shelf.list().map_err(|error| error.to_string())?;
    for name in old(&work.seen, &kept) {
        work.may_go_on()?;
        shelf.remove(&name).map_err(|error| error.to_string())?;
    }
    Ok(())
}
