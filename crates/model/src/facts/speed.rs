//! What makes Git fast, and whether it is there: indexes of history, packs and files, few files for refs, upkeep.

use crate::{Known, Timestamp};

/// What makes Git fast.
#[derive(Clone, Debug)]
pub struct Speed {
    /// The commit-graph, as its files say.
    pub commit_graph: Known<GraphFiles>,
    /// The index over several packs (MIDX); `None` = there is none.
    pub pack_index: Known<Option<PackIndex>>,
    /// How refs are stored.
    pub refs: RefStore,
    /// The index of the working tree; `None` = there is none.
    pub index: Known<Option<Index>>,
    /// What stopped Git's upkeep the last time (`gc.log`); `None` = nothing.
    pub gc_log: Known<Option<GcLog>>,
    /// What the repository's own configuration says about upkeep.
    pub upkeep: Upkeep,
}

/// The files of a commit-graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphFiles {
    /// It is a chain of layers, not one file.
    pub is_chain: bool,
    /// Its layers, the oldest first; none = there is no commit-graph.
    pub layers: Vec<GraphLayer>,
}

/// One file of a commit-graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLayer {
    /// Commits in it.
    pub n_commits: u32,
    /// It has Bloom filters of changed paths (chunks BIDX and BDAT).
    pub has_changed_paths: bool,
    /// It has corrected commit dates (chunk GDA2).
    pub has_corrected_dates: bool,
}

/// An index over several packs, with all its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackIndex {
    /// Names of the packs in it, without their ending, sorted.
    pub packs: Vec<String>,
    /// Objects in it.
    pub n_objects: u64,
    /// It has a bitmap.
    pub has_bitmap: bool,
}

/// How refs are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefStore {
    /// All refs that point to an object.
    pub n_refs: u64,
    /// Refs that are a file each and could be packed.
    pub n_loose: Known<u64>,
    /// Size of the file with packed refs.
    pub packed_bytes: Known<u64>,
}

/// The index of the working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Version of its format: 2, 3 or 4.
    pub version: u32,
    /// Files in it; of a split index, those of the upper part.
    pub n_entries: u32,
    /// It is split into a large part that stays and a small one that changes.
    pub is_split: bool,
    /// The names of files that Git does not know are remembered (`core.untrackedCache`).
    pub has_untracked_cache: bool,
    /// A monitor tells which files changed (`core.fsmonitor`).
    pub has_monitor: bool,
}

/// What stopped Git's upkeep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcLog {
    /// When it was written.
    pub modified_at: Timestamp,
    /// Its first line, as text.
    pub first_line: String,
}

/// What the repository's own configuration says about upkeep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// `gc.auto`, where it is set.
    pub gc_auto: Option<i64>,
    /// `maintenance.auto`, where it is set.
    pub maintenance_auto: Option<bool>,
    /// `maintenance.strategy`, where it is set: `git maintenance register` sets it.
    pub strategy: Option<String>,
    /// A task has a schedule of its own (`maintenance.<task>.schedule`).
    pub has_schedule: bool,
}
