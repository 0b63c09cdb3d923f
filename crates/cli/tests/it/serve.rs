//! The daemon, as the real binary: it watches, answers, survives its own death, and leaves repositories alone.

use std::process::Command;

use alignwatch_testkit::{Repo, sketch};
use serde_json::{Value, json};

use crate::daemon::Daemon;

fn repo() -> Repo {
    sketch("main: a b c d\n old: a x\n new: c y").draw()
}

fn state_line(daemon: &Daemon, state: &str) -> String {
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned();
    format!("alignwatch_branches{{repo=\"{id}\",state=\"{state}\"}}")
}

#[test]
fn what_moves_is_seen_and_what_was_seen_survives_a_kill() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let diverged = state_line(&daemon, "diverged");
    assert_eq!(daemon.metric(&diverged), Some(2.0));
    repo.git(["update-ref", "refs/heads/third", "old"]);
    daemon.until("the third branch", |daemon| daemon.metric(&diverged) == Some(3.0));
    daemon.until("identical tips", |daemon| daemon.json("/api/v1/findings").to_string().contains("identical-tips"));
    let before = daemon.json("/api/v1/findings");
    let daemon = Daemon::watching(&daemon.kill(), &[repo.path()]);
    daemon.until_ready();
    let after = daemon.json("/api/v1/findings");
    let begins = |findings: &Value| -> Vec<(String, String)> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = findings["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(finding, "key"), text(finding, "began_at"))).collect()
    };
    let (before, after) = (begins(&before), begins(&after));
    assert!(!before.is_empty() && before.iter().all(|finding| after.contains(finding)), "{before:?} {after:?}");
}

#[test]
fn a_repository_that_goes_away_is_gone_and_nothing_of_it_is_forgotten() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let known = daemon.json("/api/v1/findings")["findings"].as_array().unwrap().len();
    let elsewhere = repo.room().join("elsewhere");
    std::fs::rename(repo.path(), &elsewhere).unwrap();
    let row = |daemon: &Daemon| daemon.json("/api/v1/repositories")["repositories"][0].clone();
    daemon.until("that it is gone", |daemon| row(daemon)["status"] == "gone");
    assert!(row(&daemon)["reason"].as_str().unwrap().contains("there is no Git repository"), "{}", row(&daemon));
    let page = daemon.get("/").unwrap().1;
    assert!(page.contains("The repository that is watched is gone."), "{page}");
    // The daemon starts without it, and knows it by its id.
    let id = row(&daemon)["id"].clone();
    let daemon = Daemon::watching(&daemon.kill(), &[repo.path()]);
    daemon.until_ready();
    assert_eq!((row(&daemon)["status"].clone(), row(&daemon)["id"].clone()), ("gone".into(), id));
    assert_eq!(daemon.json("/api/v1/repositories")["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.json("/api/v1/findings")["findings"].as_array().unwrap().len(), known);
    std::fs::rename(&elsewhere, repo.path()).unwrap();
    daemon.until("its return", |daemon| !["gone", "unknown"].contains(&row(daemon)["status"].as_str().unwrap()));
}

#[test]
fn it_answers_only_this_machine_and_says_what_is_wrong_with_a_request() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let status = |request: &str, headers: &str| daemon.ask(request, headers).unwrap().0;
    assert_eq!(status("GET /metrics", "Host: evil.example\r\n"), 421);
    assert_eq!(status("GET /nothing", "Host: localhost\r\n"), 404);
    assert_eq!(status("GET /api/v1/repositories/none", "Host: localhost\r\n"), 404);
    assert_eq!(status("GET /api/v1/findings?limit=x", "Host: localhost\r\n"), 400);
    assert_eq!(status("GET /api/v1/series/1/points?from=1", "Host: localhost\r\n"), 400);
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned();
    let sweep = format!("POST /api/v1/repositories/{id}/sweep");
    assert_eq!(status(&sweep, "Host: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n"), 403);
    assert_eq!(status(&sweep, "Host: localhost\r\nContent-Length: 0\r\n"), 202);
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused_and_says_by_whom() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let mut second = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    second.args(["--config", "/dev/null", "serve", "--port", "1"]).arg("--data-dir").arg(data.path());
    let output = second.arg(repo.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&format!("process {} does already", daemon.child.id())), "{told}");
}

