//! `store`: the store of alignwatch itself is kept small and copied.

use alignwatch_model::{
    Known,
    task::{Measure, Plan},
};
use alignwatch_store::{Mended, Store, StoreError, Tended};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Rolls up what is old in the store, gives room back, and copies it.
pub(super) static TASK: Task = Task {
    id: "store",
    title: "Roll up what is old in our own store, give room back, and copy it",
    why: "While the daemon runs it does this itself, each hour and each day, by the same means; this task is for the time when none runs. A copy counts only when it was read whole.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[],
    usual: "1d",
    opt_in: None,
    undo: "none: what `store` in the configuration lets go is gone, and lies in the copies of the last seven days",
    measure,
    plan,
    prepare: None,
    perform,
};

const AGE: &str = "hours since the newest copy of the store";
const BYTES: &str = "size of the store";

/// Source: ours; the daemon copies it as often.
const HOURS: i64 = 24;

fn folder(seen: &Seen<'_>) -> std::path::PathBuf {
    seen.data_dir.join("store")
}

/// The store, to read. Errors: it can't be; `Ok(None)` = there is none.
fn opened(seen: &Seen<'_>) -> Result<Option<Store>, StoreError> {
    let folder = folder(seen);
    if alignwatch_store::is_there(&folder) { alignwatch_store::open_to_read(&folder).map(Some) } else { Ok(None) }
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let store = match opened(seen) {
        Ok(Some(store)) => store,
        Ok(None) => return vec![Measure::of(AGE, 0, "hours"), Measure::of(BYTES, 0, "bytes")],
        Err(error) => {
            let reason = error.to_string();
            return vec![Measure::unknown(AGE, "hours", &reason), Measure::unknown(BYTES, "bytes", &reason)];
        }
    };
    let age = store.newest_backup_at(seen.now).map(|at| seen.now.since(at).0 / 3_600);
    let bytes = Known::from_result(store.used_bytes().map_err(|error| error.to_string()));
    vec![Measure::since(AGE, age, "hours", "it was never copied"), Measure::known(BYTES, bytes, "bytes")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let folder = folder(seen);
    if !alignwatch_store::is_there(&folder) {
        return draft.rest("there is no store");
    }
    let old = draft.reaches(AGE, HOURS, "alignwatch: a copy a day");
    let most = i64::try_from(seen.config.store.size).unwrap_or(i64::MAX);
    let large = draft.reaches(BYTES, most, "the configuration: store.size");
    let bytes = draft.input(BYTES).value.unwrap_or(0).unsigned_abs();
    let draft = draft
        .step("roll up and drop what is older than `store` in the configuration says, and give the room back")
        .step("copy it, and read the copy whole")
        .costs(crate::numbers::seconds_for(3 * bytes), 2 * bytes)
        .writes_in(&folder);
    match alignwatch_store::writer(&folder) {
        Err(error) => return draft.refuse(format!("whether somebody writes the store is not known: {error}")),
        Ok(Some(writer)) => {
            return draft.rest(format!("{} has it since {}, and does this itself", writer.who, writer.since));
        }
        Ok(None) => {}
    }
    let copied_at = opened(seen).map(|store| store.and_then(|store| store.newest_backup_at(seen.now)));
    match (copied_at, old, large) {
        (Err(error), ..) => draft.refuse(error.to_string()),
        (_, _, Err(reason)) => draft.refuse(reason),
        (Ok(None), ..) => draft.act("it was never copied"),
        (_, Err(reason), _) => draft.refuse(reason),
        (_, Ok(false), Ok(false)) => draft.rest("it was copied lately, and is small enough"),
        (_, _, Ok(true)) => draft.act("it is larger than it may be"),
        (_, Ok(true), _) => draft.act("it was not copied lately"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let (seen, told) = (&work.seen, |error: StoreError| error.to_string());
    let (mut store, mended) = alignwatch_store::open(&folder(seen)).map_err(told)?;
    let too_large = loop {
        work.may_go_on()?;
        match store.tend(&seen.config.store, seen.now).map_err(told)? {
            Tended::Some => {}
            Tended::All => break None,
            Tended::StillTooLarge { size_bytes } => break Some(size_bytes),
        }
    };
    store.back_up(seen.now).map_err(told)?;
    if let Mended::FromBackup { damage, moved_to, .. } = mended {
        let moved_to = moved_to.display();
        return Err(format!(
            "it was damaged ({damage}): the newest whole copy took its place, and it lies in `{moved_to}`"
        ));
    }
    match too_large {
        Some(bytes) => Err(format!(
            "it holds {}, more than `store.size`, and nothing that is left may go",
            alignwatch_model::words::bytes(bytes)
        )),
        None => Ok(()),
    }
}
