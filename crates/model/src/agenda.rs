//! What a calendar that somebody else keeps says (iCalendar, RFC 5545): its events, each with its times, for a year to come.
//!
//! Times are worked out when the calendar is read, once; asking is then a search. An event lasts by the clock on the wall, as every
//! calendar shows it: a turn from Monday 09:00 to Monday 09:00 ends at nine also when clocks were changed in it. An event that
//! cannot be understood is left out and told; a calendar that is cut short, or holds too much, is no calendar.

use std::collections::{BTreeMap, BTreeSet};

use calcard::common::PartialDateTime;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType as Kind, ICalendarDuration, ICalendarEntry,
    ICalendarParameterName as Parameter, ICalendarPeriod, ICalendarProperty as Property, ICalendarStatus,
    ICalendarValue, Uri, timezone::TzResolver,
};
use jiff::{civil::DateTime, tz::TimeZone};

use crate::{
    Span, Timestamp,
    recurrence::{Recurrence, instant},
    schedule::zone_named,
    window::Opening,
};

/// The longest calendar, in bytes. Source: ours; ten years of a busy team have a tenth.
pub const BYTES_AT_MOST: usize = 4 << 20;

/// Events in a calendar, at most. Source: ours.
const EVENTS_AT_MOST: usize = 5_000;

/// Times of all events together, at most. Source: ours; one each hour for a year has half.
const OPENINGS_AT_MOST: usize = 20_000;

/// How far the times reach, from when the calendar was read. Source: ours; it is read again long before.
const BACK: Span = Span::days(31);
const AHEAD: Span = Span::days(400);

/// What is kept of a title, in characters.
const TITLE_AT_MOST: usize = 200;

/// Reasons that are told, at most.
const TOLD_AT_MOST: usize = 3;

/// A calendar as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agenda {
    /// What happens when, by its beginning.
    pub entries: Vec<Entry>,
    /// Events that could not be understood, for these reasons: at most three of them.
    pub left_out: Vec<String>,
    /// How many could not be understood.
    pub n_left_out: usize,
    /// The longest entry.
    longest: Span,
}

/// One time of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When.
    pub from: Timestamp,
    /// The first second after it.
    pub until: Timestamp,
    /// What it is called.
    pub title: String,
    /// Those who take part: their names and mail addresses.
    pub people: Vec<String>,
}

/// A text that is no calendar: why, as a sentence part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAgenda(pub String);

impl Agenda {
    /// Reads a calendar. Times without a zone are in `zone`.
    ///
    /// Errors: it is none, is cut short, or holds too much.
    pub fn read(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Agenda, BadAgenda> {
        let bad = |reason: String| Err(BadAgenda(reason));
        if BYTES_AT_MOST < text.len() {
            return bad(format!("it is longer than {BYTES_AT_MOST} bytes"));
        }
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
        let has = |part: Option<&str>, word: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(word));
        if !has(trimmed.get(..15), "BEGIN:VCALENDAR") {
            return bad("it is no iCalendar: that begins with BEGIN:VCALENDAR".to_owned());
        }
        if !has(trimmed.len().checked_sub(13).and_then(|at| trimmed.get(at..)), "END:VCALENDAR") {
            return bad("it is cut short: there is no END:VCALENDAR".to_owned());
        }
        let calendar = ICalendar::parse(trimmed).map_err(|_| BadAgenda("it is no iCalendar".to_owned()))?;
        let events: Vec<_> = calendar.components.iter().filter(|one| one.component_type == Kind::VEvent).collect();
        if EVENTS_AT_MOST < events.len() {
            return bad(format!("it has more than {EVENTS_AT_MOST} events"));
        }
        Reading { zones: calendar.build_tz_resolver(), zone, now, agenda: Agenda::default() }.all(&events)
    }

    /// What goes on at this time.
    pub fn at(&self, now: Timestamp) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.from.0 <= now.0.saturating_sub(self.longest.0));
        self.entries[first..].iter().take_while(move |entry| entry.from <= now).filter(move |entry| now < entry.until)
    }

    /// When something begins or ends next.
    pub fn changes_after(&self, now: Timestamp) -> Option<Timestamp> {
        let begins = self.entries.get(self.entries.partition_point(|entry| entry.from <= now)).map(|entry| entry.from);
        let ends = self.at(now).map(|entry| entry.until);
        begins.into_iter().chain(ends).min()
    }

    /// All times as openings, in order.
    pub fn openings(&self) -> Vec<Opening> {
        self.entries.iter().map(|entry| Opening { from: entry.from, until: entry.until }).collect()
    }

    fn leave_out(&mut self, event: &ICalendarComponent, reason: &str) {
        self.n_left_out += 1;
        if self.left_out.len() < TOLD_AT_MOST {
            self.left_out.push(format!("`{}` {reason}", title(event)));
        }
    }
}

