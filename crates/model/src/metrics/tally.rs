//! What is counted of a repository over many looks: each thing that happened once, however often it is seen.
//!
//! A look shows what happened lately: runs that ended, tasks, merges. The tally remembers which of those it has counted, and
//! is kept in the same commit as the look, so that a counter goes on where it was after a restart or a crash. It also
//! remembers what one look alone can't tell: since when a branch conflicts, and what was predicted before a run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ALL, Kind, Measured, Metric, by_name};
use crate::{Branch, Oid, Snapshot, State, Timestamp, Verdict, record::Reading};

/// Branches of which times are remembered. Source: ours; half a megabyte.
const BRANCHES_AT_MOST: usize = 5_000;

/// Something that happened, to be counted once.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// The same thing has the same key.
    pub key: String,
    /// The values of the labels, in the order of [`Metric::labels`].
    pub labels: Vec<String>,
    /// What it adds to a counter, or how large it was.
    pub value: f64,
}

/// How large things were, of a metric that is a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The repository it is about; empty for the machine.
    pub repository: String,
    /// The name of the metric.
    pub metric: &'static str,
    /// Its labels, as a JSON object.
    pub labels: String,
    /// When it was read.
    pub at: Timestamp,
    /// How many were at most as large as each bound and larger than the one before; the last is of those above all bounds.
    pub counts: Vec<u64>,
    /// All of them together.
    pub sum: f64,
}

/// What was counted of one repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Keys of what was counted and is still told, by metric.
    counted: BTreeMap<String, BTreeSet<String>>,
    /// What that came to: by metric, by labels as JSON.
    totals: BTreeMap<String, BTreeMap<String, Total>>,
    /// Since when each branch is predicted to conflict, in seconds since 1970.
    conflicting_since: BTreeMap<String, i64>,
    /// Since when there is no verdict about a branch, likewise.
    unpredicted_since: BTreeMap<String, i64>,
    /// What was predicted of each branch at the last look at which no run was under way, and its tip.
    #[serde(skip)]
    predicted: BTreeMap<String, (Option<Oid>, Verdict)>,
}

/// What was counted under the same labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Total {
    /// All values together.
    sum: f64,
    /// Of a histogram, as in [`Distribution::counts`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counts: Vec<u64>,
}

/// What happened, by the metric that counts it.
pub(crate) fn happened(measured: &Measured<'_>) -> Vec<(&'static Metric, Vec<Happening>)> {
    let of = |metric: &&'static Metric| Some((*metric, (metric.events?)(measured)?));
    ALL.iter().filter_map(of).collect()
}

