//! Which remembered answers still hold after the line moved, as far as renames go.
//!
//! A merge without renames depends on the paths that both sides changed, and nothing else; who carries answers has
//! looked at those already. Renames reach further: a file that the line removed and the branch changed may be any file
//! that the line added. So an answer is kept with the files whose way on the line had to be found, and holds as long as
//! no file that came, went or changed on the line is like one of them.
//!
//! Git also pairs files by their names, and guesses by where the folder of a file went. So what only Git could tell holds
//! as long as, besides, no such file bears a name that had a part in it, or holds just what a file held that the line removed.
//!
//! Many conflicts are certain by a part of the pair, such as one file. Then the verdict is carried as long as that part
//! holds, whatever else both sides changed, and the paths are found anew.

use std::{
    cell::{OnceCell, RefCell},
    hash::Hasher,
    sync::Arc,
};

use alignwatch_model::{Merge, Oid, Verdict, branch::Conflict};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};

use super::{
    fates::RENAME_MATRIX_AT_MOST,
    key,
    similar::{SimilarFiles, Sketches},
};
use crate::{
    memory::{Memory, Shelf},
    objects::{Objects, ReadError},
    tree_diff::{Side, leaf},
};

/// Files that a move may have touched to be looked at. Source: ours; a push that touches more is rare.
const FILES_AT_MOST: usize = 500;

/// Files whose way is remembered with an answer. Source: ours; of 742 branches of a large repository, three follow more.
const FOLLOWED_AT_MOST: usize = 2_000;

/// Files that the line removed which are remembered with what only Git could tell. Source: ours; 80 KiB.
const REMOVED_AT_MOST: usize = 20_000;

/// What had to be followed over renames to find an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Followed {
    /// Nothing on the line: only contents met, or files that the branch renamed.
    Nothing,
    /// Files of the merge base that the line removed.
    OnTheLine {
        files: Files,
        /// Files that the line added: each may be one of them.
        n_added: usize,
    },
    /// Links, or what nobody looked for.
    #[default]
    Anything,
    /// A folder of the branch may have been renamed, so that also decides what it meets on the line; or the paths of a
    /// conflict are not known.
    Everything,
}

/// What a file that comes, goes or changes on the line must not be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Files {
    /// What the followed files held.
    contents: Vec<Oid>,
    /// Where only Git could tell: names of files that had a part in it, as [`hash_of_name`] gives them, sorted.
    names: Vec<u32>,
    /// Where only Git could tell: the first bytes of what each removed file held, sorted.
    removed: Vec<u32>,
    /// Where a folder of the line may have been renamed: names, as above, in the paths within it of what the branch added there.
    /// Git looks what stands where they would go.
    within: Vec<u32>,
}

impl Followed {
    /// These files of the merge base, which the line removed.
    pub(super) fn on_the_line(contents: impl Iterator<Item = Oid>, n_added: usize) -> Followed {
        let mut contents: Vec<Oid> = contents.collect();
        contents.sort_unstable();
        contents.dedup();
        match contents.len() {
            0 => Followed::Nothing,
            1..=FOLLOWED_AT_MOST => Followed::OnTheLine { files: Files { contents, ..Files::default() }, n_added },
            _ => Followed::Anything,
        }
    }

    /// The same where only Git can tell what became of them. `paths` are of files that have a part in it, `removed` is
    /// what all files held that the line removed, `added` are paths within folders that may be renamed, of what the branch
    /// added there.
    pub(super) fn by_git<'a>(
        self,
        paths: impl Iterator<Item = &'a [u8]>,
        removed: impl ExactSizeIterator<Item = &'a Oid>,
        added: impl Iterator<Item = &'a [u8]>,
    ) -> Followed {
        let (mut files, n_added) = match self {
            Followed::Nothing => (Files::default(), 0),
            Followed::OnTheLine { files, n_added } => (files, n_added),
            other @ (Followed::Anything | Followed::Everything) => return other,
        };
        if REMOVED_AT_MOST < removed.len() {
            return Followed::Anything;
        }
        files.names = paths.map(hash_of_name).collect();
        files.removed = removed.map(first_bytes).collect();
        files.within = added.flat_map(parts).map(hash_of_name).collect();
        files.names.sort_unstable();
        files.removed.sort_unstable();
        files.within.sort_unstable();
        Followed::OnTheLine { files, n_added }
    }
}

