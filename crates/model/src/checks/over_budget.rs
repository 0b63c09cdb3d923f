//! `over-budget`: branches whose drift is more than their relation allows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Branch, Finding, Known, Look, RefName, Relation, Remedy, Severity, Threshold, quote::shell_ref, relation::Budget,
};

/// Branches past the drift that was agreed for them, one finding for each base and budget.
///
/// A mirror must equal its base, so any commit on either side is too much, and
/// an error: its readers get something else than they were promised. Relations
/// that diverge on purpose (`curated`, `forbidden`, `backport`) have no budget.
pub(super) static CHECK: Check = Check {
    id: "over-budget",
    title: "Branches over their drift budget",
    looks_at: "Commits and time that each branch is behind, against the budget of its relation",
    why: "The budget is what was agreed: past it, aligning is due whatever else is going on",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git for-each-ref --format='%(ahead-behind:…)'"),
    runbook: Runbook {
        look: "`alignwatch branches --sort behind` shows drift and budget of each branch",
        mend: "Align the branch, or change its budget under `relations`",
        sure: "`within_budget` is true in `alignwatch branches --json`",
        undo: Some(
            "`git reset --hard ORIG_HEAD` right after a merge; `git reflog <branch>` has the tip from before a rebase",
        ),
    },
    threshold: None,
    judge,
};

/// Branches over the same budget towards the same base.
type Groups<'a> = BTreeMap<(&'a RefName, &'static str, Limits), Vec<&'a Branch>>;

/// A budget that can be ordered: commits behind, seconds.
type Limits = (Option<u32>, Option<i64>);

fn judge(seen: &Seen<'_>) -> Outcome {
    let mut groups = Groups::new();
    for branch in seen.branches().filter(|branch| is_over(seen, branch)) {
        if let Some(base) = &branch.base {
            let key = (&base.name, branch.relation.word(), limits(branch.budget));
            groups.entry(key).or_default().push(branch);
        }
    }
    let findings = groups.into_iter().map(|((base, _, _), branches)| of_group(seen, base, branches)).collect();
    Outcome { findings, unknown: seen.unmeasured(), skipped: None }
}

fn is_over(seen: &Seen<'_>, branch: &Branch) -> bool {
    match (&branch.drift, branch.relation) {
        (Known::Seen(drift), Relation::Mirror) => drift.ahead > 0 || drift.behind > branch.budget.behind.unwrap_or(0),
        _ => branch.may_hold_work() && branch.within_budget(seen.now) == Some(false),
    }
}

fn of_group(seen: &Seen<'_>, base: &RefName, mut branches: Vec<&Branch>) -> Finding {
    branches.sort_by_key(|branch| std::cmp::Reverse(branch.drift.seen().map(|drift| drift.behind)));
    let first = branches[0];
    let (relation, budget) = (first.relation, first.budget);
    let severity = if relation == Relation::Mirror { Severity::Error } else { Severity::Warning };
    let drift = first.drift.seen();
    let (ahead, behind) = drift.map_or((0, 0), |drift| (drift.ahead, drift.behind));
    let summary = format!(
        "{} with the relation `{}` to {} {} over budget ({}); the worst, {}, is {} ahead and {} behind",
        count(branches.len(), "branch"),
        relation.word(),
        quoted(base),
        agree(branches.len(), "is", "are"),
        spoken(relation, budget),
        quoted(&first.name),
        thousands(ahead as usize),
        thousands(behind as usize),
    );
    let cause = format!("{}:{}:{}", base.text(), relation.word(), spoken(relation, budget).replace(' ', "-"));
    seen.finding(severity, &cause, base.short().text(), summary)
        .branches(branches.iter().copied())
        .fact("base", base.text())
        .fact("relation", relation.word())
        .fact("behind_most_commits", behind)
        .against(Threshold {
            value: allowed(relation, budget),
            source: format!("configured: budget of the relation `{}`", relation.word()),
        })
        .so(impact(relation))
        .mend(remedy(relation, first, base))
}

fn impact(relation: Relation) -> &'static str {
    match relation {
        Relation::Mirror => "Whoever reads the mirror does not get what the base holds.",
        _ => "The agreed distance is passed: each further commit of the base makes aligning dearer.",
    }
}

