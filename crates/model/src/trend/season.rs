//! What is usual at this hour of the week, or on this day: medians, and how far values lie around them.
//!
//! Times are those of UTC, so that the hour moves by one where clocks change. Source of the measure of "unusual":
//! Iglewicz and Hoaglin (1993): further than 3.5 scaled median deviations from the median.

use super::{Series, median};
use crate::{Known, Span, Timestamp};

/// Makes the median absolute deviation of a normal distribution its standard deviation.
const NORMAL: f64 = 1.482_602_218_505_602;

/// From so many of them on a value is unusual. Source: Iglewicz and Hoaglin (1993).
const DEVIATIONS_AT_MOST: f64 = 3.5;

/// Points in a slot from which on it has something usual. Source: ours; of two nobody knows which one is odd.
const IN_A_SLOT_AT_LEAST: usize = 3;

/// 1970-01-01 was a Thursday: weeks begin on Monday, three days before.
const MONDAY: i64 = 3 * 86_400;

/// What repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// The 7 days of the week, from Monday on.
    DayOfWeek,
    /// The 168 hours of the week, from Monday midnight on.
    HourOfWeek,
}

/// What is usual, by slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Season {
    cycle: Cycle,
    slots: Vec<Option<Usual>>,
}

/// What is usual in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median.
    pub middle: f64,
    /// The median distance from it, as a standard deviation.
    pub spread: f64,
    /// Points that it rests on.
    pub n_points: usize,
}

impl Cycle {
    fn slot_seconds(self) -> i64 {
        match self {
            Cycle::DayOfWeek => 86_400,
            Cycle::HourOfWeek => 3_600,
        }
    }

    /// The slot that a time lies in, from 0 on.
    pub fn slot(self, at: Timestamp) -> usize {
        let in_week = at.0.saturating_add(MONDAY).rem_euclid(7 * 86_400);
        (in_week / self.slot_seconds()) as usize
    }
}

impl Season {
    /// What is usual at this time; `None` where too little was measured.
    pub fn usual(&self, at: Timestamp) -> Option<Usual> {
        self.slots[self.cycle.slot(at)]
    }
}

impl Usual {
    /// Is this value unusual? `None` when the others are all the same, so that it can't be told how much is much.
    pub fn is_unusual(&self, value: f64) -> Option<bool> {
        (0.0 < self.spread).then(|| DEVIATIONS_AT_MOST < (value - self.middle).abs() / self.spread)
    }
}

/// What is usual, by slot of the cycle. Unknown when less than two weeks were seen.
pub fn season(series: &Series, cycle: Cycle) -> Known<Season> {
    if series.length() < Span::days(14) {
        return Known::Unknown("less than two weeks were measured".to_owned());
    }
    let n_slots = 7 * 86_400 / cycle.slot_seconds();
    let mut values = vec![Vec::new(); n_slots as usize];
    for (at, value) in series.points() {
        values[cycle.slot(*at)].push(*value);
    }
    Known::Seen(Season { cycle, slots: values.into_iter().map(usual).collect() })
}

fn usual(mut values: Vec<f64>) -> Option<Usual> {
    let n_points = values.len();
    if n_points < IN_A_SLOT_AT_LEAST {
        return None;
    }
    let middle = median(&mut values);
    values.iter_mut().for_each(|value| *value = (*value - middle).abs());
    Some(Usual { middle, spread: NORMAL * median(&mut values), n_points })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday() {
        // 2026-11-30 is a Monday.
        let monday = Timestamp(1_796_000_400 / 86_400 * 86_400);
        assert_eq!(monday.rfc3339(), "2026-11-30T00:00:00Z");
        assert_eq!((Cycle::DayOfWeek.slot(monday), Cycle::HourOfWeek.slot(monday)), (0, 0));
        assert_eq!(Cycle::HourOfWeek.slot(Timestamp(monday.0 - 1)), 167);
        assert_eq!(Cycle::DayOfWeek.slot(Timestamp(i64::MIN)), Cycle::DayOfWeek.slot(Timestamp(i64::MIN)));
    }

    #[test]
    fn a_quiet_sunday_is_usual_and_a_quiet_monday_is_not() {
        let monday = 1_795_996_800;
        let value =
            |day: i64| if day % 7 == 6 { 1.0 } else { 50.0 } + (day * 5 % 7) as f64 / 10.0 + (day / 7) as f64 / 5.0;
        let series = Series::new((0..70).map(|day| (Timestamp(monday + day * 86_400), value(day))));
        let Known::Seen(season) = season(&series, Cycle::DayOfWeek) else { panic!("ten weeks are enough") };
        let usual = |day: i64| season.usual(Timestamp(monday + day * 86_400)).unwrap();
        assert_eq!((usual(6).is_unusual(1.5), usual(0).is_unusual(1.5)), (Some(false), Some(true)));
    }

    #[test]
    fn nothing_is_usual_after_a_week_or_where_all_is_the_same() {
        let series = |days: i64| Series::new((0..days).map(|day| (Timestamp(day * 86_400), 4.0)));
        assert!(season(&series(10), Cycle::DayOfWeek).reason().is_some());
        let Known::Seen(same) = season(&series(70), Cycle::DayOfWeek) else { panic!("ten weeks are enough") };
        assert_eq!(same.usual(Timestamp(0)).unwrap().is_unusual(5.0), None);
        let Known::Seen(hours) = season(&series(70), Cycle::HourOfWeek) else { panic!("ten weeks are enough") };
        assert_eq!(hours.usual(Timestamp(3_600)), None);
    }
}
