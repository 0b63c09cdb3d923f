//! `garbage-files`, `temporary-files`, `leftover-records`: what lies around and takes up space.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, incomplete_packs::is_half, packs::aside};
use crate::{
    Finding, Known, Look, Remedy, Severity, Span,
    facts::storage::{Litterer, Storage, YOUNG_LITTER},
};

/// Files below `objects/` that Git does not know.
pub(super) static GARBAGE: Check = Check {
    id: "garbage-files",
    title: "Files among the objects that are no objects",
    looks_at: "Files in `objects/00` to `objects/ff` and `objects/pack` that Git calls garbage, from an hour of age on",
    why: "They are traces of crashes and of other programs, and Git never removes most of them",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (garbage, size-garbage)"),
    runbook: Runbook {
        look: "`git count-objects -v` names each of them as a warning; packs without their index are told by `incomplete-packs`",
        mend: "Move them aside when no git works here",
        sure: "`git count-objects -v` shows `garbage: 0`",
        undo: Some("Move them back from `.git/quarantine`"),
    },
    threshold: None,
    judge: garbage,
};

/// What a git made for a while and left.
pub(super) static TEMPORARY: Check = Check {
    id: "temporary-files",
    title: "Temporary files of a git that died",
    looks_at: "Files and folders below `objects/` whose names begin with `tmp_`, `.tmp-` or `incoming-`",
    why: "Each is a fetch, push or repack that was killed; they can be as large as the repository",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git prune --dry-run --expire=1.day.ago (the files)"),
    runbook: Runbook {
        look: "`find .git/objects -name 'tmp_*' -mtime +0` lists them; `pgrep -a git` shows whether a git works here",
        mend: "`git prune --expire=1.day.ago` removes them and unreachable objects of that age: move them aside instead if you want to see what they hold",
        sure: "`find .git/objects -name 'tmp_*' -mtime +0` lists nothing",
        undo: Some("Move them back from `.git/quarantine`"),
    },
    threshold: Some(ThresholdSpec {
        default: 24,
        range: (1, 8760),
        unit: "hours",
        source: "Gitaly: stale temporary files and folders",
    }),
    judge: temporary,
};

/// Remembered resolutions and reflogs that grew large.
pub(super) static RECORDS: Check = Check {
    id: "leftover-records",
    title: "Large reflogs or remembered resolutions",
    looks_at: "The files below `logs/` and `rr-cache/`, by stat",
    why: "They grow with every alignment; Git only shortens them when its upkeep runs",
    severity: Severity::Info,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: None,
    runbook: Runbook {
        look: "`du -sh .git/logs .git/rr-cache`, `git config --get-regexp '^gc\\.(reflog|rerere)'`",
        mend: "`git rerere gc` forgets resolutions that are older than 60 days; `git reflog expire --all` drops entries older than 90 days. What they drop is lost as a way to undo: keep a backup",
        sure: "`du -sh .git/logs .git/rr-cache` shows less",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 100,
        range: (1, 1_000_000),
        unit: "MiB",
        source: "alignwatch: a hundred times what a repository of 650 branches has",
    }),
    judge: records,
};

fn storage<'a>(seen: &Seen<'a>) -> Result<&'a Storage, String> {
    match &seen.snapshot.facts.storage {
        Known::Seen(storage) => Ok(storage),
        Known::Unknown(reason) => Err(reason.clone()),
    }
}

fn garbage(seen: &Seen<'_>) -> Outcome {
    let garbage = match storage(seen).map(|storage| &storage.garbage) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
        Ok(Known::Seen(garbage)) => garbage,
    };
    // Temporary files are told by their own check, with a longer patience.
    // So are packs and indexes without their other half.
    let is_meant = |one: &&Litterer| !one.is_temporary && !is_half(one) && is_older(seen, one, YOUNG_LITTER);
    let found: Vec<&Litterer> = garbage.named.iter().filter(is_meant).collect();
    if found.is_empty() {
        return Outcome::default();
    }
    let verb = agree(found.len(), "is no object", "are no objects");
    let summary = format!("{} among the objects {verb}: {}", count(found.len(), "file"), size(&found));
    let finding = seen
        .finding(Severity::Warning, "", "objects", summary)
        .fact("n_garbage", garbage.n)
        .fact("garbage_bytes", garbage.bytes)
        .so("They take up space, and nobody else will remove them.");
    Outcome::found(vec![named(seen, finding, &found)])
}

fn temporary(seen: &Seen<'_>) -> Outcome {
    let temporary = match storage(seen).map(|storage| &storage.temporary) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
        Ok(Known::Seen(temporary)) => temporary,
    };
    let (hours, threshold) = seen.threshold();
    let is_old = |one: &&Litterer| is_older(seen, one, Span::hours(hours));
    let found: Vec<&Litterer> = temporary.named.iter().filter(is_old).collect();
    if found.is_empty() {
        return Outcome::default();
    }
    let folders = found.iter().filter(|one| one.is_folder).count();
    let summary = format!(
        "{} and {} of a git that died are {hours} h or older: {}",
        count(found.len() - folders, "temporary file"),
        count(folders, "folder"),
        size(&found)
    );
    let finding = seen
        .finding(Severity::Warning, "", "objects", summary)
        .against(threshold)
        .fact("n_temporary", temporary.n)
        .so("A fetch, push or repack was killed; what it brought is not there.");
    Outcome::found(vec![named(seen, finding, &found)])
}

