//! Patterns of branch names, and what a name of a ref may hold.
//!
//! `*` and `?` stay inside one part of a name, `**` crosses parts, `{a,b}` is
//! either and `[ab]` one character: what Git hosts and `.gitignore` do. A pattern
//! is held against the full name, the short one, and for a branch of a remote
//! also the name it has there.

use std::fmt;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::RefName;

/// Characters that a pattern may hold and a name never does.
const WILD: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// Characters that Git allows in no name of a ref (git-check-ref-format(1)), wild ones left out.
const NEVER_IN_A_NAME: [char; 4] = [' ', '~', '^', ':'];

/// The longest name or pattern, in bytes.
///
/// Source: Git keeps a ref in a file of its name, and Linux takes no longer path.
const LENGTH_AT_MOST: usize = 4096;

/// A list of patterns, ready to be asked.
#[derive(Clone, Debug)]
pub struct Patterns {
    set: GlobSet,
}

/// Why no name can match a pattern, or a name cannot be one: a sentence part, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// What is wrong, as a sentence part that follows the name: `ends with \`/\``.
    pub problem: String,
    /// What to do, as a sentence.
    pub fix: String,
}

/// Does one of these patterns name the repository at this path? `*` and `?` stay inside one part of a name, `**` stands
/// for folders in folders. One that can't be read names none; a checked configuration has none.
pub fn any_names_path(patterns: &[String], path: &str) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let names = |pattern: &String| glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(path, options));
    patterns.iter().any(names)
}

impl Patterns {
    /// Prepares patterns. Errors: the first that cannot be read; a checked configuration has none.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Patterns, BadName> {
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(compile(pattern)?);
        }
        let set = builder.build().map_err(|error| BadName::because(&error))?;
        Ok(Patterns { set })
    }

    /// Which of them match this text as it stands, by their index, in order.
    pub(super) fn matching(&self, text: &str) -> Vec<usize> {
        let mut matching = self.set.matches(text);
        matching.sort_unstable();
        matching
    }

    /// Does one of them match this path in the repository?
    pub fn matches_path(&self, path: &[u8]) -> bool {
        self.set.is_match_candidate(&Candidate::from_bytes(path))
    }

    /// Does one of them match the full name, the short one, or the one at the remote?
    pub fn matches(&self, name: &RefName) -> bool {
        let hits = |bytes: &[u8]| self.set.is_match_candidate(&Candidate::from_bytes(bytes));
        !self.set.is_empty()
            && (hits(name.as_bytes())
                || hits(name.short().as_bytes())
                || name.remote_parts().is_some_and(|(_, branch)| hits(branch)))
    }
}

/// Checks that some name could match the pattern.
pub(super) fn check_pattern(pattern: &str) -> Result<(), BadName> {
    check_shape(pattern, "a pattern")?;
    compile(pattern).map(|_| ())
}

/// Checks that some path in a repository could match the pattern.
pub(super) fn check_path_pattern(pattern: &str) -> Result<(), BadName> {
    if pattern.is_empty() {
        return Err(BadName::new("is empty", "write a pattern like `docs/**`"));
    }
    check_length(pattern)?;
    if pattern.starts_with('/') {
        let below = pattern.trim_start_matches('/');
        return Err(BadName::new("begins with `/`, and no path in a repository does", format!("write `{below}`")));
    }
    if pattern.ends_with('/') {
        let folder = pattern.trim_end_matches('/');
        return Err(BadName::new("ends with `/`, and no file does", format!("write `{folder}/**` for all below it")));
    }
    compile(pattern).map(|_| ())
}

/// Checks that the text could be the name of a ref, full or short.
pub(super) fn check_name(name: &str) -> Result<(), BadName> {
    check_shape(name, "a name")?;
    let fix = "write the name of one branch, like `main` or `origin/main`";
    if let Some(wild) = name.chars().find(|c| WILD.contains(c)) {
        return Err(BadName::new(format!("holds `{wild}`, which no name of a branch does"), fix));
    }
    if name.ends_with(".lock") || name.ends_with('.') || name.contains("/.") || name.contains("@{") {
        return Err(BadName::new("cannot be the name of a branch", fix));
    }
    Ok(())
}

/// Texts that a pattern may be, each of which would match all that it does: itself, `**`, and `x/**` of its folders.
pub(super) fn wider_texts(pattern: &str) -> impl Iterator<Item = String> + '_ {
    let plain_end = pattern.find(WILD).unwrap_or(pattern.len());
    let folders = pattern[..plain_end].match_indices('/').map(|(slash, _)| format!("{}/**", &pattern[..slash]));
    [pattern.to_owned(), "**".to_owned()].into_iter().chain(folders)
}

/// Holds the pattern no wild character, so that it is the name of one branch?
pub(super) fn is_name(pattern: &str) -> bool {
    !pattern.contains(WILD)
}

fn compile(pattern: &str) -> Result<globset::Glob, BadName> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| BadName::because(&error))
}

