//! A calendar as it is read, against what other programs read in it: the Python packages icalendar and recurring-ical-events.

use alignwatch_model::{Timestamp, agenda::Agenda, schedule::zone_named};

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
