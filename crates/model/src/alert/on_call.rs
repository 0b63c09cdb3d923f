//! Whose turn it is to be told: arithmetic on a date, or what a calendar says, so that nothing has to be remembered.

use std::sync::Arc;

use jiff::{
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::{
    Known, Timestamp,
    agenda::{Agenda, Entry},
};

/// Those who are on duty: whom a calendar names, else whose turn it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Duty {
    /// The calendar, if there is one.
    agenda: Option<Known<Arc<Agenda>>>,
    /// What the calendar calls whom, and the channel of each.
    people: Vec<(String, String)>,
    /// Whose turn it is when the calendar names nobody.
    turns: Option<Turns>,
    /// Who is told when there is neither.
    last_resort: String,
}

impl Duty {
    /// Turns alone, or with a calendar that goes before them. `people` says which channel is meant by which name in it.
    ///
    /// Errors: nobody would ever be on duty.
    pub fn new(
        channels: &[String],
        turns: Option<Turns>,
        agenda: Option<Known<Arc<Agenda>>>,
        people: Vec<(String, String)>,
    ) -> Result<Duty, BadTurns> {
        let last_resort = channels.first().ok_or_else(|| BadTurns("begins turns of nobody".to_owned()))?.clone();
        if turns.is_none() && agenda.is_none() {
            return Err(BadTurns("is missing".to_owned()));
        }
        let people = people.into_iter().map(|(called, channel)| (called.to_lowercase(), channel)).collect();
        Ok(Duty { agenda, people, turns, last_resort })
    }

    /// The channels of those who are on duty; never nobody: where the calendar names none of them or cannot be read, whose turn it
    /// is else, or the first.
    pub fn at(&self, now: Timestamp) -> Vec<&str> {
        let named = self.agenda().into_iter().flat_map(|agenda| agenda.at(now)).flat_map(|entry| self.named_by(entry));
        let mut channels: Vec<&str> = Vec::new();
        for channel in named {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        if channels.is_empty() {
            channels.push(self.turns.as_ref().map_or(&self.last_resort, |turns| turns.at(now)));
        }
        channels
    }

    /// When somebody else may be.
    pub fn changes_after(&self, now: Timestamp) -> Option<Timestamp> {
        let by_turns = self.turns.as_ref().and_then(|turns| turns.next_after(now));
        let by_agenda = self.agenda().and_then(|agenda| agenda.changes_after(now));
        by_turns.into_iter().chain(by_agenda).min()
    }

    /// Why the calendar does not count; `None` = it does, or there is none.
    pub fn doubt(&self) -> Option<&str> {
        self.agenda.as_ref()?.reason()
    }

    fn agenda(&self) -> Option<&Agenda> {
        self.agenda.as_ref()?.seen().map(Arc::as_ref)
    }

    fn named_by(&self, entry: &Entry) -> impl Iterator<Item = &str> {
        let title = entry.title.to_lowercase();
        let people: Vec<String> = entry.people.iter().map(|person| person.to_lowercase()).collect();
        let is_meant = move |called: &str| people.iter().any(|person| person == called) || has_words(&title, called);
        self.people.iter().filter(move |(called, _)| is_meant(called)).map(|(_, channel)| channel.as_str())
    }
}

/// Does the text hold these words as they are, not as parts of others?
fn has_words(text: &str, words: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !is_part(before) && !is_part(after)
    };
    !words.is_empty() && text.match_indices(words).any(|(at, _)| whole(at))
}

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

    const DUTY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260504T090000Z\r\n\
                        DTEND:20260505T090000Z\r\nSUMMARY:On call: Mia Berg\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\n\
                        DTSTART:20260505T080000Z\r\nDTEND:20260506T090000Z\r\nSUMMARY:Second line\r\n\
                        ATTENDEE;CN=Tom:mailto:tom@example.org\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:3\r\n\
                        DTSTART:20260507T080000Z\r\nDTEND:20260507T090000Z\r\nSUMMARY:Miami\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn by_calendar(agenda: Known<Arc<Agenda>>) -> Duty {
        let names = [("Mia Berg", "mia"), ("mia", "mia"), ("Tom@example.org", "tom")];
        let people = names.map(|(called, channel)| (called.to_owned(), channel.to_owned())).to_vec();
        Duty::new(&["mia", "tom", "ida"].map(str::to_owned), Some(weekly()), Some(agenda), people).unwrap()
    }

    #[test]
    fn those_are_on_duty_whom_the_calendar_names_and_else_whose_turn_it_is() {
        let agenda = Agenda::read(DUTY, &TimeZone::UTC, at("2026-05-04T00:00:00Z")).unwrap();
        let duty = by_calendar(Known::Seen(Arc::new(agenda)));
        for (time, who) in [
            // Their turn: the 17th of three, which is the third.
            ("2026-05-04T08:59:59Z", &["ida"][..]),
            ("2026-05-04T09:00:00Z", &["mia"]),
            ("2026-05-05T08:30:00Z", &["mia", "tom"]),
            ("2026-05-06T08:59:59Z", &["tom"]),
            // A part of a word is nobody's name.
            ("2026-05-07T08:30:00Z", &["ida"]),
        ] {
            assert_eq!(duty.at(at(time)), who, "{time}");
        }
        assert_eq!(duty.changes_after(at("2026-05-04T10:00:00Z")), Some(at("2026-05-05T08:00:00Z")));
        let unread = by_calendar(Known::Unknown("it was not read yet".to_owned()));
        assert_eq!(unread.at(at("2026-05-04T10:00:00Z")), ["ida"]);
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
