//! Conflicts over time, whether they were predicted, and how much branches overlap.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{Breadth, Happening, Kind, Measured, Metric, Sample, WAITS, known, percentiles_at, seen};
use crate::{Branch, State, Verdict, run::Outcome};

/// The oldest conflict.
pub(super) static OLDEST: Metric = Metric {
    name: "alignwatch_oldest_conflict_age_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "How long the branch that has been predicted to conflict for longest has been so",
    formula: "now - time of the first look that predicted its conflict; a look that could not tell does not end it. 0 where none \
              conflicts; no sample before the daemon looked twice",
    why: "A conflict that nobody resolves grows: ten days on average (Brun et al. 2013)",
    worry: "above 172800, two days (alignwatch)",
    breadth: Breadth::Repository,
    read: oldest,
    ..Metric::PLAIN
};

/// How long conflicts lasted.
pub(super) static LASTED: Metric = Metric {
    name: "alignwatch_predicted_conflict_duration_seconds",
    kind: Kind::Histogram(WAITS),
    unit: "seconds",
    labels: &["end"],
    help: "How long conflicts lasted that were predicted and are over",
    formula: "time of the first look at which the branch no longer conflicts - time of the first that predicted it; by how it ended: \
              clean, landed, deleted, other. Counted since the repository was first watched; on the daemon's page only",
    why: "The analogue of DORA's recovery time, branch by branch",
    worry: "90th percentile above 86400, a day (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(lasted),
    ..Metric::PLAIN
};

/// Were conflicts predicted?
pub(super) static PREDICTIONS: Metric = Metric {
    name: "alignwatch_predictions_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["predicted", "actual"],
    help: "Branches that alignment runs took up, by what was predicted of them before and what the run met",
    formula: "predicted: the verdict (clean, conflict, unknown) of the last look before the run, for the tip with which the run began; \
              none where there was no such look. actual: clean where the operation ended as aligned, conflict where it stopped at one; \
              others are not counted. Recall = conflict,conflict / all of actual conflict; precision = the same / all of predicted \
              conflict. Counted since the repository was first watched",
    why: "Says whether predictions can be relied on",
    worry: "recall below 0.99 (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(predictions),
    ..Metric::PLAIN
};

/// How late predictions are.
pub(super) static PREDICTION_LAG: Metric = Metric {
    name: "alignwatch_prediction_lag_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "How long a branch has been without a verdict on its merge, of the one that waits longest",
    formula: "now - time of the first of the looks in a row that had no verdict on a branch that has diverged from its base; 0 where \
              all have one. What moved since the last look is not among them",
    why: "What is not predicted is met by whoever merges",
    worry: "above 900 (alignwatch)",
    breadth: Breadth::Repository,
    read: prediction_lag,
    ..Metric::PLAIN
};

/// How much branches overlap.
pub(super) static PAIR_OVERLAP: Metric = Metric {
    name: "alignwatch_pair_overlap_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &["percentile"],
    help: "The part of the paths that one branch changes which another open branch changes, too",
    formula: "for each pair of open branches with the same base: paths that both changed / paths of the one that changed fewer; 50th and \
              95th percentile (nearest rank) of all pairs of the 100 branches that were committed to last. Branches at one commit count once, \
              and those that change more than 1,000 paths not at all. No sample without a pair",
    why: "Branches that change the same files will conflict with each other, whichever lands first (ConE, Maddila et al. 2021)",
    worry: "95th above 0.5 (alignwatch)",
    breadth: Breadth::Repository,
    read: pair_overlap,
    ..Metric::PLAIN
};

fn oldest(measured: &Measured<'_>) -> Vec<Sample> {
    let oldest = measured.tally.conflicting().map(|(_, since)| since).min();
    let age = oldest.map_or(0.0, |since| measured.now.since(since).0.max(0) as f64);
    known((!measured.tally.is_empty()).then_some(age))
}

fn prediction_lag(measured: &Measured<'_>) -> Vec<Sample> {
    let since = measured.tally.unpredicted_since();
    let lag = since.map_or(0.0, |since| measured.now.since(since).0.max(0) as f64);
    known((!measured.tally.is_empty()).then_some(lag))
}

fn lasted(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let ended = |(name, since): (&str, crate::Timestamp)| {
        let end = match measured.snapshot.watched().find(|branch| branch.name.text() == name) {
            None => "deleted",
            Some(branch) => end(branch)?,
        };
        let value = measured.now.since(since).0.max(0) as f64;
        Some(Happening { key: format!("{name} {}", since.0), labels: vec![end.to_owned()], value })
    };
    Some(measured.tally.conflicting().filter_map(ended).collect())
}

/// How its conflict ended; `None` = it did not, or that is not known.
fn end(branch: &Branch) -> Option<&'static str> {
    match branch.state() {
        State::Conflicting | State::Unknown => None,
        State::Aligned | State::Diverged => Some("clean"),
        State::Merged | State::SquashMerged | State::Behind => Some("landed"),
        State::Continued | State::Reverted | State::Unrelated => Some("other"),
    }
}

fn predictions(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let runs = seen(&measured.snapshot.facts.runs)?;
    let operations = runs.iter().filter(|run| run.ended.is_some());
    let operations = operations.flat_map(|run| run.operations.iter().map(move |operation| (run, operation)));
    let met = operations.filter_map(|(run, operation)| {
        let actual = match operation.outcome {
            Outcome::Aligned => "clean",
            Outcome::Conflict => "conflict",
            _ => return None,
        };
        let predicted = measured.tally.predicted(&operation.branch, operation.before.as_deref());
        let predicted = predicted.map_or("none", Verdict::word);
        let labels = vec![predicted.to_owned(), actual.to_owned()];
        Some(Happening { key: format!("{} {}", run.run, operation.branch), labels, value: 1.0 })
    });
    Some(met.collect())
}