impl Tally {
    /// Takes over what a look shows and what [`happened`] says of it. Is anything different that has to be kept?
    pub(crate) fn take_in(
        &mut self,
        happened: Vec<(&'static Metric, Vec<Happening>)>,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> bool {
        let mut has_changed = false;
        for (metric, all) in happened {
            has_changed |= self.count(metric, all);
        }
        let is_conflicting = |branch: &Branch| match branch.state() {
            State::Unknown => None,
            state => Some(state == State::Conflicting),
        };
        let is_unpredicted = |branch: &Branch| Some(branch.has_diverged() && branch.merge.verdict == Verdict::Unknown);
        has_changed |= follow(&mut self.conflicting_since, snapshot, now, is_conflicting);
        has_changed |= follow(&mut self.unpredicted_since, snapshot, now, is_unpredicted);
        self.remember_predictions(snapshot);
        has_changed
    }

    fn count(&mut self, metric: &'static Metric, all: Vec<Happening>) -> bool {
        let known = self.counted.entry(metric.name.to_owned()).or_default();
        let keys: BTreeSet<String> = all.iter().map(|one| one.key.clone()).collect();
        let new: Vec<Happening> = all.into_iter().filter(|one| !known.contains(&one.key)).collect();
        let has_changed = keys != *known;
        *known = keys;
        let totals = self.totals.entry(metric.name.to_owned()).or_default();
        let mut counted = BTreeSet::new();
        for one in new {
            // Two that claim one key are one.
            if counted.insert(one.key) {
                totals.entry(labels(metric, one.labels)).or_default().add(metric.kind, one.value);
            }
        }
        has_changed
    }

    /// What happens in a run was predicted before it: a look in the middle of one changes nothing.
    fn remember_predictions(&mut self, snapshot: &Snapshot) {
        let runs = snapshot.facts.runs.seen().map(Vec::as_slice).unwrap_or_default();
        if runs.iter().any(|run| run.is_under_way()) {
            return;
        }
        let of_base = snapshot.watched().filter(|branch| branch.base.is_some());
        let predicted = |branch: &Branch| {
            let tip = branch.tip.seen().map(|tip| tip.oid);
            (branch.name.text().into_owned(), (tip, branch.merge.verdict))
        };
        self.predicted = of_base.map(predicted).collect();
    }

    /// Since when the branch is predicted to conflict.
    pub(super) fn conflicting_since(&self, branch: &str) -> Option<Timestamp> {
        self.conflicting_since.get(branch).copied().map(Timestamp)
    }

    /// All branches that were predicted to conflict at the last look, and since when.
    pub(super) fn conflicting(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.conflicting_since.iter().map(|(branch, since)| (branch.as_str(), Timestamp(*since)))
    }

    /// Since when there is no verdict about some branch; `None` = there is one about each.
    pub(super) fn unpredicted_since(&self) -> Option<Timestamp> {
        self.unpredicted_since.values().min().copied().map(Timestamp)
    }

    /// What was predicted of the branch before the run began in which its tip was this one; `None` = nothing.
    pub(super) fn predicted(&self, branch: &str, before: Option<&str>) -> Option<Verdict> {
        let (tip, verdict) = self.predicted.get(branch)?;
        let is_of_tip = before.is_none_or(|before| tip.is_some_and(|tip| tip.hex() == before));
        is_of_tip.then_some(*verdict)
    }

    /// Has this ever looked?
    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// The counters.
    pub fn readings(&self, repository: &str, at: Timestamp) -> Vec<Reading> {
        let reading = |(metric, labels, total): (&'static Metric, &String, &Total)| {
            let (repository, labels) = (repository.to_owned(), labels.clone());
            Reading { repository, metric: metric.name, labels, at, value: total.sum }
        };
        self.all().filter(|(metric, ..)| metric.kind == Kind::Counter).map(reading).collect()
    }

    /// The histograms.
    pub fn distributions(&self, repository: &str, at: Timestamp) -> Vec<Distribution> {
        let distribution = |(metric, labels, total): (&'static Metric, &String, &Total)| {
            let Kind::Histogram(bounds) = metric.kind else { return None };
            // Bounds that an older version had say nothing about those of today.
            let is_of_today = total.counts.len() == bounds.len() + 1;
            is_of_today.then(|| Distribution {
                repository: repository.to_owned(),
                metric: metric.name,
                labels: labels.clone(),
                at,
                counts: total.counts.clone(),
                sum: total.sum,
            })
        };
        self.all().filter_map(distribution).collect()
    }

    fn all(&self) -> impl Iterator<Item = (&'static Metric, &String, &Total)> {
        let known = self.totals.iter().filter_map(|(name, totals)| Some((by_name(name)?, totals)));
        known.flat_map(|(metric, totals)| totals.iter().map(move |(labels, total)| (metric, labels, total)))
    }
}

impl Total {
    fn add(&mut self, kind: Kind, value: f64) {
        self.sum += value;
        if let Kind::Histogram(bounds) = kind {
            self.counts.resize(bounds.len() + 1, 0);
            self.counts[place(bounds, value)] += 1;
        }
    }
}

/// Where a value is counted: at the first bound that it does not exceed, or above all.
pub fn place(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|bound| *bound < value)
}

