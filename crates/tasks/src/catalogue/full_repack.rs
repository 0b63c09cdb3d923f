//! `full-repack`: all packs become one; what nothing reaches goes into a pack of its own and stays.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    snapshot::GitPart,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers::{self, PACKS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Joins all packs into one, with a cruft pack beside it.
pub(super) static TASK: Task = Task {
    id: "full-repack",
    title: "Join all packs into one, and what nothing reaches into another",
    why: "Only in one pack are all objects stored as differences to each other: less space, faster fetches. It is the most expensive of all tasks. Nothing is pruned: what no ref or reflog reaches stays, in a pack of its own.",
    guard: Guard::Objects,
    uses: &[GitPart::Objects, GitPart::MultiPackIndex],
    looks: &[Look::Locks, Look::Storage, Look::Unfinished],
    usual: "1d",
    opt_in: None,
    undo: "not needed: all objects are there, also those that nothing reaches",
    measure,
    plan,
    prepare: None,
    perform,
};

/// From this age of the oldest pack on. Source: Gitaly: at most every five days, where there is more than one pack.
const DAYS: i64 = 5;

const AGE: &str = "days since the oldest pack was written";

/// What it may take. Source: ours; ten times a repository of 10 GiB on a cold disk.
const TIME_AT_MOST: Duration = Duration::from_secs(8 * 3_600);

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let free = numbers::packs(seen).map(|packs| packs.iter().filter(|pack| !pack.is_kept() && !pack.is_cruft));
    let age = free.map(|packs| {
        let oldest = packs.map(|pack| pack.modified_at).min();
        oldest.map_or(0, |at| seen.now.since(at).whole_days().max(0).unsigned_abs())
    });
    vec![
        numbers::free_packs(seen),
        numbers::measure(AGE, age, "days"),
        numbers::size(seen),
        numbers::loose_objects(seen),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let old = draft.reaches(AGE, DAYS, "Gitaly: a full repack at most every 5 days");
    let n =
        numbers::packs(seen).map_or(0, |packs| packs.iter().filter(|pack| !pack.is_kept() && !pack.is_cruft).count());
    let many = draft.reaches(PACKS, 2, "Gitaly: where there is more than one pack");
    let bytes = numbers::pack_bytes(seen) + numbers::loose_bytes(seen);
    let unreachable =
        if seen.git.version().cruft_packs() { "--cruft --cruft-expiration=never" } else { "--keep-unreachable" };
    let draft = draft
        .step(format!("git repack -d -l -a {unreachable}"))
        .costs(numbers::seconds_for(2 * bytes), bytes + bytes / 5);
    match &seen.snapshot.unfinished {
        alignwatch_model::Known::Unknown(reason) => return draft.refuse(reason.clone()),
        alignwatch_model::Known::Seen(unfinished) => {
            if let Some(one) = unfinished.iter().find(|one| one.keeps_ids_in_files()) {
                // It keeps ids in files of its own, that no count of ours reads.
                return draft.refuse(format!("{}: first that comes to its end", one.told()));
            }
        }
    }
    match (old, many) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(true), Ok(true)) if 1 < n => {
            draft.act(format!("{}, the oldest is older than {DAYS} days", words::count(n, "pack")))
        }
        _ => draft.rest(format!("{}, and none of several is old", words::count(n, "pack"))),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        file_bytes: u64::MAX >> 1,
        niceness: 15,
        ..Limits::default()
    };
    let repack = work.packing("repack").option("-d").option("-l").option("-a").option("-q");
    // Cruft packs came with git 2.37; before, what nothing reaches stays in the one pack.
    let repack = if work.git.git().version().cruft_packs() {
        repack.option("--cruft").option("--cruft-expiration=never")
    } else {
        repack.option("--keep-unreachable")
    };
    repack.limits(limits).run().map(drop).map_err(|error| error.to_string())
}
