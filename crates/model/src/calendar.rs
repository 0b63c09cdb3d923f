//! Windows as a calendar that other programs read: iCalendar, RFC 5545.
//!
//! Each opening stands there by itself, in UTC: whatever reads it shows what alignwatch does, in both nights in which clocks
//! are changed, too.

use crate::{
    Timestamp,
    config::WindowRule,
    window::{Opening, Window},
};

/// Openings of one window that stand in a calendar, at most. Source: ours; one a day for a year.
const OPENINGS_AT_MOST: usize = 366;

/// Octets of a line, without its end. Source: RFC 5545, 3.1.
const LINE_OCTETS: usize = 75;

/// The calendar of these windows between two times.
pub fn calendar(windows: &[WindowRule], from: Timestamp, until: Timestamp) -> String {
    let mut text = String::new();
    for content in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//alignwatch//windows//EN", "NAME:alignwatch"] {
        line(&mut text, content);
    }
    for rule in windows {
        let Ok(window) = rule.window() else { continue };
        // What is left out would look as if it were never open.
        if let Some(why) = window.doubt() {
            unknown(&mut text, rule, &window, why, Opening { from, until });
        }
        for opening in window.openings(from, until).into_iter().take(OPENINGS_AT_MOST) {
            event(&mut text, rule, &window, opening);
        }
    }
    line(&mut text, "END:VCALENDAR");
    text
}

/// One of which it is not known when it is open: it may be at any time, from the day on that the calendar is for.
fn unknown(text: &mut String, rule: &WindowRule, window: &Window, why: &str, all: Opening) {
    // By the day, so that the same calendar is the same text for so long.
    let day = |at: Timestamp| Timestamp(at.0.div_euclid(86_400) * 86_400);
    let opening = Opening { from: day(all.from), until: day(all.until) };
    let kind = window.purpose.word();
    line(text, "BEGIN:VEVENT");
    line(text, &format!("UID:{}-unknown@alignwatch", hex(&window.name)));
    line(text, &format!("DTSTAMP:{}", moment(opening.from)));
    line(text, &format!("DTSTART:{}", moment(opening.from)));
    line(text, &format!("DTEND:{}", moment(opening.until)));
    line(text, &format!("SUMMARY:{}", escaped(&format!("unknown: {kind}: {}", window.name))));
    let description = format!("It is not known when it is open: {why}\n{}", about(rule));
    line(text, &format!("DESCRIPTION:{}", escaped(&description)));
    line(text, &format!("CATEGORIES:{kind}"));
    line(text, "STATUS:TENTATIVE");
    line(text, "TRANSP:TRANSPARENT");
    line(text, "END:VEVENT");
}

fn about(rule: &WindowRule) -> String {
    if rule.repositories.is_empty() { "all repositories".to_owned() } else { rule.repositories.join(", ") }
}

fn event(text: &mut String, rule: &WindowRule, window: &Window, opening: Opening) {
    let kind = window.purpose.word();
    let about = about(rule);
    let description = [window.reason.as_str(), &about].into_iter().filter(|part| !part.is_empty());
    let description = description.collect::<Vec<_>>().join("\n");
    line(text, "BEGIN:VEVENT");
    // The same opening has the same id in each calendar, so that it is not shown twice.
    line(text, &format!("UID:{}-{}@alignwatch", hex(&window.name), opening.from.0));
    // The same calendar is the same text, whenever it is asked for.
    line(text, &format!("DTSTAMP:{}", moment(opening.from)));
    line(text, &format!("DTSTART:{}", moment(opening.from)));
    line(text, &format!("DTEND:{}", moment(opening.until)));
    line(text, &format!("SUMMARY:{}", escaped(&format!("{kind}: {}", window.name))));
    line(text, &format!("DESCRIPTION:{}", escaped(&description)));
    line(text, &format!("CATEGORIES:{kind}"));
    line(text, "TRANSP:TRANSPARENT");
    line(text, "END:VEVENT");
}

/// `20261128T201500Z`.
fn moment(at: Timestamp) -> String {
    at.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Text as a value. Source: RFC 5545, 3.3.11.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => value.extend(['\\', c]),
            '\n' => value.push_str("\\n"),
            c if c.is_control() => value.push(' '),
            c => value.push(c),
        }
    }
    value
}

/// Adds a line, folded where it is too long, never within a character. Source: RFC 5545, 3.1.
fn line(text: &mut String, content: &str) {
    let mut octets = 0;
    for c in content.chars() {
        if LINE_OCTETS < octets + c.len_utf8() {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(c);
        octets += c.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn night(name: &str, reason: &str) -> WindowRule {
        WindowRule {
            name: name.to_owned(),
            open: "30 2 * * *".to_owned(),
            lasts: Some(Span::hours(3)),
            zone: Some("Europe/Berlin".to_owned()),
            reason: Some(reason.to_owned()),
            ..WindowRule::default()
        }
    }

    /// 2026-03-28T12:00:00Z: the night after it has no half past two in Berlin.
    const NOON: Timestamp = Timestamp(1_774_699_200);

    #[test]
    fn each_opening_stands_there_in_utc() {
        let text = calendar(&[night("night", "repacks")], NOON, Timestamp(NOON.0 + 2 * 86_400));
        let starts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("DTSTART:")).collect();
        assert_eq!(starts, ["20260329T010000Z", "20260330T003000Z"], "{text}");
        assert!(text.contains("DTEND:20260329T040000Z\r\n"), "{text}");
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }

    #[test]
    fn a_window_whose_calendar_cannot_be_read_stands_there_as_unknown() {
        let open = "calendar holidays".to_owned();
        let mut rule = WindowRule { open, lasts: None, zone: None, ..night("holidays", "") };
        rule.outside.agenda = crate::Known::Unknown("it was not there".to_owned());
        assert!(rule.window().unwrap().doubt().is_some(), "{:?}", rule.window());
        let text = calendar(&[rule], NOON, Timestamp(NOON.0 + 2 * 86_400)).replace("\r\n ", "");
        assert!(text.contains("SUMMARY:unknown: maintenance: holidays\r\n"), "{text}");
        assert!(text.contains("it was not there"), "{text}");
        assert!(text.contains("DTSTART:20260328T000000Z") && text.contains("STATUS:TENTATIVE"), "{text}");
    }

    #[test]
    fn what_people_wrote_stays_within_its_line() {
        let reason = "a; b, c\\ \u{e4}\u{1f600}".repeat(30) + "\r\nEND:VCALENDAR";
        let text = calendar(&[night("x\nSUMMARY:y", &reason)], NOON, Timestamp(NOON.0 + 86_400));
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_OCTETS), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert_eq!(unfolded.matches("\r\nEND:VCALENDAR").count(), 1, "{unfolded}");
        assert!(unfolded.contains("DESCRIPTION:a\\; b\\, c\\\\ \u{e4}"), "{unfolded}");
        assert!(unfolded.contains("\r\nSUMMARY:maintenance: x\\nSUMMARY:y\r\n"), "{unfolded}");
    }
}
