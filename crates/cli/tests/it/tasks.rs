//! What people and programs see of tasks, and what is left when one is killed.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
    time::Duration,
};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use tempfile::TempDir;

struct World {
    repo: Repo,
    data: TempDir,
}

impl World {
    /// A repository with twenty loose refs and some small packs.
    fn new() -> World {
        let repo = sketch("main: a b c d\n topic: b x").worktree().draw();
        repo.git(["config", "user.name", "A"]);
        repo.git(["config", "user.email", "a@example.org"]);
        for nth in 0..4 {
            repo.git(["commit", "-q", "--allow-empty", "-m", &format!("more {nth}")]);
            repo.git(["repack", "-dq"]);
        }
        (0..20).for_each(|nth| drop(repo.git(["branch", &format!("loose/{nth}")])));
        World { repo, data: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(arguments).env("ALIGNWATCH_DATA_DIR", self.data.path()).current_dir(self.repo.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments).stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.run(arguments).stdout).unwrap()
    }

    fn objects(&self) -> BTreeSet<String> {
        let listed = self.repo.git(["rev-list", "--objects", "--no-object-names", "--all", "--reflog"]);
        listed.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_plan_shows_numbers_limits_and_the_way_back_and_changes_nothing() {
    let world = World::new();
    let before = world.repo.git(["count-objects", "-v"]);
    let text = world.text(&["task", "plan", "pack-refs", "--explain"]);
    for part in ["act     pack-refs", "loose refs 2", "pack-refs --auto", "git pack-refs --all", "undo"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert_eq!(world.repo.git(["count-objects", "-v"]), before);
    assert!(world.text(&["task", "run", "all"]).contains("nothing was changed"), "off a terminal it asks for --yes");
    assert!(world.text(&["task", "history"]).contains("no task was run yet"));
}

#[test]
fn why_a_task_is_due_or_not_is_told_with_its_numbers_and_the_same_everywhere() {
    let world = World::new();
    let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (list, plan) = (flat(world.text(&["task", "list", "--due"])), flat(world.text(&["task", "plan"])));
    let turns = world.json(&["task", "list", "--due", "--json"]);
    let mut n_compared = 0;
    for turn in turns["tasks"].as_array().unwrap() {
        let task = turn["task"].as_str().unwrap();
        let is_asked = turn["state"] != "never";
        assert_eq!(is_asked, !turn["plan"].is_null(), "{turn}");
        assert!(!turn["turn"].as_str().unwrap().is_empty());
        let Some(because) = turn["plan"]["decision"]["because"].as_str() else { continue };
        // What depends on the second in which it is asked is left out.
        if because.contains(", threshold ") && !because.contains("since") {
            n_compared += 1;
            assert!(list.contains(because), "{task}: {because} is not in:\n{list}");
            assert!(plan.contains(because), "{task}: {because} is not in:\n{plan}");
        }
    }
    assert!(4 < n_compared, "{turns:#}");
    let refs = turns["tasks"].as_array().unwrap().iter().find(|turn| turn["task"] == "pack-refs").unwrap();
    let because = refs["plan"]["decision"]["because"].as_str().unwrap();
    assert!(refs["state"] == "due" && because.contains(" loose refs, threshold "), "{refs}");
    assert_eq!(world.json(&["task", "history", "--json"])["runs"], serde_json::json!([]), "nothing was run");
}

#[test]
fn a_branch_that_was_deleted_comes_back_from_the_newest_backup_that_has_it() {
    let world = World::new();
    let id = world.repo.git(["rev-parse", "topic"]);
    assert_eq!(world.run(&["backup", "create"]).status.code(), Some(0));
    world.repo.git(["branch", "-qD", "topic"]);
    world.repo.git(["commit", "-q", "--allow-empty", "-m", "later"]);
    assert_eq!(world.run(&["backup", "create"]).status.code(), Some(0));
    let alone = world.repo.room().join("alone");
    let text = world.text(&["backup", "restore", "--ref", "topic", "--into", alone.to_str().unwrap()]);
    assert!(text.contains(&id) && text.contains("reset --hard"), "{text}");
    assert_eq!(alignwatch_testkit::git(&alone, ["for-each-ref", "--format=%(objectname)"]), id);
    let text = world.text(&["backup", "restore", "--ref", "topic"]);
    assert!(text.contains(&format!("`refs/heads/topic` is there again, at {id}")), "{text}");
    assert_eq!(world.repo.git(["rev-parse", "refs/heads/topic"]), id);
    let again = world.run(&["backup", "restore", "--ref", "topic"]);
    let told = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(1) && told.contains("is there already") && told.contains("--as REF"), "{told}");
    let none = world.run(&["backup", "restore", "--ref", "never-was"]);
    assert!(String::from_utf8(none.stderr).unwrap().contains("has a ref `never-was`"));
}

#[test]
fn a_run_tells_its_effect_and_history_remembers_it() {
    let world = World::new();
    let text = world.text(&["task", "run", "all", "--yes"]);
    assert!(text.contains("pack-refs effect: loose refs 2"), "{text}");
    assert!(text.contains("geometric-repack effect: packs"), "{text}");
    let history = world.json(&["task", "history", "--json"]);
    let states: Vec<&str> =
        history["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert!(
        states.iter().all(|state| ["effect", "noop"].contains(state))
            && 2 < states.iter().filter(|state| **state == "effect").count(),
        "{history}"
    );
    // The drill is due as soon as there is a backup.
    let rests = (0..3).any(|_| world.text(&["task", "run", "all", "--yes"]).contains("nothing is due"));
    assert!(rests, "{}", world.text(&["task", "plan"]));
}

#[test]
fn a_held_run_ends_with_not_now_and_a_refused_one_too() {
    let world = World::new();
    std::fs::write(world.repo.git_dir().join("packed-refs.lock"), "").unwrap();
    let output = world.run(&["task", "run", "pack-refs", "--yes", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["runs"][0]["report"]["result"], "skipped");
}

#[test]
fn killed_at_any_point_it_leaves_a_sound_repository_and_the_next_run_heals_it() {
    let world = World::new();
    let before = world.objects();
    for at in [20, 60, 90, 120, 150, 180, 220, 260, 320, 400] {
        let mut child = world.command(&["task", "run", "geometric-repack", "--yes", "--force", "-q"]);
        let mut child = child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(at));
        child.kill().unwrap();
        child.wait().unwrap();
        let fsck = world.repo.git_output(["fsck", "--full", "--no-dangling", "--no-progress"]);
        assert!(fsck.status.success(), "killed after {at} ms: {}", String::from_utf8_lossy(&fsck.stderr));
        assert_eq!(world.objects(), before, "killed after {at} ms");
    }
    // A git that was left may go on for a moment; then it holds the lease.
    let healed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        world.run(&["task", "run", "pack-refs", "--yes"]).status.code() == Some(0)
    });
    assert!(healed, "{}", world.text(&["task", "history"]));
    assert!(!world.repo.git_dir().join("quarantine").join("objects").exists());
    assert_eq!(world.objects(), before);
}