/// An event in JSON.
fn event(run: &str, id: &str, kind: &str, data: Value) -> Value {
    json!({"schema": "alignwatch.event/1", "id": id, "run": run, "at": "2026-01-01T00:00:00Z", "type": kind, "data": data})
}

#[test]
fn what_is_reported_over_http_is_a_run_with_its_findings() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].clone();
    let run = "01ARZ3NDEKZZZZZZZZZZZZZZZZ";
    let begin = event(run, "a", "started", json!({"workflow": "nightly", "repository_id": id}));
    let end = event(run, "b", "finished", json!({"outcome": "failed", "because": "the disk was full"}));
    assert_eq!(daemon.report(&json!([begin, end])), Some(202));
    assert_eq!(daemon.report(&begin), Some(202), "twice is harmless");
    let document = daemon.json(&format!("/api/v1/runs/{run}"));
    assert_eq!((&document["outcome"], &document["n_events"]), (&json!("failed"), &json!(2)));
    assert_eq!(daemon.json("/api/v1/runs?workflow=nightly")["runs"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.json("/api/v1/runs?workflow=other")["runs"], json!([]));
    daemon.until("the finding", |daemon| daemon.json("/api/v1/findings").to_string().contains("the disk was full"));
    assert_eq!(daemon.report(&event("../../x", "c", "heartbeat", json!({}))), Some(422));
    assert_eq!(daemon.get("/api/v1/runs/01ARZ3NDEKZZZZZZZZZZZZZZZ0").unwrap().0, 404);
}

#[test]
fn a_run_that_is_reported_over_http_is_verified_and_is_not_aligned_when_it_lost_work() {
    let repo = sketch("main: a(f=1) b(g=2)\n x: a c(h=3)").worktree().draw();
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].clone();
    let run = "01ARZ3NDEKZZZZZZZZZZZZZZZZ";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let event = |id: &str, kind: &str, data: Value| {
        let mut event = event(run, id, kind, data);
        event["at"] = alignwatch_model::Timestamp(now as i64).rfc3339().into();
        event
    };
    let begin = event("a", "started", json!({"workflow": "nightly", "repository_id": id}));
    assert_eq!(daemon.report(&begin), Some(202));
    repo.git(["checkout", "-q", "x"]);
    repo.git(["merge", "-q", "-s", "ours", "main"]);
    assert_eq!(daemon.report(&event("b", "finished", json!({"outcome": "aligned"}))), Some(202));
    let document = |daemon: &Daemon| daemon.json(&format!("/api/v1/runs/{run}"));
    daemon.until("the verification", |daemon| document(daemon)["outcome"] == "failed");
    assert!(document(&daemon)["finished"]["because"].as_str().unwrap().contains("lost work"), "{}", document(&daemon));
    daemon.until("the finding", |daemon| daemon.json("/api/v1/findings").to_string().contains("work-lost"));
}

#[test]
fn what_was_reported_while_nobody_listened_is_taken_in_once() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let told = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.arg("--data-dir").arg(data.path()).args(["--config", "/dev/null", "event"]).args(arguments);
        let output = command.current_dir(repo.path()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let run = told(&["start", "--workflow", "nightly"]);
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    let document = |daemon: &Daemon| daemon.json(&format!("/api/v1/runs/{run}"));
    daemon
        .until("the run", |daemon| daemon.get(&format!("/api/v1/runs/{run}")).is_some_and(|(status, _)| status == 200));
    assert_eq!(document(&daemon)["outcome"], Value::Null);
    told(&["finish", "--run", &run, "--outcome", "aligned"]);
    daemon.until("its end", |daemon| document(daemon)["outcome"] == "aligned");
    let daemon = Daemon::watching(&daemon.kill(), &[repo.path()]);
    daemon.until_ready();
    assert_eq!(document(&daemon)["n_events"], 2);
}

