//! Trends: what a series of numbers did, and where it leads, in numbers and in words.
//!
//! All of it is robust: a day that was off, a gap, or a clock that was wrong changes little. All of it is pure, and
//! says [`Known::Unknown`] where there are too few points rather than something that sounds sure.
//!
//! * [`mod@slope`]: how fast it changes (Theil and Sen), with an interval.
//! * [`mod@monotone`]: whether it really rises or falls (Mann and Kendall).
//! * [`mod@shift`]: whether it went to another level at once (Pettitt).
//! * [`mod@season`]: what is usual for this hour of the week, or day.
//! * [`mod@forecast`]: when it passes a limit, with an interval.
//! * [`mod@words`]: the same as a person would say it.
//! * [`mod@promise`]: how much of a promise over time was kept.
//!
//! Known gap: the tests take points to be independent. Neighbours in a series are alike, so that a chance walk is
//! called a trend more often than one time in twenty. That is why a trend alone is told and never found fault with.

pub mod forecast;
pub mod monotone;
pub mod promise;
pub mod season;
pub mod shift;
pub mod slope;
pub mod words;

use crate::{Known, Span, Timestamp};

pub use self::{
    forecast::{Forecast, Limit, forecast},
    monotone::{Monotone, monotone},
    season::{Cycle, Season, season},
    shift::{Shift, shift},
    slope::{Slope, slope},
};

/// Points that a series is worked out from; longer ones are thinned.
///
/// The slope compares all pairs, so that the work grows with the square: 400 points are 80,000 pairs, a few milliseconds.
pub const POINTS_AT_MOST: usize = 400;

/// Points from which on anything is said.
///
/// Source: Kendall (1975): the normal approximation of the test is fair from ten on.
pub const POINTS_AT_LEAST: usize = 10;

/// From this probability on that chance alone would do the same, nothing is called a trend. Source: convention.
pub const CHANCE_AT_MOST: f64 = 0.05;

/// A day, in seconds: slopes are counted by it.
pub(crate) const DAY: f64 = 86_400.0;

/// Numbers over time, with gaps.
///
/// Shape: in order of time, each time once, all finite, at most [`POINTS_AT_MOST`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<(Timestamp, f64)>);

/// What a series did.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// Points that it rests on.
    pub n_points: usize,
    /// When the first and the last of them were measured.
    pub from: Timestamp,
    /// See `from`.
    pub to: Timestamp,
    /// The last value.
    pub latest: f64,
    /// Where it goes.
    pub direction: Direction,
    /// How fast it changes.
    pub slope: Slope,
    /// Whether that may be chance.
    pub monotone: Monotone,
    /// A change of level at once, where that says more than a slope.
    pub shift: Option<Shift>,
}

/// Where a series goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up, and not by chance.
    Rising,
    /// Down, and not by chance.
    Falling,
    /// Neither can be told from chance.
    Steady,
}

impl Direction {
    /// Its name in documents.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Rising => "rising",
            Direction::Falling => "falling",
            Direction::Steady => "steady",
        }
    }
}

impl Series {
    /// A series of these points. What is not finite is left out; of two at the same time the later one counts.
    pub fn new(points: impl IntoIterator<Item = (Timestamp, f64)>) -> Series {
        let mut points: Vec<_> = points.into_iter().filter(|(_, value)| value.is_finite()).collect();
        points.sort_by_key(|(at, _)| *at);
        points.reverse();
        points.dedup_by_key(|(at, _)| *at);
        points.reverse();
        Series(thinned(points))
    }

    /// The points.
    pub fn points(&self) -> &[(Timestamp, f64)] {
        &self.0
    }

    /// From the first point to the last; nothing for less than two.
    pub fn length(&self) -> Span {
        match self.0[..] {
            [(first, _), .., (last, _)] => last.since(first),
            _ => Span(0),
        }
    }

    /// The points from this time on.
    pub fn since(&self, from: Timestamp) -> Series {
        Series(self.0.iter().filter(|(at, _)| from <= *at).copied().collect())
    }

    /// Days since the first point, for each.
    pub(crate) fn days(&self) -> Vec<f64> {
        let first = self.0.first().map_or(Timestamp(0), |(at, _)| *at);
        self.0.iter().map(|(at, _)| days_between(first, *at)).collect()
    }

    pub(crate) fn values(&self) -> Vec<f64> {
        self.0.iter().map(|(_, value)| *value).collect()
    }

