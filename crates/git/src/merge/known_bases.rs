//! What Git merged merge bases to, remembered: the same ones are asked about again after each move of their line.
//!
//! It depends on the merge bases and on the attributes that the line has for the paths where they differ and for those that
//! they do not have any more, and on nothing else of the line. Contents that only the merge made are kept with it.

use std::collections::BTreeSet;

use alignwatch_model::Oid;
use serde::{Deserialize, Serialize};

use super::{
    attributes::{Attributes, AttributesFile},
    quarantine::Quarantine,
    virtual_base::{Asked, Entries, NoBase, Set, first_tree, with_entries},
};
use crate::{
    memory::{Memory, Shelf},
    objects::{Mode, Objects, ReadError},
};

/// Bytes of contents that are kept for one set of merge bases. Source: ours; a conflict of an ordinary file has some 50 KiB.
const CONTENTS_AT_MOST_BYTES: u64 = 1 << 20;

/// Merged merge bases that are known.
pub(super) struct KnownBases(Shelf);

#[derive(Serialize, Deserialize)]
struct Known {
    /// Those of the line that have a say.
    attributes: Vec<AttributesFile>,
    /// Paths that have a say besides.
    gone: BTreeSet<Vec<u8>>,
    paths: Vec<(Vec<u8>, Option<Version>)>,
}

/// What Git's merge base has at a path.
#[derive(Serialize, Deserialize)]
struct Version {
    mode: u32,
    oid: Oid,
    /// Of a file that the repository does not have.
    content: Option<Vec<u8>>,
}

impl KnownBases {
    /// `written_by` is everything besides the commits that an answer depends on.
    pub(super) fn remembered_in(memory: &Memory, written_by: &str) -> KnownBases {
        KnownBases(memory.shelf("merge-bases", written_by))
    }

    /// The tree, if it is known and all that it needs is there.
    pub(super) fn tree(&mut self, objects: &Objects, quarantine: &Quarantine, set: &Set) -> Option<Oid> {
        let known: Known = postcard::from_bytes(self.0.get(&key(set))?).ok()?;
        let paths = known.paths.iter().map(|(path, _)| path).chain(&known.gone);
        if attributes(objects, set, paths).ok()? != known.attributes {
            return None;
        }
        let mut entries = Entries::new();
        for (path, version) in known.paths {
            let side =
                version.map(|version| version.put(objects, quarantine).ok_or(NoBase::Unclear)).transpose().ok()?;
            entries.insert(path, side);
        }
        with_entries(objects, quarantine, Some(first_tree(objects, &set.1).ok()?), &entries).ok()
    }

    /// Remembers what Git found at the paths where the merge bases differ.
    pub(super) fn keep(&mut self, objects: &Objects, quarantine: &Quarantine, asked: &Asked, found: &Entries) {
        let Some(gone) = asked.gone.clone() else { return };
        let mut room = CONTENTS_AT_MOST_BYTES;
        let mut version = |(mode, oid): (Mode, Oid)| {
            let content = quarantine.has(&oid).then(|| objects.blob_up_to(&oid, room)).transpose()?;
            room -= content.as_ref().map_or(0, |content| content.len() as u64);
            Ok::<_, ReadError>(Version { mode: mode.0, oid, content })
        };
        let paths = found.iter().map(|(path, side)| Ok((path.clone(), side.map(&mut version).transpose()?)));
        // What can't be kept is asked of Git again.
        let Ok(paths) = paths.collect::<Result<Vec<_>, ReadError>>() else { return };
        let Ok(attributes) = attributes(objects, &asked.set, found.keys().chain(&gone)) else { return };
        let known = Known { attributes, gone, paths };
        self.0.put(&key(&asked.set), postcard::to_stdvec(&known).unwrap_or_default());
    }

    pub(super) fn save(&mut self) {
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = self.0.save();
    }
}

impl Version {
    /// Makes sure that the content can be read.
    fn put(self, objects: &Objects, quarantine: &Quarantine) -> Option<(Mode, Oid)> {
        let is_there = match &self.content {
            Some(content) => quarantine.blob(content).is_ok_and(|oid| oid == self.oid),
            None => objects.has(&self.oid),
        };
        is_there.then_some((Mode(self.mode), self.oid))
    }
}

fn key((_, merge_bases): &Set) -> Vec<u8> {
    merge_bases.iter().flat_map(Oid::as_bytes).copied().collect()
}

/// The attributes files of the line that have a say at these paths.
fn attributes<'a>(
    objects: &Objects,
    (line, _): &Set,
    paths: impl Iterator<Item = &'a Vec<u8>>,
) -> Result<Vec<AttributesFile>, ReadError> {
    let of_line = Attributes::of(objects, objects.commit(line)?.tree, Vec::new());
    of_line.files_with_a_say(paths.map(Vec::as_slice))
}
