//! `far-behind`: branches that have fallen many commits behind their base.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, scope::*};
use crate::{Branch, Finding, Look, Remedy, Severity, State, quote::shell_ref};

/// Open branches that lack more commits of their base than the limit, one finding for each base.
///
/// Branches whose work is in the base have nothing to catch up with and are
/// left to `landed-still-here`; lines that diverge on purpose are not judged.
pub(super) static CHECK: Check = Check {
    id: "far-behind",
    title: "Branches far behind their base",
    looks_at: "Commits that each open branch lacks of its base (git rev-list --count branch..base)",
    why: "The further behind, the more of the base has to be understood at once when the branch is aligned, \
          and the likelier a conflict",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git for-each-ref --format='%(ahead-behind:…)'"),
    runbook: Runbook {
        look: "`alignwatch branches --sort behind`",
        mend: "Align the branches in use (merge the base in, or rebase); close those that nobody needs",
        sure: "`behind` is below the threshold in `alignwatch branches`",
        undo: Some("`git reset --hard ORIG_HEAD` right after the merge or rebase"),
    },
    threshold: Some(ThresholdSpec {
        default: 200,
        range: (1, 1_000_000),
        unit: "commits",
        source: "alignwatch: four times the 50 commits at which worktrunk stops its costly checks",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let (limit, _) = seen.threshold();
    // Nothing is lacking where nothing is shared: that is `unrelated-history`.
    let related = seen.open().filter(|branch| branch.state() != State::Unrelated);
    let far = related.filter(|branch| limit < i64::from(behind(branch)));
    let findings = by_base(far).into_iter().map(|group| of_base(seen, group)).collect();
    Outcome { findings, unknown: seen.unmeasured(), skipped: None }
}

fn of_base(seen: &Seen<'_>, (base, mut branches): OfBase<'_>) -> Finding {
    branches.sort_by_key(|branch| (seen.is_stale(branch), std::cmp::Reverse(behind(branch))));
    let (limit, threshold) = seen.threshold();
    let n_live = branches.iter().filter(|branch| !seen.is_stale(branch)).count();
    let furthest = branches.iter().copied().max_by_key(|branch| behind(branch)).expect("a group has a branch");
    let severity = if n_live > 0 { Severity::Warning } else { Severity::Info };
    let summary = format!(
        "{} {} more than {} behind {}{}; the furthest, {}, lacks {}",
        count(branches.len(), "branch"),
        agree(branches.len(), "is", "are"),
        count(limit as usize, "commit"),
        quoted(base),
        seen.live_part(&branches),
        quoted(&furthest.name),
        thousands(behind(furthest) as usize),
    );
    seen.finding(severity, &base.text(), base.short().text(), summary)
        .branches(branches.iter().copied())
        .fact("base", base.text())
        .fact("n_live_branches", n_live)
        .fact("behind_median_commits", median(branches.iter().map(|branch| behind(branch)).collect()))
        .fact("behind_most_commits", behind(furthest))
        .fact("source", format!("git rev-list --count <branch>..{}", shell_ref(base)))
        .against(threshold)
        .so("Aligning them takes in hundreds of commits at once, and what others finished is missing from what is tested there.")
        .mend(remedy(&branches))
}

fn remedy(branches: &[&Branch]) -> Remedy {
    let show = |branch: &&Branch| {
        let base = branch.base.as_ref()?;
        Some(format!("git log --oneline --first-parent {}..{}", shell_ref(&branch.name), shell_ref(&base.name)))
    };
    Remedy::reversible(
        "Merge the base into the live branches in steps, oldest commits first, or give the branch up. \
         The command shows what the first one lacks.",
        branches.iter().take(1).filter_map(show),
    )
}

fn behind(branch: &Branch) -> u32 {
    branch.drift.seen().map_or(0, |drift| drift.behind)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Known, Landed, Proof, Relation, config::Config};

    #[test]
    fn a_branch_is_found_only_when_past_the_limit() {
        let far = snapshot([branch("refs/heads/x", 1, 201), branch("refs/heads/y", 1, 200)]);
        let finding = only(judged(&CHECK, &far));
        assert_eq!(
            told([&finding]),
            "[warning] far-behind:refs/heads/main: 1 branch is more than 200 commits behind `main`; \
             the furthest, `x`, lacks 201"
        );
        assert_eq!(finding.evidence["branches"], serde_json::json!(["refs/heads/x"]));
    }

    #[test]
    fn a_configured_limit_counts_and_is_named() {
        let mut config = Config::default();
        config.thresholds.insert("far-behind".into(), 3);
        let finding = only(judged_with(&CHECK, &snapshot([branch("refs/heads/x", 1, 4)]), &config));
        assert_eq!(finding.threshold.unwrap().source, "configured: thresholds.far-behind");
    }

    #[test]
    fn stale_branches_alone_are_only_worth_knowing() {
        let snapshot = snapshot([idle(branch("refs/heads/x", 1, 300), 100)]);
        assert_eq!(only(judged(&CHECK, &snapshot)).severity, Severity::Info);
    }

    #[test]
    fn landed_branches_and_lines_apart_on_purpose_are_left_alone() {
        let mut landed = branch("refs/heads/landed", 1, 300);
        landed.landed = Landed::Yes(Proof::PatchIds);
        let mut apart = branch("refs/heads/apart", 1, 300);
        apart.relation = Relation::Forbidden;
        let mut curated = branch("refs/heads/curated", 1, 300);
        curated.relation = Relation::Curated;
        assert_eq!(judged(&CHECK, &snapshot([landed, apart, curated])), Outcome::default());
    }

    #[test]
    fn a_foreign_history_lacks_nothing() {
        let mut foreign = branch("refs/heads/x", 1, 300);
        if let Known::Seen(drift) = &mut foreign.drift {
            drift.merge_bases.clear();
        }
        assert_eq!(judged(&CHECK, &snapshot([foreign])), Outcome::default());
    }

    #[test]
    fn what_could_not_be_measured_is_unknown() {
        let outcome = judged(&CHECK, &snapshot([unmeasured(branch("refs/heads/x", 0, 0))]));
        assert_eq!(outcome.unknown.unwrap(), "1 branch could not be judged: object 00 is missing (1)");
    }
}
