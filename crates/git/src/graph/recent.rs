//! Large histories stay in memory from one look to the next: what is new is added to them.
//!
//! What cannot be told from the graph as it was (a shallow repository, a commit that is missing or that no ref leads to any
//! more, a graph file that is another one now) is read anew. Only large ones are kept, and not many: small ones are read
//! in a moment.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alignwatch_model::{Oid, branch::Tip};
use rustc_hash::FxHashMap;

use super::{Coverage, Graph, GraphSources, Pos, Trunk};
use crate::{
    memory::OpenShelves,
    merge::RecentFiles,
    objects::{Objects, SharedTrees},
};

/// Commits from which a history is kept. Source: ours; fewer are read within five milliseconds.
const COMMITS_AT_LEAST: usize = 40_000;

/// Commits of all histories that are kept. Source: ours; some 80 bytes each and up to 64 for each base, and one history of
/// a million fits.
const COMMITS_AT_MOST: usize = 1_500_000;

/// Commits that may come before a history is read anew, and perhaps written into a file of our own: each is looked for at
/// each look.
const NEW_AT_MOST: usize = 1_000;

/// Histories with which contents are kept as well: some 100 MiB each at most. Source: ours.
const WITH_CONTENTS_AT_MOST: usize = 2;

/// Histories of bases that a graph keeps: as many as lines are looked for.
const TRUNKS_AT_MOST: usize = 4;

/// Histories that were looked at by this process.
pub struct Recent {
    commits_at_least: usize,
    all: Mutex<Vec<Kept>>,
}

struct Kept {
    sources: GraphSources,
    graph: Graph,
    coverage: Coverage,
    contents: RecentContents,
}

/// What was read of the contents of a repository.
#[derive(Clone, Default)]
pub struct RecentContents {
    /// Trees.
    pub trees: SharedTrees,
    /// Files.
    pub files: RecentFiles,
    /// What is remembered on disk.
    pub shelves: OpenShelves,
    /// Tips of branches.
    pub tips: RecentTips,
}

/// Tips of branches that the last look read.
#[derive(Clone, Default)]
pub struct RecentTips(Arc<Mutex<FxHashMap<Oid, Tip>>>);

impl RecentTips {
    /// Takes them out.
    pub fn take(&self) -> FxHashMap<Oid, Tip> {
        std::mem::take(&mut self.tips())
    }

    /// Keeps those of one look.
    pub fn put<'a>(&self, tips: impl Iterator<Item = &'a Tip>) {
        *self.tips() = tips.map(|tip| (tip.oid, tip.clone())).collect();
    }

    fn tips(&self) -> MutexGuard<'_, FxHashMap<Oid, Tip>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recent {
    fn default() -> Recent {
        Recent::of_at_least(COMMITS_AT_LEAST)
    }
}

impl Recent {
    /// Keeps histories of at least so many commits.
    pub fn of_at_least(commits_at_least: usize) -> Recent {
        Recent { commits_at_least, all: Mutex::default() }
    }

    /// As [`Graph::open`], from memory as far as that knows. To be given back with [`Recent::keep`].
    pub fn open(&self, sources: &GraphSources, objects: &Objects, tips: &[Oid]) -> (Graph, Coverage) {
        match self.take(sources).and_then(|kept| kept.extended(objects, tips)) {
            Some(found) => found,
            None => Graph::open(sources, objects, tips),
        }
    }

    /// What the last look at these objects read.
    pub fn contents(&self, objects_dir: &Path) -> RecentContents {
        let all = self.all();
        let kept = all.iter().find(|kept| kept.sources.object_dirs.first().is_some_and(|dir| dir == objects_dir));
        kept.map(|kept| kept.contents.clone()).unwrap_or_default()
    }

