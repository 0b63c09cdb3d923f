//! Finds the merges that let one of two lines into the other.

use alignwatch_model::{Drift, Oid, snapshot::CrossingMerge};

use crate::graph::{Graph, Pos, Trunk};

/// Merges that are listed for each pair; one is enough to be wrong.
const MERGES_AT_MOST: usize = 10;

/// The merges between a branch and its base after they parted.
///
/// A merge on the branch's first-parent line that brought in a commit of the base let the base in; a
/// merge on the base's first-parent line that brought in a commit of the branch's own first-parent line
/// let the branch in. Where two lines only forked, neither is there. Newest first.
pub(super) fn merges(graph: &Graph, trunk: &Trunk, tip: &Oid, drift: &Drift) -> Vec<CrossingMerge> {
    let Some(tip) = graph.find(tip) else { return Vec::new() };
    let mut merges = base_into_branch(graph, trunk, tip);
    merges.extend(branch_into_base(graph, trunk, drift));
    merges.sort_by_key(|merge| std::cmp::Reverse(merge.committed_at));
    merges.truncate(MERGES_AT_MOST);
    merges
}

fn base_into_branch(graph: &Graph, trunk: &Trunk, tip: Pos) -> Vec<CrossingMerge> {
    let mut merges = Vec::new();
    let mut at = Some(tip).filter(|&at| !trunk.contains(at));
    while let Some(commit) = at {
        let mut parents = graph.parents(commit);
        let first = parents.next();
        // Where the first parent is the base's as well, the branch begins here.
        if first.is_some_and(|first| !trunk.contains(first)) && parents.any(|parent| trunk.contains(parent)) {
            merges.push(crossing(graph, commit, true));
        }
        at = first.filter(|&first| !trunk.contains(first));
    }
    merges
}

/// The branch went into the base where a merge base is not on the base's own line.
fn branch_into_base(graph: &Graph, trunk: &Trunk, drift: &Drift) -> Vec<CrossingMerge> {
    let bases = drift.merge_bases.iter().filter_map(|oid| graph.find(oid));
    let off_line = bases.filter(|&base| !trunk.is_on_line(base));
    off_line.filter_map(|base| Some(crossing(graph, *trunk.line().get(trunk.intro(base)?)?, false))).collect()
}

fn crossing(graph: &Graph, at: Pos, into_branch: bool) -> CrossingMerge {
    CrossingMerge { into_branch, oid: graph.oid(at), committed_at: graph.date(at) }
}
