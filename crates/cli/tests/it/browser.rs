//! The dashboard in a real browser: driven, looked through for what keeps people out, and with hostile names.
//! `./test` installs the browser and what drives it, and runs these tests; elsewhere they are ignored.

use std::{path::Path, process::Command, time::SystemTime};

use alignwatch_model::run::{Moment, RunId};
use alignwatch_testkit::{Shape, generate, sketch};
use serde_json::json;

use crate::{daemon::Daemon, hostile};

/// Drives the browser through `tests/browser/SCRIPT`, which tells what it saw and fails by its exit code.
fn drive(script: &str, daemon: &Daemon, facts: &serde_json::Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    let base = format!("http://localhost:{}", daemon.port);
    let output = Command::new("node").arg(script).args([base, facts.to_string()]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

fn id(daemon: &Daemon) -> String {
    daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a browser"]
fn pages_are_driven_by_hand_and_by_keyboard_and_keep_nobody_out() {
    let repo = sketch("main: a b c d e f\n one: b x y\n two: c z\n three: d\n four: a p q r s\n five: e").draw();
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("alignwatch.yaml");
    // Open at any time, and nothing follows from it.
    let windows = "windows: [{name: desk, kind: hours, open: \"* * * * *\", lasts: 1d}]\n";
    std::fs::write(&config, windows).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    let run = report_run(&daemon);
    daemon.until("an alert", |daemon| daemon.json("/api/v1/alerts").to_string().contains("work-lost"));
    let facts = json!({"id": id(&daemon), "git": repo.path(), "run": run, "branch": "refs/heads/four"});
    drive("pages.cjs", &daemon, &facts);
}

/// Reports a run that ended just now, with all that can be told of one, and says its id.
fn report_run(daemon: &Daemon) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let run = RunId::from_parts(now, [7; 10]).to_string();
    let event = |id: &str, ago: u64, kind: &str, data: serde_json::Value| {
        let at = Moment((now - ago * 1000) as i64).to_string();
        json!({"schema": "alignwatch.event/1", "id": id, "run": run, "at": at, "type": kind, "data": data})
    };
    let loss = json!({"kind": "side_dropped", "severity": "error", "summary": "one side was kept whole",
        "paths": ["a"], "n_paths": 3});
    let verification = json!({"branches": [{"branch": "refs/heads/four", "losses": [loss]}], "unknown": ["little"]});
    let operation = json!({"branch": "refs/heads/four", "outcome": "conflict", "because": "it stopped",
        "behind_before": 5, "behind_after": 5});
    let events = json!([
        event(
            "a",
            10,
            "started",
            json!({"workflow": "nightly", "repository_id": id(daemon), "repository": "/r",
            "command": ["make", "align"]})
        ),
        event("b", 9, "stage", json!({"stage": "fetch", "status": "started"})),
        event("c", 5, "stage", json!({"stage": "fetch", "status": "finished", "duration_seconds": 4.0})),
        event("d", 1, "stage", json!({"stage": "verify", "status": "failed", "verification": verification})),
        event(
            "e",
            0,
            "finished",
            json!({"outcome": "conflict", "because": "a branch stopped", "exit_code": 1,
            "duration_seconds": 10.0, "operations": [operation]})
        ),
    ]);
    assert_eq!(daemon.report(&events), Some(202));
    run
}

#[test]
#[ignore = "needs a browser"]
fn pages_of_649_and_of_10_000_branches_are_driven() {
    let room = tempfile::tempdir().unwrap();
    let (like_649, many) = (room.path().join("like-649"), room.path().join("branches-10k"));
    let made = [(Shape::like_649(), &like_649), (Shape::branches_10k(), &many)];
    let n = made.map(|(shape, path)| generate(&shape, path).branches.len());
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::watching(data.path(), &[&like_649, &many]);
    let seen = |daemon: &Daemon| daemon.json("/api/v1/repositories")["repositories"].as_array().unwrap().clone();
    // Without optimizations, and beside all other tests, the first look at both may take a while.
    let are_seen = |daemon: &Daemon| daemon.get("/readyz").is_some() && seen(daemon).len() == 2;
    assert!((0..5).any(|_| daemon.comes(are_seen)), "not both were looked at");
    let id = |end: &str| {
        let rows = seen(&daemon);
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(end)).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    let facts = json!([
        {"id": id("like-649"), "n": n[0], "conflicts": true},
        {"id": id("branches-10k"), "n": n[1], "conflicts": false},
    ]);
    drive("large.cjs", &daemon, &facts);
}

#[test]
#[ignore = "needs a browser"]
fn nothing_of_a_hostile_repository_runs_or_becomes_markup() {
    drive_hostile(&hostile::STRINGS, true);
}

/// Each string of the list in a branch, an author, a message, a path in conflict, and all texts of a run.
#[test]
#[ignore = "needs a browser"]
fn the_big_list_of_naughty_strings_is_text_on_every_page() {
    let all = hostile::big_list();
    drive_hostile(&all.iter().map(String::as_str).collect::<Vec<_>>(), false);
}

/// Drives all pages of a repository and of runs that are full of these strings; `in_depth` puts each into queries as well.
fn drive_hostile(strings: &[&str], in_depth: bool) {
    let repo = hostile::repository(strings);
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let n_runs = std::iter::zip(1.., strings).filter(|(n, text)| report_hostile(&daemon, *n, text)).count();
    assert!(strings.len() * 6 / 10 < n_runs, "{n_runs} runs of {} were taken", strings.len());
    let branches: Vec<String> =
        std::iter::zip(0.., strings).map(|(n, text)| format!("refs/heads/{}", hostile::branch(n, text))).collect();
    let facts = json!({"id": id(&daemon), "branches": branches, "n_runs": n_runs, "in_depth": in_depth});
    drive("hostile.cjs", &daemon, &facts);
}

/// Reports a run all of whose texts are this one; false = it is refused, as texts that are too long are.
fn report_hostile(daemon: &Daemon, n: u64, text: &str) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64 - n * 1000;
    let run = RunId::from_parts(now, [(n % 251) as u8; 10]).to_string();
    let event = |id: &str, kind: &str, data: serde_json::Value| {
        let at = Moment(now as i64).to_string();
        json!({"schema": "alignwatch.event/1", "id": id, "run": run, "at": at, "type": kind, "data": data})
    };
    let loss = json!({"kind": "commits_lost", "severity": "critical", "summary": text, "paths": [text], "n_paths": 1});
    let verified = json!({"branch": text, "before": text, "after": text, "kept_by": text, "losses": [loss],
        "unknown": [text]});
    let operation = json!({"branch": text, "outcome": "conflict", "because": text, "before": text, "after": text});
    let events = json!([
        event(
            "a",
            "started",
            json!({"workflow": text, "repository_id": id(daemon), "repository": text, "command": [text], "host": text,
                "base": text})
        ),
        event(
            "b",
            "stage",
            json!({"stage": text, "status": "finished", "verification": {"branches": [verified], "unknown": [text]}})
        ),
        event(
            "c",
            "finished",
            json!({"outcome": "conflict", "because": text, "output_tail": text, "operations": [operation]})
        ),
    ]);
    daemon.report(&events) == Some(202)
}

#[test]
#[ignore = "needs a browser"]
fn a_task_is_planned_run_and_taken_back_from_the_page() {
    let repo = sketch("main: a b c\n one: b x").draw();
    let log = repo.path().join("gc.log");
    std::fs::write(&log, "warning: there are too many unreachable loose objects\n").unwrap();
    let week = std::time::Duration::from_secs(7 * 86_400);
    std::fs::File::options().write(true).open(&log).unwrap().set_modified(SystemTime::now() - week).unwrap();
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("alignwatch.yaml");
    // It must not run by itself while the page is driven.
    let text = format!(
        "maintenance: {{repositories: [\"{}\"]}}\ntasks: [{{name: gc-log, mode: off}}]\n",
        repo.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    drive("tending.cjs", &daemon, &json!({"log": log}));
}
