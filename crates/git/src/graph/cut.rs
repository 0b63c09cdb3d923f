//! Is what was measured in a shallow repository the whole?
//!
//! Below a commit at the boundary lies history that is not there. It can join two branches that seem to have nothing in
//! common, and it can hold commits that seem to be of one side only. The numbers are whole where
//!
//! * nothing that only one side has is a commit at the boundary, and
//! * none of it can lie below a commit at the boundary that both have: it reaches the merge base, which reaches those
//!   (so that it would be its own ancestor), or it is newer than all of them.
//!
//! Known gap: the latter believes dates. A clock that ran backwards by more than the age of the boundary, at a commit
//! that was merged twice, can be taken for whole.

use rustc_hash::FxHashMap;

use super::{Graph, Pos, Trunk};

/// Why a distance is not known.
pub(super) const CUT_OFF: &str = "the history is cut off (a shallow clone; `git fetch --unshallow` brings the rest)";

/// The boundary, and what it leaves open of the history of one base.
pub(super) struct Cut<'a> {
    graph: &'a Graph,
    trunk: &'a Trunk,
    /// By what branches and base have in common at best.
    known: FxHashMap<Vec<Pos>, Below>,
}

/// What lies below the merge bases.
#[derive(Clone, Copy)]
enum Below {
    /// The base has something at the boundary that the branch lacks, or that may lie below the boundary.
    Open,
    /// No commit at the boundary.
    Whole,
    /// Commits at the boundary that both have; the newest is of this time.
    Common { newest: i64 },
}

impl<'a> Cut<'a> {
    /// `None` where no history is cut off.
    pub(super) fn of(graph: &'a Graph, trunk: &'a Trunk) -> Option<Cut<'a>> {
        (!graph.boundary.is_empty()).then(|| Cut { graph, trunk, known: FxHashMap::default() })
    }

    /// Is all known of what tells `tip` and the base apart? `bases` are all their merge bases.
    pub(super) fn is_whole(&mut self, tip: Pos, bases: &[Pos]) -> bool {
        let below = match self.known.get(bases) {
            Some(below) => *below,
            None => {
                let below = self.below(bases);
                self.known.insert(bases.to_vec(), below);
                below
            }
        };
        let own = self.graph.own(self.trunk, tip);
        match below {
            Below::Open => false,
            _ if own.iter().any(|at| self.is_boundary(*at)) => false,
            Below::Whole => true,
            Below::Common { newest } => self.is_above(own.into_iter().rev(), bases, newest),
        }
    }

    fn below(&self, bases: &[Pos]) -> Below {
        let common = self.common(bases);
        let is_common = |at: &Pos| common.get(at.number()).is_some_and(|is_common| *is_common);
        let of_base = self.graph.boundary.iter().map(|&at| Pos(at)).filter(|at| self.trunk.contains(*at));
        let (both, lacking): (Vec<Pos>, Vec<Pos>) = of_base.partition(is_common);
        let newest = both.iter().map(|at| self.graph.date(*at).0).max();
        let Some(newest) = newest else { return if lacking.is_empty() { Below::Whole } else { Below::Open } };
        let only_base = self.graph.all().filter(|at| self.trunk.contains(*at) && !is_common(at));
        let is_single = bases.len() == 1 || bases.iter().all(|at| newest < self.graph.date(*at).0);
        if lacking.is_empty() && is_single && self.is_above(only_base, bases, newest) {
            Below::Common { newest }
        } else {
            Below::Open
        }
    }

    /// By number, all that the merge bases reach.
    fn common(&self, bases: &[Pos]) -> Vec<bool> {
        let n = bases.iter().map(|at| at.number() + 1).max().unwrap_or(0);
        let mut common = vec![false; n];
        bases.iter().for_each(|at| common[at.number()] = true);
        for at in (0..n).rev().filter(|&at| self.trunk.contains(Pos(at as u32))) {
            if common[at] {
                self.graph.parents(Pos(at as u32)).for_each(|parent| common[parent.number()] = true);
            }
        }
        common
    }

    /// Can none of these lie below the boundary? They are given parents first.
    fn is_above(&self, commits: impl Iterator<Item = Pos>, bases: &[Pos], newest: i64) -> bool {
        let mut above = rustc_hash::FxHashSet::default();
        for at in commits {
            let reaches = bases.len() == 1 && self.graph.parents(at).any(|at| at == bases[0] || above.contains(&at));
            if reaches {
                above.insert(at);
            } else if self.graph.date(at).0 <= newest {
                return false;
            }
        }
        true
    }

    fn is_boundary(&self, at: Pos) -> bool {
        self.graph.boundary.contains(&at.0)
    }
}
