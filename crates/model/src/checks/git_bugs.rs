//! `known-bad-git`: a git with known bugs that touch alignment.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity};

/// The installed git has a bug that changes answers or loses data here, as one finding.
pub(super) static CHECK: Check = Check {
    id: "known-bad-git",
    title: "Git version with known bugs",
    looks_at: "The version of the git executable, against a table of bugs that touch drift, merges and maintenance",
    why: "The same commands give wrong answers in people's hands, whatever is shown here",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Refs],
    git_says: Some("git --version"),
    runbook: Runbook {
        look: "`git --version` on every machine that aligns, and the sentence about the bug in the finding",
        mend: "Install another version of Git. Until then ask for all merge bases: `git merge-base --all`",
        sure: "`git --version` names a version that is not in the finding",
        undo: Some("Install the old version again"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.repository.git_version {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(version) => Outcome::found(found(seen, version).into_iter().collect()),
    }
}

fn found(seen: &Seen<'_>, version: &str) -> Option<Finding> {
    let bugs = &seen.snapshot.repository.git_bugs;
    let first = bugs.first()?;
    let summary =
        format!("git {version} has {} that can touch this repository: {first}", count(bugs.len(), "known bug"));
    Some(
        seen.finding(Severity::Error, version, format!("git {version}"), summary)
            .fact("git_version", version)
            .names("bugs", bugs.iter().map(|bug| bug.told.as_str()))
            .fact("source", "git --version")
            .so("Merge bases, and with them ahead, behind and merges, can come out wrong in scripts and by hand.")
            .mend(Remedy::reversible("Install another version of Git.", ["git --version".to_owned()])),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::snapshot::{GitBug, GitPart};

    #[test]
    fn a_sound_version_is_fine() {
        assert_eq!(judged(&CHECK, &snapshot([])), Outcome::default());
    }

    #[test]
    fn known_bugs_are_one_error() {
        let mut snapshot = snapshot([]);
        snapshot.repository.git_version = Known::Seen("2.55.0".into());
        snapshot.repository.git_bugs =
            vec![GitBug { touches: GitPart::Answers, told: "merge-base may name a wrong base".into() }];
        assert_eq!(
            told([&only(judged(&CHECK, &snapshot))]),
            "[error] known-bad-git:2.55.0: git 2.55.0 has 1 known bug that can touch this repository: merge-base may name a wrong base"
        );
    }

    #[test]
    fn a_version_that_could_not_be_asked_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.repository.git_version = Known::Unknown("git was not found".into());
        assert_eq!(judged(&CHECK, &snapshot), Outcome::unknown("git was not found"));
    }
}
