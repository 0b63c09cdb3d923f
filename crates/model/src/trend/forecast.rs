//! When a series passes a limit, if it goes on like this.
//!
//! The robust line of [`mod@super::slope`] is carried on. The ends of the interval take the steepest and the flattest
//! slope of its interval, and the height of the line as uncertain as a median is. It is never carried on for longer
//! than it was seen: further ahead nothing is known.

use super::{DAY, Series, Slope, days_between, median, slope::try_slope};
use crate::{Known, Span, Timestamp};

/// Half the width of the 95 % interval of a median, in median absolute deviations, before the root of the number of
/// points: 1.96 × 1.4826 × √(π/2).
const MEDIAN_95: f64 = 3.641_9;

/// What should not be passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Values should not get above this.
    AtMost(f64),
    /// Values should not get below this.
    AtLeast(f64),
}

/// When a limit is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// It is passed already.
    Passed,
    /// It is about to be.
    In {
        /// In about this time.
        about: Span,
        /// Not before this time.
        soonest: Span,
        /// Until then at the latest; `None` = perhaps never.
        latest: Option<Span>,
    },
    /// Not as far as can be seen: for this time.
    NotWithin(Span),
}

impl Limit {
    /// Is it passed by this value?
    pub fn is_passed(self, value: f64) -> bool {
        match self {
            Limit::AtMost(most) => most < value,
            Limit::AtLeast(least) => value < least,
        }
    }

    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Limit::AtMost(value) | Limit::AtLeast(value) => value,
        }
    }

    /// Mirrors a slope where the limit is below, so that up is always towards it: slope, low, high.
    fn towards(self, slope: &Slope) -> (f64, f64, f64) {
        match self {
            Limit::AtMost(_) => (slope.per_day, slope.low, slope.high),
            Limit::AtLeast(_) => (-slope.per_day, -slope.high, -slope.low),
        }
    }
}

/// When a series passes the limit, from `now` on. Unknown with too few points.
pub fn forecast(series: &Series, limit: Limit, now: Timestamp) -> Known<Forecast> {
    Known::from_result(try_forecast(series, limit, now))
}

fn try_forecast(series: &Series, limit: Limit, now: Timestamp) -> Result<Forecast, String> {
    let slope = try_slope(series)?;
    let (Some(&(first, _)), Some(&(_, latest))) = (series.points().first(), series.points().last()) else {
        return Err("there are no points".to_owned());
    };
    if limit.is_passed(latest) {
        return Ok(Forecast::Passed);
    }
    let today = days_between(first, now);
    let room = match limit {
        Limit::AtMost(most) => most - slope.middle,
        Limit::AtLeast(least) => slope.middle - least,
    };
    // Days from now until a line through the middle has used up this room.
    let after = |room: f64, per_day: f64| span(slope.middle_day + room / per_day - today);
    let ((per_day, low, high), unsure) = (limit.towards(&slope), unsure_middle(series, &slope));
    let (seen, about) = (series.length(), after(room, per_day));
    if per_day <= 0.0 || seen < about {
        return Ok(Forecast::NotWithin(seen));
    }
    let latest = (0.0 < low).then(|| after(room + unsure, low));
    Ok(Forecast::In { about, soonest: after(room - unsure, high), latest })
}

/// How far the height of the line may be off.
fn unsure_middle(series: &Series, slope: &Slope) -> f64 {
    let off = series.days().into_iter().zip(series.values()).map(|(day, value)| (value - slope.at_day(day)).abs());
    let mut off: Vec<f64> = off.collect();
    MEDIAN_95 * median(&mut off) / (off.len() as f64).sqrt()
}

/// So many days; none for less, since what the line has passed and the series has not is due now.
fn span(days: f64) -> Span {
    Span((days.max(0.0) * DAY).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(values: impl IntoIterator<Item = f64>) -> Series {
        Series::new(values.into_iter().enumerate().map(|(day, value)| (Timestamp(day as i64 * 86_400), value)))
    }

    #[test]
    fn a_straight_line_passes_its_limit_when_it_should() {
        let rising = daily((0..30).map(f64::from));
        let now = Timestamp(29 * 86_400);
        let in_days =
            |days| Forecast::In { about: Span::days(days), soonest: Span::days(days), latest: Some(Span::days(days)) };
        assert_eq!(forecast(&rising, Limit::AtMost(40.0), now), Known::Seen(in_days(11)));
        let falling = daily((0..30).map(|n| f64::from(-n)));
        assert_eq!(forecast(&falling, Limit::AtLeast(-40.0), now), Known::Seen(in_days(11)));
    }

    #[test]
    fn what_is_passed_far_off_or_behind_is_told_as_that() {
        let rising = daily((0..30).map(f64::from));
        let now = Timestamp(29 * 86_400);
        assert_eq!(forecast(&rising, Limit::AtMost(28.0), now), Known::Seen(Forecast::Passed));
        assert_eq!(forecast(&rising, Limit::AtMost(59.0), now), Known::Seen(Forecast::NotWithin(Span::days(29))));
        assert_eq!(forecast(&rising, Limit::AtLeast(-5.0), now), Known::Seen(Forecast::NotWithin(Span::days(29))));
    }

    #[test]
    fn a_slope_that_may_be_none_may_never_get_there() {
        let noisy = daily((0..20).map(|n| f64::from(n) * 0.2 + f64::from(n * 7 % 11)));
        let Known::Seen(Forecast::In { latest, .. }) = forecast(&noisy, Limit::AtMost(10.0), Timestamp(19 * 86_400))
        else {
            panic!("it rises a little");
        };
        assert_eq!(latest, None);
    }

    #[test]
    fn with_a_few_points_nothing_is_foretold() {
        assert!(forecast(&daily([1.0, 2.0]), Limit::AtMost(3.0), Timestamp(0)).reason().is_some());
    }

    #[test]
    fn the_interval_holds_the_truth_at_least_nineteen_times_in_twenty() {
        let mut state = 7_u64;
        let mut even = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let (mut n_held, mut n_told) = (0, 0);
        for _ in 0..400 {
            // The sum of twelve even numbers is nearly normal.
            let noise: Vec<f64> = (0..40).map(|_| (0..12).map(|_| even()).sum::<f64>() - 6.0).collect();
            let series = daily(noise.iter().enumerate().map(|(day, noise)| 0.5 * day as f64 + 3.0 * noise));
            // The line without noise passes 24.5 ten days after the last point, whatever the last point was.
            let told = forecast(&series, Limit::AtMost(24.5), Timestamp(39 * 86_400));
            let (soonest, latest) = match told {
                Known::Seen(Forecast::In { soonest, latest, .. }) => (soonest, latest),
                Known::Seen(Forecast::Passed) => continue,
                other => panic!("{other:?}"),
            };
            n_told += 1;
            n_held += usize::from(soonest <= Span::days(10) && latest.is_none_or(|latest| Span::days(10) <= latest));
        }
        assert!(300 < n_told && 95 * n_told <= 100 * n_held, "{n_held} of {n_told}");
    }
}
