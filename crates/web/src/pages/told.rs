//! How states, severities, names and times look: the same everywhere, by colour, shape and word.

use alignwatch_model::{Span, Status, Timestamp, branch::State, record::GONE, run::Outcome, words::thousands};
use askama::Template;

/// A word with its colour and its shape, so that neither colour nor shape alone has to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "mark.html")]
pub(super) struct Mark {
    /// The class of its colour, as in `style.css`.
    pub(super) tone: &'static str,
    /// The symbol, as in `symbols.html`.
    pub(super) shape: &'static str,
    pub(super) word: &'static str,
}

/// Tone and shape of a state. Source: the colours of Okabe and Ito, which people with any colour vision tell apart.
pub(super) fn state(state: State) -> Mark {
    let (tone, shape, word) = match state {
        State::Unknown => ("unknown", "ring", "unknown"),
        State::Unrelated => ("unrelated", "cross", "unrelated"),
        State::Aligned => ("aligned", "disc", "aligned"),
        State::Merged => ("merged", "square", "merged"),
        State::Behind => ("behind", "dash", "behind"),
        State::Continued => ("continued", "half", "continued"),
        State::Reverted => ("reverted", "frame", "reverted"),
        State::SquashMerged => ("merged", "square", "squash merged"),
        State::Conflicting => ("conflicting", "triangle", "conflicting"),
        State::Diverged => ("diverged", "diamond", "diverged"),
    };
    Mark { tone, shape, word }
}

/// What a state means, in a sentence part.
pub(super) fn meaning(state: State) -> &'static str {
    match state {
        State::Unknown => "could not be judged",
        State::Unrelated => "shares no commit with its base",
        State::Aligned => "contains its base",
        State::Merged => "all of it is in the base",
        State::Behind => "has nothing of its own",
        State::Continued => "landed, and then went on",
        State::Reverted => "landed, and was taken back",
        State::SquashMerged => "all of it is in the base, as other commits",
        State::Conflicting => "both sides moved, and a merge conflicts",
        State::Diverged => "both sides moved, and a merge is clean",
    }
}

/// Health, or a severity, by the word that the store has for it.
pub(super) fn health(word: &str) -> Mark {
    if word == GONE {
        return Mark { tone: "error", shape: "cross", word: GONE };
    }
    let status = [Status::Ok, Status::Info, Status::Warning, Status::Error, Status::Critical, Status::Skipped];
    let (tone, shape, word) = match status.into_iter().find(|status| status.word() == word) {
        Some(Status::Ok) => ("ok", "disc", "ok"),
        Some(Status::Info) => ("info", "dash", "info"),
        Some(Status::Warning) => ("warning", "diamond", "warning"),
        Some(Status::Error) => ("error", "triangle", "error"),
        Some(Status::Critical) => ("critical", "square", "critical"),
        Some(Status::Skipped) => ("unknown", "dash", "skipped"),
        // What is not known is never shown as healthy.
        Some(Status::Unknown) | None => ("unknown", "ring", "unknown"),
    };
    Mark { tone, shape, word }
}

/// A time as people read it now, with the exact one beside it.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "ago.html")]
pub(super) struct Ago {
    at: Timestamp,
    now: Timestamp,
}

impl Ago {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Ago {
        Ago { at, now }
    }

    fn exact(&self) -> String {
        self.at.rfc3339()
    }

    fn told(&self) -> String {
        let span = self.now.since(self.at);
        if span.0 < 0 { format!("in {}", alignwatch_model::Span(-span.0)) } else { format!("{span} ago") }
    }
}

/// A number, or a mark that it is not known.
pub(super) fn number(n: Option<u32>) -> String {
    n.map_or_else(|| "?".to_owned(), |n| thousands(n as usize))
}

/// A ref without what all branches have in front.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/remotes/")).unwrap_or(name)
}

/// The name of an author without the address.
pub(super) fn person(author: &str) -> &str {
    match author.split_once('<') {
        Some((name, _)) if !name.trim().is_empty() => name.trim(),
        _ => author,
    }
}

