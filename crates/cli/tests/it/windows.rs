//! Windows and freezes as people and programs see them, and upkeep that nobody asks for.

use std::{
    path::Path,
    process::{Command, Output},
};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, ask};

fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("--config").arg(home.join("c.yaml")).args(arguments);
    command.env("ALIGNWATCH_DATA_DIR", home.join("data")).current_dir(home).output().unwrap()
}

fn home(config: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("c.yaml"), config).unwrap();
    home
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const FREEZE: &str = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 2h}\n  \
                      - {name: always, kind: freeze, open: \"* * * * *\", lasts: 1d, reason: release}\n";

#[test]
fn what_is_open_and_what_opens_when_is_told() {
    let home = home(FREEZE);
    let list = text(&run(home.path(), &["window", "list"]));
    assert!(list.contains("freeze       always") && list.contains("open until") && list.contains("night"), "{list}");
    let next: Value =
        serde_json::from_slice(&run(home.path(), &["window", "next", "--n", "2", "--json"]).stdout).unwrap();
    assert_eq!(next["openings"].as_array().unwrap().len(), 4, "{next}");
}

#[test]
fn conflicts_are_told_with_exit_code_3_and_none_with_0() {
    let freeze = home(FREEZE);
    let found = run(freeze.path(), &["window", "check", "/srv/a.git"]);
    assert_eq!(found.status.code(), Some(3));
    assert!(text(&found).contains("the window `night` opens while the freeze `always` is on"), "{}", text(&found));
    let fine = home("windows:\n  - {name: day, open: \"0 1 * * *\", lasts: 23h}\n");
    let found = run(fine.path(), &["window", "check", "/srv/a.git"]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found));
}

#[test]
fn whoever_saves_a_configuration_hears_of_conflicts_and_of_tasks_that_there_are_not() {
    let home = home(&format!("{FREEZE}tasks:\n  - {{name: pack-reffs, due: 1d}}\n"));
    let told = text(&run(home.path(), &["config", "check"]));
    assert!(told.contains("there is no task `pack-reffs`") && told.contains("opens while the freeze"), "{told}");
}

#[test]
fn an_opening_is_made_longer_and_ended_and_stays_so() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |seconds: i64| alignwatch_model::Timestamp(i64::try_from(now).unwrap() + seconds).rfc3339();
    let home = home(&format!("windows:\n  - {{name: day, open: {}/{}}}\n", at(-3_600), at(3_600)));
    let longer = run(home.path(), &["window", "extend", "day", "3h", "--who", "mia", "--note", "release"]);
    let told = text(&longer);
    assert!(told.contains(&format!("day is open until {}: release", at(4 * 3_600))), "{told}");
    assert!(text(&run(home.path(), &["window", "list"])).contains(&at(4 * 3_600)));
    let ended = run(home.path(), &["window", "end", "day", "--who", "mia"]);
    assert_eq!(text(&ended), "day ended early\n");
    let list = text(&run(home.path(), &["window", "list"]));
    assert!(list.contains("over"), "{list}");
    let again = run(home.path(), &["window", "end", "day"]);
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(1) && told.contains("is not open"), "{told}");
}

#[test]
fn a_window_is_made_longer_and_ended_from_its_page_after_it_said_what_that_means() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |seconds: i64| alignwatch_model::Timestamp(i64::try_from(now).unwrap() + seconds).rfc3339();
    let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let unread = "calendars:\n  - {name: duty, at: /nowhere/duty.ics}\n";
    let windows = format!(
        "{unread}windows:\n  - {{name: a/day, open: {}/{}}}\n  - {{name: cut, kind: freeze, open: calendar duty}}\n",
        at(-3_600),
        at(3_600)
    );
    let config = data.path().join("c.yaml");
    std::fs::write(&config, windows).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    let get = |path: &str| daemon.ask(&format!("GET {path}"), "Host: localhost\r\nAccept: text/html\r\n").unwrap().1;
    daemon.until_ready();
    daemon.until("the page", |_| get("/maintenance").contains("a/day"));
    let page = get("/maintenance");
    assert!(page.contains("href=\"/maintenance/windows/a%2Fday?longer=1h\""), "{page}");
    // What cannot be read is neither left out nor over.
    assert!(page.contains("unknown<small>its calendar is not known") && !page.contains("never again"), "{page}");
    assert!(daemon.get("/windows.ics").unwrap().1.contains("SUMMARY:unknown: freeze: cut"));
    let asked = get("/maintenance/windows/a%2Fday?longer=2h");
    assert!(asked.contains(&format!("It would be open until {}", at(3 * 3_600))), "{asked}");
    assert!(asked.contains("action=\"/maintenance/windows/a%2Fday\""), "{asked}");
    let post = |body: &str| {
        let headers = format!(
            "Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        ask(daemon.port, "POST /maintenance/windows/a%2Fday", &headers, body).unwrap().0
    };
    assert_eq!(post("longer=2h&who=mia&note=release"), 303);
    daemon.until("the longer opening", |_| get("/maintenance").contains(&format!("open until {}", at(3 * 3_600))));
    assert_eq!(post("longer=&who=mia&note="), 303);
    daemon.until("its end", |_| get("/maintenance/windows/a%2Fday").contains("not open now"));
    assert_eq!(post("longer=&who=mia&note="), 409);
}

#[test]
fn a_calendar_says_when_nothing_may_change_and_one_that_is_not_there_is_unknown() {
    let event = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20200101T000000Z\r\nDURATION:P1D\r\n\
                 RRULE:FREQ=DAILY\r\nSUMMARY:always\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("duty.ics");
    let config = format!(
        "calendars:\n  - {{name: duty, at: {}}}\nwindows:\n  - {{name: cut, kind: freeze, open: calendar duty}}\n",
        path.display()
    );
    std::fs::write(home.path().join("c.yaml"), config).unwrap();
    let list = || text(&run(home.path(), &["window", "list"]));
    assert!(list().contains("unknown: its calendar is not known"), "{}", list());
    std::fs::write(&path, event).unwrap();
    assert!(list().contains("open until"), "{}", list());
}

fn handed_over() -> (Repo, TempDir) {
    let repo = sketch("main: a b c").worktree().draw();
    (0..20).for_each(|nth| drop(repo.git(["branch", &format!("loose/{nth}")])));
    let home = home(&format!("maintenance: {{repositories: [\"{}\"], load_limit: 10000}}\n", repo.path().display()));
    (repo, home)
}

#[test]
fn what_was_handed_over_is_tended_once_and_nothing_else_is() {
    let nobody = home("");
    let output = run(nobody.path(), &["task", "run", "--due"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("maintenance.repositories"));
    let (_repo, home) = handed_over();
    let first = text(&run(home.path(), &["task", "run", "--due"]));
    assert!(first.contains("pack-refs  effect") && first.contains("backup  effect"), "{first}");
    let again = text(&run(home.path(), &["task", "run", "--due"]));
    assert!(!again.contains("pack-refs"), "{again}");
}
