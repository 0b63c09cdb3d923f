//! Judges one pair of branches as far as trees alone allow.
//!
//! What both sides changed is sorted into texts to merge, conflicts that are
//! certain, and the rest, which is Git's to decide. Renames are followed only
//! where there is one way to see them: a removed file with one added file that
//! is at least half like it, which no other removed file is like, or with none.

use alignwatch_model::{Oid, RefName, branch::Conflict};
use std::{collections::BTreeSet, sync::Arc};

use super::{
    attributes::{Attributes, Driver},
    carried::{Certain, Followed},
    fates::{Below, Fate, FolderFate, empty_blob, fates_of, folder_fate, parents_of, removed_folders_above},
    sides::{OneSide, Sides},
    similar::SimilarFiles,
    walk::{BothChanged, both_changed},
};
use crate::{
    objects::{Objects, ReadError},
    tree_diff::{Side, WalkError},
};

/// Three versions of a file, by content.
pub(super) type Triple = (Oid, Oid, Oid);

/// What is known of a pair after its trees were compared.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Conflicts that are certain.
    pub(super) conflicts: Vec<Conflict>,
    /// What had to be followed over renames.
    pub(super) followed: Followed,
    /// What a conflict rests on that is certain whatever else there is; `None` = there is none among `conflicts`.
    pub(super) certain: Option<Certain>,
    /// Some path conflicts for certain, though it is not known which.
    pub(super) is_conflict: bool,
    /// Files whose content both sides changed, by path.
    pub(super) texts: Vec<(Vec<u8>, Triple)>,
    /// So many of the texts, the first, stand at one path in all three trees: renames can't change how they merge.
    pub(super) n_in_place: usize,
    /// Why Git must be asked for the rest, if there is a rest.
    pub(super) ask_git: Option<&'static str>,
    /// A merge driver of the repository would decide a path: nobody is asked.
    pub(super) foreign_driver: Option<String>,
}

/// The three trees of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees {
    /// Of the one merge base.
    pub(super) base: Oid,
    /// Of our side: the line.
    pub(super) ours: Oid,
    /// Of their side: the branch.
    pub(super) theirs: Oid,
}

/// What all pairs share to find renames.
pub(super) struct Renames {
    sides: Sides,
    files: Arc<SimilarFiles>,
}

impl Renames {
    /// What is known of files and of sides.
    pub(super) fn among(files: Arc<SimilarFiles>, sides: Sides) -> Renames {
        Renames { sides, files }
    }
}

/// A pair whose trees were walked, before renames are considered.
pub(super) struct Walked {
    trees: Trees,
    settled: Draft,
    /// Removed on this side, changed on the other.
    removed: [Vec<Removed>; 2],
    removed_on_both: Vec<(Vec<u8>, Oid)>,
    added_on_both: Vec<(Vec<u8>, Oid, Oid)>,
    /// What this side added in folders that the other side removed.
    added_in_removed_folder: [Vec<Vec<u8>>; 2],
}

/// A file of the merge base that one side removed.
struct Removed {
    path: Vec<u8>,
    was: Oid,
    /// What the other side made of it.
    other: Oid,
}

/// Our side and theirs, as indices.
const SIDES: [usize; 2] = [0, 1];

/// Walks the trees of a pair. Errors: [`WalkError`].
pub(super) fn walk(objects: &Objects, trees: Trees) -> Result<Walked, WalkError> {
    let mut walked = Walked {
        trees,
        settled: Draft::default(),
        removed: [Vec::new(), Vec::new()],
        removed_on_both: Vec::new(),
        added_on_both: Vec::new(),
        added_in_removed_folder: [Vec::new(), Vec::new()],
    };
    for changed in both_changed(objects, trees.base, trees.ours, trees.theirs)? {
        walked.sort(changed);
    }
    Ok(walked)
}

impl Walked {
    fn sort(&mut self, BothChanged { path, base, ours, theirs }: BothChanged) {
        use Stands::{File, Nothing, Other, Submodule};
        // Only what stands directly in a removed folder makes Git look for where that went.
        let is_new_folder = base.is_none() && ours.or(theirs).is_some_and(|(mode, _)| mode.is_tree());
        match (stands(base), stands(ours), stands(theirs)) {
            (File(b), File(o), File(t)) => {
                // Modes of regular files have two values, so they never conflict by themselves.
                if b != o && b != t && o != t {
                    self.settled.texts.push((path, (b, o, t)));
                }
            }
            (File(was), Nothing, File(other)) => self.removed[0].push(Removed { path, was, other }),
            (File(was), File(other), Nothing) => self.removed[1].push(Removed { path, was, other }),
            (File(was), Nothing, Nothing) => self.removed_on_both.push((path, was)),
            (Nothing, File(o), File(t)) if o != t => self.added_on_both.push((path, o, t)),
            (Nothing, Nothing, _) | (Nothing, _, Nothing) if is_new_folder => {}
            (Nothing, Nothing, _) => self.added_in_removed_folder[1].push(path),
            (Nothing, _, Nothing) => self.added_in_removed_folder[0].push(path),
            // Submodules are never renamed.
            (Submodule, Nothing, Nothing) => {}
            (File(_) | Other | Submodule | Nothing, _, _) => {
                self.settled.ask_git = Some("links, submodules, modes or folders meet at one path");
            }
        }
    }

