//! Rebuilds the past year of a repository, week by week, from the commit graph.
//!
//! A line or branch at a time is the newest commit on its first-parent line that is dated before then, as
//! `git rev-list -1 --first-parent --before=<time>` gives it. How the two stood then follows from the histories of
//! both, without a process: a line's history up to any of its commits is a table look-up (see [`Trunk`]).
//!
//! Dates are those of committers. A commit with a wrong date moves its line to another week, never a count.

mod chain;
mod walk;

use alignwatch_model::{
    Known, RefName, Span, Timestamp,
    facts::past::{BranchPast, Landing, LinePast, Past, Stood},
};

use self::{
    chain::Chain,
    walk::{Apart, Walker},
};
use crate::graph::{Graph, Pos, Trunk};

/// Weeks that are rebuilt.
const WEEKS: i64 = 52;

const WEEK: i64 = 7 * 86_400;

/// 1970-01-01 was a Thursday: weeks begin on Monday, three days before.
const MONDAY: i64 = 3 * 86_400;

/// Means over four weeks need that much before the first end.
const BEFORE: Span = Span::days(28);

/// A line with its history.
pub struct Line<'a> {
    /// Full name.
    pub name: &'a RefName,
    /// Its history.
    pub trunk: &'a Trunk,
}

/// A branch that has or had commits of its own.
pub struct Branch<'a> {
    /// Full name.
    pub name: &'a RefName,
    /// Its commit; `None` when it can't be read, or landed nobody knows when.
    pub tip: Option<Pos>,
    /// The number of its line.
    pub line: usize,
}

/// Mondays at midnight of the year before `now`, and `now`.
pub fn week_ends(now: Timestamp) -> Vec<Timestamp> {
    let last = (now.0 + MONDAY).div_euclid(WEEK) * WEEK - MONDAY;
    let mondays = (0..WEEKS).rev().map(|week| Timestamp(last - week * WEEK));
    mondays.filter(|monday| *monday < now).chain([now]).collect()
}

/// The past of these lines and branches, at each of the `ends`.
///
/// Takes time in proportion to the graph, and to the branches' own commits times the weeks.
pub fn past(graph: &Graph, lines: &[Line<'_>], branches: &[Branch<'_>], ends: Vec<Timestamp>) -> Known<Past> {
    if graph.is_shallow() {
        return Known::Unknown("history is cut off (a shallow clone), so the past cannot be rebuilt".into());
    }
    let dated: Vec<Dated<'_>> = lines.iter().map(|line| Dated::of(graph, line.trunk)).collect();
    let mut walker = Walker::new(graph);
    let mut rebuilt = Past { ends, ..Past::default() };
    for (number, line) in lines.iter().enumerate() {
        let others: Vec<&Trunk> = lines
            .iter()
            .map(|line| line.trunk)
            .enumerate()
            .filter(|(other, _)| *other != number)
            .map(|(_, trunk)| trunk)
            .collect();
        rebuilt.lines.push(of_line(graph, line, &dated[number], &others, &rebuilt.ends));
    }
    for branch in branches {
        match branch.tip.filter(|tip| graph.flaw(*tip).is_none()) {
            Some(tip) => {
                rebuilt.branches.extend(of_branch(&mut walker, lines, &dated[branch.line], branch, tip, &rebuilt.ends))
            }
            None => rebuilt.n_left_out += 1,
        }
    }
    Known::Seen(rebuilt)
}

/// A trunk, and when its line came to each of its commits.
struct Dated<'a> {
    trunk: &'a Trunk,
    /// By line index, never falling: a commit that a newer one precedes in time counts as that one.
    since: Vec<i64>,
}

