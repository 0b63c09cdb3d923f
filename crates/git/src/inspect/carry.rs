//! Carries verdicts over when a line moved, for the branches that the move did not touch.
//!
//! A push to a line changes a few paths. Where a branch changed none of them, its
//! proof and its predicted merge come out as before, so they are remembered under
//! the new tip and not worked out again. That is exact under these conditions:
//!
//! * The line went forward along its own first-parent line, and the merge bases of
//!   the branch all lie in its old history, so they are still the same.
//! * No path that any new commit touched was changed by the branch; neither has a file where the
//!   other has a folder; no folder came or went on one side in which the other changed something,
//!   since the folder may have moved; and no attributes changed.
//! * Where renames on the line had a part in the merge, no file that moved can be an end of one
//!   ([`merge::MovedFiles`]).
//! * No path of a conflict is named after the old tip.
//!
//! Where a branch did change such a path, a conflict is still one if a file conflicts that the line did not touch.

use std::{hash::Hasher, iter};

use alignwatch_model::{Drift, Oid};
use rustc_hash::{FxHashSet, FxHasher};

use crate::{
    graph::{Graph, Pos, Trunk},
    landed,
    memory::{Memory, Shelf},
    merge,
    objects::Objects,
    tree_diff::{self, Side, WalkError, folder, leaf},
};

/// New commits of a line up to which verdicts are carried over. Source: ours; a sweep comes long before.
const COMMITS_AT_MOST: usize = 200;

/// Paths that a branch may have changed to be worth remembering.
const PATHS_AT_MOST: usize = 4_000;

/// A branch whose verdicts could be carried over.
pub(super) struct Carried<'a> {
    /// Its tip.
    pub(super) tip: Oid,
    /// How it stands to the line, now.
    pub(super) drift: &'a Drift,
}

