//! Daily times in all zones, around each change of the clocks, against Python's clock: an independent implementation.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod python;

use alignwatch_model::{Timestamp, schedule::Schedule};

#[test]
#[ignore = "needs python3 and the zones of the machine"]
fn what_is_due_every_day_is_due_when_python_says_in_all_zones() {
    let told = python::says("zones.py", &python::zones());
    let (mut n, mut wrong) = (0, Vec::new());
    for line in told.lines() {
        let mut cells = line.split('\t');
        let (zone, pattern) = (cells.next().unwrap(), cells.next().unwrap());
        let mut numbers = cells.map(|cell| Timestamp(cell.parse().unwrap()));
        let schedule = Schedule::parse(pattern, zone).unwrap();
        let mut now = numbers.next().unwrap();
        for expected in numbers {
            n += 1;
            let next = schedule.after(now);
            if next != Some(expected) {
                wrong.push(format!("{zone} `{pattern}` after {now}: {next:?}, and Python says {expected}"));
            }
            now = expected;
        }
    }
    assert!(wrong.is_empty(), "{} of {n} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(50_000 < n, "only {n} times were compared");
}