    /// Keeps a history for the next look, with what was read in this one, in place of others when it is too much.
    pub fn keep(&self, sources: GraphSources, mut graph: Graph, coverage: Coverage, contents: RecentContents) {
        let is_whole = sources.graph_is_disabled().is_none() && graph.missing.is_empty() && graph.flaws.is_empty();
        if !is_whole || !(self.commits_at_least..=COMMITS_AT_MOST).contains(&graph.len()) {
            return;
        }
        graph.trunks.get_or_insert_with(Mutex::default);
        let mut all = self.all();
        all.retain(|kept| !kept.is_of(&sources));
        all.insert(0, Kept { sources, graph, coverage, contents });
        all.iter_mut().skip(WITH_CONTENTS_AT_MOST).for_each(|kept| kept.contents = RecentContents::default());
        let mut n_commits = 0;
        all.retain(|kept| {
            n_commits += kept.graph.len();
            n_commits <= COMMITS_AT_MOST
        });
    }

    /// What is kept of the same objects, where all that it was read from is as it was.
    fn take(&self, sources: &GraphSources) -> Option<Kept> {
        let kept = {
            let mut all = self.all();
            let at = all.iter().position(|kept| kept.is_of(sources))?;
            all.remove(at)
        };
        (kept.sources == *sources).then_some(kept)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_of(&self, sources: &GraphSources) -> bool {
        self.sources.object_dirs.first() == sources.object_dirs.first()
    }

    /// `None` where it must be read anew.
    fn extended(self, objects: &Objects, tips: &[Oid]) -> Option<(Graph, Coverage)> {
        let Kept { mut graph, mut coverage, .. } = self;
        let n_before = graph.len();
        graph.extend(objects, tips);
        let n_new = (graph.len() - n_before) as u32;
        coverage.n_read += n_new;
        coverage.commit_graph.n_missing += n_new;
        let is_whole = graph.missing.is_empty() && graph.flaws.is_empty() && graph.later.len() <= NEW_AT_MOST;
        graph.tips = tips.iter().filter_map(|tip| Some((*tip, graph.place(tip)?))).collect();
        let is_as_read_anew = is_whole && graph.leads_to_all_later(tips) && graph.has_all_later(objects);
        is_as_read_anew.then_some((graph, coverage))
    }
}

impl Graph {
    /// The history of this base, from the one that a kept graph had before where that leads here.
    pub fn trunk(&self, tip: Pos) -> Arc<Trunk> {
        let Some(trunks) = &self.trunks else { return Arc::new(Trunk::of(self, tip)) };
        let mut trunks = trunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = trunks.iter().find(|trunk| trunk.tip() == tip) {
            return Arc::clone(known);
        }
        let leads = |trunk: &Arc<Trunk>| Arc::strong_count(trunk) == 1 && trunk.leads_to(self, tip);
        // Of several the newest, which is the nearest.
        let before = (0..trunks.len()).filter(|&at| leads(&trunks[at])).max_by_key(|&at| trunks[at].tip());
        let before = before.map(|at| trunks.remove(at)).and_then(Arc::into_inner);
        let trunk = Arc::new(before.map_or_else(|| Trunk::of(self, tip), |before| before.forward(self, tip)));
        trunks.push(Arc::clone(&trunk));
        let n_over = trunks.len().saturating_sub(TRUNKS_AT_MOST);
        trunks.drain(..n_over);
        trunk
    }

    /// Do these tips still reach every commit that was read one by one? What they no longer reach must not count.
    fn leads_to_all_later(&self, tips: &[Oid]) -> bool {
        let first = self.slot_at.len() as u32;
        let mut is_reached = vec![false; self.later.len()];
        let mut open: Vec<u32> = tips.iter().filter_map(|tip| self.place(tip)).collect();
        while let Some(at) = open.pop() {
            if let Some(place) = at.checked_sub(first)
                && !std::mem::replace(&mut is_reached[place as usize], true)
            {
                open.extend(self.edges.of(at));
            }
        }
        is_reached.into_iter().all(|is| is)
    }

    /// Are the objects of all these still there?
    fn has_all_later(&self, objects: &Objects) -> bool {
        self.later.iter().all(|commit| objects.commit(&commit.oid).is_ok())
    }

    /// Is it kept, and whole, so that what was measured in it holds at the next look?
    pub(super) fn remembers(&self) -> bool {
        self.trunks.is_some() && self.flaws.is_empty()
    }
}
