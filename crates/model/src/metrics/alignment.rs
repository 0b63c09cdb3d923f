//! Alignment of a repository as a whole.

use std::collections::BTreeMap;

use super::{Breadth, Kind, Measured, Metric, Sample, known};
use crate::{Branch, Span, State, Verdict, checks};

/// The service level of alignment.
pub(super) static ALIGNED_RATIO: Metric = Metric {
    name: "alignwatch_aligned_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Open branches that are inside of their budget and merge cleanly, of all open branches",
    formula: "branches inside of their budget whose merge is predicted clean / open branches (alignwatch_open_branches). A \
              branch of which either is unknown counts as not aligned. No sample when there is no such branch",
    why: "The one number that says whether the alignment workflow keeps its promise",
    worry: "below 0.95 (alignwatch)",
    breadth: Breadth::Repository,
    read: aligned_ratio,
    ..Metric::PLAIN
};

/// Branches by state.
pub(super) static BRANCHES: Metric = Metric {
    name: "alignwatch_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &["state"],
    help: "Branches in each state",
    formula: "count of branches by the state that `alignwatch branches --json` gives; all states are there, also with 0",
    why: "Shows at once whether work piles up unmerged, conflicting, or landed and forgotten",
    worry: "`unknown` above 0 for an hour (alignwatch)",
    breadth: Breadth::Repository,
    read: by_state,
    ..Metric::PLAIN
};

/// Branches in use.
pub(super) static ACTIVE_BRANCHES: Metric = Metric {
    name: "alignwatch_active_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Branches with a commit in the last seven days",
    formula: "count of branches whose tip was committed less than 7 days ago",
    why: "Each is work that must be brought together; trunk-based development keeps them few",
    worry: "half as many again within a week (alignwatch); three at most for an application (DORA, trunk-based development)",
    breadth: Breadth::Repository,
    read: active_branches,
    ..Metric::PLAIN
};

/// Branches that nobody works on.
pub(super) static STALE_BRANCHES: Metric = Metric {
    name: "alignwatch_stale_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Open branches with work of their own to which nothing has come for a long time",
    formula: "count of the branches that the check stale names: ahead of their base, not landed, and no commit for longer than its \
              threshold",
    why: "Each is measured and aligned again, and hides the branches that live",
    worry: "",
    breadth: Breadth::Repository,
    read: stale_branches,
    ..Metric::PLAIN
};

/// Branches whose counterpart is gone.
pub(super) static GONE_BRANCHES: Metric = Metric {
    name: "alignwatch_upstream_gone_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Local branches whose upstream was deleted",
    formula: "count of [gone] in git branch -vv",
    why: "They look like work in progress, and are mostly done or abandoned",
    worry: "",
    breadth: Breadth::Repository,
    read: gone_branches,
    ..Metric::PLAIN
};

/// Branches that can go.
pub(super) static CLEANUP_CANDIDATES: Metric = Metric {
    name: "alignwatch_cleanup_candidates",
    kind: Kind::Gauge,
    unit: "",
    labels: &["proof"],
    help: "Branches whose work is in the base, by the proof",
    formula: "count of branches with a proof, by that proof",
    why: "The queue of the clean-up, and the noise in every list of branches",
    worry: "",
    breadth: Breadth::Repository,
    read: cleanup_candidates,
    ..Metric::PLAIN
};

/// Local lines that fell behind.
pub(super) static LINE_BEHIND_REMOTE: Metric = Metric {
    name: "alignwatch_line_behind_remote_commits",
    kind: Kind::Gauge,
    unit: "commits",
    labels: &["line"],
    help: "Commits that a local primary line lacks of its tracking ref",
    formula: "git rev-list --count <line>..<tracking ref>; no sample for lines without one",
    why: "Everything that is measured against a line that the team has left behind is wrong",
    worry: "above 0 (alignwatch)",
    breadth: Breadth::Repository,
    read: lines_behind_remote,
    ..Metric::PLAIN
};

fn aligned_ratio(measured: &Measured<'_>) -> Vec<Sample> {
    let open: Vec<_> = measured.snapshot.open().collect();
    let is_aligned =
        |branch: &&&Branch| branch.within_budget(measured.now) == Some(true) && branch.merge.verdict == Verdict::Clean;
    let n_aligned = open.iter().filter(is_aligned).count();
    known((!open.is_empty()).then(|| n_aligned as f64 / open.len() as f64))
}

