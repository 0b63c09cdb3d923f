//! `pack-refs`: refs that are a file each go into one.

use alignwatch_model::{
    Look,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers::{self, LOOSE_REFS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Packs loose refs.
pub(super) static TASK: Task = Task {
    id: "pack-refs",
    title: "Put refs that are a file each into one",
    why: "Each look at the branches opens each of these files. It takes a lock for a moment; readers are not disturbed.",
    guard: Guard::Refs,
    uses: &[],
    looks: &[Look::Locks, Look::Speed],
    usual: "1d",
    opt_in: None,
    undo: "not needed: each ref is as it was, and the next move of one makes a file again",
    measure,
    plan,
    prepare: None,
    perform,
};

/// The least number of loose refs. Source: git 2.45, `pack-refs --auto`.
const LEAST: u64 = 16;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![numbers::loose_refs(seen)]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    if seen.snapshot.repository.ref_backend == "reftable" {
        return draft.rest("refs are in tables here, which git joins by itself");
    }
    let packed_bytes = numbers::packed_refs_bytes(seen);
    let limit = limit(packed_bytes) as i64;
    let reached =
        draft.reaches(LOOSE_REFS, limit, "git 2.45: pack-refs --auto, max(16, 5·log2(bytes of packed-refs / 100))");
    let n = draft.input(LOOSE_REFS).value.unwrap_or(0).unsigned_abs();
    let draft = draft.step("git pack-refs --all").costs(1, packed_bytes + n * 100);
    let told = words::count(n as usize, "ref");
    match reached {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{told} are a file each")),
        Ok(false) => draft.rest(format!("{told} are a file each")),
    }
}

/// Git's number, which grows with what is packed. Source: refs/files-backend.c of Git 2.47.
fn limit(packed_bytes: u64) -> u64 {
    LEAST.max((packed_bytes / 100).checked_ilog2().map_or(0, |log| u64::from(log) * 5))
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    work.git.command("pack-refs").option("--all").run().map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_with_what_is_packed_and_is_never_small() {
        assert_eq!([0, 1_000, 100 << 10, 100 << 20].map(limit), [16, 16, 50, 100]);
    }
}
