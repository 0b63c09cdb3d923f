//! What was seen of the place a repository lies in: owner, permissions, file system, times.

use crate::{Known, Timestamp};

/// The folder and file system of a repository.
#[derive(Clone, Debug)]
pub struct Site {
    /// Bytes of the largest pack; 0 = there is none.
    pub largest_pack_bytes: Known<u64>,
    /// Bytes free for us on its file system.
    pub free_bytes: Known<u64>,
    /// What stands in the git directory and belongs to somebody else, below it, as text.
    pub foreign: Known<Vec<String>>,
    /// What everybody may write to, below the git directory, as text.
    pub open_to_all: Known<Vec<String>>,
    /// Several people are meant to write here (`core.sharedRepository`).
    pub is_shared: bool,
    /// The youngest time of what stands in the git directory.
    pub newest_file_at: Known<Timestamp>,
    /// Other machines may work on the file system.
    pub is_network: Known<bool>,
    /// The file system takes `A` and `a` for the same name.
    pub ignores_case: Known<bool>,
    /// What the configuration says of that (`core.ignoreCase`).
    pub says_ignores_case: bool,
}
