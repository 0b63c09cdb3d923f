//! Why a git gave no answer.

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
    /// It was stopped because somebody interrupted us.
    #[error("`git {command}` was stopped: it was interrupted")]
    Interrupted {
        /// The subcommand.
        command: String,
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
