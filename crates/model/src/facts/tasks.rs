//! How the maintenance tasks of a repository ended the last time, and its backups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, task::Came};

/// The last end of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRun {
    /// The task.
    pub task: String,
    /// The number of the run in the journal of tasks.
    pub id: u64,
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub result: Came,
    /// In words.
    pub because: String,
    /// It lost something.
    pub is_critical: bool,
    /// How long it took, in seconds.
    pub took_seconds: f64,
    /// Bytes that it made room for; below 0, it took some.
    pub bytes_won: i64,
    /// When a run of it last ended as an effect or with nothing to do; `None` = none is remembered.
    pub succeeded_at: Option<Timestamp>,
    /// How many runs in a row, up to the last, began to act and left the numbers as they were.
    pub n_without_effect: u32,
}

/// One end of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEnd {
    /// The number of the run in the journal of tasks.
    pub id: u64,
    /// The task.
    pub task: String,
    /// This is the end of its taking back.
    pub is_undo: bool,
    /// What came of it.
    pub result: Came,
    /// How long it took, in seconds.
    pub took_seconds: f64,
    /// Branches that it took away, by the proof that this loses nothing, as in [`Plan::proofs`](crate::task::Plan::proofs).
    pub proofs: BTreeMap<String, u32>,
}

/// The backups of a repository, by their names and by what was proven of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backups {
    /// How many there are.
    pub n: usize,
    /// When the newest was made.
    pub newest_at: Option<Timestamp>,
    /// When one that is there still was last restored and compared, and found to be good.
    pub proven_at: Option<Timestamp>,
    /// When one that is there still was last found good by its sums, or by more than these.
    pub summed_at: Option<Timestamp>,
    /// Refs that were others than in the manifest when one that is there still was last restored; `None` = none was.
    pub n_other_refs: Option<usize>,
    /// When the newest was made whose last look found it good, quick or by a drill.
    pub good_made_at: Option<Timestamp>,
    /// The last look at one found that it is bad.
    pub is_bad: bool,
}
