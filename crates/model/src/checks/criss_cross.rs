//! `criss-cross`: branches with more than one best common ancestor with their base.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, scope::*};
use crate::{Branch, Finding, Look, Remedy, Severity, quote::shell_ref};

/// Open branches with two or more merge bases, one finding for each base.
pub(super) static CHECK: Check = Check {
    id: "criss-cross",
    title: "Criss-cross histories",
    looks_at: "All best common ancestors of each open branch and its base (git merge-base --all)",
    why: "Git must first merge the ancestors with each other: slower, conflicts that were solved come back, \
          and tools that take one of the ancestors get another answer than Git",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git merge-base --all"),
    runbook: Runbook {
        look: "`git merge-base --all <base> <branch>` names more than one commit",
        mend: "Nothing is wrong; let Git find the merge bases itself (never pass one `--merge-base`), and merge in one direction",
        sure: "Later merges leave one merge base",
        undo: Some("Nothing was changed"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let crossed = seen.open().filter(|branch| n_bases(branch) > 1);
    let findings = by_base(crossed).into_iter().map(|group| of_base(seen, group)).collect();
    Outcome { findings, unknown: seen.unmeasured(), skipped: None }
}

fn of_base(seen: &Seen<'_>, (base, mut branches): OfBase<'_>) -> Finding {
    branches.sort_by_key(|branch| std::cmp::Reverse(n_bases(branch)));
    let worst = branches[0];
    let summary = format!(
        "{} {} more than one merge base with {}; {} has {}",
        count(branches.len(), "branch"),
        agree(branches.len(), "has", "have"),
        quoted(base),
        quoted(&worst.name),
        n_bases(worst),
    );
    let (ours, theirs) = (shell_ref(base), shell_ref(&worst.name));
    seen.finding(Severity::Info, &base.text(), base.short().text(), summary)
        .branches(branches.iter().copied())
        .fact("merge_bases_most", n_bases(worst))
        .fact("source", "git merge-base --all <base> <branch>")
        .so("Conflicts that were solved once can come back, and a script that names one merge base may lose changes.")
        .mend(Remedy::reversible(
            "Let alignments go one way only: merge the base into the branch, and the branch into the base once, at its end. \
             The command shows the ancestors.",
            [format!("git merge-base --all {ours} {theirs}")],
        ))
}

fn n_bases(branch: &Branch) -> usize {
    branch.drift.seen().map_or(0, |drift| drift.merge_bases.len())
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Known;

    #[test]
    fn one_merge_base_is_fine_and_two_are_found() {
        let mut crossed = branch("refs/heads/x", 2, 2);
        if let Known::Seen(drift) = &mut crossed.drift {
            drift.merge_bases = vec![oid(4), oid(5)];
        }
        let finding = only(judged(&CHECK, &snapshot([crossed, branch("refs/heads/y", 2, 2)])));
        assert_eq!(
            told([&finding]),
            "[info] criss-cross:refs/heads/main: 1 branch has more than one merge base with `main`; `x` has 2"
        );
        assert_eq!(judged(&CHECK, &snapshot([branch("refs/heads/y", 2, 2)])), Outcome::default());
    }

    #[test]
    fn what_could_not_be_measured_is_unknown() {
        assert!(judged(&CHECK, &snapshot([unmeasured(branch("refs/heads/x", 0, 0))])).unknown.is_some());
    }
}
