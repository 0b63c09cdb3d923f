//! Trends and forecasts as a person would say them.

use super::{Direction, Forecast, Limit, Trend};
use crate::{
    Span, Timestamp,
    words::{bytes, count, thousands},
};

/// What a series counts, for words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things of this name, such as `commit`; empty for plain numbers.
    Things(&'static str),
    /// A length of time.
    Seconds,
    /// A size.
    Bytes,
    /// A part of all, 0 to 1.
    Ratio,
}

impl Unit {
    /// The unit that a metric names.
    pub fn of(unit: &'static str) -> Unit {
        match unit {
            "seconds" => Unit::Seconds,
            "bytes" => Unit::Bytes,
            "ratio" => Unit::Ratio,
            "commits" => Unit::Things("commit"),
            _ => Unit::Things(""),
        }
    }

    /// A value, as people read it: `12 commits`, `3 d`, `1.5 MiB`, `95 %`.
    pub fn told(self, value: f64) -> String {
        let sign = if value < 0.0 { "-" } else { "" };
        match self {
            Unit::Seconds => Span(value.round() as i64).to_string(),
            Unit::Bytes => format!("{sign}{}", bytes(value.abs().round() as u64)),
            Unit::Ratio => format!("{} %", number(100.0 * value)),
            Unit::Things("") => number(value),
            Unit::Things(noun) if value.abs() == 1.0 => format!("{sign}{}", count(1, noun)),
            Unit::Things(noun) => format!("{} {noun}s", number(value)),
        }
    }

    /// The same beside a value that has the noun already.
    fn number_told(self, value: f64) -> String {
        match self {
            Unit::Things(_) => number(value),
            Unit::Ratio => number(100.0 * value),
            Unit::Seconds | Unit::Bytes => self.told(value),
        }
    }
}

/// Two or three digits that mean something: `0.042`, `3.2`, `12`, `1,531`.
fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        _ if size < 0.001 => "almost 0".to_owned(),
        _ if size < 0.1 => format!("{size:.3}"),
        _ if size < 10.0 => format!("{size:.1}").trim_end_matches(".0").to_owned(),
        _ if size < 1e15 => thousands(size.round() as usize),
        _ => format!("{size:.1e}"),
    };
    if value < 0.0 && text != "almost 0" { format!("-{text}") } else { text }
}

impl Trend {
    /// In a sentence part: `rises by 3.2 commits a week (2.1 to 4)`.
    pub fn told(&self, unit: Unit) -> String {
        if let Some(shift) = self.shift {
            let verb = if shift.before < shift.after { "rose" } else { "fell" };
            return format!(
                "{verb} from about {} to about {} around {}",
                unit.told(shift.before),
                unit.told(shift.after),
                day(shift.at)
            );
        }
        let (slope, verb) = match self.direction {
            Direction::Steady => return format!("steady at about {}", unit.told(self.slope.middle)),
            Direction::Rising => ([self.slope.per_day, self.slope.low, self.slope.high], "rises"),
            Direction::Falling => ([-self.slope.per_day, -self.slope.high, -self.slope.low], "falls"),
        };
        let about = unit.told(7.0 * slope[0]);
        let [low, high] = [slope[1], slope[2]].map(|per_day| unit.number_told(7.0 * per_day));
        if low == high {
            return format!("{verb} by {about} a week");
        }
        format!("{verb} by about {about} a week ({low} to {high})")
    }
}

impl Forecast {
    /// When: `in about 9 days (6 to 15)`.
    pub fn told(&self) -> String {
        match *self {
            Forecast::Passed => "already".to_owned(),
            Forecast::NotWithin(span) => format!("not within {}", long(span)),
            Forecast::In { about, soonest, latest } => format!("in about {}", with_interval(about, soonest, latest)),
        }
    }

    /// A whole sentence part about a limit: `above 90 % in about 3 weeks (2 to 5)`.
    pub fn told_of(&self, limit: Limit, unit: Unit) -> String {
        let side = if matches!(limit, Limit::AtMost(_)) { "above" } else { "below" };
        format!("{side} {} {}", unit.told(limit.value()), self.told())
    }
}