#[test]
fn remotes_are_reached_with_the_settings_of_whoever_runs_it_and_all_means_no_task_that_a_rule_has_to_ask_for() {
    let world = World::new();
    let origin = sketch("main: a b c d e\n topic: b x").draw();
    // Only whoever knows the settings of this home can reach it.
    world.repo.git(["remote", "add", "origin", "https://example.invalid/repo.git"]);
    let home = tempfile::tempdir().unwrap();
    let settings = format!("[url \"{}\"]\n\tinsteadOf = https://example.invalid/repo.git\n", origin.path().display());
    std::fs::write(home.path().join(".gitconfig"), settings).unwrap();
    let run = |arguments: &[&str]| {
        let output = world.command(arguments).env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(&["task", "run", "all", "--yes"]);
    assert!(text.contains("pack-refs effect") && !text.contains("fetch from `origin`"), "{text}");
    assert!(!world.repo.git(["for-each-ref", "refs/remotes"]).contains("origin"), "{text}");
    let text = run(&["task", "run", "prefetch", "--yes"]);
    assert!(text.contains("prefetch effect"), "{text}");
    let text = run(&["task", "run", "fetch", "--yes"]);
    assert!(text.contains("fetch effect"), "{text}");
    assert_eq!(world.repo.git(["rev-parse", "refs/remotes/origin/main"]), origin.oid("e").hex());
}

#[test]
fn ssh_is_reached_as_whoever_runs_it_would_and_asks_nobody_for_anything() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let (bin, said) = (tempfile::tempdir().unwrap(), world.data.path().join("said"));
    let script =
        format!("#!/bin/sh\necho \"$0 $* $SSH_ASKPASS_REQUIRE $SSH_ASKPASS\" >> '{}'\nexit 1\n", said.display());
    for name in ["ssh", "own-ssh", "their-ssh"] {
        std::fs::write(bin.path().join(name), &script).unwrap();
        std::fs::set_permissions(bin.path().join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.repo.git(["remote", "add", "origin", "ssh://git@example.invalid/x.git"]);
    world.repo.git(["config", "core.sshCommand", bin.path().join("their-ssh").to_str().unwrap()]);
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let run = |variables: &[(&str, &std::path::Path)]| {
        let _ = std::fs::remove_file(&said);
        let mut command = world.command(&["task", "run", "prefetch", "--yes", "--force"]);
        command.env("PATH", &path).env_remove("GIT_SSH_COMMAND").envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), std::fs::read_to_string(&said).unwrap())
    };
    let (code, told) = run(&[]);
    assert_eq!(code, Some(4), "no remote answered: {told}");
    assert!(told.contains("/ssh -oBatchMode=yes") && told.contains("force /bin/false"), "{told}");
    let (_, told) = run(&[("GIT_SSH_COMMAND", &bin.path().join("own-ssh"))]);
    assert!(told.contains("/own-ssh ") && told.contains("force /bin/false") && !told.contains("their-ssh"), "{told}");
}