fn remedy(relation: Relation, branch: &Branch, base: &RefName) -> Remedy {
    let text = match relation {
        Relation::Mirror => {
            "Find out why the mirror stopped, then bring it level with its base. The command shows both sides."
        }
        _ => "Align the branch with its base now, or agree on another budget. The command shows both sides.",
    };
    let sides = format!("{}...{}", shell_ref(&branch.name), shell_ref(base));
    Remedy::reversible(text, [format!("git log --oneline --left-right {sides}")])
}

fn spoken(relation: Relation, budget: Budget) -> String {
    let commits = budget.behind.map(|most| count(most as usize, "commit"));
    let age = budget.age.map(|most| most.to_string());
    match (commits, age) {
        (Some(commits), Some(age)) => format!("{commits} or {age}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) if relation == Relation::Mirror => "must be equal".into(),
        (None, None) => "none".into(),
    }
}

/// What is allowed; what nobody limits is not among it.
fn allowed(relation: Relation, budget: Budget) -> Value {
    let mut allowed = Map::new();
    let behind = if relation == Relation::Mirror { Some(budget.behind.unwrap_or(0)) } else { budget.behind };
    allowed.extend((relation == Relation::Mirror).then(|| ("ahead_commits".to_owned(), 0.into())));
    allowed.extend(behind.map(|most| ("behind_commits".to_owned(), most.into())));
    allowed.extend(budget.age.map(|most| ("age_seconds".to_owned(), most.0.into())));
    allowed.into()
}

fn limits(budget: Budget) -> Limits {
    (budget.behind, budget.age.map(|age| age.0))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Landed, Proof, Span};

    fn with_budget(mut branch: Branch, behind: Option<u32>, age: Option<Span>) -> Branch {
        branch.budget = Budget { behind, age };
        branch
    }

    #[test]
    fn drift_inside_of_the_budget_is_fine_and_past_it_is_found() {
        let inside = with_budget(branch("refs/heads/a", 1, 10), Some(10), None);
        let past = with_budget(branch("refs/heads/b", 2, 11), Some(10), None);
        let finding = only(judged(&CHECK, &snapshot([inside, past])));
        // What nobody limits is not unknown.
        assert_eq!(finding.threshold.as_ref().unwrap().value, serde_json::json!({ "behind_commits": 10 }));
        assert_eq!(
            told([&finding]),
            "[warning] over-budget:refs/heads/main:track:10-commits: 1 branch with the relation `track` to `main` \
             is over budget (10 commits); the worst, `b`, is 2 ahead and 11 behind"
        );
    }

    #[test]
    fn time_is_a_budget_too() {
        let late = with_budget(branch("refs/heads/a", 1, 1), None, Some(Span::days(8)));
        let finding = only(judged(&CHECK, &snapshot([late])));
        assert!(finding.summary.contains("over budget (8 d)"));
        assert_eq!(finding.threshold.unwrap().value, serde_json::json!({ "age_seconds": 691_200 }));
    }

    #[test]
    fn a_mirror_must_be_equal() {
        let mut mirror = branch("refs/heads/mirror", 1, 0);
        mirror.relation = Relation::Mirror;
        assert_eq!(only(judged(&CHECK, &snapshot([mirror]))).severity, Severity::Error);
        let mut equal = branch("refs/heads/mirror", 0, 0);
        equal.relation = Relation::Mirror;
        assert_eq!(judged(&CHECK, &snapshot([equal])), Outcome::default());
    }

    #[test]
    fn lines_apart_on_purpose_and_landed_work_have_no_budget() {
        let mut apart = with_budget(branch("refs/heads/a", 1, 10), Some(1), None);
        apart.relation = Relation::Curated;
        let mut landed = with_budget(branch("refs/heads/b", 1, 10), Some(1), None);
        landed.landed = Landed::Yes(Proof::PatchIds);
        assert_eq!(judged(&CHECK, &snapshot([apart, landed])), Outcome::default());
    }

    #[test]
    fn what_could_not_be_measured_is_unknown() {
        let outcome = judged(&CHECK, &snapshot([with_budget(unmeasured(branch("refs/heads/x", 0, 0)), Some(1), None)]));
        assert!(outcome.unknown.is_some());
    }
}
