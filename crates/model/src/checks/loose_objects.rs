//! `loose-objects`, `stale-loose-objects`, `duplicate-loose-objects`: objects that are one file each.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, facts::storage::Loose};

/// Many loose objects.
pub(super) static MANY: Check = Check {
    id: "loose-objects",
    title: "Many loose objects",
    looks_at: "The files in `objects/00` to `objects/ff`, by their names",
    why: "Each is a file of its own: every look-up, fetch and copy gets slower, and inodes run out",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (count, size)"),
    runbook: Runbook {
        look: "`git count-objects -v`: `count` is the number, `size` the KiB on the disk",
        mend: "`git repack -d -l` packs what can be reached and removes the loose files. If they come back, find out who writes without upkeep: `git config gc.auto`, `git config maintenance.auto`",
        sure: "`git count-objects -v` shows a small `count`",
        undo: Some("Nothing to take back: the same objects are in a pack. `git unpack-objects` makes them loose again"),
    },
    threshold: Some(ThresholdSpec {
        default: 6700,
        range: (1, 100_000_000),
        unit: "objects",
        source: "git: gc.auto (Gitaly packs from 1,024 on)",
    }),
    judge: many,
};

/// Loose objects that no upkeep packed for days: most of them cannot be reached.
pub(super) static STALE: Check = Check {
    id: "stale-loose-objects",
    title: "Old loose objects",
    looks_at: "Loose objects that were not written again for 10 days",
    why: "What upkeep does not pack in so many days is mostly unreachable: it only costs space and time",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: None,
    runbook: Runbook {
        look: "`git prune --dry-run --expire=2.weeks.ago` lists those that no ref, reflog or index reaches",
        mend: "`git repack -d -l` packs the others. When nobody misses what the list names, `git prune --expire=2.weeks.ago` removes it",
        sure: "`git prune --dry-run --expire=2.weeks.ago` lists nothing, `git count-objects -v` shows a small `count`",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 1024,
        range: (1, 100_000_000),
        unit: "objects",
        source: "Gitaly: loose objects older than 10 days",
    }),
    judge: stale,
};

/// Loose objects that are in a pack as well.
pub(super) static DUPLICATE: Check = Check {
    id: "duplicate-loose-objects",
    title: "Loose objects that are packed as well",
    looks_at: "Loose objects, looked up in the indexes of all packs",
    why: "They take up space and say nothing new; many of them mean that a repack was interrupted",
    severity: Severity::Info,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (prune-packable)"),
    runbook: Runbook {
        look: "`git count-objects -v`: `prune-packable`; `git prune-packed --dry-run` lists them",
        mend: "`git prune-packed`",
        sure: "`git count-objects -v` shows `prune-packable: 0`",
        undo: Some("Nothing to take back: each of them stays in its pack"),
    },
    threshold: None,
    judge: duplicate,
};

fn loose(seen: &Seen<'_>) -> Known<Loose> {
    match &seen.snapshot.facts.storage {
        Known::Seen(storage) => storage.loose.clone(),
        Known::Unknown(reason) => Known::Unknown(reason.clone()),
    }
}

fn many(seen: &Seen<'_>) -> Outcome {
    let loose = match loose(seen) {
        Known::Unknown(reason) => return Outcome::unknown(reason),
        Known::Seen(loose) => loose,
    };
    let (limit, threshold) = seen.threshold();
    if loose.n <= limit.unsigned_abs() {
        return Outcome::default();
    }
    let summary = format!("There are {} with {}", count(loose.n as usize, "loose object"), bytes(loose.disk_bytes));
    let finding = seen.finding(Severity::Warning, "", "objects", summary).against(threshold);
    let finding = with_numbers(finding, &loose)
        .so("Fetches, merges and every look at history open one file for each of them.")
        .mend(Remedy::reversible(
            "Pack them: the same objects are in a pack then. `git unpack-objects` would make them loose again.",
            ["git repack -d -l".to_owned()],
        ));
    Outcome::found(vec![finding])
}

