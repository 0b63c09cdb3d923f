//! `restore-drill`: the newest backup is restored into a scratch place and compared.

use alignwatch_model::task::{Measure, Plan};

use super::backup::{kept, shelf};
use crate::{
    backup::{self, Kept, Level},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Proves the newest backup.
pub(super) static TASK: Task = Task {
    id: "restore-drill",
    title: "Restore the newest backup into a scratch place, and compare",
    why: "A backup that was never restored is a hope. The time that it takes is what a restore takes.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[],
    usual: "1h",
    opt_in: None,
    undo: "not needed: nothing but the scratch place is written",
    measure,
    plan,
    prepare: None,
    perform,
};

const PROVEN: &str = "proven backups";
const AGE: &str = "hours since the last drill";

fn drilled_at(kept: &[Kept]) -> Option<i64> {
    kept.iter().filter_map(|kept| Some(kept.proven.as_ref()?.at_seconds)).max()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    match kept(seen) {
        Ok(kept) => {
            let n = kept.iter().filter(|kept| kept.proven.is_some()).count();
            let age = drilled_at(&kept).map(|at| (seen.now.0 - at) / 3_600);
            vec![
                Measure::of(PROVEN, n as i64, "backups"),
                Measure::since(AGE, age, "hours", "no backup was ever restored"),
            ]
        }
        Err(reason) => vec![Measure::unknown(PROVEN, "backups", &reason), Measure::unknown(AGE, "hours", &reason)],
    }
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let due =
        draft.reaches(AGE, (seen.config.backup.drill_every.0 / 3_600).max(1), "the configuration: backup.drill_every");
    let kept = match kept(seen) {
        Ok(kept) => kept,
        Err(reason) => return draft.refuse(reason),
    };
    let Some(newest) = kept.last() else { return draft.rest("there is no backup yet") };
    let is_closed = newest.manifest.as_ref().is_ok_and(|manifest| manifest.is_encrypted);
    if is_closed && seen.config.backup.identity.is_none() {
        return draft.refuse("the newest backup is encrypted, and `backup.identity` names no key to read it with");
    }
    let bytes: u64 = kept.iter().map(|kept| kept.size_bytes).sum();
    let draft = draft
        .step(format!("restore `{}` into a scratch place", newest.name))
        .step("git fsck; compare refs one by one, and the objects; read the files of HEAD")
        .costs(crate::numbers::seconds_for(4 * bytes), 2 * bytes);
    let draft = match shelf(seen) {
        Ok(shelf) => draft.writes_in(shelf.folder()),
        Err(reason) => return draft.refuse(reason),
    };
    match (due, drilled_at(&kept)) {
        (_, None) => draft.act("no backup was ever restored"),
        (Err(reason), _) => draft.refuse(reason),
        (Ok(true), Some(_)) => draft.act("the last drill is too long ago"),
        (Ok(false), Some(_)) => draft.rest("the last drill is not long ago"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let shelf = shelf(&work.seen)?;
    let kept = shelf.list().map_err(|error| error.to_string())?;
    let Some(newest) = kept.last() else { return Err("there is no backup".to_owned()) };
    let look = backup::verify(work.git.git(), &shelf, &newest.name, Level::Drill, work.seen.now);
    let look = look.map_err(|error| error.to_string())?;
    if look.is_good { Ok(()) } else { Err(format!("`{}` is bad: {}", newest.name, look.because)) }
}
