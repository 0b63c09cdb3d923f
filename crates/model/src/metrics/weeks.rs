//! What happened within the last week, or four: the metrics that commits and merges can tell also of the past.
//!
//! Each is computed at the end of a week. The last end is now: that is the measured value. The others are the
//! history that a repository has on the first day ([`Metric::past`]).

use super::{Breadth, Happening, Kind, Measured, Metric, Sample, WAITS, known, seen};
use crate::{
    Branch, Span, Timestamp, checks,
    facts::past::{BranchPast, Landing, Past, Stood},
    trend::{Limit, Series, promise},
};

/// What is counted by the week.
const WEEK: Span = Span::days(7);

/// What is taken together for a typical time: a week often has too few.
const FOUR_WEEKS: Span = Span::days(28);

/// Open branches.
pub(super) static OPEN_BRANCHES: Metric = Metric {
    name: "alignwatch_open_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Branches with commits of their own that have not landed, and whose relation has a budget",
    formula: "count of the branches that checks call open: a commit of their own that is not shown to be in the base (relations \
              track, stack, mirror), neither a primary line nor the tracking copy of a local branch. Of weeks before now: those \
              that had a commit of their own on their first-parent line, before it landed; branches that landed as other \
              commits are left out",
    why: "Each is work that has to be kept in line",
    worry: "half as many again within a month (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, open_branches),
    past: Some(open_branches),
    ..Metric::PLAIN
};

/// Open branches within their budget.
pub(super) static WITHIN_BUDGET_RATIO: Metric = Metric {
    name: "alignwatch_within_budget_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Open branches that are inside of their budget of drift, of all open branches",
    formula: "open branches (alignwatch_open_branches) whose commits behind and time since their base moved past them are \
              within the budget of their relation; where that sets no commits, the threshold of far-behind stands for it. No \
              sample when none is open",
    why: "The part of alignwatch_aligned_ratio that is also known of the past, since no merge has to be predicted for it",
    worry: "below serve.aligned_objective, 0.95 (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, within_budget_ratio),
    past: Some(within_budget_ratio),
    ..Metric::PLAIN
};

/// What is left of the promise.
pub(super) static ERROR_BUDGET_LEFT_RATIO: Metric = Metric {
    name: "alignwatch_error_budget_left_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "What is left of the error budget of the last four weeks: 1 = all, 0 = none, below 0 = the promise is broken",
    formula: "1 - (1 - mean of alignwatch_within_budget_ratio over 28 days) / (1 - serve.aligned_objective); a value holds \
              until the end of the next week (Google, The Site Reliability Workbook: Implementing SLOs)",
    why: "Says whether there is room for drift, or aligning comes before all else",
    worry: "below 0.1 (alignwatch)",
    limit: Some(Limit::AtLeast(0.0)),
    breadth: Breadth::Repository,
    read: |measured| now(measured, error_budget_left),
    past: Some(error_budget_left),
    ..Metric::PLAIN
};

/// The promise.
pub(super) static ALIGNED_OBJECTIVE_RATIO: Metric = Metric {
    name: "alignwatch_aligned_objective_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "The part of open branches that should be aligned",
    formula: "serve.aligned_objective / 100",
    why: "Rules compare alignwatch_aligned_ratio with it, so that the promise is written down once",
    worry: "",
    breadth: Breadth::Repository,
    read: |measured| known(Some(objective(measured))),
    ..Metric::PLAIN
};

/// Open branches far behind.
pub(super) static FAR_BEHIND_BRANCHES: Metric = Metric {
    name: "alignwatch_far_behind_branches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Open branches that lack more commits of their base than the threshold of far-behind",
    formula: "open branches (alignwatch_open_branches) with git rev-list --count <branch>..<base> above thresholds.far-behind",
    why: "What will be dear to align; a number that grows is work that nobody plans for",
    worry: "more every week for a month (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, far_behind),
    past: Some(far_behind),
    ..Metric::PLAIN
};

