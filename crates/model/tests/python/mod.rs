//! Asks Python, whose libraries of times nobody here wrote.

use jiff::tz::TimeZoneDatabase;
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Zones of which the data that machines have may still tell other times of the past. Source: tzdata 2025b, NEWS.
const CHANGED_SINCE: [&str; 2] = ["Europe/Chisinau", "Europe/Tiraspol"];

/// The names of all zones in which both sides must agree, a line each.
pub(crate) fn zones() -> String {
    let all = TimeZoneDatabase::bundled();
    let names = all.available().map(|name| name.as_str().to_owned());
    names.filter(|name| !CHANGED_SINCE.contains(&name.as_str())).collect::<Vec<_>>().join("\n")
}

/// What a script of this folder prints when it is given this text.
pub(crate) fn says(script: &str, given: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let mut python = Command::new("python3");
    let mut child = python.arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
