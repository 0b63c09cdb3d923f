//! Which commits of a line brought the conflicts of its branches.
//!
//! A branch conflicts at a path because both sides changed it. What the line did there since they parted is found by
//! the paths of each commit on its own (first-parent) line, which are remembered by commit. Only the newest commits are
//! looked at; what older ones did is not told.

use std::cmp::Reverse;

use alignwatch_model::{
    Branch,
    branch::{Cause, Verdict},
    kept,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Inspection, bases::Bases, carry};
use crate::{
    graph::{Graph, Pos, Trunk},
    objects::Objects,
    spread::spread,
    tree_diff::{self, WalkError, leaf},
};

/// Commits of a line that are looked at, the newest first. Source: ours; a third of a second when nothing is remembered.
const COMMITS_AT_MOST: usize = 1_000;

/// Commits that a thread takes at once: neighbours share most of their trees.
const PORTION_COMMITS: usize = 64;

/// Paths of one commit that are remembered: one that changes more (a formatter, a move of everything) is none that we
/// can tell about.
const PATHS_AT_MOST: usize = 4_000;

/// Stands for more paths than are remembered. No hash of a path is 0.
const TOO_MANY: [u8; 8] = [0; 8];

/// Commits that are told of one branch.
const CAUSES_AT_MOST: usize = 5;

impl Inspection<'_> {
    /// Tells each branch that conflicts what brought that about.
    pub(super) fn find_causes(&self, graph: &Graph, bases: &Bases, branches: &mut [Branch]) {
        for (line, trunk) in bases.trunks.iter().enumerate() {
            let is_of_line = |number: &usize| bases.placed[*number].base.as_ref().is_some_and(|base| base.line == line);
            let conflicts = |number: &usize| branches[*number].merge.verdict == Verdict::Conflict;
            let numbers: Vec<usize> = (0..branches.len()).filter(is_of_line).filter(conflicts).collect();
            if numbers.is_empty() || self.wanted.stop.is_due() {
                continue;
            }
            let paths = numbers.iter().flat_map(|&number| branches[number].merge.conflicts.iter().flatten());
            let wanted = paths.map(|conflict| carry::hash_of_path(conflict.path.as_bytes())).collect();
            let touched = self.touched(graph, trunk, &wanted);
            for number in numbers {
                branches[number].causes = self.causes(graph, trunk, &touched, &branches[number]);
            }
        }
    }

    /// For each of these paths, the places on the line at which it was changed, the oldest first.
    fn touched(&self, graph: &Graph, trunk: &Trunk, wanted: &FxHashSet<u64>) -> Touched {
        let mut shelf = self.memory.shelf("line-paths", "2");
        let from = trunk.line().len().saturating_sub(COMMITS_AT_MOST);
        let mut known: Vec<Option<Vec<u8>>> =
            trunk.line()[from..].iter().map(|&at| shelf.get(graph.oid(at).as_bytes()).map(<[u8]>::to_vec)).collect();
        let new: Vec<usize> = (0..known.len()).filter(|&place| known[place].is_none()).collect();
        let objects = self.objects.opener();
        let found = spread(new.len(), PORTION_COMMITS, self.n_threads(), &|numbers| {
            let objects = objects.open();
            numbers.map(|number| (number, paths_of(graph, &objects, trunk.line()[from + new[number]]))).collect()
        });
        for (place, paths) in new.into_iter().zip(found) {
            // A commit that can't be read is no cause that we know of, and is tried again.
            let Ok(paths) = paths else { continue };
            shelf.put(graph.oid(trunk.line()[from + place]).as_bytes(), paths.clone());
            known[place] = Some(paths);
        }
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = shelf.save();
        let mut touched = Touched { from, ..Touched::default() };
        for (place, paths) in (from..).zip(&known) {
            let Some(paths) = paths.as_ref().filter(|paths| **paths != TOO_MANY) else {
                // The places grow, so this is the newest.
                touched.from = place + 1;
                continue;
            };
            for path in paths.chunks_exact(8) {
                let path = u64::from_le_bytes(path.try_into().expect("eight bytes"));
                if wanted.contains(&path) {
                    touched.places.entry(path).or_default().push(place as u32);
                }
            }
        }
        touched
    }

    fn causes(&self, graph: &Graph, trunk: &Trunk, touched: &Touched, branch: &Branch) -> Vec<Cause> {
        let Some(drift) = branch.drift.seen() else { return Vec::new() };
        let parted = drift.merge_bases.iter().filter_map(|oid| trunk.fork(graph.find(oid)?)).max();
        // Without a place at which they parted, nothing can be told.
        let Some(parted) = parted else { return Vec::new() };
        let is_whole = touched.from <= parted + 1;
        let mut by_place: FxHashMap<u32, Did> = FxHashMap::default();
        for (number, conflict) in branch.merge.conflicts.iter().flatten().enumerate() {
            let Some(places) = touched.places.get(&carry::hash_of_path(conflict.path.as_bytes())) else { continue };
            let since = &places[places.partition_point(|&place| place as usize <= parted)..];
            for place in since {
                let did = by_place.entry(*place).or_default();
                did.n_paths += 1;
                did.n_alone += u32::from(since.len() == 1);
                did.paths.extend(u16::try_from(number).ok().filter(|_| number < kept::PATHS_AT_MOST));
            }
        }
        let alone = |n_alone: u32| is_whole.then_some(n_alone);
        let mut places: Vec<(u32, Did)> = by_place.into_iter().collect();
        // Those that nobody else can be blamed for first, then those that did most, then the newest.
        places.sort_unstable_by_key(|(place, did)| Reverse((alone(did.n_alone), did.n_paths, *place)));
        let told = |(place, did): (u32, Did)| {
            let oid = graph.oid(trunk.line()[place as usize]);
            let (commit, about) = self.objects.commit_and_about(&oid).ok()?;
            let (author, subject, committed_at) = (about.author, about.subject, commit.committed_at);
            let (n_paths, n_alone, paths) = (did.n_paths, alone(did.n_alone), did.paths);
            Some(Cause { oid, author, subject, committed_at, n_paths, n_alone, paths })
        };
        places.into_iter().take(CAUSES_AT_MOST).filter_map(told).collect()
    }
}

/// What a commit did at the paths of a branch that conflict.
#[derive(Default)]
struct Did {
    n_paths: u32,
    /// Paths that no other commit changed.
    n_alone: u32,
    paths: Vec<u16>,
}

/// Where paths were changed on a line.
#[derive(Default)]
struct Touched {
    places: FxHashMap<u64, Vec<u32>>,
    /// From this place on, what every commit changed is known.
    from: usize,
}

/// Hashes of the paths that a commit changed since its first parent.
fn paths_of(graph: &Graph, objects: &Objects, at: Pos) -> Result<Vec<u8>, WalkError> {
    let parent = graph.parents(at).next().map(|parent| graph.tree(parent));
    let (mut paths, mut n_paths) = (Vec::new(), 0);
    tree_diff::entries(objects, parent, Some(graph.tree(at)), &mut |path, old, new| {
        if leaf(old) != leaf(new) {
            n_paths += 1;
            if n_paths <= PATHS_AT_MOST {
                paths.extend(carry::hash_of_path(path).to_le_bytes());
            }
        }
    })?;
    Ok(if n_paths <= PATHS_AT_MOST { paths } else { TOO_MANY.to_vec() })
}
