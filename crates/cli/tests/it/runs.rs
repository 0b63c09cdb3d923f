//! Wrapped commands end as they would without us, and what is recorded of them is true.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alignwatch_model::run::{Op, Outcome, Run};
use alignwatch_records::Spool;
use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use tempfile::TempDir;

use crate::documents::assert_valid;

const EVENT: &str = include_str!("../../../../docs/schema/event-1.schema.json");
const RUN: &str = include_str!("../../../../docs/schema/run-1.schema.json");
const VERIFICATION: &str = include_str!("../../../../docs/schema/verification-1.schema.json");

/// A repository, and a data directory of its own.
struct World {
    repo: Repo,
    data: TempDir,
}

impl World {
    fn new(drawing: &str) -> World {
        World { repo: sketch(drawing).worktree().draw(), data: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        alignwatch(self.repo.path(), self.data.path(), arguments)
    }

    /// Runs a script under us.
    fn run(&self, script: &str) -> Output {
        self.command(&["run", "--workflow", "test", "--", "sh", "-c", script]).output().unwrap()
    }

    /// The one run that was recorded; its documents follow their schemas.
    fn recorded(&self) -> Run {
        let spooled: Vec<_> = Spool::open(self.data.path()).runs().unwrap().map(Result::unwrap).collect();
        let [spooled] = &spooled[..] else { panic!("{spooled:?}") };
        for event in &spooled.events {
            assert_valid(EVENT, &serde_json::to_value(event).unwrap());
        }
        let run = Run::of(spooled.events.clone());
        assert_valid(RUN, &serde_json::to_value(run.document()).unwrap());
        run
    }

    fn outcome_of(&self, script: &str) -> (Option<i32>, Option<Outcome>) {
        let output = self.run(script);
        (output.status.code(), self.recorded().outcome())
    }
}

fn alignwatch(repo: &Path, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.current_dir(repo).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let identity = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
    command.envs(identity.map(|name| (name, "ann@example.org")));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("ALIGNWATCH_DATA_DIR", data);
    command.args(arguments);
    command
}

const CLEAN: &str = "main: a b c\n x: a d e";
const CONFLICT: &str = "main: a(f=1) b(f=2)\n x: a c(f=3)";

#[test]
fn a_clean_rebase_is_aligned_and_all_of_it_is_recorded() {
    let world = World::new(CLEAN);
    let output = world.run("git rebase -q main x && echo out && echo err >&2 && test -n \"$TRACEPARENT\"");
    assert_eq!(
        (output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()),
        (Some(0), &b"out\n"[..], &b"err\n"[..])
    );
    let run = world.recorded();
    let finished = run.finished().unwrap();
    assert_eq!((finished.outcome, finished.exit_code), (Outcome::Aligned, Some(0)), "{}", finished.because);
    let [operation] = &run.operations()[..] else { panic!("{run:?}") };
    assert_eq!((operation.branch.as_str(), operation.base.as_deref()), ("refs/heads/x", Some("refs/heads/main")));
    assert_eq!((operation.behind_before, operation.behind_after, operation.op), (Some(2), Some(0), Some(Op::Rebase)));
    assert!(finished.usage.peak_rss_bytes.unwrap() > 0 && finished.duration_seconds.unwrap() > 0.0);
    let verification = run.verification().unwrap();
    assert_eq!((verification.worst(), verification.has_unknown()), (None, false), "{verification:?}");
    assert_eq!(run.started().unwrap().workflow, "test");
}

#[test]
fn an_output_that_cannot_be_read_is_told_and_the_end_of_the_run_is_recorded() {
    let world = World::new("main: a");
    let started = world.command(&["event", "start", "--workflow", "w"]).output().unwrap();
    let run = String::from_utf8(started.stdout).unwrap();
    let words = ["event", "finish", "--run", run.trim(), "--outcome", "aligned", "--output", "/nowhere/align.log"];
    let ended = world.command(&words).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains("cannot read the output in /nowhere/align.log: No such file"), "{told}");
    assert!(ended.status.success(), "a script goes on");
    assert_eq!(world.recorded().outcome(), Some(Outcome::Aligned));
}

