//! How fast the error budget goes: burn rates over several windows at once.
//!
//! A burn rate of 1 uses the budget up exactly at the end of its four weeks. An alert needs a high rate in a long window
//! and in a short one: the long one says that it matters, the short one that it still goes on.
//!
//! Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"; windows and factors as
//! in Sloth's `google-30d`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
};

use super::{
    Labels, Matcher,
    expression::{self, Expression},
    matcher::all_match,
};
use crate::{Severity, Span, Timestamp, metrics};

/// A promise: what should be good, how much of it, and how fast its error budget may go.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// What is good.
    pub good: Good,
    /// The part that should be, 0 to 1; `None` = `serve.aligned_objective`.
    pub objective: Option<f64>,
    /// The windows, the gravest first.
    pub pairs: Vec<Pair>,
}

impl Slo {
    /// The one on alignment, which is there without any configuration.
    pub(super) fn of_alignment() -> Slo {
        let metric = super::book::WITHIN_BUDGET.to_owned();
        Slo { good: Good::Part { metric, matchers: Vec::new() }, objective: None, pairs: PAIRS.to_vec() }
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.objective {
            None => f.write_str("an error budget that goes too fast, over two windows at once"),
            Some(objective) => {
                let (percent, good) = (percent(objective), &self.good);
                write!(
                    f,
                    "the error budget of {good} (promised: {percent} %) that goes too fast, over two windows at once"
                )
            }
        }
    }
}

/// With as many digits as were written.
fn percent(ratio: f64) -> f64 {
    (ratio * 1e8).round() / 1e6
}

/// What is good, at each time a part from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Good {
    /// As much as the number says, one of [`metrics::PARTS_THAT_ARE_WELL`].
    Part {
        /// The metric.
        metric: String,
        /// Which of its series.
        matchers: Vec<Matcher>,
    },
    /// All of it while this is not bad, and nothing while it is.
    Unless {
        /// What is bad.
        bad: Expression,
        /// What is well again; between the two, it stays as it is. `None` = whatever is not bad.
        clear: Option<f64>,
    },
}

impl Good {
    /// Reads what is good: a part that is well, or what is bad. Errors: what is wrong.
    pub(super) fn parse(text: &str) -> Result<Good, String> {
        let (metric, matchers, rest) = expression::series(text)?;
        if !rest.is_empty() {
            return Ok(Good::Unless { bad: Expression::parse(text)?, clear: None });
        }
        if !metrics::PARTS_THAT_ARE_WELL.iter().any(|part| part.name == metric.name) {
            let parts = metrics::PARTS_THAT_ARE_WELL.map(|part| part.name).join("`, `");
            return Err(format!(
                "`{}` does not say which part is good, as `{parts}` do: write which numbers are bad",
                metric.name
            ));
        }
        Ok(Good::Part { metric: metric.name.to_owned(), matchers })
    }

    /// The metric.
    pub fn metric(&self) -> &str {
        match self {
            Good::Part { metric, .. } => metric,
            Good::Unless { bad, .. } => &bad.metric,
        }
    }

    /// Which of its series.
    pub fn matchers(&self) -> &[Matcher] {
        match self {
            Good::Part { matchers, .. } => matchers,
            Good::Unless { bad, .. } => &bad.matchers,
        }
    }

    /// Is it about a series with these labels?
    pub fn is_about(&self, labels: &Labels) -> bool {
        all_match(self.matchers(), labels)
    }

    /// The part that is good while the number is this; `before` is the part that was.
    fn part(&self, value: f64, before: Option<f64>) -> f64 {
        match self {
            Good::Part { .. } => value,
            Good::Unless { bad, clear } => {
                let clear = clear.filter(|_| before == Some(0.0));
                let is_bad = bad.comparison.holds(value, clear.unwrap_or(bad.number)) && clear != Some(value);
                if is_bad { 0.0 } else { 1.0 }
            }
        }
    }
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Good::Part { metric, matchers } => f.write_str(&expression::written(metric, matchers)),
            Good::Unless { bad, clear: None } => write!(f, "not {bad}"),
            Good::Unless { bad, clear: Some(clear) } => write!(f, "not {bad}, until it passes {clear}"),
        }
    }
}

/// The last days of what promises are made of: what is good, by its text, and the labels of the series.
#[derive(Clone, Debug, Default)]
pub struct Budgets(BTreeMap<String, BTreeMap<Labels, Ratios>>);

impl Budgets {
    /// Takes in the numbers of one look at this place. What does not count is a gap, and so is what has no number any more.
    pub fn take_in(&mut self, good: &Good, numbers: &[(Labels, f64)], place: &str, counts: bool, now: Timestamp) {
        let all = self.0.entry(good.to_string()).or_default();
        let numbers: BTreeMap<&Labels, f64> = numbers
            .iter()
            .filter(|(labels, _)| good.is_about(labels))
            .map(|(labels, value)| (labels, *value))
            .collect();
        for (labels, ratios) in all.iter_mut().filter(|(labels, _)| is_at(labels, place)) {
            if !numbers.contains_key(labels) {
                ratios.push(now, None);
            }
        }
        for (labels, value) in numbers {
            let ratios = all.entry(labels.clone()).or_default();
            ratios.push(now, counts.then(|| good.part(value, ratios.last())));
        }
        all.retain(|_, ratios| ratios.is_known());
    }

