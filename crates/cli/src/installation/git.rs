//! `git`: the git that answers for us, and what it is known to get wrong.

use alignwatch_git::run::GitError;
use alignwatch_model::{Remedy, Severity};

use super::{Around, Examination, Told, shown, with};

/// Is there a git, is it young enough, and has it known bugs?
pub(super) static EXAMINATION: Examination = Examination {
    id: "git",
    title: "Git",
    why: "Predicted merges, settings and some refs are Git's to answer; without it they are unknown",
    examine,
};

fn examine(around: &Around) -> Told {
    let git = match &around.git {
        Ok(git) => git,
        Err(error) => return without(error),
    };
    let version = git.version();
    let told = Told::well(format!("git {} at {}", version.text, shown(git.program())));
    version.known_bugs().into_iter().fold(told, |told, bug| {
        let upgrade = Remedy::reversible("Install another version of Git.", ["git --version".to_owned()]);
        told.but(with(
            EXAMINATION.finding(&bug.told, Severity::Warning, bug.told.clone(), upgrade),
            "source",
            "git --version",
        ))
    })
}

fn without(error: &GitError) -> Told {
    let words = match error {
        GitError::NotFound => "Install git 2.39 or later, or put its folder into PATH.",
        GitError::TooOld { .. } => "Install git 2.39 or later.",
        _ => "Look why it does not answer.",
    };
    let remedy = Remedy::reversible(words, ["git --version".to_owned()]);
    Told::well("no usable git").but(EXAMINATION.finding("none", Severity::Error, error.to_string(), remedy))
}
