//! One call of git: its arguments and environment, put together and started.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use alignwatch_model::Oid;

use super::{Conversation, Git, GitAt, GitError, Limits, Output, running::Running};
use crate::{
    harden::{self, Setting},
    health::settings::operators_value,
};

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
    reaches_as_operator: bool,
    pub(super) input: Vec<u8>,
    input_file: Option<std::fs::File>,
    pub(super) limits: Limits,
}

impl<'a> Call<'a> {
    pub(super) fn new(git: &'a Git, at: Option<&'a GitAt<'a>>, command: &'static str) -> Call<'a> {
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
            reaches_as_operator: false,
            input: Vec::new(),
            input_file: None,
            limits: Limits::default(),
        }
    }

    /// With the settings of whoever runs us.
    pub(super) fn for_operator(mut self) -> Self {
        self.is_operators = true;
        self
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

    /// Lets a call in a repository of ours reach remotes as whoever runs us would: with his settings, keys and helpers.
    ///
    /// Only in a scratch repository, that has no settings, no hooks and no submodules: then nothing of a repository
    /// that others write to counts but the address. Nobody is asked for a password.
    pub(crate) fn reaching_as_operator(mut self) -> Self {
        assert!(self.at.is_some_and(|at| at.entries.iter().all(is_of_init)), "its settings would count");
        let own = OPERATORS_VARIABLES.iter().chain(&OPERATORS_NETWORK).chain(&OPERATORS_KEYS);
        self.variables.extend(own.filter_map(|name| Some((*name, std::env::var_os(name)?))));
        self.variables.push(("GIT_ALLOW_PROTOCOL", "https:http:git:file:ssh".into()));
        // ssh would ask at the terminal of whoever started us, and be stopped there for good.
        self.variables.push(("SSH_ASKPASS_REQUIRE", "force".into()));
        let has_own = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        if !has_own && operators_value(self.git, "core.sshcommand").is_none() {
            self.variables.push(("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=30".into()));
        }
        // A server that sends nothing for a minute is none.
        self.pins.extend([("http.lowSpeedLimit".into(), "1000".into()), ("http.lowSpeedTime".into(), "60".into())]);
        self.reaches_as_operator = true;
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

    pub(super) fn start(&self) -> Result<Running, GitError> {
        let keys = self.at.iter().flat_map(|at| at.entries.iter().map(|entry| entry.key.as_slice()));
        if let Some(key) = harden::refuses(self.command, keys) {
            return Err(GitError::Refused { command: self.command.into(), key: key.into() });
        }
        let cannot =
            |cause: io::Error| GitError::CannotStart { command: self.command.into(), cause: cause.to_string() };
        let child = self.build().spawn().map_err(cannot)?;
        let stop = self.at.map(|at| at.stop.clone()).unwrap_or_default();
        Running::of(child, self.command, self.limits, stop).map_err(cannot)
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
        let as_operator = self.reaches_as_operator;
        let variables = harden::ENVIRONMENT.iter().filter(|row| !as_operator || !OPERATORS_OWN.contains(&row.name));
        command.envs(variables.map(|row| (row.name, row.value)));
        if let Some(GitAt { opened, .. }) = self.at {
            command.env("GIT_ATTR_SOURCE", harden::empty_tree(&opened.object_format));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut count = 0;
        let disarmed = self.at.iter().flat_map(|at| at.disarmed.iter().cloned());
        let settings =
            harden::settings().filter(|(key, _)| !as_operator || OPERATORS_SETTINGS.iter().all(|own| key != own));
        for (key, value) in settings.chain(disarmed).chain(self.pins.iter().cloned()) {
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

/// How whoever runs us shows who he is. Source: git(1) and ssh-agent(1).
const OPERATORS_KEYS: [&str; 6] = ["SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSH_VARIANT", "USER", "LOGNAME"];

/// Variables that are his where he reaches a remote; the settings files are those of `OPERATORS_VARIABLES`.
const OPERATORS_OWN: [&str; 5] =
    ["HOME", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_GLOBAL", "GIT_PROXY_COMMAND"];

/// Settings that are his where he reaches a remote.
const OPERATORS_SETTINGS: [&str; 3] = ["credential.helper", "core.sshCommand", "protocol.allow"];

/// A setting that `git init` writes.
fn is_of_init(entry: &super::Entry) -> bool {
    entry.key.starts_with(b"extensions.")
        || [
            &b"core.bare"[..],
            b"core.filemode",
            b"core.repositoryformatversion",
            b"core.ignorecase",
            b"core.symlinks",
            b"core.precomposeunicode",
            // Written by whoever made the scratch repository, for others to read what lands in the real one.
            b"core.sharedrepository",
        ]
        .contains(&entry.key.as_slice())
}

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
