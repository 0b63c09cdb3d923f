//! Would merging a branch change the line? Judged from three trees.

use std::rc::Rc;

use alignwatch_model::Oid;

use crate::{
    merge::adds_nothing,
    objects::{Objects, Tree},
    tree_diff::{DEPTH_AT_MOST, Side, WalkError},
};

/// What a branch would bring to its line, from nothing to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// Every path that the branch changed is the same in the line.
    Same,
    /// A merge would change nothing: some files have the branch's changes and others besides.
    NoOp,
    /// A merge would change something, or could.
    Adds,
}

/// Compares what the branch changed since the merge base with what the line has there.
///
/// Errors: [`WalkError`]. What only looks alike (renames, links, modes) counts as added.
pub(super) fn compare(objects: &Objects, base: Oid, ours: Oid, theirs: Oid) -> Result<Content, WalkError> {
    folder(objects, [Some(base), Some(ours), Some(theirs)], 0)
}

fn folder(objects: &Objects, ids: [Option<Oid>; 3], depth: usize) -> Result<Content, WalkError> {
    if DEPTH_AT_MOST < depth {
        return Err(WalkError::TooDeep);
    }
    let mut trees: [Option<Rc<Tree>>; 3] = [None, None, None];
    for (tree, id) in trees.iter_mut().zip(ids) {
        *tree = id.map(|id| objects.tree(&id)).transpose()?;
    }
    let mut names: Vec<&[u8]> =
        [&trees[0], &trees[2]].into_iter().flatten().flat_map(|tree| tree.iter().map(|entry| entry.name)).collect();
    names.sort_unstable();
    names.dedup();
    let mut content = Content::Same;
    for name in names {
        let side = |tree: &Option<Rc<Tree>>| tree.as_ref()?.find(name).map(|entry| (entry.mode, entry.oid));
        let [base, ours, theirs] = [side(&trees[0]), side(&trees[1]), side(&trees[2])];
        if theirs != base && ours != theirs {
            content = content.max(entry(objects, base, ours, theirs, depth)?);
        }
        if content == Content::Adds {
            break;
        }
    }
    Ok(content)
}

/// A path that the branch changed and where the line has something else.
fn entry(objects: &Objects, base: Side, ours: Side, theirs: Side, depth: usize) -> Result<Content, WalkError> {
    let is_folder = |side: Side| side.is_none_or(|(mode, _)| mode.is_tree());
    let oid = |side: Side| side.map(|(_, oid)| oid);
    if is_folder(base) && is_folder(ours) && is_folder(theirs) {
        return folder(objects, [oid(base), oid(ours), oid(theirs)], depth + 1);
    }
    let (Some((base_mode, base)), Some((our_mode, ours)), Some((their_mode, theirs))) = (base, ours, theirs) else {
        return Ok(Content::Adds);
    };
    let are_files = base_mode.is_file() && our_mode.is_file() && their_mode == base_mode;
    if !are_files || ours == base {
        return Ok(Content::Adds);
    }
    let adds_nothing = adds_nothing(&objects.blob(&base)?, &objects.blob(&ours)?, &objects.blob(&theirs)?);
    Ok(if adds_nothing { Content::NoOp } else { Content::Adds })
}
