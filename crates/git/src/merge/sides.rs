//! Which files one side added and which it removed, compared with the merge base.

use std::rc::Rc;

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::walk::{DEPTH_AT_MOST, Side, WalkError};
use crate::objects::{Objects, Tree};

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
        let mut comparison = Comparison { objects, path: Vec::new(), depth: 0, found: OneSide::default() };
        comparison.folder(Some(base), Some(side))?;
        Ok(comparison.found)
    }
}

struct Comparison<'a> {
    objects: &'a Objects,
    path: Vec<u8>,
    depth: usize,
    found: OneSide,
}

impl Comparison<'_> {
    fn folder(&mut self, before: Option<Oid>, after: Option<Oid>) -> Result<(), WalkError> {
        if DEPTH_AT_MOST < self.depth {
            return Err(WalkError::TooDeep);
        }
        let read = |id: Option<Oid>| id.map(|id| self.objects.tree(&id)).transpose();
        let (before, after) = (read(before)?, read(after)?);
        let (mut i, mut j) = (0, 0);
        while let Some(name) = [name_at(&before, i), name_at(&after, j)].into_iter().flatten().min() {
            let (old, new) = (take(&before, &mut i, name), take(&after, &mut j, name));
            if old == new {
                continue;
            }
            let length = self.path.len();
            self.path.extend((length > 0).then_some(b'/'));
            self.path.extend_from_slice(name);
            self.entry(old, new)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn entry(&mut self, old: Side, new: Side) -> Result<(), WalkError> {
        let folder = |side: Side| side.filter(|(mode, _)| mode.is_tree()).map(|(_, oid)| oid);
        let file = |side: Side| side.filter(|(mode, _)| mode.is_file()).map(|(_, oid)| oid);
        if folder(old).is_some() || folder(new).is_some() {
            self.depth += 1;
            self.folder(folder(old), folder(new))?;
            self.depth -= 1;
        }
        match (file(old), file(new)) {
            (None, Some(oid)) => {
                self.found.n_added += 1;
                self.found.added.entry(oid).or_default().push(self.path.clone());
            }
            (Some(oid), None) => self.found.removed.entry(oid).or_default().push(self.path.clone()),
            _ => {}
        }
        Ok(())
    }
}

fn name_at(tree: &Option<Rc<Tree>>, at: usize) -> Option<&[u8]> {
    tree.as_ref()?.name(at)
}

fn take(tree: &Option<Rc<Tree>>, at: &mut usize, name: &[u8]) -> Side {
    let entry = tree.as_ref()?.get(*at).filter(|entry| entry.name == name)?;
    *at += 1;
    Some((entry.mode, entry.oid))
}
