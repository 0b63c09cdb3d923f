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
    let (code, text) = world.gate(&["--branch", "clam"]);
    assert_eq!((code, text.contains("there is no branch `clam` here")), (0, true), "{text}");
    assert_eq!(world.gate(&["--branch", "clam", "--strict"]).0, 4);
    world.repo.git(["commit", "--allow-empty", "-q", "-m", "more"]);
    world.repo.git(["update-ref", "refs/heads/topic", "calm"]);
    let (code, text) = world.gate(&["--branch", "topic"]);
    assert_eq!((code, text.contains("has moved since")), (0, true), "{text}");
}

#[test]
fn where_a_fresh_backup_is_asked_for_what_it_says_to_type_opens_it() {
    let world = World::new();
    let config = world.data.path().join("alignwatch.yaml");
    std::fs::write(&config, "gate: {backups: [{branches: [topic], not_older_than: 1h}]}\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_remove("ALIGNWATCH_RUN").arg("--data-dir").arg(world.data.path()).arg("--config").arg(&config);
        let output = command.args(arguments).current_dir(world.repo.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = run(&["gate", "--branch", "topic"]);
    assert_eq!((code, text.contains("there is no backup that was found good")), (4, true), "{text}");
    assert_eq!(run(&["gate", "--branch", "calm"]).0, 0);
    assert_eq!(run(&["gate"]).0, 4, "it may be one that is meant");
    let document: Value = serde_json::from_str(&run(&["gate", "--branch", "topic", "--json"]).1).unwrap();
    let obstacle = &document["obstacles"][0];
    assert_eq!(obstacle["cause"], "backup");
    let command = obstacle["commands"][0].as_str().unwrap().strip_prefix("alignwatch ").unwrap().to_owned();
    assert!(text.contains(&command), "{text}");
    assert_eq!(run(&command.split(' ').collect::<Vec<_>>()).0, 0);
    assert_eq!(run(&["gate", "--branch", "topic"]).0, 0);
}

#[test]
#[ignore = "needs git-imerge"]
fn an_imerge_that_stands_half_done_stops_its_branch_and_holds_tasks() {
    let world = World::new();
    world.repo.git(["checkout", "-q", "topic"]);
    let mut imerge = Command::new("git-imerge");
    assert!(imerge.args(["rebase", "main"]).current_dir(world.repo.path()).output().unwrap().status.success());
    world.repo.git(["checkout", "-q", "-f", "main"]);
    let (code, text) = world.gate(&["--branch", "topic"]);
    assert_eq!((code, text.contains("the imerge `topic` is half done")), (4, true), "{text}");
    assert_eq!(world.gate(&["--branch", "calm"]).0, 0);
    let held = world.command(&["task", "run", "pack-refs", "--yes", "--force"]);
    let told = String::from_utf8(held.stdout).unwrap();
    assert_eq!(
        (held.status.code(), told.contains("an alignment is in progress: the imerge `topic`")),
        (Some(4), true),
        "{told}"
    );
}

#[test]
fn an_answer_takes_as_few_processes_of_git_however_many_branches_there_are() {
    // A git that counts how often it is started. Starting processes is what takes the time of an answer.
    let counted = |drawing: &str| {
        let world = World { repo: sketch(drawing).worktree().draw(), data: tempfile::tempdir().unwrap() };
        let git = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join("git"))
            .find(|file| file.is_file())
            .unwrap();
        let (shims, log) = (world.data.path().join("bin"), world.data.path().join("log"));
        std::fs::create_dir(&shims).unwrap();
        let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec '{}' \"$@\"\n", log.display(), git.display());
        let shim = shims.join("git");
        std::fs::write(&shim, script).unwrap();
        std::fs::set_permissions(&shim, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = std::env::join_paths([shims]).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env("PATH", path).env_remove("ALIGNWATCH_RUN").arg("--data-dir").arg(world.data.path());
        let words = ["--config", "/dev/null", "gate", "--branch", "x"];
        let output = command.args(words).current_dir(world.repo.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        std::fs::read_to_string(log).unwrap_or_default().lines().count()
    };
    let many: String = (0..60).map(|number| format!("\n b{number}: a p{number}")).collect();
    let (few, many) = (counted("main: a b\n x: a c"), counted(&format!("main: a b\n x: a c{many}")));
    assert_eq!(few, many);
    assert!((1..=4).contains(&many), "{many} processes");
}
