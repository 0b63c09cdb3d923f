//! Daily times in all zones, around each change of the clocks, against Python's clock: an independent implementation.

#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use alignwatch_model::{Timestamp, schedule::Schedule};
use jiff::tz::TimeZoneDatabase;

/// Zones of which the data that machines have may still tell other times of the past. Source: tzdata 2025b, NEWS.
const CHANGED_SINCE: [&str; 2] = ["Europe/Chisinau", "Europe/Tiraspol"];

#[test]
#[ignore = "needs python3 and the zones of the machine"]
fn what_is_due_every_day_is_due_when_python_says_in_all_zones() {
    let all = TimeZoneDatabase::bundled();
    let names = all.available().map(|name| name.as_str().to_owned());
    let names: Vec<String> = names.filter(|name| !CHANGED_SINCE.contains(&name.as_str())).collect();
    let told = python(&names.join("\n"));
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

fn python(names: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones.py");
    let mut python = Command::new("python3");
    let mut child = python.arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
