//! The tree that Git merges from where two branches have several merge bases.
//!
//! Git first merges the merge bases with each other and takes the outcome, with
//! all its conflicts, for the merge base. It does not show that tree, and
//! hundreds of branches often share one. So we make two commits on those merge
//! bases that differ at every path where the bases do: Git reports a conflict
//! at each, and names what its merge base had there. One process a set of merge
//! bases instead of one recursive merge a branch.
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
    objects::{Mode, Objects, ReadError},
    run::GitAt,
    tree_diff::{Side, WalkError, changes},
};

/// Paths at which merge bases may differ.
///
/// Source: ours; twenty times the paths of an ordinary change of a large line.
const PATHS_AT_MOST: usize = 20_000;

/// What stands at the paths where the merge bases differ.
pub(super) type Entries = BTreeMap<Vec<u8>, Side>;

/// Why there is no such tree for us.
#[derive(Debug, thiserror::Error)]
enum NoBase {
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

/// The tree of the merged merge bases, written into the quarantine; `None` when only Git can tell.
///
/// `objects` must be the database of the quarantine. `line` is the commit whose attributes apply.
pub(super) fn virtual_base(
    git: &GitAt<'_>,
    quarantine: &Quarantine,
    objects: &Objects,
    line: Oid,
    merge_bases: &[Oid],
    until: Instant,
) -> Option<Oid> {
    let tree = || -> Result<Oid, NoBase> {
        let (first, paths) = differing(objects, merge_bases)?;
        let sides = [b"our side\n", b"a branch\n"].map(|content| -> Result<Oid, NoBase> {
            let blob = quarantine.blob(content)?;
            let all = paths.iter().map(|path| (path.clone(), Some((Mode(0o100_644), blob)))).collect();
            Ok(quarantine.commit(&with_entries(objects, quarantine, Some(first), &all)?, merge_bases)?)
        });
        let [ours, theirs] = sides;
        let found = ask::merge_base_of(git, quarantine, line, (ours?, theirs?), until).ok_or(NoBase::Unclear)?;
        if !found.keys().eq(paths.iter()) || !found.values().all(is_file_or_nothing) {
            return Err(NoBase::Unclear);
        }
        with_entries(objects, quarantine, Some(first), &found)
    };
    // Whatever went wrong here, Git is asked about each pair, and says what is wrong with it.
    tree().ok()
}

/// The tree of the first merge base, and every path at which another one differs from it.
fn differing(objects: &Objects, merge_bases: &[Oid]) -> Result<(Oid, BTreeSet<Vec<u8>>), NoBase> {
    let commits = merge_bases.iter().map(|oid| objects.commit(oid)).collect::<Result<Vec<_>, _>>()?;
    let dates: BTreeSet<_> = commits.iter().map(|commit| commit.committed_at).collect();
    let (first, others) = commits.split_first().filter(|_| dates.len() == commits.len()).ok_or(NoBase::Unclear)?;
    let (mut paths, mut is_plain) = (BTreeSet::new(), true);
    for other in others {
        changes(objects, Some(first.tree), Some(other.tree), &mut |path, before, after| {
            is_plain &= is_file_or_nothing(&before) && is_file_or_nothing(&after) && paths.len() < PATHS_AT_MOST;
            if is_plain {
                paths.insert(path.to_vec());
            }
        })?;
    }
    if is_plain && !meets_folder(&paths) { Ok((first.tree, paths)) } else { Err(NoBase::Unclear) }
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
fn with_entries(
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