#[test]
fn the_end_of_the_output_is_kept_where_it_goes_into_a_file_and_is_asked_for() {
    for (asks, kept) in [(true, Some("its end, with token=[secret]\nand more\n")), (false, None)] {
        let world = World::new(CLEAN);
        let log = world.data.path().join("log");
        fs::write(&log, "what an earlier run wrote\n").unwrap();
        let mut words = vec!["run", "--workflow", "test"];
        words.extend(asks.then_some("--keep-output"));
        words.extend([
            "--",
            "sh",
            "-c",
            "echo its end, with token=ghp_0123456789abcdefghijABCDEFGHIJ012345; echo and more >&2",
        ]);
        let file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        let status = world.command(&words).stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        assert!(status.success());
        assert_eq!(world.recorded().finished().unwrap().output_tail.as_deref(), kept);
        assert!(fs::read_to_string(&log).unwrap().ends_with("ABCDEFGHIJ012345\nand more\n"), "the file is not touched");
    }
}

#[test]
fn what_git_leaves_half_done_is_a_conflict_whatever_the_exit_code() {
    assert_eq!(World::new(CONFLICT).outcome_of("git rebase -q main x"), (Some(1), Some(Outcome::Conflict)));
    assert_eq!(World::new(CONFLICT).outcome_of("git rebase -q main x; exit 0"), (Some(0), Some(Outcome::Conflict)));
    let merge = "git checkout -q x && git merge -q main";
    assert_eq!(World::new(CONFLICT).outcome_of(merge), (Some(1), Some(Outcome::Conflict)));
    let undone = "git rebase -q main x; git rebase --abort; exit 1";
    assert_eq!(World::new(CONFLICT).outcome_of(undone), (Some(1), Some(Outcome::RolledBack)));
    assert_eq!(World::new(CLEAN).outcome_of("true"), (Some(0), Some(Outcome::NoOp)));
    assert_eq!(World::new(CLEAN).outcome_of("exit 7"), (Some(7), Some(Outcome::Failed)));
}

#[test]
fn a_merge_that_rerere_solved_waits_for_its_commit_although_git_exits_1() {
    let world = World::new(CONFLICT);
    for setting in ["rerere.enabled", "rerere.autoUpdate"] {
        world.repo.git(["config", setting, "true"]);
    }
    world.repo.git(["checkout", "-q", "x"]);
    world.repo.git_output(["merge", "-q", "main"]);
    fs::write(world.repo.path().join("f"), "solved\n").unwrap();
    world.repo.git(["commit", "-qam", "solved"]);
    world.repo.git(["reset", "-q", "--hard", "HEAD^"]);
    assert_eq!(world.outcome_of("git merge -q main"), (Some(1), Some(Outcome::Blocked)));
}

#[test]
#[ignore = "needs git-imerge"]
fn a_blocked_imerge_that_exits_0_is_blocked() {
    let world = World::new(CONFLICT);
    world.repo.git(["checkout", "-q", "x"]);
    let (code, outcome) = world.outcome_of("git-imerge rebase main");
    assert_eq!((code, outcome), (Some(0), Some(Outcome::Blocked)));
}

#[test]
#[ignore = "needs git-machete"]
fn a_traverse_of_git_machete_aligns_each_branch() {
    let world = World::new("main: a b\n x: a c\n y: c d");
    fs::write(world.repo.git_dir().join("machete"), "main\n  x\n    y\n").unwrap();
    let (code, outcome) = world.outcome_of("git-machete traverse -y -n --start-from=first-root");
    assert_eq!((code, outcome), (Some(0), Some(Outcome::Aligned)));
    assert_eq!(world.recorded().operations().len(), 2);
}

