//! The metrics: what is measured of alignment, each with its formula, unit, limit and the source of both.
//!
//! One list, [`ALL`]. docs/METRICS.md, the metrics page and the stored series
//! follow from it. To add one: a constant in the file of its family and one
//! line in the list.
//!
//! Names follow the naming rules of prometheus.io: the prefix `alignwatch_`, base
//! units, `_total` for counters, ratios from 0 to 1. A number that is not known
//! has no sample; it is never 0.

mod alignment;
mod branches;
mod conflicts;
mod health;
mod host;
mod own;
mod repository;
mod runs;
mod tally;
mod tasks;
mod weeks;

use std::collections::BTreeMap;

pub use own::COMMANDS as GIT_BOUNDS;
pub(crate) use tally::happened;
pub use tally::{Distribution, Happening, Tally, place};

use crate::{
    Known, Snapshot, Timestamp,
    checks::Judged,
    config::Config,
    facts::past::Past,
    trend::{Limit, Series},
};

/// Every metric, the ones about alignment as a whole first.
pub const ALL: &[&Metric] = &[
    &alignment::ALIGNED_RATIO,
    &weeks::WITHIN_BUDGET_RATIO,
    &weeks::ALIGNED_OBJECTIVE_RATIO,
    &weeks::ERROR_BUDGET_LEFT_RATIO,
    &weeks::OPEN_BRANCHES,
    &weeks::FAR_BEHIND_BRANCHES,
    &weeks::TIME_TO_ALIGN,
    &weeks::TIME_TO_ALIGN_OBSERVED,
    &weeks::ALIGNMENTS,
    &weeks::LANDING_SECONDS,
    &weeks::LANDINGS,
    &weeks::BASE_MOVES,
    &runs::RUNS,
    &runs::FAIL_RATIO,
    &runs::REWORK_RATIO,
    &runs::DURATION,
    &runs::DURATION_OBSERVED,
    &runs::OPERATIONS,
    &runs::CONFLICT_RESOLUTION,
    &runs::WORK_LOSSES,
    &alignment::BRANCHES,
    &alignment::ACTIVE_BRANCHES,
    &alignment::STALE_BRANCHES,
    &alignment::GONE_BRANCHES,
    &alignment::CLEANUP_CANDIDATES,
    &tasks::CLEANUP_ACTIONS,
    &alignment::LINE_BEHIND_REMOTE,
    &conflicts::OLDEST,
    &conflicts::LASTED,
    &conflicts::PREDICTIONS,
    &conflicts::PREDICTION_LAG,
    &conflicts::PAIR_OVERLAP,
    &branches::BEHIND,
    &branches::AHEAD,
    &branches::DIVERGENCE_AGE,
    &branches::IDLE_AGE,
    &branches::PREDICTED_CONFLICT,
    &branches::CONFLICT_PATHS,
    &branches::CONFLICT_AGE,
    &health::CHECK_STATUS,
    &health::FINDINGS,
    &health::LOCKS,
    &health::LOOK_DURATION,
    &repository::SIZE,
    &repository::OBJECTS,
    &repository::PACKS,
    &repository::REFS,
    &repository::GRAPH_MISSING,
    &tasks::LAST_SUCCESS,
    &tasks::LAST_RESULT,
    &tasks::LAST_DURATION,
    &tasks::LAST_WON,
    &tasks::RUNS,
    &tasks::DURATION,
    &tasks::BACKUP_VERIFIED,
    &tasks::BACKUP_REF_MISMATCHES,
    &tasks::BACKUP_GOOD,
    &tasks::BACKUP_BAD,
    &host::CPU_RATIO,
    &host::MEMORY_RATIO,
    &host::LOAD,
    &host::DISK_RATIO,
    &host::INODES_RATIO,
    &own::BROKEN_PROMISES,
    &own::HEARTBEAT,
    &own::CANARY,
    &own::ATTEMPTS,
    &own::FAILURES,
    &own::DELIVERED,
    &own::WAIT,
    &own::DEAD,
    &own::OLDEST,
    &own::OTLP_ARRIVED,
    &own::OTLP_FAILED,
    &own::OTLP_DROPPED,
    &own::GIT_DURATION,
];

/// Ratios that say how much of something is as it should be: 1 is all of it.
pub const PARTS_THAT_ARE_WELL: [&Metric; 2] = [&alignment::ALIGNED_RATIO, &weeks::WITHIN_BUDGET_RATIO];

