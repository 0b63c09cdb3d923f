//! Measures the shape of all history: every object that a ref reaches, once.
//!
//! Definitions and order of counting are those of git-sizer (sizes/graph.go):
//! trees with their blobs from the leaves up, commits from the roots up. Blobs
//! are not read, only their sizes. Objects that cannot be read are counted, and
//! what hangs on them is left out.
//!
//! Memory: 40 bytes a blob, 100 a tree, 60 a commit, and the object caches. An
//! answer is remembered by the set of ids that all refs point to (and, where objects
//! are missing, by the packs), so that an unchanged repository is not scanned twice.

use std::collections::BTreeSet;

use alignwatch_model::{
    Known, Oid,
    facts::shape::{BigBlob, LISTED_BLOB_BYTES, Shape},
};
use gix_object::Kind;
use rustc_hash::FxHashMap;

use super::forest::{self, Key, Stopped, key};
use crate::{
    memory::Memory,
    objects::{Objects, ReadError, Tree},
    stop::Stop,
};

/// Counted up when the definitions change, so that older answers are not believed.
const VERSION: &str = "1";

/// Objects that are held in memory: some 800 MB. Source: ours; the kernel of Linux has as many.
const OBJECTS_AT_MOST: u64 = 12_000_000;

/// Large blobs that are listed.
const BIG_BLOBS_AT_MOST: usize = 100;

/// Tags that name tags, one behind the other. Source: ours; git-sizer is concerned from two on.
const TAGS_DEEP: usize = 1000;

/// Objects between two looks at the clock and words about progress.
const STEP_OBJECTS: u64 = 512;

/// What is to be measured.
pub struct Question<'a> {
    /// The object database.
    pub objects: &'a Objects,
    /// What each ref points to; several may point to the same.
    pub roots: Vec<Oid>,
    /// When to give up.
    pub stop: &'a Stop,
    /// Where answers are remembered.
    pub memory: &'a Memory,
    /// What changes whenever objects come or go; `None` = it is not known. With it, an answer is
    /// remembered also where objects are missing.
    pub stored: Option<String>,
    /// Hears how many objects were looked at.
    pub step: &'a dyn Fn(usize),
}

/// Measures it. Unknown when it was stopped, or when there are more objects than are held in memory.
pub fn shape(question: Question<'_>) -> Known<Shape> {
    let n_refs = question.roots.len() as u64;
    let roots: BTreeSet<Oid> = question.roots.iter().copied().collect();
    let mut shelf = question.memory.shelf("shape", VERSION);
    // A whole answer stays true for ever; one that lacks objects, as long as none came.
    let whole = fingerprint(&roots, "");
    let part = question.stored.as_ref().and_then(|stored| fingerprint(&roots, stored));
    for name in [&whole, &part].into_iter().flatten() {
        if let Some(shape) = shelf.get(name).and_then(|value| postcard::from_bytes::<Shape>(value).ok()) {
            return Known::Seen(Shape { n_refs, ..shape });
        }
    }
    let mut scan = Scan::new(&question);
    if scan.everything(&roots).is_err() {
        return Known::Unknown(scan.stopped_by());
    }
    let shape = Shape { n_refs, ..scan.end() };
    let name = if shape.n_unread == 0 { whole } else { part };
    if let (Some(name), Ok(value)) = (name, postcard::to_stdvec(&shape)) {
        shelf.put(&name, value);
        // A memory that cannot be written costs a scan, never an answer.
        let _ = shelf.save();
    }
    Known::Seen(shape)
}

/// A name for this set of ids in a repository that stores this.
fn fingerprint(roots: &BTreeSet<Oid>, stored: &str) -> Option<Vec<u8>> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(stored.as_bytes());
    roots.iter().for_each(|oid| hasher.update(oid.as_bytes()));
    hasher.try_finalize().ok().map(|id| id.as_slice().to_vec())
}