/// Branches that are compared, the ones that were committed to last. Source: ours; 4,950 pairs.
const COMPARED_AT_MOST: usize = 100;

fn pair_overlap(measured: &Measured<'_>) -> Vec<Sample> {
    let open = measured.snapshot.open().filter_map(|branch| {
        let (tip, base) = (branch.tip.seen()?, &branch.base.as_ref()?.name);
        Some((tip, base, seen(&branch.touched)?)).filter(|(.., paths)| !paths.is_empty())
    });
    let mut tips = BTreeSet::new();
    let mut open: Vec<_> = open.filter(|(tip, ..)| tips.insert(tip.oid)).collect();
    open.sort_by_key(|(tip, ..)| Reverse(tip.committed_at));
    open.truncate(COMPARED_AT_MOST);
    let after = |number: usize| open[number + 1..].iter();
    let pairs = open.iter().enumerate().flat_map(|(number, one)| after(number).map(move |other| (one, other)));
    let with_same_base = pairs.filter(|((_, one, _), (_, other, _))| one == other);
    let ratios = with_same_base.map(|((.., one), (.., other))| overlap(one, other)).collect();
    percentiles_at(ratios, [("50", 50), ("95", 95)])
}

/// Of two lists in order: what both have, as a part of the shorter one.
fn overlap(one: &[u64], other: &[u64]) -> f64 {
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    few.iter().filter(|path| many.binary_search(path).is_ok()).count() as f64 / few.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Known, Snapshot, Timestamp,
        checks::sample,
        config::Config,
        metrics::{Tally, happened},
    };
    use crate::{
        facts::runs::{Brief, Ended, Met, Process},
        run::RunId,
    };

    fn run(branch: &Branch, outcome: Outcome) -> Brief {
        let before = branch.tip.seen().map(|tip| tip.oid.hex());
        Brief {
            run: RunId::from_parts(1, [outcome as u8; 10]),
            workflow: "nightly".into(),
            began_at: sample::NOW,
            heard_at: sample::NOW,
            ended: Some(Ended { at: sample::NOW, outcome, because: String::new(), seconds: None }),
            process: Process::Gone,
            losses: Vec::new(),
            is_unverified: false,
            operations: vec![Met { branch: branch.name.text().into_owned(), before, op: None, outcome }],
        }
    }

    fn look(tally: &mut Tally, snapshot: &Snapshot) {
        let config = Config::default();
        let measured = Measured { snapshot, judged: &[], config: &config, tally, now: sample::NOW };
        let happened = happened(&measured);
        tally.take_in(happened, snapshot, sample::NOW);
    }

    fn predictions(tally: &Tally) -> Vec<(String, f64)> {
        let all = tally.readings("r", Timestamp(0)).into_iter();
        all.filter(|one| one.metric == PREDICTIONS.name).map(|one| (one.labels, one.value)).collect()
    }

    #[test]
    fn what_runs_met_is_held_against_what_was_predicted_before_them() {
        let conflicting = sample::conflicting(sample::branch("refs/heads/a", 1, 1), &["x"]);
        let clean = sample::branch("refs/heads/b", 1, 1);
        let mut snapshot = sample::snapshot([conflicting.clone(), clean.clone()]);
        snapshot.facts.runs = Known::Seen(Vec::new());
        let mut tally = Tally::default();
        look(&mut tally, &snapshot);
        snapshot.facts.runs = Known::Seen(vec![run(&conflicting, Outcome::Conflict), run(&clean, Outcome::Aligned)]);
        look(&mut tally, &snapshot);
        look(&mut tally, &snapshot);
        assert_eq!(
            predictions(&tally),
            [
                (r#"{"actual":"clean","predicted":"clean"}"#.to_owned(), 1.0),
                (r#"{"actual":"conflict","predicted":"conflict"}"#.to_owned(), 1.0)
            ]
        );
    }

    #[test]
    fn a_run_that_was_over_before_the_first_look_was_predicted_by_nobody() {
        let branch = sample::branch("refs/heads/a", 1, 1);
        let mut snapshot = sample::snapshot([branch.clone()]);
        snapshot.facts.runs = Known::Seen(vec![run(&branch, Outcome::Aligned)]);
        let mut tally = Tally::default();
        look(&mut tally, &snapshot);
        assert_eq!(predictions(&tally), [(r#"{"actual":"clean","predicted":"none"}"#.to_owned(), 1.0)]);
        snapshot.facts.runs = Known::Unknown("the records cannot be read".into());
        look(&mut tally, &snapshot);
        snapshot.facts.runs = Known::Seen(vec![run(&branch, Outcome::Aligned)]);
        look(&mut tally, &snapshot);
        assert_eq!(predictions(&tally)[0].1, 1.0, "what could not be read is not forgotten");
    }

    #[test]
    fn half_of_what_the_smaller_branch_changed_is_an_overlap_of_a_half() {
        let touching = |name: &str, paths: Known<Vec<u64>>| Branch { touched: paths, ..sample::branch(name, 1, 1) };
        let touching_some = |name: &str, paths: &[u64]| touching(name, Known::Seen(paths.to_vec()));
        let snapshot = sample::snapshot([
            touching_some("refs/heads/a", &[1, 2]),
            touching_some("refs/heads/b", &[2, 3, 4]),
            touching_some("refs/heads/c", &[9]),
            touching("refs/heads/d", Known::Unknown("too many".into())),
        ]);
        let (config, tally) = (Config::default(), Tally::default());
        let measured = Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &tally, now: sample::NOW };
        assert_eq!((PAIR_OVERLAP.read)(&measured), [Sample::of(["50"], 0.0), Sample::of(["95"], 0.5)]);
    }
}
