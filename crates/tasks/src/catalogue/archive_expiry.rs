//! `archive-expiry`: archive refs go when they are old and lie in a proven backup.

use alignwatch_git::tend::{RefUndo, Undo};
use alignwatch_model::{
    Look, Timestamp,
    task::{ARCHIVED, Measure, Plan},
    words,
};

use super::backup::kept;
use crate::task::{self, Draft, Guard, Seen, Task, Work};

/// Takes old archive refs away.
pub(super) static TASK: Task = Task {
    id: "archive-expiry",
    title: "Take archive refs away that are old and lie in a proven backup",
    why: "Each ref is spoken of in every fetch. What was deleted half a year ago and lies in a backup that was restored and compared is not lost.",
    guard: Guard::Changes,
    uses: &[],
    looks: &[Look::Locks],
    usual: "7d",
    opt_in: None,
    undo: "`alignwatch task undo ID`, as long as git has the objects; after that `alignwatch backup restore --ref`",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const N: &str = "archive refs that may go";

/// Where tasks put them: `refs/archive/task-<seconds>-<lease>/…`.
const SPACE: &str = "refs/archive/task-";

/// Name and id of those that are old enough and in the newest proven backup.
fn old(seen: &Seen<'_>) -> Result<Vec<(String, String)>, String> {
    let backups = kept(seen)?;
    let proven = backups.iter().rev().find(|kept| kept.proven.is_some()).and_then(|kept| kept.manifest.as_ref().ok());
    let Some(proven) = proven else { return Ok(Vec::new()) };
    let limit = seen.config.cleanup.archive_for;
    let is_old = |name: &str| {
        let seconds =
            name.strip_prefix(SPACE).and_then(|rest| rest.split('-').next()).and_then(|text| text.parse().ok());
        seconds.is_some_and(|at| limit < seen.now.since(Timestamp(at)))
    };
    Ok(proven
        .refs
        .iter()
        .filter(|named| is_old(&named.name))
        .map(|named| (named.name.clone(), named.oid.clone()))
        .collect())
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let n = there(seen).map(|refs| refs.len() as u64);
    vec![Measure::known(N, alignwatch_model::Known::from_result(n), "refs")]
}

/// Those of [`old`] that are there still, at the same id.
fn there(seen: &Seen<'_>) -> Result<Vec<(String, String)>, String> {
    let old = old(seen)?;
    if old.is_empty() {
        return Ok(old);
    }
    let refs = alignwatch_git::refs::read_files(seen.opened).map_err(|error| error.to_string())?;
    let is_there = |(name, id): &(String, String)| {
        let found = refs.get(&alignwatch_model::RefName::from(name.as_str()));
        found.is_some_and(|found| found.oid.hex() == *id)
    };
    Ok(old.into_iter().filter(is_there).collect())
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(N, 1, "the configuration: cleanup.archive_for");
    let old = there(seen).unwrap_or_default();
    let draft =
        old.iter().take(500).fold(draft, |draft, (name, id)| draft.step(format!("delete {name} at {id}"))).costs(1, 0);
    let draft = old.iter().fold(draft, |draft, _| draft.takes_away(ARCHIVED));
    if let Some(reason) = task::lent(seen) {
        // What they need of it, git would take away here one day.
        return draft.refuse(reason);
    }
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{} are old and in a proven backup", words::count(old.len(), "archive ref"))),
        Ok(false) => draft.rest("none is old and in a proven backup"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let one = |(name, id): (String, String)| RefUndo { name, before: Some(id), after: None };
    let refs = there(&work.seen)?.into_iter().map(one).collect();
    Ok(Undo { quarantine: format!("quarantine/{}", work.id), refs, ..Undo::default() })
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let commands = work.undo.transaction(false)?;
    let call = work.git.command("update-ref").option("--stdin").option("-z").input(commands);
    call.run().map(drop).map_err(|error| error.to_string())
}
