//! `loose-objects`: objects that are a file each go into a pack.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    snapshot::GitPart,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers::{self, IN_PACKS_TOO, LOOSE},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Packs loose objects that are in use, and removes those that are in a pack already.
pub(super) static TASK: Task = Task {
    id: "loose-objects",
    title: "Put objects that are a file each into a pack",
    why: "Each look-up, fetch and copy gets slower by them, and inodes run out. Those that nothing reaches stay as they are.",
    guard: Guard::Objects,
    uses: &[GitPart::Objects, GitPart::MultiPackIndex],
    looks: &[Look::Locks, Look::Storage],
    usual: "1d",
    opt_in: None,
    undo: "not needed: the same objects are there, in a pack",
    measure,
    plan,
    prepare: None,
    perform,
};

/// From so many on. Source: Gitaly; git packs at 100 in `maintenance` and at 6,700 in `gc`.
const OBJECTS: i64 = 1_024;

/// From so many copies on. Source: ours; as git's `maintenance.loose-objects.auto`.
const COPIES: i64 = 100;

/// What it may take. Source: ours; ten times a million loose objects on a cold disk.
const TIME_AT_MOST: Duration = Duration::from_secs(3_600);

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![numbers::loose_objects(seen), numbers::loose_in_packs(seen), numbers::size(seen)]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let many = draft.reaches(LOOSE, OBJECTS, "Gitaly: loose objects");
    let copies = draft.reaches(IN_PACKS_TOO, COPIES, "git: maintenance.loose-objects.auto");
    let n = draft.input(LOOSE).value.unwrap_or(0).unsigned_abs() as usize;
    let n_copies = draft.input(IN_PACKS_TOO).value.unwrap_or(0).unsigned_abs() as usize;
    let bytes = numbers::loose_bytes(seen);
    let draft = draft.step("git repack -d -l").costs(numbers::seconds_for(bytes) + n as u64 / 10_000, bytes);
    match (many, copies) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(true), _) => draft.act(format!("{} are a file each", words::count(n, "object"))),
        (_, Ok(true)) => draft.act(format!("{} are packed and a file as well", words::count(n_copies, "object"))),
        _ => draft.rest(format!("{} are a file each", words::count(n, "object"))),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        // A pack may be as large as it likes.
        file_bytes: u64::MAX >> 1,
        niceness: 10,
        ..Limits::default()
    };
    let repack = work.packing("repack").option("-d").option("-l").option("-q");
    repack.limits(limits).run().map(drop).map_err(|error| error.to_string())
}
