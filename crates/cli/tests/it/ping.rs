//! Pings of cron monitors become runs.

use alignwatch_testkit::sketch;
use serde_json::Value;

use crate::daemon::Daemon;

/// Outcomes of the runs that are known of this workflow, the newest first.
pub(crate) fn outcomes(daemon: &Daemon, workflow: &str) -> Vec<Value> {
    let answer = daemon.json(&format!("/api/v1/runs?workflow={workflow}"));
    answer["runs"].as_array().unwrap().iter().map(|run| run["outcome"].clone()).collect()
}

#[test]
fn pings_are_runs_that_begin_and_end() {
    let (repo, data) = (sketch("main: a b").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let ping = |path: &str| daemon.get(path).unwrap();
    assert_eq!(ping("/ping/key/nightly"), (404, "not found".to_owned()));
    assert_eq!(ping("/ping/key/nightly/start?create=1"), (201, "Created".to_owned()));
    assert_eq!(outcomes(&daemon, "nightly"), [Value::Null]);
    assert_eq!(ping("/ping/key/nightly/7"), (200, "OK".to_owned()));
    assert_eq!(outcomes(&daemon, "nightly"), ["failed"]);
    assert_eq!(ping("/ping/key/nightly"), (200, "OK".to_owned()));
    assert_eq!(outcomes(&daemon, "nightly"), ["aligned", "failed"]);
    // A body is never a reason to lose a ping.
    assert_eq!(ping("/ping/key/nightly/start"), (200, "OK".to_owned()));
    let long = Value::from("x".repeat(3 << 20));
    assert_eq!(crate::daemon::post(daemon.port, "/ping/key/nightly/9", &long), Some(200));
    assert_eq!(outcomes(&daemon, "nightly"), ["failed", "aligned", "failed"]);
    let (status, _) = daemon.ask("GET /ping/key/nightly", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n").unwrap();
    assert_eq!((status, outcomes(&daemon, "nightly").len()), (403, 3));
    let head = daemon.head("HEAD /ping/key/nightly", "Host: localhost\r\n").to_ascii_lowercase();
    assert!(head.contains("200 ok") && head.contains("ping-body-limit: 10000"), "{head}");
}