fn stale(seen: &Seen<'_>) -> Outcome {
    let loose = match loose(seen) {
        Known::Unknown(reason) => return Outcome::unknown(reason),
        Known::Seen(loose) => loose,
    };
    let (limit, threshold) = seen.threshold();
    if loose.n_old <= limit.unsigned_abs() {
        return Outcome::default();
    }
    let summary = format!("{} are loose for 10 days or longer", count(loose.n_old as usize, "object"));
    let finding = seen.finding(Severity::Warning, "", "objects", summary).against(threshold);
    let finding = with_numbers(finding, &loose)
        .so("Upkeep does not run here, or they cannot be reached and only cost time.")
        .mend(Remedy::reversible(
            "Pack what can be reached, then see what is left: the last line only lists. Without --dry-run it removes \
             what it lists, for ever.",
            ["git repack -d -l".to_owned(), "git prune --dry-run --expire=2.weeks.ago".to_owned()],
        ));
    Outcome::found(vec![finding])
}

fn duplicate(seen: &Seen<'_>) -> Outcome {
    let loose = match loose(seen) {
        Known::Unknown(reason) => return Outcome::unknown(reason),
        Known::Seen(loose) => loose,
    };
    let n = match &loose.n_in_packs {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(0) => return Outcome::default(),
        Known::Seen(n) => *n as usize,
    };
    let summary = format!("{} {} in a pack as well", count(n, "loose object"), agree(n, "is", "are"));
    let finding = with_numbers(seen.finding(Severity::Info, "", "objects", summary), &loose)
        .so("They only take up space.")
        .mend(Remedy::reversible("Remove the loose copies: each stays in its pack.", ["git prune-packed".to_owned()]));
    Outcome::found(vec![finding])
}

fn with_numbers(finding: Finding, loose: &Loose) -> Finding {
    finding
        .fact("n_loose", loose.n)
        .fact("loose_disk_bytes", loose.disk_bytes)
        .fact("n_older_than_10_days", loose.n_old)
        .fact("n_in_packs_as_well", loose.n_in_packs.seen().copied())
        .fact("source", "objects/00 to objects/ff, by stat; git count-objects -v")
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    const ALL: [&Check; 3] = [&MANY, &STALE, &DUPLICATE];

    fn with(loose: Known<Loose>) -> crate::Snapshot {
        stored(|storage| storage.loose = loose)
    }

    #[test]
    fn as_many_as_the_limits_are_fine() {
        let loose = Loose { n: 6700, disk_bytes: 1, n_old: 1024, n_in_packs: Known::Seen(0) };
        for check in ALL {
            assert_eq!(judged(check, &with(Known::Seen(loose.clone()))), Outcome::default(), "{}", check.id);
        }
    }

    #[test]
    fn many_old_and_double_ones_are_told() {
        let loose = Loose { n: 6701, disk_bytes: 30 << 20, n_old: 1025, n_in_packs: Known::Seen(1) };
        let snapshot = with(Known::Seen(loose));
        let findings = ALL.map(|check| only(judged(check, &snapshot)));
        assert_eq!(
            told(&findings),
            "[warning] loose-objects: There are 6,701 loose objects with 30.0 MiB\n\
             [warning] stale-loose-objects: 1,025 objects are loose for 10 days or longer\n\
             [info] duplicate-loose-objects: 1 loose object is in a pack as well"
        );
    }

    #[test]
    fn folders_that_could_not_be_read_are_unknown() {
        for check in ALL {
            let unread = with(Known::Unknown("cannot look into objects/17: permission denied".into()));
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
        let not_looked_up = Loose { n_in_packs: Known::Unknown("too many".into()), ..Loose::default() };
        assert_eq!(judged(&DUPLICATE, &with(Known::Seen(not_looked_up))), Outcome::unknown("too many"));
    }
}
