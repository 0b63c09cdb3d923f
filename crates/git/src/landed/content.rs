//! Does everything that the branch changed stand in its base already?
//!
//! Three trees are walked together: the merge base, the tip of the base
//! (*ours*) and the tip of the branch (*theirs*). A folder that the branch did
//! not change, or that is the same on both sides, is not opened; the first
//! change that the base does not have ends the walk. Only when nothing else is
//! in the way are texts compared.
//!
//! With several merge bases, a path counts as untouched by the branch only when
//! all of them agree, and texts are compared only then: whatever Git would make
//! of the bases at that path, the answer is the same.
//!
//! Renames are not looked for. That can only hide a proof: a path where the
//! branch changed something must show the same in the base at that path.

use std::sync::Arc;

use alignwatch_model::{Oid, Proof};
use serde::{Deserialize, Serialize};

use super::{Doubt, texts::Texts};
use crate::{
    merge::adds_nothing,
    objects::{Entry, Mode, Objects, ReadError, Tree},
    tree_diff::{DEPTH_AT_MOST, Side, WalkError, folder, leaf},
};

/// Longer paths are not remembered. Source: Linux' `PATH_MAX`; a hostile tree has longer ones.
const PATH_AT_MOST_BYTES: usize = 4_096;

/// The mode of a folder.
const FOLDER: Mode = Mode(0o040_000);

/// Files whose texts are compared for one branch.
///
/// Source: ours; the bytes are bounded as well.
const TEXTS_AT_MOST: usize = 2_000;

/// Whether everything that the branch changed stands in its base.
pub(super) enum Content {
    /// All of it: [`Proof::IdenticalTree`] or [`Proof::MergeNoOp`].
    Stands(Proof),
    /// Not all; where one entry shows that, it is this one.
    Lacks(Option<Lacking>),
}

/// An entry that the branch changed. Whatever becomes of others, not all of the branch stands in a base that lacks this one.
#[derive(Serialize, Deserialize)]
pub(super) struct Lacking {
    /// The folders around it, and its name: a hostile tree has names with a slash.
    path: Vec<Vec<u8>>,
    bases: Vec<Side>,
    theirs: Side,
    /// A file of the base in which it was looked for.
    not_in: Side,
}

impl Lacking {
    /// Does a base with this tree lack it?
    pub(super) fn is_lacking_in(&self, objects: &Objects, ours: Oid) -> Result<bool, ReadError> {
        let mut here: Side = Some((FOLDER, ours));
        for name in &self.path {
            let Some(tree) = folder(here) else { return Ok(self.is_lacking(None)) };
            here = objects.tree(&tree)?.find(name).map(|entry| (entry.mode, entry.oid));
        }
        Ok(self.is_lacking(here))
    }

    /// As [`Walk::entry`] has it.
    fn is_lacking(&self, ours: Side) -> bool {
        let files: Vec<Side> = self.bases.iter().copied().map(leaf).collect();
        let is_untouched = self.bases.iter().all(|base| folder(*base) == folder(ours));
        (self.not_in.is_some() && ours == self.not_in)
            || !Walk::default().file(&files, leaf(ours), leaf(self.theirs))
            || is_untouched && folder(ours) != folder(self.theirs)
    }
}

/// Whether all of a branch stands.
///
/// A branch that changed nothing in the end adds nothing: [`Proof::MergeNoOp`].
pub(super) fn stands(
    objects: &Objects,
    bases: &[Oid],
    ours: Oid,
    theirs: Oid,
    texts: &mut Texts<'_>,
) -> Result<Content, Doubt> {
    let mut walk = Walk::default();
    let bases: Vec<Option<Oid>> = bases.iter().copied().map(Some).collect();
    if !walk.stands(objects, &bases, Some(ours), Some(theirs))? {
        return Ok(Content::Lacks(walk.lacking));
    }
    if walk.n_merged == 0 && walk.n_same > 0 {
        return Ok(Content::Stands(Proof::IdenticalTree));
    }
    for ([base, ours, theirs], entry) in walk.unequal.iter().zip(walk.unequal_at) {
        let (base, ours, theirs) = (texts.blob(base)?, texts.blob(ours)?, texts.blob(theirs)?);
        if !adds_nothing(&base, &ours, &theirs) {
            return Ok(Content::Lacks(entry));
        }
    }
    Ok(Content::Stands(Proof::MergeNoOp))
}

#[derive(Default)]
struct Walk {
    /// Paths or folders that the branch changed and that are the same in the base.
    n_same: usize,
    /// Paths that both sides changed, each in its own way.
    n_merged: usize,
    /// Contents of files that all three have differently: of the merge base, ours, theirs.
    unequal: Vec<[Oid; 3]>,
    /// Where they stand.
    unequal_at: Vec<Option<Lacking>>,
    /// The entry that the base does not have.
    lacking: Option<Lacking>,
}

/// What one entry says.
enum Entries {
    /// Nothing that the base does not have.
    Stand,
    /// Something that the base does not have.
    Add,
    /// Folders that must be looked into.
    Open(Vec<Cursor>),
}

