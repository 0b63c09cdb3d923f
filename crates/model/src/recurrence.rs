//! Recurrence rules of iCalendar (RFC 5545, 3.3.10), as arithmetic on a given time: `FREQ=MONTHLY;BYDAY=1SU`.
//!
//! A rule is counted by the clock on the wall, and only then becomes an instant: in the night in which clocks go forward, a
//! time that does not exist is read with the offset before it (02:30 is 03:30 then), and in the night in which they go back
//! a time that comes twice is the first (RFC 5545, 3.3.5). So does every calendar that reads the same rule.
//!
//! The crate `rrule` works out the days; it is given no zone, since it loses times around changes of clocks
//! (rust-rrule#115), and begins near the time that is asked for, not years before it.

use std::{collections::BTreeMap, iter};

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use jiff::{
    civil::{DateTime, date},
    tz::TimeZone,
};
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

use crate::{
    Span, Timestamp,
    schedule::{BadSchedule, zone_named},
};

/// The longest rule, in bytes. Source: ours; one with all lists that a person writes has two hundred.
const BYTES_AT_MOST: usize = 500;

/// Times on one day at most. Source: ours; one each quarter of an hour.
const TIMES_A_DAY_AT_MOST: usize = 96;

/// The highest `COUNT`, since those are listed once. Source: ours; three years of each day.
const COUNT_AT_MOST: u32 = 1_000;

/// Years after its beginning in which times of a rule with `COUNT` are listed. Source: ours; nobody plans for longer.
const YEARS_AT_MOST: i32 = 100;

