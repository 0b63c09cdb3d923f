//! Why a command could not be done, in words, with what to type next.

use std::{error::Error, fmt::Write as _};

use crate::{Exit, output::escape};

/// What went wrong, in words for people.
///
/// Reads `cannot <what> <where>: <cause>`, then hints that can be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends because of it.
    pub exit: Exit,
    /// One sentence without a final period. It may have several lines, such as a marked line of a file.
    pub message: String,
    /// What to try, each one line.
    pub hints: Vec<String>,
}

impl Failure {
    /// It could not be done.
    pub fn could_not(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::CouldNot, message: message.into(), hints: Vec::new() }
    }

    /// The arguments or the configuration are wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into(), hints: Vec::new() }
    }

    /// It could not be done because of `error`, told with all its causes.
    pub fn caused_by(error: &(dyn Error + 'static)) -> Failure {
        Failure::could_not(chain(error))
    }

    /// The same with one more thing to try.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// The lines for standard error: `error: …`, then a `hint: …` each.
    pub fn told(&self) -> String {
        let mut told = String::new();
        for (at, line) in self.message.lines().enumerate() {
            let label = if at == 0 { "error: " } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(told, "{label}{}", escape::terminal(line));
        }
        for hint in &self.hints {
            let _ = writeln!(told, "hint: {}", escape::terminal(hint));
        }
        told
    }
}

/// An error and its causes in one line: `cannot do this: cause: its cause`.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some libraries repeat their source in their own words.
        let words = error.to_string();
        if !text.ends_with(&words) {
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open `{path}`")]
    struct FailedOpening {
        path: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_hints() {
        let error = FailedOpening { path: "/x", source: std::io::Error::other("it is on fire") };
        let failure = Failure::caused_by(&error).hint("put it out");
        assert_eq!(failure.told(), "error: cannot open `/x`: it is on fire\nhint: put it out\n");
    }

    #[test]
    fn a_hostile_cause_can_do_nothing_to_the_terminal() {
        let failure = Failure::usage("bad name \x1b[2J\u{202e}").hint("\x07");
        assert_eq!(failure.told(), "error: bad name \\u{1b}[2J\\u{202e}\nhint: \\u{7}\n");
    }
}
