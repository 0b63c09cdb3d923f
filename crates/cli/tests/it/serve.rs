//! The daemon, as the real binary: it watches, answers, survives its own death, and leaves repositories alone.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;

/// The longest that a test waits for a state. A busy machine takes seconds; a daemon that does nothing takes forever.
const WAIT: Duration = Duration::from_secs(60);

struct Daemon {
    child: Child,
    port: u16,
    data_dir: PathBuf,
}

impl Daemon {
    fn watching(data_dir: &Path, paths: &[&Path]) -> Daemon {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
        command.arg("--data-dir").arg(data_dir).args(["--config", "/dev/null", "serve", "--port", &port.to_string()]);
        let child = command.args(paths).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Daemon { child, port, data_dir: data_dir.to_owned() }
    }

    /// Status and body of an answer; `None` while nobody listens.
    fn ask(&self, request: &str, headers: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "{request} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        self.ask(&format!("GET {path}"), "Host: localhost\r\n")
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).unwrap().1).unwrap()
    }

    /// Waits until this holds.
    fn until(&self, what: &str, holds: impl Fn(&Daemon) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < WAIT, "{what} did not come");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn until_ready(&self) {
        self.until("readiness", |daemon| daemon.get("/readyz").is_some_and(|(status, _)| status == 200));
    }

    fn metric(&self, line: &str) -> Option<f64> {
        let page = self.get("/metrics")?.1;
        let found = page.lines().find(|other| other.starts_with(line))?;
        found.rsplit(' ').next()?.parse().ok()
    }

    fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.data_dir.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
fn a_repository_that_goes_away_is_unknown_and_nothing_of_it_is_forgotten() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let known = daemon.json("/api/v1/findings")["findings"].as_array().unwrap().len();
    let elsewhere = repo.room().join("elsewhere");
    std::fs::rename(repo.path(), &elsewhere).unwrap();
    let row = |daemon: &Daemon| daemon.json("/api/v1/repositories")["repositories"][0].clone();
    daemon.until("unknown", |daemon| row(daemon)["status"] == "unknown");
    assert!(row(&daemon)["reason"].as_str().unwrap().contains("cannot"), "{}", row(&daemon));
    assert_eq!(daemon.json("/api/v1/findings")["findings"].as_array().unwrap().len(), known);
    std::fs::rename(&elsewhere, repo.path()).unwrap();
    daemon.until("its return", |daemon| row(daemon)["status"] != "unknown");
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
