//! Hooks report what is done by hand, once, and get in nobody's way.

use std::{path::PathBuf, process::Command};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use tempfile::TempDir;

struct World {
    repo: Repo,
    data: TempDir,
}

impl World {
    fn new() -> World {
        World {
            repo: sketch("main: a b\n topic: a x\n other: b y").worktree().draw(),
            data: tempfile::tempdir().unwrap(),
        }
    }

    fn alignwatch(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_remove("ALIGNWATCH_RUN").env("ALIGNWATCH_DATA_DIR", self.data.path()).args(arguments);
        let output = command.current_dir(self.repo.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is spooled: workflow and outcome of each run, the branch of its operation, and whether ids are there.
    fn recorded(&self) -> Vec<String> {
        let spool = alignwatch_records::Spool::open(self.data.path());
        let told = |spooled: alignwatch_records::Spooled| {
            let document = alignwatch_model::run::Run::of(spooled.events).document().unwrap();
            let operation = &document.operations[0];
            format!(
                "{} {} {} {}",
                document.started.unwrap().workflow,
                document.outcome.unwrap().word(),
                operation.branch,
                operation.before.is_some() && operation.after.is_some() && operation.before != operation.after
            )
        };
        spool.runs().unwrap().map(|spooled| told(spooled.unwrap())).collect()
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = self.repo.git_command(arguments);
        command.env("ALIGNWATCH_DATA_DIR", self.data.path()).env("PRE_COMMIT_HOME", self.pre_commit_home());
        assert!(command.status().unwrap().success(), "{arguments:?}");
    }

    /// Where pre-commit keeps what is its own.
    fn pre_commit_home(&self) -> PathBuf {
        self.repo.room().join("pre-commit")
    }
}

#[test]
fn a_merge_and_a_rebase_by_hand_are_recorded_once_each() {
    let world = World::new();
    assert!(world.alignwatch(&["hooks", "install"]).contains("post-merge    installed"));
    world.git(&["checkout", "-q", "topic"]);
    world.git(&["rebase", "-q", "main"]);
    world.git(&["checkout", "-q", "main"]);
    world.git(&["merge", "-q", "--no-edit", "other"]);
    assert_eq!(
        world.recorded(),
        ["rebase by hand aligned refs/heads/topic true", "merge by hand aligned refs/heads/main true"]
    );
    world.git(&["commit", "-q", "--amend", "-m", "another message"]);
    assert_eq!(world.recorded().len(), 2, "an amended commit aligns nothing");
    let document: Value = serde_json::from_str(&world.alignwatch(&["hooks", "remove", "--json"])).unwrap();
    assert_eq!(document["hooks"][0]["state"], "absent");
}

/// What a hook of the user's own noted.
fn noted(world: &World) -> usize {
    std::fs::read_to_string(world.repo.room().join("seen")).unwrap_or_default().lines().count()
}

#[test]
#[ignore = "needs pre-commit"]
fn pre_commit_runs_once_a_merge_before_ours_and_after_it_was_installed_again() {
    let world = World::new();
    let pre_commit = |arguments: &[&str]| {
        let mut command = Command::new("pre-commit");
        command.current_dir(world.repo.path()).env("PRE_COMMIT_HOME", world.pre_commit_home()).args(arguments);
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    let note = world.repo.room().join("note");
    std::fs::write(&note, format!("echo ran >> '{}'\n", world.repo.room().join("seen").display())).unwrap();
    let hook = format!("{{id: note, name: note, entry: sh {}, language: system, stages: [post-merge]", note.display());
    let config = format!("repos: [{{repo: local, hooks: [{hook}, always_run: true, pass_filenames: false}}]}}]\n");
    std::fs::write(world.repo.path().join(".pre-commit-config.yaml"), config).unwrap();
    pre_commit(&["install", "--hook-type", "post-merge"]);
    world.alignwatch(&["hooks", "install"]);
    world.git(&["merge", "-q", "--no-edit", "topic"]);
    assert_eq!((noted(&world), world.recorded().len()), (1, 1));
    pre_commit(&["install", "--hook-type", "post-merge"]);
    assert!(world.alignwatch(&["hooks", "status"]).contains("the hook of another tool runs it"));
    world.git(&["merge", "-q", "--no-edit", "other"]);
    assert_eq!((noted(&world), world.recorded().len()), (2, 2));
}

#[test]
#[ignore = "needs husky"]
fn scripts_of_husky_run_once_a_merge_also_after_it_was_installed_again() {
    let world = World::new();
    let husky = || {
        let modules = std::env::var("NODE_PATH").unwrap();
        let mut command = Command::new("node");
        command.current_dir(world.repo.path()).arg(format!("{modules}/husky/bin.js"));
        assert!(command.output().unwrap().status.success());
    };
    let scripts = world.repo.path().join(".husky");
    std::fs::create_dir(&scripts).unwrap();
    let note = format!("echo ran >> '{}'\n", world.repo.room().join("seen").display());
    std::fs::write(scripts.join("post-merge"), note).unwrap();
    husky();
    world.alignwatch(&["hooks", "install"]);
    world.git(&["merge", "-q", "--no-edit", "topic"]);
    assert_eq!((noted(&world), world.recorded().len()), (1, 1));
    husky();
    world.alignwatch(&["hooks", "install"]);
    world.git(&["merge", "-q", "--no-edit", "other"]);
    assert_eq!((noted(&world), world.recorded().len()), (2, 2));
    world.alignwatch(&["hooks", "remove"]);
    assert!(world.repo.path().join(".husky/_/post-merge").exists());
}

#[test]
fn what_runs_under_us_is_not_recorded_twice() {
    let world = World::new();
    world.alignwatch(&["hooks", "install"]);
    world.alignwatch(&["run", "--workflow", "w", "--", "git", "merge", "-q", "--no-edit", "other"]);
    assert_eq!(world.recorded().len(), 1, "{:?}", world.recorded());
}

#[test]
fn a_hook_whose_alignwatch_is_gone_or_cannot_write_fails_nothing() {
    let world = World::new();
    world.alignwatch(&["hooks", "install"]);
    std::fs::write(world.data.path().join("spool"), "no folder").unwrap();
    world.git(&["merge", "-q", "--no-edit", "topic"]);
    let path = world.repo.git_dir().join("hooks/post-merge");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(env!("CARGO_BIN_EXE_alignwatch"), "/gone/alignwatch")).unwrap();
    world.git(&["merge", "-q", "--no-edit", "other"]);
}

#[test]
fn what_git_remembers_is_taken_in_once_and_a_file_whole_or_not_at_all() {
    let world = World::new();
    world.git(&["checkout", "-q", "topic"]);
    world.git(&["rebase", "-q", "main"]);
    // The first commits of the drawing lie in the past, and what Git did just now does not.
    let taken = |world: &World| world.alignwatch(&["event", "import", "--reflog"]);
    assert_eq!(taken(&world), "2 events of 1 runs taken in\n");
    assert_eq!(taken(&world), "0 events of 1 runs taken in\n");
    assert_eq!(world.recorded(), ["rebase by hand aligned refs/heads/topic true"]);
    let other = World::new();
    let lines = other.repo.room().join("events.jsonl");
    let spool = alignwatch_records::Spool::open(world.data.path());
    let path = spool.path_of(&spool.ids().unwrap()[0]);
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(&lines, format!("{text}not json\n")).unwrap();
    let file = lines.to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.env("ALIGNWATCH_DATA_DIR", other.data.path()).args(["event", "import", file]);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), told.contains("events.jsonl:3"), other.recorded().len()),
        (Some(2), true, 0),
        "{told}"
    );
    std::fs::write(&lines, text).unwrap();
    assert_eq!(other.alignwatch(&["event", "import", file]), "2 events of 1 runs taken in\n");
}