    /// Takes in what was kept of a series from before this start.
    pub fn recall(&mut self, good: &Good, labels: Labels, points: impl IntoIterator<Item = (Timestamp, Option<f64>)>) {
        let ratios = self.0.entry(good.to_string()).or_default().entry(labels).or_default();
        for (at, value) in points {
            ratios.push(at, value.map(|value| good.part(value, ratios.last())));
        }
    }

    /// The series of this place, with their last days.
    pub fn at(&self, good: &Good, place: &str) -> impl Iterator<Item = (&Labels, &Ratios)> {
        self.0.get(&good.to_string()).into_iter().flatten().filter(move |(labels, _)| is_at(labels, place))
    }

    /// Forgets what nothing is about any more.
    pub fn keep_only(&mut self, wanted: &BTreeSet<String>) {
        self.0.retain(|good, _| wanted.contains(good));
    }

    /// Forgets points that a clock gave which was ahead.
    pub fn forget_after(&mut self, now: Timestamp) {
        self.0.values_mut().flat_map(BTreeMap::values_mut).for_each(|ratios| ratios.forget_after(now));
    }
}

/// A series of the machine is seen at each place.
fn is_at(labels: &Labels, place: &str) -> bool {
    labels.get("repository").is_none_or(|path| path == place)
}

/// A pair of windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The short one.
    pub short: Span,
    /// The long one.
    pub long: Span,
    /// The rate from which on it is bad in both.
    pub factor: f64,
    /// How bad that is.
    pub severity: Severity,
}

/// The pairs, the gravest first.
pub const PAIRS: [Pair; 4] = [
    Pair { short: Span::minutes(5), long: Span::hours(1), factor: 14.4, severity: Severity::Critical },
    Pair { short: Span::minutes(30), long: Span::hours(6), factor: 6.0, severity: Severity::Critical },
    Pair { short: Span::hours(2), long: Span::days(1), factor: 3.0, severity: Severity::Warning },
    Pair { short: Span::hours(6), long: Span::days(3), factor: 1.0, severity: Severity::Warning },
];

/// How long a number is taken to hold after it was measured. Source: ours; twelve sweeps of the usual interval.
const HOLDS: Span = Span::hours(1);

/// The part of a window that must be known. Source: ours; of less than half, the mean says more about the gaps.
const KNOWN_AT_LEAST: f64 = 0.5;

/// The longest window: as much of the past as is kept in mind.
pub const LONGEST: Span = Span::days(3);

/// Points that are kept: three days of one every five minutes.
const POINTS_AT_MOST: usize = 900;

/// The least time between two points that are kept.
pub const APART: Span = Span::minutes(5);

/// The part of branches that is within budget, over the last days. A gap is a time that does not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ratios(VecDeque<(Timestamp, Option<f64>)>);

impl Ratios {
    /// Takes a point in; `None` = from now on it is not known, or does not count. Points come in order of time.
    pub fn push(&mut self, at: Timestamp, ratio: Option<f64>) {
        // The newest of a few that lie close together stands for all of them.
        let replaces = self.0.len() >= 2 && at.since(self.0[self.0.len() - 2].0).0 < APART.0;
        if replaces {
            self.0.pop_back();
        }
        self.0.push_back((at, ratio));
        if POINTS_AT_MOST < self.0.len() {
            self.0.pop_front();
        }
    }

    /// The mean part that was not within budget over the last `window`; `None` = too little is known.
    pub fn bad(&self, window: Span, now: Timestamp) -> Option<f64> {
        let from = Timestamp(now.0 - window.0);
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([now]);
        let (mut known, mut bad) = (0.0, 0.0);
        for ((at, ratio), end) in self.0.iter().zip(ends) {
            let until = Timestamp(end.0.min(at.0 + HOLDS.0));
            let seconds = until.0.min(now.0) - at.0.max(from.0);
            if let Some(ratio) = ratio.filter(|_| 0 < seconds) {
                known += seconds as f64;
                bad += (1.0 - ratio) * seconds as f64;
            }
        }
        (KNOWN_AT_LEAST * window.0 as f64 <= known).then(|| bad / known)
    }

    /// The last part that was known.
    fn last(&self) -> Option<f64> {
        self.0.iter().rev().find_map(|(_, ratio)| *ratio)
    }

    /// Is there any number?
    fn is_known(&self) -> bool {
        self.0.iter().any(|(_, ratio)| ratio.is_some())
    }

