//! The past year of a repository, week by week, as its commits and merges tell it.
//!
//! What it can't tell: branches that were deleted are not there; of a branch that was rebased, only the commits that
//! it has now, by the dates that those have; nothing is known of what was merged as other commits (squash, rebase).

use crate::{RefName, Span, Timestamp};

/// A year, by weeks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Where each week ends, oldest first: Mondays at midnight (UTC), and last the time of the look itself.
    pub ends: Vec<Timestamp>,
    /// The lines, the most important first.
    pub lines: Vec<LinePast>,
    /// Branches that have, or had until they landed, commits of their own, in order of name.
    pub branches: Vec<BranchPast>,
    /// Branches that were left out, since when they landed is not known, or their history can't be read.
    pub n_left_out: usize,
}

/// A line in that year.
#[derive(Clone, Debug, PartialEq)]
pub struct LinePast {
    /// Its full name.
    pub name: RefName,
    /// Commits in its history at each end; `None` before it began.
    pub n_commits: Vec<Option<u32>>,
    /// When the commits of its first-parent line came, in the year and the four weeks before it, in order.
    pub moves: Vec<Timestamp>,
    /// What was merged into it, in order of time.
    pub landings: Vec<Landing>,
}

/// Something that was merged into a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// When.
    pub at: Timestamp,
    /// How long before that its first commit was made.
    pub took: Span,
}

/// A branch in that year.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchPast {
    /// Its full name.
    pub name: RefName,
    /// Full name of its base.
    pub base: RefName,
    /// How it stood at each end; `None` before it had a commit of its own, and after it landed.
    pub stood: Vec<Option<Stood>>,
    /// When its base was merged into it, and how long it had lacked something then; in order of time.
    pub alignments: Vec<Landing>,
}

/// How a branch stood to its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stood {
    /// Commits that the base lacked.
    pub ahead: u32,
    /// Commits that the branch lacked.
    pub behind: u32,
    /// When the base first moved past what the branch has; `None` = it had not.
    pub left_at: Option<Timestamp>,
}

impl Past {
    /// Weeks before the look, without the look itself.
    pub fn n_weeks(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }
}