#[test]
fn a_supervisor_hears_that_it_began_lives_and_ends() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let socket = data.path().join("notify");
    let supervisor = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    supervisor.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let hears = |word: &str| {
        let mut bytes = [0; 256];
        let length = supervisor.recv(&mut bytes).unwrap();
        let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
        assert!(told.contains(word), "{told:?} and not {word}");
    };
    let variables = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")];
    let daemon = Daemon::with(data.path(), &[repo.path()], &variables);
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    assert!(Command::new("kill").arg(daemon.child.id().to_string()).status().unwrap().success());
    let mut last = String::new();
    while !last.contains("STOPPING=1") {
        let mut bytes = [0; 256];
        let length = supervisor.recv(&mut bytes).unwrap();
        last = String::from_utf8_lossy(&bytes[..length]).into_owned();
    }
}

#[test]
fn others_need_a_token_with_the_right_scope_and_it_can_be_taken_back() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let alignwatch = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(["--config", "/dev/null"]).env("ALIGNWATCH_DATA_DIR", data.path()).args(arguments);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let (_, reader) = alignwatch(&["token", "add", "prometheus", "--scope", "read"]);
    let (_, reporter) = alignwatch(&["token", "add", "ci", "--scope", "report"]);
    assert!(!std::fs::read_to_string(data.path().join("tokens.json")).unwrap().contains(&reader), "it is kept nowhere");
    let open = [("ALIGNWATCH_SERVE_ADDRESS", "0.0.0.0"), ("ALIGNWATCH_SERVE_FRONT", "tls_proxy")];
    let daemon = Daemon::with(data.path(), &[repo.path()], &open);
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    let status = |request: &str, token: &str| {
        let headers = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n");
        daemon.ask(request, &headers).unwrap().0
    };
    assert_eq!(daemon.get("/metrics").unwrap().0, 401);
    assert_eq!((status("GET /metrics", &reader), status("GET /metrics", &reporter)), (200, 403));
    assert_eq!((status("POST /api/v1/events", &reader), status("POST /api/v1/events", &reporter)), (403, 400));
    assert_eq!(alignwatch(&["token", "remove", "prometheus"]).0, 0);
    assert_eq!(status("GET /metrics", &reader), 401);
    assert!(alignwatch(&["token", "list"]).1.starts_with("report   ci, made "));
}

#[test]
fn an_address_that_others_reach_needs_a_proxy_in_front() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(["--config", "/dev/null", "serve", "."]).env("ALIGNWATCH_DATA_DIR", data.path());
    let output = command.env("ALIGNWATCH_SERVE_ADDRESS", "0.0.0.0").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), told.contains("front: tls_proxy")), (Some(2), true), "{told}");
}

#[test]
fn a_repository_has_a_year_of_history_on_its_first_day_and_no_second_one_after_a_restart() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/repositories/{id}/trends");
    let of = |daemon: &Daemon, name: &str| -> Value {
        let trends = daemon.json(&path);
        trends["trends"].as_array().unwrap().iter().find(|trend| trend["metric"] == name).cloned().unwrap()
    };
    let moves = of(&daemon, "alignwatch_base_moves");
    assert_eq!((moves["labels"].clone(), &moves["n_reconstructed"]), (json!({"line": "refs/heads/main"}), &json!(52)));
    assert_eq!(moves["trend"]["direction"], "steady", "{moves}");
    let series = daemon.json(&format!("/api/v1/series?metric=alignwatch_base_moves&repository={id}"));
    let labels: Vec<_> = series["series"].as_array().unwrap().iter().map(|one| one["labels"].clone()).collect();
    assert!(labels.contains(&json!({"line": "refs/heads/main", "reconstructed": "true"})), "{labels:?}");
    assert!(!daemon.get("/metrics").unwrap().1.contains("reconstructed"));
    // A disk that is just seen has no trend yet, and says why.
    let disk = of(&daemon, "alignwatch_host_disk_used_ratio");
    assert!(disk["told"].as_str().unwrap().starts_with("unknown: there are"), "{disk}");
    assert_eq!((&disk["trend"], &disk["forecast"]), (&Value::Null, &Value::Null));
    let daemon = Daemon::watching(&daemon.kill(), &[repo.path()]);
    daemon.until_ready();
    assert_eq!(of(&daemon, "alignwatch_base_moves")["n_reconstructed"], 52);
    let status = |path: &str| daemon.get(path).unwrap().0;
    assert_eq!(status(&format!("{path}?days=0")), 400);
    assert_eq!(status("/api/v1/repositories/none/trends"), 404);
}

