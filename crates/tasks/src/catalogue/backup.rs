//! `backup`: all that the repository names, in a folder of its own.

use alignwatch_model::{
    Look, Span, Timestamp,
    task::{Measure, Plan},
};

use crate::{
    backup::{self, Kept, Keys, Kind, Level, Shelf},
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Makes a backup, whole or added to the newest.
pub(super) static TASK: Task = Task {
    id: "backup",
    title: "Back up all refs, stashes, HEADs and what only reflogs know",
    why: "What is pushed nowhere exists once. Each backup is read whole right after it was made; the restore drill proves it.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[Look::Storage],
    usual: "1h",
    opt_in: None,
    undo: "not needed: nothing in the repository changes",
    measure,
    plan,
    prepare: None,
    perform,
};

const N: &str = "backups";
const AGE: &str = "hours since the newest backup";

pub(super) fn shelf(seen: &Seen<'_>) -> Result<Shelf, String> {
    let root = backup::root(seen.config, Some(seen.data_dir)).ok_or("there is no folder for backups")?;
    Ok(Shelf::of(&root, seen.opened).with_keys(Keys::of(seen.config)))
}

pub(super) fn kept(seen: &Seen<'_>) -> Result<Vec<Kept>, String> {
    shelf(seen)?.list().map_err(|error| error.to_string())
}

/// How old the newest of these is.
pub(super) fn age(kept: &[Kept], now: Timestamp, counts: impl Fn(&Kept) -> bool) -> Option<Span> {
    let newest = kept.iter().rev().find(|kept| counts(kept));
    newest.and_then(|kept| kept.manifest.as_ref().ok()).map(|manifest| now.since(manifest.made_at()))
}

/// It can be read, and nothing bad is known of it.
fn is_good(kept: &Kept) -> bool {
    kept.manifest.is_ok() && kept.last.as_ref().is_some_and(|look| look.is_good)
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    match kept(seen) {
        Ok(kept) => {
            let age = age(&kept, seen.now, is_good).map(|age| age.0 / 3_600);
            vec![
                Measure::of(N, kept.len() as i64, "backups"),
                Measure::since(AGE, age, "hours", "there is no good backup"),
            ]
        }
        Err(reason) => vec![Measure::unknown(N, "backups", &reason), Measure::unknown(AGE, "hours", &reason)],
    }
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let every = seen.config.backup.every;
    let due = draft.reaches(AGE, (every.0 / 3_600).max(1), "the configuration: backup.every");
    let bytes = numbers::pack_bytes(seen) + numbers::loose_bytes(seen);
    let kept = match kept(seen) {
        Ok(kept) => kept,
        Err(reason) => return draft.refuse(reason),
    };
    if seen.snapshot.repository.is_partial {
        return draft.refuse("objects are missing on purpose here (partial clone): no backup could be whole");
    }
    if let Err(error) = Keys::of(seen.config).check() {
        return draft.refuse(error.to_string());
    }
    let word = if kind(seen, &kept) == Kind::Full { "a whole backup" } else { "what came since the newest one" };
    let draft = draft.step(format!("write {word}, its list of refs, and the sums of all")).step("read all of it again");
    let draft = draft.costs(numbers::seconds_for(2 * bytes), 3 * bytes);
    let draft = match shelf(seen) {
        Ok(shelf) => draft.writes_in(shelf.folder()),
        Err(reason) => return draft.refuse(reason),
    };
    match (due, age(&kept, seen.now, is_good)) {
        (_, None) => draft.act("there is no good backup"),
        (Err(reason), _) => draft.refuse(reason),
        (Ok(true), Some(age)) => draft.act(format!("the newest backup is {age} old")),
        (Ok(false), Some(age)) => draft.rest(format!("the newest backup is {age} old")),
    }
}

/// Whole, when the newest whole one gets old.
fn kind(seen: &Seen<'_>, kept: &[Kept]) -> Kind {
    let is_whole = |kept: &Kept| is_good(kept) && kept.manifest.as_ref().is_ok_and(|manifest| manifest.needs.is_none());
    match age(kept, seen.now, is_whole) {
        Some(age) if age < seen.config.backup.full_every => Kind::Incremental,
        _ => Kind::Full,
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let shelf = shelf(&work.seen)?;
    let kind = kind(&work.seen, &shelf.list().map_err(|error| error.to_string())?);
    let now = work.seen.now;
    let manifest = backup::create(work.git, &shelf, kind, now).map_err(|error| error.to_string())?;
    let look = backup::verify(work.git.git(), &shelf, &manifest.name, Level::Quick, now);
    let look = look.map_err(|error| error.to_string())?;
    if look.is_good { Ok(()) } else { Err(format!("`{}` is bad: {}", manifest.name, look.because)) }
}
