//! `stale`: branches with work of their own to which nothing has come for a long time.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, removal::undo_command};
use crate::{Branch, Finding, Look, Remedy, Severity, Span, config::Config};

/// See the threshold of the check.
const IDLE_DAYS: i64 = 90;

/// Days without a commit after which a branch is stale, for checks that tell the stale from the live.
pub(super) fn limit_days(config: &Config) -> i64 {
    config.thresholds.get(CHECK.id).copied().unwrap_or(IDLE_DAYS)
}

/// Branches with unmerged work and no commit for longer than the limit, as one finding.
///
/// Age is the committer date of the tip. What landed is left to `landed-still-here`.
pub(super) static CHECK: Check = Check {
    id: "stale",
    title: "Stale branches",
    looks_at: "Committer date of each open branch's last commit",
    why: "Nobody works on them, yet each is measured, predicted and aligned again, and hides the branches that live",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git for-each-ref --sort=committerdate"),
    runbook: Runbook {
        look: "`git for-each-ref --sort=committerdate --format='%(committerdate:short) %(authorname) %(refname:short)' refs/heads`",
        mend: "Ask the authors. Keep what is still wanted, align it; archive the rest: `git update-ref refs/archive/<branch> <id>`, then delete the branch",
        sure: "`alignwatch check --only stale` counts fewer branches",
        undo: Some("`git branch <branch> refs/archive/<branch>`"),
    },
    threshold: Some(ThresholdSpec {
        default: IDLE_DAYS,
        range: (1, 3650),
        unit: "days",
        source: "GitHub's list of stale branches",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let open: Vec<_> = seen.snapshot.open().collect();
    let stale: Vec<_> = open.iter().copied().filter(|branch| has_own_work(branch) && seen.is_stale(branch)).collect();
    let findings = (!stale.is_empty()).then(|| found(seen, stale, open.len())).into_iter().collect();
    Outcome { findings, unknown: seen.unmeasured(), skipped: None }
}

fn has_own_work(branch: &Branch) -> bool {
    branch.drift.seen().is_some_and(|drift| drift.ahead > 0)
}

fn found(seen: &Seen<'_>, mut stale: Vec<&Branch>, n_open: usize) -> Finding {
    stale.sort_by_key(|branch| branch.tip.seen().map(|tip| tip.committed_at));
    let (limit, threshold) = seen.threshold();
    let oldest = stale[0];
    let age = oldest.idle_age(seen.now).unwrap_or_default();
    let summary = format!(
        "{} of {} had no commit for {}; the oldest, {}, rests since {}",
        thousands(stale.len()),
        count(n_open, "open branch"),
        count(limit as usize, "day"),
        quoted(&oldest.name),
        age,
    );
    let ages = stale.iter().filter_map(|branch| branch.idle_age(seen.now));
    seen.finding(Severity::Warning, "", count(stale.len(), "branch"), summary)
        .branches(stale.iter().copied())
        .fact("n_open_branches", n_open)
        .fact("idle_median_days", median(ages.map(whole_days).collect()))
        .fact("idle_most_days", whole_days(age))
        .fact("source", "git for-each-ref --sort=committerdate --format='%(committerdate:short) %(refname)'")
        .against(threshold)
        .so("Their conflicts grow with every commit of the base, and they bury the branches that matter.")
        .mend(remedy(seen, &stale))
}

fn whole_days(age: Span) -> u32 {
    u32::try_from(age.whole_days()).unwrap_or(0)
}

fn remedy(seen: &Seen<'_>, stale: &[&Branch]) -> Remedy {
    let may_go = stale.iter().find_map(|branch| Some((*branch, seen.removal(branch, None)?)));
    let Some((branch, command)) = may_go else {
        return Remedy::reversible("Ask the owners what is still wanted.", []);
    };
    let undo = undo_command(branch).unwrap_or_default();
    let text = format!(
        "Ask the owners what is still wanted. What is given up can be archived: its commits stay under refs/archive/. \
         The command does it for {}; undo: {undo}",
        quoted(&branch.name)
    );
    Remedy::reversible(text, [command])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Landed, Proof, Relation};

    #[test]
    fn a_branch_is_stale_only_after_the_limit() {
        let snapshot = snapshot([idle(branch("refs/heads/old", 3, 5), 91), idle(branch("refs/heads/new", 1, 5), 90)]);
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[warning] stale: 1 of 2 open branches had no commit for 90 days; the oldest, `old`, rests since 91 d"
        );
        assert!(finding.remedy.commands[0].starts_with("git update-ref refs/archive/heads/old "));
        assert_eq!(finding.remedy.reversible, Some(true));
    }

    #[test]
    fn what_landed_or_has_no_work_of_its_own_or_is_apart_on_purpose_is_not_stale() {
        let mut landed = idle(branch("refs/heads/a", 1, 5), 200);
        landed.landed = Landed::Yes(Proof::SquashPatchId);
        let mut curated = idle(branch("refs/heads/b", 1, 5), 200);
        curated.relation = Relation::Curated;
        let merged = idle(branch("refs/heads/c", 0, 5), 200);
        let level = idle(branch("refs/heads/d", 0, 0), 200);
        assert_eq!(judged(&CHECK, &snapshot([landed, curated, merged, level])), Outcome::default());
    }

    #[test]
    fn a_branch_that_could_not_be_measured_is_unknown_and_not_stale() {
        let outcome = judged(&CHECK, &snapshot([idle(unmeasured(branch("refs/heads/x", 0, 0)), 200)]));
        assert!(outcome.findings.is_empty() && outcome.unknown.is_some());
    }
}
