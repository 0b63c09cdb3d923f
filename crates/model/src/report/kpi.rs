//! The numbers of a report, each against the period before.

use serde::Serialize;

use super::held::{HeldCourse, HeldRepository, Spans, Times};
use crate::{
    Known, Timestamp,
    trend::{Forecast, forecast, words::Unit},
};

/// A number that is reported, and what is good for it.
#[derive(Clone, Copy, Debug)]
pub struct Kpi {
    /// The metric.
    pub metric: &'static str,
    /// The value of its label: `*` = each; empty = it has none.
    pub label: &'static str,
    /// What people call it.
    pub title: &'static str,
    better: Better,
    sum: Sum,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    More,
    Less,
    /// It says how much goes on.
    Neither,
}

/// What stands for a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sum {
    /// The mean over the time that was seen, without maintenance.
    Mean,
    /// The last that was seen.
    Last,
}

/// The metric that each look measures, so that its times are those of the looks.
pub const SWEPT: &str = "alignwatch_aligned_objective_ratio";

/// What is left of the error budget.
const BUDGET_LEFT: &str = "alignwatch_error_budget_left_ratio";

/// The numbers, the ones about alignment first.
pub const ALL: [Kpi; 11] = [
    kpi("alignwatch_within_budget_ratio", "", "Within budget of drift", Better::More, Sum::Mean),
    kpi("alignwatch_aligned_ratio", "", "Aligned", Better::More, Sum::Mean),
    kpi(BUDGET_LEFT, "", "Error budget left", Better::More, Sum::Last),
    kpi("alignwatch_open_branches", "", "Open branches", Better::Neither, Sum::Last),
    kpi("alignwatch_branches", "conflicting", "Conflicting branches", Better::Less, Sum::Last),
    kpi("alignwatch_far_behind_branches", "", "Branches far behind", Better::Less, Sum::Last),
    kpi("alignwatch_cleanup_candidates", "*", "Branches that could go", Better::Less, Sum::Last),
    kpi("alignwatch_time_to_align_seconds", "50", "Time to align, median", Better::Less, Sum::Last),
    kpi("alignwatch_landings", "*", "Merges a week", Better::Neither, Sum::Last),
    kpi("alignwatch_base_moves", "*", "Moves of the base a week", Better::Neither, Sum::Last),
    kpi("alignwatch_repo_size_bytes", "packs", "Size of packs", Better::Neither, Sum::Last),
];

const fn kpi(metric: &'static str, label: &'static str, title: &'static str, better: Better, sum: Sum) -> Kpi {
    Kpi { metric, label, title, better, sum }
}

impl Kpi {
    /// Is it about the series with this value of its label?
    pub fn is_of(&self, label: &str) -> bool {
        self.label == "*" || self.label == label
    }
}

/// A number against the period before. One that is not known is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Number {
    /// The metric.
    pub metric: &'static str,
    /// The value of its label; empty without one.
    pub label: String,
    /// What people call it.
    pub title: String,
    /// The unit of the values: `seconds`, `bytes`, `ratio`; empty for plain numbers.
    pub unit: &'static str,
    /// What stands for the period: the mean over the time that was seen for ratios, the last value otherwise.
    pub value: Option<f64>,
    /// The same of the period before.
    pub before: Option<f64>,
    /// The difference.
    pub change: Option<f64>,
    /// `better`, `worse`, `same`, `changed` (neither is good), `unknown`.
    pub verdict: &'static str,
    /// The period before was rebuilt from history, not measured.
    pub is_before_rebuilt: bool,
    /// The values as people read them.
    pub told: Told,
}

/// Values as people read them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The value; `?` when it is not known.
    pub value: String,
    /// The one before.
    pub before: String,
    /// The difference with its sign; empty when it is not known.
    pub change: String,
}

/// When a limit is passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Foretold {
    /// The metric.
    pub metric: &'static str,
    /// What people call it.
    pub title: String,
    /// In words.
    pub told: String,
    /// `passed`, `in`, `not_within`, or `unknown`.
    pub verdict: &'static str,
    /// In about so many seconds.
    pub about_seconds: Option<i64>,
}

/// The numbers of a repository.
pub(super) fn numbers(repository: &HeldRepository, times: &Times, maintenance: &Spans) -> Vec<Number> {
    repository.courses.iter().filter_map(|course| number(course, times, maintenance)).collect()
}

fn of(course: &HeldCourse) -> Option<&'static Kpi> {
    ALL.iter().find(|kpi| kpi.metric == course.metric.name && kpi.is_of(&course.label))
}

fn title(course: &HeldCourse, kpi: &Kpi) -> String {
    match kpi.label {
        "*" => format!("{}: {}", kpi.title, label_told(course)),
        _ => kpi.title.to_owned(),
    }
}

/// The value of a label: a word of ours, or a line, whose name stays as it is.
fn label_told(course: &HeldCourse) -> String {
    let is_name = course.metric.labels.contains(&"line");
    if is_name { course.label.clone() } else { course.label.replace('_', " ") }
}

