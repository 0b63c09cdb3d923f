//! Starts git: the only place of alignwatch that starts a process.
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

mod conversation;
mod running;
mod streamed;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use alignwatch_model::Oid;

pub use self::conversation::Conversation;
use self::running::Running;
use crate::{
    harden::{self, Setting},
    repository::Opened,
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

/// Why a git gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// No git is in `PATH`.
    #[error("cannot find git in PATH")]
    NotFound,
    /// It says it is something else.
    #[error("cannot use `{program}`: it does not say which version of git it is")]
    NotGit {
        /// The program.
        program: String,
    },
    /// It cannot be hardened.
    #[error("cannot use git {found}: it is older than {oldest}")]
    TooOld {
        /// Its version.
        found: String,
        /// The oldest that will do.
        oldest: String,
    },
    /// The process did not start.
    #[error("cannot start `git {command}`: {cause}")]
    CannotStart {
        /// The subcommand.
        command: String,
        /// The system's words.
        cause: String,
    },
    /// It would run a program of the repository that we cannot keep it from running.
    #[error("cannot run `git {command}` here: the repository sets `{key}`, a program that cannot be switched off")]
    Refused {
        /// The subcommand.
        command: String,
        /// The setting.
        key: String,
    },
    /// It was stopped at its deadline.
    #[error("`git {command}` did not end within {seconds} s and was stopped")]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The deadline.
        seconds: u64,
    },
    /// It was stopped for what it said.
    #[error("`git {command}` said more than {bytes} bytes and was stopped")]
    TooMuchOutput {
        /// The subcommand.
        command: String,
        /// The bound.
        bytes: usize,
    },
    /// A signal ended it; a crash, a limit, or somebody else.
    #[error("`git {command}` was ended by signal {signal}{}", tail(.message))]
    Killed {
        /// The subcommand.
        command: String,
        /// The signal's number.
        signal: i32,
        /// First line of its standard error; may hold control characters.
        message: String,
    },
    /// It ended with an exit code that means failure.
    #[error("`git {command}` failed with exit code {code}{}", tail(.message))]
    Failed {
        /// The subcommand.
        command: String,
        /// The exit code.
        code: i32,
        /// First line of its standard error; may hold control characters.
        message: String,
    },
    /// It ended well, but before it had answered.
    #[error("`git {command}` ended before it answered")]
    Ended {
        /// The subcommand.
        command: String,
    },
    /// The pipe to it broke.
    #[error("cannot talk to `git {command}`: {cause}")]
    Pipe {
        /// The subcommand.
        command: String,
        /// The system's words.
        cause: String,
    },
}

