//! Asks each remote for its default branch, with nobody's keys, passwords or programs.
//!
//! Git is run outside of the repository, with the address alone: no setting of the
//! repository counts, so none of its programs can run. What can only be asked with
//! a person's own setup (ssh, a password, a helper program) is unknown.

use std::time::Duration;

use alignwatch_model::{
    Known, RefName,
    facts::settings::{Answer, RemoteAnswer},
};

use super::settings::{Rewrites, addresses};
use crate::{
    hazards::without_secrets,
    run::{Entry, Git, GitError, Limits},
    stop::Stop,
};

/// How long a remote may take to answer. Source: ours; a slow server over a slow line takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Remotes that are asked.
const REMOTES_AT_MOST: usize = 50;

/// The answer of each remote, by name.
pub(crate) fn ask(git: &Git, entries: &[Entry], stop: &Stop) -> Vec<RemoteAnswer> {
    let rules = Rewrites::of(entries);
    let remotes = addresses(entries).into_iter().take(REMOTES_AT_MOST);
    let answer = |(name, url): (&[u8], &[u8])| RemoteAnswer {
        name: RefName::new(name).text().into_owned(),
        answer: match stop.reason() {
            Some(reason) => Known::Unknown(reason),
            None => ask_one(git, &rules.fetch(url)),
        },
    };
    remotes.map(answer).collect()
}

fn ask_one(git: &Git, url: &[u8]) -> Known<Answer> {
    if let Err(reason) = may_ask(url) {
        return Known::Unknown(reason.to_owned());
    }
    let limits = Limits { time: PATIENCE, stdout_bytes: 1 << 20, ..Limits::default() };
    let call = git.outside("ls-remote").reaching_remotes().option("--symref").limits(limits);
    match call.revision(url).revision("HEAD").run() {
        Ok(said) => Known::Seen(Answer::Default(default_of(&said.stdout))),
        Err(error) => refusal(&error),
    }
}

/// Why an address is not asked, as a sentence part.
fn may_ask(url: &[u8]) -> Result<(), &'static str> {
    let text = String::from_utf8_lossy(url);
    if without_secrets(&text) != text {
        return Err("its address holds a password, which is not used");
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("https" | "http" | "git" | "file") => Ok(()),
        Some("ssh" | "git+ssh" | "ssh+git") => Err(OWN_KEYS),
        Some(_) => Err("its address needs a helper program, which is not run"),
        None if text.starts_with('/') => Ok(()),
        None if text.contains("::") => Err("its address needs a helper program, which is not run"),
        None if text.contains(':') => Err(OWN_KEYS),
        None => Err("its address is relative to a folder"),
    }
}

const OWN_KEYS: &str = "it is asked by ssh with somebody's own keys; try git ls-remote";

/// The ref behind `ref: ` in the line of HEAD.
fn default_of(said: &[u8]) -> Option<String> {
    let line = said.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"ref: "))?;
    let name = line.strip_suffix(b"\tHEAD")?;
    Some(RefName::new(name).text().into_owned())
}

/// What is the remote's fault, and what only needs a person.
fn refusal(error: &GitError) -> Known<Answer> {
    const NEEDS_PERSON: [&str; 5] = [
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "terminal prompts disabled",
        "dubious ownership",
    ];
    match error {
        GitError::Failed { message, .. } if NEEDS_PERSON.iter().any(|words| message.contains(words)) => {
            Known::Unknown("it asks who we are, and nobody's password is used; try git ls-remote".into())
        }
        GitError::Failed { message, .. } => Known::Seen(Answer::Failed(without_secrets(message))),
        GitError::TimedOut { seconds, .. } => {
            Known::Seen(Answer::Failed(format!("it did not answer within {seconds} s")))
        }
        other => Known::Unknown(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_person_or_a_program_is_not_asked() {
        for url in ["https://example.org/x", "git://example.org/x", "file:///x", "/x/y"] {
            assert_eq!(may_ask(url.as_bytes()), Ok(()), "{url}");
        }
        for url in [
            "ssh://example.org/x",
            "git@example.org:x",
            "https://u:p@example.org/x",
            "ext::sh -c x",
            "foo::bar",
            "foo://bar",
            "../x",
            "-x",
            "",
        ] {
            assert!(may_ask(url.as_bytes()).is_err(), "{url}");
        }
    }

    #[test]
    fn the_default_branch_is_taken_from_the_line_of_head() {
        assert_eq!(default_of(b"ref: refs/heads/trunk\tHEAD\n0123\tHEAD\n").unwrap(), "refs/heads/trunk");
        assert_eq!(default_of(b"0123\tHEAD\n"), None, "an old server does not say");
        assert_eq!(default_of(b""), None, "an empty repository has none");
    }
}