    fn needs_no_renames(&self) -> bool {
        let nothing_removed = self.removed.iter().all(Vec::is_empty) && self.removed_on_both.is_empty();
        nothing_removed && self.added_in_removed_folder.iter().all(Vec::is_empty)
    }

    /// What is known before renames are considered: files that stand at one path in all three trees.
    pub(super) fn in_place(&self) -> Draft {
        let texts = self.settled.texts.clone();
        Draft { n_in_place: texts.len(), texts, ..Draft::default() }
    }

    fn sources(&self, side: usize) -> impl Iterator<Item = (&[u8], Oid)> {
        let changed = self.removed[side].iter().map(|file| (file.path.as_slice(), file.was));
        changed.chain(self.removed_on_both.iter().map(|(path, was)| (path.as_slice(), *was)))
    }

    /// Puts the files that may be renamed ones into the index, before [`Walked::judge`] asks it.
    /// Errors: [`WalkError`].
    pub(super) fn index(&self, objects: &Objects, renames: &Renames) -> Result<(), WalkError> {
        for side in SIDES {
            if self.may_have_renamed(side) {
                renames.files.add(objects, self.one_side(objects, renames, side)?.added.keys());
            }
        }
        Ok(())
    }

    /// What of the line the answer depends on besides the paths that both sides changed. `below` are the files of
    /// folders that the line removed and the branch added to.
    fn followed(&self, below: &[Below], n_added: usize) -> Followed {
        if !self.added_in_removed_folder[0].is_empty() || self.settled.ask_git.is_some() {
            return Followed::Anything;
        }
        let removed = self.sources(0).map(|(_, was)| was);
        Followed::on_the_line(removed.chain(below.iter().map(|file| file.was)), n_added)
    }

    /// Paths of files whose names Git may go by to tell what became of them on the line.
    fn paths_with_a_part(&self, below: &[Below]) -> Vec<Vec<u8>> {
        let removed = self.sources(0).map(|(path, _)| path.to_vec());
        let new = self.added_in_removed_folder[1].iter().cloned();
        removed.chain(new).chain(below.iter().map(|file| file.path.clone())).collect()
    }

    /// What the branch added in folders that the line removed: paths within the outermost of them.
    fn added_within(&self, objects: &Objects) -> Result<Vec<Vec<u8>>, ReadError> {
        let within = |path: &Vec<u8>| {
            let mut folders = BTreeSet::new();
            removed_folders_above(objects, self.trees.base, self.trees.ours, path, &mut folders)?;
            let n_above = folders.first().map_or(0, |folder| folder.len() + 1);
            Ok(path[n_above..].to_vec())
        };
        self.added_in_removed_folder[1].iter().map(within).collect()
    }

    /// The files of folders that a side removed and the other side added to.
    fn below_removed(&self, objects: &Objects, side: usize, changes: &OneSide) -> Result<Vec<Below>, ReadError> {
        let mut folders: BTreeSet<&[u8]> = BTreeSet::new();
        for path in &self.added_in_removed_folder[1 - side] {
            removed_folders_above(objects, self.trees.base, self.trees.side(side), path, &mut folders)?;
        }
        if folders.is_empty() {
            return Ok(Vec::new());
        }
        let removed = changes.removed.iter().flat_map(|(was, paths)| paths.iter().map(move |path| (path, *was)));
        let below = |(path, was): (&Vec<u8>, Oid)| {
            let mut parents = parents_of(path).map(|end| &path[..end]).peekable();
            let mut is_direct = false;
            let mut is_below = false;
            while let Some(parent) = parents.next() {
                is_direct = folders.contains(parent) && parents.peek().is_none();
                is_below |= folders.contains(parent);
            }
            is_below.then(|| Below { path: path.clone(), is_direct, was })
        };
        Ok(removed.filter_map(below).collect())
    }

    fn may_have_renamed(&self, side: usize) -> bool {
        self.sources(side).next().is_some() || !self.added_in_removed_folder[1 - side].is_empty()
    }

    fn one_side(&self, objects: &Objects, renames: &Renames, side: usize) -> Result<Arc<OneSide>, WalkError> {
        renames.sides.between(objects, self.trees.base, self.trees.side(side), side == 0)
    }

