//! The runner: limits, endings and conversations.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod plain_git;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use alignwatch_git::repository::open;
use alignwatch_git::run::{Git, GitError, Limits};
use alignwatch_git::stop::Stop;
use plain_git::{git, with_commit};

/// A program that says it is git, and does otherwise what the script says.
fn pretended(folder: &Path, script: &str) -> Git {
    let file = folder.join("pretended-git");
    let text = format!("#!/bin/sh\ncase \"$*\" in *version*) echo git version 2.47.0; exit;; esac\n{script}\n");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    Git::at_program(&file).unwrap()
}

fn bare(folder: &Path) -> PathBuf {
    git(folder, &["init", "-q", "--bare", "x.git"]);
    let path = folder.join("x.git");
    std::fs::remove_file(path.join("config")).unwrap();
    path
}

fn quick() -> Limits {
    Limits { time: Duration::from_millis(500), ..Limits::default() }
}

/// Runs the pretended git on an empty repository.
fn outcome(script: &str, limits: Limits) -> Result<Vec<u8>, GitError> {
    let folder = tempfile::tempdir().unwrap();
    let runner = pretended(folder.path(), script);
    let opened = open(&bare(folder.path())).unwrap();
    runner.at(&opened).unwrap().command("try").limits(limits).run().map(|output| output.stdout)
}

#[test]
fn an_answer_an_exit_code_and_a_signal_are_told_apart() {
    assert_eq!(outcome("echo answer", quick()).unwrap(), b"answer\n");
    let failed = outcome("echo 'fatal: no such thing' >&2; exit 3", quick()).unwrap_err();
    assert_eq!(failed.to_string(), "`git try` failed with exit code 3: no such thing");
    let killed = outcome("kill -SEGV $$", quick()).unwrap_err();
    assert_eq!(killed.to_string(), "`git try` was ended by signal 11");
}

#[test]
fn a_git_that_does_not_end_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("trap '' TERM; sleep 600 & echo $$ $! > {}; wait; sleep 600", pids.display());
    let error = outcome(&script, quick()).unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    assert_gone(&pids);
}

#[test]
fn a_child_that_keeps_the_pipe_open_delays_nothing() {
    let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
    let began = Instant::now();
    assert_eq!(outcome("sleep 600 & echo answer", limits).unwrap(), b"answer\n");
    assert!(began.elapsed() < Duration::from_secs(30), "it waited for the child");
}

#[test]
fn too_much_output_is_an_error_and_too_many_complaints_are_cut() {
    let limits = Limits { stdout_bytes: 10_000, ..Limits::default() };
    let error = outcome("yes", limits).unwrap_err();
    assert_eq!(error.to_string(), "`git try` said more than 10000 bytes and was stopped");
    let limits = Limits { stderr_bytes: 10, ..Limits::default() };
    let error = outcome("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1", limits).unwrap_err();
    assert_eq!(error.to_string(), "`git try` failed with exit code 1: xxxxxxxxxx");
}

#[test]
fn input_larger_than_a_pipe_and_its_echo_do_not_block_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let runner = pretended(folder.path(), "cat; echo end");
    let opened = open(&bare(folder.path())).unwrap();
    let at = runner.at(&opened).unwrap();
    let input = vec![b'x'; 3 << 20];
    let output = at.command("try").input(input.clone()).run().unwrap();
    assert_eq!(output.stdout.len(), input.len() + 4);
    let deaf = pretended(folder.path(), "echo no input wanted");
    assert_eq!(deaf.at(&opened).unwrap().command("try").input(input).run().unwrap().stdout, b"no input wanted\n");
}

#[test]
fn a_conversation_answers_message_by_message() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(folder.path()).unwrap();
    with_commit(&root);
    let opened = open(&root).unwrap();
    let runner = Git::find().unwrap();
    let at = runner.at(&opened).unwrap();
    let mut talk = at.command("cat-file").option("--batch").converse().unwrap();
    let oid = git(&root, &["rev-parse", "HEAD"]);
    for _ in 0..3 {
        talk.send(format!("{oid}\n").as_bytes()).unwrap();
        let head = String::from_utf8(talk.read_until(b'\n').unwrap().unwrap()).unwrap();
        let size: usize = head.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(head.starts_with(&oid));
        assert!(talk.read_exact(size + 1).unwrap().starts_with(b"tree "));
    }
    talk.close_input();
    assert_eq!(talk.read_until(b'\n').unwrap(), None);
    assert_eq!(talk.finish().unwrap().code, 0);
}

