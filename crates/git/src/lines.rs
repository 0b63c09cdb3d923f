//! Collects what the judgement on primary lines needs, and measures branches against the lines.

use std::sync::Arc;

use alignwatch_model::{
    RefName,
    lines::{Candidate, Found, first_line, further_line, is_named_after, may_be_line},
};
use rustc_hash::FxHashMap;

use crate::graph::{Graph, Pos, Trunk};

/// A branch that could be a line, with its commit in the graph.
pub struct Tip {
    /// Full name.
    pub name: RefName,
    /// The commit.
    pub at: Pos,
    /// The remote whose HEAD points to it.
    pub is_head_of: Option<String>,
    /// HEAD of the repository points to it.
    pub is_own_head: bool,
}

/// A line that was found: the index of its tip, the reason, and its history.
pub struct FoundLine {
    /// Index into the tips.
    pub tip: usize,
    /// Why it is a line, as a sentence part.
    pub because: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Its history.
    pub trunk: Arc<Trunk>,
}

/// Lines that are looked for at most. Source: ours; each costs a pass over the history.
const LINES_AT_MOST: usize = 4;

/// Finds the primary lines among the tips, the most important first.
pub fn find(graph: &Graph, tips: &[Tip]) -> Vec<FoundLine> {
    let mut candidates: Vec<Candidate> = tips.iter().map(|tip| candidate(graph, tip)).collect();
    let Some(first) = first_line(&candidates) else { return Vec::new() };
    let mut lines = vec![found_line(graph, tips, first)];
    while lines.len() < LINES_AT_MOST {
        count_forks(graph, tips, &lines, &mut candidates);
        count_names(tips, &mut candidates);
        let Some(further) = further_line(&candidates, tips.len()) else { break };
        lines.push(found_line(graph, tips, further));
    }
    lines
}

/// A ref that cannot be read.
pub struct Hidden<'a> {
    /// Full name.
    pub name: &'a RefName,
    /// The remote whose HEAD points to it.
    pub is_head_of: Option<String>,
    /// HEAD of the repository points to it.
    pub is_own_head: bool,
}

/// Which of the refs that cannot be read would be the first line by its name or by a HEAD; `None` = none of them.
pub fn hidden_first(graph: &Graph, tips: &[Tip], hidden: &[Hidden<'_>]) -> Option<usize> {
    let oid = graph.oid(tips.first()?.at);
    let of_hidden = |one: &Hidden<'_>| with(one.name, oid, one.is_head_of.clone(), one.is_own_head);
    let all: Vec<Candidate> =
        tips.iter().map(|tip| candidate(graph, tip)).chain(hidden.iter().map(of_hidden)).collect();
    // What many forked from is not known of a ref that cannot be read.
    let by_name = first_line(&all).filter(|first| BY_HISTORY < first.confidence)?;
    by_name.candidate.checked_sub(tips.len())
}

/// How sure a first line is that was taken by what forked from it, see [`first_line`].
const BY_HISTORY: f64 = 0.5;

fn candidate(graph: &Graph, tip: &Tip) -> Candidate {
    with(&tip.name, graph.oid(tip.at), tip.is_head_of.clone(), tip.is_own_head)
}

fn with(name: &RefName, oid: alignwatch_model::Oid, is_head_of: Option<String>, is_own_head: bool) -> Candidate {
    Candidate {
        name: name.clone(),
        oid,
        is_head_of,
        is_own_head,
        n_fork_points: 0,
        n_forked: 0,
        n_named_after: 0,
        n_own: 0,
    }
}

fn found_line(graph: &Graph, tips: &[Tip], found: Found) -> FoundLine {
    let Found { candidate, because, confidence } = found;
    FoundLine { tip: candidate, because, confidence, trunk: graph.trunk(tips[candidate].at) }
}

/// Counts how many branches are named after each that its history would make a line.
fn count_names(tips: &[Tip], candidates: &mut [Candidate]) {
    for candidate in candidates.iter_mut().filter(|candidate| may_be_line(candidate)) {
        candidate.n_named_after = tips.iter().filter(|tip| is_named_after(&tip.name, &candidate.name)).count() as u32;
    }
}

/// One commit on the first-parent lines of the tips, outside of all lines found so far.
#[derive(Default)]
struct Node {
    parent: Option<Pos>,
    n_children: u32,
    n_tips: u32,
    n_tips_above: u32,
}

/// Counts, for each tip, at how many commits of its own others forked from it, and how many did.
///
/// The first-parent lines of all tips make a forest outside of the lines found so far; its cost is the
/// number of distinct commits there.
fn count_forks(graph: &Graph, tips: &[Tip], lines: &[FoundLine], candidates: &mut [Candidate]) {
    let is_outside = |at: Pos| !lines.iter().any(|line| line.trunk.contains(at));
    let mut nodes: FxHashMap<Pos, Node> = FxHashMap::default();
    let mut order: Vec<Pos> = Vec::new();
    for tip in tips {
        let mut at = tip.at;
        while is_outside(at) && !nodes.contains_key(&at) {
            let parent = graph.parents(at).next().filter(|&parent| is_outside(parent));
            nodes.insert(at, Node { parent, ..Node::default() });
            order.push(at);
            match parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        if let Some(node) = nodes.get_mut(&tip.at) {
            node.n_tips += 1;
        }
    }
    // Parents have smaller numbers than their children.
    order.sort_unstable();
    for &at in order.iter().rev() {
        let node = &nodes[&at];
        let (parent, n_above) = (node.parent, node.n_tips + node.n_tips_above);
        if let Some(parent) = parent.and_then(|parent| nodes.get_mut(&parent)) {
            parent.n_children += 1;
            parent.n_tips_above += n_above;
        }
    }
    let mut counts: FxHashMap<Pos, Counts> = FxHashMap::default();
    for &at in &order {
        let node = &nodes[&at];
        let below = node.parent.and_then(|parent| counts.get(&parent).copied());
        let below = below.unwrap_or(Counts { n_tips: node.n_tips + node.n_tips_above, ..Counts::default() });
        let is_fork = u32::from(1 < node.n_children + node.n_tips);
        counts.insert(at, Counts { n_fork_points: below.n_fork_points + is_fork, n_own: below.n_own + 1, ..below });
    }
    for (tip, candidate) in tips.iter().zip(candidates) {
        let counts = counts.get(&tip.at).copied().unwrap_or_default();
        candidate.n_fork_points = counts.n_fork_points;
        candidate.n_forked = counts.n_tips.saturating_sub(1);
        candidate.n_own = counts.n_own;
    }
}

/// Along a first-parent line, from where it left the lines found so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    n_fork_points: u32,
    n_own: u32,
    n_tips: u32,
}
