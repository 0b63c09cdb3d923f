//! `loose-refs`, `ref-count`, `ref-backend`: how refs are stored, and how many there are.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Known, Look, Remedy, Severity, Threshold, facts::speed::RefStore};

/// Many refs that are a file each.
pub(super) static LOOSE: Check = Check {
    id: "loose-refs",
    title: "Many refs that are a file each",
    looks_at: "Files below `refs/`, against the size of `packed-refs`",
    why: "Listing branches opens each of these files; on a network file system that takes seconds",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Speed],
    git_says: Some("git pack-refs --all --auto (2.45: packs from the same number on)"),
    runbook: Runbook {
        look: "`find .git/refs -type f | wc -l`, `ls -l .git/packed-refs`",
        mend: "`git pack-refs --all`: it takes a lock for a moment, readers are not disturbed",
        sure: "`find .git/refs -type f | wc -l` shows few, `git for-each-ref | wc -l` as many as before",
        undo: Some("Nothing to take back: each ref is as it was; the next move of one makes a file again"),
    },
    threshold: Some(ThresholdSpec {
        default: 16,
        range: (1, 1_000_000),
        unit: "refs",
        source: "git 2.45: pack-refs --auto; at least this, growing with the logarithm of packed-refs",
    }),
    judge: loose,
};

/// More refs than tools can take.
pub(super) static COUNT: Check = Check {
    id: "ref-count",
    title: "Very many refs",
    looks_at: "All refs: branches, tags, remotes and what tools hide elsewhere",
    why: "Each fetch and push speaks of all of them, and each look at branches reads them all",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Speed],
    git_says: Some("git for-each-ref | wc -l"),
    runbook: Runbook {
        look: "`git for-each-ref --format='%(refname)' | cut -d/ -f1-3 | sort | uniq -c | sort -rn | head` shows where they are",
        mend: "Delete refs of merged branches (`alignwatch check --only landed-still-here`), and archive the others outside of the repository: `git bundle create FILE REFS…`",
        sure: "`git for-each-ref | wc -l` shows fewer",
        undo: Some("`git fetch FILE 'refs/*:refs/*'` brings back what is in the bundle"),
    },
    threshold: Some(ThresholdSpec {
        default: 25_000,
        range: (1, 100_000_000),
        unit: "refs",
        source: "git-sizer: references",
    }),
    judge: many,
};

/// Refs in tables, which not all tools read.
pub(super) static BACKEND: Check = Check {
    id: "ref-backend",
    title: "Refs that not all tools can read",
    looks_at: "`extensions.refStorage` in the repository's configuration",
    why: "Tools that are built on gitoxide see a repository without refs there, and those on libgit2 refuse it: their answers about branches are wrong",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Refs],
    git_says: Some("git rev-parse --show-ref-format (2.44)"),
    runbook: Runbook {
        look: "`git config extensions.refStorage`, `git rev-parse --show-ref-format`",
        mend: "Let every tool that works here call the git executable, 2.45 or later; or go back: `git refs migrate --ref-format=files` (2.46)",
        sure: "Each tool lists as many branches as `git for-each-ref refs/heads`",
        undo: Some("`git refs migrate --ref-format=reftable`"),
    },
    threshold: None,
    judge: backend,
};

fn store<'a>(seen: &Seen<'a>) -> Result<&'a RefStore, String> {
    match &seen.snapshot.facts.speed {
        Known::Seen(speed) => Ok(&speed.refs),
        Known::Unknown(reason) => Err(reason.clone()),
    }
}

fn loose(seen: &Seen<'_>) -> Outcome {
    if seen.snapshot.repository.ref_backend == "reftable" {
        return Outcome::default();
    }
    let (n_loose, packed_bytes) = match store(seen).map(|store| (&store.n_loose, &store.packed_bytes)) {
        Err(reason) => return Outcome::unknown(reason),
        Ok((Known::Seen(n_loose), Known::Seen(packed_bytes))) => (*n_loose, *packed_bytes),
        Ok((Known::Unknown(reason), _) | (_, Known::Unknown(reason))) => return Outcome::unknown(reason.clone()),
    };
    let (least, Threshold { source, .. }) = seen.threshold();
    let limit = git_limit(packed_bytes).max(least.unsigned_abs());
    if n_loose < limit {
        return Outcome::default();
    }
    let summary =
        format!("{} are a file each, beside {} of packed ones", count(n_loose as usize, "ref"), bytes(packed_bytes));
    let finding = seen
        .finding(Severity::Warning, "", "refs", summary)
        .against(Threshold { value: limit.into(), source })
        .fact("n_loose_refs", n_loose)
        .fact("packed_refs_bytes", packed_bytes)
        .fact("source", "refs/, packed-refs")
        .so("Every look at the branches opens each of these files.")
        .mend(Remedy::reversible("Pack them: each stays as it is, in one file.", ["git pack-refs --all".to_owned()]));
    Outcome::found(vec![finding])
}

