//! What became of files and folders that a side removed: gone, or renamed to where only one file can be meant, or only Git
//! can tell.

use std::collections::BTreeSet;

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::{
    sides::OneSide,
    similar::{Likeness, SimilarFiles},
};
use crate::objects::{Objects, ReadError};

/// Removed times added files up to which a rename that we do not see is none to Git either.
///
/// Source: Git before 2.32 looked for renames among at most 1,000 by 1,000 files in a merge, later 7,000.
pub(super) const RENAME_MATRIX_AT_MOST: usize = 1_000_000;

/// What became of a removed file on the side that removed it.
pub(super) enum Fate {
    Gone,
    Renamed(Vec<u8>, Oid),
    Unclear(Vec<Vec<u8>>),
}

impl Fate {
    pub(super) fn doubt(&mut self) {
        if let Fate::Renamed(to, _) = self {
            *self = Fate::Unclear(vec![std::mem::take(to)]);
        }
    }

    pub(super) fn candidates(&self) -> impl Iterator<Item = &[u8]> {
        let (one, several) = match self {
            Fate::Gone => (None, &[][..]),
            Fate::Renamed(to, _) => (Some(to.as_slice()), &[][..]),
            Fate::Unclear(paths) => (None, paths.as_slice()),
        };
        one.into_iter().chain(several.iter().map(Vec::as_slice))
    }
}

/// What became of a folder that one side removed and the other added to.
pub(super) enum FolderFate {
    Gone,
    /// Git sees that it was renamed, and by default stops: the new file may belong there.
    Renamed,
    Unclear,
}

/// Removed files below one folder that are looked at to see where the folder went.
const FOLDER_FILES_AT_MOST: usize = 300;

/// A file below a folder that one side removed and the other added to.
pub(super) struct Below {
    pub(super) path: Vec<u8>,
    /// It stood in that folder itself.
    pub(super) is_direct: bool,
    pub(super) was: Oid,
}

/// Where the folders went in which these files stood: one rename of a file out of such a folder makes Git take the
/// folder for renamed.
pub(super) fn folder_fate(
    objects: &Objects,
    similar: &SimilarFiles,
    below: &[Below],
    changes: &OneSide,
) -> Result<FolderFate, ReadError> {
    if changes.n_added == 0 {
        return Ok(FolderFate::Gone);
    }
    let kept_as_it_was = |file: &&Below| file.is_direct && changes.added.contains_key(&file.was);
    for file in below.iter().filter(kept_as_it_was) {
        if file.was != empty_blob(&file.was) {
            return Ok(FolderFate::Renamed);
        }
    }
    if below.is_empty() {
        return Ok(FolderFate::Gone);
    }
    if FOLDER_FILES_AT_MOST < below.len() || similar.is_full() {
        return Ok(FolderFate::Unclear);
    }
    let fates = fates_of(objects, similar, below.iter().map(|file| (&b""[..], file.was)), changes)?;
    let mut fate = FolderFate::Gone;
    for (file, became) in below.iter().zip(&fates) {
        match became {
            Fate::Gone => {}
            Fate::Renamed(..) if file.is_direct => return Ok(FolderFate::Renamed),
            Fate::Renamed(..) | Fate::Unclear(_) => fate = FolderFate::Unclear,
        }
    }
    Ok(fate)
}

/// Ends of the folder names within a path, the longest last.
pub(super) fn parents_of(path: &[u8]) -> impl Iterator<Item = usize> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at)
}

pub(super) fn removed_folders_above<'a>(
    objects: &Objects,
    base: Oid,
    side: Oid,
    path: &'a [u8],
    folders: &mut BTreeSet<&'a [u8]>,
) -> Result<(), ReadError> {
    let (mut before, mut after) = (Some(base), Some(side));
    let mut start = 0;
    for end in parents_of(path) {
        let name = &path[start..end];
        start = end + 1;
        let below = |tree: Option<Oid>| -> Result<Option<Oid>, ReadError> {
            let Some(tree) = tree else { return Ok(None) };
            Ok(objects.tree(&tree)?.find(name).filter(|entry| entry.mode.is_tree()).map(|entry| entry.oid))
        };
        (before, after) = (below(before)?, below(after)?);
        if before.is_some() && after.is_none() {
            folders.insert(&path[..end]);
        }
    }
    Ok(())
}

/// The id of the empty blob, in the same hash function as another id.
pub(super) fn empty_blob(like: &Oid) -> Oid {
    let kind = if like.as_bytes().len() == 20 { gix_hash::Kind::Sha1 } else { gix_hash::Kind::Sha256 };
    Oid::from_bytes(gix_hash::ObjectId::empty_blob(kind).as_bytes()).expect("an id of this hash function")
}

/// What became of the files that a side removed, each seen beside the others.
pub(super) fn fates_of<'a>(
    objects: &Objects,
    similar: &SimilarFiles,
    sources: impl Iterator<Item = (&'a [u8], Oid)>,
    side: &OneSide,
) -> Result<Vec<Fate>, ReadError> {
    let sources: Vec<Oid> = sources.map(|(_, was)| was).collect();
    if side.n_added == 0 {
        return Ok(sources.iter().map(|_| Fate::Gone).collect());
    }
    if similar.is_full() || RENAME_MATRIX_AT_MOST < sources.len().saturating_mul(side.n_added) {
        return Ok(sources.iter().map(|_| Fate::Unclear(Vec::new())).collect());
    }
    let mut fates = sources.iter().map(|was| fate_of(objects, similar, was, side)).collect::<Result<Vec<_>, _>>()?;
    let mut n_claims: FxHashMap<Vec<u8>, usize> = FxHashMap::default();
    for path in fates.iter().flat_map(Fate::candidates) {
        *n_claims.entry(path.to_vec()).or_default() += 1;
    }
    for fate in &mut fates {
        if matches!(fate, Fate::Renamed(to, _) if 1 < n_claims[to]) {
            fate.doubt();
        }
    }
    Ok(fates)
}

fn fate_of(objects: &Objects, similar: &SimilarFiles, was: &Oid, side: &OneSide) -> Result<Fate, ReadError> {
    // An empty file is like every other; Git does not follow it in a merge.
    if *was == empty_blob(was) {
        return Ok(Fate::Gone);
    }
    if let Some(paths) = side.added.get(was) {
        let is_plain = paths.len() == 1 && side.removed.get(was).is_some_and(|paths| paths.len() == 1);
        return Ok(if is_plain { Fate::Renamed(paths[0].clone(), *was) } else { Fate::Unclear(paths.clone()) });
    }
    let mut candidates: Vec<(&Vec<u8>, Oid, Likeness)> = Vec::new();
    for &(oid, likeness) in similar.like(objects, was)?.iter() {
        let paths = side.added.get(&oid).map_or(&[][..], Vec::as_slice);
        let n_removed_alike = side.removed.get(&oid).map_or(0, Vec::len);
        // The same content was removed elsewhere: those two belong together, before all else.
        if n_removed_alike < paths.len() {
            let likeness = if n_removed_alike == 0 { likeness } else { Likeness::Unclear };
            candidates.extend(paths.iter().map(|path| (path, oid, likeness)));
        }
    }
    Ok(match candidates.as_slice() {
        [] => Fate::Gone,
        [(path, oid, Likeness::Alike)] => Fate::Renamed((*path).clone(), *oid),
        several => Fate::Unclear(several.iter().map(|(path, ..)| (*path).clone()).collect()),
    })
}
