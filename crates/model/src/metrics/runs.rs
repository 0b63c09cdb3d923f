//! What came of the alignment runs of the last four weeks, as far as they are recorded: with `alignwatch run`, events or pings.

use super::{Breadth, DURATIONS, Happening, Kind, Measured, Metric, Sample, known, percentiles, seen};
use crate::{
    Span,
    facts::runs::{Brief, Ended, Met},
    run::{Op, Outcome},
};

/// What is taken together: a week often has too few.
const FOUR_WEEKS: Span = Span::days(28);

/// How soon a run has to follow one that went wrong to count as the same work done again.
///
/// Source: DORA's deployment rework rate, with a day for its incident.
const AGAIN: Span = Span::days(1);

/// Runs by what came of them.
pub(super) static RUNS: Metric = Metric {
    name: "alignwatch_alignment_runs",
    kind: Kind::Gauge,
    unit: "",
    labels: &["outcome"],
    help: "Alignment runs that ended within the last four weeks, by their outcome",
    formula: "count of recorded runs (the newest 500) whose end is less than 28 days ago, by outcome; all outcomes are there, \
              also with 0. No sample where the records could not be read",
    why: "Throughput of the workflow, and what it comes to",
    worry: "no `aligned` while branches are behind (alignwatch)",
    breadth: Breadth::Repository,
    read: by_outcome,
    ..Metric::PLAIN
};

/// The part that went wrong.
pub(super) static FAIL_RATIO: Metric = Metric {
    name: "alignwatch_alignment_fail_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Alignment runs of the last four weeks that did not do what they should, of all that could be judged",
    formula: "runs whose outcome is none of aligned, no_op / runs whose outcome is none of unknown, skipped, blocked; within 28 \
              days. No sample without one",
    why: "The analogue of DORA's change fail rate: a workflow that often fails is worked around",
    worry: "above 0.05 (alignwatch; DORA 2023: 0 to 5 % for elite performers)",
    breadth: Breadth::Repository,
    read: fail_ratio,
    ..Metric::PLAIN
};

/// The part that was done again.
pub(super) static REWORK_RATIO: Metric = Metric {
    name: "alignwatch_alignment_rework_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Alignment runs of the last four weeks that did again what had gone wrong within a day before",
    formula: "runs that began less than 24 hours after the end of a run of the same workflow that did not do what it should / \
              all runs that ended within 28 days. No sample without one",
    why: "The analogue of DORA's deployment rework rate: work that one failure makes",
    worry: "above 0.1 (alignwatch)",
    breadth: Breadth::Repository,
    read: rework_ratio,
    ..Metric::PLAIN
};

/// How long runs take.
pub(super) static DURATION: Metric = Metric {
    name: "alignwatch_alignment_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["percentile"],
    help: "How long alignment runs took that ended within the last four weeks",
    formula: "seconds from begin to end, as the run says, else by when both were heard; 50th and 90th percentile (nearest rank) \
              of the runs that ended within 28 days. No sample without one",
    why: "What takes longer each week comes late one day, and meets other runs",
    worry: "90th above 30 (the requirement of alignment in 30 seconds; alignwatch has no limit of its own)",
    breadth: Breadth::Repository,
    read: duration,
    ..Metric::PLAIN
};

/// How long runs took, all of them.
pub(super) static DURATION_OBSERVED: Metric = Metric {
    name: "alignwatch_alignment_duration_observed_seconds",
    kind: Kind::Histogram(DURATIONS),
    unit: "seconds",
    labels: &["outcome"],
    help: "How long alignment runs took, by their outcome",
    formula: "seconds from begin to end, as the run says, else by when both were heard. Counted since the repository was first watched, with \
              the newest 500 of before; on the daemon's page only",
    why: "The same as alignwatch_alignment_duration_seconds, for any time and any percentile, and over many repositories",
    worry: "",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(durations),
    ..Metric::PLAIN
};

/// Branches that runs took up.
pub(super) static OPERATIONS: Metric = Metric {
    name: "alignwatch_alignment_operations_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["op", "outcome"],
    help: "Branches that alignment runs took up, by what was done to each and what came of it",
    formula: "one for each branch in each recorded run that ended, by op (merge, rebase, fast_forward, commit, rewrite, create, delete, \
              or unknown) and by the outcome of its operation. Counted since the repository was first watched, with the newest 500 runs \
              of before",
    why: "Throughput of alignment: how many branches a day, and how many of them in vain",
    worry: "no increase of aligned while branches are behind (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(operations),
    ..Metric::PLAIN
};

/// How long conflicts stop a workflow.
pub(super) static CONFLICT_RESOLUTION: Metric = Metric {
    name: "alignwatch_conflict_resolution_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["percentile"],
    help: "Time from a run that stopped at a conflict to the next of its workflow that went well, within the last four weeks",
    formula: "end of the first run that went well - end of the first run since the one before it that ended as conflict; 50th and \
              90th percentile (nearest rank) of those that ended within 28 days. No sample without one; a conflict that is still \
              there has none yet",
    why: "The analogue of DORA's recovery time: how long people have to wait for alignment",
    worry: "90th above 86400, a day (alignwatch)",
    breadth: Breadth::Repository,
    read: conflict_resolution,
    ..Metric::PLAIN
};

