//! Starts git: nothing else of alignwatch does. Who starts other programs stands in docs/ARCHITECTURE.md.
//!
//! Every git runs hardened ([`harden`]), in a process group of its own, with a
//! deadline, with bounds on what it may say, and at a lower priority than the
//! alignments we watch. How it ended is always an answer: an exit code, a
//! signal, too late, too much. Nothing here reads meaning into output.
//!
//! Data cannot become an option: options are literals of this program, data goes
//! behind `--end-of-options`, behind `--`, or to standard input.
//!
//! Known and accepted: limits of memory and files are set just after the start,
//! so a git runs its first microseconds without them; and if alignwatch itself is
//! killed, a git of ours lives on until it writes into the closed pipe or uses up
//! its processor time.

mod call;
mod conversation;
mod error;
mod known;
mod running;
mod streamed;
pub mod timings;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::{call::Call, conversation::Conversation, error::GitError};
use crate::{
    harden::{self, Setting},
    repository::Opened,
    stop::Stop,
    version::{self, GitVersion},
};

/// What one git may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take; in a [`Conversation`], how long one answer may take.
    pub time: Duration,
    /// Bytes of standard output; in a [`Conversation`], of one answer.
    pub stdout_bytes: usize,
    /// Bytes of standard error that are kept; what follows is read and dropped.
    pub stderr_bytes: usize,
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of the largest file it may write.
    pub file_bytes: u64,
    /// Priority, 0 (as everybody) to 19 (only when nobody else wants to run).
    pub niceness: i32,
}

impl Default for Limits {
    /// Enough for any single question of an inspection, on a cold disk.
    fn default() -> Limits {
        Limits {
            time: Duration::from_secs(30),
            // 18,000 refs fill 2 MB; a hundred times a very large repository.
            stdout_bytes: 256 << 20,
            stderr_bytes: 64 << 10,
            cpu_seconds: 120,
            // Git never writes a file of this size to answer a question.
            file_bytes: 4 << 30,
            niceness: 5,
        }
    }
}

/// An executable git.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    version: GitVersion,
}

impl Git {
    /// The first git in `PATH`. Relative folders of `PATH` are passed over.
    ///
    /// Errors: [`GitError::NotFound`], [`GitError::TooOld`], and those of running it.
    pub fn find() -> Result<Git, GitError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let program = folders.map(|folder| folder.join("git")).find(|file| is_executable(file));
        known::git(&program.ok_or(GitError::NotFound)?)
    }

    /// The git in this file.
    pub fn at_program(program: &Path) -> Result<Git, GitError> {
        let probe = GitVersion { number: version::OLDEST, text: String::new() };
        let mut git = Git { program: program.to_owned(), version: probe };
        let answer = git.outside("version").run()?;
        let not_git = || GitError::NotGit { program: program.display().to_string() };
        git.version = GitVersion::parse(&answer.stdout).ok_or_else(not_git)?;
        if git.version.number < version::OLDEST {
            return Err(GitError::TooOld { found: git.version.text, oldest: version::OLDEST.to_string() });
        }
        Ok(git)
    }

    /// Which version it is.
    pub fn version(&self) -> &GitVersion {
        &self.version
    }

    /// Where it lies.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// This git for one repository: reads which programs its configuration names, so that they can be disarmed.
    ///
    /// Costs one process where its configuration includes other files, and otherwise none.
    pub fn at<'a>(&'a self, opened: &'a Opened) -> Result<GitAt<'a>, GitError> {
        let mut at = GitAt {
            git: self,
            opened,
            entries: opened.entries.clone(),
            disarmed: Vec::new(),
            limits: Limits::default(),
            stop: Stop::default(),
        };
        if opened.includes_files() {
            let list = at.command("config").option("--list").option("-z").option("--show-scope").run()?;
            at.entries = parse_entries(&list.stdout);
        }
        at.disarmed = harden::disarm(at.entries.iter().map(|entry| entry.key.as_slice()));
        Ok(at)
    }

    /// A call that needs no repository.
    pub(crate) fn outside(&self, command: &'static str) -> Call<'_> {
        Call::new(self, None, command)
    }

    /// A call that reads the settings of whoever runs us, and of no repository.
    pub(crate) fn for_operator(&self, command: &'static str) -> Call<'_> {
        self.outside(command).for_operator()
    }
}

fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

/// A git together with one opened repository, whose programs are disarmed.
pub struct GitAt<'a> {
    git: &'a Git,
    opened: &'a Opened,
    entries: Vec<Entry>,
    disarmed: Vec<Setting>,
    limits: Limits,
    stop: Stop,
}

/// One setting of the repository's own configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In which file it counts.
    pub scope: Scope,
    /// `section.name.key`; section and key in lower case, the name as it was written.
    pub key: Vec<u8>,
    /// Its value; `None` for a key without `=`, which means true.
    pub value: Option<Vec<u8>>,
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of the repository, or a file it includes.
    Local,
    /// Of one worktree.
    Worktree,
}

impl<'a> GitAt<'a> {
    /// Begins a call of this subcommand.
    pub fn command(&self, command: &'static str) -> Call<'_> {
        Call::new(self.git, Some(self), command).limits(self.limits)
    }

    /// The same with other limits for calls that set none of their own.
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same; its calls end when somebody interrupts.
    pub fn stopped_by(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The repository's own configuration, includes followed, in the order in which it counts.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The repository.
    pub fn opened(&self) -> &'a Opened {
        self.opened
    }

    /// The git.
    pub fn git(&self) -> &'a Git {
        self.git
    }
}

/// Reads `git config --list -z --show-scope`: scope, NUL, key, and behind a newline its value, NUL.
fn parse_entries(list: &[u8]) -> Vec<Entry> {
    let mut words = list.split(|&byte| byte == 0);
    let mut entries = Vec::new();
    while let (Some(scope), Some(pair)) = (words.next(), words.next()) {
        let scope = match scope {
            b"local" => Scope::Local,
            b"worktree" => Scope::Worktree,
            _ => continue,
        };
        let mut parts = pair.splitn(2, |&byte| byte == b'\n');
        let key = parts.next().unwrap_or_default().to_vec();
        entries.push(Entry { scope, key, value: parts.next().map(<[u8]>::to_vec) });
    }
    entries
}

/// What a git said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// Standard error, up to its bound.
    pub stderr: Vec<u8>,
    /// Its exit code.
    pub code: i32,
}
