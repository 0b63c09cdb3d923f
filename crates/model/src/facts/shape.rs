//! The shape of all history: how many objects of each kind, how large, how deep.
//!
//! Definitions are those of git-sizer: what all refs reach, each object once; a
//! checkout is one commit's tree with every file in it, however often it occurs.

use serde::{Deserialize, Serialize};

use crate::Oid;

/// From this size on a blob is listed, in bytes.
pub const LISTED_BLOB_BYTES: u64 = 1_000_000;

/// The shape of what all refs reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Distinct commits.
    pub n_commits: u64,
    /// Their size in bytes.
    pub commit_bytes: u64,
    /// The largest commit, in bytes.
    pub max_commit_bytes: Peak,
    /// The most parents of one commit.
    pub max_parents: Peak,
    /// The longest chain of commits.
    pub max_history_depth: u64,
    /// Distinct trees.
    pub n_trees: u64,
    /// Their size in bytes.
    pub tree_bytes: u64,
    /// Entries of all distinct trees.
    pub n_tree_entries: u64,
    /// The most entries of one tree.
    pub max_tree_entries: Peak,
    /// Distinct blobs.
    pub n_blobs: u64,
    /// Their size in bytes.
    pub blob_bytes: u64,
    /// The largest blob, in bytes.
    pub max_blob_bytes: Peak,
    /// Distinct annotated tags.
    pub n_tags: u64,
    /// The longest chain of tags that name each other.
    pub max_tag_depth: Peak,
    /// All refs.
    pub n_refs: u64,
    /// The most folders in one checkout, its root among them.
    pub max_directories: Peak,
    /// The most folders and files inside of each other.
    pub max_path_depth: Peak,
    /// The longest path, in bytes.
    pub max_path_bytes: Peak,
    /// The most files in one checkout.
    pub max_files: Peak,
    /// The largest checkout, in bytes of its files.
    pub max_checkout_bytes: Peak,
    /// The most symbolic links in one checkout.
    pub max_links: Peak,
    /// The most submodules in one checkout.
    pub max_submodules: Peak,
    /// The largest blobs of [`LISTED_BLOB_BYTES`] or more, the largest first; a hundred at most.
    pub big_blobs: Vec<BigBlob>,
    /// Objects that could not be read, and what hangs on them is not counted.
    pub n_unread: u64,
    /// Why the first of them could not be read.
    pub unread_reason: String,
}

/// The greatest value of something, and the object that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The value.
    pub value: u64,
    /// The first object that was seen with it.
    pub oid: Option<Oid>,
}

/// A large blob.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BigBlob {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its id.
    pub oid: Oid,
    /// Its file name in the first tree that was seen with it, as text.
    pub name: String,
}

impl Peak {
    /// Takes the value in, if it is greater.
    pub fn reach(&mut self, value: u64, oid: Oid) {
        if self.value < value {
            *self = Peak { value, oid: Some(oid) };
        }
    }
}