    /// All that can be said without Git. Errors: [`WalkError`].
    pub(super) fn judge(mut self, objects: &Objects, renames: &Renames) -> Result<Draft, WalkError> {
        self.settled.n_in_place = self.settled.texts.len();
        if self.needs_no_renames() {
            self.settled.followed = self.followed(&[], 0);
            return Ok(self.with_added_on_both(&[]));
        }
        let similar = &renames.files;
        let sides = [self.one_side(objects, renames, 0)?, self.one_side(objects, renames, 1)?];
        for side in SIDES.into_iter().filter(|&side| self.may_have_renamed(side)) {
            similar.check(sides[side].added.keys())?;
        }
        let mut fates = [
            fates_of(objects, similar, self.sources(0), &sides[0])?,
            fates_of(objects, similar, self.sources(1), &sides[1])?,
        ];
        let below = [self.below_removed(objects, 0, &sides[0])?, self.below_removed(objects, 1, &sides[1])?];
        self.settled.followed = self.followed(&below[0], sides[0].n_added);
        let mut renamed = [false; 2];
        for side in SIDES {
            match folder_fate(objects, similar, &below[side], &sides[side])? {
                FolderFate::Gone => continue,
                FolderFate::Renamed => self.settled.is_conflict = true,
                FolderFate::Unclear => {}
            }
            if side == 1 || self.settled.followed == Followed::Anything {
                self.settled.followed = Followed::Everything;
            }
            renamed[side] = true;
            self.settled.ask_git = Some("a folder may have been renamed");
            // What else moved with the folder is paired differently then.
            fates.iter_mut().flatten().for_each(Fate::doubt);
        }
        let with_a_part = self.paths_with_a_part(&below[0]);
        let added = if renamed[0] { self.added_within(objects)? } else { Vec::new() };
        let mut draft = self.combine(objects, &fates)?;
        if draft.ask_git.is_some() {
            let names = with_a_part.iter().map(Vec::as_slice);
            let added = added.iter().map(Vec::as_slice);
            draft.followed = draft.followed.by_git(names, sides[0].removed.keys(), added);
        }
        Ok(draft)
    }

    fn with_added_on_both(mut self, may_be_renamed: &[&[u8]]) -> Draft {
        for (path, ours, theirs) in std::mem::take(&mut self.added_on_both) {
            if may_be_renamed.contains(&path.as_slice()) {
                self.settled.ask_git = Some("a file that both sides added may be a renamed one");
            } else {
                // Git merges two new files as if both had grown from an empty one.
                let empty = empty_blob(&ours);
                if ours != empty && theirs != empty {
                    self.settled.texts.push((path, (empty, ours, theirs)));
                }
            }
        }
        self.settled
    }

    fn combine(mut self, objects: &Objects, fates: &[Vec<Fate>; 2]) -> Result<Draft, WalkError> {
        let mut n_changed = [0, 0];
        for side in SIDES {
            let removed = std::mem::take(&mut self.removed[side]);
            n_changed[side] = removed.len();
            for (file, fate) in removed.iter().zip(&fates[side]) {
                self.changed_on_the_other(objects, side, file, fate)?;
            }
        }
        let mut wanted: Vec<&[u8]> = fates.iter().flatten().flat_map(Fate::candidates).collect();
        for (number, (_, was)) in std::mem::take(&mut self.removed_on_both).into_iter().enumerate() {
            let [ours, theirs] = SIDES.map(|side| &fates[side][n_changed[side] + number]);
            match (ours, theirs) {
                (Fate::Gone, Fate::Gone) => {}
                (Fate::Renamed(to, our_content), Fate::Renamed(also_to, their_content)) if to == also_to => {
                    self.added_on_both.retain(|(path, ..)| path != to);
                    wanted.retain(|path| path != to);
                    if was != *our_content && was != *their_content && our_content != their_content {
                        self.settled.texts.push((to.clone(), (was, *our_content, *their_content)));
                    }
                }
                (Fate::Renamed(..), Fate::Renamed(..)) => {
                    self.settled.is_conflict = true;
                    self.settled.ask_git = Some("both sides renamed a file, to different names");
                }
                (Fate::Renamed(to, content), Fate::Gone) => self.kept_by_one(objects, 0, to, *content != was)?,
                (Fate::Gone, Fate::Renamed(to, content)) => self.kept_by_one(objects, 1, to, *content != was)?,
                _ => self.settled.ask_git = Some("both sides may have renamed a file"),
            }
        }
        Ok(self.with_added_on_both(&wanted))
    }

