//! Whether a series really rises or falls, or whether chance would do the same.
//!
//! Sources: Mann (1945), Kendall (1975), with the correction for ties. It asks of each pair which one is larger, and
//! nothing of the shape of the course.

use super::{Series, repeats};
use crate::Known;

/// How surely a series rises or falls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Monotone {
    /// Pairs that rise less pairs that fall.
    pub score: f64,
    /// The same as a part of all pairs, -1 to 1.
    pub tau: f64,
    /// The score in standard deviations.
    pub z: f64,
    /// The probability that chance alone does as much, in either direction.
    pub p: f64,
}

/// How surely a series rises or falls. Unknown with too few points.
pub fn monotone(series: &Series) -> Known<Monotone> {
    Known::from_result(try_monotone(series))
}

pub(super) fn try_monotone(series: &Series) -> Result<Monotone, String> {
    series.enough()?;
    let values = series.values();
    let (n, score) = (values.len() as f64, score(&values));
    let ties: f64 = repeats(&values).into_iter().map(|k| k * (k - 1.0) * (2.0 * k + 5.0)).sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    // One less: the score moves in steps, the normal distribution does not.
    let z = if score == 0.0 { 0.0 } else { (score - score.signum()) / variance.sqrt() };
    Ok(Monotone { score, tau: score / (0.5 * n * (n - 1.0)), z, p: two_sided(z) })
}

fn score(values: &[f64]) -> f64 {
    let sign = |one: f64, two: f64| f64::from(i8::from(one < two) - i8::from(two < one));
    (1..values.len()).flat_map(|later| (0..later).map(move |at| sign(values[at], values[later]))).sum()
}

/// The probability of being at least so many standard deviations away, in either direction.
fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}
