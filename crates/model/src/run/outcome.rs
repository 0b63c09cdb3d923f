//! How runs and operations end: words, never a bare bool.

use serde::{Deserialize, Serialize};

/// How a run, or one branch in it, ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The branch contains its base, and did not before.
    Aligned,
    /// There was nothing to do, or nothing was done.
    NoOp,
    /// Not begun, on purpose.
    Skipped,
    /// It was taken back; the refs are as before.
    RolledBack,
    /// Somebody ended it.
    Aborted,
    /// It took too long and was ended.
    TimedOut,
    /// It waits for something else: an older operation, a person, a commit that is due.
    Blocked,
    /// It stopped at a conflict and left an operation half done.
    Conflict,
    /// It failed.
    Failed,
    /// Nothing was heard of it any more.
    Lost,
    /// It could not be judged, or it was not said.
    #[default]
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 11] = [
        Outcome::Aligned,
        Outcome::NoOp,
        Outcome::Skipped,
        Outcome::RolledBack,
        Outcome::Aborted,
        Outcome::TimedOut,
        Outcome::Blocked,
        Outcome::Conflict,
        Outcome::Failed,
        Outcome::Lost,
        Outcome::Unknown,
    ];

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Aligned => "aligned",
            Outcome::NoOp => "no_op",
            Outcome::Skipped => "skipped",
            Outcome::RolledBack => "rolled_back",
            Outcome::Aborted => "aborted",
            Outcome::TimedOut => "timed_out",
            Outcome::Blocked => "blocked",
            Outcome::Conflict => "conflict",
            Outcome::Failed => "failed",
            Outcome::Lost => "lost",
            Outcome::Unknown => "unknown",
        }
    }

    /// It went well, or was meant so.
    pub fn is_well(self) -> bool {
        matches!(self, Outcome::Aligned | Outcome::NoOp | Outcome::Skipped | Outcome::RolledBack)
    }

    /// The outcome with this word.
    pub fn from_word(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{}\"", outcome.word()));
            assert_eq!(Outcome::from_word(outcome.word()), Some(outcome));
        }
        assert_eq!(Outcome::from_word("success"), None);
    }
}