    fn changed_on_the_other(
        &mut self,
        objects: &Objects,
        side: usize,
        file: &Removed,
        fate: &Fate,
    ) -> Result<(), WalkError> {
        match fate {
            Fate::Gone => {
                self.settled.conflicts.push(conflict(&file.path, &["modify/delete"]));
                self.certain(side, file);
            }
            Fate::Renamed(to, content) if self.is_free(objects, 1 - side, to)? => {
                let (ours, theirs) = if side == 0 { (*content, file.other) } else { (file.other, *content) };
                if *content != file.was && ours != theirs {
                    self.settled.texts.push((to.clone(), (file.was, ours, theirs)));
                }
            }
            Fate::Renamed(..) => self.settled.ask_git = Some("a file was renamed to where the other side has one"),
            Fate::Unclear(_) => self.settled.ask_git = Some("a file may have been renamed in several ways"),
        }
        Ok(())
    }

    /// A file that one side removed and the other changed conflicts, as long as nothing that came on the line is like it:
    /// what the branch removed, only the branch can have renamed.
    fn certain(&mut self, side: usize, file: &Removed) {
        let certain = if side == 0 { Certain::Gone(file.was) } else { Certain::At(file.path.clone()) };
        if !matches!(self.settled.certain, Some(Certain::At(_))) {
            self.settled.certain = Some(certain);
        }
    }

    /// One side removed a file that the other kept under a new name.
    fn kept_by_one(&mut self, objects: &Objects, side: usize, to: &[u8], is_changed: bool) -> Result<(), WalkError> {
        if self.is_free(objects, 1 - side, to)? {
            let kinds: &[&str] = if is_changed { &["modify/delete", "rename/delete"] } else { &["rename/delete"] };
            self.settled.conflicts.push(conflict(to, kinds));
        } else {
            self.settled.is_conflict = true;
            self.settled.ask_git = Some("a file was renamed to where the other side has one");
        }
        Ok(())
    }

    /// Could a file stand at this path on that side, with nothing in its way?
    fn is_free(&self, objects: &Objects, side: usize, path: &[u8]) -> Result<bool, WalkError> {
        let mut tree = objects.tree(&self.trees.side(side))?;
        for name in path.split(|&byte| byte == b'/') {
            let Some(entry) = tree.find(name) else { return Ok(true) };
            if !entry.mode.is_tree() {
                return Ok(false);
            }
            let below = entry.oid;
            tree = objects.tree(&below)?;
        }
        Ok(false)
    }
}

impl Trees {
    fn side(&self, side: usize) -> Oid {
        if side == 0 { self.ours } else { self.theirs }
    }
}

/// What stands at a path, as far as merging cares.
enum Stands {
    Nothing,
    File(Oid),
    Submodule,
    Other,
}

fn stands(side: Side) -> Stands {
    match side {
        None => Stands::Nothing,
        Some((mode, oid)) if mode.is_file() => Stands::File(oid),
        Some((mode, _)) if mode.is_submodule() => Stands::Submodule,
        Some(_) => Stands::Other,
    }
}

impl Draft {
    /// Of a pair that conflicts by a file that stands at this path in all three trees; of the rest nothing is known, for this
    /// reason.
    pub(super) fn of_verdict(path: Vec<u8>, why: &'static str) -> Draft {
        Draft { is_conflict: true, certain: Some(Certain::At(path)), ask_git: Some(why), ..Draft::default() }
    }

    /// Sorts the texts by what the attributes say of their paths: only those that are merged
    /// line by line stay. `configured` are the names of the merge drivers that the repository defines.
    /// Errors: an attributes file can't be read.
    pub(super) fn apply(&mut self, attributes: &mut Attributes<'_>, configured: &[Vec<u8>]) -> Result<(), ReadError> {
        let mut texts = Vec::with_capacity(self.texts.len());
        let mut n_in_place = 0;
        for (number, (path, triple)) in std::mem::take(&mut self.texts).into_iter().enumerate() {
            let is_in_place = number < self.n_in_place;
            match attributes.driver(&path)? {
                Driver::Union => {}
                Driver::Binary => {
                    self.conflicts.push(conflict(&path, BINARY));
                    if is_in_place {
                        self.certain = Some(Certain::At(path));
                    }
                }
                Driver::Named(name) if configured.contains(&name) => {
                    self.foreign_driver = Some(String::from_utf8_lossy(&name).into_owned());
                }
                Driver::Text | Driver::Named(_) => {
                    texts.push((path, triple));
                    n_in_place += usize::from(is_in_place);
                }
            }
        }
        (self.texts, self.n_in_place) = (texts, n_in_place);
        Ok(())
    }
}

/// Git's names of the kinds of a conflict in a text.
pub(super) const CONTENTS: &[&str] = &["contents"];

/// Git's names of the kinds of a conflict in a binary file.
pub(super) const BINARY: &[&str] = &["binary", "contents"];

/// A conflict at one path, with Git's names of its kinds.
pub(super) fn conflict(path: &[u8], kinds: &[&str]) -> Conflict {
    let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    Conflict { path: RefName::new(path).text().into_owned(), kinds }
}