#[test]
fn channels_are_told_before_a_window_what_is_planned_and_after_it_what_was_done_once() {
    use crate::daemon::Daemon;
    let world = World::new();
    assert!(world.text(&["task", "run", "pack-refs", "--yes"]).contains("pack-refs effect"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let at = |seconds: i64| alignwatch_model::Timestamp(now + seconds).rfc3339();
    let notices = world.data.path().join("notices.jsonl");
    let config = world.data.path().join("alignwatch.yaml");
    let text = format!(
        "channels:\n  file:\n    - {{name: log, path: {}}}\n\
         maintenance: {{repositories: [{}], report_to: [log], load_limit: 10000}}\n\
         windows:\n  - {{name: past, open: {}/{}}}\n  - {{name: soon, open: {}/{}}}\n",
        notices.display(),
        world.repo.path().display(),
        at(-7_200),
        at(-330),
        at(1_200),
        at(4_800),
    );
    std::fs::write(&config, text).unwrap();
    // The run lies in the window that is past by now.
    let journal = world.data.path().join("tasks.jsonl");
    let moved = std::fs::read_to_string(&journal).unwrap();
    let moved: String = moved
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record["at_seconds"] = (now - 1_000).into();
            record["repository"] = world.repo.path().display().to_string().into();
            format!("{record}\n")
        })
        .collect();
    std::fs::write(&journal, moved).unwrap();
    let heard = || heard(&notices);
    for _ in 0..2 {
        let daemon = Daemon::configured(&config, world.data.path(), &[world.repo.path()]);
        daemon.until_ready();
        daemon.until("both messages", |_| 2 <= heard().len());
        daemon.until("both kept", |daemon| {
            let messages = daemon.json("/api/v1/messages");
            let messages = messages["messages"].as_array().unwrap();
            messages.iter().filter(|row| row["state"]["state"] == "delivered").count() == 2
        });
    }
    let told: Vec<String> =
        heard().iter().map(|notice| notice["letter"]["summary"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 2, "a restart tells nothing twice: {told:?}");
    let after = told.iter().find(|words| words.contains("`past` closed")).unwrap();
    assert!(after.contains("1 run in 1 repository, 1 with effect, 0 failed"), "{after}");
    let before = told.iter().find(|words| words.contains("`soon` opens")).unwrap();
    assert!(before.contains("tasks in 1 repository"), "{before}");
    assert!(heard().iter().all(|notice| notice["reason"] == "report"));
    let trend = world.text(&["task", "history", "--trend"]);
    assert!(trend.contains("pack-refs") && trend.contains("1 of 1 runs with effect, 0 failed"), "{trend}");
}

#[test]
fn channels_are_told_once_of_stale_branches_and_who_made_their_last_commit() {
    use crate::daemon::Daemon;
    let world = World::new();
    world.repo.git(["branch", "forgotten", "main"]);
    world.repo.git(["checkout", "-q", "forgotten"]);
    let old = [("GIT_AUTHOR_DATE", "@1600000000 +0000"), ("GIT_COMMITTER_DATE", "@1600000000 +0000")];
    let mut commit = world.repo.git_command(["commit", "-q", "--allow-empty", "-m", "half done"]);
    assert!(commit.envs(old).status().unwrap().success());
    std::fs::write(world.repo.path().join("own"), "work").unwrap();
    world.repo.git(["add", "own"]);
    let mut commit = world.repo.git_command(["commit", "-q", "-m", "more"]);
    assert!(commit.envs(old).status().unwrap().success());
    world.repo.git(["checkout", "-q", "main"]);
    let log = world.repo.git_dir().join("logs/refs/heads/forgotten");
    let text = std::fs::read_to_string(&log).unwrap();
    let aged = |line: &str| {
        let (head, message) = line.split_once('\t').unwrap();
        let (who, _) = head.split_once('>').unwrap();
        format!("{who}> 1600000000 +0000\t{message}\n")
    };
    std::fs::write(&log, text.lines().map(aged).collect::<String>()).unwrap();
    let planned = world.text(&["task", "plan", "stale-branches"]);
    assert!(planned.contains("tell of refs/heads/forgotten"), "{planned}");
    assert!(world.text(&["task", "run", "stale-branches", "--yes"]).contains("stale-branches effect"));
    let notices = world.data.path().join("notices.jsonl");
    let config = world.data.path().join("alignwatch.yaml");
    let text = format!(
        "channels:\n  file:\n    - {{name: log, path: {}}}\n\
         maintenance: {{repositories: [{}], report_to: [log], load_limit: 10000}}\n",
        notices.display(),
        world.repo.path().display(),
    );
    std::fs::write(&config, text).unwrap();
    let heard = || heard(&notices);
    for _ in 0..2 {
        let daemon = Daemon::configured(&config, world.data.path(), &[world.repo.path()]);
        daemon.until_ready();
        daemon.until("the message", |_| !heard().is_empty());
        daemon.until("it is kept", |daemon| {
            let messages = daemon.json("/api/v1/messages");
            messages["messages"].as_array().unwrap().iter().any(|row| row["state"]["state"] == "delivered")
        });
    }
    assert_eq!(heard().len(), 1, "a restart tells nothing twice");
    let letter = &heard()[0]["letter"];
    assert!(letter["title"].as_str().unwrap().starts_with("stale branches in "), "{letter:#}");
    assert!(
        letter["paragraphs"][0]["lines"][0].as_str().unwrap().starts_with("forgotten, last commit by "),
        "{letter:#}"
    );
    assert!(letter["summary"].as_str().unwrap().contains("`cleanup.keep`"), "{letter:#}");
}

/// What a channel of the kind `file` took down.
fn heard(notices: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(notices).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