/// How fast the base moves.
pub(super) static BASE_MOVES: Metric = Metric {
    name: "alignwatch_base_moves",
    kind: Kind::Gauge,
    unit: "",
    labels: &["line"],
    help: "Moves of each primary line within a week",
    formula: "git rev-list --count --first-parent --since='7 days ago' <line>",
    why: "Each leaves all branches one step further behind: it sets the pace at which they have to be aligned",
    worry: "",
    breadth: Breadth::Repository,
    read: |measured| now(measured, base_moves),
    past: Some(base_moves),
    ..Metric::PLAIN
};

/// Merges into the base.
pub(super) static LANDINGS: Metric = Metric {
    name: "alignwatch_landings",
    kind: Kind::Gauge,
    unit: "",
    labels: &["line"],
    help: "Merges into each primary line within a week",
    formula: "git rev-list --count --first-parent --merges --since='7 days ago' <line>, without merges of other lines. What \
              landed as other commits (squash, rebase) is not seen",
    why: "How much of the work comes together",
    worry: "0 while branches are open (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, landings),
    past: Some(landings),
    ..Metric::PLAIN
};

/// From the first commit to the merge.
pub(super) static LANDING_SECONDS: Metric = Metric {
    name: "alignwatch_landing_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["percentile"],
    help: "Time from the first commit of what was merged to its merge, for merges of the last four weeks",
    formula: "committer date of the merge - oldest committer date that it brought; 50th and 90th percentile of the merges into \
              primary lines within 28 days. No sample without one",
    why: "The longer work stays apart, the more it drifts (DORA: lead time for changes)",
    worry: "50th above 604800, a week (alignwatch); trunk-based development merges daily (DORA)",
    otel: "vcs.change.time_to_merge",
    breadth: Breadth::Repository,
    read: |measured| now(measured, landing_seconds),
    past: Some(landing_seconds),
    ..Metric::PLAIN
};

/// How often branches are aligned.
pub(super) static ALIGNMENTS: Metric = Metric {
    name: "alignwatch_alignments",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Merges of a primary line into a branch that is still here, within a week",
    formula: "merge commits on the first-parent line of a branch that have a commit of its base's line as another parent, within \
              7 days. Rebases leave no trace in history and are not counted",
    why: "Whether anybody aligns at all",
    worry: "0 while branches are behind (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, alignments),
    past: Some(alignments),
    ..Metric::PLAIN
};

/// How long it takes until a branch has what its base has.
pub(super) static TIME_TO_ALIGN: Metric = Metric {
    name: "alignwatch_time_to_align_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["percentile"],
    help: "Time from the base's move past a branch to the merge that brought it in, for merges of the last four weeks",
    formula: "committer date of the merge of the base - date of the first move of the base that the branch lacked; 50th and 90th \
              percentile of the alignments within 28 days. No sample without one. Rebases leave no trace",
    why: "The lead time of alignment: what the promise is about",
    worry: "90th above 604800, a week (alignwatch); 3600 where agents align (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| now(measured, time_to_align),
    past: Some(time_to_align),
    ..Metric::PLAIN
};

/// How long it took until branches had what their base has, all of them.
pub(super) static TIME_TO_ALIGN_OBSERVED: Metric = Metric {
    name: "alignwatch_time_to_align_observed_seconds",
    kind: Kind::Histogram(WAITS),
    unit: "seconds",
    labels: &["base"],
    help: "Time from the base's move past a branch to the merge that brought it in",
    formula: "as alignwatch_time_to_align_seconds, each merge once. Counted since the repository was first watched, with the four weeks \
              before; on the daemon's page only",
    why: "The same as alignwatch_time_to_align_seconds, for any time and any percentile, and over many repositories",
    worry: "95th percentile above 3600 where agents align (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(alignments_observed),
    ..Metric::PLAIN
};

fn alignments_observed(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let past = seen(&measured.snapshot.facts.past)?;
    let all = past.branches.iter().flat_map(|branch| branch.alignments.iter().map(move |one| (branch, one)));
    let lately = all.filter(|(_, one)| measured.now.since(one.at) < FOUR_WEEKS);
    let of = |(branch, one): (&BranchPast, &Landing)| Happening {
        key: format!("{} {}", branch.name.text(), one.at.0),
        labels: vec![branch.base.text().into_owned()],
        value: one.took.0.max(0) as f64,
    };
    Some(lately.map(of).collect())
}

