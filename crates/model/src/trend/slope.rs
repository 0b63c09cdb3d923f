//! How fast a series changes: the median of the slopes between all pairs of points.
//!
//! Sources: Theil (1950), Sen (1968). Nearly a third of the points may be anything without the slope leaving its
//! place. The interval is Sen's, from the normal approximation of Kendall's statistic, with ties.

use super::{Series, median, repeats};
use crate::Known;

/// The quantile of the normal distribution for an interval that holds the truth 19 times in 20.
const Z_95: f64 = 1.959_963_984_540_054;

/// How fast a series changes, in its unit a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The slope.
    pub per_day: f64,
    /// With 95 % confidence it is not less.
    pub low: f64,
    /// With 95 % confidence it is not more.
    pub high: f64,
    /// The line goes through this point: the median of the times, in days since the first point …
    pub(crate) middle_day: f64,
    /// … and the median of the values.
    pub(crate) middle: f64,
}

impl Slope {
    /// The line at so many days after the first point.
    pub(crate) fn at_day(&self, day: f64) -> f64 {
        self.middle + self.per_day * (day - self.middle_day)
    }
}

/// How fast a series changes. Unknown with too few points.
pub fn slope(series: &Series) -> Known<Slope> {
    Known::from_result(try_slope(series))
}

pub(super) fn try_slope(series: &Series) -> Result<Slope, String> {
    series.enough()?;
    let (mut days, mut values) = (series.days(), series.values());
    let slopes = slopes(&days, &values);
    let (low, high) = bounds(&values, slopes.len());
    Ok(Slope {
        per_day: middle_of(&slopes),
        low: slopes[low],
        high: slopes[high],
        middle_day: median(&mut days),
        middle: median(&mut values),
    })
}

/// The slopes between all pairs, sorted. Times are in order, each once.
fn slopes(days: &[f64], values: &[f64]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(days.len() * days.len() / 2);
    for later in 1..days.len() {
        slopes.extend((0..later).map(|at| (values[later] - values[at]) / (days[later] - days[at])));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes
}

fn middle_of(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[half - 1], sorted[half]) } else { sorted[half] }
}

/// The places of the lowest and the highest slope of the interval, among `n_slopes` sorted ones.
fn bounds(values: &[f64], n_slopes: usize) -> (usize, usize) {
    let n = values.len() as f64;
    let ties: f64 = repeats(values).into_iter().map(|k| k * (k - 1.0) * (2.0 * k + 5.0)).sum();
    let sigma = ((n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0).max(0.0).sqrt();
    let n_slopes = n_slopes as f64;
    let high = ((n_slopes + Z_95 * sigma) / 2.0).round_ties_even().min(n_slopes - 1.0);
    let low = (((n_slopes - Z_95 * sigma) / 2.0).round_ties_even() - 1.0).max(0.0);
    (low as usize, high as usize)
}