/// `9 days (6 to 15)`; one unit for all three.
pub fn with_interval(about: Span, soonest: Span, latest: Option<Span>) -> String {
    let (seconds, noun) = unit_of(about);
    let n = |span: Span| span.0.max(0) as f64 / seconds as f64;
    let middle = count((n(about).round() as usize).max(1), noun);
    let soonest = n(soonest).floor() as usize;
    match latest.map(|latest| n(latest).ceil() as usize) {
        Some(latest) if soonest == latest => middle,
        Some(latest) => format!("{middle} ({} to {})", thousands(soonest), thousands(latest)),
        None => format!("{middle} ({} at the soonest, perhaps never)", thousands(soonest)),
    }
}

/// A length of time in one unit.
pub fn long(span: Span) -> String {
    let (seconds, noun) = unit_of(span);
    count(((span.0.max(0) as f64 / seconds as f64).round() as usize).max(1), noun)
}

/// The unit in which a length of time is best told.
fn unit_of(span: Span) -> (i64, &'static str) {
    match span.0 {
        ..172_800 => (3_600, "hour"),
        172_800..1_814_400 => (86_400, "day"),
        1_814_400..7_776_000 => (604_800, "week"),
        _ => (2_629_746, "month"),
    }
}

fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Known,
        trend::{Series, forecast, trend},
    };

    fn days(days: i64) -> Span {
        Span::days(days)
    }

    #[test]
    fn a_forecast_reads_as_a_person_would_say_it() {
        let told = |about, soonest, latest| Forecast::In { about, soonest, latest }.told();
        assert_eq!(told(days(9), days(6), Some(days(15))), "in about 9 days (6 to 15)");
        assert_eq!(told(days(21), days(14), Some(days(35))), "in about 3 weeks (2 to 5)");
        assert_eq!(told(days(4), days(2), None), "in about 4 days (2 at the soonest, perhaps never)");
        assert_eq!(told(days(5), days(5), Some(days(5))), "in about 5 days");
        assert_eq!(told(Span::hours(7), Span::hours(5), Some(Span::hours(9))), "in about 7 hours (5 to 9)");
        assert_eq!(told(days(200), days(100), Some(days(400))), "in about 7 months (3 to 14)");
        assert_eq!(Forecast::Passed.told(), "already");
        assert_eq!(Forecast::NotWithin(days(60)).told(), "not within 9 weeks");
    }

    #[test]
    fn a_trend_reads_as_a_person_would_say_it() {
        let daily = |value: fn(i32) -> f64| {
            let points = (0..40).map(|day| (Timestamp(i64::from(day) * 86_400), value(day)));
            let Known::Seen(trend) = trend(&Series::new(points)) else { panic!("enough points") };
            trend
        };
        let commits = Unit::of("commits");
        assert_eq!(daily(f64::from).told(commits), "rises by 7 commits a week");
        assert_eq!(
            daily(|day| f64::from(day) / -7.0 + f64::from(day * 7 % 11) / 4.0).told(commits),
            "falls by about 1 commit a week (0.8 to 1.1)"
        );
        assert_eq!(daily(|_| 0.95).told(Unit::of("ratio")), "steady at about 95 %");
        assert_eq!(
            daily(|day| if day < 10 { 3e6 } else { 9e6 }).told(Unit::of("bytes")),
            "rose from about 2.9 MiB to about 8.6 MiB around 1970-01-11"
        );
    }

    #[test]
    fn a_limit_is_told_with_its_side() {
        let full = Series::new((0..30).map(|day| (Timestamp(day * 86_400), 0.5 + day as f64 / 100.0)));
        let limit = Limit::AtMost(0.9);
        let Known::Seen(when) = forecast(&full, limit, Timestamp(29 * 86_400)) else { panic!("enough points") };
        assert_eq!(when.told_of(limit, Unit::of("ratio")), "above 90 % in about 11 days");
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let plain = Unit::of("");
        let told = [0.0, 0.000_01, 0.0421, 3.25, 7.0, 12.4, 1531.0, -2.5, 1e20].map(|value| plain.told(value));
        assert_eq!(told, ["0", "almost 0", "0.042", "3.2", "7", "12", "1,531", "-2.5", "1.0e20"]);
        assert_eq!(
            (Unit::of("commits").told(1.0), Unit::of("seconds").told(90_000.0)),
            ("1 commit".into(), "25 h".into())
        );
    }
}
