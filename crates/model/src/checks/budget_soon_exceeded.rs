//! `budget-soon-exceeded`: branches that will be over their budget within days if nobody aligns them.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, scope::*};
use crate::{
    Branch, Finding, Known, Look, Remedy, Severity, Span, Timestamp,
    facts::past::LinePast,
    quote::shell_ref,
    trend::{Forecast, Limit, Series, forecast, words::with_interval},
};

/// Open branches inside of their budget that leave it within so many days, one finding for each base.
///
/// A branch that nobody aligns falls behind at the pace of its base. That pace, with an interval, is the slope of
/// the commits in the base's history over the last quarter of a year; a budget of time runs out by the calendar.
pub(super) static CHECK: Check = Check {
    id: "budget-soon-exceeded",
    title: "Branches that will soon be over their budget",
    looks_at: "The room that each open branch has left in its budget, and the pace of its base over the last 13 weeks",
    why: "Aligned in time, a branch never breaks what was agreed, and takes in less at once",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::Past],
    git_says: Some("git rev-list --count --before=<time> <base>"),
    runbook: Runbook {
        look: "`alignwatch branches --sort behind`; `alignwatch check -v` shows the pace of the base",
        mend: "Align the branch before that day (merge the base in, or rebase)",
        sure: "The branch is no longer told: it has room for longer than the threshold",
        undo: Some("`git reset --hard ORIG_HEAD` right after the merge or rebase"),
    },
    threshold: Some(ThresholdSpec {
        default: 7,
        range: (1, 90),
        unit: "days",
        source: "alignwatch: a week, so that aligning finds its place among other work",
    }),
    judge,
};

/// The time that the pace of a base is taken from. Source: ours; a quarter: longer than a holiday, shorter than a phase of a project.
const PACE_OF: Span = Span::days(91);

fn judge(seen: &Seen<'_>) -> Outcome {
    let past = match &seen.snapshot.facts.past {
        Known::Seen(past) => past,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let limit = Span::days(seen.threshold().0);
    let mut unknown = Vec::new();
    let mut soon: Vec<(&Branch, Due)> = Vec::new();
    for branch in seen.open().filter(|branch| branch.within_budget(seen.now) == Some(true)) {
        let line = branch.base.as_ref().and_then(|base| past.lines.iter().find(|line| line.name == base.name));
        match due(branch, line, &past.ends, seen.now) {
            Ok(due) => soon.extend(due.filter(|due| due.about <= limit).map(|due| (branch, due))),
            Err(reason) => unknown.push(reason),
        }
    }
    let groups = by_base(soon.iter().map(|(branch, _)| *branch));
    let due_of = |branch: &Branch| soon.iter().find(|(other, _)| other.name == branch.name).map(|(_, due)| *due);
    let finding = |(base, branches): OfBase<'_>| {
        let mut due: Vec<(&Branch, Due)> = branches.into_iter().filter_map(|one| Some((one, due_of(one)?))).collect();
        due.sort_by_key(|(_, due)| due.about);
        of_base(seen, base, &due)
    };
    let findings = groups.into_iter().map(finding).collect();
    Outcome { findings, unknown: unjudged("branch", unknown.iter().map(String::as_str)), skipped: None }
}

/// When a budget runs out.
#[derive(Clone, Copy)]
struct Due {
    about: Span,
    soonest: Span,
    latest: Option<Span>,
}

/// The first of its budgets to run out; `None` = not in sight. Errors: the pace of the base can't be told.
fn due(branch: &Branch, line: Option<&LinePast>, ends: &[Timestamp], now: Timestamp) -> Result<Option<Due>, String> {
    let by_age = branch.budget.age.zip(branch.divergence_age(now)).map(|(most, age)| {
        let left = Span((most.0 - age.0).max(0));
        Due { about: left, soonest: left, latest: Some(left) }
    });
    let by_count = match (branch.budget.behind, branch.drift.seen()) {
        (Some(most), Some(drift)) => by_pace(f64::from(most.saturating_sub(drift.behind)), line, ends, now)?,
        _ => None,
    };
    Ok(by_age.into_iter().chain(by_count).min_by_key(|due| due.about))
}

/// When the base has moved on by more commits than there is room for.
fn by_pace(room: f64, line: Option<&LinePast>, ends: &[Timestamp], now: Timestamp) -> Result<Option<Due>, String> {
    let line = line.ok_or("the past of its base is not known")?;
    let points = ends.iter().zip(&line.n_commits).filter_map(|(end, n)| Some((*end, f64::from((*n)?))));
    let series = Series::new(points).since(Timestamp(now.0 - PACE_OF.0));
    let Some(&(_, n_commits)) = series.points().last() else { return Err("its base has no past".to_owned()) };
    match forecast(&series, Limit::AtMost(n_commits + room), now) {
        Known::Seen(Forecast::In { about, soonest, latest }) => Ok(Some(Due { about, soonest, latest })),
        Known::Seen(Forecast::Passed | Forecast::NotWithin(_)) => Ok(None),
        Known::Unknown(reason) => Err(reason),
    }
}

