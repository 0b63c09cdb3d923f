//! `unrelated-history`: branches that share no commit with any line.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Branch, Finding, Look, Remedy, Severity, State, quote::shell_ref};

/// Branches without a common commit with their base, as one finding.
///
/// A documentation site on a branch of its own is such a branch and is fine:
/// declare it `ignored`. So this is a warning and not an error.
pub(super) static CHECK: Check = Check {
    id: "unrelated-history",
    title: "Branches with foreign history",
    looks_at: "Branches for which `git merge-base` finds no common commit with their base",
    why: "Nothing can be said about their drift, and merging one brings in a whole foreign history",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git merge-base"),
    runbook: Runbook {
        look: "`git merge-base <base> <branch>` ends with 1; `git log --oneline --max-parents=0 <branch>` shows where it began",
        mend: "If it should belong to the base, its commits must be carried over (`git rebase --root --onto <base> <branch>`). If not, declare it `ignored` under `relations`",
        sure: "`git merge-base <base> <branch>` names a commit",
        undo: Some("`git reset --hard ORIG_HEAD` right after the rebase"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let unrelated: Vec<_> = seen.branches().filter(|branch| branch.state() == State::Unrelated).collect();
    let findings = (!unrelated.is_empty()).then(|| found(seen, &unrelated)).into_iter().collect();
    Outcome { findings, unknown: seen.unmeasured(), skipped: None }
}

fn found(seen: &Seen<'_>, unrelated: &[&Branch]) -> Finding {
    let first = unrelated[0];
    let summary = format!(
        "{} {} no commit with {} base, such as {}",
        count(unrelated.len(), "branch"),
        agree(unrelated.len(), "shares", "share"),
        agree(unrelated.len(), "its", "their"),
        quoted(&first.name),
    );
    let command =
        first.base.as_ref().map(|base| format!("git merge-base {} {}", shell_ref(&base.name), shell_ref(&first.name)));
    seen.finding(Severity::Warning, "", count(unrelated.len(), "branch"), summary)
        .branches(unrelated.iter().copied())
        .fact("source", "git merge-base <base> <branch>: exit code 1")
        .so("They cannot be aligned at all, and a merge of one would join two histories for good.")
        .mend(Remedy::reversible(
            "If it is meant to be apart (a site, an import), declare the relation `ignored`. \
             If not, it was pushed from another repository, or history was rewritten: ask its author.",
            command,
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Known, Relation};

    fn orphan(name: &str) -> Branch {
        let mut branch = branch(name, 3, 9);
        if let Known::Seen(drift) = &mut branch.drift {
            drift.merge_bases.clear();
        }
        branch
    }

    #[test]
    fn branches_without_a_common_commit_are_one_finding() {
        let snapshot = snapshot([orphan("refs/heads/a"), orphan("refs/heads/b"), branch("refs/heads/c", 1, 1)]);
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[warning] unrelated-history: 2 branches share no commit with their base, such as `a`"
        );
    }

    #[test]
    fn related_and_ignored_branches_are_fine_and_unmeasured_ones_unknown() {
        let mut ignored = orphan("refs/heads/site");
        ignored.relation = Relation::Ignored;
        assert_eq!(judged(&CHECK, &snapshot([branch("refs/heads/a", 1, 1), ignored])), Outcome::default());
        assert!(judged(&CHECK, &snapshot([unmeasured(branch("refs/heads/a", 0, 0))])).unknown.is_some());
    }
}
