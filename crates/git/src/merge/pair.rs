//! Judges one pair of branches as far as trees alone allow.
//!
//! What both sides changed is sorted into texts to merge, conflicts that are
//! certain, and the rest, which is Git's to decide. Renames are followed only
//! where there is one way to see them: a removed file with one added file that
//! is at least half like it, which no other removed file is like, or with none.

use alignwatch_model::{Oid, RefName, branch::Conflict};
use rustc_hash::FxHashMap;
use std::{collections::BTreeSet, sync::Arc};

use super::{
    attributes::{Attributes, Driver},
    carried::{Certain, Followed},
    sides::{OneSide, Sides},
    similar::{Likeness, SimilarFiles, Sketches},
    walk::{BothChanged, both_changed},
};
use crate::{
    objects::{Objects, ReadError},
    tree_diff::{Side, WalkError},
};

/// Removed times added files up to which a rename that we do not see is none to Git either.
///
/// Source: Git before 2.32 looked for renames among at most 1,000 by 1,000 files in a merge, later 7,000.
pub(super) const RENAME_MATRIX_AT_MOST: usize = 1_000_000;

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
    files: SimilarFiles,
}

impl Renames {
    /// None are known yet.
    pub(super) fn with(sketches: Arc<Sketches>) -> Renames {
        Renames { sides: Sides::default(), files: SimilarFiles::with(sketches) }
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

/// What became of a removed file on the side that removed it.
enum Fate {
    Gone,
    Renamed(Vec<u8>, Oid),
    Unclear(Vec<Vec<u8>>),
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
        renames.sides.between(objects, self.trees.base, self.trees.side(side))
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

impl Fate {
    fn doubt(&mut self) {
        if let Fate::Renamed(to, _) = self {
            *self = Fate::Unclear(vec![std::mem::take(to)]);
        }
    }

    fn candidates(&self) -> impl Iterator<Item = &[u8]> {
        let (one, several) = match self {
            Fate::Gone => (None, &[][..]),
            Fate::Renamed(to, _) => (Some(to.as_slice()), &[][..]),
            Fate::Unclear(paths) => (None, paths.as_slice()),
        };
        one.into_iter().chain(several.iter().map(Vec::as_slice))
    }
}

/// What became of a folder that one side removed and the other added to.
enum FolderFate {
    Gone,
    /// Git sees that it was renamed, and by default stops: the new file may belong there.
    Renamed,
    Unclear,
}

/// Removed files below one folder that are looked at to see where the folder went.
const FOLDER_FILES_AT_MOST: usize = 300;

/// A file below a folder that one side removed and the other added to.
struct Below {
    path: Vec<u8>,
    /// It stood in that folder itself.
    is_direct: bool,
    was: Oid,
}

/// Where the folders went in which these files stood: one rename of a file out of such a folder makes Git take the
/// folder for renamed.
fn folder_fate(
    objects: &Objects,
    similar: &SimilarFiles,
    below: &[Below],
    changes: &OneSide,
) -> Result<FolderFate, ReadError> {
    if changes.n_added == 0 {
        return Ok(FolderFate::Gone);
    }
    let kept_as_it_was = |file: &&Below| file.is_direct && changes.added.contains_key(&file.was);
    for file in below.iter().filter(kept_as_it_was) {
        if file.was != empty_blob(&file.was) {
            return Ok(FolderFate::Renamed);
        }
    }
    if below.is_empty() {
        return Ok(FolderFate::Gone);
    }
    if FOLDER_FILES_AT_MOST < below.len() || similar.is_full() {
        return Ok(FolderFate::Unclear);
    }
    let fates = fates_of(objects, similar, below.iter().map(|file| (&b""[..], file.was)), changes)?;
    let mut fate = FolderFate::Gone;
    for (file, became) in below.iter().zip(&fates) {
        match became {
            Fate::Gone => {}
            Fate::Renamed(..) if file.is_direct => return Ok(FolderFate::Renamed),
            Fate::Renamed(..) | Fate::Unclear(_) => fate = FolderFate::Unclear,
        }
    }
    Ok(fate)
}

/// Ends of the folder names within a path, the longest last.
fn parents_of(path: &[u8]) -> impl Iterator<Item = usize> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at)
}

fn removed_folders_above<'a>(
    objects: &Objects,
    base: Oid,
    side: Oid,
    path: &'a [u8],
    folders: &mut BTreeSet<&'a [u8]>,
) -> Result<(), ReadError> {
    let (mut before, mut after) = (Some(base), Some(side));
    let mut start = 0;
    for end in parents_of(path) {
        let name = &path[start..end];
        start = end + 1;
        let below = |tree: Option<Oid>| -> Result<Option<Oid>, ReadError> {
            let Some(tree) = tree else { return Ok(None) };
            Ok(objects.tree(&tree)?.find(name).filter(|entry| entry.mode.is_tree()).map(|entry| entry.oid))
        };
        (before, after) = (below(before)?, below(after)?);
        if before.is_some() && after.is_none() {
            folders.insert(&path[..end]);
        }
    }
    Ok(())
}

