//! Which files one side added and which it removed, compared with the merge base.

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use crate::{
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};

/// Files that came and went on one side: Git finds renames among them.
#[derive(Default)]
pub(super) struct OneSide {
    /// Paths of regular files that the merge base does not have, by their content.
    pub(super) added: FxHashMap<Oid, Vec<Vec<u8>>>,
    /// Paths of regular files that this side removed, by the content they had.
    pub(super) removed: FxHashMap<Oid, Vec<Vec<u8>>>,
    /// Number of added files.
    pub(super) n_added: usize,
}

impl OneSide {
    /// Compares the tree of a side with that of the merge base. Errors: [`WalkError`].
    pub(super) fn between(objects: &Objects, base: Oid, side: Oid) -> Result<OneSide, WalkError> {
        let mut found = OneSide::default();
        tree_diff::changes(objects, Some(base), Some(side), &mut |path, old, new| found.take(path, old, new))?;
        Ok(found)
    }

    fn take(&mut self, path: &[u8], old: Side, new: Side) {
        let file = |side: Side| side.filter(|(mode, _)| mode.is_file()).map(|(_, oid)| oid);
        match (file(old), file(new)) {
            (None, Some(oid)) => {
                self.n_added += 1;
                self.added.entry(oid).or_default().push(path.to_vec());
            }
            (Some(oid), None) => self.removed.entry(oid).or_default().push(path.to_vec()),
            _ => {}
        }
    }
}
