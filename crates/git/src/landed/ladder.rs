//! What the branches of one line share when they are judged: the commits of the line by their keys, and what was
//! worked out of a change between two trees, which is remembered for good.

use std::sync::{Mutex, MutexGuard};

use alignwatch_model::{Drift, Oid};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Doubt, Pair, Trees, changes,
    keys::{self, Key, Keys},
    patch_id::PatchId,
    texts::Texts,
};
use crate::{
    graph::{Graph, Pos, Trunk},
    memory::Shelf,
    objects::Objects,
};

/// The questions of one base, for any number of branches and from several threads.
pub(super) struct Ladder<'a> {
    pub(super) graph: &'a Graph,
    pub(super) trunk: &'a Trunk,
    /// By header key, sorted: the commits of the base that changed something.
    by_header: Vec<(u64, Pos)>,
    /// Commits of the base whose message says that they revert another, in the order in which they landed.
    pub(super) reverting: Vec<(Pos, Vec<String>)>,
    /// The last line index at which a commit landed that was not looked at, and why.
    pub(super) gap: Option<(usize, String)>,
    known: FxHashMap<Oid, Key>,
    changes: Mutex<Shelf>,
}

impl<'a> Ladder<'a> {
    /// A ladder for the base that `trunk` was made of.
    ///
    /// `keys` has what some branch lacks; commits that are not in it are a gap for those that lack them. `changes` is where
    /// changes between trees are remembered.
    pub(super) fn new(graph: &'a Graph, trunk: &'a Trunk, keys: Keys, changes: Shelf) -> Ladder<'a> {
        let (by_header, reverting, known) = (Vec::new(), Vec::new(), FxHashMap::default());
        let mut ladder = Ladder { graph, trunk, by_header, reverting, gap: None, known, changes: Mutex::new(changes) };
        for (intro, at) in keys::candidates(graph, trunk) {
            ladder.add(&keys, intro, at);
        }
        ladder.by_header.sort_unstable();
        ladder.reverting.sort_unstable_by_key(|(at, _)| (trunk.intro(*at), *at));
        ladder.known = keys.keys;
        ladder
    }

    fn add(&mut self, keys: &Keys, intro: usize, at: Pos) {
        let oid = self.graph.oid(at);
        let Some(key) = keys.keys.get(&oid) else {
            if self.gap.as_ref().is_none_or(|(before, _)| *before < intro) {
                let reason = keys.unread.get(&oid).cloned();
                let reason = reason.unwrap_or_else(|| "the base has too many commits to look at all of them".into());
                self.gap = Some((intro, reason));
            }
            return;
        };
        if !key.is_empty() {
            self.by_header.push((key.header, at));
        }
        if let Some(named) = keys.reverts.get(&oid) {
            self.reverting.push((at, named.clone()));
        }
    }

    /// What was worked out of this change.
    fn change(&self, trees: Trees) -> Option<Pair> {
        postcard::from_bytes(self.changes().get(&trees.bytes())?).ok()
    }

    fn keep(&self, trees: Trees, change: &Pair) {
        self.changes().put(&trees.bytes(), postcard::to_stdvec(change).unwrap_or_default());
    }

    fn changes(&self) -> MutexGuard<'_, Shelf> {
        // A thread that panicked left at worst one fact less.
        self.changes.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Remembers what was worked out.
    pub(super) fn save(&self) {
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = self.changes().save();
    }

    /// The commits of the base with this header key.
    pub(super) fn with_header(&self, header: u64) -> impl Iterator<Item = Pos> + '_ {
        let from = self.by_header.partition_point(|(other, _)| *other < header);
        self.by_header[from..].iter().take_while(move |(other, _)| *other == header).map(|&(_, at)| at)
    }

    /// When a commit of the base landed, for sorting.
    pub(super) fn landed_at(&self, at: Pos) -> (usize, Pos) {
        (self.trunk.intro(at).unwrap_or(0), at)
    }

    /// The trees between which a commit's change lies.
    pub(super) fn trees_of(&self, at: Pos) -> Trees {
        let parent = self.graph.parents(at).next();
        Trees { old: parent.map(|parent| self.graph.tree(parent)), new: Some(self.graph.tree(at)) }
    }

    /// The key of what changed between two trees, from memory where possible.
    pub(super) fn key_between(&self, objects: &Objects, trees: Trees) -> Result<Key, Doubt> {
        if let Some(change) = self.change(trees) {
            return Ok(change.key);
        }
        let key = Key::between(objects, trees.old, trees.new)?;
        self.keep(trees, &Pair { key, id: None });
        Ok(key)
    }

    /// The patch id of what changed between two trees, from memory where possible.
    pub(super) fn patch_id(
        &self,
        objects: &Objects,
        trees: Trees,
        key: Key,
        texts: &mut Texts<'_>,
    ) -> Result<PatchId, Doubt> {
        if let Some(id) = self.change(trees).and_then(|change| change.id) {
            return Ok(id);
        }
        let id = PatchId::of(&changes::changes(objects, trees.old, trees.new)?, texts)?;
        self.keep(trees, &Pair { key, id: Some(id.clone()) });
        Ok(id)
    }

    /// The key of any commit, from memory where possible.
    pub(super) fn key_of(&self, objects: &Objects, at: Pos) -> Result<Key, Doubt> {
        match self.known.get(&self.graph.oid(at)) {
            Some(key) => Ok(*key),
            None => self.key_between(objects, self.trees_of(at)),
        }
    }
}

/// The commits of the base that a branch lacks.
pub(super) struct Missing {
    /// All that landed from this line index on …
    pub(super) from: usize,
    /// … but these, which the branch has by other ways; sorted.
    has: Vec<Pos>,
}

impl Missing {
    pub(super) fn of(graph: &Graph, trunk: &Trunk, drift: &Drift) -> Missing {
        let from = first_missing(graph, trunk, drift).unwrap_or(0);
        let is_later = |at: &Pos| trunk.intro(*at).is_some_and(|intro| from <= intro);
        let mut seen: FxHashSet<Pos> = FxHashSet::default();
        let mut stack: Vec<Pos> = merge_bases(graph, drift).filter(is_later).collect();
        while let Some(at) = stack.pop() {
            if seen.insert(at) {
                stack.extend(graph.parents(at).filter(is_later));
            }
        }
        let mut has: Vec<Pos> = seen.into_iter().collect();
        has.sort_unstable();
        Missing { from, has }
    }

    pub(super) fn contains(&self, trunk: &Trunk, at: Pos) -> bool {
        trunk.intro(at).is_some_and(|intro| self.from <= intro) && self.has.binary_search(&at).is_err()
    }
}

/// The first line index at which something landed that the branch may lack: behind the last line
/// commit that it reaches. `None` when base and branch are unrelated.
pub(super) fn first_missing(graph: &Graph, trunk: &Trunk, drift: &Drift) -> Option<usize> {
    let behind = |base: Pos| trunk.fork(base).map_or(0, |fork| fork + 1);
    merge_bases(graph, drift).map(behind).max()
}

pub(super) fn merge_bases<'a>(graph: &'a Graph, drift: &'a Drift) -> impl Iterator<Item = Pos> + 'a {
    drift.merge_bases.iter().filter_map(|oid: &Oid| graph.find(oid))
}