/// A calendar that is being read.
struct Reading<'a> {
    zones: TzResolver<&'a str>,
    zone: &'a TimeZone,
    now: Timestamp,
    agenda: Agenda,
}

/// A date with its time of the day, and where clocks show it.
#[derive(Clone)]
struct Moment {
    wall: DateTime,
    zone: TimeZone,
    is_day: bool,
}

impl Moment {
    fn at(&self) -> Option<Timestamp> {
        instant(&self.zone, self.wall)
    }

    /// So much later by the clock on the wall.
    fn later(&self, by: jiff::SignedDuration) -> Option<Timestamp> {
        instant(&self.zone, self.wall.checked_add(by).ok()?)
    }
}

/// What is wrong with an event, as a sentence part.
type Wrong = String;

impl Reading<'_> {
    fn all(mut self, events: &[&ICalendarComponent]) -> Result<Agenda, BadAgenda> {
        // A single time of an event that was moved or called off takes the place of what its rule says.
        let mut instead: BTreeMap<&str, BTreeSet<Timestamp>> = BTreeMap::new();
        for event in events {
            if let (Some(uid), Some(entry)) = (event.uid(), event.property(&Property::RecurrenceId)) {
                let at = self.moments(entry).ok().and_then(|all| all.first().and_then(Moment::at));
                instead.entry(uid).or_default().extend(at);
            }
        }
        let none = BTreeSet::new();
        for event in events.iter().filter(|event| event.status() != Some(&ICalendarStatus::Cancelled)) {
            let is_single = event.is_recurrence_override();
            let moved = event.uid().and_then(|uid| instead.get(uid)).filter(|_| !is_single).unwrap_or(&none);
            match self.times(event, moved) {
                Ok(times) => self.take(event, times)?,
                Err(reason) => self.agenda.leave_out(event, &reason),
            }
        }
        self.agenda.entries.sort_unstable();
        self.agenda.entries.dedup();
        Ok(self.agenda)
    }

    fn take(&mut self, event: &ICalendarComponent, times: Vec<Opening>) -> Result<(), BadAgenda> {
        let (title, people) = (title(event), people(event));
        for Opening { from, until } in times {
            self.agenda.longest = self.agenda.longest.max(until.since(from));
            self.agenda.entries.push(Entry { from, until, title: title.clone(), people: people.clone() });
        }
        match self.agenda.entries.len() {
            n if OPENINGS_AT_MOST < n => {
                Err(BadAgenda(format!("its events happen more than {OPENINGS_AT_MOST} times")))
            }
            _ => Ok(()),
        }
    }

    /// All times of an event that are not too far away, but for those that others stand for.
    fn times(&self, event: &ICalendarComponent, moved: &BTreeSet<Timestamp>) -> Result<Vec<Opening>, Wrong> {
        if event.properties(&Property::RecurrenceId).any(|entry| entry.has_parameter(&Parameter::Range)) {
            return Err("changes all times from one on (RANGE), which is not understood".to_owned());
        }
        let begin = event.property(&Property::Dtstart).ok_or("has no beginning")?;
        let begin = self.moments(begin)?.into_iter().next().ok_or("has no beginning")?;
        let lasts = self.lasts(event, &begin)?;
        if lasts <= jiff::SignedDuration::ZERO {
            // A reminder is no time in which something goes on.
            return Ok(Vec::new());
        }
        let (from, until) = (Timestamp(self.now.0 - BACK.0), Timestamp(self.now.0 + AHEAD.0));
        let early = Timestamp(from.0.saturating_sub(lasts.as_secs()).saturating_sub(86_400));
        let mut begins: Vec<Moment> = Vec::new();
        let mut is_recurring = false;
        for entry in event.properties(&Property::Rrule) {
            is_recurring = true;
            begins.extend(recurring(entry, &begin, early, until)?);
        }
        if !is_recurring {
            begins.push(begin);
        }
        let mut openings = Vec::new();
        for entry in event.properties(&Property::Rdate) {
            let (more, periods) = self.dates(entry)?;
            begins.extend(more);
            openings.extend(periods);
        }
        let mut without = moved.clone();
        for entry in event.properties(&Property::Exdate) {
            without.extend(self.moments(entry)?.iter().filter_map(Moment::at));
        }
        let opening = |moment: Moment| Some(Opening { from: moment.at()?, until: moment.later(lasts)? });
        openings.extend(begins.into_iter().filter_map(opening));
        let is_near = |opening: &Opening| from < opening.until && opening.from < until && opening.from < opening.until;
        openings.retain(|opening| is_near(opening) && !without.contains(&opening.from));
        Ok(openings)
    }

    /// How long it lasts, by the clock on the wall.
    fn lasts(&self, event: &ICalendarComponent, begin: &Moment) -> Result<jiff::SignedDuration, Wrong> {
        if let Some(end) = event.property(&Property::Dtend) {
            let end = self.moments(end)?.into_iter().next().ok_or("has an end that is none")?;
            // An end in another zone is an instant, as the beginning's clock shows it.
            let end =
                end.at().and_then(|at| jiff::Timestamp::from_second(at.0).ok()).ok_or("has an end that is none")?;
            return Ok(end.to_zoned(begin.zone.clone()).datetime().duration_since(begin.wall));
        }
        match event.property(&Property::Duration).and_then(|entry| entry.values.first()) {
            Some(ICalendarValue::Duration(duration)) => Ok(seconds(duration)),
            Some(_) => Err("has a length that is none".to_owned()),
            None if begin.is_day => Ok(jiff::SignedDuration::from_hours(24)),
            None => Ok(jiff::SignedDuration::ZERO),
        }
    }

    /// The times that a property holds.
    fn moments(&self, entry: &ICalendarEntry) -> Result<Vec<Moment>, Wrong> {
        let one = |value: &ICalendarValue| match value {
            ICalendarValue::PartialDateTime(time) => self.moment(time, entry),
            _ => Err("has a time that is none".to_owned()),
        };
        entry.values.iter().map(one).collect()
    }

    /// The times of an `RDATE`, and those that have an end of their own.
    fn dates(&self, entry: &ICalendarEntry) -> Result<(Vec<Moment>, Vec<Opening>), Wrong> {
        let (mut moments, mut openings) = (Vec::new(), Vec::new());
        for value in &entry.values {
            let (from, until) = match value {
                ICalendarValue::PartialDateTime(time) => {
                    moments.push(self.moment(time, entry)?);
                    continue;
                }
                ICalendarValue::Period(ICalendarPeriod::Range { start, end }) => {
                    (self.moment(start, entry)?, self.moment(end, entry)?.at())
                }
                ICalendarValue::Period(ICalendarPeriod::Duration { start, duration }) => {
                    let start = self.moment(start, entry)?;
                    (start.clone(), start.later(seconds(duration)))
                }
                _ => return Err("has a time that is none".to_owned()),
            };
            openings.extend(from.at().zip(until).map(|(from, until)| Opening { from, until }));
        }
        Ok((moments, openings))
    }

    fn moment(&self, time: &PartialDateTime, entry: &ICalendarEntry) -> Result<Moment, Wrong> {
        let wall = wall(time).ok_or("has a time that is none")?;
        let is_day = time.hour.is_none();
        let zone = match (time.tz_hour, entry.tz_id()) {
            (Some(hours), _) => offset(hours, time)?,
            (None, Some(name)) if !is_day => self.zone_called(name)?,
            _ => self.zone.clone(),
        };
        Ok(Moment { wall, zone, is_day })
    }

    /// Names of zones are as programs write them: `Europe/Berlin`, `W. Europe Standard Time`, `/citadel.org/…/Europe/Berlin`.
    fn zone_called(&self, name: &str) -> Result<TimeZone, Wrong> {
        let unknown = || format!("stands in the time zone `{}`, which is not known", shown(name));
        if let Ok(zone) = zone_named(name) {
            return Ok(zone);
        }
        let known = self.zones.resolve(name).and_then(|zone| zone.name()).ok_or_else(unknown)?;
        zone_named(&known).map_err(|_| unknown())
    }
}

