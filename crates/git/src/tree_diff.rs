//! Compares two trees, folder by folder, and opens only folders that differ.

use std::sync::Arc;

use alignwatch_model::Oid;

use crate::objects::{Mode, Objects, ReadError, Tree};

/// Folders within folders that are followed.
///
/// Source: Linux allows paths of 4,096 bytes, so 2,048 levels is the deepest that can be checked out.
pub const DEPTH_AT_MOST: usize = 2_048;

/// What a tree holds at a path: nothing, or an object of a kind.
pub type Side = Option<(Mode, Oid)>;

/// Why trees could not be walked to the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// A tree could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Folders are nested deeper than any file system allows.
    #[error("folders are nested more than {DEPTH_AT_MOST} deep")]
    TooDeep,
    /// The one who asked wants to come to an end.
    #[error("there was no time to look")]
    Stopped,
}

/// Tells `changed` of every path that differs, in the order of path components: what stood there, and what stands there.
///
/// Shape: files, links and submodules with the modes that Git shows, never folders; a folder that became a file is told as its files
/// gone and the file new. `None` is a tree without entries. No renames are looked for.
/// Errors: [`WalkError`]; what was told until then is true.
pub fn changes(
    objects: &Objects,
    before: Option<Oid>,
    after: Option<Oid>,
    changed: &mut dyn FnMut(&[u8], Side, Side),
) -> Result<(), WalkError> {
    entries(objects, before, after, &mut |path, old, new| {
        let (old, new) = (leaf(old), leaf(new));
        if old != new {
            changed(path, old, new);
        }
    })
}

/// The same, and folders that differ in anything as well, each before what is in it: their kind is that of a tree.
///
/// Errors: as [`changes`].
pub fn entries(
    objects: &Objects,
    before: Option<Oid>,
    after: Option<Oid>,
    differs: &mut dyn FnMut(&[u8], Side, Side),
) -> Result<(), WalkError> {
    let mut path = Vec::new();
    // The folders around the place in hand. Not recursion: a hostile tree would exhaust the stack.
    let mut around: Vec<Pair> = Pair::open(objects, before, after, 0)?.into_iter().collect();
    while let Some(pair) = around.last_mut() {
        path.truncate(pair.path_len);
        let Some((old, new)) = pair.next(&mut path) else {
            around.pop();
            continue;
        };
        differs(&path, old, new);
        if let Some(inner) = Pair::open(objects, folder(old), folder(new), path.len())? {
            around.push(inner);
            if DEPTH_AT_MOST < around.len() {
                return Err(WalkError::TooDeep);
            }
        }
    }
    Ok(())
}

/// Two folders at one path that differ, and how far they have been compared.
struct Pair {
    before: Option<Arc<Tree>>,
    after: Option<Arc<Tree>>,
    i: usize,
    j: usize,
    path_len: usize,
}

impl Pair {
    /// `None` when there is nothing to compare.
    fn open(
        objects: &Objects,
        before: Option<Oid>,
        after: Option<Oid>,
        path_len: usize,
    ) -> Result<Option<Pair>, WalkError> {
        if before == after {
            return Ok(None);
        }
        let read = |id: Option<Oid>| id.map(|id| objects.tree(&id)).transpose();
        Ok(Some(Pair { before: read(before)?, after: read(after)?, i: 0, j: 0, path_len }))
    }

    /// The next two entries of one name that differ; the name is added to the path.
    fn next(&mut self, path: &mut Vec<u8>) -> Option<(Side, Side)> {
        let Pair { before, after, i, j, .. } = self;
        if let (Some(before), Some(after)) = (&before, &after) {
            while before.is_same_at(*i, after, *j) {
                (*i, *j) = (*i + 1, *j + 1);
            }
        }
        while let Some(name) = [name_at(before, *i), name_at(after, *j)].into_iter().flatten().min() {
            let (old, new) = (take(before, i, name), take(after, j, name));
            if old != new {
                path.extend((!path.is_empty()).then_some(b'/'));
                path.extend_from_slice(name);
                return Some((old, new));
            }
        }
        None
    }
}

/// What a tree holds at a path, unless that is a folder. Errors: a folder on the way can't be read.
pub(crate) fn at_path(objects: &Objects, tree: Oid, path: &[u8]) -> Result<Side, ReadError> {
    let mut side = Some((Mode(0o040000), tree));
    for name in path.split(|&byte| byte == b'/') {
        let Some(tree) = folder(side) else { return Ok(None) };
        side = objects.tree(&tree)?.find(name).map(|entry| (shown_mode(entry.mode), entry.oid));
    }
    Ok(leaf(side))
}

/// What is a folder at a path.
pub fn folder(side: Side) -> Option<Oid> {
    side.filter(|(mode, _)| mode.is_tree()).map(|(_, oid)| oid)
}

/// What is no folder at a path.
pub fn leaf(side: Side) -> Side {
    side.filter(|(mode, _)| !mode.is_tree())
}

fn name_at(tree: &Option<Arc<Tree>>, at: usize) -> Option<&[u8]> {
    tree.as_ref()?.name(at)
}

fn take(tree: &Option<Arc<Tree>>, at: &mut usize, name: &[u8]) -> Side {
    let entry = tree.as_ref()?.get(*at).filter(|entry| entry.name == name)?;
    *at += 1;
    Some((shown_mode(entry.mode), entry.oid))
}

/// The mode as Git shows it: old trees have others, such as 100664.
fn shown_mode(mode: Mode) -> Mode {
    Mode(match mode {
        mode if mode.is_file() && mode.0 & 0o100 != 0 => 0o100755,
        mode if mode.is_file() => 0o100644,
        mode if mode.is_link() => 0o120000,
        mode if mode.is_tree() => 0o040000,
        _ => 0o160000,
    })
}
