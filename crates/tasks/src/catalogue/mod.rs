//! The tasks: one file each, and one list.

use crate::task::Task;

mod backup;
mod backup_retention;
mod branch_cleanup;
mod commit_graph;
mod geometric_repack;
mod loose_objects;
mod pack_refs;
mod restore_drill;

/// All tasks, in the order in which they run when several are due: what others profit from comes first.
pub const ALL: &[&Task] = &[
    &backup::TASK,
    &branch_cleanup::TASK,
    &pack_refs::TASK,
    &loose_objects::TASK,
    &geometric_repack::TASK,
    &commit_graph::TASK,
    &restore_drill::TASK,
    &backup_retention::TASK,
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
