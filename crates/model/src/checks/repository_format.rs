//! `repository-format`: extensions that the git here does not know.

use super::{Check, Family, Outcome, Runbook, Seen};
use crate::{Known, Look, Remedy, Severity};

/// Extensions that need a newer git than the one in `PATH`. What nobody knows does not open at all.
pub(super) static CHECK: Check = Check {
    id: "repository-format",
    title: "The repository needs a newer git",
    looks_at: "`extensions.*` of the repository, against the version of git in `PATH`; a format that alignwatch does not know is an error when it is opened",
    why: "Such a git refuses every command here, while some other tools read on and get wrong answers",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Refs],
    git_says: Some("git rev-parse --git-dir (fatal: unknown repository extension found)"),
    runbook: Runbook {
        look: "`git config --file .git/config --get-regexp '^extensions'` lists them; `git version` shows the git",
        mend: "Install the git that the finding names, on every machine that uses the repository. Take no extension out of the configuration: the files stay as they are, and an older git misreads them",
        sure: "`git rev-parse --git-dir` ends with 0",
        undo: None,
    },
    threshold: None,
    judge,
};

/// The first git that knows an extension, by name, and by value where that counts. Source: release notes of Git.
const SINCE: [(&str, &str, (u64, u64)); 6] = [
    ("objectformat", "sha256", (2, 29)),
    ("refstorage", "", (2, 45)),
    ("compatobjectformat", "", (2, 45)),
    ("relativeworktrees", "", (2, 48)),
    ("submodulepathconfig", "", (2, 54)),
    ("worktreeconfig", "", (2, 20)),
];

fn judge(seen: &Seen<'_>) -> Outcome {
    let extensions = match &seen.snapshot.facts.extensions {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(extensions) => extensions,
    };
    let newer = extensions.iter().filter_map(|(name, value)| Some((name, value, since(name, value)?)));
    let newer: Vec<_> = newer.collect();
    if newer.is_empty() {
        return Outcome::default();
    }
    let text = match &seen.snapshot.repository.git_version {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(text) => text,
    };
    let Some(have) = number(text) else { return Outcome::unknown(format!("`{text}` is no version of git")) };
    let needed: Vec<_> = newer.iter().filter(|(.., since)| have < *since).collect();
    let Some(most) = needed.iter().map(|(.., since)| *since).max() else { return Outcome::default() };
    let first = needed[0];
    let summary =
        format!("The repository needs git {}.{} or newer for `extensions.{}`; here is {text}", most.0, most.1, first.0);
    Outcome::found(vec![
        seen.finding(Severity::Error, "", "repository", summary)
            .names("extensions", needed.iter().map(|(name, value, since)| format!("{name}={value}: git {}.{}", since.0, since.1)))
            .fact("git_version", text.as_str())
            .fact("source", "extensions.* of the repository's configuration")
            .so("This git refuses every command here; what alignwatch asks it stays unknown.")
            .mend(Remedy::reversible(
                "Install a newer git. Do not take the extension out: the files would be misread. The command shows what is set.",
                ["git version".to_owned()],
            )),
    ])
}

fn since(name: &str, value: &str) -> Option<(u64, u64)> {
    SINCE.iter().find(|row| row.0 == name && (row.1.is_empty() || row.1 == value)).map(|row| row.2)
}

/// The first two numbers of a version.
fn number(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn with(extensions: &[(&str, &str)]) -> Snapshot {
        let mut snapshot = snapshot([]);
        let extensions = extensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        snapshot.facts.extensions = Known::Seen(extensions.collect());
        snapshot
    }

    #[test]
    fn what_this_git_knows_is_fine() {
        for extensions in
            [&[][..], &[("objectformat", "sha1")], &[("refstorage", "reftable"), ("objectformat", "sha256")]]
        {
            assert_eq!(judged(&CHECK, &with(extensions)), Outcome::default(), "{extensions:?}");
        }
    }

    #[test]
    fn what_needs_a_newer_git_names_the_version() {
        assert_eq!(
            told([&only(judged(&CHECK, &with(&[("relativeworktrees", "true")])))]),
            "[error] repository-format: The repository needs git 2.48 or newer for `extensions.relativeworktrees`; here is 2.47.3"
        );
    }

    #[test]
    fn what_could_not_be_read_is_unknown() {
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
        let mut seen = with(&[("refstorage", "files")]);
        seen.repository.git_version = Known::Unknown("there is no git".into());
        assert_eq!(judged(&CHECK, &seen), Outcome::unknown("there is no git"));
    }
}