/// The value at the last end, which is now.
fn now(measured: &Measured<'_>, at: super::PastOf) -> Vec<Sample> {
    match measured.snapshot.facts.past.seen() {
        Some(past) => at(measured, past, past.n_weeks()),
        None => Vec::new(),
    }
}

fn objective(measured: &Measured<'_>) -> f64 {
    f64::from(measured.config.serve.aligned_objective) / 100.0
}

/// Branches that were open then, and how they stood. Those that are open now are those of [`crate::Snapshot::open`], as far as
/// they could be compared with their base.
fn open<'a>(measured: &'a Measured<'_>, past: &'a Past, number: usize) -> Vec<(&'a Branch, Stood)> {
    let stood = |one: &'a BranchPast| (*one.stood.get(number)?).filter(|stood| 0 < stood.ahead);
    if number < past.n_weeks() {
        let then = |one: &'a BranchPast| Some((measured.snapshot.branch(&one.name)?, stood(one)?));
        return past.branches.iter().filter_map(then).filter(|(branch, _)| branch.relation.has_budget()).collect();
    }
    let now = |branch: &'a Branch| {
        let at = past.branches.binary_search_by(|one| one.name.cmp(&branch.name)).ok();
        let seen = || {
            let drift = branch.drift.seen().filter(|drift| !drift.is_unrelated())?;
            Some(Stood { ahead: drift.ahead, behind: drift.behind, left_at: drift.missing_since })
        };
        Some((branch, at.and_then(|at| stood(&past.branches[at])).or_else(seen)?))
    };
    measured.snapshot.open().filter_map(now).collect()
}

fn open_branches(measured: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let is_now = past.n_weeks() <= number;
    let n = if is_now { measured.snapshot.open().count() } else { open(measured, past, number).len() };
    known(Some(n as f64))
}

fn far_behind_limit(measured: &Measured<'_>) -> u32 {
    u32::try_from(checks::threshold_of("far-behind", measured.config)).unwrap_or(u32::MAX)
}

fn is_within(branch: &Branch, stood: Stood, default: u32, end: Timestamp) -> bool {
    let by_count = stood.behind <= branch.budget.behind.unwrap_or(default);
    let by_age = match (branch.budget.age, stood.left_at) {
        (Some(most), Some(left)) => end.since(left) <= most,
        _ => true,
    };
    by_count && by_age
}

fn within_budget_ratio(measured: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    known(ratio_within(measured, past, number))
}

fn ratio_within(measured: &Measured<'_>, past: &Past, number: usize) -> Option<f64> {
    let (end, default) = (*past.ends.get(number)?, far_behind_limit(measured));
    let (mut n, mut n_within) = (0_u32, 0_u32);
    for (branch, stood) in open(measured, past, number) {
        n += 1;
        n_within += u32::from(is_within(branch, stood, default, end));
    }
    (0 < n).then(|| f64::from(n_within) / f64::from(n))
}

fn error_budget_left(measured: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let Some(&end) = past.ends.get(number) else { return Vec::new() };
    // Four weeks and one end before them, whose value holds into them.
    let numbers = number.saturating_sub(5)..=number;
    let ratios = numbers.filter_map(|number| Some((past.ends[number], ratio_within(measured, past, number)?)));
    let kept = promise::kept(&Series::new(ratios), objective(measured), FOUR_WEEKS, end);
    known(kept.seen().map(|kept| kept.left))
}

fn far_behind(measured: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let limit = far_behind_limit(measured);
    known(Some(open(measured, past, number).iter().filter(|(_, stood)| limit < stood.behind).count() as f64))
}

/// How many of these times lie within the span before the end.
fn within(times: impl IntoIterator<Item = Timestamp>, end: Timestamp, span: Span) -> usize {
    times.into_iter().filter(|at| *at <= end && end.since(*at) < span).count()
}

fn base_moves(_: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let Some(&end) = past.ends.get(number) else { return Vec::new() };
    let moves = |line: &crate::facts::past::LinePast| within(line.moves.iter().copied(), end, WEEK) as f64;
    past.lines.iter().map(|line| Sample::of([&line.name.text()], moves(line))).collect()
}

