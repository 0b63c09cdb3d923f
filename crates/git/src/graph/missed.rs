//! Since when a branch has missed something: the oldest commit that it lacks.
//!
//! A branch lacks the commits that landed after the line commit it has in
//! common, less a few that it reaches on other ways. The oldest of the former
//! is a table look-up. Only when that very commit is among the latter, the
//! exact answer is put together from parts of the line.

use std::{ops::Range, sync::OnceLock};

use super::{Graph, Pos, Trunk, edges::NONE};

/// Later than every commit.
const NEVER: i64 = i64::MAX;

/// Committer dates of a base's history, along its line. A line index stands for the commits that landed with it.
pub(super) struct Missed {
    /// By line index: the oldest commit that landed with it or later, and its date.
    since: Vec<(i64, u32)>,
    by_age: OnceLock<ByAge>,
}

/// The same, in a form that can leave commits out.
struct ByAge {
    /// Commits by line index, then by date; those of index `i` end at `Trunk::counted(i)`.
    commits: Vec<(i64, u32)>,
    /// Oldest dates as a segment tree: leaves `len..2 * len` are the line indices.
    oldest: Vec<i64>,
}

impl Missed {
    pub(super) fn of(graph: &Graph, trunk: &Trunk) -> Missed {
        let mut since = vec![(NEVER, NONE); trunk.line().len()];
        graph.each_date(|at, date| {
            let index = trunk.intro_of(at);
            if index != NONE {
                let oldest = &mut since[index as usize];
                *oldest = (*oldest).min((date, at));
            }
        });
        for index in (1..since.len()).rev() {
            since[index - 1] = since[index - 1].min(since[index]);
        }
        Missed { since, by_age: OnceLock::new() }
    }

    /// The same after these commits landed beyond the end of the line that it knows.
    pub(super) fn forward(mut self, graph: &Graph, trunk: &Trunk, new: &[u32]) -> Missed {
        let n_before = self.since.len();
        self.since.resize(trunk.line().len(), (NEVER, NONE));
        for &at in new {
            let oldest = &mut self.since[trunk.intro_of(at) as usize];
            *oldest = (*oldest).min((graph.date(Pos(at)).0, at));
        }
        for index in (1..self.since.len()).rev() {
            // Before the new part, what is older stays the oldest from there on.
            if index < n_before && self.since[index - 1] <= self.since[index] {
                break;
            }
            self.since[index - 1] = self.since[index - 1].min(self.since[index]);
        }
        Missed { by_age: OnceLock::new(), ..self }
    }

    /// The oldest date of what landed with line index `from` or later; `None` when nothing did.
    ///
    /// `except` are commits, sorted by line index, that do not count; `is_except` knows them too.
    pub(super) fn since(
        &self,
        graph: &Graph,
        trunk: &Trunk,
        from: usize,
        except: &[u32],
        is_except: impl Fn(u32) -> bool,
    ) -> Option<i64> {
        let &(oldest, at) = self.since.get(from)?;
        if except.is_empty() || !is_except(at) {
            return Some(oldest);
        }
        let by_age = self.by_age.get_or_init(|| ByAge::of(graph, trunk));
        let oldest = by_age.since(trunk, from, except, is_except);
        Some(oldest).filter(|&date| date != NEVER)
    }
}

impl ByAge {
    fn of(graph: &Graph, trunk: &Trunk) -> ByAge {
        let n_line = trunk.line().len();
        let mut commits = vec![(NEVER, NONE); trunk.len() as usize];
        let mut next: Vec<u32> = (0..n_line).map(|index| landed_with(trunk, index).start as u32).collect();
        graph.each_date(|at, date| {
            let index = trunk.intro_of(at);
            if index != NONE {
                commits[next[index as usize] as usize] = (date, at);
                next[index as usize] += 1;
            }
        });
        let mut oldest = vec![NEVER; 2 * n_line];
        for index in 0..n_line {
            commits[landed_with(trunk, index)].sort_unstable();
            oldest[n_line + index] = commits[landed_with(trunk, index).start].0;
        }
        for node in (1..n_line).rev() {
            oldest[node] = oldest[2 * node].min(oldest[2 * node + 1]);
        }
        ByAge { commits, oldest }
    }

    /// Between the line indices that have exceptions nothing is left out; at those each commit is looked at, oldest first.
    fn since(&self, trunk: &Trunk, from: usize, except: &[u32], is_except: impl Fn(u32) -> bool) -> i64 {
        let (mut at, mut oldest) = (from, NEVER);
        for group in except.chunk_by(|one, two| trunk.intro_of(*one) == trunk.intro_of(*two)) {
            let index = trunk.intro_of(group[0]) as usize;
            let here = self.commits[landed_with(trunk, index)].iter().find(|(_, commit)| !is_except(*commit));
            oldest = oldest.min(self.within(at..index)).min(here.map_or(NEVER, |(date, _)| *date));
            at = index + 1;
        }
        oldest.min(self.within(at..self.oldest.len() / 2))
    }

    /// The oldest date of these line indices.
    fn within(&self, indices: Range<usize>) -> i64 {
        let n_line = self.oldest.len() / 2;
        let (mut low, mut high) = (indices.start + n_line, indices.end.max(indices.start) + n_line);
        let mut oldest = NEVER;
        while low < high {
            if low % 2 == 1 {
                oldest = oldest.min(self.oldest[low]);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                oldest = oldest.min(self.oldest[high]);
            }
            low /= 2;
            high /= 2;
        }
        oldest
    }
}

/// Where the commits that landed with this line index are, in the order of landing.
fn landed_with(trunk: &Trunk, index: usize) -> Range<usize> {
    let before = index.checked_sub(1).map_or(0, |before| trunk.counted(before));
    before as usize..trunk.counted(index) as usize
}

impl Graph {
    /// Hands out the committer date of each commit, in the order in which they lie in memory.
    fn each_date(&self, mut give: impl FnMut(u32, i64)) {
        for (slot, &at) in (0..).zip(&self.place_of_slot) {
            give(at, self.chain.date(slot).0);
        }
        for at in self.slot_at.len()..self.len() {
            give(at as u32, self.date(Pos(at as u32)).0);
        }
    }
}
