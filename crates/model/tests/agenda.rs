//! A calendar as it is read, against what other programs read in it: the Python packages icalendar and recurring-ical-events.

use alignwatch_model::{Timestamp, agenda::Agenda, calendar::calendar, config::Config, schedule::zone_named};

/// 2026-03-01T00:00:00Z and 2026-12-01T00:00:00Z: the script asks for what lies between.
const SPAN: (Timestamp, Timestamp) = (Timestamp(1_772_323_200), Timestamp(1_796_083_200));

#[test]
fn events_are_when_other_programs_say() {
    let agenda = Agenda::read(include_str!("agenda/team.ics"), &zone_named("Europe/Berlin").unwrap(), SPAN.0).unwrap();
    assert_eq!(agenda.left_out, [""; 0]);
    let is_asked = |from: Timestamp, until: Timestamp| SPAN.0 < until && from < SPAN.1;
    let ours = agenda.entries.iter().filter(|entry| is_asked(entry.from, entry.until));
    let ours: Vec<String> = ours.map(|entry| format!("{}\t{}\t{}", entry.from.0, entry.until.0, entry.title)).collect();
    let theirs: Vec<&str> = include_str!("agenda/expected.tsv").lines().collect();
    assert_eq!(ours, theirs);
    assert!(40 < theirs.len());
    let mia = agenda.entries.iter().find(|entry| entry.title.contains("Mia")).unwrap();
    assert_eq!(mia.people, ["Mia Berg", "mia@example.org"]);
}

#[test]
fn windows_that_are_told_as_a_calendar_are_read_as_what_they_are_in_all_zones_and_nights() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"] {
        let text = format!(
            "windows:\n  - {{name: \"night; one\", open: '30 2 * * *', lasts: 3h, zone: {zone}, reason: \"repacks, all\"}}\n  \
             - {{name: sundays, kind: freeze, open: 'FREQ=MONTHLY;BYDAY=-1SU', from: 2026-01-25T01:30, lasts: 1d, zone: {zone}}}\n  \
             - {{name: once, open: 2026-05-01T00:00:00Z/2026-05-02T12:00:00Z}}\n"
        );
        let windows = Config::from_yaml(&text, "f").unwrap_or_else(|errors| panic!("{errors:?}")).0.windows;
        let mut ours: Vec<(i64, i64)> = Vec::new();
        for rule in &windows {
            let openings = rule.window().unwrap().openings(SPAN.0, SPAN.1);
            ours.extend(openings.into_iter().map(|opening| (opening.from.0, opening.until.0)));
        }
        let agenda = Agenda::read(&calendar(&windows, SPAN.0, SPAN.1), &zone_named("UTC").unwrap(), SPAN.0).unwrap();
        assert_eq!(agenda.left_out, [""; 0]);
        let mut read: Vec<(i64, i64)> = agenda.entries.iter().map(|entry| (entry.from.0, entry.until.0)).collect();
        ours.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, ours, "{zone}");
        assert!(280 < ours.len(), "{zone}: {}", ours.len());
    }
}