    /// Errors: too few points to say anything.
    pub(crate) fn enough(&self) -> Result<(), String> {
        let n = self.0.len();
        let few = || format!("there are {n} points, and {POINTS_AT_LEAST} are needed to tell a trend");
        if n < POINTS_AT_LEAST { Err(few()) } else { Ok(()) }
    }
}

/// What a series did. Unknown with too few points.
pub fn trend(series: &Series) -> Known<Trend> {
    Known::from_result(try_trend(series))
}

fn try_trend(series: &Series) -> Result<Trend, String> {
    let (slope, monotone, shift) =
        (slope::try_slope(series)?, monotone::try_monotone(series)?, shift::try_shift(series)?);
    let (Some(&(from, _)), Some(&(to, latest))) = (series.0.first(), series.0.last()) else {
        return Err("there are no points".to_owned());
    };
    let direction = match () {
        () if CHANCE_AT_MOST < monotone.p => Direction::Steady,
        () if 0.0 < slope.low => Direction::Rising,
        () if slope.high < 0.0 => Direction::Falling,
        () => Direction::Steady,
    };
    let shift = shift.filter(|shift| shift.is_better_than(&slope, series));
    Ok(Trend { n_points: series.0.len(), from, to, latest, direction, slope, monotone, shift })
}

/// The same series with at most [`POINTS_AT_MOST`] points: medians of runs of equal length.
fn thinned(points: Vec<(Timestamp, f64)>) -> Vec<(Timestamp, f64)> {
    if points.len() <= POINTS_AT_MOST {
        return points;
    }
    let run = points.len().div_ceil(POINTS_AT_MOST);
    let middle = |run: &[(Timestamp, f64)]| {
        let mut values: Vec<f64> = run.iter().map(|(_, value)| *value).collect();
        (run[run.len() / 2].0, median(&mut values))
    };
    points.chunks(run).map(middle).collect()
}

pub(crate) fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).0 as f64 / DAY
}

/// The middle value; between two it is half way. 0 for none. The order of `values` changes.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (n, half) if n % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        (_, half) => values[half],
    }
}

/// How often each value that is there more than once is there.
pub(crate) fn repeats(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|one, two| one == two).map(|same| same.len() as f64).filter(|&n| 1.0 < n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn daily(values: impl IntoIterator<Item = f64>) -> Series {
        Series::new(values.into_iter().enumerate().map(|(day, value)| (Timestamp(day as i64 * 86_400), value)))
    }

    #[test]
    fn a_series_is_in_order_finite_and_says_the_last_of_a_second() {
        let points = [(3, 1.0), (1, 2.0), (2, f64::NAN), (3, 4.0), (2, f64::INFINITY)];
        let series = Series::new(points.map(|(at, value)| (Timestamp(at), value)));
        assert_eq!(series.points(), [(Timestamp(1), 2.0), (Timestamp(3), 4.0)]);
    }

    #[test]
    fn a_long_series_keeps_its_course_and_loses_its_spikes() {
        let series = daily((0..10_000).map(|n| if n % 100 == 0 { 1e9 } else { f64::from(n) }));
        assert!(series.points().len() <= POINTS_AT_MOST);
        let Known::Seen(trend) = trend(&series) else { panic!("enough points") };
        assert!((trend.slope.per_day - 1.0).abs() < 0.01, "{trend:?}");
        assert_eq!(trend.direction, Direction::Rising);
    }

    #[test]
    fn a_few_points_are_no_trend() {
        let few = trend(&daily((0..9).map(f64::from)));
        assert_eq!(few.reason(), Some("there are 9 points, and 10 are needed to tell a trend"));
        assert!(trend(&Series::default()).reason().is_some());
    }

    #[test]
    fn what_stays_the_same_is_steady() {
        let Known::Seen(trend) = trend(&daily([5.0; 30])) else { panic!("enough points") };
        assert_eq!((trend.direction, trend.shift, trend.latest), (Direction::Steady, None, 5.0));
    }

    #[test]
    fn a_step_is_told_as_a_step_and_a_slope_as_a_slope() {
        let wave = |n: i32| f64::from(n * 7 % 5);
        let step = |n: i32| wave(n) + if n < 20 { 10.0 } else { 40.0 };
        let Known::Seen(stepped) = trend(&daily((0..40).map(step))) else { panic!("enough points") };
        assert_eq!(
            stepped.shift.map(|shift| (shift.at, shift.before, shift.after)),
            Some((Timestamp(20 * 86_400), 12.0, 42.0))
        );
        let Known::Seen(sloped) = trend(&daily((0..40).map(|n| wave(n) + f64::from(n)))) else {
            panic!("enough points")
        };
        assert_eq!(sloped.shift, None);
    }
}
