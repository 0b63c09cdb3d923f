//! How much of a promise over time was kept: the objective, and what is left of the budget of errors.
//!
//! Source: Google's SRE workbook, "Implementing SLOs": the budget of errors is what the objective leaves, and it is
//! spent by what fell short within the window.

use super::Series;
use crate::{Known, Span, Timestamp};

/// A promise and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// The part that was promised, 0 to 1.
    pub objective: f64,
    /// The part that was kept within the window, 0 to 1: the mean over time.
    pub kept: f64,
    /// What is left of the budget of errors: 1 = all, 0 = none, below = the promise is broken.
    pub left: f64,
    /// The time that it rests on; less than the window when less was seen.
    pub seen: Span,
}

/// How much of the promise was kept in the `window` before `now`. A value holds until the next one.
///
/// Unknown when nothing was seen, or when all was promised, which leaves no budget.
pub fn kept(ratios: &Series, objective: f64, window: Span, now: Timestamp) -> Known<Kept> {
    if !(0.0..1.0).contains(&objective) {
        return Known::Unknown("a promise of all or more leaves no budget of errors".to_owned());
    }
    let from = Timestamp(now.0.saturating_sub(window.0));
    let (mut sum, mut seconds) = (0.0, 0);
    let points = ratios.points();
    let ends = points.iter().skip(1).map(|(at, _)| *at).chain([now]);
    for (&(at, value), end) in points.iter().zip(ends) {
        let lasted = end.min(now).since(at.max(from)).0.max(0);
        sum += value.clamp(0.0, 1.0) * lasted as f64;
        seconds += lasted;
    }
    if seconds == 0 {
        return Known::Unknown("nothing was measured in that time".to_owned());
    }
    let kept = sum / seconds as f64;
    Known::Seen(Kept { objective, kept, left: 1.0 - (1.0 - kept) / (1.0 - objective), seen: Span(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_ten_days(points: &[(i64, f64)], objective: f64) -> Known<Kept> {
        let series = Series::new(points.iter().map(|(day, value)| (Timestamp(day * 86_400), *value)));
        kept(&series, objective, Span::days(8), Timestamp(10 * 86_400))
    }

    #[test]
    fn half_of_the_budget_is_left_when_half_of_the_errors_were_made() {
        // Within the eight days before day ten: seven days of 1, one day of 0.8.
        let Known::Seen(kept) = after_ten_days(&[(0, 1.0), (5, 0.8), (6, 1.0)], 0.95) else { panic!("it was seen") };
        assert!((kept.kept - 0.975).abs() < 1e-9 && (kept.left - 0.5).abs() < 1e-9, "{kept:?}");
        assert_eq!(kept.seen, Span::days(8));
    }

    #[test]
    fn a_broken_promise_leaves_less_than_nothing_and_a_short_time_is_said() {
        let Known::Seen(kept) = after_ten_days(&[(9, 0.9)], 0.95) else { panic!("it was seen") };
        assert!((kept.left + 1.0).abs() < 1e-9, "{kept:?}");
        assert_eq!(kept.seen, Span::days(1));
    }

    #[test]
    fn nothing_seen_and_nothing_allowed_are_unknown() {
        assert!(after_ten_days(&[], 0.95).reason().is_some());
        assert!(after_ten_days(&[(0, 1.0)], 1.0).reason().is_some());
    }
}
