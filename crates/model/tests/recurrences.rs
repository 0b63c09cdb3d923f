//! Recurrence rules around changes of the clocks, against python-dateutil and the zones of Python: an independent implementation.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod python;

use alignwatch_model::{Timestamp, recurrence::Recurrence};

/// 2025-01-01T00:00:00Z: later times are not in the list.
const KNOWN_UNTIL: Timestamp = Timestamp(1_735_689_600);

#[test]
fn rules_are_due_when_dateutil_says() {
    compared(include_str!("recurrences.tsv"), 100);
}

#[test]
#[ignore = "needs python3 with dateutil and the zones of the machine"]
fn rules_are_due_when_dateutil_says_in_all_zones() {
    compared(&python::says("recurrences.py", &python::zones()), 4_000);
}

/// Holds each line of the other implementation against ours.
fn compared(told: &str, at_least: usize) {
    let (mut n, mut wrong) = (0, Vec::new());
    for line in told.lines() {
        let mut cells = line.split('\t');
        let (zone, from, rule) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        let mut numbers = cells.map(|cell| Timestamp(cell.parse().unwrap()));
        let now = numbers.next().unwrap();
        let expected: Vec<Timestamp> = numbers.collect();
        let ours: Vec<Timestamp> = match Recurrence::parse(rule, from.parse().unwrap(), zone) {
            Ok(rule) => std::iter::successors(rule.after(now), |&at| rule.after(at))
                .take(4)
                .take_while(|at| *at < KNOWN_UNTIL)
                .collect(),
            Err(error) if expected.is_empty() && error.0.contains("never due") => Vec::new(),
            Err(error) => panic!("{line}: {error}"),
        };
        n += 1;
        if ours != expected {
            wrong
                .push(format!("{zone} from {from} `{rule}` after {now}:\n  {ours:?}, and Python says\n  {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {n} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(at_least < n, "only {n} rules were compared");
}
