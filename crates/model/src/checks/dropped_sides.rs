//! `dropped-side`: merges on a line that kept one side whole, and lost what the other had.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, Span, facts::history::DroppedSide};

/// One finding a line, with the newest such merge.
pub(super) static CHECK: Check = Check {
    id: "dropped-side",
    title: "Merges that kept one side whole",
    looks_at: "The merges on the lines: whether their tree is that of one parent, while the other had changes that stand nowhere in it",
    why: "Work was merged and is not there: its branch counts as merged, and nobody looks for it again",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git diff <merge> <merge>^1"),
    runbook: Runbook {
        look: "`git show -m --stat <merge>` shows it against each parent: one list is empty. `git diff <merge>^1...<merge>^2` is what its branch brought",
        mend: "Ask who made the merge whether that was meant (`git merge -s ours` says so). If not, bring the work back: `git revert -m 1 <merge>` and merge again, or `git cherry-pick <merge>^1..<merge>^2` on a branch of its own",
        sure: "`git diff <merge>^1...<merge>^2 --stat` names no path whose change is still missing in the line",
        undo: Some("`git revert` of what was brought back"),
    },
    threshold: Some(ThresholdSpec {
        default: 365,
        range: (1, 365),
        unit: "days",
        source: "alignwatch: a year, after which nobody misses it any more",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let sides = match &seen.snapshot.facts.dropped_sides {
        Known::Seen(sides) => sides,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let limit = Span::days(seen.threshold().0);
    let mut findings = Vec::new();
    for line in &seen.snapshot.lines {
        let of_line = sides.found.iter().filter(|one| one.line == line.name && seen.now.since(one.at) <= limit);
        findings.extend(found(seen, &of_line.collect::<Vec<_>>()));
    }
    let unknown = unjudged("merge", sides.unread.iter().map(|(_, reason)| &**reason));
    Outcome { findings, unknown, skipped: None }
}

/// `sides` are those of one line, the newest first.
fn found(seen: &Seen<'_>, sides: &[&DroppedSide]) -> Option<Finding> {
    let newest = sides.first()?;
    let oid = newest.oid.hex();
    let n_paths: usize = sides.iter().map(|one| one.n_paths).sum();
    let kept = if newest.kept_line { "its own side" } else { "the other side" };
    let summary = format!(
        "{} on {} kept one side whole: what the other changed in {} is gone; the newest, {} ago, kept {kept}",
        count(sides.len(), "merge"),
        quoted(&newest.line),
        count(n_paths, "file"),
        seen.now.since(newest.at),
    );
    let (_, threshold) = seen.threshold();
    Some(
        seen.finding(Severity::Warning, &newest.line.text(), quoted(&newest.line), summary)
            .fact("newest", oid.as_str())
            .fact("by", newest.by.as_str())
            .fact("n_paths", n_paths)
            .names("merges", sides.iter().map(|one| one.oid.hex()))
            .names("paths", newest.paths.iter().map(String::as_str))
            .against(threshold)
            .so("Work counts as merged and is not there.")
            .mend(Remedy::reversible(
                "Ask who made it whether that was meant; if not, bring the work back as the procedure says",
                [format!("git show -m --stat {oid}")],
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{RefName, facts::history::DroppedSides};

    fn side(days: i64, kept_line: bool) -> DroppedSide {
        DroppedSide {
            line: RefName::from("refs/heads/main"),
            oid: oid(days as u8),
            at: days_ago(days),
            by: "A Bot <bot@example.org>".into(),
            kept_line,
            n_paths: 3,
            paths: vec!["a.rs".into()],
        }
    }

    fn with(sides: DroppedSides) -> crate::Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.dropped_sides = Known::Seen(sides);
        snapshot
    }

    #[test]
    fn merges_of_one_line_are_one_finding_with_the_newest() {
        let found = vec![side(5, true), side(9, false), side(400, true)];
        let finding = only(judged(&CHECK, &with(DroppedSides { n_merges: 50, found, unread: Vec::new() })));
        assert_eq!(
            told([&finding]),
            "[warning] dropped-side:refs/heads/main: 2 merges on `main` kept one side whole: what the other changed in \
             6 files is gone; the newest, 5 d ago, kept its own side"
        );
    }

    #[test]
    fn a_line_whose_merges_keep_both_sides_is_fine() {
        assert_eq!(judged(&CHECK, &with(DroppedSides { n_merges: 50, ..DroppedSides::default() })), Outcome::default());
    }

    #[test]
    fn merges_that_could_not_be_read_are_unknown() {
        let unread = vec![(oid(1), "a tree is missing".into())];
        assert!(judged(&CHECK, &with(DroppedSides { unread, ..DroppedSides::default() })).unknown.is_some());
        let mut snapshot = snapshot([]);
        snapshot.facts.dropped_sides = Known::Unknown("there was no time".into());
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
    }
}