/// What an answer rests on, besides the paths that both sides changed.
#[derive(Debug, Default)]
pub(super) struct RestsOn {
    /// The answer with all its paths.
    pub(super) all: Followed,
    /// That it is a conflict; `None` = the verdict rests on all.
    pub(super) verdict: Option<Certain>,
}

/// What a conflict rests on that is certain by a part of the pair, whatever else both sides changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Certain {
    /// The file at this path conflicts: all three trees have it, or the branch removed what the line changed.
    At(Vec<u8>),
    /// The line removed a file with this content, which the branch changed, and has none that is like it.
    Gone(Oid),
}

/// An answer as it is kept, by line and tip.
#[derive(Serialize, Deserialize)]
struct Record {
    merge: Merge,
    followed: FollowedAt,
    /// What the verdict alone rests on, where that is less.
    certain: Option<Certain>,
    /// It is a conflict whose paths nobody looked for.
    is_verdict_only: bool,
}

/// The same as [`Followed`], with the files on a shelf of their own: they are many, and stay while the line moves.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum FollowedAt {
    Nothing,
    /// The files are kept under the tip that the line had when they were found.
    OnTheLine {
        found_at: Oid,
        n_added: usize,
    },
    Anything,
    Everything,
}

/// The remembered answers of one repository.
pub(crate) struct Remembered {
    merges: Shelf,
    memory: Memory,
    written_by: String,
    /// Opened when it is first needed.
    files: Option<Shelf>,
    sketches: Arc<Sketches>,
}

impl Remembered {
    /// `written_by` is everything besides the commits that an answer depends on.
    pub(super) fn open(memory: &Memory, written_by: String, sketches: Arc<Sketches>) -> Remembered {
        let merges = memory.shelf("merges", &written_by);
        Remembered { merges, memory: memory.clone(), written_by, files: None, sketches }
    }

    /// What was found for this line and tip, and whether only the verdict was asked for.
    pub(super) fn get(&mut self, line: &Oid, tip: &Oid) -> Option<(Merge, bool)> {
        let record = self.record(line, tip)?;
        Some((record.merge, record.is_verdict_only))
    }

    /// Remembers an answer. What it rests on is known where the answer is a new one, and is not forgotten where Git
    /// now gave the paths to a remembered one.
    pub(super) fn keep(
        &mut self,
        line: &Oid,
        tip: &Oid,
        (merge, is_verdict_only): (Merge, bool),
        rests_on: Option<RestsOn>,
    ) {
        let (followed, certain) = match rests_on {
            Some(RestsOn { all, verdict }) => {
                let certain = verdict.filter(|_| merge.verdict == Verdict::Conflict);
                (self.at(line, tip, all), certain)
            }
            None => match self.record(line, tip) {
                Some(record) => (record.followed, record.certain),
                None => (FollowedAt::Anything, None),
            },
        };
        self.put(line, tip, &Record { merge, followed, certain, is_verdict_only });
    }

    /// Keeps the files.
    fn at(&mut self, line: &Oid, tip: &Oid, followed: Followed) -> FollowedAt {
        match followed {
            Followed::Nothing => FollowedAt::Nothing,
            Followed::OnTheLine { files, n_added } => {
                self.files().put(&key(line, tip), postcard::to_stdvec(&files).unwrap_or_default());
                FollowedAt::OnTheLine { found_at: *line, n_added }
            }
            Followed::Anything => FollowedAt::Anything,
            Followed::Everything => FollowedAt::Everything,
        }
    }

