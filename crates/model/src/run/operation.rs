//! One branch in a run: where it was and is, what was done to it, and what came of that.

use serde::{Deserialize, Serialize};

use super::Outcome;

/// What was done to a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It has what it had, and took commits of its base in.
    Merge,
    /// Its commits were made anew on commits of its base that it lacked.
    Rebase,
    /// It has what it had, and went on along its base.
    FastForward,
    /// It has what it had, and nothing of its base came in.
    Commit,
    /// Commits were made anew or left out, and nothing of its base came in.
    Rewrite,
    /// It is new.
    Create,
    /// It is gone.
    Delete,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 7] = [Op::Merge, Op::Rebase, Op::FastForward, Op::Commit, Op::Rewrite, Op::Create, Op::Delete];

    /// In a word, as JSON and metrics have it.
    pub fn word(self) -> &'static str {
        match self {
            Op::Merge => "merge",
            Op::Rebase => "rebase",
            Op::FastForward => "fast_forward",
            Op::Commit => "commit",
            Op::Rewrite => "rewrite",
            Op::Create => "create",
            Op::Delete => "delete",
        }
    }

    /// The one with this word.
    pub fn from_word(word: &str) -> Option<Op> {
        Op::ALL.into_iter().find(|op| op.word() == word)
    }

    /// What a move of a branch was, in numbers of commits: those that only the old tip reaches, those that only the new one
    /// does, and those of the base that it lacks no more.
    pub fn of_move(n_left: u32, n_new: u32, n_of_base: u32) -> Op {
        match (n_left, n_of_base) {
            (0, 0) => Op::Commit,
            (0, _) if n_new == n_of_base => Op::FastForward,
            (0, _) => Op::Merge,
            (_, 0) => Op::Rewrite,
            // Nothing of its own is left: it was put where its base is, or all that it had is there.
            (_, _) if n_new == n_of_base => Op::Rewrite,
            (_, _) => Op::Rebase,
        }
    }
}

/// One branch and its base in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Full name of the branch.
    pub branch: String,
    /// Full name of its base, when one was known.
    #[serde(default)]
    pub base: Option<String>,
    /// Where the base was when the run ended.
    #[serde(default)]
    pub base_oid: Option<String>,
    /// The tip before; `None` when there was none.
    #[serde(default)]
    pub before: Option<String>,
    /// The tip after; `None` when it is gone.
    #[serde(default)]
    pub after: Option<String>,
    /// What was done to it; `None` = it is not known.
    #[serde(default)]
    pub op: Option<Op>,
    /// Commits of the base that the branch lacked before.
    #[serde(default)]
    pub behind_before: Option<u32>,
    /// Commits of the base that it lacks after.
    #[serde(default)]
    pub behind_after: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// What that rests on, as a sentence part.
    #[serde(default)]
    pub because: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for op in Op::ALL {
            assert_eq!(serde_json::to_string(&op).unwrap(), format!("\"{}\"", op.word()));
            assert_eq!(Op::from_word(op.word()), Some(op));
        }
        assert_eq!(Op::from_word("align"), None);
    }

    #[test]
    fn a_move_is_named_by_what_came_and_what_went() {
        assert_eq!(Op::of_move(0, 2, 0), Op::Commit);
        assert_eq!(Op::of_move(0, 3, 3), Op::FastForward);
        assert_eq!(Op::of_move(0, 4, 3), Op::Merge);
        assert_eq!(Op::of_move(1, 1, 0), Op::Rewrite);
        assert_eq!(Op::of_move(1, 3, 3), Op::Rewrite);
        assert_eq!(Op::of_move(1, 4, 3), Op::Rebase);
    }
}
