//! The tree that Git merges from where two branches have several merge bases.
//!
//! Git first merges the merge bases with each other and takes the outcome, with
//! all its conflicts, for the merge base. It does not show that tree, and
//! hundreds of branches often share one. So we make two commits on those merge
//! bases that differ at every path where the bases do: Git reports a conflict
//! at each, and names what its merge base had there. One process for all sets of
//! merge bases of a line, instead of one recursive merge a branch.
//!
//! A file that a merge base renamed may meet one that all of them have, and change it: where a file is gone in one of
//! them, paths that are new are asked about as well, though they are alike in all.
//!
//! Left to Git, pair by pair: bases of the same second (their order matters, and
//! cannot be told), links and submodules, files and folders that meet at one path,
//! and paths at which attributes let Git merge anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use alignwatch_model::Oid;

use super::{ask, quarantine::Quarantine};
use crate::{
    graph::{Graph, Pos},
    objects::{Mode, Objects, ReadError},
    run::GitAt,
    tree_diff::{Side, WalkError, changes},
};

/// Paths at which merge bases may differ.
///
/// Source: ours; twenty times the paths of an ordinary change of a large line.
const PATHS_AT_MOST: usize = 20_000;

/// Merge bases that are held against each other, two and two.
const MERGE_BASES_AT_MOST: usize = 8;

/// What stands at the paths where the merge bases differ.
pub(super) type Entries = BTreeMap<Vec<u8>, Side>;