    /// Remembers for the tip that the line has `now` what was found `before`, unless the files that `moved` may be ends
    /// of renames in it. `bases` are the trees of the merge bases. Paths that Git named after the old tip are not carried,
    /// nor where only the verdict is certain. Where the branch changed a path `is_touched`, only a file that conflicts
    /// elsewhere counts. What was found before is forgotten.
    pub(crate) fn carry(
        &mut self,
        objects: &Objects,
        (before, now, tip): (&Oid, &Oid, &Oid),
        bases: &[Oid],
        moved: &MovedFiles,
        is_touched: bool,
    ) {
        let Some(mut record) = self.record(before, tip) else { return };
        // A line seldom comes back to where it was.
        self.merges.remove(&key(before, tip));
        let old_name = before.hex();
        let is_named_after = |conflict: &Conflict| conflict.path.contains(&old_name);
        let names_it = record.merge.conflicts.iter().flatten().any(is_named_after);
        // What Git merges from several bases may hold other things than these at a path where all are alike.
        let may_hold = !is_touched && !names_it && bases.len() == 1;
        // What can't be read is not carried, and so worked out anew.
        if may_hold && self.holds(objects, tip, &mut record.followed, bases, moved).unwrap_or(false) {
            return self.put(now, tip, &record);
        }
        if let FollowedAt::OnTheLine { found_at, .. } = record.followed {
            self.files().remove(&key(&found_at, tip));
        }
        let Some(certain) = record.certain.filter(|_| record.merge.verdict == Verdict::Conflict) else { return };
        if self.is_certain(objects, &certain, bases, moved).unwrap_or(false) {
            let (merge, followed) = (Merge::conflict(None), FollowedAt::Everything);
            self.put(now, tip, &Record { merge, followed, certain: Some(certain), is_verdict_only: true });
        }
    }

    fn is_certain(
        &self,
        objects: &Objects,
        certain: &Certain,
        bases: &[Oid],
        moved: &MovedFiles,
    ) -> Result<bool, ReadError> {
        match certain {
            Certain::At(path) => Ok(!moved.may_touch(path)),
            Certain::Gone(_) if bases.len() != 1 => Ok(false),
            Certain::Gone(was) => {
                let files = Files { contents: vec![*was], ..Files::default() };
                moved.are_strange_to(objects, bases, &files, &self.sketches)
            }
        }
    }

    fn holds(
        &mut self,
        objects: &Objects,
        tip: &Oid,
        followed: &mut FollowedAt,
        bases: &[Oid],
        moved: &MovedFiles,
    ) -> Result<bool, ReadError> {
        match followed {
            FollowedAt::Nothing => return Ok(true),
            FollowedAt::OnTheLine { found_at, n_added } => {
                *n_added += moved.came_or_went.len();
                let Some(files) = self.files_at(found_at, tip) else { return Ok(false) };
                if moved.come_near(&files.within) {
                    return Ok(false);
                }
                let are_few = n_added.saturating_mul(files.contents.len()) <= RENAME_MATRIX_AT_MOST;
                if are_few && moved.are_strange_to(objects, bases, &files, &self.sketches)? {
                    return Ok(true);
                }
            }
            FollowedAt::Anything => {}
            FollowedAt::Everything => return Ok(false),
        }
        moved.are_in_all(objects, bases)
    }

    fn files_at(&mut self, found_at: &Oid, tip: &Oid) -> Option<Files> {
        postcard::from_bytes(self.files().get(&key(found_at, tip))?).ok()
    }

    /// Writes what is new.
    pub(crate) fn save(&mut self) {
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = (self.merges.save(), self.files.as_mut().map(Shelf::save));
        self.sketches.save();
    }

    fn record(&mut self, line: &Oid, tip: &Oid) -> Option<Record> {
        postcard::from_bytes(self.merges.get(&key(line, tip))?).ok()
    }

    fn put(&mut self, line: &Oid, tip: &Oid, record: &Record) {
        self.merges.put(&key(line, tip), postcard::to_stdvec(record).unwrap_or_default());
    }

    fn files(&mut self) -> &mut Shelf {
        self.files.get_or_insert_with(|| self.memory.shelf("followed", &self.written_by))
    }
}

/// Files that came, went or changed on a line: between them and others there may be renames.
#[derive(Default)]
pub(crate) struct MovedFiles {
    contents: Vec<Oid>,
    came_or_went: Vec<Vec<u8>>,
    modified: Vec<Vec<u8>>,
    /// Links, submodules, or more than is looked at.
    is_more: bool,
    like_these: OnceCell<SimilarFiles>,
    /// By tree of a merge base: is all that came and went new to it?
    are_new_to: RefCell<FxHashMap<Oid, bool>>,
}