/// The last part of a path, by which people call a repository.
pub(super) fn called(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/.git").unwrap_or(path);
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// The end of a path, which says more than its beginning.
pub(super) fn tail(path: &str, at_most: usize) -> String {
    match path.chars().count() {
        n if n <= at_most => path.to_owned(),
        n => format!("…{}", path.chars().skip(n + 1 - at_most).collect::<String>()),
    }
}

/// The address of a page about a branch.
pub(super) fn branch_path(repository: &str, name: &str) -> String {
    format!("/repositories/{}/branch?name={}", encoded(repository), encoded(name))
}

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// How a run ended; `None` = it is under way.
pub(super) fn outcome(outcome: Option<Outcome>) -> Mark {
    let (tone, shape, word) = match outcome {
        None => ("info", "half", "under way"),
        Some(Outcome::Aligned) => ("ok", "disc", "aligned"),
        Some(Outcome::NoOp) => ("behind", "dash", "nothing to do"),
        Some(Outcome::Skipped) => ("behind", "dash", "skipped"),
        Some(Outcome::RolledBack) => ("warning", "frame", "rolled back"),
        Some(Outcome::Aborted) => ("warning", "cross", "aborted"),
        Some(Outcome::TimedOut) => ("warning", "diamond", "timed out"),
        Some(Outcome::Blocked) => ("warning", "frame", "blocked"),
        Some(Outcome::Conflict) => ("conflicting", "triangle", "conflict"),
        Some(Outcome::Failed) => ("error", "triangle", "failed"),
        Some(Outcome::Lost) => ("unknown", "cross", "lost"),
        Some(Outcome::Unknown) => ("unknown", "ring", "unknown"),
    };
    Mark { tone, shape, word }
}

/// A length of time that was measured: `0.4 s`, `12 s`, `3 min`.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        _ => Span(seconds.round() as i64).to_string(),
    }
}

/// A sentence of ours in which foreign names stand between backticks: they become code.
#[derive(Clone, Debug, Template)]
#[template(path = "prose.html")]
pub(super) struct Prose(String);

impl Prose {
    pub(super) fn new(text: impl Into<String>) -> Prose {
        Prose(text.into())
    }

    /// Its parts, and whether each is code.
    fn parts(&self) -> Vec<(&str, bool)> {
        let parts: Vec<&str> = self.0.split('`').collect();
        // A backtick without its partner is a backtick.
        if parts.len().is_multiple_of(2) {
            return vec![(&self.0, false)];
        }
        parts.into_iter().enumerate().map(|(n, part)| (part, n % 2 == 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_backticks_become_code_and_stay_text() {
        let told = |text: &str| Prose::new(text).render().unwrap();
        assert_eq!(told("`a<b>` is behind `main`"), "<code>a&#60;b&#62;</code> is behind <code>main</code>");
        assert_eq!(told("one ` alone"), "one ` alone");
    }

    #[test]
    fn people_and_repositories_are_called_by_their_short_names() {
        assert_eq!(person("A B <a@b.example>"), "A B");
        assert_eq!(person("<a@b.example>"), "<a@b.example>");
        assert_eq!([called("/srv/billing/.git"), called("/srv/billing/"), called("/")], ["billing", "billing", ""]);
        assert_eq!([tail("a/b.rs", 9), tail("crates/a/b.rs", 7)], ["a/b.rs", "…a/b.rs"]);
        assert_eq!(branch_path("1f", "refs/heads/a b&c"), "/repositories/1f/branch?name=refs/heads/a%20b%26c");
    }

    #[test]
    fn what_is_not_known_is_never_shown_as_healthy() {
        assert_eq!((health("gone").word, health("gone").tone), ("gone", "error"));
        assert_eq!([health("unknown").tone, health("whatever").tone], ["unknown", "unknown"]);
        assert_eq!(number(None), "?");
    }
}
