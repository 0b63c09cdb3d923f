//! The numbers of a snapshot that several tasks go by, each under one name.

use alignwatch_model::{
    Known,
    facts::{
        Speed, Storage,
        storage::{Loose, Pack},
    },
    task::Measure,
};

use crate::task::Seen;

pub(crate) const LOOSE: &str = "loose objects";
pub(crate) const IN_PACKS_TOO: &str = "loose objects that are packed as well";
pub(crate) const PACKS: &str = "packs";
pub(crate) const BYTES: &str = "size";
pub(crate) const LOOSE_REFS: &str = "loose refs";
pub(crate) const MISSING_COMMITS: &str = "commits not in the commit-graph";

/// What a git writes and reads in a second. Source: measured, `git repack` on two cores with a warm cache wrote
/// 20 to 60 MiB; half of the least.
const BYTES_A_SECOND: u64 = 10 << 20;

/// How long something takes that reads and writes so many bytes.
pub(crate) fn seconds_for(bytes: u64) -> u64 {
    bytes / BYTES_A_SECOND + 1
}

pub(crate) fn storage<'a>(seen: &Seen<'a>) -> Result<&'a Storage, &'a str> {
    of(&seen.snapshot.facts.storage)
}

pub(crate) fn speed<'a>(seen: &Seen<'a>) -> Result<&'a Speed, &'a str> {
    of(&seen.snapshot.facts.speed)
}

pub(crate) fn packs<'a>(seen: &Seen<'a>) -> Result<&'a [Pack], &'a str> {
    storage(seen).and_then(|storage| of(&storage.packs)).map(Vec::as_slice)
}

fn loose<'a>(seen: &Seen<'a>) -> Result<&'a Loose, &'a str> {
    storage(seen).and_then(|storage| of(&storage.loose))
}

fn of<T>(known: &Known<T>) -> Result<&T, &str> {
    match known {
        Known::Seen(value) => Ok(value),
        Known::Unknown(reason) => Err(reason),
    }
}

/// A number, or the reason why there is none.
pub(crate) fn measure(name: &str, value: Result<u64, &str>, unit: &str) -> Measure {
    Measure::known(name, value.map_or_else(|reason| Known::Unknown(reason.to_owned()), Known::Seen), unit)
}

pub(crate) fn loose_objects(seen: &Seen<'_>) -> Measure {
    measure(LOOSE, loose(seen).map(|loose| loose.n), "objects")
}

pub(crate) fn loose_in_packs(seen: &Seen<'_>) -> Measure {
    let n = loose(seen).and_then(|loose| of(&loose.n_in_packs)).copied();
    measure(IN_PACKS_TOO, n, "objects")
}

/// Bytes of loose objects on the disk; 0 where they can't be read: it only feeds estimates.
pub(crate) fn loose_bytes(seen: &Seen<'_>) -> u64 {
    loose(seen).map_or(0, |loose| loose.disk_bytes)
}

/// Packs that a repack may touch.
pub(crate) fn free_packs(seen: &Seen<'_>) -> Measure {
    let n = packs(seen).map(|packs| packs.iter().filter(|pack| !pack.is_kept()).count() as u64);
    measure(PACKS, n, "packs")
}

pub(crate) fn pack_bytes(seen: &Seen<'_>) -> u64 {
    packs(seen).map_or(0, |packs| packs.iter().map(|pack| pack.bytes).sum())
}

/// All below `objects/`.
pub(crate) fn size(seen: &Seen<'_>) -> Measure {
    let bytes = storage(seen).map(Storage::bytes);
    Measure::known(BYTES, bytes.unwrap_or_else(|reason| Known::Unknown(reason.to_owned())), "bytes")
}

pub(crate) fn loose_refs(seen: &Seen<'_>) -> Measure {
    let n = speed(seen).and_then(|speed| of(&speed.refs.n_loose)).copied();
    measure(LOOSE_REFS, n, "refs")
}

pub(crate) fn packed_refs_bytes(seen: &Seen<'_>) -> u64 {
    speed(seen).ok().and_then(|speed| speed.refs.packed_bytes.seen().copied()).unwrap_or(0)
}

pub(crate) fn missing_commits(seen: &Seen<'_>) -> Measure {
    let n = of(&seen.snapshot.commit_graph).map(|graph| u64::from(graph.n_missing));
    measure(MISSING_COMMITS, n, "commits")
}
