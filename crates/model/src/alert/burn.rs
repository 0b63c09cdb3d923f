//! How fast the error budget goes: burn rates over several windows at once.
//!
//! A burn rate of 1 uses the budget up exactly at the end of its four weeks. An alert needs a high rate in a long window
//! and in a short one: the long one says that it matters, the short one that it still goes on.
//!
//! Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"; windows and factors as
//! in Sloth's `google-30d`.

use std::collections::VecDeque;

use crate::{Severity, Span, Timestamp};

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

/// Points that are kept: three days of one every five minutes.
const POINTS_AT_MOST: usize = 900;

/// The least time between two points that are kept.
const APART: Span = Span::minutes(5);

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

    /// The gravest pair of windows that burns, with the rate of its long window; `None` = none does.
    /// Errors: too little is known to say.
    pub fn burning(&self, objective: f64, now: Timestamp) -> Result<Option<(Pair, f64)>, String> {
        let budget = 1.0 - objective;
        if budget <= 0.0 {
            return Err("the objective leaves no error budget".to_owned());
        }
        let rate = |window| self.bad(window, now).map(|bad| bad / budget);
        let mut is_known = false;
        let mut gap = None;
        for pair in PAIRS {
            match (rate(pair.short), rate(pair.long)) {
                (Some(short), Some(long)) if pair.factor < short && pair.factor < long => {
                    return Ok(Some((pair, long)));
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
            None => Err("not enough of the last hour is known".to_owned()),
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
        let (pair, rate) = fast.burning(0.99, now).unwrap().unwrap();
        assert_eq!(pair, PAIRS[0]);
        assert!((rate - 20.0).abs() < 1e-9, "{rate}");
        let (slow, now) = over(80, |_| Some(0.985));
        assert_eq!(slow.burning(0.99, now).unwrap().map(|(pair, _)| pair), Some(PAIRS[3]));
        let (well, now) = over(80, |_| Some(0.995));
        assert_eq!(well.burning(0.99, now), Ok(None));
    }

    #[test]
    fn what_is_over_burns_no_more() {
        // Bad for two hours, well for the last 40 minutes: the short window says that it is over.
        let (over, now) = over(7, |at| Some(if (4 * 3600..6 * 3600 + 1200).contains(&at) { 0.8 } else { 1.0 }));
        assert_eq!(over.burning(0.99, now).unwrap().map(|(pair, _)| pair.short), None);
    }

    #[test]
    fn a_gap_is_neither_good_nor_bad() {
        let (gap, now) = over(7, |at| if at < 3600 { Some(0.5) } else { None });
        assert!(gap.burning(0.99, now).is_err());
        assert!(Ratios::default().burning(0.99, now).is_err());
        // Within a window, only what is known counts.
        let (half, now) = over(2, |at| (3600 + 1700 < at).then_some(0.9));
        assert!((half.bad(Span::hours(1), now).unwrap() - 0.1).abs() < 1e-9);
    }
}
