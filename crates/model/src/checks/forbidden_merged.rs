//! `forbidden-merged`: two lines that were declared to stay apart, and were merged.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, RefName, Relation, Remedy, Severity,
    quote::shell_ref,
    snapshot::{Crossing, CrossingMerge},
};

/// Pairs with the relation `forbidden` whose histories were joined by a merge, one finding for each pair.
///
/// Seen from the merges on either line that reach into the other since they forked.
pub(super) static CHECK: Check = Check {
    id: "forbidden-merged",
    title: "Lines merged that must stay apart",
    looks_at: "Merges between the two lines of each pair that is declared `forbidden`",
    why: "The declaration says that one must never contain the other; a wholesale merge is hard to take back once others build on it",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git log --merges"),
    runbook: Runbook {
        look: "`git log --oneline --merges --first-parent <branch>` around the commit in the finding",
        mend: "Talk to whoever merged. Revert the merge (`git revert -m 1 <commit>`), or declare another relation if it was meant",
        sure: "`alignwatch check --only forbidden-merged` names no new merge; a reverted one stays in history, so accept it in the configuration",
        undo: Some("`git revert` of the revert"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let crossings = &seen.snapshot.crossings;
    let findings = crossings.iter().filter_map(|crossing| found(seen, crossing)).collect();
    let looked = crossings.iter().filter_map(|crossing| crossing.merges.reason());
    Outcome { findings, unknown: unjudged("pair", looked.chain(not_looked(seen))), skipped: None }
}

/// Forbidden pairs about which nothing was gathered are not known to be apart.
fn not_looked<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a str> {
    let crossings = &seen.snapshot.crossings;
    let is_missing = |name: &RefName| !crossings.iter().any(|crossing| crossing.branch == *name);
    let forbidden = seen.snapshot.branches.iter().filter(|branch| branch.relation == Relation::Forbidden);
    forbidden.filter(move |branch| branch.base.is_some() && is_missing(&branch.name)).map(|_| "not looked at")
}

fn found(seen: &Seen<'_>, crossing: &Crossing) -> Option<Finding> {
    let Known::Seen(merges) = &crossing.merges else { return None };
    let newest = merges.iter().max_by_key(|merge| merge.committed_at)?;
    let (branch, base) = (quoted(&crossing.branch), quoted(&crossing.base));
    let (from, into) = if newest.into_branch { (&base, &branch) } else { (&branch, &base) };
    let summary = format!(
        "{from} was merged into {into} by {} on {}, though the two must stay apart",
        newest.oid.short(),
        day(newest),
    );
    let cause = format!("{}:{}", crossing.branch.text(), crossing.base.text());
    let finding = seen.finding(Severity::Error, &cause, crossing.branch.short().text(), summary);
    Some(
        finding
            .fact("branch", crossing.branch.text())
            .fact("base", crossing.base.text())
            .names("merges", merges.iter().map(|merge| merge.oid.hex()))
            .fact("merged_at", newest.committed_at.rfc3339())
            .so("From here on Git takes each for a part of the other: merges and rebases of branches on top carry foreign commits along.")
            .mend(remedy(crossing, newest)),
    )
}

fn day(merge: &CrossingMerge) -> String {
    merge.committed_at.rfc3339().chars().take(10).collect()
}

fn remedy(crossing: &Crossing, merge: &CrossingMerge) -> Remedy {
    let line = if merge.into_branch { &crossing.branch } else { &crossing.base };
    let text = format!(
        "Look at the merge first. If it was a mistake and nobody builds on it, move {} back to the commit before it; \
         otherwise revert it there, or declare another relation.",
        quoted(line),
    );
    let show = format!("git show --first-parent --stat {}", merge.oid);
    let since = format!("git log --oneline --first-parent {}..{}", merge.oid, shell_ref(line));
    Remedy::reversible(text, [show, since])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn pair(merges: Known<Vec<CrossingMerge>>) -> Snapshot {
        let mut apart = branch("refs/heads/lab", 9, 9);
        apart.relation = Relation::Forbidden;
        let mut snapshot = snapshot([apart]);
        snapshot.crossings = vec![Crossing { branch: "refs/heads/lab".into(), base: "refs/heads/main".into(), merges }];
        snapshot
    }

    #[test]
    fn a_merge_between_lines_that_must_stay_apart_is_an_error() {
        let merge = CrossingMerge { into_branch: true, oid: oid(7), committed_at: NOW };
        let finding = only(judged(&CHECK, &pair(Known::Seen(vec![merge]))));
        assert_eq!(
            told([&finding]),
            "[error] forbidden-merged:refs/heads/lab:refs/heads/main: `main` was merged into `lab` by 070707070707 \
             on 2023-11-14, though the two must stay apart"
        );
    }

    #[test]
    fn lines_that_stayed_apart_are_fine_however_far() {
        assert_eq!(judged(&CHECK, &pair(Known::Seen(Vec::new()))), Outcome::default());
    }

    #[test]
    fn a_pair_that_was_not_read_or_not_looked_at_is_unknown() {
        assert!(judged(&CHECK, &pair(Known::Unknown("object 00 is missing".into()))).unknown.is_some());
        let mut forgotten = pair(Known::Seen(Vec::new()));
        forgotten.crossings.clear();
        assert_eq!(judged(&CHECK, &forgotten).unknown.unwrap(), "1 pair could not be judged: not looked at (1)");
    }
}