/// One scan.
struct Scan<'a> {
    question: &'a Question<'a>,
    shape: Shape,
    commits: FxHashMap<Key, u32>,
    parents: Parents,
    trees: FxHashMap<Key, TreeSize>,
    blobs: FxHashMap<Key, u64>,
    tags: FxHashMap<Key, u64>,
    big_blobs: BTreeSet<BigBlob>,
    n_seen: u64,
}

/// What lies below a tree. Source: git-sizer, `TreeSize`.
#[derive(Clone, Copy, Default)]
struct TreeSize {
    path_depth: u32,
    path_bytes: u32,
    n_trees: u64,
    n_blobs: u64,
    blob_bytes: u64,
    n_links: u64,
    n_submodules: u64,
}

/// The parents of all commits, by number, one after the other.
#[derive(Default)]
struct Parents {
    ends: Vec<(u32, u32)>,
    all: Vec<u32>,
}

impl<'a> Scan<'a> {
    fn new(question: &'a Question<'a>) -> Scan<'a> {
        Scan {
            question,
            shape: Shape::default(),
            commits: FxHashMap::default(),
            parents: Parents::default(),
            trees: FxHashMap::default(),
            blobs: FxHashMap::default(),
            tags: FxHashMap::default(),
            big_blobs: BTreeSet::new(),
            n_seen: 0,
        }
    }

    fn everything(&mut self, roots: &BTreeSet<Oid>) -> Result<(), Stopped> {
        for root in roots {
            let end = self.through_tags(root);
            match end.and_then(|end| self.question.objects.kind_and_size(&end).map(|(kind, size)| (end, kind, size))) {
                Ok((commit, Kind::Commit, _)) => self.history(commit)?,
                Ok((tree, Kind::Tree, _)) => self.tree(tree)?,
                Ok((blob, Kind::Blob, size)) => self.blob(&blob, b"", Ok(size)),
                Ok((_, Kind::Tag, _)) => {}
                Err(error) => self.unread(&error),
            }
        }
        Ok(())
    }

    /// Follows tags to what they name, and counts them.
    fn through_tags(&mut self, root: &Oid) -> Result<Oid, ReadError> {
        let (mut chain, mut at) = (Vec::new(), *root);
        while let Some(target) = self.question.objects.tag_target(&at)? {
            chain.push(at);
            at = target;
            if TAGS_DEEP < chain.len() {
                return Err(ReadError::Damaged(*root, "its chain of tags has no end".into()));
            }
        }
        for (depth, tag) in (1..).zip(chain.iter().rev()) {
            if self.tags.insert(key(tag), depth).is_none() {
                self.shape.n_tags += 1;
                self.shape.max_tag_depth.reach(depth, *tag);
            }
        }
        Ok(at)
    }

    /// A commit and its ancestors, with their trees.
    fn history(&mut self, tip: Oid) -> Result<(), Stopped> {
        let mut stack = Vec::new();
        self.number(tip, &mut stack);
        while let Some((number, oid)) = stack.pop() {
            match self.question.objects.commit_and_size(&oid) {
                Err(error) => self.unread(&error),
                Ok((commit, size)) => {
                    self.shape.n_commits += 1;
                    self.shape.commit_bytes = self.shape.commit_bytes.saturating_add(size);
                    self.shape.max_commit_bytes.reach(size, oid);
                    self.shape.max_parents.reach(commit.parents.len() as u64, oid);
                    let parents: Vec<u32> =
                        commit.parents.iter().map(|parent| self.number(*parent, &mut stack)).collect();
                    self.parents.set(number, &parents);
                    self.tree(commit.tree)?;
                }
            }
            self.count()?;
        }
        Ok(())
    }

    /// The number of a commit; a new one is put onto the stack.
    fn number(&mut self, oid: Oid, stack: &mut Vec<(u32, Oid)>) -> u32 {
        let next = self.commits.len() as u32;
        let number = *self.commits.entry(key(&oid)).or_insert(next);
        if number == next {
            self.parents.ends.push((0, 0));
            stack.push((number, oid));
        }
        number
    }

    fn tree(&mut self, root: Oid) -> Result<(), Stopped> {
        let mut trees = std::mem::take(&mut self.trees);
        let objects = self.question.objects;
        let scan = std::cell::RefCell::new(self);
        let measure = |oid: &Oid, tree: Result<&Tree, ReadError>, known: &FxHashMap<Key, TreeSize>| match tree {
            Ok(tree) => scan.borrow_mut().measured(oid, tree, known),
            Err(error) => {
                scan.borrow_mut().unread(&error);
                TreeSize::default()
            }
        };
        let ended = forest::fold(objects, root, &mut trees, measure, || scan.borrow_mut().count().is_ok());
        scan.into_inner().trees = trees;
        ended
    }

    /// Counts a tree whose subtrees are known. Source: git-sizer, `treeRecord.initialize`.
    fn measured(&mut self, oid: &Oid, tree: &Tree, known: &FxHashMap<Key, TreeSize>) -> TreeSize {
        let mut size = TreeSize { n_trees: 1, ..TreeSize::default() };
        for entry in tree.iter() {
            let name_len = entry.name.len() as u32;
            if entry.mode.is_tree() {
                match known.get(&key(&entry.oid)) {
                    Some(below) => size.add_tree(name_len, below),
                    None => self.unread(&ReadError::Damaged(entry.oid, "the tree contains itself".into())),
                }
                continue;
            }
            size.add_leaf(name_len);
            if entry.mode.is_submodule() {
                size.n_submodules = size.n_submodules.saturating_add(1);
                continue;
            }
            let bytes = self.blob_size(&entry.oid, entry.name);
            if entry.mode.is_link() {
                size.n_links = size.n_links.saturating_add(1);
            } else {
                size.n_blobs = size.n_blobs.saturating_add(1);
                size.blob_bytes = size.blob_bytes.saturating_add(bytes);
            }
        }
        self.record_tree(oid, tree, &size);
        size
    }

    fn record_tree(&mut self, oid: &Oid, tree: &Tree, size: &TreeSize) {
        let shape = &mut self.shape;
        shape.n_trees += 1;
        shape.tree_bytes = shape.tree_bytes.saturating_add(tree.size_bytes());
        shape.n_tree_entries = shape.n_tree_entries.saturating_add(tree.len() as u64);
        shape.max_tree_entries.reach(tree.len() as u64, *oid);
        shape.max_directories.reach(size.n_trees, *oid);
        shape.max_path_depth.reach(size.path_depth.into(), *oid);
        shape.max_path_bytes.reach(size.path_bytes.into(), *oid);
        shape.max_files.reach(size.n_blobs, *oid);
        shape.max_checkout_bytes.reach(size.blob_bytes, *oid);
        shape.max_links.reach(size.n_links, *oid);
        shape.max_submodules.reach(size.n_submodules, *oid);
    }

    fn blob_size(&mut self, oid: &Oid, name: &[u8]) -> u64 {
        if let Some(size) = self.blobs.get(&key(oid)) {
            return *size;
        }
        let size = self.question.objects.kind_and_size(oid).map(|(_, size)| size);
        let bytes = size.as_ref().copied().unwrap_or(0);
        self.blob(oid, name, size);
        bytes
    }

    fn blob(&mut self, oid: &Oid, name: &[u8], size: Result<u64, ReadError>) {
        let bytes = size.as_ref().copied().unwrap_or(0);
        if self.blobs.insert(key(oid), bytes).is_some() {
            return;
        }
        self.n_seen += 1;
        if let Err(error) = size {
            return self.unread(&error);
        }
        self.shape.n_blobs += 1;
        self.shape.blob_bytes = self.shape.blob_bytes.saturating_add(bytes);
        self.shape.max_blob_bytes.reach(bytes, *oid);
        if LISTED_BLOB_BYTES <= bytes {
            let name = String::from_utf8_lossy(name).chars().take(200).collect();
            self.big_blobs.insert(BigBlob { bytes, oid: *oid, name });
            if BIG_BLOBS_AT_MOST < self.big_blobs.len() {
                self.big_blobs.pop_first();
            }
        }
    }

    fn unread(&mut self, error: &ReadError) {
        if self.shape.n_unread == 0 {
            self.shape.unread_reason = error.to_string();
        }
        self.shape.n_unread += 1;
    }

    /// One more object; an error when it is time to end.
    fn count(&mut self) -> Result<(), Stopped> {
        self.n_seen += 1;
        if self.n_seen % STEP_OBJECTS < 2 {
            (self.question.step)(self.n_seen as usize);
        }
        if self.question.stop.is_due() || OBJECTS_AT_MOST < self.n_seen { Err(Stopped) } else { Ok(()) }
    }

    fn stopped_by(&self) -> String {
        let too_many = || format!("there are more than {OBJECTS_AT_MOST} objects");
        self.question.stop.reason().unwrap_or_else(too_many)
    }

    fn end(mut self) -> Shape {
        self.shape.max_history_depth = self.parents.longest_chain();
        self.shape.big_blobs = self.big_blobs.into_iter().rev().collect();
        self.shape
    }
}

