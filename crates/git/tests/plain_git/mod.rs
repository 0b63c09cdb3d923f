//! Plain git, started without our runner: makes repositories, and is the oracle.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test file uses its part"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The git that is tried: `ALIGNWATCH_TEST_GIT`, or the first in `PATH`.
pub fn program() -> PathBuf {
    std::env::var_os("ALIGNWATCH_TEST_GIT").map_or_else(|| "git".into(), PathBuf::from)
}

/// A git command in this folder, with fixed people and dates and nobody's settings.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/dev/null");
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")]);
    command.envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@example.org")]);
    command.envs([("GIT_COMMITTER_NAME", "C"), ("GIT_COMMITTER_EMAIL", "c@example.org")]);
    command.envs([("GIT_AUTHOR_DATE", "1700000000 +0000"), ("GIT_COMMITTER_DATE", "1700000000 +0000")]);
    command
}

/// Runs git and returns all it said, whatever its exit code.
pub fn attempt<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

/// Runs git, which must succeed, and returns its trimmed standard output.
pub fn git<S: AsRef<OsStr> + std::fmt::Debug>(folder: &Path, arguments: &[S]) -> String {
    let output = attempt(folder, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// `major * 1000 + minor` of the git that is tried.
pub fn version() -> u32 {
    let text = git(Path::new("/"), &["version"]);
    let mut numbers = text.trim_start_matches("git version ").split('.').map(|number| number.parse::<u32>().unwrap());
    numbers.next().unwrap() * 1000 + numbers.next().unwrap()
}

/// Can this git do what came with version 2.`minor`? Only git 2.39 may miss it: CI has a newer one.
pub fn can(minor: u32, what: &str) -> bool {
    let found = version();
    assert!(2000 + minor <= found || found == 2039, "these tests need git 2.{minor} or newer for {what}, not {found}");
    if found < 2000 + minor {
        eprintln!("not tried: {what} needs git 2.{minor}, this is {found}");
    }
    2000 + minor <= found
}

/// A repository with one commit on `main`.
pub fn with_commit(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q", "-b", "main"]);
    commit(folder, "first");
    folder.to_owned()
}

/// An empty commit on the current branch; returns its id.
pub fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["commit", "-q", "--allow-empty", "-m", message]);
    git(folder, &["rev-parse", "HEAD"])
}
