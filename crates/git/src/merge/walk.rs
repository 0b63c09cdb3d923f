//! Walks three trees at once and names the paths where both sides changed something.
//!
//! A path where the sides agree, or where one of them left the base alone, is
//! settled by its ids, and a folder like that is not even opened. So the walk
//! costs what both sides changed, not what the trees hold.

use std::sync::Arc;

use alignwatch_model::Oid;

use crate::{
    objects::{Entry, Objects, Tree},
    tree_diff::{DEPTH_AT_MOST, Side, WalkError},
};

/// A path that both sides changed, in different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BothChanged {
    /// Path from the root.
    pub(super) path: Vec<u8>,
    /// What the merge base has there.
    pub(super) base: Side,
    /// What our side has there.
    pub(super) ours: Side,
    /// What their side has there.
    pub(super) theirs: Side,
}

/// All paths that both sides changed, in the order of names: in different ways, or by removing them.
///
/// A file that both sides removed is reported, since each may have kept it
/// under another name. In a folder that one side removed, what the other side
/// changed or added is reported. A path where files and folders meet is
/// reported as it stands. Errors: [`WalkError`].
pub(super) fn both_changed(
    objects: &Objects,
    base: Oid,
    ours: Oid,
    theirs: Oid,
) -> Result<Vec<BothChanged>, WalkError> {
    let mut walk = Walk { objects, path: Vec::new(), depth: 0, found: Vec::new() };
    walk.folder([Some(base), Some(ours), Some(theirs)])?;
    Ok(walk.found)
}

struct Walk<'a> {
    objects: &'a Objects,
    path: Vec<u8>,
    depth: usize,
    found: Vec<BothChanged>,
}

impl Walk<'_> {
    fn folder(&mut self, ids: [Option<Oid>; 3]) -> Result<(), WalkError> {
        if DEPTH_AT_MOST < self.depth {
            return Err(WalkError::TooDeep);
        }
        let mut trees: [Option<Arc<Tree>>; 3] = [None, None, None];
        for (tree, id) in trees.iter_mut().zip(ids) {
            *tree = id.map(|id| self.objects.tree(&id)).transpose()?;
        }
        let in_removed_folder = trees[0].is_some() && (trees[1].is_none() || trees[2].is_none());
        let mut at = [0usize; 3];
        loop {
            if let [Some(base), Some(ours), Some(theirs)] = &trees {
                while base.is_same_at(at[0], ours, at[1]) && base.is_same_at(at[0], theirs, at[2]) {
                    at = at.map(|at| at + 1);
                }
            }
            let Some(name) = first_name(&trees, &at) else { break };
            let mut sides: [Side; 3] = [None, None, None];
            for ((side, tree), at) in sides.iter_mut().zip(&trees).zip(&mut at) {
                *side = take(tree.as_deref(), at, name);
            }
            if is_settled(sides) && !(in_removed_folder && sides[0].is_none()) {
                continue;
            }
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name);
            self.differing(sides)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn differing(&mut self, sides: [Side; 3]) -> Result<(), WalkError> {
        let [base, ours, theirs] = sides;
        let only_folders = sides.iter().flatten().all(|(mode, _)| mode.is_tree());
        let is_new_on_one_side = base.is_none() && (ours.is_none() || theirs.is_none());
        if only_folders && !is_new_on_one_side {
            self.depth += 1;
            self.folder(sides.map(|side| side.map(|(_, oid)| oid)))?;
            self.depth -= 1;
        } else {
            self.found.push(BothChanged { path: self.path.clone(), base, ours, theirs });
        }
        Ok(())
    }
}

/// One side left the base alone, or both did the same.
///
/// What both removed is not settled, since each may have kept it under another name; nor is a
/// folder that both changed alike, since such a file may be below it.
fn is_settled([base, ours, theirs]: [Side; 3]) -> bool {
    let is_folder = |side: Side| side.is_some_and(|(mode, _)| mode.is_tree());
    let hides_removals = base != ours && is_folder(base) && (ours.is_none() || is_folder(ours));
    let is_removed = base.is_some() && ours.is_none();
    if ours == theirs { !is_removed && !hides_removals } else { ours == base || theirs == base }
}

fn first_name<'a>(trees: &'a [Option<Arc<Tree>>; 3], at: &[usize; 3]) -> Option<&'a [u8]> {
    trees.iter().zip(at).filter_map(|(tree, &at)| tree.as_ref()?.name(at)).min()
}

fn take(tree: Option<&Tree>, at: &mut usize, name: &[u8]) -> Side {
    let Entry { name: found, mode, oid } = tree?.get(*at)?;
    (found == name).then(|| {
        *at += 1;
        (mode, oid)
    })
}