fn number(course: &HeldCourse, times: &Times, maintenance: &Spans) -> Option<Number> {
    let kpi = of(course)?;
    let within = |points: &[(Timestamp, f64)], is_in: &dyn Fn(Timestamp) -> bool| {
        let counts = |at: Timestamp| is_in(at) && !(kpi.sum == Sum::Mean && maintenance.holds(at));
        let values: Vec<f64> = points.iter().filter(|(at, _)| counts(*at)).map(|(_, value)| *value).collect();
        match kpi.sum {
            Sum::Last => values.last().copied(),
            Sum::Mean if values.is_empty() => None,
            Sum::Mean => Some(values.iter().sum::<f64>() / values.len() as f64),
        }
    };
    let value = within(&course.measured, &|at| times.holds(at));
    let measured = within(&course.measured, &|at| times.held_before(at));
    let rebuilt = || within(&course.rebuilt, &|at| times.held_before(at));
    let (before, is_before_rebuilt) = match measured {
        Some(before) => (Some(before), false),
        None => rebuilt().map_or((None, false), |before| (Some(before), true)),
    };
    if value.is_none() && before.is_none() {
        return None;
    }
    let unit = Unit::of(course.metric.unit);
    let change = value.zip(before).map(|(value, before)| value - before);
    Some(Number {
        metric: course.metric.name,
        label: course.label.clone(),
        title: title(course, kpi),
        unit: course.metric.unit,
        value,
        before,
        change,
        verdict: verdict(kpi.better, unit, value, before),
        is_before_rebuilt,
        told: Told {
            value: told(kpi, unit, value),
            before: told(kpi, unit, before),
            change: change.map_or(String::new(), |change| signed(unit, change)),
        },
    })
}

fn told(kpi: &Kpi, unit: Unit, value: Option<f64>) -> String {
    match value {
        None => "?".to_owned(),
        // How often it is spent over nobody can imagine: that it is, is what counts.
        Some(left) if kpi.metric == BUDGET_LEFT && left < 0.0 => "spent".to_owned(),
        Some(value) => unit.told(value),
    }
}

fn signed(unit: Unit, change: f64) -> String {
    // A change of a ratio is in points, not in parts of what it was.
    let size = match unit {
        Unit::Ratio => format!("{:.1} points", 100.0 * change.abs()),
        _ => unit.told(change.abs()),
    };
    let sign = if change < 0.0 { "−" } else { "+" };
    if change == 0.0 { "no change".to_owned() } else { format!("{sign}{size}") }
}

fn verdict(better: Better, unit: Unit, value: Option<f64>, before: Option<f64>) -> &'static str {
    let (Some(value), Some(before)) = (value, before) else { return "unknown" };
    // What reads the same is the same.
    if unit.told(value) == unit.told(before) {
        return "same";
    }
    match (better, before < value) {
        (Better::Neither, _) => "changed",
        (Better::More, true) | (Better::Less, false) => "better",
        (Better::More, false) | (Better::Less, true) => "worse",
    }
}

/// When limits are passed, of the numbers of a repository that have one.
pub(super) fn foretold(repository: &HeldRepository, now: Timestamp) -> Vec<Foretold> {
    let foretold = |course: &HeldCourse| {
        let (kpi, limit) = (of(course)?, course.metric.limit?);
        let unit = Unit::of(course.metric.unit);
        let (told, verdict, about) = match forecast(&course.year, limit, now) {
            Known::Unknown(reason) => (format!("not known: {reason}"), "unknown", None),
            Known::Seen(when) => {
                let (verdict, about) = match when {
                    Forecast::Passed => ("passed", None),
                    Forecast::In { about, .. } => ("in", Some(about.0)),
                    Forecast::NotWithin(_) => ("not_within", None),
                };
                (when.told_of(limit, unit), verdict, about)
            }
        };
        let metric = course.metric.name;
        Some(Foretold { metric, title: title(course, kpi), told, verdict, about_seconds: about })
    };
    repository.courses.iter().filter_map(foretold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn each_number_is_a_metric_of_the_list() {
        for kpi in ALL {
            let metric = metrics::by_name(kpi.metric).unwrap_or_else(|| panic!("{}", kpi.metric));
            assert_eq!(kpi.label.is_empty(), metric.labels.is_empty(), "{}", kpi.metric);
        }
        assert!(metrics::by_name(SWEPT).is_some_and(|metric| metric.labels.is_empty()));
    }

    #[test]
    fn a_budget_that_is_spent_is_told_as_that() {
        let told = |metric: &str, value| told(ALL.iter().find(|kpi| kpi.metric == metric).unwrap(), Unit::Ratio, value);
        assert_eq!(told(BUDGET_LEFT, Some(-13.34)), "spent");
        assert_eq!(told(BUDGET_LEFT, Some(0.25)), "25 %");
        assert_eq!(told(BUDGET_LEFT, None), "?");
        assert_eq!(told("alignwatch_aligned_ratio", Some(0.5)), "50 %");
    }

    #[test]
    fn a_change_that_nobody_can_read_is_none() {
        let verdict = |value, before| verdict(Better::More, Unit::Ratio, value, before);
        assert_eq!(verdict(Some(0.91), Some(0.91 + 1e-9)), "same");
        assert_eq!(verdict(Some(0.93), Some(0.91)), "better");
        assert_eq!(verdict(Some(0.5), Some(0.91)), "worse");
        assert_eq!(verdict(None, Some(0.91)), "unknown");
        assert_eq!(signed(Unit::Ratio, -0.021), "−2.1 points");
    }
}
