//! When something is due again: cron patterns in a named zone, as arithmetic on a given time.
//!
//! A cron pattern has five fields, as in crontab(5): minute, hour, day of the month, month, day of the week. In the
//! night in which clocks go forward, what is due in the hour that does not exist is due right after it; in the night
//! in which they go back, it is due once. Source: Vixie cron, as Debian has it.

use croner::{Cron, parser::CronParser};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::{Span, Timestamp, config::parse_length};

/// A cron pattern in its zone, ready to be asked.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// A text that is no schedule: what is wrong with it, as a sentence part that follows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchedule(pub String);

/// How often something is due.
#[derive(Clone, Debug)]
pub enum Cadence {
    /// So long after the last time.
    Every(Span),
    /// At fixed times.
    At(Box<Schedule>),
}

/// The least and greatest interval. Source: ours; a minute is what cron can do, and a year is as good as never.
const INTERVALS: std::ops::RangeInclusive<Span> = Span::minutes(1)..=Span::days(365);

impl Cadence {
    /// What a text means: a length of time, or a cron pattern in this zone. Errors: it is neither.
    pub fn parse(text: &str, zone: &str) -> Result<Cadence, BadSchedule> {
        match parse_length(text) {
            Some(span) if INTERVALS.contains(&span) => Ok(Cadence::Every(span)),
            Some(_) => Err(BadSchedule("is outside of 1m to 365d".to_owned())),
            None => Schedule::parse(text, zone).map(Box::new).map(Cadence::At),
        }
    }

    /// When it is due after this time; `None` = never again.
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Cadence::Every(span) => at.0.checked_add(span.0).map(Timestamp),
            Cadence::At(schedule) => schedule.after(at),
        }
    }
}

impl Schedule {
    /// The schedule of a pattern in the zone with this name (IANA, such as `Europe/Berlin`).
    ///
    /// Errors: the pattern or the zone is none, or the pattern is never due (`0 0 31 2 *`).
    pub fn parse(pattern: &str, zone: &str) -> Result<Schedule, BadSchedule> {
        let zone = zone_named(zone)?;
        let cron = CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build().parse(pattern);
        let cron = cron.map_err(|error| {
            BadSchedule(format!("is neither a length of time nor a cron pattern: {}", plain(&error.to_string())))
        })?;
        let schedule = Schedule { cron, zone };
        match schedule.after(Timestamp(SOME_DAY)) {
            Some(_) => Ok(schedule),
            None => Err(BadSchedule("is never due".to_owned())),
        }
    }

    /// The first time after `now` at which it is due; `None` = none in the next years.
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let now = self.zoned(now)?;
        let next = self.cron.find_next_occurrence(&now, false).map(|next| next.timestamp());
        let at = next.ok().or_else(|| self.after_a_long_gap(&now))?;
        Some(Timestamp(at.as_second()))
    }

    /// Where clocks skip several hours (Antarctica/Casey does), croner finds nothing: what is due then is due right after.
    fn after_a_long_gap(&self, now: &jiff::Zoned) -> Option<jiff::Timestamp> {
        let without_gap = TimeZone::fixed(self.zone.to_offset(now.timestamp()));
        let next = self.cron.find_next_occurrence(&now.timestamp().to_zoned(without_gap), false).ok()?.timestamp();
        let change = self.zone.following(now.timestamp()).next()?.timestamp();
        (change <= next).then_some(change)
    }

    /// The last time at or before `now` at which it was due.
    pub fn at_or_before(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.zoned(now)?, true).ok()?;
        Some(Timestamp(last.timestamp().as_second()))
    }

    fn zoned(&self, at: Timestamp) -> Option<jiff::Zoned> {
        jiff::Timestamp::from_second(at.0).ok().map(|time| time.to_zoned(self.zone.clone()))
    }
}

/// A time from which a pattern that is ever due finds its next one: the search goes on for years.
const SOME_DAY: i64 = 1_700_000_000;

/// The zone with this name, from the data that this program brings along: the same on every machine.
pub fn zone_named(name: &str) -> Result<TimeZone, BadSchedule> {
    TimeZoneDatabase::bundled()
        .get(name)
        .map_err(|_| BadSchedule("is no time zone: they are called like `UTC` or `Europe/Berlin`".to_owned()))
}

/// One line, without a final period.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_second())
    }

    fn next(pattern: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
        let schedule = Schedule::parse(pattern, zone).unwrap();
        std::iter::successors(schedule.after(at(from)), |&at| schedule.after(at))
            .take(n)
            .map(Timestamp::rfc3339)
            .collect()
    }

    #[test]
    fn a_pattern_is_due_by_the_clock_of_its_zone() {
        assert_eq!(
            next("30 3 * * 1-5", "Europe/Berlin", "2026-01-09T12:00:00Z", 2),
            ["2026-01-12T02:30:00Z", "2026-01-13T02:30:00Z"]
        );
    }

    #[test]
    fn a_night_with_one_hour_less_or_more_has_one_run() {
        // 02:30 does not exist in Berlin on 29 March 2026, and exists twice on 25 October.
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn the_last_time_is_found_and_counts_when_it_is_now() {
        let schedule = Schedule::parse("0 3 * * *", "UTC").unwrap();
        assert_eq!(schedule.at_or_before(at("2026-05-05T03:00:00Z")), Some(at("2026-05-05T03:00:00Z")));
        assert_eq!(schedule.at_or_before(at("2026-05-05T02:59:59Z")), Some(at("2026-05-04T03:00:00Z")));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_reason() {
        for (pattern, zone) in [("0 3 * *", "UTC"), ("61 * * * *", "UTC"), ("0 0 31 2 *", "UTC"), ("0 3 * * *", "Mars")]
        {
            let error = Schedule::parse(pattern, zone).unwrap_err();
            assert!(error.0.starts_with("is "), "{pattern}: {error}");
        }
        assert!(Schedule::parse("0 0 31 2 *", "UTC").unwrap_err().0.contains("never"));
    }
}
