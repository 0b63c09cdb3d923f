//! Repositories that are added to a running daemon, and taken out again.

use std::{fs, path::Path};

use alignwatch_testkit::sketch;
use serde_json::{Value, json};

use crate::daemon::{Daemon, ask};

fn add(daemon: &Daemon, path: &Path) -> (u16, Value) {
    let body = json!({ "path": path }).to_string();
    let headers = format!("Host: localhost\r\nContent-Length: {}\r\n", body.len());
    let (status, told) = ask(daemon.port, "POST /api/v1/repositories", &headers, &body).unwrap();
    (status, serde_json::from_str(&told).unwrap_or_default())
}

fn watched(daemon: &Daemon) -> Vec<Value> {
    daemon.json("/api/v1/repositories")["repositories"].as_array().unwrap().clone()
}

#[test]
fn what_is_added_is_watched_and_is_again_after_the_next_start() {
    let (first, other) = (sketch("main: a b\n x: a c").draw(), sketch("main: a\n y: a d").draw());
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("alignwatch.yaml");
    fs::write(&config, format!("serve: {{may_add: [\"{}\"]}}\n", other.path().display())).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[first.path()]);
    daemon.until_ready();
    let (status, told) = add(&daemon, first.path());
    assert_eq!((status, told["detail"].as_str().unwrap().contains("serve.may_add")), (403, true), "{told}");
    assert_eq!(add(&daemon, other.path()).0, 201);
    assert_eq!(add(&daemon, other.path()).0, 200, "it was watched already");
    daemon.until("a look at it", |daemon| watched(daemon).len() == 2);
    // Moved refs are seen like those of any other.
    let swept_at = |daemon: &Daemon| {
        let all = watched(daemon);
        all.iter().find(|row| row["path"] == *other.path().to_str().unwrap()).map(|row| row["swept_at"].clone())
    };
    let before = swept_at(&daemon);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    other.git(["branch", "z", "y"]);
    daemon.until("a look after a move", |daemon| swept_at(daemon) != before);
    daemon.kill();
    let daemon = Daemon::configured(&config, data.path(), &[first.path()]);
    daemon.until_ready();
    let before = swept_at(&daemon);
    other.git(["branch", "w", "y"]);
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    daemon.until("a look after the start", |daemon| swept_at(daemon) != before);
    let id = |daemon: &Daemon, path: &Path| {
        let all = watched(daemon);
        all.iter().find(|row| row["path"] == *path.to_str().unwrap()).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let delete = |daemon: &Daemon, id: &str| {
        let request = format!("DELETE /api/v1/repositories/{id}");
        daemon.ask(&request, "Host: localhost\r\n").unwrap().0
    };
    assert_eq!(delete(&daemon, &id(&daemon, first.path())), 403, "the command line names it");
    assert_eq!(delete(&daemon, &id(&daemon, other.path())), 204);
    assert_eq!(delete(&daemon, "nothing"), 404);
    assert_eq!(watched(&daemon).len(), 2, "what is known of it stays");
    let is_watched: Vec<bool> = watched(&daemon).iter().map(|row| row["is_watched"].as_bool().unwrap()).collect();
    assert_eq!(is_watched.iter().filter(|is_watched| **is_watched).count(), 1, "and says that it is watched no longer");
    let overview = daemon.get("/").unwrap().1;
    let (above, left) = overview.split_once("Watched no longer").unwrap();
    let gone = other.path().to_str().unwrap();
    assert!(!above.contains(gone) && left.contains(gone), "{overview}");
    assert!(above.contains(first.path().to_str().unwrap()), "{overview}");
    let page = format!("/repositories/{}", id(&daemon, other.path()));
    assert_eq!(daemon.get(&page).unwrap().0, 200, "its page and history stay");
    assert!(!daemon.get("/maintenance").unwrap().1.contains(gone), "no task is offered for it");
}

#[test]
fn clones_are_taken_up_while_it_runs_and_one_that_is_gone_is_watched_until_somebody_says_that_it_is_meant() {
    let (first, data, folder) =
        (sketch("main: a b\n x: a c").draw(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = data.path().join("alignwatch.yaml");
    let pattern = format!("{}/*.git", folder.path().display());
    fs::write(&config, format!("serve: {{repositories: [\"{pattern}\"]}}\n")).unwrap();
    // It begins although there is nothing yet.
    let daemon = Daemon::configured(&config, data.path(), &[]);
    let clone = folder.path().join("new.git");
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    first.git(["clone", "-q", "--bare", ".", clone.to_str().unwrap()]);
    daemon.until("a look at the clone", |daemon| watched(daemon).len() == 1);
    let id = watched(&daemon)[0]["id"].as_str().unwrap().to_owned();
    let delete = |daemon: &Daemon| {
        let request = format!("DELETE /api/v1/repositories/{id}");
        daemon.ask(&request, "Host: localhost\r\n").unwrap().0
    };
    assert_eq!(delete(&daemon), 403, "it would be found again");
    fs::remove_dir_all(&clone).unwrap();
    let is_gone = |daemon: &Daemon| watched(daemon)[0]["status"] == "gone";
    daemon.until("that it is gone", is_gone);
    let swept_at = |daemon: &Daemon| watched(daemon)[0]["swept_at"].clone();
    let before = swept_at(&daemon);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    daemon.kill();
    let daemon = Daemon::configured(&config, data.path(), &[]);
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    daemon.until("a look after the start", |daemon| swept_at(daemon) != before && is_gone(daemon));
    assert_eq!(delete(&daemon), 204);
}
