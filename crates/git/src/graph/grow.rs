//! Reads commits that no graph file knows, from the object database.
//!
//! New commits are put behind those that are there, parents first. They can't be
//! ancestors of old ones: a graph always holds everything that its commits reach.

use std::sync::Arc;

use alignwatch_model::{Oid, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Graph, edges::Edges, order};
use crate::objects::Objects;

/// A commit that was read from the object database.
#[derive(Clone, Copy)]
pub(super) struct Later {
    pub(super) oid: Oid,
    pub(super) tree: Oid,
    pub(super) date: Timestamp,
}

/// Commits as they are found: number `base + i` is `found[i]`, lower ones are in the graph already.
struct Discovery<'a> {
    graph: &'a Graph,
    objects: &'a Objects,
    base: u32,
    found: Vec<Later>,
    parents: Vec<Vec<Oid>>,
    edges: Edges,
    at: FxHashMap<Oid, u32>,
    missing: FxHashMap<Oid, Arc<str>>,
    /// Found commits with a parent that can't be read, and that parent.
    cut: FxHashMap<u32, Oid>,
    /// Found commits that have parents, and in this shallow repository have none.
    boundary: FxHashSet<u32>,
}

impl Graph {
    /// Adds what `tips` reach.
    pub(super) fn grow(&mut self, objects: &Objects, tips: &[Oid]) {
        let mut discovery = Discovery::new(self, objects);
        discovery.run(tips);
        let Discovery { base, found, edges, missing, cut, boundary, .. } = discovery;
        self.missing.extend(missing);
        let place = order::by_level(&order::levels(&edges, base)).expect("these levels are computed, not read");
        for &index in &order::invert(&place) {
            let to = base + place[index as usize];
            self.add(found[index as usize]);
            self.boundary.extend(boundary.contains(&index).then_some(to));
            let number = |parent: u32| if parent < base { parent } else { base + place[(parent - base) as usize] };
            // Only grafts can form a circle; the edge that closes it is the one that goes up.
            let (parents, up): (Vec<u32>, Vec<u32>) = edges.of(index).map(number).partition(|&parent| parent < to);
            let flaw = match cut.get(&index) {
                Some(parent) => Some(self.missing[parent].clone()),
                None if !up.is_empty() => Some("its history runs in a circle by grafts".into()),
                None => parents.iter().find_map(|parent| self.flaws.get(parent).cloned()),
            };
            self.flaws.extend(flaw.map(|flaw| (to, flaw)));
            self.edges.push(parents);
        }
    }

    fn add(&mut self, commit: Later) {
        self.later_at.insert(commit.oid, (self.slot_at.len() + self.later.len()) as u32);
        self.later.push(commit);
    }
}

impl<'a> Discovery<'a> {
    fn new(graph: &'a Graph, objects: &'a Objects) -> Discovery<'a> {
        Discovery {
            graph,
            objects,
            base: graph.len() as u32,
            found: Vec::new(),
            parents: Vec::new(),
            edges: Edges::default(),
            at: FxHashMap::default(),
            missing: FxHashMap::default(),
            cut: FxHashMap::default(),
            boundary: FxHashSet::default(),
        }
    }

    fn run(&mut self, tips: &[Oid]) {
        let mut done = Vec::new();
        for tip in tips {
            self.reach(tip, &mut done);
            while let Some(index) = done.pop() {
                let parents = std::mem::take(&mut self.parents[index as usize]);
                let mut numbers = Vec::with_capacity(parents.len());
                for parent in &parents {
                    match self.reach(parent, &mut done) {
                        Some(number) => numbers.push(number),
                        None => drop(self.cut.insert(index, *parent)),
                    }
                }
                self.edges.set(index as usize, numbers);
            }
        }
    }

    /// The number of a commit, which is read when it is new; then its parents are still to do.
    fn reach(&mut self, oid: &Oid, todo: &mut Vec<u32>) -> Option<u32> {
        if let Some(number) = self.graph.place(oid).or_else(|| self.at.get(oid).copied()) {
            return Some(number);
        }
        if self.missing.contains_key(oid) {
            return None;
        }
        let commit = match self.objects.commit(oid) {
            Ok(commit) => commit,
            Err(error) => {
                self.missing.insert(*oid, error.to_string().into());
                return None;
            }
        };
        let index = self.found.len() as u32;
        self.found.push(Later { oid: *oid, tree: commit.tree, date: commit.committed_at });
        if !commit.parents.is_empty() && self.graph.shallow.contains(oid) {
            self.boundary.insert(index);
        }
        self.parents.push(self.graph.given_parents.get(oid).cloned().unwrap_or(commit.parents));
        self.edges.push_roots(1);
        self.at.insert(*oid, self.base + index);
        todo.push(index);
        Some(self.base + index)
    }
}