/// The parts of a rule. Source: RFC 5545, 3.3.10; not `BYSECOND`: a window has no seconds.
const PARTS: [&str; 13] = [
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// How far a change of clocks can move times against each other: Samoa left out a whole day (Pacific/Apia, 2011).
const LARGEST_CHANGE: jiff::SignedDuration = jiff::SignedDuration::from_hours(26);

/// A rule with the time from which it counts, ready to be asked.
#[derive(Clone, Debug)]
pub struct Recurrence {
    rule: RRule,
    from: DateTime,
    until: Option<Timestamp>,
    zone: TimeZone,
    /// All times of a rule with `COUNT`, in order.
    listed: Option<Vec<Timestamp>>,
}

/// Is this text meant as a recurrence rule?
pub fn is_rule(text: &str) -> bool {
    bare(text).split(';').any(|part| part.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FREQ=")))
}

/// Is the rule well written? Errors: what is wrong with it, as a sentence part.
pub fn check(text: &str) -> Result<(), BadSchedule> {
    written(text).map(drop)
}

/// Does it mean something else with another beginning, whatever the time of the day?
pub fn counts_from_a_beginning(text: &str) -> bool {
    written(text).is_ok_and(|Written { rule, .. }| 1 < rule.get_interval() || rule.get_count().is_some())
}

impl Recurrence {
    /// A rule from a date and a time of the day on, by the clock of the zone with this name.
    ///
    /// Errors: one of them is none, the rule is never due, or it would be due more often than a window can be.
    pub fn parse(text: &str, from: DateTime, zone: &str) -> Result<Recurrence, BadSchedule> {
        Recurrence::in_zone(text, from, zone_named(zone)?)
    }

    /// The same in a zone that is known.
    pub fn in_zone(text: &str, from: DateTime, zone: TimeZone) -> Result<Recurrence, BadSchedule> {
        let Written { rule, until } = written(text)?;
        let until = until.map(|until| until.instant(&zone)).transpose()?;
        let count = rule.get_count();
        let start = as_utc(from).ok_or_else(|| bad("begins at no time"))?;
        let rule = rule.validate(start).map_err(|error| bad(&reason(&error.to_string())))?;
        let mut recurrence = Recurrence { rule, from, until, zone, listed: None };
        if count.is_some() {
            recurrence.listed = Some(recurrence.all());
        }
        match recurrence.after(Timestamp(i64::MIN)) {
            Some(_) => Ok(recurrence),
            None => Err(bad("is never due")),
        }
    }

    /// The first time after `now` at which it is due; `None` = never again.
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        self.times_after(now).next()
    }

    /// All times after `now` at which it is due, in order; each is worked out when it is asked for.
    pub fn times_after(&self, now: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        if let Some(listed) = &self.listed {
            return Box::new(listed[listed.partition_point(|at| *at <= now)..].iter().copied());
        }
        let begin = self.wall(now).and_then(|wall| wall.checked_sub(LARGEST_CHANGE).ok()).unwrap_or(self.from);
        let mut walk = self.walk(begin).filter(move |(_, at)| now < *at).peekable();
        let mut ahead: BTreeMap<Timestamp, DateTime> = BTreeMap::new();
        Box::new(iter::from_fn(move || {
            // A later time on the wall is sooner only if clocks are changed between the two.
            let is_near = |wall: &DateTime, ahead: &BTreeMap<Timestamp, DateTime>| {
                ahead.first_key_value().is_none_or(|(_, first)| wall.duration_since(*first) <= LARGEST_CHANGE)
            };
            while let Some((wall, at)) = walk.next_if(|(wall, _)| is_near(wall, &ahead)) {
                ahead.insert(at, wall);
            }
            ahead.pop_first().map(|(at, _)| at)
        }))
    }

    /// The last time at or before `now` at which it was due, if that is less than `within` ago.
    pub fn last_within(&self, now: Timestamp, within: Span) -> Option<Timestamp> {
        let is_within = |at: &Timestamp| *at <= now && now.since(*at) < within;
        if let Some(listed) = &self.listed {
            return listed[..listed.partition_point(|at| *at <= now)].last().copied().filter(is_within);
        }
        let since = Timestamp(now.0.saturating_sub(within.0));
        let begin = self.wall(since)?.checked_sub(LARGEST_CHANGE).ok()?;
        let end = self.wall(now)?.checked_add(LARGEST_CHANGE).ok()?;
        self.walk(begin).take_while(|(wall, _)| *wall <= end).map(|(_, at)| at).filter(is_within).max()
    }

    /// All times of a rule that ends by itself.
    fn all(&self) -> Vec<Timestamp> {
        let end = self.from.checked_add(jiff::Span::new().years(YEARS_AT_MOST)).unwrap_or(DateTime::MAX);
        let times = self.walk(self.from).take(COUNT_AT_MOST as usize).take_while(|(wall, _)| *wall <= end);
        let mut all: Vec<Timestamp> = times.map(|(_, at)| at).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Times from this one on, by the clock on the wall and as instants; in order of the clock on the wall.
    fn walk(&self, begin: DateTime) -> impl Iterator<Item = (DateTime, Timestamp)> + use<'_> {
        let start = as_utc(self.start_before(begin));
        let set = start.map(|start| RRuleSet::new(start).rrule(self.rule.clone()).limit());
        let walls = set.into_iter().flat_map(|set| (&set).into_iter()).map_while(|at| of_chrono(at.naive_utc()));
        let walls = walls.skip_while(move |wall| *wall < begin);
        let times = walls.map_while(|wall| Some((wall, instant(&self.zone, wall)?)));
        let until = self.until.unwrap_or(Timestamp(i64::MAX));
        let over = until.0.saturating_add(LARGEST_CHANGE.as_secs());
        times.take_while(move |(_, at)| at.0 <= over).filter(move |(_, at)| *at <= until)
    }

    /// A time from which the rule gives the same, moved on by whole intervals to a little before `begin`.
    fn start_before(&self, begin: DateTime) -> DateTime {
        if self.listed.is_some() || begin <= self.from {
            return self.from;
        }
        let interval = i64::from(self.rule.get_interval().max(1));
        let whole = |n: i64| (n / interval - 1).max(0) * interval;
        let days = whole_days(self.from, begin);
        let months = i64::from(begin.year() - self.from.year()) * 12 + i64::from(begin.month() - self.from.month());
        let moved = match self.rule.get_freq() {
            Frequency::Yearly => self.first_of(whole(months / 12) * 12, true),
            Frequency::Monthly => self.first_of(whole(months), false),
            Frequency::Weekly => self.from.checked_add(days_span(whole(days / 7) * 7)).ok(),
            _ => self.from.checked_add(days_span(whole(days))).ok(),
        };
        moved.filter(|moved| self.from < *moved).unwrap_or(self.from)
    }

    /// The first day of the month, or of the year, so many months on; `None` = it is the one of the beginning, or beyond all years.
    fn first_of(&self, months: i64, of_year: bool) -> Option<DateTime> {
        if months == 0 {
            return None;
        }
        let month = i64::from(self.from.year()) * 12 + i64::from(self.from.month()) - 1 + months;
        let year = i16::try_from(month.div_euclid(12)).ok().filter(|year| (1..=9_000).contains(year))?;
        let month = if of_year { 1 } else { i8::try_from(month.rem_euclid(12)).ok()? + 1 };
        Some(date(year, month, 1).to_datetime(self.from.time()))
    }

    fn wall(&self, at: Timestamp) -> Option<DateTime> {
        jiff::Timestamp::from_second(at.0).ok().map(|at| at.to_zoned(self.zone.clone()).datetime())
    }
}

/// A rule as it is written, without its end: `rrule` takes that for a time of the zone that it does not know.
struct Written {
    rule: RRule<Unvalidated>,
    until: Option<Until>,
}

/// The last time that counts.
#[derive(Clone, Copy)]
enum Until {
    Moment(Timestamp),
    Wall(DateTime),
}

impl Until {
    fn instant(self, zone: &TimeZone) -> Result<Timestamp, BadSchedule> {
        match self {
            Until::Moment(at) => Ok(at),
            Until::Wall(wall) => instant(zone, wall).ok_or_else(|| bad("ends at no time")),
        }
    }
}

/// Reads a rule part by part: `rrule` lets pass what it does not know, and a rule that says less than was meant is the
/// wrong one.
fn written(text: &str) -> Result<Written, BadSchedule> {
    let text = bare(text);
    if BYTES_AT_MOST < text.len() || !text.is_ascii() {
        return Err(bad("is no recurrence rule: it is too long, or has letters that no rule has"));
    }
    let (mut kept, mut until, mut seen) = (Vec::new(), None, Vec::new());
    for part in text.split(';').map(str::trim) {
        let upper = part.to_ascii_uppercase();
        let (name, value) = upper.split_once('=').ok_or_else(|| bad(&format!("has `{part}` without a `=`")))?;
        if !PARTS.contains(&name) {
            return Err(bad(&format!("has `{name}`, which is no part of a rule: {}", PARTS.join(", "))));
        }
        if value.is_empty() || seen.iter().any(|other| other == name) {
            return Err(bad(&format!("has `{name}` twice or empty")));
        }
        match name {
            "UNTIL" => until = Some(end(value)?),
            "BYDAY" if !value.split(',').all(is_weekday) => {
                return Err(bad("has days in `BYDAY` that are none: write MO, 2TU or -1SU"));
            }
            _ => kept.push(upper.clone()),
        }
        seen.push(name.to_owned());
    }
    if until.is_some() && seen.iter().any(|name| name == "COUNT") {
        return Err(bad("has both `UNTIL` and `COUNT`, which RFC 5545 does not allow"));
    }
    let rule: RRule<Unvalidated> =
        kept.join(";").parse().map_err(|error: rrule::RRuleError| bad(&reason(&error.to_string())))?;
    bounded(&rule)?;
    Ok(Written { rule, until })
}

/// What would be due too often, or never end to be counted.
fn bounded(rule: &RRule<Unvalidated>) -> Result<(), BadSchedule> {
    if Frequency::Daily < rule.get_freq() {
        return Err(bad("is due several times a day: that is what cron patterns are for, or `BYHOUR`"));
    }
    if TIMES_A_DAY_AT_MOST < rule.get_by_hour().len().max(1) * rule.get_by_minute().len().max(1) {
        return Err(bad(&format!("is due more than {TIMES_A_DAY_AT_MOST} times a day")));
    }
    match rule.get_count() {
        Some(0) => Err(bad("is never due")),
        Some(count) if COUNT_AT_MOST < count => Err(bad(&format!("counts further than {COUNT_AT_MOST}"))),
        _ => Ok(()),
    }
}

/// `-1SU`, `MO`.
fn is_weekday(text: &str) -> bool {
    let at = text.len().saturating_sub(2);
    let (number, day) = text.split_at(at);
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    let is_number =
        text.len() == 2 || !number.is_empty() && number.len() <= 3 && number.bytes().all(|c| c.is_ascii_digit());
    is_number && ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].contains(&day)
}

