//! How the process ends: all exit codes, and the one place where a panic becomes one.

use std::{
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};

use crate::{output::escape, surroundings};

/// Every way to end. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done, and nothing at or above `--fail-on` was found.
    Fine = 0,
    /// It could not be done: a repository could not be read, a file not be written.
    /// Wins over [`Exit::Findings`], since the answer is not whole.
    CouldNot = 1,
    /// The arguments or the configuration are wrong.
    Usage = 2,
    /// There are findings at or above `--fail-on`.
    Findings = 3,
    /// Not now; the reason is told.
    NotNow = 4,
    /// We broke one of our own promises.
    OwnBug = 70,
}

impl Exit {
    /// All of them with their meaning, for help and manual pages.
    pub const ALL: [(Exit, &'static str); 6] = [
        (Exit::Fine, "fine"),
        (Exit::CouldNot, "could not do it"),
        (Exit::Usage, "wrong usage or configuration"),
        (Exit::Findings, "findings at or above --fail-on (default: error)"),
        (Exit::NotNow, "not now (gate, task run)"),
        (Exit::OwnBug, "a bug in alignwatch"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Runs `work`; a panic is told in two lines and ends in [`Exit::OwnBug`].
pub fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    let hook_before = panic::take_hook();
    panic::set_hook(Box::new(tell_bug));
    let ended = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook_before);
    ended.unwrap_or(Exit::OwnBug)
}

fn tell_bug(info: &PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
    surroundings::talk(&format!(
        "error: a bug in alignwatch {}: {}{place}\n\
         hint: please report it with these two lines and the command; the repository was not changed\n",
        env!("CARGO_PKG_VERSION"),
        escape::terminal(what),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_scripts_rely_on() {
        let numbers = Exit::ALL.map(|(exit, _)| exit as u8);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 70]);
    }

    #[test]
    fn a_broken_promise_ends_as_our_own_bug() {
        assert_eq!(guarded(|| panic!("\x1b[31mnot possible")), Exit::OwnBug);
        assert_eq!(guarded(|| Exit::Findings), Exit::Findings);
    }
}