fn by_state(measured: &Measured<'_>) -> Vec<Sample> {
    let mut counts: BTreeMap<State, usize> = State::ALL.into_iter().map(|state| (state, 0)).collect();
    for branch in measured.snapshot.watched() {
        *counts.entry(branch.state()).or_default() += 1;
    }
    counts.into_iter().map(|(state, count)| Sample::of([state.word()], count as f64)).collect()
}

fn active_branches(measured: &Measured<'_>) -> Vec<Sample> {
    let is_active = |branch: &&Branch| branch.idle_age(measured.now).is_some_and(|idle| idle < Span::days(7));
    known(Some(measured.snapshot.watched().filter(is_active).count() as f64))
}

fn stale_branches(measured: &Measured<'_>) -> Vec<Sample> {
    let limit = Span::days(checks::threshold_of("stale", measured.config));
    let has_own_work = |branch: &Branch| branch.drift.seen().is_some_and(|drift| 0 < drift.ahead);
    let is_idle = |branch: &Branch| branch.idle_age(measured.now).is_some_and(|age| limit < age);
    let is_stale = |branch: &&Branch| has_own_work(branch) && is_idle(branch);
    known(Some(measured.snapshot.open().filter(is_stale).count() as f64))
}

fn gone_branches(measured: &Measured<'_>) -> Vec<Sample> {
    let is_gone = |branch: &&Branch| branch.upstream.as_ref().is_some_and(|upstream| upstream.gone);
    known(Some(measured.snapshot.watched().filter(is_gone).count() as f64))
}

fn cleanup_candidates(measured: &Measured<'_>) -> Vec<Sample> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for proof in measured.snapshot.watched().filter_map(Branch::proof) {
        *counts.entry(proof.word()).or_default() += 1;
    }
    counts.into_iter().map(|(proof, count)| Sample::of([proof], count as f64)).collect()
}

fn lines_behind_remote(measured: &Measured<'_>) -> Vec<Sample> {
    let behind = measured.snapshot.lines.iter().filter_map(|line| Some((line, line.behind_remote.as_ref()?)));
    behind.map(|(line, (_, n))| Sample::of([&line.name.text()], f64::from(*n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::sample, config::Config};

    fn values(metric: &Metric, branches: Vec<Branch>) -> Vec<Sample> {
        let snapshot = sample::snapshot(branches);
        let (config, tally) = (Config::default(), super::super::Tally::default());
        let measured = Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &tally, now: sample::NOW };
        (metric.read)(&measured)
    }

    #[test]
    fn what_conflicts_or_cannot_be_judged_is_not_aligned() {
        let well = sample::branch("refs/heads/a", 1, 1);
        let conflicting = sample::conflicting(sample::branch("refs/heads/b", 1, 1), &["x"]);
        let unknown = sample::unmeasured(sample::branch("refs/heads/c", 1, 1));
        let ratio = values(&ALIGNED_RATIO, vec![well, conflicting, unknown]);
        assert_eq!(ratio.len(), 1);
        assert!((ratio[0].value - 1.0 / 3.0).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn stale_is_what_has_work_of_its_own_and_rests() {
        let rests = |name: &str, ahead| sample::idle(sample::branch(name, ahead, 1), 400);
        let branches = vec![rests("refs/heads/a", 1), sample::branch("refs/heads/b", 1, 1), rests("refs/heads/c", 0)];
        assert_eq!(values(&STALE_BRANCHES, branches), [Sample::plain(1.0)]);
    }

    #[test]
    fn without_an_open_branch_there_is_no_ratio() {
        assert!(values(&ALIGNED_RATIO, Vec::new()).is_empty());
    }

    #[test]
    fn all_states_are_told_also_with_none_in_them() {
        let states = values(&BRANCHES, vec![sample::branch("refs/heads/a", 1, 1)]);
        assert_eq!(states.len(), State::ALL.len());
        assert_eq!(states.iter().map(|sample| sample.value).sum::<f64>(), 1.0);
    }
}
