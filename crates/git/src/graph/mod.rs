//! The commit graph of a repository in memory: who is whose parent, and how branches stand to their base.
//!
//! [`Graph::open`] takes what Git's commit-graph files know, or a graph file of
//! our own where those are missing or stale, and reads the remaining commits
//! from the object database. [`Trunk`] prepares the history of one base;
//! [`measure`] then gives the drift of any number of branches in time
//! proportional to their own commits.
//!
//! Promises:
//! * Numbers are those of Git: `rev-list --count`, `merge-base --all`, with
//!   replace refs ignored (`GIT_NO_REPLACE_OBJECTS=1`).
//! * Nothing is ever written into the repository.
//! * A damaged graph file is named and not used. A branch whose history reaches
//!   a missing commit is unknown, with the reason; all others are not touched.
//! * Grafts are honoured, as Git does even then. In a shallow repository a distance
//!   is known where the boundary changes nothing about it, and unknown elsewhere:
//!   Git counts there what it has, see `cut`.
//!
//! Known gap: that a commit stands in a graph file does not prove that its
//! object is still there (Git does not look either, see
//! `GIT_COMMIT_GRAPH_PARANOIA`). Whoever reads tips finds that out.

mod cut;
mod drift;
mod edges;
mod file;
mod grow;
mod meet;
mod missed;
mod order;
mod recent;
mod side;
mod sources;
mod trunk;

use std::sync::{Arc, Mutex};

use alignwatch_model::{Oid, Timestamp, snapshot::CommitGraph};
use rustc_hash::{FxHashMap, FxHashSet};

pub use self::{
    drift::{Apart, ahead_behind, measure},
    file::GraphFileError,
    recent::{Recent, RecentContents, RecentTips},
    sources::{GraphSources, SourcesError},
    trunk::Trunk,
};
use self::{edges::Edges, file::Chain, grow::Later};
use crate::objects::Objects;

/// A commit of a [`Graph`]. Parents have smaller numbers than their children.
///
/// Meaningful only for the graph that gave it; there it stays the same when the graph grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos(u32);

impl Pos {
    /// Its number: below [`Graph::len`].
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// The history that some tips reach, ready to be measured.
#[derive(Default)]
pub struct Graph {
    chain: Chain,
    /// Where the commit of each slot of the chain is.
    place_of_slot: Vec<u32>,
    /// The slot of each commit of the chain: commits from files come first.
    slot_at: Vec<u32>,
    /// Commits that were read from the object database: they follow those of the chain.
    later: Vec<Later>,
    later_at: FxHashMap<Oid, u32>,
    edges: Edges,
    given_parents: FxHashMap<Oid, Vec<Oid>>,
    shallow: FxHashSet<Oid>,
    /// Commits of a shallow repository whose parents are not there.
    boundary: FxHashSet<u32>,
    missing: FxHashMap<Oid, Arc<str>>,
    /// Commits whose history is cut by a commit that can't be read, with the reason.
    flaws: FxHashMap<u32, Arc<str>>,
    /// Histories of bases that were laid out, the newest last, where the graph is kept for the next look.
    trunks: Option<Mutex<Vec<Arc<Trunk>>>>,
    /// Where the tips of the look before are: found at once.
    tips: FxHashMap<Oid, u32>,
}

/// What the graph was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Git's commit-graph file, for the checks about it.
    pub commit_graph: CommitGraph,
    /// Commits that were read from the object database, one by one.
    pub n_read: u32,
    /// What became of the graph file of our own.
    pub side: Side,
}

/// The graph file of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Not needed, or there is no place for it.
    Unused,
    /// It covered more than Git's and was used.
    Used,
    /// It was written anew, since many commits had to be read.
    Written,
    /// It should have been written and could not be, for this reason. Only speed is lost.
    Failed(String),
}