impl<'a> Dated<'a> {
    fn of(graph: &Graph, trunk: &'a Trunk) -> Dated<'a> {
        let mut since: Vec<i64> = trunk.line().iter().map(|at| graph.date(*at).0).collect();
        for index in (1..since.len()).rev() {
            since[index - 1] = since[index - 1].min(since[index]);
        }
        Dated { trunk, since }
    }

    /// The line index at that time; `None` before it began.
    fn index_at(&self, time: Timestamp) -> Option<usize> {
        self.since.partition_point(|since| *since <= time.0).checked_sub(1)
    }

    /// When the line came to this index.
    fn at(&self, index: usize) -> Option<Timestamp> {
        self.since.get(index).map(|since| Timestamp(*since))
    }
}

fn of_line(graph: &Graph, line: &Line<'_>, dated: &Dated<'_>, others: &[&Trunk], ends: &[Timestamp]) -> LinePast {
    let first = ends.first().map_or(0, |end| end.0.saturating_sub(BEFORE.0));
    let from = dated.since.partition_point(|since| *since < first);
    let n_commits = |end: &Timestamp| dated.index_at(*end).map(|index| line.trunk.counted(index));
    let moves = dated.since[from..].iter().map(|since| Timestamp(*since)).collect();
    let landings = landings(graph, dated, others, from);
    LinePast { name: line.name.clone(), n_commits: ends.iter().map(n_commits).collect(), moves, landings }
}

/// What was merged from line index `from` on. A merge of another line is no landing, nor is one that brought nothing.
fn landings(graph: &Graph, dated: &Dated<'_>, others: &[&Trunk], from: usize) -> Vec<Landing> {
    let line = dated.trunk.line();
    let mut begun: Vec<Option<i64>> = vec![None; line.len() - from];
    for at in graph.all().take_while(|at| *at <= dated.trunk.tip()) {
        let Some(index) = dated.trunk.intro(at).filter(|&index| from <= index && line[index] != at) else { continue };
        let first = &mut begun[index - from];
        let date = graph.date(at).0;
        *first = Some(first.map_or(date, |first| first.min(date)));
    }
    let is_of_a_line =
        |at: Pos| graph.parents(at).skip(1).any(|parent| others.iter().any(|other| other.is_on_line(parent)));
    let landing = |(index, first): (usize, &Option<i64>)| {
        let (at, first) = (dated.at(from + index)?, (*first)?);
        (!is_of_a_line(line[from + index])).then_some(Landing { at, took: Span((at.0 - first).max(0)) })
    };
    begun.iter().enumerate().filter_map(landing).collect()
}

/// A branch at each end; `None` when it never had a commit of its own.
fn of_branch(
    walker: &mut Walker<'_>,
    lines: &[Line<'_>],
    dated: &Dated<'_>,
    branch: &Branch<'_>,
    tip: Pos,
    ends: &[Timestamp],
) -> Option<BranchPast> {
    let earliest = ends.first().map_or(Timestamp(0), |end| Timestamp(end.0.saturating_sub(BEFORE.0)));
    let chain = Chain::of(walker.graph(), dated.trunk, tip, earliest);
    if chain.is_empty() {
        return None;
    }
    let landed_at = dated.trunk.intro(tip).and_then(|index| dated.at(index));
    let mut last: Option<(Pos, usize, Apart)> = None;
    let mut stood = Vec::with_capacity(ends.len());
    for end in ends {
        let is_open = landed_at.is_none_or(|landed| *end < landed);
        let both = chain.at(*end).filter(|_| is_open).and_then(|at| Some((at, dated.index_at(*end)?)));
        let Some((at, index)) = both else {
            stood.push(None);
            continue;
        };
        let apart = match last {
            Some((before, from, apart)) if before == at && apart.is_settled => moved_on(dated, apart, from, index),
            _ => walker.apart(dated.trunk, at, index),
        };
        last = Some((at, index, apart));
        stood.push(Some(how(dated, apart, index)));
    }
    let alignments = chain.alignments(walker, dated, landed_at);
    Some(BranchPast { name: branch.name.clone(), base: lines[branch.line].name.clone(), stood, alignments })
}

/// The same commit, after the line moved on from one index to another.
fn moved_on(dated: &Dated<'_>, apart: Apart, from: usize, to: usize) -> Apart {
    let n_new = dated.trunk.counted(to) - dated.trunk.counted(from);
    Apart { behind: apart.behind + n_new, ..apart }
}

fn how(dated: &Dated<'_>, apart: Apart, index: usize) -> Stood {
    let left = apart.forked.map_or(0, |forked| forked + 1);
    let left_at = (0 < apart.behind).then(|| dated.at(left.min(index))).flatten();
    Stood { ahead: apart.ahead, behind: apart.behind, left_at }
}