/// Carries what is remembered of these branches from the tip that a line had at the last look to the
/// one it has now. What can't be read is not carried, and so worked out anew.
pub(super) fn carry(
    graph: &Graph,
    trunk: &Trunk,
    line: &[u8],
    objects: &Objects,
    memory: &Memory,
    merges: &mut merge::Remembered,
    branches: &[Carried<'_>],
) {
    let mut lines = memory.shelf("tips", "1");
    let now = graph.oid(trunk.tip());
    let before = lines.get(line).and_then(|bytes| Oid::from_bytes(bytes).ok());
    if before != Some(now) {
        if let Some(before) = before {
            let moved = Move::between(graph, trunk, before, objects).ok().flatten();
            if let Some(moved) = moved {
                moved.carry(graph, trunk, objects, memory, merges, branches);
            }
        }
        lines.put(line, now.as_bytes().to_vec());
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = lines.save();
    }
}

/// What a line's new commits touched.
struct Move {
    before: Oid,
    before_at: usize,
    keys: FxHashSet<u64>,
    /// Attributes say how other paths are merged.
    has_attributes: bool,
    /// The files among it.
    files: merge::MovedFiles,
}

impl Move {
    /// `None` where the line did not simply go forward, or by too much.
    fn between(graph: &Graph, trunk: &Trunk, before: Oid, objects: &Objects) -> Result<Option<Move>, WalkError> {
        let at = graph.find(&before).filter(|&at| trunk.is_on_line(at)).and_then(|at| trunk.intro(at));
        let Some(before_at) = at.filter(|at| trunk.line().len() - at <= COMMITS_AT_MOST) else { return Ok(None) };
        let (keys, files) = (FxHashSet::default(), merge::MovedFiles::default());
        let mut moved = Move { before, before_at, keys, has_attributes: false, files };
        for pair in trunk.line()[before_at..].windows(2) {
            let (old, new) = (graph.tree(pair[0]), graph.tree(pair[1]));
            tree_diff::entries(objects, Some(old), Some(new), &mut |path, old, new| moved.touch(path, old, new))?;
        }
        Ok(Some(moved).filter(|moved| !moved.has_attributes))
    }

    fn touch(&mut self, path: &[u8], old: Side, new: Side) {
        if folder(old).is_some() != folder(new).is_some() {
            self.keys.insert(hash(Key::FolderOfLine, path));
        }
        let (old, new) = (leaf(old), leaf(new));
        if old == new {
            return;
        }
        self.files.touch(path, old, new);
        self.has_attributes |= path.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes");
        self.keys.insert(hash(Key::Path, path));
        if old.is_none() {
            self.keys.insert(hash(Key::FileOfLine, path));
            for around in folders_around(path) {
                self.keys.extend([hash(Key::FileOfBranch, around), hash(Key::FolderOfBranch, around)]);
            }
        }
    }

    fn carry(
        &self,
        graph: &Graph,
        trunk: &Trunk,
        objects: &Objects,
        memory: &Memory,
        merges: &mut merge::Remembered,
        branches: &[Carried<'_>],
    ) {
        let mut touched = memory.shelf("touched", "3");
        let mut proofs = landed::Remembered::open(memory);
        let now = graph.oid(trunk.tip());
        for branch in branches {
            let bases: Vec<Pos> = branch.drift.merge_bases.iter().filter_map(|oid| graph.find(oid)).collect();
            let is_old = |&base: &Pos| trunk.intro(base).is_some_and(|intro| intro <= self.before_at);
            if bases.is_empty() || !bases.iter().all(is_old) {
                continue;
            }
            let trees: Vec<Oid> = bases.iter().map(|&base| graph.tree(base)).collect();
            let Ok(is_touched) = self.touches(objects, &mut touched, &trees, branch.tip) else { continue };
            proofs.carry((&self.before, &now, &branch.tip), is_touched);
            merges.carry(objects, (&self.before, &now, &branch.tip), &trees, &self.files, is_touched);
        }
        proofs.save();
        let _ = touched.save();
    }

    /// Did the branch change some of what the line changed?
    fn touches(&self, objects: &Objects, shelf: &mut Shelf, bases: &[Oid], tip: Oid) -> Result<bool, WalkError> {
        for base in bases {
            let key = [base.as_bytes(), tip.as_bytes()].concat();
            let keys = match shelf.get(&key) {
                Some(bytes) => bytes.to_vec(),
                None => {
                    let keys = branch_keys(objects, *base, tip)?;
                    shelf.put(&key, keys.clone());
                    keys
                }
            };
            let mut keys = keys.chunks_exact(8).map(|key| u64::from_le_bytes(key.try_into().expect("eight bytes")));
            if keys.any(|key| key == TOO_MANY || self.keys.contains(&key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Stands for more paths than are remembered.
const TOO_MANY: u64 = 0;

fn branch_keys(objects: &Objects, base: Oid, tip: Oid) -> Result<Vec<u8>, WalkError> {
    let mut keys: FxHashSet<u64> = FxHashSet::default();
    let mut n_paths = 0;
    let tree = objects.commit(&tip)?.tree;
    tree_diff::entries(objects, Some(base), Some(tree), &mut |path, old, new| {
        if folder(old).is_some() && folder(new).is_none() {
            keys.insert(hash(Key::FolderOfBranch, path));
        }
        let (old, new) = (leaf(old), leaf(new));
        if old == new {
            return;
        }
        n_paths += 1;
        keys.insert(hash(Key::Path, path));
        if new.is_some() {
            keys.insert(hash(Key::FileOfBranch, path));
        }
        for around in folders_around(path) {
            keys.extend([hash(Key::FileOfLine, around), hash(Key::FolderOfLine, around)]);
        }
    })?;
    if PATHS_AT_MOST < n_paths {
        keys = FxHashSet::from_iter([TOO_MANY]);
    }
    Ok(keys.into_iter().flat_map(u64::to_le_bytes).collect())
}

/// What both sides can have in common. Both hold the key where the one changed what it names in a way that
/// touches what the other did there.
#[derive(Clone, Copy)]
enum Key {
    /// Both changed this path.
    Path,
    /// The line has a new file here, and the branch changed something beneath it.
    FileOfLine,
    /// The branch has a file here that it changed, and the line something new beneath it.
    FileOfBranch,
    /// This folder came or went on the line, and the branch changed something beneath it: Git guesses where a file went by
    /// where the folder went that it stood in.
    FolderOfLine,
    /// This folder went on the branch, and the line has something new beneath it.
    FolderOfBranch,
}

/// The folders around a path, the nearest first, without the root.
fn folders_around(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let around = |path: &'_ [u8]| path.iter().rposition(|&byte| byte == b'/');
    iter::successors(around(path).map(|end| &path[..end]), move |path| around(path).map(|end| &path[..end]))
}

/// Stands for a path wherever paths are remembered.
pub(super) fn hash_of_path(path: &[u8]) -> u64 {
    hash(Key::Path, path)
}

fn hash(key: Key, path: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u8(key as u8);
    hasher.write(path);
    // Never the value that stands for too many.
    hasher.finish() | 1
}