    /// The gravest of these pairs of windows that burns, with the rate of its long window; `None` = none does.
    /// Errors: too little is known to say.
    pub fn burning(&self, pairs: &[Pair], objective: f64, now: Timestamp) -> Result<Option<(Pair, f64)>, String> {
        let budget = 1.0 - objective;
        if budget <= 0.0 {
            return Err("the objective leaves no error budget".to_owned());
        }
        let rate = |window| self.bad(window, now).map(|bad| bad / budget);
        let mut is_known = false;
        let mut gap = None;
        for pair in pairs {
            match (rate(pair.short), rate(pair.long)) {
                (Some(short), Some(long)) if pair.factor < short && pair.factor < long => {
                    return Ok(Some((*pair, long)));
                }
                (Some(_), Some(_)) => is_known = true,
                // A watch that began lately knows nothing of a long window; one that goes on has a gap in it.
                _ if self.reaches_back(pair.long, now) => gap = gap.or(Some(pair.long)),
                _ => {}
            }
        }
        match gap {
            Some(window) => Err(format!("too little of the last {window} is known")),
            None if is_known => Ok(None),
            None => Err("not enough of the last hours is known".to_owned()),
        }
    }

    fn reaches_back(&self, window: Span, now: Timestamp) -> bool {
        self.0.front().is_some_and(|(first, _)| KNOWN_AT_LEAST * window.0 as f64 <= now.since(*first).0 as f64)
    }

    /// Forgets points that a clock gave which was ahead.
    pub fn forget_after(&mut self, now: Timestamp) {
        self.0.retain(|(at, _)| *at <= now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(hours: i64, ratio: impl Fn(i64) -> Option<f64>) -> (Ratios, Timestamp) {
        let mut ratios = Ratios::default();
        (0..=hours * 12).for_each(|i| ratios.push(Timestamp(i * 300), ratio(i * 300)));
        (ratios, Timestamp(hours * 3600))
    }

    #[test]
    fn a_budget_that_goes_fast_is_grave_and_one_that_goes_slowly_is_not() {
        // 99 % promised: one branch in five out of budget burns twenty times too fast.
        let (fast, now) = over(7, |_| Some(0.8));
        let (pair, rate) = fast.burning(&PAIRS, 0.99, now).unwrap().unwrap();
        assert_eq!(pair, PAIRS[0]);
        assert!((rate - 20.0).abs() < 1e-9, "{rate}");
        let (slow, now) = over(80, |_| Some(0.985));
        assert_eq!(slow.burning(&PAIRS, 0.99, now).unwrap().map(|(pair, _)| pair), Some(PAIRS[3]));
        let (well, now) = over(80, |_| Some(0.995));
        assert_eq!(well.burning(&PAIRS, 0.99, now), Ok(None));
    }

    #[test]
    fn what_was_kept_of_a_series_counts_after_a_restart() {
        let good = Good::parse("alignwatch_repo_packs{repository=\"/a\"} > 50").unwrap();
        let labels = |path: &str| Labels::from([("repository".to_owned(), path.to_owned())]);
        let mut budgets = Budgets::default();
        budgets.recall(&good, labels("/a"), (0..24).map(|i| (Timestamp(i * 300), Some(60.0))));
        budgets.take_in(&good, &[(labels("/a"), 60.0), (labels("/b"), 60.0)], "/a", true, Timestamp(24 * 300));
        let known: Vec<_> =
            budgets.at(&good, "/a").map(|(_, ratios)| ratios.burning(&PAIRS, 0.99, Timestamp(7_200))).collect();
        assert_eq!(known, [Ok(Some((PAIRS[0], 1.0 / (1.0 - 0.99))))]);
        // A rule that is about something else begins anew.
        budgets.keep_only(&BTreeSet::from(["not alignwatch_repo_packs > 50".to_owned()]));
        assert_eq!(budgets.at(&good, "/a").count(), 0);
    }

    #[test]
    fn what_is_over_burns_no_more() {
        // Bad for two hours, well for the last 40 minutes: the short window says that it is over.
        let (over, now) = over(7, |at| Some(if (4 * 3600..6 * 3600 + 1200).contains(&at) { 0.8 } else { 1.0 }));
        assert_eq!(over.burning(&PAIRS, 0.99, now).unwrap().map(|(pair, _)| pair.short), None);
    }

    #[test]
    fn a_gap_is_neither_good_nor_bad() {
        let (gap, now) = over(7, |at| if at < 3600 { Some(0.5) } else { None });
        assert!(gap.burning(&PAIRS, 0.99, now).is_err());
        assert!(Ratios::default().burning(&PAIRS, 0.99, now).is_err());
        // Within a window, only what is known counts.
        let (half, now) = over(2, |at| (3600 + 1700 < at).then_some(0.9));
        assert!((half.bad(Span::hours(1), now).unwrap() - 0.1).abs() < 1e-9);
    }
}
