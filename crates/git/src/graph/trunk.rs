//! The history of one base, laid out along its first-parent line.
//!
//! The line of a base, oldest first, is its trunk. Every commit in the history
//! of the base gets two trunk indices:
//!
//! * `intro`: the first commit on the line whose history has it: when it landed;
//! * `fork`: the last commit on the line that it reaches: where it branched off.
//!
//! So the history of line commit `i` is exactly the commits with `intro <= i`,
//! and counting them is a table look-up. Both come out of one pass over the
//! graph, children first for `intro` and parents first for `fork`.
//!
//! A base that goes forward along its own line adds to all of this and changes
//! nothing of it, so that [`Trunk::forward`] takes as long as what is new.

use std::sync::{Mutex, OnceLock, PoisonError};

use alignwatch_model::Drift;
use rustc_hash::FxHashMap;

use super::{Graph, Pos, edges::NONE, missed::Missed};

/// The history of one base.
pub struct Trunk {
    tip: Pos,
    line: Vec<Pos>,
    /// By commit; [`NONE`] when it is not in the history. Commits above the tip are not either.
    intro: Vec<u32>,
    /// By commit; [`NONE`] when it reaches no commit on the line.
    fork: Vec<u32>,
    /// By line index: commits in the history of that line commit.
    counted: Vec<u32>,
    missed: OnceLock<Missed>,
    /// By tip: what was measured, while the graph is kept for the next look.
    measured: Mutex<FxHashMap<Pos, Drift>>,
}

impl Trunk {
    /// Lays out the history of `tip`. Takes time and memory in proportion to the graph.
    pub fn of(graph: &Graph, tip: Pos) -> Trunk {
        let line = first_parents(graph, tip);
        let mut intro = vec![NONE; tip.0 as usize + 1];
        let mut fork = intro.clone();
        for (index, at) in line.iter().enumerate() {
            intro[at.0 as usize] = index as u32;
            fork[at.0 as usize] = index as u32;
        }
        hand_down(graph, &mut intro);
        hand_up(graph, &intro, &mut fork);
        let counted = count(&intro, line.len());
        Trunk { tip, line, intro, fork, counted, missed: OnceLock::new(), measured: Mutex::default() }
    }

    /// Does the first-parent line of `tip` lead to this base?
    pub(super) fn leads_to(&self, graph: &Graph, tip: Pos) -> bool {
        let mut at = tip.0;
        while self.tip.0 < at && at != NONE {
            at = graph.edges.first(at);
        }
        at == self.tip.0
    }

    /// The history of a tip whose first-parent line leads to this base. Takes time in proportion to what is new.
    pub(super) fn forward(mut self, graph: &Graph, tip: Pos) -> Trunk {
        let new = self.append(graph, tip);
        if let Some(missed) = self.missed.take() {
            let _ = self.missed.set(missed.forward(graph, &self, &new));
        }
        self.remeasure(graph, &new);
        self
    }

    /// Lays out the new part of the line; the commits that came into the history, parents first.
    fn append(&mut self, graph: &Graph, tip: Pos) -> Vec<u32> {
        let n_line = self.line.len();
        let mut at = tip;
        while at != self.tip {
            self.line.push(at);
            at = Pos(graph.edges.first(at.0));
        }
        self.line[n_line..].reverse();
        self.intro.resize(tip.0 as usize + 1, NONE);
        self.fork.resize(tip.0 as usize + 1, NONE);
        let (n_before, mut new, mut open) = (self.len(), Vec::new(), Vec::new());
        for index in n_line..self.line.len() {
            open.push(self.line[index].0);
            while let Some(at) = open.pop() {
                if self.intro[at as usize] == NONE {
                    self.intro[at as usize] = index as u32;
                    new.push(at);
                    open.extend(graph.edges.of(at));
                }
            }
            self.fork[self.line[index].0 as usize] = index as u32;
            self.counted.push(n_before + new.len() as u32);
        }
        new.sort_unstable();
        for &at in &new {
            if self.fork[at as usize] == NONE {
                self.fork[at as usize] = last_fork(graph, &self.fork, at);
            }
        }
        self.tip = tip;
        new
    }

    /// What was measured of tips holds for those that reach nothing of what is new: they only lack it as well.
    fn remeasure(&mut self, graph: &Graph, new: &[u32]) {
        let mut measured = std::mem::take(&mut *self.measured());
        let oldest = new.iter().map(|&at| graph.date(Pos(at))).min();
        let reaching = Reaching::of(graph, self, new);
        measured.retain(|tip, _| !reaching.contains(*tip));
        for drift in measured.values_mut() {
            drift.behind += new.len() as u32;
            drift.missing_since = drift.missing_since.into_iter().chain(oldest).min();
        }
        *self.measured() = measured;
    }

