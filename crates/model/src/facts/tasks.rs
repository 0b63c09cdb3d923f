//! How the maintenance tasks of a repository ended the last time.

use crate::{Timestamp, task::Came};

/// The last end of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}
