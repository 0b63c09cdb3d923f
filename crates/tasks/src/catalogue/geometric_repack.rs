//! `geometric-repack`: small packs are joined, so that each is at least twice as large as the next.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    facts::storage::Pack,
    snapshot::GitPart,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers::{self, LOOSE, PACKS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Joins small packs and writes one index over all.
pub(super) static TASK: Task = Task {
    id: "geometric-repack",
    title: "Join small packs, and write one index over all",
    why: "Each object is looked for in each pack. Large packs are left alone, so that it costs what came in since the last time.",
    guard: Guard::Objects,
    uses: &[GitPart::Objects, GitPart::MultiPackIndex],
    looks: &[Look::Locks, Look::Storage, Look::Speed],
    usual: "1d",
    opt_in: None,
    undo: "not needed: the same objects are there, in fewer packs",
    measure,
    plan,
    prepare: None,
    perform,
};

/// How much larger each pack is than the sum of the smaller ones. Source: git-repack(1), and git's own strategy.
const FACTOR: u64 = 2;

/// Loose objects that make it worth while. Source: git, `maintenance.geometric-repack.auto` of 2.52.
const OBJECTS: i64 = 100;

/// What it may take. Source: ours; ten times a repository of 10 GiB on a cold disk.
const TIME_AT_MOST: Duration = Duration::from_secs(4 * 3_600);

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let is_indexed = numbers::speed(seen)
        .and_then(|speed| speed.pack_index.seen().ok_or("the index over packs could not be read"))
        .map(|index| index.as_ref().map_or(0, |index| index.packs.len() as u64));
    vec![
        numbers::free_packs(seen),
        numbers::loose_objects(seen),
        numbers::measure("packs in the index over all", is_indexed, "packs"),
        numbers::size(seen),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let packs = match numbers::packs(seen) {
        Ok(packs) => packs,
        Err(reason) => return draft.refuse(reason.to_owned()),
    };
    let joined: Vec<&Pack> = out_of_progression(packs);
    let limit = gitaly_limit(numbers::pack_bytes(seen)) as i64;
    let many = draft.reaches(PACKS, limit + 1, "Gitaly: more than max(2, ln(MiB) / ln 1.8) packs");
    let loose = draft.reaches(LOOSE, OBJECTS, "git 2.52: maintenance.geometric-repack.auto");
    let bytes = joined.iter().map(|pack| pack.bytes).sum::<u64>() + numbers::loose_bytes(seen);
    let draft = steps(seen, &joined).into_iter().fold(draft, Draft::step);
    let draft = draft.step("git multi-pack-index verify").costs(numbers::seconds_for(2 * bytes), bytes);
    match (many, loose) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(true), _) if 1 < joined.len() => {
            let n = packs.iter().filter(|pack| !pack.is_kept()).count();
            draft.act(format!("{}, and {} can be joined", words::count(n, "pack"), joined.len()))
        }
        (_, Ok(true)) => draft.act("there are loose objects to go into a pack"),
        _ => draft.rest(format!("{} are few enough", words::count(packs.len(), "pack"))),
    }
}

/// What joins these packs. Before git 2.34 that is its older way, by the bytes of packs; see git-multi-pack-index(1), `repack`.
fn steps(seen: &Seen<'_>, joined: &[&Pack]) -> Vec<String> {
    if seen.git.version().geometric_repack() {
        return vec!["git repack -d -l --geometric=2 --write-midx".to_owned()];
    }
    let batch = batch_bytes(joined);
    vec![
        "git repack -d -l".to_owned(),
        "git multi-pack-index write".to_owned(),
        format!("git multi-pack-index repack --batch-size={batch}"),
        "git multi-pack-index expire".to_owned(),
    ]
}

/// Only packs with fewer bytes are joined then. Never 0, which stands for all.
fn batch_bytes(joined: &[&Pack]) -> u64 {
    1 + joined.iter().map(|pack| pack.bytes).sum::<u64>()
}

/// Packs that are smaller, by their objects, than twice all smaller ones: those that a geometric repack joins.
///
/// Source: git-repack(1), `--geometric`: by number of objects.
fn out_of_progression(packs: &[Pack]) -> Vec<&Pack> {
    let mut sorted: Vec<&Pack> = packs.iter().filter(|pack| !pack.is_kept() && !pack.is_cruft).collect();
    sorted.sort_by_key(|pack| pack.n_objects);
    let mut split = 0;
    for at in 1..sorted.len() {
        if sorted[at].n_objects < FACTOR * sorted[at - 1].n_objects {
            split = at + 1;
        }
    }
    let mut sum: u64 = sorted[..split].iter().map(|pack| pack.n_objects).sum();
    while split < sorted.len() && 0 < split && sorted[split].n_objects < FACTOR * sum {
        sum += sorted[split].n_objects;
        split += 1;
    }
    sorted.truncate(split);
    sorted
}

/// Source: Gitaly, `housekeeping`: packs may grow with the logarithm of the size.
fn gitaly_limit(size_bytes: u64) -> u64 {
    let mebibytes = size_bytes as f64 / f64::from(1 << 20);
    (mebibytes.max(1.0).ln() / 1.8f64.ln()).max(2.0) as u64
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        file_bytes: u64::MAX >> 1,
        niceness: 10,
        ..Limits::default()
    };
    let repack = work.packing("repack").option("-d").option("-l").option("-q");
    if work.git.git().version().geometric_repack() {
        let repack = repack.option("--geometric=2").option("--write-midx");
        repack.limits(limits).run().map_err(|error| error.to_string())?;
    } else {
        let packs = numbers::packs(&work.seen)?;
        let batch = batch_bytes(&out_of_progression(packs));
        let index = |what| work.packing("multi-pack-index").option(what).option("--no-progress");
        let joining = index("repack").option_with("--batch-size=", batch.to_string());
        for call in [repack, index("write"), joining, index("expire")] {
            work.may_go_on()?;
            call.limits(limits).run().map_err(|error| error.to_string())?;
        }
    }
    let verify = work.git.command("multi-pack-index").option("verify").option("--no-progress");
    verify.limits(limits).run().map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use alignwatch_model::Timestamp;

    use super::*;

    fn pack(n_objects: u64) -> Pack {
        Pack {
            name: format!("pack-{n_objects}"),
            bytes: n_objects,
            n_objects,
            modified_at: Timestamp(0),
            keep: None,
            is_cruft: false,
            is_promisor: false,
            has_bitmap: false,
        }
    }

    fn joined(sizes: &[u64]) -> Vec<u64> {
        let packs: Vec<Pack> = sizes.iter().copied().map(pack).collect();
        out_of_progression(&packs).iter().map(|pack| pack.n_objects).collect()
    }

    #[test]
    fn large_packs_are_left_alone() {
        assert_eq!(joined(&[1000, 400, 100]), [0u64; 0]);
        assert_eq!(joined(&[1000, 10, 9, 8]), [8, 9, 10]);
        assert_eq!(joined(&[10, 9, 8, 50]), [8, 9, 10, 50], "27 objects are more than half of 50");
        assert_eq!(joined(&[7]), [0u64; 0]);
    }
}