/// `20261231T235959Z`, the same without `Z` by the clock on the wall, or a day, which counts whole.
fn end(text: &str) -> Result<Until, BadSchedule> {
    let no_time = || bad("has an `UNTIL` that is no time like 20261231T235959Z");
    if let Some(instant) = text.strip_suffix('Z') {
        let wall = compact(instant).ok_or_else(no_time)?;
        return self::instant(&TimeZone::UTC, wall).map(Until::Moment).ok_or_else(no_time);
    }
    let of_day = || compact(&format!("{text}T235959"));
    compact(text).or_else(of_day).map(Until::Wall).ok_or_else(no_time)
}

/// `20261231T235959`. Source: RFC 5545, 3.3.5, form 1.
pub(crate) fn compact(text: &str) -> Option<DateTime> {
    let is_form = text.len() == 15
        && text.bytes().enumerate().all(|(at, c)| if at == 8 { c == b'T' } else { c.is_ascii_digit() });
    is_form.then(|| DateTime::strptime("%Y%m%dT%H%M%S", text).ok()).flatten()
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    text.get(..6).filter(|word| word.eq_ignore_ascii_case("RRULE:")).map_or(text, |word| &text[word.len()..])
}

fn bad(problem: &str) -> BadSchedule {
    BadSchedule(problem.to_owned())
}