/// The times of a rule that begin between these.
fn recurring(entry: &ICalendarEntry, begin: &Moment, from: Timestamp, until: Timestamp) -> Result<Vec<Moment>, Wrong> {
    let rule = match entry.values.first() {
        Some(ICalendarValue::RecurrenceRule(rule)) => rule.to_string(),
        Some(ICalendarValue::Text(text)) => text.clone(),
        _ => return Err("recurs by no rule".to_owned()),
    };
    let never = "is never due";
    let rule = match Recurrence::in_zone(&rule, begin.wall, begin.zone.clone()) {
        Ok(rule) => rule,
        Err(bad) if bad.0 == never => return Ok(Vec::new()),
        Err(bad) => return Err(format!("recurs by `{}`, which {bad}", shown(&rule))),
    };
    let walls = std::iter::successors(rule.after(from), |&at| rule.after(at)).take_while(|at| *at < until);
    let of_zone =
        |at: Timestamp| Some(jiff::Timestamp::from_second(at.0).ok()?.to_zoned(begin.zone.clone()).datetime());
    let moments = walls.filter_map(of_zone).map(|wall| Moment { wall, ..begin.clone() });
    Ok(moments.take(OPENINGS_AT_MOST + 1).collect())
}

fn wall(time: &PartialDateTime) -> Option<DateTime> {
    let small = |number: Option<u8>| number.and_then(|number| i8::try_from(number).ok());
    let day = jiff::civil::Date::new(i16::try_from(time.year?).ok()?, small(time.month)?, small(time.day)?).ok()?;
    // A leap second is the last one that clocks here know.
    let second = small(time.second).unwrap_or(0).min(59);
    let time =
        jiff::civil::Time::new(small(time.hour).unwrap_or(0), small(time.minute).unwrap_or(0), second, 0).ok()?;
    Some(day.to_datetime(time))
}

