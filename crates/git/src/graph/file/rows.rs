//! What the rows of a commit-graph say of each commit: parents, level, date.

use rustc_hash::FxHashMap;

use super::{
    super::edges::{Edges, NONE},
    format::{NO_PARENT, NUMBERS_BYTES, be32},
};

/// Marks the second parent as an index into the list of further parents.
const MANY: u32 = 0x8000_0000;

/// Ends a list of further parents.
const LAST: u32 = 0x8000_0000;

/// What the rows of all layers say, by slot.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) edges: Edges,
    /// Topological levels, as they are claimed.
    pub(super) levels: Vec<u32>,
    /// The lower 32 bits of committer dates.
    pub(super) dates: Vec<u32>,
    /// The upper two bits, where one is set: not before the year 2106.
    pub(super) late: FxHashMap<u32, u32>,
}

impl Rows {
    pub(super) fn truncate(&mut self, n: usize) {
        self.edges.truncate(n);
        self.levels.truncate(n);
        self.dates.truncate(n);
    }

    pub(super) fn reserve(&mut self, n: usize) {
        self.edges.reserve(n);
        self.levels.reserve_exact(n);
        self.dates.reserve_exact(n);
    }

    /// Adds the numbers of one commit. Its parents must be below `n_known`.
    #[inline]
    pub(super) fn push(
        &mut self,
        numbers: &[u8; NUMBERS_BYTES],
        n_known: u32,
        further: &mut Further,
    ) -> Result<(), &'static str> {
        let (one, two, level, date) = (be32(numbers, 0), be32(numbers, 4), be32(numbers, 8), be32(numbers, 12));
        if level & 3 != 0 {
            self.late.insert(self.dates.len() as u32, level & 3);
        }
        self.levels.push(level >> 2);
        self.dates.push(date);
        match (one, two) {
            (NO_PARENT, _) => self.edges.push_two(NONE, NONE),
            (one, _) if n_known <= one => return Err("a parent is not in it"),
            (one, NO_PARENT) => self.edges.push_two(one, NONE),
            (one, two) if two < n_known => self.edges.push_two(one, two),
            (one, two) if two & MANY != 0 => {
                self.edges.push([one].into_iter().chain(further.parents(two & !MANY, n_known)?));
            }
            _ => return Err("a parent is not in it"),
        }
        Ok(())
    }
}

/// The second and further parents of merges of more than two.
pub(super) struct Further {
    pub(super) list: Vec<u8>,
    pub(super) n_used: usize,
}

impl Further {
    pub(super) fn parents(&mut self, at: u32, n_known: u32) -> Result<Vec<u32>, &'static str> {
        let mut parents = Vec::new();
        for entry in self.list.get(at as usize * 4..).unwrap_or_default().chunks_exact(4) {
            let (parent, is_last) = (be32(entry, 0) & !LAST, be32(entry, 0) & LAST != 0);
            self.n_used += 1;
            if n_known <= parent {
                return Err("a parent is not in it");
            } else if self.list.len() / 4 < self.n_used {
                // In an honest file no two commits share an entry; sharing could blow up memory.
                return Err("two commits share a list of parents");
            }
            parents.push(parent);
            if is_last {
                return Ok(parents);
            }
        }
        Err("a list of parents has no end")
    }
}