fn reason(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("is no recurrence rule: {}", line.trim_end_matches('.').replace('`', "'"))
}

/// The instant at which a clock in this zone shows a time; the first one where it does twice.
pub(crate) fn instant(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    zone.to_timestamp(wall).ok().map(|at| Timestamp(at.as_second()))
}

/// For `rrule`, which gets the clock on the wall as if it were UTC.
fn as_utc(wall: DateTime) -> Option<chrono::DateTime<rrule::Tz>> {
    let (year, month, day) = (i32::from(wall.year()), wall.month().unsigned_abs(), wall.day().unsigned_abs());
    let (hour, minute) = (wall.hour().unsigned_abs(), wall.minute().unsigned_abs());
    rrule::Tz::UTC.with_ymd_and_hms(year, month.into(), day.into(), hour.into(), minute.into(), 0).single()
}

fn of_chrono(at: chrono::NaiveDateTime) -> Option<DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    let day = jiff::civil::Date::new(i16::try_from(at.year()).ok()?, small(at.month())?, small(at.day())?).ok()?;
    Some(day.at(small(at.hour())?, small(at.minute())?, small(at.second())?, 0))
}

fn whole_days(from: DateTime, until: DateTime) -> i64 {
    until.duration_since(from).as_secs().div_euclid(86_400)
}

