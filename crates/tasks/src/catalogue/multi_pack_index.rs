//! `multi-pack-index`: one index over all packs, with a bitmap where a repository serves others.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    snapshot::GitPart,
    task::{Measure, Plan},
};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Writes the index over all packs.
pub(super) static TASK: Task = Task {
    id: "multi-pack-index",
    title: "Write one index over all packs, with a bitmap where the repository serves others",
    why: "Without it each object is looked for in each pack. With a bitmap a clone is counted in a moment; it is written where there is no working tree and nothing is borrowed.",
    guard: Guard::Derived,
    uses: &[GitPart::MultiPackIndex],
    looks: &[Look::Locks, Look::Storage, Look::Speed],
    usual: "1d",
    opt_in: None,
    undo: "not needed: it says nothing that the packs do not say",
    measure,
    plan,
    prepare: None,
    perform,
};

const OUTSIDE: &str = "packs outside of the index over all";
const BITMAP: &str = "bitmaps missing";

/// From so many on. Source: Gitaly: as soon as there is more than one pack.
const PACKS: i64 = 2;

/// What it may take. Source: ours; ten times a repository of ten million objects.
const TIME_AT_MOST: Duration = Duration::from_secs(3_600);

fn wants_bitmap(seen: &Seen<'_>) -> bool {
    let repository = &seen.snapshot.repository;
    seen.git.version().bitmaps_of_several_packs()
        && repository.is_bare
        && repository.alternates.is_empty()
        && !repository.is_shallow
        && !repository.is_partial
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let index =
        numbers::speed(seen).and_then(|speed| speed.pack_index.seen().ok_or("the index over packs could not be read"));
    let packs = numbers::packs(seen);
    let outside = index.and_then(|index| {
        let covered = index.as_ref().map_or(&[][..], |index| &index.packs);
        Ok(packs?.iter().filter(|pack| !covered.contains(&pack.name)).count() as u64)
    });
    let bitmap = index.and_then(|index| {
        let has = index.as_ref().is_some_and(|index| index.has_bitmap) || packs?.iter().any(|pack| pack.has_bitmap);
        Ok(u64::from(wants_bitmap(seen) && !has && !packs?.is_empty()))
    });
    vec![numbers::measure(OUTSIDE, outside, "packs"), numbers::measure(BITMAP, bitmap, "bitmaps")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let outside = draft.reaches(OUTSIDE, PACKS, "Gitaly: with more than one pack");
    let bitmap = draft.reaches(BITMAP, 1, "Gitaly: in a repository without working tree and alternates");
    let n_objects: u64 = numbers::packs(seen).map_or(0, |packs| packs.iter().map(|pack| pack.n_objects).sum());
    let write = if wants_bitmap(seen) { "git multi-pack-index write --bitmap" } else { "git multi-pack-index write" };
    let draft = draft.step(write).step("git multi-pack-index verify").costs(1 + n_objects / 200_000, n_objects * 60);
    match (outside, bitmap) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(true), _) => draft.act("there are packs that it does not cover"),
        (_, Ok(true)) => draft.act("it has no bitmap"),
        _ => draft.rest("it covers what it should"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        file_bytes: u64::MAX >> 1,
        niceness: 10,
        ..Limits::default()
    };
    let write = work.git.command("multi-pack-index").option("write").option("--no-progress");
    let write = if wants_bitmap(&work.seen) { write.option("--bitmap") } else { write };
    write.limits(limits).run().map_err(|error| error.to_string())?;
    let verify = work.git.command("multi-pack-index").option("verify").option("--no-progress");
    verify.limits(limits).run().map(drop).map_err(|error| error.to_string())
}