/// Keeps since when something holds of each branch. What is not known of one leaves it as it was; of a branch that is gone
/// nothing holds.
fn follow(
    since: &mut BTreeMap<String, i64>,
    snapshot: &Snapshot,
    now: Timestamp,
    holds: impl Fn(&Branch) -> Option<bool>,
) -> bool {
    let mut is = BTreeMap::new();
    for branch in snapshot.watched() {
        let name = branch.name.text().into_owned();
        let before = since.get(&name).copied();
        let now = match holds(branch) {
            // A clock that was set back since must not lead into the future.
            Some(true) => Some(before.map_or(now.0, |before| before.min(now.0))),
            Some(false) => None,
            None => before,
        };
        if let Some(at) = now.filter(|_| is.len() < BRANCHES_AT_MOST) {
            is.insert(name, at);
        }
    }
    let has_changed = is != *since;
    *since = is;
    has_changed
}

/// The labels of a metric as JSON.
fn labels(metric: &Metric, values: Vec<String>) -> String {
    let labels: serde_json::Map<_, _> =
        std::iter::zip(metric.labels, values).map(|(name, value)| ((*name).to_owned(), value.into())).collect();
    serde_json::Value::Object(labels).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checks::sample, config::Config};

    fn looked(tally: &mut Tally, snapshot: &Snapshot, minutes: i64) -> bool {
        let (config, now) = (Config::default(), Timestamp(sample::NOW.0 + minutes * 60));
        let happened = happened(&Measured { snapshot, judged: &[], config: &config, tally, now });
        tally.take_in(happened, snapshot, now)
    }

    fn told(tally: &Tally) -> Vec<String> {
        let counters = tally.readings("r", Timestamp(0)).into_iter();
        let counters = counters.map(|one| format!("{} {} {}", one.metric, one.labels, one.value));
        let histograms = tally.distributions("r", Timestamp(0)).into_iter();
        let histograms = histograms.map(|one| format!("{} {} {:?} {}", one.metric, one.labels, one.counts, one.sum));
        counters.chain(histograms).collect()
    }

    fn conflicting(name: &str) -> Branch {
        sample::conflicting(sample::branch(name, 1, 1), &["x"])
    }

    #[test]
    fn a_conflict_lasts_from_the_look_that_first_predicts_it_also_over_one_that_could_not_tell() {
        let mut tally = Tally::default();
        assert!(looked(&mut tally, &sample::snapshot([conflicting("refs/heads/a")]), 0));
        assert!(!looked(&mut tally, &sample::snapshot([conflicting("refs/heads/a")]), 5), "nothing is new");
        let unmeasured = sample::unmeasured(sample::branch("refs/heads/a", 1, 1));
        looked(&mut tally, &sample::snapshot([unmeasured]), 10);
        assert_eq!(tally.conflicting_since("refs/heads/a"), Some(sample::NOW));
        looked(&mut tally, &sample::snapshot([sample::branch("refs/heads/a", 1, 1)]), 20);
        assert_eq!(tally.conflicting_since("refs/heads/a"), None);
        let lasted = told(&tally);
        assert!(lasted.contains(
            &r#"alignwatch_predicted_conflict_duration_seconds {"end":"clean"} [0, 0, 1, 0, 0, 0, 0, 0, 0, 0] 1200"#
                .to_owned()
        ), "{lasted:#?}");
        looked(&mut tally, &sample::snapshot([conflicting("refs/heads/b")]), 30);
        looked(&mut tally, &sample::snapshot([]), 31);
        assert!(told(&tally).iter().any(|line| line.contains(r#"{"end":"deleted"}"#)));
    }

    #[test]
    fn what_was_kept_goes_on_after_a_restart_and_counts_nothing_twice() {
        let mut tally = Tally::default();
        looked(&mut tally, &sample::snapshot([conflicting("refs/heads/a")]), 0);
        looked(&mut tally, &sample::snapshot([]), 1);
        let mut again: Tally = serde_json::from_str(&serde_json::to_string(&tally).unwrap()).unwrap();
        looked(&mut again, &sample::snapshot([]), 2);
        assert_eq!(told(&again), told(&tally));
        assert!(!told(&again).is_empty());
    }

    #[test]
    fn a_value_that_is_a_bound_counts_there() {
        let bounds = [1.0, 5.0];
        assert_eq!([0.5, 1.0, 1.5, 5.0, 6.0].map(|value| place(&bounds, value)), [0, 0, 1, 1, 2]);
    }
}