#[test]
fn codes_and_signals_are_passed_on_as_they_are() {
    let world = World::new(CLEAN);
    for code in [0, 1, 2, 3, 70, 126, 255] {
        assert_eq!(world.run(&format!("exit {code}")).status.code(), Some(code));
    }
    for signal in [2, 9, 15] {
        assert_eq!(world.run(&format!("kill -{signal} $$")).status.signal(), Some(signal));
    }
    let missing = world.command(&["run", "--workflow", "w", "--", "/nowhere/at/all"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(127));
}

#[test]
fn a_signal_that_is_sent_to_us_reaches_the_command() {
    let world = World::new(CLEAN);
    let script = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.02; done";
    let mut command = world.command(&["run", "--workflow", "w", "--", "sh", "-c", script]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn nothing_that_is_wrong_with_us_touches_the_command() {
    let world = World::new(CLEAN);
    let room = world.repo.room();
    let file = room.join("file");
    fs::write(&file, "").unwrap();
    let config = room.join("broken.yaml");
    fs::write(&config, "{{{").unwrap();
    let broken = config.to_str().unwrap();
    let hostile = room.join("hostile");
    fs::create_dir_all(hostile.join(".git/refs")).unwrap();
    fs::create_dir(hostile.join(".git/HEAD")).unwrap();
    let places: [(&Path, PathBuf, &[&str]); 5] = [
        (world.repo.path(), room.join("not/there/yet"), &[]),
        (world.repo.path(), file.join("below a file"), &[]),
        (world.repo.path(), PathBuf::from("/dev/full/x"), &[]),
        (world.repo.path(), room.join("data"), &["--config", broken]),
        (&hostile, room.join("data"), &[]),
    ];
    let mut n_runs = 0;
    for (repo, data, options) in &places {
        for code in 0..20 {
            let script = format!("echo said; exit {code}");
            let words = [*options, &["run", "--workflow", "w", "--", "sh", "-c", &script]].concat();
            let output = alignwatch(repo, data, &words).output().unwrap();
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(code), &b"said\n"[..]), "{data:?}");
            assert!(String::from_utf8_lossy(&output.stderr).lines().count() <= 2, "{output:?}");
            n_runs += 1;
        }
    }
    // A disk that is full: no file may have more than nothing.
    for code in 0..100 {
        let program = env!("CARGO_BIN_EXE_alignwatch");
        let script = format!("ulimit -f 0; exec {program} -q run --workflow w -- sh -c 'exit {code}'");
        let mut command = Command::new("sh");
        command.current_dir(world.repo.path()).env("ALIGNWATCH_DATA_DIR", world.data.path());
        let output = command.args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        n_runs += 1;
    }
    assert_eq!(n_runs, 200);
}

#[test]
fn a_wrapper_that_is_killed_leaves_the_command_alone() {
    let world = World::new(CLEAN);
    let done = world.repo.room().join("done");
    let script = format!("echo ready; sleep 0.2; echo $? > {}.part; mv {0}.part {0}", done.display());
    let mut command = world.command(&["run", "--workflow", "w", "--", "sh", "-c", &script]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let is_there = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        done.exists()
    });
    assert!(is_there);
}

#[test]
fn a_run_that_loses_work_says_so_and_verify_says_it_again() {
    let world = World::new("main: a(f=1) b(g=2)\n x: a c(h=3)");
    let output = world.run("git checkout -q x && git merge -q -s ours main");
    assert_eq!(output.status.code(), Some(0), "and the code stays that of the command");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("this run lost work") && told.contains("one side was kept whole"), "{told}");
    let run = world.recorded();
    let id = run.id().unwrap().to_string();
    let again = world.command(&["verify", "--json", &id]).output().unwrap();
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    let document: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_valid(VERIFICATION, &document);
    assert_eq!((&document["status"], &document["run"]), (&"critical".into(), &id.clone().into()));
    for which in [&*id, "last"] {
        let human = world.command(&["verify", which]).output().unwrap();
        assert!(String::from_utf8_lossy(&human.stdout).starts_with("critical: `refs/heads/x`: one side"), "{human:?}");
    }
}