/// Why there is no such tree for us.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoBase {
    #[error(transparent)]
    Trees(#[from] WalkError),
    #[error("cannot write objects of our own: {0}")]
    Write(#[from] std::io::Error),
    #[error("only Git can tell")]
    Unclear,
}

impl From<ReadError> for NoBase {
    fn from(error: ReadError) -> NoBase {
        NoBase::Trees(error.into())
    }
}

/// A line and merge bases of its branches.
pub(super) type Set = (Oid, Vec<Oid>);

/// The trees of the merged merge bases, written into the quarantine, and what Git found where they differ; those that only Git
/// can tell are left out.
///
/// `objects` must be the database of the quarantine. The attributes of the line apply: one process for each line.
pub(super) fn virtual_bases(
    git: &GitAt<'_>,
    graph: &Graph,
    quarantine: &Quarantine,
    objects: &Objects,
    sets: impl Iterator<Item = Set>,
    until: Instant,
    merged: &mut dyn FnMut(&Asked, &Entries, Oid),
) {
    // Whatever goes wrong here, Git is asked about each pair, and says what is wrong with it.
    let mut by_line: BTreeMap<Oid, Vec<Asked>> = BTreeMap::new();
    for set in sets {
        if let Ok(asked) = Asked::of(objects, quarantine, graph, set) {
            by_line.entry(asked.set.0).or_default().push(asked);
        }
    }
    for (line, all) in by_line {
        let pairs: Vec<(Oid, Oid)> = all.iter().map(|asked| asked.pair).collect();
        ask::merge_bases_of(git, quarantine, line, &pairs, until, &mut |at, found| {
            if let Ok(tree) = all[at].tree(objects, quarantine, &found) {
                merged(&all[at], &found, tree);
            }
        });
    }
}

/// Two commits that conflict wherever the merge bases differ.
pub(super) struct Asked {
    pub(super) set: Set,
    /// Files of the fork that went from one of them: where both renamed one, Git goes by what attributes say of its old name.
    /// `None` where there are several forks, of which Git makes one.
    pub(super) gone: Option<BTreeSet<Vec<u8>>>,
    first: Oid,
    paths: BTreeSet<Vec<u8>>,
    pair: (Oid, Oid),
}

impl Asked {
    fn of(objects: &Objects, quarantine: &Quarantine, graph: &Graph, set: Set) -> Result<Asked, NoBase> {
        let merge_bases = &set.1;
        let (trees, mut paths) = differing(objects, merge_bases)?;
        let mut gone = Some(BTreeSet::new());
        if !paths.is_empty() {
            let forks: Vec<Oid> = forks(graph, merge_bases)?.into_iter().map(|fork| graph.tree(fork)).collect();
            let since = Since::of(objects, &forks, &trees)?;
            // A file that is new meets a renamed one only where one is gone.
            paths.extend(since.new.into_iter().filter(|_| !since.gone.is_empty()));
            gone = (forks.len() < 2).then_some(since.gone);
        }
        if meets_folder(&paths) || PATHS_AT_MOST < paths.len() {
            return Err(NoBase::Unclear);
        }
        let first = trees[0];
        let side = |content: &[u8]| -> Result<Oid, NoBase> {
            let blob = quarantine.blob(content)?;
            let all = paths.iter().map(|path| (path.clone(), Some((Mode(0o100_644), blob)))).collect();
            Ok(quarantine.commit(&with_entries(objects, quarantine, Some(first), &all)?, merge_bases)?)
        };
        let pair = (side(b"our side\n")?, side(b"a branch\n")?);
        Ok(Asked { set, gone, first, paths, pair })
    }

    /// The tree with what Git's merge base has at each of the paths.
    fn tree(&self, objects: &Objects, quarantine: &Quarantine, found: &Entries) -> Result<Oid, NoBase> {
        if !found.keys().eq(self.paths.iter()) || !found.values().all(is_file_or_nothing) {
            return Err(NoBase::Unclear);
        }
        with_entries(objects, quarantine, Some(self.first), found)
    }
}

/// The tree into which what Git found is put.
pub(super) fn first_tree(objects: &Objects, merge_bases: &[Oid]) -> Result<Oid, NoBase> {
    Ok(objects.commit(merge_bases.first().ok_or(NoBase::Unclear)?)?.tree)
}

/// The merge bases of merge bases.
fn forks(graph: &Graph, merge_bases: &[Oid]) -> Result<BTreeSet<Pos>, NoBase> {
    if MERGE_BASES_AT_MOST < merge_bases.len() {
        return Err(NoBase::Unclear);
    }
    let is_whole = |at: &Pos| graph.flaw(*at).is_none();
    let place = |oid: &Oid| graph.find(oid).filter(is_whole).ok_or(NoBase::Unclear);
    let places = merge_bases.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut all = BTreeSet::new();
    for (at, one) in places.iter().enumerate() {
        all.extend(places[at + 1..].iter().flat_map(|other| graph.merge_bases(*one, *other)));
    }
    Ok(all)
}

/// The trees of the merge bases, and every path at which one differs from the first.
fn differing(objects: &Objects, merge_bases: &[Oid]) -> Result<(Vec<Oid>, BTreeSet<Vec<u8>>), NoBase> {
    let commits = merge_bases.iter().map(|oid| objects.commit(oid)).collect::<Result<Vec<_>, _>>()?;
    let dates: BTreeSet<_> = commits.iter().map(|commit| commit.committed_at).collect();
    let trees: Vec<Oid> = commits.iter().map(|commit| commit.tree).collect();
    let (first, others) = trees.split_first().filter(|_| dates.len() == commits.len()).ok_or(NoBase::Unclear)?;
    let (mut paths, mut is_plain) = (BTreeSet::new(), true);
    for other in others {
        changes(objects, Some(*first), Some(*other), &mut |path, before, after| {
            is_plain &= is_file_or_nothing(&before) && is_file_or_nothing(&after) && paths.len() < PATHS_AT_MOST;
            if is_plain {
                paths.insert(path.to_vec());
            }
        })?;
    }
    if is_plain { Ok((trees, paths)) } else { Err(NoBase::Unclear) }
}

/// What became of the files of forks.
///
/// What Git takes for the fork is merged from all forks: a file is gone since then only if one of them has it, and new only if
/// one of them lacks it.
#[derive(Default)]
struct Since {
    /// Files of the first tree that one of the forks lacks.
    new: BTreeSet<Vec<u8>>,
    /// Files of a fork that one of the trees lacks.
    gone: BTreeSet<Vec<u8>>,
}

impl Since {
    fn of(objects: &Objects, forks: &[Oid], trees: &[Oid]) -> Result<Since, NoBase> {
        let mut since = Since::default();
        for fork in forks {
            for (at, tree) in trees.iter().enumerate() {
                changes(objects, Some(*fork), Some(*tree), &mut |path, before, after| {
                    if before.is_some() && after.is_none() {
                        since.gone.insert(path.to_vec());
                    }
                    if at == 0 && before.is_none() && after.is_some_and(|(mode, _)| mode.is_file()) {
                        since.new.insert(path.to_vec());
                    }
                })?;
            }
        }
        Ok(since)
    }
}

fn is_file_or_nothing(side: &Side) -> bool {
    side.is_none_or(|(mode, _)| mode.is_file())
}

/// Is one of the paths a folder of another?
fn meets_folder(paths: &BTreeSet<Vec<u8>>) -> bool {
    let folders = |path: &[u8]| {
        let ends = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.map(|end| path[..end].to_vec()).collect::<Vec<_>>()
    };
    paths.iter().any(|path| folders(path).iter().any(|folder| paths.contains(folder)))
}

/// Writes the tree with these entries put in place, or taken out where there is nothing.
/// Only the folders on the way to them are written. A folder that becomes empty is left out by the one above.
pub(super) fn with_entries(
    objects: &Objects,
    quarantine: &Quarantine,
    tree: Option<Oid>,
    entries: &Entries,
) -> Result<Oid, NoBase> {
    let mut here: BTreeMap<Vec<u8>, (Mode, Oid)> = BTreeMap::new();
    if let Some(tree) = tree {
        here.extend(objects.tree(&tree)?.iter().map(|entry| (entry.name.to_vec(), (entry.mode, entry.oid))));
    }
    let mut below: BTreeMap<Vec<u8>, Entries> = BTreeMap::new();
    for (path, side) in entries {
        match (path.iter().position(|&byte| byte == b'/'), side) {
            (Some(end), side) => {
                below.entry(path[..end].to_vec()).or_default().insert(path[end + 1..].to_vec(), *side);
            }
            (None, Some(entry)) => drop(here.insert(path.clone(), *entry)),
            (None, None) => drop(here.remove(path)),
        }
    }
    for (name, entries) in below {
        let folder = here.get(&name).filter(|(mode, _)| mode.is_tree()).map(|(_, oid)| *oid);
        let folder = with_entries(objects, quarantine, folder, &entries)?;
        if quarantine.is_empty_tree(&folder) {
            here.remove(&name);
        } else {
            here.insert(name, (Mode(0o040_000), folder));
        }
    }
    Ok(quarantine.tree(&here)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_a_folder_elsewhere_is_seen() {
        let paths = |list: &[&str]| list.iter().map(|path| path.as_bytes().to_vec()).collect();
        assert!(meets_folder(&paths(&["a", "a.b", "a/b"])));
        assert!(meets_folder(&paths(&["a/b/c", "a/b"])));
        assert!(!meets_folder(&paths(&["a/b", "a/bc", "a.b"])));
    }
}