fn landings(_: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let Some(&end) = past.ends.get(number) else { return Vec::new() };
    let landed = |line: &crate::facts::past::LinePast| within(line.landings.iter().map(|one| one.at), end, WEEK) as f64;
    past.lines.iter().map(|line| Sample::of([&line.name.text()], landed(line))).collect()
}

fn landing_seconds(_: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    percentiles(past, number, past.lines.iter().flat_map(|line| &line.landings))
}

fn alignments(_: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    let Some(&end) = past.ends.get(number) else { return Vec::new() };
    let all = past.branches.iter().flat_map(|branch| &branch.alignments);
    known(Some(within(all.map(|one| one.at), end, WEEK) as f64))
}

fn time_to_align(_: &Measured<'_>, past: &Past, number: usize) -> Vec<Sample> {
    percentiles(past, number, past.branches.iter().flat_map(|branch| &branch.alignments))
}

/// The percentiles of what took place in the four weeks before the end.
fn percentiles<'a>(past: &Past, number: usize, all: impl Iterator<Item = &'a Landing>) -> Vec<Sample> {
    let Some(&end) = past.ends.get(number) else { return Vec::new() };
    let lately = all.filter(|one| one.at <= end && end.since(one.at) < FOUR_WEEKS);
    super::percentiles(lately.map(|one| one.took.0 as f64).collect())
}