impl TreeSize {
    /// Takes a subtree of this name length in. Source: git-sizer, `addDescendent`.
    fn add_tree(&mut self, name_len: u32, below: &TreeSize) {
        let path = if below.path_bytes == 0 { name_len } else { (name_len + 1).saturating_add(below.path_bytes) };
        self.path_depth = self.path_depth.max(below.path_depth.saturating_add(1));
        self.path_bytes = self.path_bytes.max(path);
        self.n_trees = self.n_trees.saturating_add(below.n_trees);
        self.n_blobs = self.n_blobs.saturating_add(below.n_blobs);
        self.blob_bytes = self.blob_bytes.saturating_add(below.blob_bytes);
        self.n_links = self.n_links.saturating_add(below.n_links);
        self.n_submodules = self.n_submodules.saturating_add(below.n_submodules);
    }

    fn add_leaf(&mut self, name_len: u32) {
        self.path_depth = self.path_depth.max(1);
        self.path_bytes = self.path_bytes.max(name_len);
    }
}

impl Parents {
    fn set(&mut self, number: u32, parents: &[u32]) {
        let from = self.all.len() as u32;
        self.all.extend_from_slice(parents);
        self.ends[number as usize] = (from, self.all.len() as u32);
    }

    fn of(&self, number: u32) -> &[u32] {
        let (from, to) = self.ends[number as usize];
        &self.all[from as usize..to as usize]
    }