/// Something that is measured.
pub struct Metric {
    /// Its full name.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// What is counted, as in the name: `commits`, `seconds`, `bytes`, `ratio`; empty for plain numbers.
    pub unit: &'static str,
    /// The names of its labels, besides `repo`, which all but those of the machine have.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence.
    pub help: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// Why it is worth watching.
    pub why: &'static str,
    /// From where on it is a worry, and who says so; empty where no value is one.
    pub worry: &'static str,
    /// The name that OpenTelemetry's semantic conventions have for it; empty where they have none.
    pub otel: &'static str,
    /// The number that forecasts ask about, where there is one.
    pub limit: Option<Limit>,
    /// How many series it makes.
    pub breadth: Breadth,
    /// Its values.
    pub read: fn(&Measured<'_>) -> Vec<Sample>,
    /// What it was at the end of a week of the past, where commits can tell that.
    pub past: Option<PastOf>,
    /// What it counts, where it is made of things that happened; then it has no values of its own.
    pub events: Option<EventsOf>,
}

impl Metric {
    /// What most have: no name elsewhere, no limit, no past, and values of its own. The rest each must say.
    pub(crate) const PLAIN: Metric = Metric {
        name: "",
        kind: Kind::Gauge,
        unit: "",
        labels: &[],
        help: "",
        formula: "",
        why: "",
        worry: "",
        otel: "",
        limit: None,
        breadth: Breadth::Repository,
        read: |_| Vec::new(),
        past: None,
        events: None,
    };
}

/// What happened, as far as it is still told; `None` = that is not known now.
pub type EventsOf = fn(&Measured<'_>) -> Option<Vec<Happening>>;

/// The values of a metric at the end with this number, [`Past::ends`].
pub type PastOf = fn(&Measured<'_>, &Past, usize) -> Vec<Sample>;

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How the values of a metric behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
    /// How many were at most as large as each of these bounds; all of that only goes up.
    Histogram(&'static [f64]),
}

/// Bounds of times that people wait, in seconds: from a minute to a month.
const WAITS: &[f64] = &[60.0, 600.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0];

/// Bounds of times that runs and tasks take, in seconds: from one to four hours.
const DURATIONS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// How many series a metric makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// One for the machine, or a handful.
    Machine,
    /// A few for each repository.
    Repository,
    /// One for each branch; made for as many as `serve.branch_series` says.
    Branch,
}

/// What metrics are read from.
pub struct Measured<'a> {
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// What the checks say of it.
    pub judged: &'a [Judged],
    /// The configuration in force.
    pub config: &'a Config,
    /// What is remembered from the looks before; nothing, where this is the only one.
    pub tally: &'a Tally,
    /// The time of judgement.
    pub now: Timestamp,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The values of its labels, in the order of [`Metric::labels`].
    pub labels: Vec<String>,
    /// The value, in the unit of the metric.
    pub value: f64,
}

impl Metric {
    /// Is a sample of it about the machine, whichever repository was looked at? `role` is its label of that name.
    pub fn is_of_machine(&self, role: Option<&str>) -> bool {
        // Each repository has a file system of its own.
        self.breadth == Breadth::Machine && role != Some("repository")
    }
}

impl Kind {
    /// Its name in the exposition format.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram(_) => "histogram",
        }
    }
}

impl Sample {
    fn plain(value: f64) -> Sample {
        Sample { labels: Vec::new(), value }
    }

    fn of<const N: usize>(labels: [&str; N], value: f64) -> Sample {
        Sample { labels: labels.map(str::to_owned).to_vec(), value }
    }
}

/// One sample, where the value is known.
fn known(value: Option<f64>) -> Vec<Sample> {
    value.map(Sample::plain).into_iter().collect()
}

/// The 50th and 90th percentile (nearest rank), where there is anything.
fn percentiles(values: Vec<f64>) -> Vec<Sample> {
    percentiles_at(values, [("50", 50), ("90", 90)])
}

/// These percentiles (nearest rank), where there is anything.
fn percentiles_at(mut values: Vec<f64>, percents: [(&str, usize); 2]) -> Vec<Sample> {
    values.sort_by(f64::total_cmp);
    let nearest = |percent: usize| values.get((values.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let of = |(label, percent)| Some(Sample::of([label], nearest(percent)?));
    percents.into_iter().filter_map(of).collect()
}

/// The value inside, where it was seen.
fn seen<T>(value: &Known<T>) -> Option<&T> {
    value.seen()
}

/// A metric over the past year.
#[derive(Clone, Debug)]
pub struct Weekly {
    /// The metric.
    pub metric: &'static Metric,
    /// The values of its labels.
    pub labels: Vec<String>,
    /// What it was at the end of each week, and now.
    pub series: Series,
}

/// What is known of the past year, in the order of the list; without single branches.
pub fn weekly(measured: &Measured<'_>) -> Vec<Weekly> {
    let Some(past) = measured.snapshot.facts.past.seen() else { return Vec::new() };
    let of_repository = ALL.iter().copied().filter(|metric| metric.breadth == Breadth::Repository);
    let mut all = Vec::new();
    for (metric, of) in of_repository.filter_map(|metric| Some((metric, metric.past?))) {
        let mut by_labels = BTreeMap::<Vec<String>, Vec<(Timestamp, f64)>>::new();
        for (number, end) in past.ends.iter().enumerate() {
            for sample in of(measured, past, number) {
                by_labels.entry(sample.labels).or_default().push((*end, sample.value));
            }
        }
        let weekly = |(labels, points)| Weekly { metric, labels, series: Series::new(points) };
        all.extend(by_labels.into_iter().map(weekly));
    }
    all
}

/// The metric with this name.
pub fn by_name(name: &str) -> Option<&'static Metric> {
    ALL.iter().copied().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_and_differ() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("alignwatch_"), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            let has_unit = ["commits", "seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit));
            assert_eq!(has_unit.unwrap_or(""), metric.unit, "{name}");
            assert!([metric.help, metric.formula, metric.why].iter().all(|text| !text.is_empty()), "{name} says all");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