/// The drift of a branch then, for the same branches whose drift is measured.
pub(super) fn of_branches(past: &Past, number: usize, chosen: &[&Branch], value: fn(Stood) -> u32) -> Vec<Sample> {
    let sample = |branch: &&Branch| {
        let at = past.branches.binary_search_by(|one| one.name.cmp(&branch.name)).ok()?;
        let one = &past.branches[at];
        let stood = (*one.stood.get(number)?)?;
        Some(Sample::of([&one.name.text(), &one.base.text()], f64::from(value(stood))))
    };
    chosen.iter().filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Known, RefName, checks::sample, config::Config, facts::past::LinePast, metrics::Tally};

    const DAY: i64 = 86_400;

    /// Ten weeks and now; one branch that the base left five weeks ago, and one that keeps up.
    fn past() -> Past {
        let now = sample::NOW.0;
        let ends: Vec<Timestamp> = (0..=10).rev().map(|week| Timestamp(now - week * 7 * DAY)).collect();
        let stood =
            |behind: u32, left: i64| Some(Stood { ahead: 1, behind, left_at: Some(Timestamp(now - left * DAY)) });
        let late = (0..=10).map(|week| stood(60 * week, 35)).collect();
        let early: Vec<_> = (0..=10).map(|week| (4 < week).then_some(stood(1, 1)).flatten()).collect();
        let landing = |days: i64, took: i64| Landing { at: Timestamp(now - days * DAY), took: Span::days(took) };
        let branch = |name: &str, stood, alignments| BranchPast {
            name: RefName::from(name),
            base: RefName::from("refs/heads/main"),
            stood,
            alignments,
        };
        Past {
            ends,
            lines: vec![LinePast {
                name: RefName::from("refs/heads/main"),
                n_commits: vec![Some(1); 11],
                moves: (0..30).rev().map(|day| Timestamp(now - day * DAY)).collect(),
                landings: vec![landing(40, 99), landing(20, 9), landing(3, 2), landing(1, 4)],
            }],
            branches: vec![
                branch("refs/heads/a", late, vec![landing(6, 3)]),
                branch("refs/heads/b", early, Vec::new()),
            ],
            n_left_out: 0,
        }
    }

    fn at(metric: &Metric, number: usize) -> Vec<(String, f64)> {
        let mut snapshot =
            sample::snapshot([sample::branch("refs/heads/a", 1, 600), sample::branch("refs/heads/b", 1, 1)]);
        snapshot.facts.past = Known::Seen(past());
        let config = Config::default();
        let measured =
            Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &Tally::default(), now: sample::NOW };
        let past = past();
        let samples = (metric.past.unwrap())(&measured, &past, number);
        if number == past.n_weeks() {
            assert_eq!(samples, (metric.read)(&measured), "now is the last of the weeks");
        }
        samples.into_iter().map(|sample| (sample.labels.join(" "), sample.value)).collect()
    }

    fn plain(value: f64) -> Vec<(String, f64)> {
        vec![(String::new(), value)]
    }

    #[test]
    fn branches_count_as_they_stood_then() {
        assert_eq!((at(&OPEN_BRANCHES, 2), at(&OPEN_BRANCHES, 10)), (plain(1.0), plain(2.0)));
        assert_eq!((at(&FAR_BEHIND_BRANCHES, 3), at(&FAR_BEHIND_BRANCHES, 4)), (plain(0.0), plain(1.0)));
        assert_eq!((at(&WITHIN_BUDGET_RATIO, 3), at(&WITHIN_BUDGET_RATIO, 10)), (plain(1.0), plain(0.5)));
    }

    #[test]
    fn the_error_budget_is_spent_by_what_fell_short() {
        assert_eq!(at(&ERROR_BUDGET_LEFT_RATIO, 3), plain(1.0));
        // Half of the branches for four weeks, where one in twenty was allowed: 1 - 0.5 / 0.05.
        let left = at(&ERROR_BUDGET_LEFT_RATIO, 10);
        assert!((left[0].1 + 9.0).abs() < 1e-9, "{left:?}");
    }

    #[test]
    fn what_happened_counts_in_its_week_and_its_month() {
        let line = |value| vec![("refs/heads/main".to_owned(), value)];
        assert_eq!((at(&BASE_MOVES, 10), at(&BASE_MOVES, 2)), (line(7.0), line(0.0)));
        assert_eq!((at(&LANDINGS, 10), at(&LANDINGS, 7)), (line(2.0), line(0.0)));
        let both = |median: i64, most: i64| {
            vec![("50".to_owned(), (median * DAY) as f64), ("90".to_owned(), (most * DAY) as f64)]
        };
        assert_eq!(at(&LANDING_SECONDS, 10), both(4, 9));
        assert_eq!(at(&LANDING_SECONDS, 2), []);
        assert_eq!((at(&ALIGNMENTS, 10), at(&TIME_TO_ALIGN, 10)), (plain(1.0), both(3, 3)));
    }

    #[test]
    fn what_a_check_calls_open_is_what_the_metrics_count() {
        let mut landed_and_went_on = sample::branch("refs/heads/d", 2, 3);
        landed_and_went_on.landed = crate::Landed::Continued(crate::Proof::PatchIds);
        let mut old: Vec<Branch> =
            ["a", "b", "c"].map(|name| sample::branch(&format!("refs/heads/{name}"), 1, 9)).into();
        old.extend([
            landed_and_went_on,
            sample::branch("refs/heads/fresh", 0, 0),
            sample::branch("refs/heads/main", 0, 0),
        ]);
        for branch in &mut old {
            if let Known::Seen(tip) = &mut branch.tip {
                tip.committed_at = Timestamp(sample::NOW.0 - 400 * DAY);
            }
        }
        let mut snapshot = sample::snapshot(old);
        // The past knows of two of them.
        snapshot.facts.past = Known::Seen(past());
        let config = Config::default();
        let tally = Tally::default();
        let measured = Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &tally, now: sample::NOW };
        let counted = (OPEN_BRANCHES.read)(&measured)[0].value;
        let judged = checks::judge(&snapshot, &config, sample::NOW, |_| Ok(()));
        let stale = judged.iter().flat_map(|judged| &judged.findings).find(|finding| finding.check == "stale").unwrap();
        assert!(stale.summary.starts_with("4 of 4 open branches"), "{}", stale.summary);
        assert_eq!(counted, 4.0);
    }

    #[test]
    fn a_past_that_is_not_known_has_no_samples() {
        let snapshot = sample::snapshot([]);
        let measured = Measured {
            snapshot: &snapshot,
            judged: &[],
            config: &Config::default(),
            tally: &Tally::default(),
            now: sample::NOW,
        };
        for metric in [&OPEN_BRANCHES, &WITHIN_BUDGET_RATIO, &BASE_MOVES, &TIME_TO_ALIGN] {
            assert_eq!((metric.read)(&measured), [], "{}", metric.name);
        }
    }
}
