//! Compares two trees, folder by folder, and opens only folders that differ.

use std::rc::Rc;

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
}

/// Tells `changed` of every path that differs, in the order of names: what stood there, and what stands there.
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
    Comparison { objects, path: Vec::new(), depth: 0, changed }.folder(before, after)
}

struct Comparison<'a> {
    objects: &'a Objects,
    path: Vec<u8>,
    depth: usize,
    changed: &'a mut dyn FnMut(&[u8], Side, Side),
}

impl Comparison<'_> {
    fn folder(&mut self, before: Option<Oid>, after: Option<Oid>) -> Result<(), WalkError> {
        if before == after {
            return Ok(());
        }
        if DEPTH_AT_MOST < self.depth {
            return Err(WalkError::TooDeep);
        }
        let read = |id: Option<Oid>| id.map(|id| self.objects.tree(&id)).transpose();
        let (before, after) = (read(before)?, read(after)?);
        let (mut i, mut j) = (0, 0);
        while let Some(name) = [name_at(&before, i), name_at(&after, j)].into_iter().flatten().min() {
            let (old, new) = (take(&before, &mut i, name), take(&after, &mut j, name));
            if old != new {
                let length = self.path.len();
                self.path.extend((length > 0).then_some(b'/'));
                self.path.extend_from_slice(name);
                self.entry(old, new)?;
                self.path.truncate(length);
            }
        }
        Ok(())
    }

    fn entry(&mut self, old: Side, new: Side) -> Result<(), WalkError> {
        let folder = |side: Side| side.filter(|(mode, _)| mode.is_tree()).map(|(_, oid)| oid);
        let leaf = |side: Side| side.filter(|(mode, _)| !mode.is_tree());
        if folder(old).is_some() || folder(new).is_some() {
            self.depth += 1;
            self.folder(folder(old), folder(new))?;
            self.depth -= 1;
        }
        if leaf(old).is_some() || leaf(new).is_some() {
            (self.changed)(&self.path, leaf(old), leaf(new));
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
