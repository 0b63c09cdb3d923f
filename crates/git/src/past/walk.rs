//! How a commit stood to a line when that ended at an earlier commit.
//!
//! The same reasoning as in `graph::drift`, with the line cut at an index: what landed up to there is the base, all
//! else is not. What a commit of the base reaches landed no later than the commit itself, so that the cut is clean.

use crate::graph::{Graph, Pos, Trunk};

/// Walks down from commits.
pub(super) struct Walker<'a> {
    graph: &'a Graph,
    /// By commit: the number of the walk that last came by.
    marks: Vec<u32>,
    walk: u32,
    stack: Vec<Pos>,
    met: Vec<Pos>,
}

/// How a commit and a line were apart.
#[derive(Clone, Copy)]
pub(super) struct Apart {
    /// Commits that the line lacked.
    pub(super) ahead: u32,
    /// Commits that the commit lacked.
    pub(super) behind: u32,
    /// The last line index that the commit reached; `None` = none.
    pub(super) forked: Option<usize>,
    /// None of the commits that the line lacked has landed since: while the line moved on, only `behind` grew.
    pub(super) is_settled: bool,
}

impl<'a> Walker<'a> {
    pub(super) fn new(graph: &'a Graph) -> Walker<'a> {
        Walker { graph, marks: vec![0; graph.len()], walk: 0, stack: Vec::new(), met: Vec::new() }
    }

    pub(super) fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// How `tip` and the line at `index` were apart.
    pub(super) fn apart(&mut self, trunk: &Trunk, tip: Pos, index: usize) -> Apart {
        let mut is_settled = true;
        let is_base = |at: Pos| {
            let intro = trunk.intro(at);
            let is_base = intro.is_some_and(|intro| intro <= index);
            is_settled &= is_base || intro.is_none();
            is_base
        };
        let ahead = self.down_to(tip, is_base);
        let forked = self.met.iter().filter_map(|met| trunk.fork(*met)).max();
        // What landed up to there is common; of what landed later, what the met ones reach.
        let from = forked.map_or(0, |forked| forked + 1);
        let later = self.reached(|at| trunk.intro(at).is_some_and(|intro| from <= intro));
        let common = forked.map_or(0, |forked| trunk.counted(forked)) + later;
        Apart { ahead, behind: trunk.counted(index) - common, forked, is_settled }
    }

    /// Counts the commits from `tip` down to those that are in the base, and notes the latter.
    fn down_to(&mut self, tip: Pos, mut is_base: impl FnMut(Pos) -> bool) -> u32 {
        self.begin();
        if is_base(tip) {
            self.met.push(tip);
            return 0;
        }
        self.stack.push(tip);
        let mut n = 0;
        while let Some(at) = self.stack.pop() {
            n += 1;
            for parent in self.graph.parents(at) {
                if self.is_new(parent) {
                    if is_base(parent) { self.met.push(parent) } else { self.stack.push(parent) }
                }
            }
        }
        n
    }

    /// Counts what the met commits reach, themselves included, as long as `is_in` holds.
    fn reached(&mut self, is_in: impl Fn(Pos) -> bool) -> u32 {
        let met = std::mem::take(&mut self.met);
        self.begin();
        self.stack.extend(met.into_iter().filter(|at| is_in(*at)));
        for at in 0..self.stack.len() {
            let at = self.stack[at];
            self.is_new(at);
        }
        let mut n = 0;
        while let Some(at) = self.stack.pop() {
            n += 1;
            for parent in self.graph.parents(at).filter(|parent| is_in(*parent)) {
                if self.is_new(parent) {
                    self.stack.push(parent);
                }
            }
        }
        n
    }

    fn begin(&mut self) {
        if self.walk == u32::MAX {
            self.marks.fill(0);
            self.walk = 0;
        }
        self.walk += 1;
        self.met.clear();
        self.stack.clear();
    }

    /// Was this commit not yet met on this walk? It is from now on.
    fn is_new(&mut self, at: Pos) -> bool {
        std::mem::replace(&mut self.marks[at.number()], self.walk) != self.walk
    }
}
