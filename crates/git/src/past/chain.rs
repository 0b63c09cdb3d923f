//! The commits of a branch along its first parents, as far as they are its own.

use alignwatch_model::{Span, Timestamp, facts::past::Landing};

use super::{Dated, walk::Walker};
use crate::graph::{Graph, Pos, Trunk};

/// A branch's own first-parent line, newest first, down to the base's line, or to what is too old to matter.
pub(super) struct Chain {
    commits: Vec<Pos>,
    /// By commit, never rising: when the branch came to it.
    since: Vec<i64>,
}

impl Chain {
    /// The chain from `tip`, with one commit that is not younger than `earliest`.
    pub(super) fn of(graph: &Graph, trunk: &Trunk, tip: Pos, earliest: Timestamp) -> Chain {
        let mut chain = Chain { commits: Vec::new(), since: Vec::new() };
        let (mut next, mut oldest) = (Some(tip), i64::MAX);
        while let Some(at) = next.filter(|at| !trunk.is_on_line(*at) && earliest.0 < oldest) {
            oldest = oldest.min(graph.date(at).0);
            chain.commits.push(at);
            chain.since.push(oldest);
            next = graph.parents(at).next();
        }
        chain
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// The tip of the branch at that time; `None` before it had a commit of its own.
    pub(super) fn at(&self, time: Timestamp) -> Option<Pos> {
        self.commits.get(self.since.partition_point(|since| time.0 < *since)).copied()
    }

    /// When the base was merged in, and how long the branch had lacked something by then.
    pub(super) fn alignments(
        &self,
        walker: &mut Walker<'_>,
        dated: &Dated<'_>,
        landed_at: Option<Timestamp>,
    ) -> Vec<Landing> {
        let (graph, trunk) = (walker.graph(), dated.trunk);
        let mut alignments = Vec::new();
        for (&at, &since) in self.commits.iter().zip(&self.since).rev() {
            let mut parents = graph.parents(at);
            let (Some(before), Some(index)) = (
                parents.next(),
                parents.filter(|other| trunk.is_on_line(*other)).filter_map(|other| trunk.intro(other)).max(),
            ) else {
                continue;
            };
            let had = walker.apart(trunk, before, index).forked.map_or(0, |forked| forked + 1);
            let merged_at = Timestamp(since);
            if let Some(lacked_since) =
                dated.at(had).filter(|_| had <= index && landed_at.is_none_or(|landed| merged_at <= landed))
            {
                alignments.push(Landing { at: merged_at, took: Span(merged_at.since(lacked_since).0.max(0)) });
            }
        }
        alignments
    }
}