/// The id of the empty blob, in the same hash function as another id.
fn empty_blob(like: &Oid) -> Oid {
    let kind = if like.as_bytes().len() == 20 { gix_hash::Kind::Sha1 } else { gix_hash::Kind::Sha256 };
    Oid::from_bytes(gix_hash::ObjectId::empty_blob(kind).as_bytes()).expect("an id of this hash function")
}

/// What became of the files that a side removed, each seen beside the others.
fn fates_of<'a>(
    objects: &Objects,
    similar: &SimilarFiles,
    sources: impl Iterator<Item = (&'a [u8], Oid)>,
    side: &OneSide,
) -> Result<Vec<Fate>, ReadError> {
    let sources: Vec<Oid> = sources.map(|(_, was)| was).collect();
    if side.n_added == 0 {
        return Ok(sources.iter().map(|_| Fate::Gone).collect());
    }
    if similar.is_full() || RENAME_MATRIX_AT_MOST < sources.len().saturating_mul(side.n_added) {
        return Ok(sources.iter().map(|_| Fate::Unclear(Vec::new())).collect());
    }
    let mut fates = sources.iter().map(|was| fate_of(objects, similar, was, side)).collect::<Result<Vec<_>, _>>()?;
    let mut n_claims: FxHashMap<Vec<u8>, usize> = FxHashMap::default();
    for path in fates.iter().flat_map(Fate::candidates) {
        *n_claims.entry(path.to_vec()).or_default() += 1;
    }
    for fate in &mut fates {
        if matches!(fate, Fate::Renamed(to, _) if 1 < n_claims[to]) {
            fate.doubt();
        }
    }
    Ok(fates)
}

fn fate_of(objects: &Objects, similar: &SimilarFiles, was: &Oid, side: &OneSide) -> Result<Fate, ReadError> {
    // An empty file is like every other; Git does not follow it in a merge.
    if *was == empty_blob(was) {
        return Ok(Fate::Gone);
    }
    if let Some(paths) = side.added.get(was) {
        let is_plain = paths.len() == 1 && side.removed.get(was).is_some_and(|paths| paths.len() == 1);
        return Ok(if is_plain { Fate::Renamed(paths[0].clone(), *was) } else { Fate::Unclear(paths.clone()) });
    }
    let mut candidates: Vec<(&Vec<u8>, Oid, Likeness)> = Vec::new();
    for &(oid, likeness) in similar.like(objects, was)?.iter() {
        let paths = side.added.get(&oid).map_or(&[][..], Vec::as_slice);
        let n_removed_alike = side.removed.get(&oid).map_or(0, Vec::len);
        // The same content was removed elsewhere: those two belong together, before all else.
        if n_removed_alike < paths.len() {
            let likeness = if n_removed_alike == 0 { likeness } else { Likeness::Unclear };
            candidates.extend(paths.iter().map(|path| (path, oid, likeness)));
        }
    }
    Ok(match candidates.as_slice() {
        [] => Fate::Gone,
        [(path, oid, Likeness::Alike)] => Fate::Renamed((*path).clone(), *oid),
        several => Fate::Unclear(several.iter().map(|(path, ..)| (*path).clone()).collect()),
    })
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