    /// What was measured of tips.
    pub(super) fn measured(&self) -> std::sync::MutexGuard<'_, FxHashMap<Pos, Drift>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base itself.
    pub fn tip(&self) -> Pos {
        self.tip
    }

    /// Number of commits in the history.
    pub fn len(&self) -> u32 {
        self.counted.last().copied().unwrap_or(0)
    }

    /// Never: a history has at least its tip.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first-parent line, oldest first.
    pub fn line(&self) -> &[Pos] {
        &self.line
    }

    /// Is the commit in the history of the base?
    #[inline]
    pub fn contains(&self, at: Pos) -> bool {
        self.intro_of(at.0) != NONE
    }

    /// Is the commit on the first-parent line?
    pub fn is_on_line(&self, at: Pos) -> bool {
        self.contains(at) && self.intro(at) == self.fork(at)
    }

    /// Index in the line of the first commit whose history has this one; `None` when it is not in the history.
    pub fn intro(&self, at: Pos) -> Option<usize> {
        Some(self.intro_of(at.0)).filter(|&index| index != NONE).map(|index| index as usize)
    }

    /// Index in the line of the last commit that this one reaches; `None` when it reaches none,
    /// or is not in the history of the base.
    pub fn fork(&self, at: Pos) -> Option<usize> {
        self.fork.get(at.0 as usize).filter(|&&index| index != NONE).map(|&index| index as usize)
    }

    /// Commits in the history of the line commit with this index.
    pub(crate) fn counted(&self, index: usize) -> u32 {
        self.counted[index]
    }

    #[inline]
    pub(super) fn intro_of(&self, at: u32) -> u32 {
        self.intro.get(at as usize).copied().unwrap_or(NONE)
    }

    /// Dates of the commits that a branch lacks; made when first asked for.
    pub(super) fn missed(&self, graph: &Graph) -> &Missed {
        self.missed.get_or_init(|| Missed::of(graph, self))
    }
}

fn first_parents(graph: &Graph, tip: Pos) -> Vec<Pos> {
    let mut line = vec![tip];
    let mut next = graph.edges.first(tip.0);
    while next != NONE {
        line.push(Pos(next));
        next = graph.edges.first(next);
    }
    line.reverse();
    line
}

/// A commit landed with the first of its children that did.
fn hand_down(graph: &Graph, intro: &mut [u32]) {
    for at in (0..intro.len()).rev() {
        let landed = intro[at];
        if landed != NONE {
            graph.edges.of(at as u32).for_each(|parent| {
                let parent = &mut intro[parent as usize];
                *parent = landed.min(*parent);
            });
        }
    }
}

/// A commit branched off where the last of its parents did.
fn hand_up(graph: &Graph, intro: &[u32], fork: &mut [u32]) {
    for at in 0..intro.len() {
        if intro[at] != NONE && fork[at] == NONE {
            fork[at] = last_fork(graph, fork, at as u32);
        }
    }
}

fn last_fork(graph: &Graph, fork: &[u32], at: u32) -> u32 {
    let forks = graph.edges.of(at).map(|parent| fork[parent as usize]);
    forks.filter(|&fork| fork != NONE).max().unwrap_or(NONE)
}

/// Which commits reach one of those that came into a history, outside of it.
struct Reaching {
    first: u32,
    reach: Vec<bool>,
}

impl Reaching {
    /// `new` = the commits that came, sorted: parents have smaller numbers, so none before the first reaches one.
    fn of(graph: &Graph, trunk: &Trunk, new: &[u32]) -> Reaching {
        let first = new.first().copied().unwrap_or_default();
        let mut reach = vec![false; graph.len() - first as usize];
        new.iter().for_each(|at| reach[(at - first) as usize] = true);
        for at in first..graph.len() as u32 {
            if trunk.intro_of(at) == NONE {
                let reaches = |parent: u32| parent.checked_sub(first).is_some_and(|place| reach[place as usize]);
                reach[(at - first) as usize] = graph.edges.of(at).any(reaches);
            }
        }
        Reaching { first, reach }
    }

    fn contains(&self, at: Pos) -> bool {
        at.0.checked_sub(self.first).is_some_and(|place| self.reach.get(place as usize).is_none_or(|&reaches| reaches))
    }
}

fn count(intro: &[u32], len: usize) -> Vec<u32> {
    let mut counted = vec![0; len];
    intro.iter().filter(|&&index| index != NONE).for_each(|&index| counted[index as usize] += 1);
    let mut sum = 0;
    for count in &mut counted {
        sum += *count;
        *count = sum;
    }
    counted
}
