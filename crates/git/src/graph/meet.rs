//! Where two commits meet.

use std::collections::BTreeMap;

use super::{Graph, Pos};

/// How a commit was reached: from the one, from the other, and from where they met already.
const ONE: u8 = 1;
const OTHER: u8 = 2;
const BOTH: u8 = ONE | OTHER;
const BEHIND: u8 = 4;

impl Graph {
    /// All best common ancestors of two commits, as `git merge-base --all` has them, the newest first. Only what lies between
    /// is walked.
    pub fn merge_bases(&self, one: Pos, other: Pos) -> Vec<Pos> {
        let mut reached = BTreeMap::from([(one, ONE)]);
        *reached.entry(other).or_default() |= OTHER;
        let is_open = |from: u8| from != 0 && from & BEHIND == 0;
        let mut n_open = reached.len();
        let mut found = Vec::new();
        // Parents are smaller, so each commit is met after all that lead to it.
        while 0 < n_open
            && let Some((at, mut from)) = reached.pop_last()
        {
            n_open -= usize::from(is_open(from));
            if from == BOTH {
                found.push(at);
                from |= BEHIND;
            }
            for parent in self.parents(at) {
                let known = reached.entry(parent).or_default();
                n_open -= usize::from(is_open(*known));
                *known |= from;
                n_open += usize::from(is_open(*known));
            }
        }
        found
    }
}