fn check_shape(text: &str, kind: &str) -> Result<(), BadName> {
    let good = if kind == "a pattern" { "like `feature/**`" } else { "like `main`" };
    if text.is_empty() {
        return Err(BadName::new("is empty", format!("write {kind} {good}")));
    }
    check_length(text)?;
    if let Some(never) = text.chars().find(|c| c.is_control() || NEVER_IN_A_NAME.contains(c)) {
        let shown = if never == ' ' { "a space".to_owned() } else { format!("`{}`", never.escape_debug()) };
        return Err(BadName::new(format!("holds {shown}, so no branch can match it"), format!("write {kind} {good}")));
    }
    if text.starts_with('/') {
        return Err(BadName::new(
            "begins with `/`, so no branch can match it",
            format!("write `{}`", text.trim_start_matches('/')),
        ));
    }
    if text.ends_with('/') {
        let folder = text.trim_end_matches('/');
        let fix = if kind == "a name" {
            format!("write `{folder}`")
        } else {
            format!("write `{folder}/**` for all below it")
        };
        return Err(BadName::new("ends with `/`, so no branch can match it", fix));
    }
    if text.contains("//") || text.contains("..") {
        let twice = if text.contains("//") { "//" } else { ".." };
        return Err(BadName::new(
            format!("holds `{twice}`, so no branch can match it"),
            format!("write {kind} {good}"),
        ));
    }
    Ok(())
}

fn check_length(text: &str) -> Result<(), BadName> {
    if text.len() <= LENGTH_AT_MOST {
        return Ok(());
    }
    Err(BadName::new(
        format!("is longer than {LENGTH_AT_MOST} bytes, and no name is"),
        "is a quote or a comma missing?",
    ))
}

impl BadName {
    fn new(problem: impl Into<String>, fix: impl Into<String>) -> BadName {
        BadName { problem: problem.into(), fix: fix.into() }
    }

    fn because(error: &globset::Error) -> BadName {
        let problem = format!("is no pattern: {}", error.kind());
        BadName::new(problem, "close what was opened, or put `\\` before a character that is meant as it stands")
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.problem, self.fix)
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pattern: &str, name: &str) -> bool {
        Patterns::new([pattern]).expect("a good pattern").matches(&RefName::from(name))
    }

    #[test]
    fn a_path_is_named_by_its_own_parts_or_by_folders_in_folders() {
        let names = |pattern: &str, path: &str| any_names_path(&[pattern.to_owned()], path);
        assert!(names("/srv/*.git", "/srv/a.git") && names("/srv/a?", "/srv/ab") && names("/srv/a", "/srv/a"));
        assert!(!names("/srv/*", "/srv/others/a.git") && !names("/srv/*.git", "/srv/others/a.git"));
        assert!(!names("/srv/a?b", "/srv/a/b") && !names("/srv/[", "/srv/["));
        assert!(
            names("/srv/**", "/srv/others/a.git") && names("/srv/**/a.git", "/srv/a.git") && names("/**", "/srv/a")
        );
        assert!(!any_names_path(&[], "/srv/a"));
    }

    #[test]
    fn one_star_stays_inside_a_part_and_two_cross_parts() {
        assert!(hits("feature/*", "refs/heads/feature/x"));
        assert!(!hits("feature/*", "refs/heads/feature/x/y"));
        assert!(hits("feature/**", "refs/heads/feature/x/y"));
        assert!(!hits("*", "refs/heads/feature/x"));
        assert!(hits("release-{1,2}.?", "refs/heads/release-2.7"));
    }

    #[test]
    fn full_short_and_remote_names_are_all_the_same_branch() {
        for pattern in ["refs/remotes/origin/dev", "origin/dev", "dev", "origin/*"] {
            assert!(hits(pattern, "refs/remotes/origin/dev"), "{pattern}");
        }
        assert!(!hits("dev", "refs/remotes/origin/x/dev"));
    }

    #[test]
    fn names_that_are_not_text_are_matched_by_their_bytes() {
        let name = RefName::new(b"refs/heads/a/\xff\xfe");
        assert!(Patterns::new(["a/*"]).expect("a good pattern").matches(&name));
        assert!(!Patterns::new([]).expect("no pattern at all").matches(&name));
    }

    #[test]
    fn a_pattern_that_no_branch_can_match_is_refused() {
        for pattern in ["", "/x", "x/", "a//b", "a..b", "a b", "a~1", "x^", "a:b", "[a", "{a", "a\nb"] {
            assert!(check_pattern(pattern).is_err(), "{pattern:?}");
        }
        assert!(check_pattern(&"x".repeat(LENGTH_AT_MOST)).is_ok());
        assert!(check_pattern(&"x".repeat(LENGTH_AT_MOST + 1)).is_err());
        for pattern in ["x", "**", "refs/heads/*", "a/{b,c}/**", "[ab]*", "@"] {
            assert_eq!(check_pattern(pattern), Ok(()), "{pattern:?}");
        }
    }

    #[test]
    fn a_name_is_no_pattern() {
        for name in ["*", "rel/*", "a[1]", "x.lock", "a/.b", "a@{1}"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(check_name("origin/release-1.2"), Ok(()));
    }

    #[test]
    fn wider_patterns_are_those_of_the_folders_around() {
        let wider = |pattern| wider_texts(pattern).collect::<Vec<_>>();
        assert_eq!(wider("a/b/*"), ["a/b/*", "**", "a/**", "a/b/**"]);
        assert_eq!(wider("a*/b"), ["a*/b", "**"]);
        assert_eq!(wider("a"), ["a", "**"]);
    }
}
