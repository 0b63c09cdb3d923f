//! What was seen of the worktrees: where they are, what they hold, what is not merged in them.

use crate::{Known, Oid, RefName, Timestamp};

/// One worktree: the main one, or a linked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Its files, as text; empty where that is not written down.
    pub path: String,
    /// The folder in which it keeps HEAD and index, below the git directory, as text; empty for the main one.
    pub git_dir: String,
    /// The branch that its HEAD is on; `None` = a detached HEAD.
    pub branch: Known<Option<RefName>>,
    /// Are its files there, and do they name it as theirs?
    pub place: Known<Place>,
    /// It was locked against removal.
    pub lock: Known<Option<WorktreeLock>>,
    /// Paths in its index that a merge left open.
    pub unmerged: Known<Unmerged>,
    /// What is damaged in its index; `None` = nothing, or it has none. Unknown: it is of a kind that is not read here.
    pub index_damage: Known<Option<String>>,
    /// Since when its folder in the git directory was not written to.
    pub used_at: Known<Timestamp>,
}

/// Where the files of a worktree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where they should be.
    Here,
    /// There is nothing at that path.
    Gone,
    /// The path exists, and its `.git` names another place: the worktree was moved, or replaced by something else.
    Foreign,
}

/// A worktree that was locked against removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeLock {
    /// What the lock says, as text.
    pub reason: String,
    /// The process that the reason names, and whether it is alive; `None` = it names none.
    pub process: Option<(u32, Known<bool>)>,
}

/// Paths of an index that a merge left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmerged {
    /// Distinct paths.
    pub n_paths: usize,
    /// The first of them, as text.
    pub examples: Vec<String>,
}

/// Changes in a worktree that no commit holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The worktree's files, as text.
    pub path: String,
    /// The branch that its HEAD is on.
    pub branch: Option<RefName>,
    /// Its HEAD.
    pub head: Option<Oid>,
    /// What differs; unknown when Git could not tell.
    pub changed: Known<Changed>,
}

/// What differs in a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Tracked paths that differ from the commit.
    pub n_paths: usize,
    /// Paths that are reported as changed although no line differs but for its end.
    pub only_line_ends: Vec<String>,
}