/// From so many loose refs on, `git pack-refs --auto` packs. Source: refs/files-backend.c of Git 2.47.
fn git_limit(packed_bytes: u64) -> u64 {
    (packed_bytes / 100).checked_ilog2().map_or(0, |log| u64::from(log) * 5)
}

fn many(seen: &Seen<'_>) -> Outcome {
    let n_refs = match store(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(store) => store.n_refs,
    };
    let (limit, threshold) = seen.threshold();
    if n_refs <= limit.unsigned_abs() {
        return Outcome::default();
    }
    let summary = format!("There are {}", count(n_refs as usize, "ref"));
    let finding = seen
        .finding(Severity::Warning, "", "refs", summary)
        .against(threshold)
        .fact("n_refs", n_refs)
        .fact("source", "refs/ and packed-refs; git for-each-ref")
        .so("Fetches, pushes and every look at the branches get slower with each of them.")
        .mend(Remedy::reversible(
            "See where they are. Whatever can go is archived first, outside of the repository (git bundle).",
            ["git for-each-ref --format='%(refname)' | cut -d/ -f1-3 | sort | uniq -c | sort -rn | head".to_owned()],
        ));
    Outcome::found(vec![finding])
}

fn backend(seen: &Seen<'_>) -> Outcome {
    if seen.snapshot.repository.ref_backend != "reftable" {
        return Outcome::default();
    }
    let finding = seen
        .finding(Severity::Warning, "reftable", "refs", "Refs are stored as tables (reftable)")
        .fact("ref_backend", "reftable")
        .fact("source", "extensions.refStorage in config")
        .so("Tools on gitoxide see no branches here, tools on libgit2 refuse: only the git executable (2.45 or later) reads them.")
        .mend(Remedy::reversible(
            "Let all tools call git, or go back to files. Undo: git refs migrate --ref-format=reftable",
            ["git refs migrate --dry-run --ref-format=files".to_owned()],
        ));
    Outcome::found(vec![finding])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn with(n_refs: u64, n_loose: u64, packed_bytes: u64) -> Snapshot {
        sped(|speed| {
            speed.refs = RefStore { n_refs, n_loose: Known::Seen(n_loose), packed_bytes: Known::Seen(packed_bytes) };
        })
    }

    #[test]
    fn the_limit_of_loose_refs_grows_with_the_logarithm() {
        assert_eq!([0, 100, 1600, 102_400, 10 << 20].map(git_limit), [0, 0, 20, 50, 80]);
    }

    #[test]
    fn few_loose_refs_and_few_refs_are_fine() {
        assert_eq!(judged(&LOOSE, &with(15, 15, 0)), Outcome::default());
        assert_eq!(judged(&LOOSE, &with(2000, 49, 102_400)), Outcome::default());
        assert_eq!(judged(&COUNT, &with(25_000, 0, 0)), Outcome::default());
        assert_eq!(judged(&BACKEND, &snapshot([])), Outcome::default());
    }

    #[test]
    fn many_are_told() {
        let snapshot = with(25_001, 50, 102_400);
        let loose = only(judged(&LOOSE, &snapshot));
        assert_eq!(
            told([&loose, &only(judged(&COUNT, &snapshot))]),
            "[warning] loose-refs: 50 refs are a file each, beside 100.0 KiB of packed ones\n\
             [warning] ref-count: There are 25,001 refs"
        );
        assert_eq!(loose.threshold.unwrap().value, 50);
    }

    #[test]
    fn tables_are_told() {
        let mut tables = with(5, 0, 0);
        tables.repository.ref_backend = "reftable".into();
        assert_eq!(judged(&LOOSE, &tables), Outcome::default());
        assert_eq!(
            told([&only(judged(&BACKEND, &tables))]),
            "[warning] ref-backend:reftable: Refs are stored as tables (reftable)"
        );
    }

    #[test]
    fn what_could_not_be_counted_is_unknown() {
        let closed = sped(|speed| speed.refs.n_loose = Known::Unknown("permission denied".into()));
        assert_eq!(judged(&LOOSE, &closed), Outcome::unknown("permission denied"));
        assert!(judged(&LOOSE, &snapshot([])).unknown.is_some());
        assert!(judged(&COUNT, &snapshot([])).unknown.is_some());
    }
}
