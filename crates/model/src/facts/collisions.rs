//! Paths at the tips of branches that are one and the same on some file systems.

use crate::RefName;

/// Paths that fall together, by branch tips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collisions {
    /// Paths that fall together, those on the most branches first.
    pub groups: Vec<Collision>,
    /// Trees that could not be looked into, as sentence parts, each with the number of branches.
    pub unread: Vec<(String, u32)>,
}

/// Two or more paths of one tree that differ only in case, or in the way a letter is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The paths, as text.
    pub paths: Vec<String>,
    /// They differ in case; otherwise only in Unicode's forms.
    pub is_case: bool,
    /// Branches that hold them, at most a hundred.
    pub branches: Vec<RefName>,
    /// How many branches hold them.
    pub n_branches: u32,
}
