//! What was seen in the trees at the tips of the lines: submodules, large files, repositories inside.

use crate::{Known, RefName};

/// What one line holds at its tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The line.
    pub line: RefName,
    /// Submodules, and what is wrong with them.
    pub submodules: Known<Submodules>,
    /// Files that are kept outside by Git LFS.
    pub large_files: Known<LargeFiles>,
    /// Folders that are bare repositories, as text.
    pub bare_repositories: Known<Vec<String>>,
}

/// Submodules at the tip of a line. Paths and names are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submodules {
    /// Submodules in the tree.
    pub n_links: usize,
    /// Paths in the tree that `.gitmodules` does not name.
    pub not_named: Vec<String>,
    /// Paths that `.gitmodules` names and the tree does not hold.
    pub not_linked: Vec<String>,
    /// Submodules that were cloned and lack the commit that the tree names.
    pub without_commit: Vec<String>,
    /// Submodules whose address in the configuration differs from `.gitmodules`.
    pub other_address: Vec<String>,
    /// Cloned submodules that could not be read, with the reason.
    pub unread: Vec<(String, String)>,
    /// `.gitmodules` is no configuration, for this reason.
    pub bad_file: Option<String>,
}

/// Files at the tip of a line that Git LFS keeps outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFiles {
    /// Pointers in the tree, each object once.
    pub n_pointers: usize,
    /// Objects that are not here, and their bytes together.
    pub n_missing: usize,
    /// Bytes of the missing ones together.
    pub missing_bytes: u64,
    /// Objects that are here with another size than the pointer says.
    pub n_other_size: usize,
    /// Some paths of missing or wrong ones, as text.
    pub examples: Vec<String>,
    /// Files whose attributes want them outside, and which are in the history as they are.
    pub not_pointers: Known<Vec<String>>,
}

impl Default for LargeFiles {
    /// A tree without any.
    fn default() -> LargeFiles {
        LargeFiles {
            n_pointers: 0,
            n_missing: 0,
            missing_bytes: 0,
            n_other_size: 0,
            examples: Vec::new(),
            not_pointers: Known::Seen(Vec::new()),
        }
    }
}
