//! The tasks: one file each, and one list.

use crate::task::Task;

mod archive_expiry;
mod backup;
mod backup_retention;
mod branch_cleanup;
mod commit_graph;
mod commit_graph_rewrite;
mod fetch;
mod full_repack;
mod gc_log;
mod geometric_repack;
mod logs;
mod loose_objects;
mod multi_pack_index;
mod object_check;
mod own_store;
mod pack_refs;
mod prediction_cache;
mod prefetch;
mod quarantine;
mod reflog_expiry;
mod remote_head;
mod resolutions;
mod restore_drill;
mod settings;
mod shape_scan;
mod stale_branches;
mod stale_locks;
mod temporary_files;
mod tracking_prune;
mod worktree_repair;

pub use stale_branches::{StaleNotice, stale_notices};

/// All tasks, in the order in which they run when several are due: what others profit from comes first.
pub const ALL: &[&Task] = &[
    &stale_locks::TASK,
    &gc_log::TASK,
    &settings::TASK,
    &worktree_repair::TASK,
    &fetch::TASK,
    &prefetch::TASK,
    &remote_head::TASK,
    &tracking_prune::TASK,
    &backup::TASK,
    &branch_cleanup::TASK,
    &stale_branches::TASK,
    &reflog_expiry::TASK,
    &resolutions::TASK,
    &temporary_files::TASK,
    &pack_refs::TASK,
    &loose_objects::TASK,
    &geometric_repack::TASK,
    &full_repack::TASK,
    &multi_pack_index::TASK,
    &commit_graph::TASK,
    &commit_graph_rewrite::TASK,
    &object_check::TASK,
    &shape_scan::TASK,
    &restore_drill::TASK,
    &backup_retention::TASK,
    &archive_expiry::TASK,
    &quarantine::TASK,
    &prediction_cache::TASK,
    &logs::TASK,
    &own_store::TASK,
];

/// The task with this name.
pub fn by_id(id: &str) -> Option<&'static Task> {
    ALL.iter().find(|task| task.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once_and_can_be_typed() {
        let mut ids: Vec<&str> = ALL.iter().map(|task| task.id).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')), "{ids:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
    }

    #[test]
    fn each_says_why_how_often_and_how_it_is_taken_back() {
        for task in ALL {
            assert!(20 < task.why.len() && 10 < task.undo.len(), "{}", task.id);
            alignwatch_model::schedule::Cadence::parse(task.usual, "UTC").unwrap();
        }
    }
}
