//! What is wrong with a configuration, where, and what to write instead.

use std::fmt;

use super::tree::{At, Problem};
use crate::quote::is_unsafe;

/// One mistake.
///
/// `Display` gives one line: ``alignwatch.yaml:14:11: budget.age: `2 weekz` is not a
/// length of time (write it like `14d`)``. Nothing in it can act on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// The key it is about, as a path; empty when it is about the whole file.
    pub key: String,
    /// What is wrong, as a sentence part.
    pub problem: String,
    /// What to do, as a sentence part with a good value.
    pub fix: String,
    /// The line of the file, where there is one.
    pub excerpt: Option<Excerpt>,
}

/// Where a mistake stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file.
    File {
        /// Its name as it was given.
        name: String,
        /// Line, from 1; 0 when it is about the whole file.
        line: u32,
        /// Column in characters, from 1; 0 when it is about the whole file.
        column: u32,
    },
    /// In an environment variable.
    Variable(String),
    /// In a flag of the command line.
    Flag(String),
}

/// A line of the file with a mark under the mistake. `Display` gives three lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Its number, from 1.
    pub line: u32,
    /// The line, or the part of a long one around the mistake, without characters that act on a terminal.
    pub text: String,
    /// Characters of `text` before the mark.
    pub n_before: usize,
    /// Characters that are marked.
    pub width: usize,
}

impl ConfigError {
    /// A mistake in a file, with its line.
    pub(super) fn in_file(problem: Problem, file_name: &str, text: &str) -> ConfigError {
        let Problem { at, key, problem, fix } = problem;
        let place = Place::File { name: shown_name(file_name), line: at.line, column: at.column };
        ConfigError { place, key, problem, fix, excerpt: Excerpt::of(text, at) }
    }

    /// A mistake that is not in one line of a file.
    pub(super) fn at_place(place: Place, problem: Problem) -> ConfigError {
        let Problem { key, problem, fix, .. } = problem;
        ConfigError { place, key, problem, fix, excerpt: None }
    }
}

/// A name of a file as it may be printed.
pub(super) fn shown_name(name: &str) -> String {
    name.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} ({})", self.problem, self.fix)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { name, line: 0, .. } => f.write_str(name),
            Place::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Flag(name) => f.write_str(name),
        }
    }
}

impl Excerpt {
    fn of(text: &str, at: At) -> Option<Excerpt> {
        /// Characters shown before the mistake in a long line.
        const BEFORE_AT_MOST: usize = 60;
        /// Characters shown of a long line: it fits most terminals.
        const SHOWN_AT_MOST: usize = 100;
        let index = (at.line as usize).checked_sub(1)?;
        let line = text.lines().nth(index)?;
        let column = (at.column as usize).checked_sub(1)?;
        let skipped = column.saturating_sub(BEFORE_AT_MOST);
        let kept = line.chars().skip(skipped).take(SHOWN_AT_MOST);
        let text: String = kept.map(harmless).collect();
        let n_before = column - skipped;
        let width = (at.width as usize).min(text.chars().count().saturating_sub(n_before)).max(1);
        Some(Excerpt { line: at.line, text: text.trim_end().to_owned(), n_before, width })
    }
}

/// The character itself where it takes one place and does nothing, else a stand-in of the same width.
fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, " {margin} |")?;
        writeln!(f, " {number} | {}", self.text)?;
        write!(f, " {margin} | {}{}", " ".repeat(self.n_before), "^".repeat(self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: u32, column: u32, width: u32) -> String {
        Excerpt::of(text, At { line, column, width }).expect("a line").to_string()
    }

    #[test]
    fn the_mark_stands_under_the_mistake() {
        insta::assert_snapshot!(excerpt("budget:\n  age: 2 weekz\n", 2, 8, 7), @r"
           |
         2 |   age: 2 weekz
           |        ^^^^^^^
        ");
    }

    #[test]
    fn long_and_hostile_lines_stay_short_and_harmless() {
        let line = format!("{}\x1b[31m\u{202e}bad", "x".repeat(500));
        let shown = excerpt(&line, 1, 501, 9999);
        assert!(!shown.contains(['\x1b', '\u{202e}']), "{shown:?}");
        assert!(shown.lines().all(|line| line.chars().count() <= 110), "{shown}");
    }

    #[test]
    fn a_place_outside_of_the_text_has_no_excerpt() {
        assert_eq!(Excerpt::of("a", At { line: 2, column: 1, width: 1 }), None);
        assert_eq!(Excerpt::of("a", At::default()), None);
        assert!(Excerpt::of("a", At { line: 1, column: 90, width: 1 }).is_some());
    }
}
