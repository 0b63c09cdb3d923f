//! A daemon that can't write goes on looking and answering, says so, and keeps what it saw when it can again.
//!
//! That no file may grow is asked of the kernel (RLIMIT_FSIZE): for the daemon it is as on a full disk, and nobody else
//! notices.

use alignwatch_testkit::{Repo, sketch};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use crate::daemon::Daemon;

/// Without this the kernel ends a process that lets a file grow too large.
const IGNORE_THE_SIGNAL: &str = "trap '' XFSZ";

fn repo() -> Repo {
    sketch("main: a b c d\n old: a x\n new: c y").draw()
}

/// Lets files of the daemon grow up to so many bytes; `None` is without a limit.
fn limit(daemon: &Daemon, bytes: Option<u64>) {
    let pid = Pid::from_child(&daemon.child);
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

fn why_not_ready(daemon: &Daemon) -> Option<String> {
    let (status, body) = daemon.get("/readyz")?;
    (status == 503).then(|| serde_json::from_str::<Value>(&body).unwrap()["detail"].as_str().unwrap().to_owned())
}

fn id(daemon: &Daemon) -> String {
    let all = daemon.json("/api/v1/repositories");
    all["repositories"][0]["id"].as_str().unwrap_or_else(|| panic!("{all}")).to_owned()
}

/// How many diverged branches were seen last.
fn seen(daemon: &Daemon, id: &str) -> Option<f64> {
    daemon.metric(&format!("alignwatch_branches{{repo=\"{id}\",state=\"diverged\"}}"))
}

/// How many the store knows; `None` when it can't be read.
fn kept(daemon: &Daemon, id: &str) -> Option<i64> {
    daemon.json(&format!("/api/v1/repositories/{id}"))["seen"]["by_state"]["diverged"].as_i64()
}

#[test]
fn what_is_seen_while_nothing_can_be_written_is_kept_afterwards() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::after(IGNORE_THE_SIGNAL, data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = id(&daemon);
    limit(&daemon, Some(0));
    repo.git(["update-ref", "refs/heads/third", "old"]);
    daemon.until("a word about it", |daemon| why_not_ready(daemon).is_some());
    let why = why_not_ready(&daemon).unwrap();
    assert!(why.starts_with("cannot use the store: "), "{why}");
    daemon.until("the third branch", |daemon| seen(daemon, &id) == Some(3.0));
    assert_eq!(kept(&daemon, &id), Some(2));
    limit(&daemon, None);
    daemon.until_ready();
    assert_eq!(kept(&daemon, &id), Some(3));
}

#[test]
fn a_daemon_that_starts_where_nothing_can_be_written_looks_and_answers_from_what_can_be_read() {
    for (signal, readable) in [(Signal::TERM, Some(2)), (Signal::KILL, None)] {
        let (repo, data) = (repo(), tempfile::tempdir().unwrap());
        let mut daemon = Daemon::watching(data.path(), &[repo.path()]);
        daemon.until_ready();
        let id = id(&daemon);
        kill_process(Pid::from_child(&daemon.child), signal).unwrap();
        daemon.child.wait().unwrap();
        repo.git(["update-ref", "refs/heads/third", "old"]);
        let daemon = Daemon::after(&format!("{IGNORE_THE_SIGNAL}; ulimit -S -f 0"), data.path(), &[repo.path()]);
        daemon.until("the third branch", |daemon| seen(daemon, &id) == Some(3.0));
        daemon
            .until("a word about it", |daemon| why_not_ready(daemon).is_some_and(|why| why.starts_with("cannot use")));
        // After a kill, what is in the log can't be read without writing beside it: that is told, and nothing made up.
        assert_eq!(kept(&daemon, &id), readable);
        limit(&daemon, None);
        daemon.until_ready();
        assert_eq!(kept(&daemon, &id), Some(3));
    }
}

#[test]
fn a_daemon_that_has_nothing_and_can_write_nothing_says_why_it_ends() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let mut daemon = Daemon::after(&format!("{IGNORE_THE_SIGNAL}; ulimit -S -f 0"), data.path(), &[repo.path()]);
    assert_eq!(daemon.child.wait().unwrap().code(), Some(1));
}
