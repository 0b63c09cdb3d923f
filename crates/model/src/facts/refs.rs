//! What was seen of refs besides branches.

use crate::RefName;

/// Refs that get in the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefFacts {
    /// Tags whose short name is also that of a local branch.
    pub tags_named_like_branches: Vec<RefName>,
    /// Names of all remotes' tracking refs and branches that cannot be stored beside another as files: the name, and the one it is in the way of.
    pub in_the_way: Vec<(RefName, RefName)>,
    /// Refs that tools leave behind, by their folder: how many there are. Only folders that hold some.
    pub left_behind: Vec<(String, usize)>,
    /// Local branches whose commit a tracking ref points to as well, sorted.
    pub on_a_remote: Vec<RefName>,
    /// All refs.
    pub n_refs: usize,
}
