//! Which paths each branch touches: what it changed since it and its base parted.
//!
//! Two branches that touch the same path meet there once one of them is in the base, whether or not either conflicts today. A
//! path is kept as the hash that stands for it, so that ten thousand branches stay small; what was found is remembered by
//! the trees that were compared.

use alignwatch_model::{Branch, Known, Oid};
use rustc_hash::FxHashSet;

use super::{Inspection, carry};
use crate::{
    graph::Graph,
    objects::Objects,
    spread::spread,
    stop::Stop,
    tree_diff::{self, WalkError},
};

/// Paths that a branch may touch to be compared with others. Source: ours; beyond that it touches all that others do.
const PATHS_AT_MOST: usize = 1_000;

/// Stands for more paths than are kept. No hash of a path is 0.
const TOO_MANY: [u8; 8] = [0; 8];

/// Branches that a thread takes at once.
const PORTION: usize = 16;

/// The trees to compare: of the merge bases, and of the tip.
struct Pair {
    bases: Vec<Oid>,
    tip: Oid,
}

impl Inspection<'_> {
    /// Tells each branch with work of its own which paths it touches.
    pub(super) fn find_touched(&self, graph: &Graph, branches: &mut [Branch]) {
        self.say("listing the paths that branches touch");
        let mut shelf = self.memory.shelf("branch-paths", "1");
        let mut new = Vec::new();
        for (number, branch) in branches.iter_mut().enumerate() {
            let pair = match pair(graph, branch) {
                Ok(pair) => pair,
                Err(reason) => {
                    branch.touched = Known::Unknown(reason);
                    continue;
                }
            };
            match shelf.get(&pair.key()) {
                Some(bytes) => branch.touched = told(bytes),
                None => new.push((number, pair)),
            }
        }
        let (objects, stop) = (self.objects.opener(), &self.wanted.stop);
        let found = spread(new.len(), PORTION, self.n_threads(), &|numbers| {
            let objects = objects.open();
            numbers.map(|number| (number, new[number].1.paths(&objects, stop))).collect()
        });
        for ((number, pair), paths) in new.iter().zip(found) {
            branches[*number].touched = match paths {
                Ok(bytes) => {
                    let touched = told(&bytes);
                    shelf.put(&pair.key(), bytes);
                    touched
                }
                Err(error) => Known::Unknown(error.to_string()),
            };
        }
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = shelf.save();
    }
}

/// Errors: why the branch touches nothing that matters, or nobody knows what.
fn pair(graph: &Graph, branch: &Branch) -> Result<Pair, String> {
    let (tip, drift) = match (&branch.tip, &branch.drift) {
        _ if branch.is_ignored() => return Err("the configuration ignores it".to_owned()),
        (Known::Unknown(reason), _) | (_, Known::Unknown(reason)) => return Err(reason.clone()),
        (Known::Seen(tip), Known::Seen(drift)) => (tip, drift),
    };
    if drift.is_unrelated() {
        return Err("it shares no commit with its base".to_owned());
    }
    if drift.ahead == 0 || branch.has_landed() {
        return Err("its work is in the base".to_owned());
    }
    let found = drift.merge_bases.iter().map(|base| graph.find(base).map(|at| graph.tree(at)));
    let bases = found.collect::<Option<Vec<Oid>>>().ok_or("a merge base is not in the history that was read")?;
    Ok(Pair { bases, tip: tip.tree })
}

impl Pair {
    fn key(&self) -> Vec<u8> {
        self.bases.iter().chain([&self.tip]).flat_map(Oid::as_bytes).copied().collect()
    }

    /// Hashes of the paths at which the tip differs from each of the merge bases, in order.
    fn paths(&self, objects: &Objects, stop: &Stop) -> Result<Vec<u8>, WalkError> {
        let mut common: Option<FxHashSet<u64>> = None;
        for base in &self.bases {
            if stop.is_due() {
                return Err(WalkError::Stopped);
            }
            let mut paths = FxHashSet::default();
            tree_diff::changes(objects, Some(*base), Some(self.tip), &mut |path, _, _| {
                if paths.len() <= PATHS_AT_MOST {
                    paths.insert(carry::hash_of_path(path));
                }
            })?;
            if PATHS_AT_MOST < paths.len() {
                return Ok(TOO_MANY.to_vec());
            }
            common = Some(match common {
                Some(before) => before.intersection(&paths).copied().collect(),
                None => paths,
            });
        }
        let mut paths: Vec<u64> = common.unwrap_or_default().into_iter().collect();
        paths.sort_unstable();
        Ok(paths.into_iter().flat_map(u64::to_le_bytes).collect())
    }
}

fn told(bytes: &[u8]) -> Known<Vec<u64>> {
    if bytes == TOO_MANY {
        return Known::Unknown(format!("it touches more than {PATHS_AT_MOST} paths, and those are not compared"));
    }
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    Known::Seen(bytes.chunks_exact(8).map(number).collect())
}