impl Walk {
    /// False as soon as something is found that the base does not have.
    fn stands(
        &mut self,
        objects: &Objects,
        bases: &[Option<Oid>],
        ours: Option<Oid>,
        theirs: Option<Oid>,
    ) -> Result<bool, Doubt> {
        // The folders around the place in hand. Not recursion: a hostile tree would exhaust the stack.
        let (mut around, mut names) = (Vec::new(), Vec::<Vec<u8>>::new());
        let mut found = self.folders(objects, bases, ours, theirs)?;
        loop {
            match found {
                Entries::Add => return Ok(false),
                Entries::Open(trees) => around.push(trees),
                Entries::Stand => {}
            }
            if DEPTH_AT_MOST < around.len() {
                return Err(WalkError::TooDeep.into());
            }
            let Some(trees) = around.last_mut() else { return Ok(true) };
            let name = trees.iter().filter_map(Cursor::name).min().map(<[u8]>::to_vec);
            found = match name {
                Some(name) => {
                    names.push(name);
                    let found = self.entry(objects, trees, &names)?;
                    if !matches!(found, Entries::Open(_)) {
                        names.pop();
                    }
                    found
                }
                None => {
                    around.pop();
                    names.pop();
                    Entries::Stand
                }
            };
        }
    }

    fn folders(
        &mut self,
        objects: &Objects,
        bases: &[Option<Oid>],
        ours: Option<Oid>,
        theirs: Option<Oid>,
    ) -> Result<Entries, Doubt> {
        if bases.iter().all(|base| *base == theirs) {
            return Ok(Entries::Stand);
        }
        if ours == theirs {
            self.n_same += 1;
            return Ok(Entries::Stand);
        }
        if bases.iter().all(|base| *base == ours) {
            return Ok(Entries::Add);
        }
        let trees = bases.iter().copied().chain([ours, theirs]).map(|oid| Cursor::open(objects, oid));
        Ok(Entries::Open(trees.collect::<Result<Vec<_>, _>>()?))
    }

    /// What the next entry says, at this path.
    fn entry(&mut self, objects: &Objects, trees: &mut [Cursor], path: &[Vec<u8>]) -> Result<Entries, Doubt> {
        let Some(name) = path.last() else { return Ok(Entries::Add) };
        let sides: Vec<Side> = trees.iter_mut().map(|tree| tree.take(name)).collect();
        let [bases @ .., ours, theirs] = &sides[..] else { return Ok(Entries::Add) };
        let is_short = || path.iter().map(Vec::len).sum::<usize>() <= PATH_AT_MOST_BYTES;
        let lacking = |not_in| Lacking { path: path.to_vec(), bases: bases.to_vec(), theirs: *theirs, not_in };
        let base_files: Vec<Side> = bases.iter().copied().map(leaf).collect();
        let base_folders: Vec<Option<Oid>> = bases.iter().copied().map(folder).collect();
        let stands = self.file(&base_files, leaf(*ours), leaf(*theirs));
        if self.unequal_at.len() < self.unequal.len() {
            self.unequal_at.push(is_short().then(|| lacking(*ours)));
        }
        let found = match stands {
            false => Entries::Add,
            true if TEXTS_AT_MOST < self.unequal.len() => return Err(Doubt::TooManyPaths),
            true => self.folders(objects, &base_folders, folder(*ours), folder(*theirs))?,
        };
        if matches!(found, Entries::Add) {
            self.lacking = is_short().then(|| lacking(None));
        }
        Ok(found)
    }

    fn file(&mut self, bases: &[Side], ours: Side, theirs: Side) -> bool {
        if bases.iter().all(|base| *base == theirs) {
            return true;
        }
        if ours == theirs {
            self.n_same += 1;
            return true;
        }
        let base = bases[0];
        let (Some(base), Some(ours), Some(theirs)) = (base, ours, theirs) else { return false };
        bases.iter().all(|other| *other == Some(base)) && self.both_changed(base, ours, theirs)
    }

    /// All three have the file and no two of them are the same.
    fn both_changed(&mut self, base: (Mode, Oid), ours: (Mode, Oid), theirs: (Mode, Oid)) -> bool {
        self.n_merged += 1;
        let has_mode = theirs.0 == base.0 || theirs.0 == ours.0;
        if has_mode && theirs.1 != base.1 && theirs.1 != ours.1 {
            self.unequal.push([base.1, ours.1, theirs.1]);
            return [base, ours, theirs].iter().all(|(mode, _)| mode.is_file()) && ours.1 != base.1;
        }
        has_mode
    }
}

/// A tree that is walked by name.
struct Cursor {
    tree: Option<Arc<Tree>>,
    at: usize,
}

impl Cursor {
    fn open(objects: &Objects, oid: Option<Oid>) -> Result<Cursor, Doubt> {
        Ok(Cursor { tree: oid.map(|oid| objects.tree(&oid)).transpose()?, at: 0 })
    }

    fn name(&self) -> Option<&[u8]> {
        self.tree.as_ref().and_then(|tree| tree.name(self.at))
    }

    /// The entry of this name, if it is the next one.
    fn take(&mut self, name: &[u8]) -> Side {
        let next = self.tree.as_ref().and_then(|tree| tree.get(self.at)).filter(|entry| entry.name == name);
        let side = next.map(|Entry { mode, oid, .. }| (mode, oid));
        self.at += usize::from(side.is_some());
        side
    }
}