fn tail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
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
        Git::at_program(&program.ok_or(GitError::NotFound)?)
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
    pub(crate) fn as_operator(&self, command: &'static str) -> Call<'_> {
        Call { is_operators: true, ..self.outside(command) }
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

/// One call of git, being put together.
///
/// Options and settings are literals; bytes that come from elsewhere are
/// *revisions*, *paths* or the value of an option that holds its `=`.
#[must_use = "a call does nothing until it is run"]
pub struct Call<'a> {
    git: &'a Git,
    at: Option<&'a GitAt<'a>>,
    command: &'static str,
    options: Vec<OsString>,
    revisions: Vec<OsString>,
    paths: Vec<OsString>,
    pins: Vec<Setting>,
    variables: Vec<(&'static str, OsString)>,
    in_worktree: bool,
    is_operators: bool,
    input: Vec<u8>,
    input_file: Option<std::fs::File>,
    limits: Limits,
}

impl<'a> Call<'a> {
    fn new(git: &'a Git, at: Option<&'a GitAt<'a>>, command: &'static str) -> Call<'a> {
        Call {
            git,
            at,
            command,
            options: Vec::new(),
            revisions: Vec::new(),
            paths: Vec::new(),
            pins: Vec::new(),
            variables: Vec::new(),
            in_worktree: false,
            is_operators: false,
            input: Vec::new(),
            input_file: None,
            limits: Limits::default(),
        }
    }

    /// An option, or a literal word such as `verify` in `refs verify`.
    pub fn option(mut self, option: &'static str) -> Self {
        self.options.push(option.into());
        self
    }

    /// An option with a value in the same word; `option` ends in `=`.
    pub fn option_with(mut self, option: &'static str, value: impl AsRef<[u8]>) -> Self {
        assert!(option.starts_with('-') && option.ends_with('='), "`{option}` would let its value become an option");
        self.options.push(glued(option, value.as_ref()));
        self
    }

    /// A revision, a pattern, or other data: it stands behind `--end-of-options`.
    pub fn revision(mut self, revision: impl AsRef<[u8]>) -> Self {
        self.revisions.push(OsString::from_vec(revision.as_ref().to_vec()));
        self
    }

    /// A file or folder of ours, from the root, as a word of its own: it begins with `/`, so it is no option.
    pub fn place(mut self, path: &Path) -> Self {
        assert!(path.is_absolute(), "`{}` could be taken for an option", path.display());
        self.options.push(path.as_os_str().to_owned());
        self
    }

    /// A path: it stands behind `--`.
    pub fn path(mut self, path: impl AsRef<OsStr>) -> Self {
        self.paths.push(path.as_ref().to_owned());
        self
    }

    /// A setting for this call alone, such as `merge.renames` for a prediction.
    pub fn pin(mut self, key: &'static str, value: impl AsRef<str>) -> Self {
        self.pins.push((key.into(), value.as_ref().into()));
        self
    }

    /// Overrides a setting of the repository that was found under this key, for this call alone.
    ///
    /// `section` begins the key and ends in `.`, so that a repository chooses no other setting than one of it.
    pub fn pin_found(mut self, section: &'static str, key: &[u8], value: &'static str) -> Self {
        assert!(section.ends_with('.') && key.starts_with(section.as_bytes()), "no key of `{section}` was found");
        self.pins.push((OsString::from_vec(key.to_vec()), value.into()));
        self
    }

    /// Lets the command see the working tree. Without it there is none for it.
    pub fn in_worktree(mut self) -> Self {
        self.in_worktree = true;
        self
    }

    /// New objects go into this folder (`GIT_OBJECT_DIRECTORY`), not into the repository, which is borrowed from.
    pub fn object_directory(mut self, folder: &Path) -> Self {
        let borrowed: Vec<&Path> = self.at.iter().map(|at| at.opened.objects_dir.as_path()).collect();
        self.variables.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES", path_list(&borrowed)));
        self.variables.push(("GIT_OBJECT_DIRECTORY", folder.into()));
        self
    }

    /// Borrows objects from these folders (`GIT_ALTERNATE_OBJECT_DIRECTORIES`); replaces what was set before.
    pub fn alternate_object_directories(mut self, folders: &[&Path]) -> Self {
        self.variables.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES", path_list(folders)));
        self
    }

    /// Attributes come from this commit or tree (`GIT_ATTR_SOURCE`); without it there are none but built-in ones.
    pub fn attribute_source(mut self, treeish: Oid) -> Self {
        self.variables.push(("GIT_ATTR_SOURCE", treeish.hex().into()));
        self
    }

    /// Another index than the repository's (`GIT_INDEX_FILE`).
    pub fn index_file(mut self, file: &Path) -> Self {
        self.variables.push(("GIT_INDEX_FILE", file.into()));
        self
    }

    /// Lets a call outside of every repository reach remotes, by protocols that run no program of anybody's.
    ///
    /// Proxies and certificates of whoever runs us count, as for any program; no settings do.
    pub(crate) fn reaching_remotes(mut self) -> Self {
        assert!(self.at.is_none(), "inside of a repository, its settings would count");
        let own = OPERATORS_NETWORK.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        self.variables.extend(own);
        self.variables.push(("GIT_ALLOW_PROTOCOL", "https:http:git:file".into()));
        // There is no repository below a device.
        self.variables.push(("GIT_DIR", "/dev/null/none".into()));
        self
    }

    /// What the command reads from standard input; nothing otherwise.
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// A file that is standard input, from where it stands on: for what is too large to be kept in memory.
    pub fn input_file(mut self, file: std::fs::File) -> Self {
        self.input_file = Some(file);
        self
    }

    /// Other limits than the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs it and takes exit code 0 alone for an answer.
    pub fn run(self) -> Result<Output, GitError> {
        self.run_allowing(&[])
    }

    /// Runs it; exit codes in `allowed` are answers, too.
    pub fn run_allowing(mut self, allowed: &[i32]) -> Result<Output, GitError> {
        let input = std::mem::take(&mut self.input);
        let mut running = self.start()?;
        let until = Instant::now() + self.limits.time;
        let code = running.hear_out(&input, until)?;
        if code != 0 && !allowed.contains(&code) {
            return Err(running.failed(code));
        }
        Ok(running.output(code))
    }

    /// Runs a long command that needs no input; exit codes in `allowed` are answers, too.
    ///
    /// `goes_on` hears many times a second all of standard error so far. When it says `false`,
    /// git and its children are ended, and there is no output.
    pub fn run_watched(
        self,
        allowed: &[i32],
        goes_on: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<Output>, GitError> {
        let mut running = self.start()?;
        running.stdin = None;
        let until = Instant::now() + self.limits.time;
        while running.stdout.is_some() || running.stderr.is_some() {
            running.turn(&[], until)?;
            running.check_bound(running.said.len())?;
            if !goes_on(&running.complained) {
                return Ok(None);
            }
        }
        let code = running.hear_out(&[], until)?;
        if code != 0 && !allowed.contains(&code) {
            return Err(running.failed(code));
        }
        Ok(Some(running.output(code)))
    }

    /// Starts it for a longer conversation. Input given before is its first message.
    pub fn converse(mut self) -> Result<Conversation, GitError> {
        let input = std::mem::take(&mut self.input);
        let mut conversation = Conversation::with(self.start()?);
        conversation.send(&input)?;
        Ok(conversation)
    }

    fn start(&self) -> Result<Running, GitError> {
        let keys = self.at.iter().flat_map(|at| at.entries.iter().map(|entry| entry.key.as_slice()));
        if let Some(key) = harden::refuses(self.command, keys) {
            return Err(GitError::Refused { command: self.command.into(), key: key.into() });
        }
        let cannot =
            |cause: io::Error| GitError::CannotStart { command: self.command.into(), cause: cause.to_string() };
        let child = self.build().spawn().map_err(cannot)?;
        Running::of(child, self.command, self.limits).map_err(cannot)
    }

    fn build(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        let file = self.input_file.as_ref().and_then(|file| file.try_clone().ok());
        command.stdin(file.map_or_else(Stdio::piped, Stdio::from)).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that its children can be ended with it; a folder that no repository can write to.
        command.process_group(0).current_dir("/");
        self.set_environment(&mut command);
        self.set_arguments(&mut command);
        command
    }

    fn set_environment(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if self.is_operators {
            let kept = OPERATORS_VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
            // There is no repository below a device.
            command.envs(kept).env("LC_ALL", "C").env("GIT_DIR", "/dev/null/none");
            return;
        }
        command.envs(harden::ENVIRONMENT.iter().map(|row| (row.name, row.value)));
        if let Some(GitAt { opened, .. }) = self.at {
            command.env("GIT_ATTR_SOURCE", harden::empty_tree(&opened.object_format));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut count = 0;
        let disarmed = self.at.iter().flat_map(|at| at.disarmed.iter().cloned());
        for (key, value) in harden::settings().chain(disarmed).chain(self.pins.iter().cloned()) {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
    }

    fn set_arguments(&self, command: &mut Command) {
        command.arg("--no-pager").arg("--literal-pathspecs");
        if let Some(GitAt { opened, .. }) = self.at {
            command.arg(glued("--git-dir=", opened.git_dir.as_os_str().as_bytes()));
            match opened.worktree.as_ref().filter(|_| self.in_worktree) {
                Some(worktree) => command.arg(glued("--work-tree=", worktree.as_os_str().as_bytes())),
                // Otherwise the current folder would be taken for the working tree.
                None => command.arg("--bare"),
            };
        }
        command.arg(self.command);
        if harden::SHOW_DIFFERENCES.contains(&self.command) {
            command.args(harden::NO_DIFF_PROGRAMS);
        }
        command.args(&self.options);
        if !self.revisions.is_empty() {
            command.arg("--end-of-options").args(&self.revisions);
        }
        if !self.paths.is_empty() {
            command.arg("--").args(&self.paths);
        }
    }
}

/// Where the settings of whoever runs us are. Source: git-config(1), "Files".
const OPERATORS_VARIABLES: [&str; 5] =
    ["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// How whoever runs us reaches other machines. Source: curl(1), "ENVIRONMENT", and git(1).
const OPERATORS_NETWORK: [&str; 11] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

fn glued(option: &str, value: &[u8]) -> OsString {
    OsString::from_vec([option.as_bytes(), value].concat())
}

/// Paths joined by `:`; one that holds a special character is quoted as git(1) asks.
fn path_list(folders: &[&Path]) -> OsString {
    let quoted: Vec<Vec<u8>> = folders.iter().map(|folder| quoted(folder.as_os_str().as_bytes())).collect();
    OsString::from_vec(quoted.join(&b':'))
}

fn quoted(path: &[u8]) -> Vec<u8> {
    if !path.iter().any(|&byte| byte == b':' || byte == b'"' || byte == b'\n' || byte == b'\\') {
        return path.to_vec();
    }
    let mut word = vec![b'"'];
    for &byte in path {
        match byte {
            b'"' | b'\\' => word.extend([b'\\', byte]),
            b'\n' => word.extend(b"\\n"),
            _ => word.push(byte),
        }
    }
    word.push(b'"');
    word
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
