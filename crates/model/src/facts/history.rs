//! What was seen of the history of lines: whether it was rewritten, and whether its dates can be right.

use crate::{Oid, RefName, Timestamp};

/// A line's tip that is no part of the line any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The line.
    pub line: RefName,
    /// The tip that was left.
    pub old: Oid,
    /// The tip that took its place, where that is known.
    pub new: Option<Oid>,
    /// When that happened, or when we saw it first.
    pub at: Timestamp,
    /// Where it is known from, as a sentence part.
    pub because: String,
    /// Branches that still stand on the old tip.
    pub n_branches: usize,
    /// It was seen at a remote or by ourselves, so that others have seen the old tip, too.
    pub was_public: bool,
}

/// Whether each line was rewritten, as far as that could be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrites {
    /// The newest rewrite of each line that was.
    pub found: Vec<Rewrite>,
    /// Lines of which it could not be told, with the reason.
    pub unread: Vec<(RefName, String)>,
}

/// Dates of commits that cannot be right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// Commits that were looked at.
    pub n_commits: usize,
    /// Commits that are older than a parent, by committer date.
    pub n_before_parent: usize,
    /// The one that is furthest before its parent, and by how many seconds.
    pub furthest: Option<(Oid, i64)>,
    /// Commits that are more than a day in the future.
    pub n_in_future: usize,
    /// The one that is furthest in the future, and its date.
    pub latest: Option<(Oid, Timestamp)>,
}