#[test]
fn errors_of_requests_are_problems_whoever_words_them() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    let here = "Host: localhost\r\n";
    let head = daemon.head("PUT /api/v1/findings", &format!("{here}Content-Length: 0\r\n"));
    assert!(head.starts_with("HTTP/1.1 405") && head.contains("allow: GET"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let body = " ".repeat(2 << 20);
    let headers = format!("{here}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    // The daemon may close before all of it is sent.
    if let Some((status, told)) = crate::daemon::ask(daemon.port, "POST /api/v1/events", &headers, &body) {
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((status, &told["status"]), (413, &json!(413)), "{told}");
        assert!(told["detail"].as_str().unwrap().contains("1024 KiB"), "{told}");
    }
}

#[test]
fn a_store_that_is_damaged_before_its_first_backup_says_what_to_type() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let data = daemon.kill();
    let file = data.join("store/store.sqlite");
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(data.join(format!("store/store.sqlite{ending}")));
    }
    std::fs::write(&file, "this was a store").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(["--config", "/dev/null", "serve", "--port", "1"]).arg("--data-dir").arg(&data);
    let output = command.arg(repo.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("it is damaged") && told.contains("there is no backup of it"), "{told}");
    let aside = told.lines().find_map(|line| line.strip_prefix("hint: mkdir ")).expect("what to type");
    let typed = format!("mkdir {}", aside.split("    #").next().unwrap());
    assert!(Command::new("sh").args(["-c", &typed]).status().unwrap().success(), "{typed}");
    let daemon = Daemon::watching(&data, &[repo.path()]);
    daemon.until_ready();
    assert_eq!(std::fs::read_to_string(data.join("store/store.damaged/store.sqlite")).unwrap(), "this was a store");
}

#[test]
fn a_ping_without_a_repository_that_fails_is_an_alert_whose_repository_is_null() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let config = data.path().join("alignwatch.yaml");
    std::fs::write(&config, "alerts: {settle: 0s}\n").unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    assert_eq!(daemon.get("/ping/any/mirror/fail?create=1").unwrap().0, 201);
    let alert = |daemon: &Daemon| {
        let alerts = daemon.json("/api/v1/alerts");
        let alerts = alerts["alerts"].as_array().unwrap().clone();
        alerts.into_iter().find(|alert| alert["rule"] == "run-failed")
    };
    daemon.until("the alert", |daemon| alert(daemon).is_some());
    let told = alert(&daemon).unwrap();
    assert_eq!(told["repository"], Value::Null);
    assert!(told["summary"].as_str().unwrap().contains("`mirror`"), "{told}");
    assert_eq!(daemon.get("/ping/any/mirror").unwrap().0, 200);
    daemon.until("its end", |daemon| alert(daemon).is_none());
}

#[test]
fn the_service_of_a_user_keeps_where_commands_of_that_user_look() {
    let unit = include_str!("../../../../contrib/alignwatch.service");
    let home = tempfile::tempdir().unwrap();
    let repo = repo();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home.path());
    let output = command.args(["event", "start", "--workflow", "w"]).current_dir(repo.path()).output().unwrap();
    assert!(output.status.success());
    let folder = unit.lines().find_map(|line| line.strip_prefix("Environment=ALIGNWATCH_DATA_DIR=%h/")).unwrap();
    assert!(home.path().join(folder).join("spool").is_dir(), "{folder}");
    assert!(unit.lines().any(|line| line == format!("ReadWritePaths=%h/{folder}")), "it may write there");
}
