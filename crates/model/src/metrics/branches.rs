//! Each branch against its base. Made for a limited number of branches, and only when asked for.

use std::cmp::Reverse;

use super::{Breadth, Kind, Measured, Metric, Sample, weeks};
use crate::{Branch, Verdict};

const LABELS: &[&str] = &["branch", "base"];

/// Commits missing.
pub(super) static BEHIND: Metric = Metric {
    name: "alignwatch_branch_behind_commits",
    kind: Kind::Gauge,
    unit: "commits",
    labels: LABELS,
    help: "Commits that the base has and the branch lacks",
    formula: "git rev-list --count <branch>..<base>",
    why: "What the next alignment has to bring in",
    worry: "above 50 (worktrunk stops costly work there), above 200 (alignwatch)",
    otel: "vcs.ref.revisions_delta, with vcs.revision_delta.direction = behind",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, _| Some(f64::from(branch.drift.seen()?.behind))),
    past: Some(|measured, past, number| weeks::of_branches(past, number, &chosen(measured), |stood| stood.behind)),
    ..Metric::PLAIN
};

/// Commits of its own.
pub(super) static AHEAD: Metric = Metric {
    name: "alignwatch_branch_ahead_commits",
    kind: Kind::Gauge,
    unit: "commits",
    labels: LABELS,
    help: "Commits that the branch has and the base lacks",
    formula: "git rev-list --count <base>..<branch>",
    why: "The size of what has to be merged in one piece; large pieces conflict more (Dias et al. 2020)",
    worry: "above 30 (alignwatch)",
    otel: "vcs.ref.revisions_delta, with vcs.revision_delta.direction = ahead",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, _| Some(f64::from(branch.drift.seen()?.ahead))),
    past: Some(|measured, past, number| weeks::of_branches(past, number, &chosen(measured), |stood| stood.ahead)),
    ..Metric::PLAIN
};

/// How long it has missed something.
pub(super) static DIVERGENCE_AGE: Metric = Metric {
    name: "alignwatch_branch_divergence_age_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: LABELS,
    help: "How long the branch has missed something that its base has",
    formula: "now - committer date of the oldest commit in <branch>..<base>; no sample when it misses nothing",
    why: "A branch that is 500 commits behind since this morning is fresher than one that is 5 behind for a month",
    worry: "above 604800, a week (alignwatch); 86400, a day, for branches of agents",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, now| Some(branch.divergence_age(now)?.0 as f64)),
    ..Metric::PLAIN
};

/// How long nothing came.
pub(super) static IDLE_AGE: Metric = Metric {
    name: "alignwatch_branch_idle_age_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: LABELS,
    help: "Time since the last commit of the branch",
    formula: "now - committer date of the tip",
    why: "Nobody works on it: aligning it is likely wasted, and its author forgets it",
    worry: "above 7776000, 90 days (GitHub calls such a branch stale)",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, now| Some(branch.idle_age(now)?.0 as f64)),
    ..Metric::PLAIN
};

/// Would it conflict?
pub(super) static PREDICTED_CONFLICT: Metric = Metric {
    name: "alignwatch_branch_predicted_conflict",
    kind: Kind::Gauge,
    unit: "",
    labels: LABELS,
    help: "1 when merging the branch would conflict, 0 when it would be clean",
    formula: "verdict of git merge-tree --write-tree <base> <branch>; no sample while it is unknown, or where the work has \
              landed",
    why: "A conflict costs more the later it is met: ten days on average (Brun et al. 2013)",
    worry: "1 for more than four hours (alignwatch)",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, _| predicted(branch)),
    ..Metric::PLAIN
};

/// How much would conflict?
pub(super) static CONFLICT_PATHS: Metric = Metric {
    name: "alignwatch_branch_conflict_paths",
    kind: Kind::Gauge,
    unit: "",
    labels: LABELS,
    help: "Files in which merging the branch would conflict",
    formula: "number of conflicted paths of git merge-tree --write-tree <base> <branch>; no sample while they are not known",
    why: "The effort that waits",
    worry: "above 10 (alignwatch)",
    breadth: Breadth::Branch,
    read: |measured| read(measured, |branch, _| Some(branch.merge.conflicts.as_ref()?.len() as f64)),
    ..Metric::PLAIN
};

/// Since when?
pub(super) static CONFLICT_AGE: Metric = Metric {
    name: "alignwatch_conflict_age_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: LABELS,
    help: "How long the branch has been predicted to conflict",
    formula: "now - time of the first look that predicted its conflict; a look that could not tell does not end it. No sample where it \
              does not conflict, or before the daemon looked twice",
    why: "A conflict that nobody resolves grows: ten days on average (Brun et al. 2013)",
    worry: "above 172800, two days (alignwatch)",
    breadth: Breadth::Branch,
    read: |measured| {
        let since = |branch: &Branch| measured.tally.conflicting_since(&branch.name.text());
        read(measured, |branch, now| Some(now.since(since(branch)?).0.max(0) as f64))
    },
    ..Metric::PLAIN
};

fn predicted(branch: &Branch) -> Option<f64> {
    match branch.merge.verdict {
        Verdict::Clean => Some(0.0),
        Verdict::Conflict => Some(1.0),
        Verdict::Unknown => None,
    }
}

/// The branches that have series; where there are too many, those that are furthest behind.
fn chosen<'a>(measured: &Measured<'a>) -> Vec<&'a Branch> {
    let mut open: Vec<&Branch> = measured.snapshot.watched().filter(|branch| !branch.has_landed()).collect();
    open.sort_by_cached_key(|branch| Reverse(branch.drift.seen().map(|drift| drift.behind)));
    open.truncate(measured.config.serve.branch_series as usize);
    open
}

/// One value a branch, for those that have a base.
fn read(measured: &Measured<'_>, value: impl Fn(&Branch, crate::Timestamp) -> Option<f64>) -> Vec<Sample> {
    let sample = |branch: &Branch| {
        let base = branch.base.as_ref()?;
        Some(Sample::of([&branch.name.text(), &base.name.text()], value(branch, measured.now)?))
    };
    chosen(measured).into_iter().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::sample, config::Config, metrics::Tally};

    static NOTHING: std::sync::LazyLock<Tally> = std::sync::LazyLock::new(Tally::default);

    #[test]
    fn a_number_that_is_not_known_has_no_sample() {
        let branches = [sample::branch("refs/heads/a", 3, 7), sample::unmeasured(sample::branch("refs/heads/b", 1, 1))];
        let snapshot = sample::snapshot(branches);
        let mut config = Config::default();
        fn measured<'a>(snapshot: &'a crate::Snapshot, config: &'a Config) -> Measured<'a> {
            Measured { snapshot, judged: &[], config, tally: &NOTHING, now: sample::NOW }
        }
        assert_eq!((BEHIND.read)(&measured(&snapshot, &config)), []);
        config.serve.branch_series = 10;
        assert_eq!(
            (BEHIND.read)(&measured(&snapshot, &config)),
            [Sample::of(["refs/heads/a", "refs/heads/main"], 7.0)]
        );
        assert_eq!((AHEAD.read)(&measured(&snapshot, &config)), [Sample::of(["refs/heads/a", "refs/heads/main"], 3.0)]);
    }
}
