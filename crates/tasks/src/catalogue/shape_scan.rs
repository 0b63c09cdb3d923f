//! `shape-scan`: measures all history once, so that whoever asks for its shape has the answer at once.

use std::{fs, path::PathBuf, time::Duration};

use alignwatch_git::inspect::{self, Wanted};
use alignwatch_model::{
    Known, Look,
    task::{Measure, Plan},
};
use serde::{Deserialize, Serialize};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Measures the shape of history.
pub(super) static TASK: Task = Task {
    id: "shape-scan",
    title: "Measure the size and shape of all history, and remember it",
    why: "It reads all objects, which takes too long for somebody who waits. Afterwards `check --only shape,big-blobs` answers at once, until refs move, and what grew since the last time is told.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[Look::Storage],
    usual: "7d",
    opt_in: None,
    undo: "not needed: it only reads, and remembers in the data directory",
    measure,
    plan,
    prepare: None,
    perform,
};

const AGE: &str = "days since all history was measured";
const COMMITS: &str = "commits in all history";
const OBJECTS: &str = "objects in all history";
const BYTES: &str = "MiB of all history, unpacked";

/// Source: ours; weekly, less the hours by which one run is later than the last.
const DAYS: i64 = 6;

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Scanned {
    at: i64,
    n_commits: u64,
    n_objects: u64,
    bytes: u64,
}

fn file(seen: &Seen<'_>) -> PathBuf {
    seen.data_dir.join("shape").join(format!("{}.json", seen.opened.id()))
}

/// What can't be read was never measured.
fn scanned(seen: &Seen<'_>) -> Option<Scanned> {
    serde_json::from_slice(&fs::read(file(seen)).ok()?).ok()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let scanned = scanned(seen);
    let number = |name: &str, unit: &str, of: fn(&Scanned) -> u64| {
        let value = scanned.as_ref().map_or(0, of);
        Measure::of(name, i64::try_from(value).unwrap_or(i64::MAX), unit)
    };
    let age = scanned.as_ref().map(|scanned| (seen.now.0 - scanned.at) / 86_400);
    vec![
        Measure::since(AGE, age, "days", "it was never measured"),
        number(COMMITS, "commits", |scanned| scanned.n_commits),
        number(OBJECTS, "objects", |scanned| scanned.n_objects),
        number(BYTES, "MiB", |scanned| scanned.bytes >> 20),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let old = draft.reaches(AGE, DAYS, "alignwatch: weekly");
    let bytes = numbers::pack_bytes(seen) + numbers::loose_bytes(seen);
    let draft = draft.step("read all commits and trees, and the sizes of all files");
    let draft = draft.costs(numbers::seconds_for(4 * bytes), 0);
    match old {
        Ok(false) => draft.rest("it was measured lately"),
        // What was never measured is due.
        Ok(true) | Err(_) => draft.act("all history is to be measured"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let seen = &work.seen;
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([Look::Shape]),
        paths_patience: Duration::ZERO,
        stop: work.stop.clone(),
    };
    let looked = inspect::inspect(&seen.opened.path, seen.config, seen.now, Some(seen.data_dir), &wanted, &|_| {});
    let shape = match looked.map_err(|error| error.to_string())?.facts.shape {
        Known::Seen(shape) => shape,
        Known::Unknown(reason) => return Err(reason.to_string()),
    };
    let scanned = Scanned {
        at: seen.now.0,
        n_commits: shape.n_commits,
        n_objects: shape.n_commits + shape.n_trees + shape.n_blobs + shape.n_tags,
        bytes: shape.commit_bytes + shape.tree_bytes + shape.blob_bytes,
    };
    let bytes = serde_json::to_vec(&scanned).map_err(|error| error.to_string())?;
    crate::remotes::write(&file(seen), &bytes)
}