impl Graph {
    /// The graph of everything that `tips` reach.
    ///
    /// Tips must be commits: tags are to be peeled before. One that can't be read is in
    /// [`Graph::missing`] afterwards. There are no other errors: what files can't tell is read from `objects`.
    pub fn open(sources: &GraphSources, objects: &Objects, tips: &[Oid]) -> (Graph, Coverage) {
        let mut coverage = Coverage { commit_graph: CommitGraph::default(), n_read: 0, side: Side::Unused };
        let git = Chain::load(&sources.object_dirs, sources.hash());
        coverage.commit_graph.n_layers = git.n_layers();
        coverage.commit_graph.n_covered = git.len();
        coverage.commit_graph.damage = git.damage.as_ref().map(|damage| damage.to_string());
        coverage.commit_graph.disabled = sources.graph_is_disabled().map(str::to_owned);
        let (mut graph, unused, uncovered) = match coverage.commit_graph.disabled {
            Some(_) => (Graph::default(), git, tips.to_vec()),
            None => Graph::from_files(git, sources, tips, &mut coverage),
        };
        graph.given_parents = sources.given_parents();
        graph.shallow = sources.shallow.iter().copied().collect();
        graph.grow(objects, &uncovered);
        coverage.n_read = graph.later.len() as u32;
        let is_missing = |commit: &&Later| unused.find(&commit.oid).is_none();
        coverage.commit_graph.n_missing += graph.later.iter().filter(is_missing).count() as u32;
        graph.keep_beside(sources, tips, &mut coverage);
        (graph, coverage)
    }

    /// Reads what `tips` reach and the graph does not have yet. Commits that it has keep their [`Pos`].
    ///
    /// A commit that was missing when its child was read stays a flaw of that child: then open anew.
    pub fn extend(&mut self, objects: &Objects, tips: &[Oid]) {
        self.missing.clear();
        self.grow(objects, tips);
    }

    /// Number of commits.
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Is there no commit at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The commit with this id.
    pub fn find(&self, oid: &Oid) -> Option<Pos> {
        self.place(oid).map(Pos)
    }

    /// The commits with these ids, in their order. Faster than one by one.
    pub fn find_all(&self, oids: &[Oid]) -> Vec<Option<Pos>> {
        if !self.tips.is_empty() {
            return oids.iter().map(|oid| self.find(oid)).collect();
        }
        let place = |(slot, oid): (Option<u32>, &Oid)| match slot {
            Some(slot) => Some(self.place_of_slot[slot as usize]),
            None => self.later_at.get(oid).copied(),
        };
        self.chain.find_all(oids).into_iter().zip(oids).map(place).map(|place| place.map(Pos)).collect()
    }

    /// Why a commit is not in the graph, where its object was looked for in vain.
    pub fn missing(&self, oid: &Oid) -> Option<&str> {
        self.missing.get(oid).map(|reason| &**reason)
    }

    /// Why the history of this commit is not known to its end: it reaches a commit that can't be read.
    pub fn flaw(&self, at: Pos) -> Option<&str> {
        self.flaws.get(&at.0).map(|reason| &**reason)
    }

    /// History is cut off somewhere.
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// The commit's id.
    pub fn oid(&self, at: Pos) -> Oid {
        match self.slot_at.get(at.0 as usize) {
            Some(&slot) => self.chain.oid(slot),
            None => self.later(at).oid,
        }
    }

    /// The id of the commit's tree. The null id, which no object has, when a graph file
    /// could be read at first and can't be any more.
    pub fn tree(&self, at: Pos) -> Oid {
        match self.slot_at.get(at.0 as usize) {
            Some(&slot) => self.chain.tree(slot),
            None => self.later(at).tree,
        }
    }

    /// The committer date. Dates from graph files are cut to 34 bits (until the year 2514).
    pub fn date(&self, at: Pos) -> Timestamp {
        match self.slot_at.get(at.0 as usize) {
            Some(&slot) => self.chain.date(slot),
            None => self.later(at).date,
        }
    }

