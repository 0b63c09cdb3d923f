//! `left-behind-refs`, `blocked-names`: refs that tools leave, and names that cannot stand beside each other.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Known, Look, Remedy, Severity, facts::refs::RefFacts};

/// Refs of tools that nobody cleans up.
pub(super) static LEFT_BEHIND: Check = Check {
    id: "left-behind-refs",
    title: "Refs that tools left behind",
    looks_at: "The number of refs below `refs/original`, `refs/prefetch`, `refs/branchless`, `refs/jj`, `refs/archive` and the like",
    why: "They keep objects that nobody needs, and every command that lists refs gets slower",
    severity: Severity::Info,
    family: Family::Refs,
    needs: &[Look::Refs],
    git_says: Some("git for-each-ref"),
    runbook: Runbook {
        look: "`git for-each-ref refs/original refs/prefetch refs/branchless refs/jj refs/archive | wc -l`, and the same for one folder",
        mend: "Expire them with the tool that made them. For a tool that is gone: keep a list with `git for-each-ref --format='create %(refname) %(objectname)' <folder> > kept-refs`, then delete with `git for-each-ref --format='delete %(refname)' <folder> | git update-ref --stdin`",
        sure: "`git for-each-ref <folder>` prints nothing",
        undo: Some("`git update-ref --stdin < kept-refs`, as long as the objects were not pruned"),
    },
    threshold: Some(ThresholdSpec {
        default: 1000,
        range: (1, 10_000_000),
        unit: "refs",
        source: "ours; far below the 25,000 refs at which git-sizer begins to be concerned",
    }),
    judge: left_behind,
};

/// Names of branches that are a folder for others.
pub(super) static BLOCKED: Check = Check {
    id: "blocked-names",
    title: "Names that block each other",
    looks_at: "Branch names of all places: a name that is the folder of another, such as `a` and `a/b`",
    why: "Git cannot hold both in one place, so the second can be neither checked out, fetched nor aligned under its name",
    severity: Severity::Warning,
    family: Family::Refs,
    needs: &[Look::Refs],
    git_says: Some("git for-each-ref"),
    runbook: Runbook {
        look: "`git for-each-ref --format='%(refname)'` shows both names",
        mend: "Rename one of them where it lives: `git branch -m -- <old> <new>`",
        sure: "`alignwatch check --only blocked-names` is ok",
        undo: Some("`git branch -m -- <new> <old>`"),
    },
    threshold: None,
    judge: blocked,
};

fn refs<'a>(seen: &Seen<'a>) -> Result<&'a RefFacts, Outcome> {
    match &seen.snapshot.facts.refs {
        Known::Seen(refs) => Ok(refs),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn left_behind(seen: &Seen<'_>) -> Outcome {
    let refs = match refs(seen) {
        Ok(refs) => refs,
        Err(outcome) => return outcome,
    };
    let (limit, threshold) = seen.threshold();
    let total: usize = refs.left_behind.iter().map(|(_, n)| n).sum();
    if total as i64 <= limit {
        return Outcome::default();
    }
    let summary =
        format!("Tools left {} behind (limit {limit}), of {} in all", count(total, "ref"), count(refs.n_refs, "ref"));
    Outcome::found(vec![
        seen.finding(Severity::Info, "", "refs", summary)
            .names("folders", refs.left_behind.iter().map(|(folder, n)| format!("{folder}: {}", thousands(*n))))
            .fact("n_refs", total)
            .fact("source", "git for-each-ref")
            .against(threshold)
            .so("Listing and fetching get slower, and what they point to is never cleaned up.")
            .mend(Remedy::reversible(
                "Expire them with the tool that made them. The command shows them.",
                [format!("git for-each-ref {}", refs.left_behind[0].0)],
            )),
    ])
}

fn blocked(seen: &Seen<'_>) -> Outcome {
    let refs = match refs(seen) {
        Ok(refs) => refs,
        Err(outcome) => return outcome,
    };
    let Some((name, other)) = refs.in_the_way.first() else { return Outcome::default() };
    let n_pairs = refs.in_the_way.len();
    let summary = format!(
        "{} cannot stand beside {}, such as {} beside {}",
        count(n_pairs, "branch name"),
        agree(n_pairs, "another", "others"),
        quoted(name),
        quoted(other)
    );
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", quoted(name), summary)
            .names(
                "pairs",
                refs.in_the_way.iter().map(|(name, other)| format!("{} beside {}", name.text(), other.text())),
            )
            .fact("source", "git for-each-ref --format='%(refname)'")
            .so("The second can be neither checked out nor fetched under its own name, so its branch is never aligned.")
            .mend(Remedy::reversible(
                "Agree with the authors on another name for one of them. Undo: give it the old name again.",
                ["git for-each-ref --format='%(refname)'".to_owned()],
            )),
    ])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn with(refs: RefFacts) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.refs = Known::Seen(refs);
        snapshot
    }

    #[test]
    fn few_refs_are_fine_and_unread_ones_unknown() {
        for check in [&LEFT_BEHIND, &BLOCKED] {
            assert_eq!(judged(check, &with(RefFacts::default())), Outcome::default(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn many_left_refs_are_told_by_folder() {
        let many = RefFacts { left_behind: vec![("refs/original/".into(), 1001)], n_refs: 1200, ..RefFacts::default() };
        let finding = only(judged(&LEFT_BEHIND, &with(many)));
        assert_eq!(
            told([&finding]),
            "[info] left-behind-refs: Tools left 1,001 refs behind (limit 1000), of 1,200 refs in all"
        );
    }

    #[test]
    fn names_that_block_each_other_are_told_as_a_pair() {
        let pair = ("refs/heads/a".into(), "refs/remotes/origin/a/b".into());
        let finding = only(judged(&BLOCKED, &with(RefFacts { in_the_way: vec![pair], ..RefFacts::default() })));
        assert_eq!(
            told([&finding]),
            "[warning] blocked-names: 1 branch name cannot stand beside another, such as `a` beside `origin/a/b`"
        );
    }
}