fn offset(hours: u8, time: &PartialDateTime) -> Result<TimeZone, Wrong> {
    let seconds = i32::from(hours) * 3_600 + i32::from(time.tz_minute.unwrap_or(0)) * 60;
    let offset = jiff::tz::Offset::from_seconds(if time.tz_minus { -seconds } else { seconds });
    offset.map(TimeZone::fixed).map_err(|_| "has a time that is none".to_owned())
}

fn seconds(duration: &ICalendarDuration) -> jiff::SignedDuration {
    let parts = [(duration.weeks, 604_800), (duration.days, 86_400), (duration.hours, 3_600), (duration.minutes, 60)];
    let all: i64 = parts.into_iter().map(|(n, unit)| i64::from(n) * unit).sum::<i64>() + i64::from(duration.seconds);
    jiff::SignedDuration::from_secs(if duration.neg { -all } else { all })
}

fn title(event: &ICalendarComponent) -> String {
    let text =
        event.property(&Property::Summary).and_then(|entry| entry.values.first()).and_then(ICalendarValue::as_text);
    shown(text.unwrap_or_default())
}

/// Names and mail addresses of those who take part.
fn people(event: &ICalendarComponent) -> Vec<String> {
    let mut people = Vec::new();
    for entry in event.properties(&Property::Attendee) {
        let name = entry.parameter(&Parameter::Cn).and_then(|value| value.as_text());
        let address = entry.values.first().and_then(|value| match value {
            ICalendarValue::Uri(Uri::Location(address)) => Some(address.as_str()),
            value => value.as_text(),
        });
        let without_scheme = |text: &str| match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => text[7..].to_owned(),
            _ => text.to_owned(),
        };
        people.extend([name, address].into_iter().flatten().map(|text| shown(&without_scheme(text))));
    }
    people
}

