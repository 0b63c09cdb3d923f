//! Hands lines and branches over to [`crate::past`].

use alignwatch_model::{Branch, Known, Proof, State, facts::past::Past};

use super::{Inspection, bases::Bases};
use crate::{graph::Graph, past};

impl Inspection<'_> {
    /// The past year of lines and branches.
    pub(super) fn past(&self, graph: &Graph, bases: &Bases, branches: &[Branch]) -> Known<Past> {
        self.say("rebuilding the past year");
        let lines = bases.names.iter().zip(&bases.trunks);
        let lines: Vec<past::Line<'_>> = lines.map(|(name, trunk)| past::Line { name, trunk }).collect();
        let placed = branches
            .iter()
            .zip(&bases.placed)
            .filter_map(|(branch, placed)| Some((branch, placed.base.as_ref()?.line)));
        let branches: Vec<past::Branch<'_>> =
            placed.filter_map(|(branch, line)| branch_of(graph, branch, line)).collect();
        past::past(graph, &lines, &branches, past::week_ends(self.now))
    }
}

/// `None` for what has no past to be measured: a line itself, foreign histories.
fn branch_of<'a>(graph: &Graph, branch: &'a Branch, line: usize) -> Option<past::Branch<'a>> {
    if branch.is_ignored() || branch.base.as_ref()?.name == branch.name || branch.state() == State::Unrelated {
        return None;
    }
    // Of work that landed as other commits nobody knows when that was.
    let is_elsewhere = branch.proof().is_some_and(|proof| proof != Proof::Ancestor);
    let tip = branch.tip.seen().filter(|_| !is_elsewhere && branch.drift.seen().is_some());
    Some(past::Branch { name: &branch.name, tip: tip.and_then(|tip| graph.find(&tip.oid)), line })
}
