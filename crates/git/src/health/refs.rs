//! Sees refs that get in the way: tags named like branches, names that block each other, what tools left behind.

use std::collections::{BTreeMap, BTreeSet};

use alignwatch_model::{Oid, RefName, facts::refs::RefFacts};
use rustc_hash::FxHashSet;

use crate::refs::Refs;

/// Folders in which tools keep refs for themselves, that nobody cleans up after them.
///
/// Sources: git-filter-branch(1), git-maintenance(1) (prefetch), git-branchless, jj, `git replay`-like tools, our own archive.
const LEFT_BEHIND: [&str; 9] = [
    "refs/original/",
    "refs/prefetch/",
    "refs/branchless/",
    "refs/jj/",
    "refs/archive/",
    "refs/backup/",
    "refs/keep-around/",
    "refs/rewritten/",
    "refs/wip/",
];

/// Pairs and names that are kept; more tell nothing new.
const KEPT_AT_MOST: usize = 1000;

/// Facts about all refs, from the list that was read anyway.
pub(crate) fn ref_facts(refs: &Refs) -> RefFacts {
    RefFacts {
        tags_named_like_branches: tags_named_like_branches(refs),
        in_the_way: in_the_way(refs),
        left_behind: left_behind(refs),
        on_a_remote: on_a_remote(refs),
        n_refs: refs.all.len(),
    }
}

fn tags_named_like_branches(refs: &Refs) -> Vec<RefName> {
    let is_branch = |tag: &RefName| {
        let short = tag.as_bytes().strip_prefix(b"refs/tags/")?;
        refs.get(&RefName::new([b"refs/heads/", short].concat())).map(|_| ())
    };
    let tags = refs.under(b"refs/tags/").map(|tag| &tag.name);
    tags.filter(|tag| is_branch(tag).is_some()).take(KEPT_AT_MOST).cloned().collect()
}

fn on_a_remote(refs: &Refs) -> Vec<RefName> {
    let there: FxHashSet<Oid> = refs.under(b"refs/remotes/").map(|one| one.oid).collect();
    refs.under(b"refs/heads/").filter(|one| there.contains(&one.oid)).map(|one| one.name.clone()).collect()
}

fn left_behind(refs: &Refs) -> Vec<(String, usize)> {
    let counted = LEFT_BEHIND.iter().map(|folder| ((*folder).to_owned(), refs.under(folder.as_bytes()).count()));
    counted.filter(|(_, n)| *n > 0).collect()
}

/// Pairs of branches of which one's name, at its own place, is a folder of the other's.
///
/// In one place Git refuses that itself; between places nobody does.
fn in_the_way(refs: &Refs) -> Vec<(RefName, RefName)> {
    let mut by_own = BTreeMap::<&[u8], &RefName>::new();
    let local = refs
        .under(b"refs/heads/")
        .filter_map(|one| Some((one.name.as_bytes().strip_prefix(b"refs/heads/")?, &one.name)));
    let tracking = refs.under(b"refs/remotes/").filter(|one| one.symref.is_none());
    let tracking = tracking.filter_map(|one| Some((one.name.remote_parts()?.1, &one.name)));
    for (own, name) in local.chain(tracking) {
        by_own.entry(own).or_insert(name);
    }
    let mut pairs = BTreeSet::new();
    for (own, name) in &by_own {
        for at in memchr::memchr_iter(b'/', own) {
            if let Some(folder) = by_own.get(&own[..at]) {
                pairs.insert(((*folder).clone(), (*name).clone()));
            }
        }
        if KEPT_AT_MOST <= pairs.len() {
            break;
        }
    }
    pairs.into_iter().collect()
}
