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

/// A merge on a line that kept one side whole, although the other had something that it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedSide {
    /// The line.
    pub line: RefName,
    /// The merge.
    pub oid: Oid,
    /// When it was committed.
    pub at: Timestamp,
    /// Its author, as `Name <address>`; empty when that could not be read.
    pub by: String,
    /// The side of the line was kept, and not the one that was merged.
    pub kept_line: bool,
    /// Files whose change on the other side is gone.
    pub n_paths: usize,
    /// The first of them, as text.
    pub paths: Vec<String>,
}

/// Merges that kept one side whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedSides {
    /// Merges whose tree is that of one parent, and that were looked into.
    pub n_merges: usize,
    /// Those that lost something, the newest first.
    pub found: Vec<DroppedSide>,
    /// Those that could not be looked into, with the reason.
    pub unread: Vec<(Oid, String)>,
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
