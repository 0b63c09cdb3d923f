//! Reports of a real daemon: over runs that were reported, in every form, and sent by itself.

use std::process::{Command, Output};

use alignwatch_testkit::{Repo, sketch};
use serde_json::{Value, json};

use crate::{daemon::Daemon, documents::assert_valid, screens::assert_harmless};

const REPORT: &str = include_str!("../../../../docs/schema/report-1.schema.json");
const SESSION: &str = include_str!("../../../../docs/schema/monitoring-session.schema.json");

fn repo() -> Repo {
    let repo = sketch("main: a b c d\n old: a x\n new: c y").draw();
    repo.git(["branch", "<script>alert(1)</script>", "old"]);
    repo
}

fn report(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(["--config", "/dev/null", "report"]).args(arguments).env("ALIGNWATCH_DATA_DIR", daemon.data());
    command.output().unwrap()
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A run that aligned a branch a moment ago.
fn aligned(id: &Value) -> Value {
    let run = "01ARZ3NDEKZZZZZZZZZZZZZZZZ";
    let event = |id: &str, kind: &str, data: Value| json!({"schema": "alignwatch.event/1", "id": id, "run": run, "type": kind, "data": data});
    let now = Command::new("date").args(["-u", "-d", "10 seconds ago", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    let now = String::from_utf8(now.stdout).unwrap().trim().to_owned();
    let operation =
        json!({"branch": "refs/heads/<script>alert(1)</script>", "base": "refs/heads/main", "outcome": "aligned"});
    let mut events = [
        event("a", "started", json!({"workflow": "nightly", "repository_id": id})),
        event("b", "finished", json!({"outcome": "aligned", "duration_seconds": 2.5, "operations": [operation]})),
    ];
    events.iter_mut().for_each(|event| event["at"] = json!(now));
    json!(events)
}

#[test]
fn a_week_is_reported_in_every_form_and_follows_its_schema() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].clone();
    assert_eq!(daemon.report(&aligned(&id)), Some(202));
    let document = text(report(&daemon, &["--json"]));
    assert_harmless(&document);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_valid(REPORT, &document);
    assert_eq!(document["alignment"]["aligned"][0]["branch"], "refs/heads/<script>alert(1)</script>");
    assert_eq!(document["alignment"]["duration"]["mean_seconds"], 2.5);
    // It began moments ago: nearly all of the week lies before the first look, and is no gap.
    assert!(document["accounting"]["not_watched_seconds"].as_i64().unwrap() > 6 * 86_400, "{document}");
    let within = &document["repositories"][0]["numbers"][0];
    assert_eq!((&within["title"], &within["is_before_rebuilt"]), (&json!("Within budget of drift"), &json!(true)));
    let session: Value =
        serde_json::from_str(&text(report(&daemon, &["--json", "--compat", "monitoring-session"]))).unwrap();
    assert_valid(SESSION, &session);
    assert_eq!(session["performance_metrics"]["alignment_operations"]["total_executed"], 1);
    for (form, holds) in [("html", "&lt;script&gt;"), ("markdown", "\\<script\\>")] {
        let told = text(report(&daemon, &["--format", form]));
        assert!(told.contains(holds) && told.contains("nightly"), "{form}: {told}");
    }
    // In Markdown, what stands between backticks and fences is code, whatever it looks like.
    assert!(!text(report(&daemon, &["--format", "html"])).contains("<script"));
    let told = text(report(&daemon, &[]));
    assert_harmless(&told);
    assert!(told.contains("Aligned: 1 branch") && told.contains("Within budget of drift: now 100 %"), "{told}");
}

#[test]
fn the_page_the_file_and_the_api_tell_the_same() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let until = daemon.json("/api/v1/repositories")["repositories"][0]["swept_at"].as_str().unwrap().to_owned();
    let of_api = daemon.json(&format!("/api/v1/report?period=month&until={until}"));
    let of_command: Value =
        serde_json::from_str(&text(report(&daemon, &["--json", "--period", "month", "--until", &until]))).unwrap();
    assert_valid(REPORT, &of_api);
    assert_eq!(of_api, of_command);
    let ask = |path: &str| daemon.ask(&format!("GET {path}"), "Host: localhost\r\nAccept: text/html\r\n").unwrap();
    let (status, page) = ask("/report?period=day");
    assert!(status == 200 && page.contains("Day to ") && !page.contains("<style"), "{page}");
    let (status, file) = ask("/report?period=day&format=html");
    assert!(status == 200 && file.contains("<style>"), "{file}");
    assert_eq!(ask("/report?period=year").0, 400);
    assert_eq!(ask("/report?until=tomorrow").0, 400);
}

#[test]
fn what_can_not_be_reported_on_is_said_with_what_helps() {
    let data = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(["--config", "/dev/null", "report"]).args(arguments).env("ALIGNWATCH_DATA_DIR", data.path());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = run(&[]);
    assert_eq!(code, 1);
    assert!(told.contains("no daemon ever ran here") && told.contains("alignwatch serve"), "{told}");
    assert_eq!(run(&["--compat", "monitoring-session"]).0, 2);
    assert_eq!(run(&["--until", "soon"]).0, 2);
    assert_eq!(run(&["--until", "9000-01-01T00:00:00Z"]).0, 2);
}

#[test]
fn a_report_is_sent_through_its_channel_when_it_is_due() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let letters = data.path().join("letters");
    let config = data.path().join("alignwatch.yaml");
    let text = format!(
        "channels:\n  file: [{{name: log, path: {}}}]\nreports:\n  - {{name: often, due: \"* * * * *\", period: day, channels: [log]}}\n",
        letters.display()
    );
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    let is_there = || std::fs::read_to_string(&letters).is_ok_and(|text| text.contains("often: Day to"));
    // A pattern is due at the next full minute, which may be further away than other states.
    for _ in 0..600 {
        if is_there() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let told = std::fs::read_to_string(&letters).unwrap();
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(told["letter"]["paragraphs"][1]["title"], "Health", "{told}");
}