    /// The commit's parents that are in the graph, in order.
    pub fn parents(&self, at: Pos) -> impl Iterator<Item = Pos> + '_ {
        self.edges.of(at.0).map(Pos)
    }

    /// All commits, parents before children.
    pub fn all(&self) -> impl Iterator<Item = Pos> + use<> {
        (0..self.len() as u32).map(Pos)
    }

    /// The commits of `tip` that are not in the trunk's history, children before parents.
    pub fn own(&self, trunk: &Trunk, tip: Pos) -> Vec<Pos> {
        let mut own = std::collections::BTreeSet::from([tip]);
        let mut next = Some(tip);
        // Parents are smaller, so walking down the set meets every commit after all its children.
        while let Some(at) = next {
            if trunk.contains(at) {
                own.remove(&at);
            } else {
                own.extend(self.parents(at));
            }
            next = own.range(..at).next_back().copied();
        }
        own.into_iter().rev().collect()
    }

    /// Starts with the file that covers more of the tips: Git's, or one of our own.
    ///
    /// Also gives Git's where it is not the one, and the tips that are still to be read.
    fn from_files(
        git: Chain,
        sources: &GraphSources,
        tips: &[Oid],
        coverage: &mut Coverage,
    ) -> (Graph, Chain, Vec<Oid>) {
        let lacking = |chain: &Chain| -> Vec<Oid> {
            tips.iter().zip(chain.find_all(tips)).filter(|(_, slot)| slot.is_none()).map(|(tip, _)| *tip).collect()
        };
        let git_lacks = lacking(&git);
        let side = match &sources.side_dir {
            Some(dir) if !git_lacks.is_empty() => Chain::load_file(&side::path_in(dir), sources.hash()),
            _ => Chain::default(),
        };
        let side_lacks = lacking(&side);
        if side_lacks.len() < git_lacks.len() {
            let n_missing = side.len() - side.n_common(&git);
            if let Ok(graph) = Graph::from_chain(side) {
                coverage.side = Side::Used;
                coverage.commit_graph.n_missing = n_missing;
                return (graph, git, side_lacks);
            }
        }
        match Graph::from_chain(git) {
            Ok(graph) => (graph, Chain::default(), git_lacks),
            Err(damage) => {
                coverage.commit_graph.damage = Some(damage.to_string());
                (Graph::default(), Chain::default(), tips.to_vec())
            }
        }
    }

    fn from_chain(mut chain: Chain) -> Result<Graph, GraphFileError> {
        let (edges, levels) = chain.take_edges();
        let sorted = |levels: &[u32]| {
            let place = order::by_level(levels)?;
            Some((order::renumber(&edges, &place)?, place))
        };
        // Old versions of Git wrote no levels, and a file may lie: then they are computed.
        let sorted = sorted(&levels).or_else(|| sorted(&order::levels(&edges, 0)));
        let (edges, place_of_slot) = sorted.ok_or_else(|| chain.damaged("its parents form a circle"))?;
        Ok(Graph { slot_at: order::invert(&place_of_slot), place_of_slot, edges, chain, ..Graph::default() })
    }

    fn keep_beside(&self, sources: &GraphSources, tips: &[Oid], coverage: &mut Coverage) {
        let Some(dir) = &sources.side_dir else { return };
        if coverage.commit_graph.disabled.is_some() || !side::is_worth_writing(self.later.len(), self.len()) {
            return;
        }
        coverage.side = match side::write(self, tips, dir, sources.hash()) {
            Ok(()) => Side::Written,
            Err(error) => Side::Failed(error.to_string()),
        };
    }

    fn place(&self, oid: &Oid) -> Option<u32> {
        if let Some(&place) = self.tips.get(oid) {
            return Some(place);
        }
        let slot = self.chain.find(oid);
        slot.map(|slot| self.place_of_slot[slot as usize]).or_else(|| self.later_at.get(oid).copied())
    }

    fn later(&self, at: Pos) -> &Later {
        &self.later[at.0 as usize - self.slot_at.len()]
    }
}