/// On one line, and not too much of it.
fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().chars().take(TITLE_AT_MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-20T00:00:00Z
    const NOW: Timestamp = Timestamp(1_773_964_800);

    fn berlin() -> TimeZone {
        zone_named("Europe/Berlin").unwrap()
    }

    fn calendar(events: &[&str]) -> String {
        let events: String = events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
    }

    fn times(agenda: &Agenda) -> Vec<String> {
        agenda.entries.iter().map(|entry| format!("{} {} {}", entry.from, entry.until, entry.title)).collect()
    }

    #[test]
    fn a_turn_ends_by_the_clock_on_the_wall_also_when_clocks_are_changed_in_it() {
        let text = calendar(&[
            "UID:1\r\nDTSTART;TZID=Europe/Berlin:20260323T090000\r\nDTEND;TZID=Europe/Berlin:20260330T090000\r\n\
                               RRULE:FREQ=WEEKLY;COUNT=2\r\nSUMMARY:Mia",
        ]);
        let agenda = Agenda::read(&text, &TimeZone::UTC, NOW).unwrap();
        assert_eq!(
            times(&agenda),
            ["2026-03-23T08:00:00Z 2026-03-30T07:00:00Z Mia", "2026-03-30T07:00:00Z 2026-04-06T07:00:00Z Mia"]
        );
        let at = |second: i64| agenda.at(Timestamp(second)).count();
        let handover = 1_774_854_000;
        assert_eq!((at(handover - 1), at(handover), agenda.at(NOW).count()), (1, 1, 0));
        assert_eq!(agenda.changes_after(Timestamp(handover - 5)), Some(Timestamp(handover)));
    }

    #[test]
    fn what_is_in_doubt_is_left_out_and_told() {
        let text = calendar(&[
            "UID:1\r\nDTSTART;TZID=Mars/Olympus:20260323T090000\r\nDURATION:PT1H\r\nSUMMARY:far",
            "UID:2\r\nDTSTART:20260323T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=MINUTELY\r\nSUMMARY:often",
            "UID:3\r\nSUMMARY:never",
            "UID:4\r\nDTSTART:20260323T090000Z\r\nDURATION:PT1H\r\nSUMMARY:fine",
        ]);
        let agenda = Agenda::read(&text, &TimeZone::UTC, NOW).unwrap();
        assert_eq!((times(&agenda).len(), agenda.n_left_out), (1, 3));
        let told = agenda.left_out.join("\n");
        for part in ["`far` stands in the time zone `Mars/Olympus`", "`often` recurs by", "`never` has no beginning"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn what_is_no_whole_calendar_is_none() {
        let whole = calendar(&["UID:1\r\nDTSTART:20260323T090000Z\r\nDURATION:PT1H"]);
        assert!(Agenda::read(&format!("\u{feff}{whole}\n"), &TimeZone::UTC, NOW).is_ok());
        for (text, part) in [
            ("", "no iCalendar"),
            ("<html>sign in</html>", "no iCalendar"),
            (&whole[..whole.len() - 10], "cut short"),
            (&"x".repeat(BYTES_AT_MOST + 1), "longer"),
            (&calendar(&["UID:1"; EVENTS_AT_MOST + 1]), "more than 5000 events"),
        ] {
            let told = Agenda::read(text, &TimeZone::UTC, NOW).unwrap_err().0;
            assert!(told.contains(part), "{told}");
        }
        let hourly =
            "DTSTART:20260323T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13";
        assert!(
            Agenda::read(&calendar(&[hourly; 9]), &TimeZone::UTC, NOW).unwrap_err().0.contains("more than 20000 times")
        );
    }

    #[test]
    fn a_day_without_a_time_is_whole_in_the_zone_of_the_calendar() {
        let text = calendar(&["UID:1\r\nDTSTART;VALUE=DATE:20260329\r\nSUMMARY:off"]);
        let agenda = Agenda::read(&text, &berlin(), NOW).unwrap();
        // The day has 23 hours.
        assert_eq!(times(&agenda), ["2026-03-28T23:00:00Z 2026-03-29T22:00:00Z off"]);
    }

    proptest::proptest! {
        /// A calendar comes from outside: it may hold anything, nested as deep as it likes.
        #[test]
        fn no_calendar_breaks_anything(
            lines in proptest::collection::vec(
                "(BEGIN|END|DTSTART|DTEND|RRULE|RDATE|EXDATE|DURATION|RECURRENCE-ID|ATTENDEE|SUMMARY|UID|STATUS)\
                 (;TZID=[A-Za-z/]{0,9}|;VALUE=(DATE|PERIOD)|;RANGE=X)?:(VEVENT|VTIMEZONE|VALARM|[0-9TZ]{0,16}|2026[01][0-9][0-3][0-9]T0[0-9]0000Z?|\
                 FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]{3,9}=[-0-9A-Z,]{0,9})?|P[0-9]{0,12}[DWTHMS]{0,3}|.{0,20})",
                0..40,
            ),
        ) {
            let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{}\r\nEND:VCALENDAR", lines.join("\r\n"));
            if let Ok(agenda) = Agenda::read(&text, &berlin(), NOW) {
                proptest::prop_assert!(agenda.entries.iter().all(|entry| entry.from < entry.until));
                let _ = agenda.at(NOW).count();
            }
        }
    }

    #[test]
    fn a_calendar_that_is_nested_without_end_is_read_or_refused() {
        let deep = format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR", "BEGIN:VEVENT\r\n".repeat(100_000));
        assert!(Agenda::read(&deep, &TimeZone::UTC, NOW).is_err());
    }
}