#[test]
fn events_from_a_script_become_one_run() {
    let world = World::new(CLEAN);
    let out = |arguments: &[&str]| {
        let output = world.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let id = out(&["event", "start", "--workflow", "nightly"]);
    out(&["event", "stage", "fetch", "--run", &id, "--attribute", "password=hunter2hunter2"]);
    out(&["event", "heartbeat", "--run", &id, "--id", "one"]);
    out(&["event", "heartbeat", "--run", &id, "--id", "one"]);
    out(&["event", "operation", "refs/heads/x", "--outcome", "aligned", "--run", &id]);
    out(&["event", "finish", "--outcome", "aligned", "--exit-code", "0", "--run", &id]);
    let run = world.recorded();
    assert_eq!((run.id().unwrap().to_string(), run.outcome()), (id, Some(Outcome::Aligned)));
    assert_eq!((run.events().len(), run.stages().len(), run.operations().len()), (5, 1, 1));
    let wrong = world.command(&["event", "finish", "--outcome", "fine"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let nowhere = alignwatch(world.repo.path(), Path::new("/dev/full/x"), &["event", "start", "--workflow", "w"]);
    let nowhere = { nowhere }.output().unwrap();
    assert_eq!(nowhere.status.code(), Some(0), "reporting breaks no script");
}

#[test]
fn a_stage_in_a_wrapped_command_belongs_to_its_run() {
    let world = World::new(CLEAN);
    let output = world.run(&format!("{} event stage fetch", env!("CARGO_BIN_EXE_alignwatch")));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(world.recorded().stages()[0].stage, "fetch");
}

#[test]
fn a_run_that_a_script_reports_is_verified_like_one_that_we_ran() {
    let world = World::new("main: a(f=1) b(g=2)\n x: a c(h=3)");
    let started = world.command(&["event", "start", "--workflow", "nightly"]).output().unwrap();
    let id = String::from_utf8(started.stdout).unwrap().trim().to_owned();
    world.repo.git(["checkout", "-q", "x"]);
    world.repo.git(["merge", "-q", "-s", "ours", "main"]);
    let ended = world.command(&["event", "finish", "--outcome", "aligned", "--run", &id]).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "reporting breaks no script");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains("this run lost work") && told.contains("one side was kept whole"), "{told}");
    let run = world.recorded();
    assert_eq!(run.outcome(), Some(Outcome::Failed), "whatever was reported");
    let finished = run.finished().unwrap();
    assert_eq!((finished.outcome, finished.n_moved), (Outcome::Aligned, 1), "which stands as it was said");
    let [operation] = &run.operations()[..] else { panic!("{run:?}") };
    assert_eq!((operation.branch.as_str(), operation.behind_before), ("refs/heads/x", Some(1)));
    assert_eq!(world.command(&["verify", &id]).output().unwrap().status.code(), Some(3));
    assert_eq!(fs::read_dir(world.data.path().join("begun")).unwrap().count(), 0, "it is over");
}

#[test]
fn a_stash_or_a_tag_that_a_run_drops_is_told() {
    let world = World::new(CLEAN);
    world.repo.git(["tag", "keep", "x"]);
    world.repo.git(["checkout", "-q", "x"]);
    fs::write(world.repo.path().join("d"), "edited\n").unwrap();
    world.repo.git(["stash", "-q"]);
    let output = world.run("git stash drop -q && git tag -d keep");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("a stash is gone"), "{told}");
    let run = world.recorded();
    let found = run.verification().unwrap();
    let kinds: Vec<_> = found.losses().iter().map(|(_, loss)| loss.kind.word()).collect();
    assert_eq!(kinds, ["stash_dropped", "tag_gone"]);
    assert_eq!(run.outcome(), Some(Outcome::Failed));
}
