//! Large histories stay in memory from one look to the next: what is new is added to them.
//!
//! What cannot be told from the graph as it was (a shallow repository, a commit that is missing, a graph file that is
//! another one now) is read anew. Only large ones are kept, and not many: small ones are read in a moment.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::Oid;

use super::{Coverage, Graph, GraphSources, Pos, Trunk};
use crate::objects::Objects;

/// Commits from which a history is kept. Source: ours; fewer are read within five milliseconds.
const COMMITS_AT_LEAST: usize = 40_000;

/// Commits of all histories that are kept. Source: ours; about 80 bytes each, and one history of a million fits.
const COMMITS_AT_MOST: usize = 1_500_000;

/// Commits that may come before a history is read anew, and perhaps written into a file of our own.
const NEW_AT_MOST: usize = 5_000;

/// Histories of bases that a graph keeps.
const TRUNKS_AT_MOST: usize = 8;

/// Histories that were looked at by this process.
pub struct Recent {
    commits_at_least: usize,
    all: Mutex<Vec<Kept>>,
}

struct Kept {
    sources: GraphSources,
    files: Vec<Option<Identity>>,
    graph: Graph,
    coverage: Coverage,
}

/// Device, inode, size and time of a graph file.
type Identity = (u64, u64, u64, i64, i64);

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

    /// Keeps a history for the next look, in place of others when it is too much.
    pub fn keep(&self, sources: GraphSources, mut graph: Graph, coverage: Coverage) {
        let is_whole = sources.graph_is_disabled().is_none() && graph.missing.is_empty() && graph.flaws.is_empty();
        if !is_whole || !(self.commits_at_least..=COMMITS_AT_MOST).contains(&graph.len()) {
            return;
        }
        graph.trunks.get_or_insert_with(Mutex::default);
        let files = files(&sources);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(0, Kept { sources, files, graph, coverage });
        let mut n_commits = 0;
        all.retain(|kept| {
            n_commits += kept.graph.len();
            n_commits <= COMMITS_AT_MOST
        });
    }

    fn take(&self, sources: &GraphSources) -> Option<Kept> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|kept| kept.sources.object_dirs.first() == sources.object_dirs.first())?;
        let kept = all.remove(at);
        (kept.sources == *sources && kept.files == files(sources)).then_some(kept)
    }
}

impl Kept {
    /// `None` where it must be read anew.
    fn extended(self, objects: &Objects, tips: &[Oid]) -> Option<(Graph, Coverage)> {
        let Kept { mut graph, mut coverage, .. } = self;
        let n_before = graph.len();
        graph.extend(objects, tips);
        let n_new = (graph.len() - n_before) as u32;
        coverage.n_read += n_new;
        coverage.commit_graph.n_missing += n_new;
        let is_whole = graph.missing.is_empty() && graph.flaws.is_empty();
        (is_whole && graph.later.len() <= NEW_AT_MOST).then_some((graph, coverage))
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
        let before = trunks.iter().position(leads).map(|at| trunks.remove(at)).and_then(Arc::into_inner);
        let trunk = Arc::new(before.map_or_else(|| Trunk::of(self, tip), |before| before.forward(self, tip)));
        trunks.push(Arc::clone(&trunk));
        let n_over = trunks.len().saturating_sub(TRUNKS_AT_MOST);
        trunks.drain(..n_over);
        trunk
    }

    /// Is it kept, and whole, so that what was measured in it holds at the next look?
    pub(super) fn remembers(&self) -> bool {
        self.trunks.is_some() && self.flaws.is_empty()
    }
}

fn files(sources: &GraphSources) -> Vec<Option<Identity>> {
    let of_folder = |folder: &std::path::PathBuf| {
        ["info/commit-graph", "info/commit-graphs/commit-graph-chain"].map(|file| identity(&folder.join(file)))
    };
    sources.object_dirs.iter().flat_map(of_folder).collect()
}

fn identity(file: &std::path::Path) -> Option<Identity> {
    let data = fs::metadata(file).ok()?;
    Some((data.dev(), data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("Recent").field(&all.len()).finish()
    }
}