/// Work that runs lost.
pub(super) static WORK_LOSSES: Metric = Metric {
    name: "alignwatch_work_losses",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Losses of work that the verification of alignment runs found within the last four weeks",
    formula: "count of losses (commits that nothing reaches, changes that a merge dropped, and the like; `alignwatch verify`) of \
              the recorded runs that ended within 28 days",
    why: "The one thing that must not happen",
    worry: "above 0 (alignwatch)",
    breadth: Breadth::Repository,
    read: work_losses,
    ..Metric::PLAIN
};

/// The runs that ended at any time, the newest first; `None` where that is not known.
fn ended_ever<'a>(measured: &'a Measured<'_>) -> Option<Vec<(&'a Brief, &'a Ended)>> {
    let runs = seen(&measured.snapshot.facts.runs)?;
    Some(runs.iter().filter_map(|run| Some((run, run.ended.as_ref()?))).collect())
}

/// Those of them that ended within the time.
fn ended<'a>(measured: &'a Measured<'_>) -> Option<Vec<(&'a Brief, &'a Ended)>> {
    Some(ended_ever(measured)?.into_iter().filter(|(_, ended)| is_counted(measured, ended)).collect())
}

fn is_counted(measured: &Measured<'_>, ended: &Ended) -> bool {
    measured.now.since(ended.at) < FOUR_WEEKS
}

/// Did it do what it should? [`Outcome::is_well`] asks whether it did no harm: one that was held or taken back did none, and
/// its branches are not in line all the same.
fn went_well(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Aligned | Outcome::NoOp)
}

/// Can it be said whether it did what it should?
fn is_judged(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Unknown | Outcome::Skipped | Outcome::Blocked)
}

/// A part of all; `None` without any.
fn ratio(part: usize, all: usize) -> Option<f64> {
    (0 < all).then(|| part as f64 / all as f64)
}

fn by_outcome(measured: &Measured<'_>) -> Vec<Sample> {
    let Some(runs) = ended(measured) else { return Vec::new() };
    let n_of = |outcome| runs.iter().filter(|(_, ended)| ended.outcome == outcome).count() as f64;
    Outcome::ALL.into_iter().map(|outcome| Sample::of([outcome.word()], n_of(outcome))).collect()
}

fn fail_ratio(measured: &Measured<'_>) -> Vec<Sample> {
    let runs = ended(measured).unwrap_or_default();
    let judged: Vec<_> = runs.iter().filter(|(_, ended)| is_judged(ended.outcome)).collect();
    let n_failed = judged.iter().filter(|(_, ended)| !went_well(ended.outcome)).count();
    known(ratio(n_failed, judged.len()))
}

fn rework_ratio(measured: &Measured<'_>) -> Vec<Sample> {
    // What a run of the first day does again ended before the time.
    let (runs, before) = (ended(measured).unwrap_or_default(), ended_ever(measured).unwrap_or_default());
    let is_rework = |run: &Brief| {
        before.iter().any(|(other, ended)| {
            let is_before = ended.at <= run.began_at && run.began_at.since(ended.at) < AGAIN;
            other.workflow == run.workflow && is_before && is_judged(ended.outcome) && !went_well(ended.outcome)
        })
    };
    known(ratio(runs.iter().filter(|(run, _)| is_rework(run)).count(), runs.len()))
}

fn duration(measured: &Measured<'_>) -> Vec<Sample> {
    let runs = ended(measured).unwrap_or_default();
    percentiles(runs.iter().map(|(run, _)| run.seconds(measured.now)).collect())
}

fn durations(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let of = |(run, ended): (&Brief, &Ended)| Happening {
        key: run.run.to_string(),
        labels: vec![ended.outcome.word().to_owned()],
        value: run.seconds(measured.now),
    };
    Some(ended_ever(measured)?.into_iter().map(of).collect())
}

fn operations(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let all = ended_ever(measured)?.into_iter().flat_map(|(run, _)| run.operations.iter().map(move |one| (run, one)));
    let of = |(run, one): (&Brief, &Met)| Happening {
        key: format!("{} {}", run.run, one.branch),
        labels: [one.op.map_or("unknown", Op::word), one.outcome.word()].map(str::to_owned).to_vec(),
        value: 1.0,
    };
    Some(all.map(of).collect())
}

fn conflict_resolution(measured: &Measured<'_>) -> Vec<Sample> {
    // A conflict that lasted for long began before the time: those are the ones that count.
    let runs = ended_ever(measured).unwrap_or_default();
    let mut stopped = std::collections::BTreeMap::<&str, crate::Timestamp>::new();
    let mut took = Vec::new();
    for (run, ended) in runs.iter().rev() {
        if ended.outcome == Outcome::Conflict {
            stopped.entry(&run.workflow).or_insert(ended.at);
        } else if went_well(ended.outcome)
            && let Some(since) = stopped.remove(run.workflow.as_str())
            && is_counted(measured, ended)
        {
            took.push(ended.at.since(since).0.max(0) as f64);
        }
    }
    percentiles(took)
}