fn of_base(seen: &Seen<'_>, base: &crate::RefName, due: &[(&Branch, Due)]) -> Finding {
    let (first, when) = due[0];
    let (_, threshold) = seen.threshold();
    let summary = format!(
        "{} of {} will be over budget within {} unless aligned; the first, {}, in about {}",
        count(due.len(), "branch"),
        quoted(base),
        count(seen.threshold().0 as usize, "day"),
        quoted(&first.name),
        with_interval(when.about, when.soonest, when.latest),
    );
    seen.finding(Severity::Info, &base.text(), base.short().text(), summary)
        .branches(due.iter().map(|(branch, _)| *branch))
        .fact("base", base.text())
        .fact("first_in_seconds", when.about.0)
        .fact("first_soonest_in_seconds", when.soonest.0)
        .fact("first_latest_in_seconds", when.latest.map(|latest| latest.0))
        .against(threshold)
        .so("What was agreed for these branches is about to be broken; today it takes the least to keep it.")
        .mend(remedy(first))
}

fn remedy(branch: &Branch) -> Remedy {
    let show = |base: &crate::branch::BaseChoice| {
        format!("git log --oneline --first-parent {}..{}", shell_ref(&branch.name), shell_ref(&base.name))
    };
    Remedy::reversible(
        "Align the branches in the next days. The command shows what the first one has to take in.",
        branch.base.iter().map(show),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::past::Past, relation::Budget};

    /// `main` gains so many commits a week.
    fn with_pace(a_week: u32, branches: impl IntoIterator<Item = Branch>) -> Snapshot {
        let mut snapshot = snapshot(branches);
        let ends: Vec<Timestamp> = (0..=52).rev().map(|week| days_ago(7 * week)).collect();
        let n_commits = (0..=52).map(|week| Some(1000 + a_week * week)).collect();
        let line = LinePast { name: "refs/heads/main".into(), n_commits, moves: Vec::new(), landings: Vec::new() };
        snapshot.facts.past = Known::Seen(Past { ends, lines: vec![line], ..Past::default() });
        snapshot
    }

    fn with_budget(name: &str, behind: u32, most: Option<u32>, age: Option<Span>) -> Branch {
        let mut branch = branch(name, 1, behind);
        branch.budget = Budget { behind: most, age };
        branch
    }

    #[test]
    fn a_branch_is_told_a_week_before_its_budget_ends_and_no_earlier() {
        let soon = with_budget("refs/heads/soon", 60, Some(100), None);
        let later = with_budget("refs/heads/later", 20, Some(100), None);
        let over = with_budget("refs/heads/over", 120, Some(100), None);
        let finding = only(judged(&CHECK, &with_pace(70, [soon, later, over])));
        assert_eq!(
            told([&finding]),
            "[info] budget-soon-exceeded:refs/heads/main: 1 branch of `main` will be over budget within 7 days unless \
             aligned; the first, `soon`, in about 4 days"
        );
    }

    #[test]
    fn a_budget_of_time_ends_by_the_calendar() {
        let branch = with_budget("refs/heads/x", 1, None, Some(Span::days(12)));
        let finding = only(judged(&CHECK, &with_pace(0, [branch])));
        assert!(finding.summary.ends_with("in about 3 days"), "{}", finding.summary);
    }

    #[test]
    fn a_base_that_rests_and_branches_without_a_budget_are_fine() {
        let resting = with_budget("refs/heads/x", 60, Some(100), None);
        assert_eq!(judged(&CHECK, &with_pace(0, [resting])), Outcome::default());
        assert_eq!(judged(&CHECK, &with_pace(70, [branch("refs/heads/y", 1, 9)])), Outcome::default());
    }

    #[test]
    fn without_a_past_it_is_unknown() {
        let mut snapshot = with_pace(70, [with_budget("refs/heads/x", 60, Some(100), None)]);
        if let Known::Seen(past) = &mut snapshot.facts.past {
            past.lines[0].n_commits = vec![None; 53];
        }
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
        snapshot.facts.past = Known::Unknown("history is cut off".into());
        assert_eq!(judged(&CHECK, &snapshot).unknown.as_deref(), Some("history is cut off"));
    }
}
