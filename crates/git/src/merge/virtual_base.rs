//! The tree that Git would merge from where two branches have two merge bases.
//!
//! Git first merges the merge bases with each other. Where that is a matter of
//! ids alone, the resulting tree is put together here and pretended to exist;
//! a file that both bases changed is a stand-in that equals nothing, so that
//! whatever rests on its content goes to Git. Where files came or went on both
//! sides, there is no such tree: renames could matter.

use alignwatch_model::Oid;

use super::walk::{BothChanged, both_changed};
use crate::{
    objects::Objects,
    tree_diff::{Side, WalkError},
};

/// The merged tree of two merge bases, given the tree of the one merge base they have.
///
/// `None` when only Git can tell. Errors: [`WalkError`].
pub(super) fn virtual_base(objects: &Objects, root: Oid, one: Oid, other: Oid) -> Result<Option<Oid>, WalkError> {
    let is_file = |side: Side| side.is_some_and(|(mode, _)| mode.is_file());
    let is_content = |changed: &BothChanged| is_file(changed.base) && is_file(changed.ours) && is_file(changed.theirs);
    if !both_changed(objects, root, one, other)?.iter().all(is_content) {
        return Ok(None);
    }
    Ok(Some(folder(objects, root, one, other)?))
}

/// Merges a folder. Only files with changed content are left to differ, so every other entry is settled.
fn folder(objects: &Objects, root: Oid, one: Oid, other: Oid) -> Result<Oid, WalkError> {
    let (before, ours, theirs) = (objects.tree(&root)?, objects.tree(&one)?, objects.tree(&other)?);
    let mut names: Vec<&[u8]> = ours.iter().chain(theirs.iter()).map(|entry| entry.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut merged = Vec::with_capacity(names.len());
    for name in names {
        let side = |tree: &crate::objects::Tree| tree.find(name).map(|entry| (entry.mode, entry.oid));
        let entry = match (side(&before), side(&ours), side(&theirs)) {
            (_, ours, theirs) if ours == theirs => ours,
            (before, ours, theirs) if ours == before => theirs,
            (before, ours, theirs) if theirs == before => ours,
            (Some((mode, a)), Some((_, b)), Some((_, c))) if mode.is_tree() => Some((mode, folder(objects, a, b, c)?)),
            (_, Some((mode, _)), _) => Some((mode, objects.stand_in(&root))),
            (_, None, _) => None,
        };
        merged.extend(entry.map(|(mode, oid)| (name.to_vec(), mode, oid)));
    }
    Ok(objects.pretend_tree(&root, &merged))
}
