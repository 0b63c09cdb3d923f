//! Which files one side added and which it removed, compared with the merge base.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use crate::{
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};

/// Paths that are held for all pairs together. Source: ours; about 40 MiB.
const PATHS_AT_MOST: usize = 300_000;

/// What sides changed, for pairs that share a side, and for the second time that a pair is looked at.
#[derive(Default)]
pub(super) struct Sides(Mutex<Known>);

#[derive(Default)]
struct Known {
    sides: FxHashMap<(Oid, Oid), Arc<OneSide>>,
    n_paths: usize,
}

impl Sides {
    /// As [`OneSide::between`], from memory where possible.
    pub(super) fn between(&self, objects: &Objects, base: Oid, side: Oid) -> Result<Arc<OneSide>, WalkError> {
        if let Some(known) = self.known().sides.get(&(base, side)) {
            return Ok(known.clone());
        }
        let found = Arc::new(OneSide::between(objects, base, side)?);
        let n_paths = found.n_added + found.removed.len();
        let mut known = self.known();
        if known.n_paths + n_paths <= PATHS_AT_MOST {
            known.n_paths += n_paths;
            known.sides.insert((base, side), found.clone());
        }
        Ok(found)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    fn between(objects: &Objects, base: Oid, side: Oid) -> Result<OneSide, WalkError> {
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
