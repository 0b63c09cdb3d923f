//! Whether a series went to another level at once, and when.
//!
//! Source: Pettitt (1979): the place where what comes before and what comes after differ most by rank. The
//! probability is his approximation, which is fair below one half.

use super::{CHANCE_AT_MOST, Series, Slope, median};
use crate::{Known, Timestamp};

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The first point of the new level.
    pub at: Timestamp,
    /// The median before.
    pub before: f64,
    /// The median from then on.
    pub after: f64,
    /// Pettitt's statistic.
    pub statistic: f64,
    /// The probability that chance alone does as much.
    pub p: f64,
}

impl Shift {
    /// Does one step follow the points more closely than one line? Then it is a step that is to be told.
    pub(super) fn is_better_than(&self, slope: &Slope, series: &Series) -> bool {
        let level = |at: Timestamp| if at < self.at { self.before } else { self.after };
        let off_step: f64 = series.points().iter().map(|(at, value)| (value - level(*at)).abs()).sum();
        let off_line: f64 =
            series.days().iter().zip(series.values()).map(|(day, value)| (value - slope.at_day(*day)).abs()).sum();
        off_step < off_line
    }
}

/// The most likely change of level; `None` when chance would do as much. Unknown with too few points.
pub fn shift(series: &Series) -> Known<Option<Shift>> {
    Known::from_result(try_shift(series))
}

pub(super) fn try_shift(series: &Series) -> Result<Option<Shift>, String> {
    series.enough()?;
    let (mut values, n) = (series.values(), series.points().len() as f64);
    let (place, statistic) = furthest(&ranks(&values));
    let p = (2.0 * (-6.0 * statistic * statistic / (n.powi(3) + n.powi(2))).exp()).min(1.0);
    let (before, after) = values.split_at_mut(place + 1);
    if after.is_empty() || CHANCE_AT_MOST < p {
        return Ok(None);
    }
    Ok(Some(Shift { at: series.points()[place + 1].0, before: median(before), after: median(after), statistic, p }))
}

/// The last point of the part whose ranks are furthest from what they should be, and how far.
fn furthest(ranks: &[f64]) -> (usize, f64) {
    let n = ranks.len() as f64;
    let (mut sum, mut furthest) = (0.0, (0, 0.0));
    for (place, rank) in ranks.iter().enumerate() {
        sum += 2.0 * rank - (n + 1.0);
        if furthest.1 < sum.abs() {
            furthest = (place, sum.abs());
        }
    }
    furthest
}

/// Ranks from 1 on; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &two| values[one].total_cmp(&values[two]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 1;
    for same in order.chunk_by(|&one, &two| values[one] == values[two]) {
        let mean = first as f64 + (same.len() - 1) as f64 / 2.0;
        same.iter().for_each(|&place| ranks[place] = mean);
        first += same.len();
    }
    ranks
}