fn work_losses(measured: &Measured<'_>) -> Vec<Sample> {
    known(ended(measured).map(|runs| runs.iter().map(|(run, _)| run.losses.len()).sum::<usize>() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Known, Severity, checks::sample, config::Config, facts::runs::Process, run::RunId};

    /// A run of `workflow` that ended this many minutes ago, after two minutes.
    fn run(workflow: &str, minutes_ago: i64, outcome: Outcome) -> Brief {
        let at = crate::Timestamp(sample::NOW.0 - minutes_ago * 60);
        Brief {
            run: RunId::from_parts(1, [minutes_ago as u8; 10]),
            workflow: workflow.into(),
            began_at: crate::Timestamp(at.0 - 120),
            heard_at: at,
            ended: Some(Ended { at, outcome, because: String::new(), seconds: Some(120.0) }),
            process: Process::Gone,
            losses: Vec::new(),
            is_unverified: false,
            operations: Vec::new(),
        }
    }

    fn values(metric: &Metric, runs: Known<Vec<Brief>>) -> Vec<f64> {
        let mut snapshot = sample::snapshot(Vec::new());
        snapshot.facts.runs = runs;
        let (config, tally) = (Config::default(), super::super::Tally::default());
        let measured = Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &tally, now: sample::NOW };
        (metric.read)(&measured).into_iter().map(|sample| sample.value).collect()
    }

    /// The newest first: two conflicts, then well; another workflow that was held; and one too long ago.
    fn a_month() -> Known<Vec<Brief>> {
        Known::Seen(vec![
            run("nightly", 10, Outcome::Aligned),
            run("nightly", 100, Outcome::Conflict),
            run("nightly", 130, Outcome::Conflict),
            run("other", 140, Outcome::Skipped),
            run("nightly", 60 * 24 * 29, Outcome::Failed),
        ])
    }

    #[test]
    fn runs_are_counted_by_what_came_of_them() {
        let outcomes = values(&RUNS, a_month());
        assert_eq!(outcomes.len(), Outcome::ALL.len());
        assert_eq!(outcomes.iter().sum::<f64>(), 4.0, "one is too long ago");
        let n_conflicts = Outcome::ALL.iter().position(|outcome| *outcome == Outcome::Conflict).unwrap();
        assert_eq!(outcomes[n_conflicts], 2.0);
    }

    #[test]
    fn what_was_held_or_not_judged_did_not_fail() {
        assert_eq!(values(&FAIL_RATIO, a_month()), [2.0 / 3.0]);
        assert!(values(&FAIL_RATIO, Known::Seen(vec![run("a", 1, Outcome::Unknown)])).is_empty());
    }

    #[test]
    fn a_run_soon_after_one_that_went_wrong_is_rework() {
        assert_eq!(values(&REWORK_RATIO, a_month()), [2.0 / 4.0]);
    }

    #[test]
    fn a_conflict_lasts_from_its_first_run_to_the_one_that_goes_well() {
        assert_eq!(values(&CONFLICT_RESOLUTION, a_month()), [120.0 * 60.0, 120.0 * 60.0]);
        let still_there = Known::Seen(vec![run("nightly", 5, Outcome::Conflict)]);
        assert!(values(&CONFLICT_RESOLUTION, still_there).is_empty());
    }

    #[test]
    fn what_ended_lately_is_held_against_what_went_wrong_before_the_time() {
        const DAY: i64 = 24 * 60;
        let resolved = |minutes_ago| {
            let runs = vec![run("nightly", minutes_ago, Outcome::Aligned), run("nightly", 35 * DAY, Outcome::Conflict)];
            values(&CONFLICT_RESOLUTION, Known::Seen(runs))
        };
        let seconds = ((35 * DAY - 10) * 60) as f64;
        assert_eq!(resolved(10), [seconds, seconds], "50th and 90th percentile of one");
        assert!(resolved(29 * DAY).is_empty(), "it was resolved before the time");
        let again = vec![run("a", 28 * DAY - 60, Outcome::Aligned), run("a", 28 * DAY + 60, Outcome::Failed)];
        assert_eq!(values(&REWORK_RATIO, Known::Seen(again)), [1.0]);
    }

    #[test]
    fn without_records_nothing_is_said() {
        for metric in [&RUNS, &FAIL_RATIO, &REWORK_RATIO, &DURATION, &CONFLICT_RESOLUTION, &WORK_LOSSES] {
            assert!(values(metric, Known::Unknown("the records cannot be read".into())).is_empty(), "{metric:?}");
        }
        assert_eq!(values(&WORK_LOSSES, Known::Seen(Vec::new())), [0.0]);
        let mut lost = run("nightly", 10, Outcome::Aligned);
        lost.losses.push((Severity::Critical, "topic: 2 commits".into()));
        assert_eq!(values(&WORK_LOSSES, Known::Seen(vec![lost])), [1.0]);
    }
}