#[test]
fn a_conversation_says_why_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(&bare(folder.path())).unwrap();
    let talk = |script: &str| pretended(folder.path(), script).at(&opened).unwrap().command("try").converse().unwrap();
    let mut broken = talk("echo one; echo 'fatal: lost' >&2; exit 128");
    assert_eq!(broken.read_until(b'\n').unwrap().unwrap(), b"one");
    assert_eq!(broken.read_until(b'\n').unwrap_err().to_string(), "`git try` failed with exit code 128: lost");
    let mut cut = talk("printf half");
    assert!(matches!(cut.read_until(b'\n').unwrap_err(), GitError::Ended { .. }));
    let mut gone = talk("exec 0<&-; exec 1>&- 2>&-; exit 5");
    let error = (0..1000).find_map(|_| gone.send(&[b'x'; 100_000]).err()).unwrap();
    assert!(matches!(error, GitError::Failed { code: 5, .. }), "{error}");
}

#[test]
fn an_interruption_ends_a_git_at_once_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(&bare(folder.path())).unwrap();
    let pids = folder.path().join("pids");
    let script = format!("trap '' TERM; sleep 600 & echo $$ $! > {0}.part; mv {0}.part {0}; wait", pids.display());
    let runner = pretended(folder.path(), &script);
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let at = runner.at(&opened).unwrap().stopped_by(Stop::new(None, flag.clone()));
    let began = || pids.exists();
    let error = std::thread::scope(|scope| {
        let asked = scope.spawn(|| at.command("try").run().map(drop));
        while !began() {
            std::thread::yield_now();
        }
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
        asked.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, GitError::Interrupted { .. }), "{error}");
    assert_gone(&pids);
}

/// The processes in this file live no longer.
fn assert_gone(pids: &Path) {
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let lives = || !stat().is_empty() && !stat().contains(") Z ");
        // A process that was killed dies when it is next scheduled.
        let until = Instant::now() + Duration::from_secs(60);
        while lives() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!lives(), "{pid} lives: {}", stat());
    }
}

#[test]
fn a_silent_conversation_times_out_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(&bare(folder.path())).unwrap();
    let pids = folder.path().join("pids");
    let runner = pretended(folder.path(), &format!("echo $$ > {}; cat >/dev/null; sleep 600", pids.display()));
    let at = runner.at(&opened).unwrap();
    let mut talk = at.command("try").limits(quick()).converse().unwrap();
    assert!(matches!(talk.read_until(0).unwrap_err(), GitError::TimedOut { .. }));
    drop(talk);
    let pid = std::fs::read_to_string(pids).unwrap();
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
}

#[test]
fn limits_and_priority_reach_the_child() {
    let limits = Limits { cpu_seconds: 77, file_bytes: 1 << 20, niceness: 11, ..Limits::default() };
    // The first command gives us time to set them.
    let said = outcome("sleep 0.2; ulimit -t; ulimit -f; ulimit -c; nice", limits).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["77", "2048", "0", "11"]);
}

#[test]
fn nothing_of_our_environment_reaches_git_but_path() {
    let said = String::from_utf8(outcome("env | cut -d= -f1", quick()).unwrap()).unwrap();
    let ours = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    let known = alignwatch_git::harden::ENVIRONMENT.iter().map(|row| row.name).chain(ours).collect::<Vec<_>>();
    for name in said.lines() {
        assert!(known.contains(&name) || name.starts_with("GIT_CONFIG_") || name == "GIT_ATTR_SOURCE", "{name}");
    }
    assert!(said.lines().any(|name| name == "GIT_NO_LAZY_FETCH"));
}

#[test]
fn a_program_that_is_no_git_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("git");
    for (answer, refusal) in [("hello", "does not say which version"), ("git version 2.30.9", "older than 2.31.0")] {
        std::fs::write(&file, format!("#!/bin/sh\necho {answer}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = Git::at_program(&file).unwrap_err().to_string();
        assert!(error.contains(refusal), "{error}");
    }
}