/// What cannot be looked at is told: it does not get younger.
fn is_older(seen: &Seen<'_>, one: &Litterer, age: Span) -> bool {
    one.modified_at.seen().is_none_or(|at| age <= seen.now.since(*at))
}

fn size(found: &[&Litterer]) -> String {
    bytes(found.iter().fold(0, |sum, one| sum.saturating_add(one.bytes)))
}

fn named(seen: &Seen<'_>, finding: Finding, found: &[&Litterer]) -> Finding {
    finding
        .names("files", found.iter().map(|one| one.path.as_str()))
        .fact("source", "objects/, by stat; git count-objects -v")
        .mend(aside(seen, found.iter().map(|one| one.path.clone())))
}

fn records(seen: &Seen<'_>) -> Outcome {
    let storage = match storage(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(storage) => storage,
    };
    let (reflogs, resolutions) = match (&storage.reflogs, &storage.resolutions) {
        (Known::Seen(reflogs), Known::Seen(resolutions)) => (reflogs, resolutions),
        (Known::Unknown(reason), _) | (_, Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
    };
    let (mebibytes, threshold) = seen.threshold();
    if reflogs.bytes.saturating_add(resolutions.bytes) >> 20 < mebibytes.unsigned_abs() {
        return Outcome::default();
    }
    let summary =
        format!("Reflogs take up {}, remembered resolutions {}", bytes(reflogs.bytes), bytes(resolutions.bytes));
    let finding = seen
        .finding(Severity::Info, "", "logs", summary)
        .against(threshold)
        .fact("reflog_bytes", reflogs.bytes)
        .fact("n_reflogs", reflogs.n_files)
        .fact("resolution_bytes", resolutions.bytes)
        .fact("n_resolution_files", resolutions.n_files)
        .fact("n_resolution_files_older_than_60_days", resolutions.n_old)
        .fact("source", "logs/ and rr-cache/, by stat")
        .so("Fetches and alignments write them; reading a reflog gets slow.")
        .mend(Remedy::irreversible(
            "Let Git drop what is older than its limits (60 and 90 days). What is dropped cannot be used to undo any more.",
            ["git rerere gc".to_owned(), "git reflog expire --all".to_owned()],
        ));
    Outcome::found(vec![finding])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Snapshot, Timestamp,
        facts::storage::{Litter, Records},
    };

    const ALL: [&Check; 3] = [&GARBAGE, &TEMPORARY, &RECORDS];

    fn one(path: &str, hours: i64) -> Litterer {
        Litterer {
            path: path.into(),
            bytes: 1 << 20,
            modified_at: Known::Seen(Timestamp(NOW.0 - 3600 * hours)),
            is_temporary: path.contains("tmp_"),
            is_folder: path.contains("objdir"),
        }
    }

    fn litter(named: Vec<Litterer>) -> Known<Litter> {
        Known::Seen(Litter { n: named.len() as u64, bytes: 1 << 20, named })
    }

    fn with(garbage: Vec<Litterer>, temporary: Vec<Litterer>) -> Snapshot {
        stored(|storage| (storage.garbage, storage.temporary) = (litter(garbage), litter(temporary)))
    }

    #[test]
    fn young_litter_may_belong_to_a_git_at_work() {
        let temporary = one("pack/tmp_pack_1", 23);
        let seen = with(vec![one("pack/x.pack", 0), temporary.clone()], vec![temporary]);
        for check in ALL {
            assert_eq!(judged(check, &seen), Outcome::default(), "{}", check.id);
        }
    }

    #[test]
    fn old_litter_is_told_once_each_and_moved_aside() {
        let temporary = [one("pack/tmp_pack_1", 24), one("tmp_objdir-in-x", 30)];
        let seen = with(vec![one("pack/it's.old", 1), temporary[0].clone()], temporary.to_vec());
        let findings = [&GARBAGE, &TEMPORARY].map(|check| only(judged(check, &seen)));
        assert_eq!(
            told(&findings),
            "[warning] garbage-files: 1 file among the objects is no object: 1.0 MiB\n\
             [warning] temporary-files: 1 temporary file and 1 folder of a git that died are 24 h or older: 2.0 MiB"
        );
        assert_eq!(
            findings[0].remedy.commands[1],
            r"mv -n -- '/repo/.git/objects/pack/it'\''s.old' '/repo/.git/quarantine/objects-pack-it'\''s.old'"
        );
    }

    #[test]
    fn large_records_are_told() {
        let large = Records { n_files: 3, bytes: 60 << 20, n_old: 1 };
        let seen = stored(|storage| (storage.reflogs, storage.resolutions) = (Known::Seen(large), Known::Seen(large)));
        assert_eq!(
            told([&only(judged(&RECORDS, &seen))]),
            "[info] leftover-records: Reflogs take up 60.0 MiB, remembered resolutions 60.0 MiB"
        );
    }

    #[test]
    fn what_could_not_be_looked_at_is_unknown() {
        let unread = stored(|storage| {
            storage.garbage = Known::default();
            storage.temporary = Known::default();
            storage.resolutions = Known::default();
        });
        for check in ALL {
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }
}
