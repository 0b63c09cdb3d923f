//! Chooses which refs are the branches to watch.
//!
//! A tracking ref that is the copy of a local branch (the same name, the same
//! commit) is not listed a second time; where they differ, both are shown, since
//! both may need work. What tools generate is no branch, nor is a symbolic ref.

use std::collections::BTreeMap;

use alignwatch_model::{Oid, RefName, branch, config::RefFilter, snapshot::BrokenRef};

use crate::{
    objects::Objects,
    refs::{Ref, Refs, Upstream},
};

/// Refs that tools make for themselves, also where a configured space holds them.
///
/// Sources: git-filter-branch(1) and git-fast-import(1) (`original`), git-maintenance(1) (`prefetch`),
/// git-branchless, Jujutsu, and our own archive.
const CLUTTER: [&str; 10] = [
    "refs/original/",
    "refs/prefetch/",
    "refs/archive/",
    "refs/backup/",
    "refs/stash",
    "refs/notes/",
    "refs/replace/",
    "refs/branchless/",
    "refs/jj/",
    "refs/alignwatch/",
];

/// The branches to watch, and refs that can't be one because they are broken.
pub(super) struct Watched {
    /// Sorted by name.
    pub(super) branches: Vec<WatchedBranch>,
    /// Refs that should be branches and lead to no commit.
    pub(super) broken: Vec<BrokenRef>,
    /// For each remote its HEAD, as a full name.
    pub(super) remote_heads: BTreeMap<String, RefName>,
}

/// One branch to watch.
pub(super) struct WatchedBranch {
    /// Full name.
    pub(super) name: RefName,
    /// The commit.
    pub(super) oid: Oid,
    /// What it follows by configuration.
    pub(super) upstream: Option<branch::Upstream>,
    /// The tracking ref of what it follows, or of the same name at `origin`.
    pub(super) counterpart: Option<RefName>,
}

/// Chooses the branches among all refs.
pub(super) fn choose(
    refs: &Refs,
    filter: &RefFilter,
    mut upstreams: BTreeMap<RefName, Upstream>,
    objects: &Objects,
) -> Watched {
    let mut watched = Watched { branches: Vec::new(), broken: Vec::new(), remote_heads: remote_heads(refs) };
    let is_branch = |one: &&Ref| one.symref.is_none() && filter.is_branch(&one.name) && !is_clutter(&one.name);
    for one in refs.all.iter().filter(is_branch) {
        if is_copy(refs, filter, &upstreams, one) {
            continue;
        }
        match commit_of(one, objects) {
            Ok(oid) => {
                let upstream = upstreams.remove(&one.name);
                let counterpart = counterpart(refs, &one.name, upstream.as_ref());
                watched.branches.push(WatchedBranch {
                    name: one.name.clone(),
                    oid,
                    upstream: upstream.map(plain),
                    counterpart,
                });
            }
            Err(reason) => watched.broken.push(BrokenRef { name: one.name.clone(), oid: Some(one.oid), reason }),
        }
    }
    watched.branches.sort_by(|a, b| a.name.cmp(&b.name));
    watched
}

fn is_clutter(name: &RefName) -> bool {
    CLUTTER.iter().any(|prefix| name.starts_with(prefix))
}

fn remote_heads(refs: &Refs) -> BTreeMap<String, RefName> {
    let head = |one: &Ref| {
        let (remote, branch) = one.name.remote_parts()?;
        (branch == b"HEAD").then_some(())?;
        Some((String::from_utf8_lossy(remote).into_owned(), one.symref.clone()?))
    };
    refs.all.iter().filter_map(head).collect()
}

/// Is this tracking ref the copy of a local branch that is watched, at the same commit?
fn is_copy(refs: &Refs, filter: &RefFilter, upstreams: &BTreeMap<RefName, Upstream>, one: &Ref) -> bool {
    let Some((_, branch)) = one.name.remote_parts() else { return false };
    let local = RefName::new([b"refs/heads/", branch].concat());
    let follows =
        |local: &RefName| upstreams.get(local).is_none_or(|upstream| upstream.tracking.as_ref() == Some(&one.name));
    filter.is_branch(&local) && refs.get(&local).is_some_and(|local| local.oid == one.oid) && follows(&local)
}

/// The commit of a ref; an annotated tag is followed. A ref to something else is broken.
fn commit_of(one: &Ref, objects: &Objects) -> Result<Oid, String> {
    match one.peeled {
        Some(peeled) => Ok(peeled),
        // A missing object is found by the graph, which knows whose history it cuts.
        None if one.name.starts_with("refs/heads/") || one.name.starts_with("refs/remotes/") => Ok(one.oid),
        None => objects.peel(&one.oid).map_err(|error| error.to_string()),
    }
}

fn counterpart(refs: &Refs, name: &RefName, upstream: Option<&Upstream>) -> Option<RefName> {
    let branch = name.as_bytes().strip_prefix(b"refs/heads/")?;
    let same_name = || RefName::new([b"refs/remotes/origin/", branch].concat());
    let tracking = upstream.map_or_else(|| Some(same_name()), |upstream| upstream.tracking.clone())?;
    // Only a branch of the same name is the same branch at the remote.
    let is_same = tracking.remote_parts().is_some_and(|(_, there)| there == branch);
    (is_same && refs.get(&tracking).is_some()).then_some(tracking)
}

fn plain(upstream: Upstream) -> branch::Upstream {
    branch::Upstream {
        remote: String::from_utf8_lossy(&upstream.remote).into_owned(),
        merge: upstream.merge.text().into_owned(),
        gone: upstream.is_gone,
    }
}