impl MovedFiles {
    /// Takes in a path that differs between two commits of the line.
    pub(crate) fn touch(&mut self, path: &[u8], old: Side, new: Side) {
        let sides = [leaf(old), leaf(new)];
        self.is_more |= FILES_AT_MOST < self.contents.len() || sides.iter().flatten().any(|(mode, _)| !mode.is_file());
        if self.is_more {
            return;
        }
        let stood = sides.into_iter().flatten().map(|(_, oid)| oid);
        self.contents.extend(stood);
        let kind = if sides.iter().all(Option::is_some) { &mut self.modified } else { &mut self.came_or_went };
        kind.push(path.to_vec());
    }

    /// Do all these files stand in each of these trees, and were they only modified? Then none is an end of a rename.
    fn are_in_all(&self, objects: &Objects, trees: &[Oid]) -> Result<bool, ReadError> {
        if self.is_more || !self.came_or_went.is_empty() {
            return Ok(false);
        }
        stand_in(objects, trees, &self.modified, true)
    }

    /// Does none of these trees have what came and went?
    fn are_new_to(&self, objects: &Objects, trees: &[Oid]) -> Result<bool, ReadError> {
        for tree in trees {
            let known = self.are_new_to.borrow().get(tree).copied();
            let are_new = known.map_or_else(|| stand_in(objects, &[*tree], &self.came_or_went, false), Ok)?;
            self.are_new_to.borrow_mut().insert(*tree, are_new);
            if !are_new {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does one of them bear such a name, or lie in a folder that does?
    fn come_near(&self, names: &[u32]) -> bool {
        let bears = |part: &[u8]| names.binary_search(&hash_of_name(part)).is_ok();
        let mut paths = self.came_or_went.iter().chain(&self.modified);
        !names.is_empty() && (self.is_more || paths.any(|path| parts(path).any(bears)))
    }

    /// May this path be among them?
    fn may_touch(&self, path: &[u8]) -> bool {
        self.is_more || self.came_or_went.iter().chain(&self.modified).any(|other| other == path)
    }

    /// Is what came and went new to the merge base, and nothing that moved like one of these files?
    fn are_strange_to(
        &self,
        objects: &Objects,
        bases: &[Oid],
        files: &Files,
        sketches: &Arc<Sketches>,
    ) -> Result<bool, ReadError> {
        if self.is_more || !self.are_new_to(objects, bases)? {
            return Ok(false);
        }
        if self.contents.iter().any(|content| files.removed.binary_search(&first_bytes(content)).is_ok()) {
            return Ok(false);
        }
        for path in self.came_or_went.iter().chain(&self.modified) {
            let bears_a_name = files.names.binary_search(&hash_of_name(path)).is_ok();
            if bears_a_name && !stand_in(objects, bases, std::slice::from_ref(path), true)? {
                return Ok(false);
            }
        }
        let index = self.like_these.get_or_init(|| {
            let index = SimilarFiles::with(Arc::clone(sketches));
            index.add(objects, self.contents.iter());
            index
        });
        index.check(self.contents.iter())?;
        for content in &files.contents {
            if index.is_full() || !index.like(objects, content)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The names in a path.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
}

/// Stands for the name of a file without its folders.
fn hash_of_name(path: &[u8]) -> u32 {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let mut hasher = FxHasher::default();
    hasher.write(name);
    (hasher.finish() >> 32) as u32
}

fn first_bytes(oid: &Oid) -> u32 {
    oid.as_bytes().iter().take(4).fold(0, |bytes, &byte| bytes << 8 | u32::from(byte))
}

/// Does each of these paths stand as a file in each of these trees, or in none, as wanted?
fn stand_in(objects: &Objects, trees: &[Oid], paths: &[Vec<u8>], wanted: bool) -> Result<bool, ReadError> {
    for tree in trees {
        for path in paths {
            if stands_in(objects, *tree, path)? != wanted {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn stands_in(objects: &Objects, root: Oid, path: &[u8]) -> Result<bool, ReadError> {
    let mut at = root;
    let mut names = path.split(|&byte| byte == b'/').peekable();
    while let Some(name) = names.next() {
        let tree = objects.tree(&at)?;
        let Some(entry) = tree.find(name) else { return Ok(false) };
        if entry.mode.is_tree() == names.peek().is_none() {
            return Ok(false);
        }
        at = entry.oid;
    }
    Ok(true)
}