    /// Commits in the longest chain. A circle, which only lying ids can make, is cut.
    fn longest_chain(&self) -> u64 {
        let mut depths = vec![0u32; self.ends.len()];
        let mut is_open = vec![false; self.ends.len()];
        for tip in 0..self.ends.len() as u32 {
            let mut stack = vec![tip];
            while let Some(&number) = stack.last() {
                let at = number as usize;
                if depths[at] == 0 && !is_open[at] {
                    is_open[at] = true;
                    let unknown = |parent: &&u32| depths[**parent as usize] == 0 && !is_open[**parent as usize];
                    stack.extend(self.of(number).iter().filter(unknown));
                } else {
                    if depths[at] == 0 {
                        let above = self.of(number).iter().map(|&parent| depths[parent as usize]).max();
                        depths[at] = above.unwrap_or(0) + 1;
                    }
                    stack.pop();
                }
            }
        }
        depths.into_iter().max().unwrap_or(0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(parents: &[&[u32]]) -> u64 {
        let mut all = Parents::default();
        for (number, parents) in parents.iter().enumerate() {
            all.ends.push((0, 0));
            all.set(number as u32, parents);
        }
        all.longest_chain()
    }

    #[test]
    fn the_longest_chain_goes_through_the_longer_side_of_a_merge() {
        assert_eq!(chain(&[]), 0);
        assert_eq!(chain(&[&[1, 3], &[2], &[4], &[4], &[]]), 4);
        assert_eq!(chain(&[&[], &[0], &[0, 1], &[2]]), 4);
    }

    #[test]
    fn a_circle_ends() {
        assert!(chain(&[&[1], &[0]]) <= 2);
    }
}