fn days_span(days: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_secs(days.saturating_mul(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_second())
    }

    fn rule(text: &str, from: &str, zone: &str) -> Result<Recurrence, BadSchedule> {
        Recurrence::parse(text, from.parse().unwrap(), zone)
    }

    fn next(text: &str, from: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
        let rule = rule(text, from, zone).unwrap();
        std::iter::successors(rule.after(at(after)), |&at| rule.after(at)).take(n).map(Timestamp::rfc3339).collect()
    }

    #[test]
    fn the_examples_of_the_standard_come_out_as_it_says() {
        // RFC 5545, 3.8.5.3: "The last work day of the month", "Every Friday the 13th".
        let from = "1997-09-29T09:00";
        assert_eq!(
            next("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", from, "America/New_York", "1997-09-01T00:00:00Z", 3),
            ["1997-09-29T13:00:00Z", "1997-10-30T14:00:00Z", "1997-11-27T14:00:00Z"]
        );
        assert_eq!(
            next(
                "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
                "1997-09-02T09:00",
                "America/New_York",
                "1998-12-01T00:00:00Z",
                2
            ),
            ["1999-08-13T13:00:00Z", "2000-10-13T13:00:00Z"]
        );
    }

    #[test]
    fn both_nights_in_which_clocks_are_changed_are_as_the_standard_says() {
        // 02:30 does not exist in Berlin on 29 March 2026 (03:30 is shown then), and exists twice on 25 October.
        let nightly = |after| next("FREQ=DAILY", "2020-01-01T02:30", "Europe/Berlin", after, 2);
        assert_eq!(nightly("2026-03-28T12:00:00Z"), ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
        assert_eq!(nightly("2026-10-24T12:00:00Z"), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn times_that_a_change_of_clocks_puts_in_another_order_are_all_found() {
        // 02:30 is read as 03:30 that night, after 03:00.
        let twice = "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30";
        assert_eq!(
            next(twice, "2020-01-01T02:30", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
            ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"]
        );
    }

    #[test]
    fn one_walk_finds_what_question_after_question_finds() {
        for (text, zone, since) in [
            ("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30", "Europe/Berlin", "2026-03-27T00:00:00Z"),
            ("FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,15,30,45", "Europe/Berlin", "2026-10-23T00:00:00Z"),
            ("FREQ=DAILY;BYHOUR=0,12,23", "Pacific/Apia", "2011-12-27T00:00:00Z"),
            ("FREQ=MONTHLY;BYDAY=1SU;COUNT=40", "UTC", "2011-01-01T00:00:00Z"),
            ("FREQ=WEEKLY;UNTIL=20120101", "UTC", "2011-10-01T00:00:00Z"),
        ] {
            let rule = rule(text, "2010-01-04T02:30", zone).unwrap();
            let walked: Vec<_> = rule.times_after(at(since)).take(60).collect();
            let asked: Vec<_> = iter::successors(rule.after(at(since)), |at| rule.after(*at)).take(60).collect();
            assert_eq!(walked, asked, "{text}");
            assert!(10 < walked.len() && walked.is_sorted(), "{text}");
        }
    }

    #[test]
    fn times_that_are_counted_end_after_a_hundred_years() {
        let yearly = rule("FREQ=YEARLY;COUNT=1000", "2026-05-04T01:00", "UTC").unwrap();
        assert_eq!(yearly.times_after(Timestamp(i64::MIN)).last(), Some(at("2126-05-04T01:00:00Z")));
    }

    #[test]
    fn a_rule_ends_with_its_count_or_its_last_time() {
        let from = "2026-05-04T01:00";
        let all = |text: &str| next(text, from, "UTC", "2000-01-01T00:00:00Z", 9).len();
        assert_eq!(all("FREQ=WEEKLY;COUNT=3"), 3);
        assert_eq!(all("FREQ=WEEKLY;UNTIL=20260518T010000Z"), 3);
        assert_eq!(all("FREQ=WEEKLY;UNTIL=20260518"), 3);
        assert_eq!(all("FREQ=WEEKLY;UNTIL=20260518T005959"), 2);
    }

    #[test]
    fn the_last_time_is_found_as_far_back_as_a_window_lasts() {
        let monthly = rule("RRULE:FREQ=MONTHLY;BYDAY=1SU", "2020-01-05T02:00", "UTC").unwrap();
        let now = at("2026-11-02T00:00:00Z");
        assert_eq!(monthly.last_within(now, Span::days(3)), Some(at("2026-11-01T02:00:00Z")));
        assert_eq!(monthly.last_within(now, Span::hours(22)), None);
        assert_eq!(monthly.last_within(at("2026-11-01T02:00:00Z"), Span::hours(1)), Some(at("2026-11-01T02:00:00Z")));
    }

    #[test]
    fn what_is_no_rule_or_is_due_too_often_is_told() {
        let minutes: Vec<String> = (0..60).map(|minute| minute.to_string()).collect();
        let often = format!("FREQ=DAILY;BYHOUR=1,2;BYMINUTE={}", minutes.join(","));
        for (text, part) in [
            ("FREQ=HOURLY", "several times a day"),
            ("FREQ=SECONDLY", "several times a day"),
            ("FREQ=DAILY;BYSECOND=1,2", "no part of a rule"),
            ("FREQ=DAILY;COUNT=5;UNTIL=20270101", "both"),
            ("FREQ=DAILY;COUNT=100000", "counts further"),
            ("FREQ=DAILY;COUNT=0", "never due"),
            ("FREQ=MONTHLY;BYDAY=XXMO", "BYDAY"),
            ("FREQ=MONTHLY;BYDAY=MO;BYDAY=TU", "twice"),
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "never due"),
            ("FREQ=DAILY;UNTIL=20190101", "never due"),
            ("FREQ=DAILY;UNTIL=soon", "UNTIL"),
            ("FREQ=OFTEN", "is no recurrence rule"),
            ("FREQ=DAILY;INTERVAL=0x", "is no recurrence rule"),
            ("FREQ=DAILY;BYDAY=M\u{e4}", "is no recurrence rule"),
            (&often, "times a day"),
        ] {
            let told = rule(text, "2020-01-01T02:30", "UTC").unwrap_err().to_string();
            assert!(told.contains(part), "{text}: {told}");
        }
    }

    proptest::proptest! {
        /// Whoever writes a rule may write anything; and years after its beginning it is as quick to ask.
        #[test]
        fn no_rule_breaks_anything(
            freq in "(DAILY|WEEKLY|MONTHLY|YEARLY|X)", key in "BY(DAY|MONTH|MONTHDAY|YEARDAY|WEEKNO|SETPOS|HOUR)|INTERVAL|COUNT|WKST",
            value in "[-+0-9A-Z,]{0,12}", year in -9999_i16..9999, now in -400_000_000_000_i64..260_000_000_000,
        ) {
            let from = date(year, 2, 28).at(23, 59, 0, 0);
            if let Ok(rule) = Recurrence::parse(&format!("FREQ={freq};{key}={value}"), from, "America/New_York") {
                let next = rule.after(Timestamp(now));
                proptest::prop_assert!(next.is_none_or(|next| now < next.0));
                let last = rule.last_within(Timestamp(now), Span::days(30));
                proptest::prop_assert!(last.is_none_or(|last| last.0 <= now));
            }
        }
    }
}
