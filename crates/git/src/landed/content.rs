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

use std::rc::Rc;

use alignwatch_model::{Oid, Proof};

use super::{Doubt, texts::Texts};
use crate::{
    merge::adds_nothing,
    objects::{Entry, Mode, Objects, Tree},
    tree_diff::{DEPTH_AT_MOST, Side, WalkError},
};

/// Files whose texts are compared for one branch.
///
/// Source: ours; the bytes are bounded as well.
const TEXTS_AT_MOST: usize = 2_000;

/// [`Proof::IdenticalTree`] or [`Proof::MergeNoOp`], if everything stands there.
///
/// A branch that changed nothing in the end adds nothing: [`Proof::MergeNoOp`].
pub(super) fn stands(
    objects: &Objects,
    bases: &[Oid],
    ours: Oid,
    theirs: Oid,
    texts: &mut Texts<'_>,
) -> Result<Option<Proof>, Doubt> {
    let mut walk = Walk::default();
    let bases: Vec<Option<Oid>> = bases.iter().copied().map(Some).collect();
    if !walk.stands(objects, &bases, Some(ours), Some(theirs))? {
        return Ok(None);
    }
    if walk.n_merged == 0 && walk.n_same > 0 {
        return Ok(Some(Proof::IdenticalTree));
    }
    for [base, ours, theirs] in &walk.unequal {
        let (base, ours, theirs) = (texts.blob(base)?, texts.blob(ours)?, texts.blob(theirs)?);
        if !adds_nothing(&base, &ours, &theirs) {
            return Ok(None);
        }
    }
    Ok(Some(Proof::MergeNoOp))
}

#[derive(Default)]
struct Walk {
    /// Paths or folders that the branch changed and that are the same in the base.
    n_same: usize,
    /// Paths that both sides changed, each in its own way.
    n_merged: usize,
    /// Contents of files that all three have differently: of the merge base, ours, theirs.
    unequal: Vec<[Oid; 3]>,
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
        let mut around = Vec::new();
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
                Some(name) => self.entries(objects, trees, &name)?,
                None => {
                    around.pop();
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

    fn entries(&mut self, objects: &Objects, trees: &mut [Cursor], name: &[u8]) -> Result<Entries, Doubt> {
        let (files, folders): (Vec<Side>, Vec<Option<Oid>>) = trees.iter_mut().map(|tree| tree.take(name)).unzip();
        let ([bases @ .., ours, theirs], [base_files @ .., our_file, their_file]) = (&folders[..], &files[..]) else {
            return Ok(Entries::Add);
        };
        if !self.file(base_files, *our_file, *their_file) {
            return Ok(Entries::Add);
        }
        if TEXTS_AT_MOST < self.unequal.len() {
            return Err(Doubt::TooManyPaths);
        }
        self.folders(objects, bases, *ours, *theirs)
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
    tree: Option<Rc<Tree>>,
    at: usize,
}

impl Cursor {
    fn open(objects: &Objects, oid: Option<Oid>) -> Result<Cursor, Doubt> {
        Ok(Cursor { tree: oid.map(|oid| objects.tree(&oid)).transpose()?, at: 0 })
    }

    fn name(&self) -> Option<&[u8]> {
        self.tree.as_ref().and_then(|tree| tree.name(self.at))
    }

    /// The entry of this name, if it is the next one: as a file or as a folder.
    fn take(&mut self, name: &[u8]) -> (Side, Option<Oid>) {
        let next = self.tree.as_ref().and_then(|tree| tree.get(self.at)).filter(|entry| entry.name == name);
        let Some(Entry { mode, oid, .. }) = next else { return (None, None) };
        self.at += 1;
        if mode.is_tree() { (None, Some(oid)) } else { (Some((mode, oid)), None) }
    }
}
