//! Asks the real git, with nothing of this machine or this user around it.
//!
//! Every call gets the same environment: no configuration but the repository's
//! own, English, UTC, fixed author, committer and date, no prompts, no pager.
//! The git is the first one in `PATH`.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

/// What `git args…` answers in `dir`: its standard output as text, without the final line break.
///
/// Panics when git fails, with what it said.
///
/// ```
/// let repo = alignwatch_testkit::sketch("main: a b").draw();
/// assert_eq!(alignwatch_testkit::git(repo.path(), ["rev-list", "--count", "main"]), "2");
/// ```
pub fn git<A: AsRef<OsStr>>(dir: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> String {
    let output = succeed(&mut git_command(dir, args), &[]);
    let mut answer = text(&output.stdout);
    if answer.ends_with('\n') {
        answer.pop();
    }
    answer
}

/// Everything `git args…` gives back in `dir`, bytes and exit code, whether it fails or not.
pub fn git_output<A: AsRef<OsStr>>(dir: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> Output {
    run(&mut git_command(dir, args), &[])
}

/// A `git args…` in `dir` that is not started yet: for input, or for more environment.
pub fn git_command<A: AsRef<OsStr>>(dir: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("git");
    command.env_clear().envs(ENVIRONMENT);
    for kept in KEPT {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.arg("-C").arg(dir.as_ref()).args(args);
    command
}

/// Major and minor version of the git that answers, such as `(2, 47)`: for tests
/// of what an older git cannot do.
pub fn git_version() -> (u32, u32) {
    let said = git(".", ["version"]);
    let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor),
        _ => panic!("cannot tell the version of git from `{said}`"),
    }
}

/// The whole environment of a git call, but for [`KEPT`].
const ENVIRONMENT: [(&str, &str); 16] = [
    ("HOME", "/nonexistent"),
    ("XDG_CONFIG_HOME", "/nonexistent"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "true"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("GIT_AUTHOR_NAME", "ann"),
    ("GIT_AUTHOR_EMAIL", "ann@example.org"),
    ("GIT_AUTHOR_DATE", "1767225600 +0000"),
    ("GIT_COMMITTER_NAME", "ann"),
    ("GIT_COMMITTER_EMAIL", "ann@example.org"),
    ("GIT_COMMITTER_DATE", "1767225600 +0000"),
];

/// What is taken over from outside: where programs, their libraries and temporary files are.
const KEPT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR"];

/// Bytes as the operating system takes them for a name: all of them, text or not.
pub(crate) fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// Runs a git with this input. Panics when it fails, with what it said.
pub(crate) fn succeed(command: &mut Command, input: &[u8]) -> Output {
    let output = run(command, input);
    let said = text(&output.stderr);
    assert!(output.status.success(), "cannot run `{}`: {}\n{said}", spoken(command), output.status);
    output
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start `{}`: {error}", spoken(command)));
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    thread::scope(|scope| {
        // A child that fails early closes the pipe; its exit code and words tell more.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("a child can be waited for")
    })
}

/// The command as a person would type it.
fn spoken(command: &Command) -> String {
    let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    format!("git {}", args.join(" "))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_configuration_of_the_machine_is_seen() {
        let repo = crate::sketch("main: a").draw();
        let scopes = repo.git(["config", "--list", "--show-scope"]);
        assert!(scopes.lines().all(|line| line.starts_with("local\t")), "{scopes}");
    }

    #[test]
    #[should_panic(expected = "unknown revision")]
    fn a_failing_git_ends_the_test_with_its_words() {
        crate::sketch("main: a").draw().git(["rev-list", "--count", "nowhere"]);
    }

    #[test]
    fn the_version_is_at_least_the_oldest_we_support() {
        assert!(git_version() >= (2, 39));
    }
}
