//! The gate: it lets go, says why not, and never stops anybody only because the monitor is away.

use std::process::{Command, Output};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;

struct World {
    repo: Repo,
    data: TempDir,
}

impl World {
    fn new() -> World {
        World {
            repo: sketch("main: a b(f=1) c\n topic: a x(f=2)\n calm: b y").worktree().draw(),
            data: tempfile::tempdir().unwrap(),
        }
    }

    fn gate(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(&[&["gate"], arguments].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_remove("ALIGNWATCH_RUN").arg("--data-dir").arg(self.data.path()).args(["--config", "/dev/null"]);
        command.args(arguments).current_dir(self.repo.path()).output().unwrap()
    }
}

#[test]
fn without_a_daemon_it_lets_go_and_says_what_it_does_not_know() {
    let world = World::new();
    let (code, text) = world.gate(&[]);
    assert_eq!(code, 0);
    assert!(text.starts_with("go\n"), "{text}");
    assert!(text.contains("no daemon ever ran here"), "{text}");
    assert_eq!(world.gate(&["--strict"]).0, 4);
}

#[test]
fn a_run_a_lock_and_a_half_done_merge_stop_it() {
    let world = World::new();
    let started = world.command(&["event", "start", "--workflow", "nightly"]);
    let run = String::from_utf8(started.stdout).unwrap().trim().to_owned();
    let (code, text) = world.gate(&[]);
    assert_eq!((code, text.lines().nth(1).unwrap().contains("a run of `nightly` is under way")), (4, true), "{text}");
    assert_eq!(world.gate(&["--ignore", "run"]).0, 0);
    world.command(&["event", "finish", "--run", &run, "--outcome", "aligned"]);
    assert_eq!(world.gate(&[]).0, 0);
    world.repo.git_output(["merge", "topic"]);
    let (code, text) = world.gate(&[]);
    assert_eq!((code, text.contains("a merge is half done in the main worktree")), (4, true), "{text}");
}

#[test]
fn a_lease_keeps_others_off_and_can_be_given_back() {
    let world = World::new();
    let (code, text) = world.gate(&["--branch", "topic", "--lease", "30m", "--holder", "ann", "--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &document["lease"]["token"], &document["branch"]), (0, &1.into(), &"refs/heads/topic".into()));
    assert_eq!(world.gate(&["--branch", "topic", "--lease", "1h", "--holder", "bob"]).0, 4);
    assert_eq!(world.gate(&["--branch", "calm", "--lease", "1h", "--holder", "bob"]).0, 0);
    assert_eq!(world.gate(&["--give-back", "1"]).1, "lease 1 is given back\n");
    assert_eq!(world.gate(&["--branch", "topic", "--lease", "1h", "--holder", "bob"]).0, 0);
}

#[test]
fn what_the_daemon_saw_of_the_branch_counts_even_when_it_is_gone() {
    let world = World::new();
    let daemon = Daemon::watching(world.data.path(), &[world.repo.path()]);
    daemon.until_ready();
    daemon.kill();
    let (code, text) = world.gate(&["--branch", "topic"]);
    assert_eq!(
        (code, text.contains("`refs/heads/topic` conflicts with `refs/heads/main` in 1 paths: f")),
        (4, true),
        "{text}"
    );
    assert_eq!(
        world.gate(&["--branch", "calm", "--strict"]).0,
        0,
        "{:?}",
        world.gate(&["--branch", "calm", "--strict"])
    );
    world.repo.git(["commit", "--allow-empty", "-q", "-m", "more"]);
    world.repo.git(["update-ref", "refs/heads/topic", "calm"]);
    let (code, text) = world.gate(&["--branch", "topic"]);
    assert_eq!((code, text.contains("has moved since")), (0, true), "{text}");
}
