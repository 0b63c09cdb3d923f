//! Which remembered answers still hold after the line moved, as far as renames go.
//!
//! A merge without renames depends on the paths that both sides changed, and nothing else; who carries answers has
//! looked at those already. Renames reach further: a file that the line removed and the branch changed may be any file
//! that the line added. So an answer is kept with the files whose way on the line had to be found, and holds as long as
//! no file that came, went or changed on the line is like one of them.
//!
//! Many conflicts are certain by a part of the pair, while the paths of the rest are only Git's to name. Then the verdict
//! is carried as long as that part holds, and the paths are found anew.

use std::cell::OnceCell;

use alignwatch_model::{Merge, Oid, Verdict, branch::Conflict};
use serde::{Deserialize, Serialize};

use super::{key, pair::RENAME_MATRIX_AT_MOST, similar::SimilarFiles};
use crate::{
    memory::{Memory, Shelf},
    objects::{Objects, ReadError},
    tree_diff::{Side, leaf},
};

/// Files that a move may have touched to be looked at. Source: ours; a push that touches more is rare.
const FILES_AT_MOST: usize = 500;

/// Files whose way is remembered with an answer. Source: ours; of 742 branches of a large repository, three follow more.
const FOLLOWED_AT_MOST: usize = 2_000;

/// What had to be followed over renames to find an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Followed {
    /// Nothing on the line: only contents met, or files that the branch renamed.
    Nothing,
    /// Files of the merge base that the line removed: what they held.
    OnTheLine {
        contents: Vec<Oid>,
        /// Files that the line added: each may be one of them.
        n_added: usize,
    },
    /// Folders, links, or what only Git can tell.
    #[default]
    Anything,
}

impl Followed {
    /// These files of the merge base, which the line removed.
    pub(super) fn on_the_line(contents: impl Iterator<Item = Oid>, n_added: usize) -> Followed {
        let mut contents: Vec<Oid> = contents.collect();
        contents.sort_unstable();
        contents.dedup();
        match contents.len() {
            0 => Followed::Nothing,
            1..=FOLLOWED_AT_MOST => Followed::OnTheLine { contents, n_added },
            _ => Followed::Anything,
        }
    }
}

/// What an answer rests on, besides the paths that both sides changed.
#[derive(Debug, Default)]
pub(super) struct RestsOn {
    /// The answer with all its paths.
    pub(super) all: Followed,
    /// That it is a conflict; `None` = the verdict rests on all.
    pub(super) verdict: Option<Followed>,
}

/// An answer as it is kept, by line and tip.
#[derive(Serialize, Deserialize)]
struct Record {
    merge: Merge,
    followed: FollowedAt,
    /// What the verdict alone rests on, where that is less.
    certain: Option<FollowedAt>,
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
}

/// The remembered answers of one repository.
pub(crate) struct Remembered {
    merges: Shelf,
    memory: Memory,
    written_by: String,
    /// Opened when it is first needed.
    files: Option<Shelf>,
}

impl Remembered {
    /// `written_by` is everything besides the commits that an answer depends on.
    pub(super) fn open(memory: &Memory, written_by: String) -> Remembered {
        Remembered { merges: memory.shelf("merges", &written_by), memory: memory.clone(), written_by, files: None }
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
                // Where the whole pair was decided here, all of it is worked out again, paths included.
                let certain = verdict.filter(|_| merge.verdict == Verdict::Conflict && all == Followed::Anything);
                let of_all = self.at(line, tip, all);
                (of_all, certain.map(|certain| self.at(line, tip, certain)))
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
            Followed::OnTheLine { contents, n_added } => {
                let bytes = contents.iter().flat_map(Oid::as_bytes).copied().collect();
                self.files().put(&key(line, tip), bytes);
                FollowedAt::OnTheLine { found_at: *line, n_added }
            }
            Followed::Anything => FollowedAt::Anything,
        }
    }

    /// Remembers for the tip that the line has `now` what was found `before`, unless the files that `moved` may be ends
    /// of renames in it. `bases` are the trees of the merge bases. Paths that Git named after the old tip are not carried,
    /// nor where only the verdict is certain.
    pub(crate) fn carry(
        &mut self,
        objects: &Objects,
        (before, now, tip): (&Oid, &Oid, &Oid),
        bases: &[Oid],
        moved: &MovedFiles,
    ) {
        let Some(mut record) = self.record(before, tip) else { return };
        let old_name = before.hex();
        let is_named_after = |conflict: &Conflict| conflict.path.contains(&old_name);
        let names_it = record.merge.conflicts.iter().flatten().any(is_named_after);
        // What can't be read is not carried, and so worked out anew.
        let mut holds = |followed| self.holds(objects, tip, followed, bases, moved).unwrap_or(false);
        if !names_it && holds(&mut record.followed) {
            // What the verdict rests on is less, and holds as well.
            if let Some(FollowedAt::OnTheLine { n_added, .. }) = &mut record.certain {
                *n_added += moved.came_or_went.len();
            }
            return self.put(now, tip, &record);
        }
        let Some(mut certain) = record.certain.filter(|_| record.merge.verdict == Verdict::Conflict) else { return };
        if holds(&mut certain) {
            let (merge, followed) = (Merge::conflict(None), FollowedAt::Anything);
            self.put(now, tip, &Record { merge, followed, certain: Some(certain), ..record });
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
        match (followed, bases) {
            (FollowedAt::Nothing, _) => return Ok(true),
            (FollowedAt::OnTheLine { found_at, n_added }, [base]) => {
                *n_added += moved.came_or_went.len();
                let contents = self.contents(found_at, tip);
                let are_few = |contents: &Vec<Oid>| n_added.saturating_mul(contents.len()) <= RENAME_MATRIX_AT_MOST;
                if let Some(contents) = contents.filter(are_few)
                    && moved.are_strange_to(objects, *base, &contents)?
                {
                    return Ok(true);
                }
            }
            _ => {}
        }
        moved.are_in_all(objects, bases)
    }

    fn contents(&mut self, found_at: &Oid, tip: &Oid) -> Option<Vec<Oid>> {
        let bytes = self.files().get(&key(found_at, tip))?;
        bytes.chunks(tip.as_bytes().len()).map(|bytes| Oid::from_bytes(bytes).ok()).collect()
    }

    /// Writes what is new.
    pub(crate) fn save(&mut self) {
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = (self.merges.save(), self.files.as_mut().map(Shelf::save));
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
    index: OnceCell<SimilarFiles>,
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

    /// Is what came and went new to this tree, and nothing that moved like one of these contents?
    fn are_strange_to(&self, objects: &Objects, tree: Oid, contents: &[Oid]) -> Result<bool, ReadError> {
        if self.is_more || !stand_in(objects, &[tree], &self.came_or_went, false)? {
            return Ok(false);
        }
        let index = self.index.get_or_init(|| {
            let index = SimilarFiles::default();
            index.add(objects, self.contents.iter());
            index
        });
        index.check(self.contents.iter())?;
        for content in contents {
            if index.is_full() || !index.like(objects, content)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
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
