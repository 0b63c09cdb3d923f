//! Whose turn it is to be told: arithmetic on a date, so that nothing has to be remembered.

use jiff::{
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::Timestamp;

/// Turns that begin at one time of the day by the clock on the wall, each so many days after the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Turns {
    channels: Vec<String>,
    from: DateTime,
    days: i64,
    zone: TimeZone,
}

/// What is wrong with turns, as a sentence part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTurns(pub String);

/// A date with a time: `2026-01-05T09:00`. Errors: it is none.
pub fn moment(text: &str) -> Result<DateTime, BadTurns> {
    text.parse().map_err(|_| BadTurns("is no date with a time".to_owned()))
}

impl Turns {
    /// Turns of these channels from a date and time on (`2026-01-05T09:00`), in the zone with this name.
    ///
    /// Errors: it is no time, there is no such zone, or nobody takes turns.
    pub fn new(channels: &[String], from: &str, days: i64, zone: &str) -> Result<Turns, BadTurns> {
        let bad = |reason: &str| BadTurns(reason.to_owned());
        let from = moment(from)?;
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| bad("stands in no zone that is known"))?;
        match channels.is_empty() || days < 1 {
            true => Err(bad("begins turns of nobody")),
            false => Ok(Turns { channels: channels.to_vec(), from, days, zone }),
        }
    }

    /// The channel whose turn it is; before the first turn it is the first one.
    ///
    /// In the night in which clocks are changed, a turn that would begin in the hour that does not exist begins after it.
    pub fn at(&self, now: Timestamp) -> &str {
        let n = i64::try_from(self.channels.len()).unwrap_or(i64::MAX);
        let place = self.number(now).max(0).rem_euclid(n);
        &self.channels[usize::try_from(place).unwrap_or_default()]
    }

    /// When the turn after the one of `now` begins; `None` = beyond the years that dates have.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let days = self.number(now).max(-1).checked_add(1)?.checked_mul(self.days)?;
        let begins = self.from.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        Some(Timestamp(self.zone.to_timestamp(begins).ok()?.as_second()))
    }

    /// The number of the turn, 0 = the first, below 0 = before it.
    fn number(&self, now: Timestamp) -> i64 {
        let Ok(instant) = jiff::Timestamp::from_second(now.0) else { return -1 };
        let local = instant.to_zoned(self.zone.clone()).datetime();
        let since = local.duration_since(self.from);
        since.as_secs().div_euclid(self.days * 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_second())
    }

    fn weekly() -> Turns {
        let channels = ["mia", "tom", "ida"].map(str::to_owned);
        Turns::new(&channels, "2026-01-05T09:00", 7, "Europe/Berlin").unwrap()
    }

    #[test]
    fn each_has_a_week_and_then_the_next_one() {
        let turns = weekly();
        // 9:00 in Berlin is 8:00 UTC in winter and 7:00 in summer.
        for (time, whose) in [
            ("2025-12-31T00:00:00Z", "mia"),
            ("2026-01-05T08:00:00Z", "mia"),
            ("2026-01-12T07:59:59Z", "mia"),
            ("2026-01-12T08:00:00Z", "tom"),
            ("2026-01-19T08:00:00Z", "ida"),
            ("2026-01-26T08:00:00Z", "mia"),
            ("2026-03-30T06:59:59Z", "ida"),
            ("2026-03-30T07:00:00Z", "mia"),
        ] {
            assert_eq!(turns.at(at(time)), whose, "{time}");
        }
    }

    #[test]
    fn the_next_turn_begins_at_the_same_time_of_the_day() {
        let turns = weekly();
        assert_eq!(turns.next_after(at("2025-12-01T00:00:00Z")), Some(at("2026-01-05T08:00:00Z")));
        assert_eq!(turns.next_after(at("2026-01-05T08:00:00Z")), Some(at("2026-01-12T08:00:00Z")));
        assert_eq!(turns.next_after(at("2026-03-25T12:00:00Z")), Some(at("2026-03-30T07:00:00Z")));
    }

    #[test]
    fn turns_of_nobody_or_at_no_time_are_refused() {
        let one = ["mia".to_owned()];
        for (channels, from, zone) in [
            (&[][..], "2026-01-05T09:00", "UTC"),
            (&one[..], "monday", "UTC"),
            (&one[..], "2026-01-05T09:00", "Mars/Olympus"),
        ] {
            assert!(Turns::new(channels, from, 7, zone).is_err(), "{from} {zone}");
        }
    }
}
