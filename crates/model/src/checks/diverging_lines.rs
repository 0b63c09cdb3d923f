//! `diverging-lines`: two primary lines that grew far apart without anybody having said that they should.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Branch, Drift, Finding, Look, Relation, Remedy, Severity, quote::shell_ref};

/// Pairs of lines with more commits between them than the limit, on both sides, and no declared relation.
///
/// Long-lived lines may diverge on purpose, and then calling it bad is wrong.
/// Nobody but the people there can say: so the finding asks for a declaration.
pub(super) static CHECK: Check = Check {
    id: "diverging-lines",
    title: "Lines that grew apart",
    looks_at: "Commits on each side between the primary lines (git rev-list --count --left-right)",
    why: "Without a declared relation nobody can tell whether the distance is a plan or an accident, and a well-meant merge may join what must stay apart",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git rev-list --count --left-right"),
    runbook: Runbook {
        look: "`git log --oneline --left-right --first-parent <one>...<other>`",
        mend: "Declare what the two owe each other under `relations` in the configuration; then align them or leave them apart",
        sure: "`alignwatch check --only diverging-lines` is ok",
        undo: Some("Remove the declaration"),
    },
    threshold: Some(ThresholdSpec {
        default: 200,
        range: (1, 1_000_000),
        unit: "commits",
        source: "alignwatch: the limit of far-behind, counted on both sides together",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let lines: Vec<_> = seen.snapshot.lines.iter().filter_map(|line| seen.snapshot.branch(&line.name)).collect();
    let (limit, _) = seen.threshold();
    let far = |branch: &&Branch| branch.drift.seen().is_some_and(|drift| is_far(drift, limit));
    let undeclared = lines.iter().copied().filter(|branch| branch.relation == Relation::Track);
    let findings = undeclared.filter(far).filter_map(|branch| found(seen, branch)).collect();
    let unmeasured = lines.iter().filter_map(|branch| branch.drift.reason());
    Outcome { findings, unknown: unjudged("line", unmeasured), skipped: None }
}

/// A line that is only ahead or only behind has not grown apart: it can be moved forward.
fn is_far(drift: &Drift, limit: i64) -> bool {
    let apart = i64::from(drift.ahead) + i64::from(drift.behind);
    drift.ahead > 0 && drift.behind > 0 && limit < apart && !drift.is_unrelated()
}

fn found(seen: &Seen<'_>, branch: &Branch) -> Option<Finding> {
    let (_, threshold) = seen.threshold();
    let (base, drift) = (branch.base.as_ref()?, branch.drift.seen()?);
    let summary = format!(
        "{} and {} are {} apart ({} / {}), and no relation between them is declared",
        quoted(&branch.name),
        quoted(&base.name),
        count((drift.ahead + drift.behind) as usize, "commit"),
        thousands(drift.ahead as usize),
        thousands(drift.behind as usize),
    );
    let cause = format!("{}:{}", branch.name.text(), base.name.text());
    let sides = format!("{}...{}", shell_ref(&branch.name), shell_ref(&base.name));
    Some(
        seen.finding(Severity::Warning, &cause, branch.name.short().text(), summary)
            .fact("base", base.name.text())
            .fact("ahead_commits", drift.ahead)
            .fact("behind_commits", drift.behind)
            .fact("base_age_seconds", branch.base_age(seen.now).map(|age| age.0))
            .fact("source", format!("git rev-list --left-right --count {sides}"))
            .against(threshold)
            .so("Whether work has to flow between the two is not known, so every branch of one counts as it is, and nobody is warned of a merge that must not be.")
            .mend(remedy(branch, &sides)),
    )
}

fn remedy(branch: &Branch, sides: &str) -> Remedy {
    let text = format!(
        "Say in the configuration what the two are to each other: `curated` (only picked commits cross), `forbidden` \
         (never merged), or `track` with a budget. For instance, below `relations:`: \
         {{branches: [\"{}\"], relation: curated}}. The command shows the commits on both sides.",
        branch.name.short(),
    );
    Remedy::reversible(text, [format!("git log --oneline --left-right --first-parent {sides}")])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn two_lines(ahead: u32, behind: u32, relation: Relation) -> Snapshot {
        let mut other = branch("refs/heads/lab", ahead, behind);
        other.relation = relation;
        let mut snapshot = snapshot([branch("refs/heads/main", 0, 0), other]);
        snapshot.lines.push(line("refs/heads/lab"));
        snapshot
    }

    #[test]
    fn lines_far_apart_on_both_sides_ask_for_a_declaration() {
        let finding = only(judged(&CHECK, &two_lines(1531, 50, Relation::Track)));
        assert_eq!(
            told([&finding]),
            "[warning] diverging-lines:refs/heads/lab:refs/heads/main: `lab` and `main` are 1,581 commits apart (1,531 / 50), \
             and no relation between them is declared"
        );
    }

    #[test]
    fn near_one_sided_and_declared_lines_are_fine() {
        assert_eq!(judged(&CHECK, &two_lines(12, 10, Relation::Track)), Outcome::default());
        assert_eq!(judged(&CHECK, &two_lines(1000, 0, Relation::Track)), Outcome::default());
        for relation in [Relation::Curated, Relation::Forbidden, Relation::Backport, Relation::Ignored] {
            assert_eq!(judged(&CHECK, &two_lines(1531, 50, relation)), Outcome::default(), "{relation:?}");
        }
    }

    #[test]
    fn a_line_that_could_not_be_measured_is_unknown() {
        let mut snapshot = two_lines(1, 1, Relation::Track);
        snapshot.branches[0].drift = crate::Known::Unknown("object 00 is missing".into());
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
    }
}
