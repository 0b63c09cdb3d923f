//! What each commit changed, as two short keys, remembered by commit.
//!
//! * The *header* key covers paths and modes: two commits whose patches are the
//!   same have the same header key, so it finds candidates.
//! * The *content* key covers the blobs as well: equal keys mean the same files
//!   changed from the same to the same content, which is a proof by itself.
//!
//! A commit is compared with its first parent. That depends on nothing but the
//! commit, so what is remembered serves every base and never becomes wrong.

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::reverts;
use crate::{
    graph::{Graph, Pos, Trunk},
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};

/// Bytes of a remembered key: 8 of the header key and 16 of the content key. Behind them stand the ids
/// that the message says to revert, each with a line break.
const KEY_BYTES: usize = 24;

/// What is known of the commits of a line.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) keys: FxHashMap<Oid, Key>,
    /// Commits whose message says that they revert others, with the first digits of their ids.
    pub(super) reverts: FxHashMap<Oid, Vec<String>>,
    /// Commits that could not be read, with the reason.
    pub(super) unread: FxHashMap<Oid, String>,
}

/// The keys of one set of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) header: u64,
    pub(super) content: [u8; 16],
}

/// Adds up a [`Key`], change by change, in the order of [`tree_diff::changes`].
pub(super) struct KeyMaker {
    header: u64,
    content: gix_hash::Hasher,
    record: Vec<u8>,
}

impl Key {
    /// The key of what `new` changed in `old`.
    pub(super) fn between(objects: &Objects, old: Option<Oid>, new: Option<Oid>) -> Result<Key, WalkError> {
        let mut maker = KeyMaker::new();
        tree_diff::changes(objects, old, new, &mut |path, old, new| maker.add(path, old, new))?;
        Ok(maker.finish())
    }

    /// Is it the key of no change at all?
    pub(super) fn is_empty(&self) -> bool {
        self.header == KeyMaker::START
    }
}

impl KeyMaker {
    /// Start and factor of the 64-bit FNV-1a hash: simple, fixed for ever, and only a filter.
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const FACTOR: u64 = 0x0000_0100_0000_01b3;

    pub(super) fn new() -> KeyMaker {
        // Of all that Git uses, the hash that nobody can find two equal contents for.
        let content = gix_hash::hasher(gix_hash::Kind::Sha256);
        KeyMaker { header: KeyMaker::START, content, record: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &[u8], old: Side, new: Side) {
        let mode = |side: Side| side.map_or(0, |(mode, _)| mode.0).to_be_bytes();
        self.record.clear();
        self.record.extend(path);
        self.record.push(0);
        self.record.extend(mode(old));
        self.record.extend(mode(new));
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(KeyMaker::FACTOR);
        self.header = self.record.iter().fold(self.header, step);
        for (_, oid) in [old, new].into_iter().flatten() {
            self.record.extend(oid.as_bytes());
        }
        self.content.update(&self.record);
    }

    pub(super) fn finish(self) -> Key {
        let digest = self.content.try_finalize().expect("only SHA-1 reports attacks, and this is SHA-256");
        let mut content = [0; 16];
        content.copy_from_slice(&digest.as_slice()[..16]);
        Key { header: self.header, content }
    }
}

impl Keys {
    /// Takes in what was seen of a commit.
    pub(super) fn add(&mut self, oid: Oid, seen: Result<Seen, String>) {
        match seen {
            Ok(Seen { key, reverts }) => {
                self.keys.insert(oid, key);
                if !reverts.is_empty() {
                    self.reverts.insert(oid, reverts);
                }
            }
            Err(reason) => drop(self.unread.insert(oid, reason)),
        }
    }
}

/// The commits of a base by which something can have landed, with the line index at which they did:
/// all but merges off the line, whose changes are those of the commits they merge.
pub(super) fn candidates(graph: &Graph, trunk: &Trunk) -> impl Iterator<Item = (usize, Pos)> {
    let all = graph.all().filter_map(|at| Some((trunk.intro(at)?, at)));
    all.filter(move |&(_, at)| trunk.is_on_line(at) || graph.parents(at).nth(1).is_none())
}

/// What was seen of one commit.
pub(super) struct Seen {
    key: Key,
    reverts: Vec<String>,
}

/// Looks at a commit of the line. Errors: the reason, as text.
pub(super) fn look(graph: &Graph, objects: &Objects, at: Pos) -> Result<Seen, String> {
    let key = key_of(graph, objects, at).map_err(|error| error.to_string())?;
    let message = objects.message(&graph.oid(at)).map_err(|error| error.to_string())?;
    Ok(Seen { key, reverts: reverts::named(&message) })
}

/// What was seen, as it is remembered.
pub(super) fn encode(seen: &Seen) -> Vec<u8> {
    let mut bytes = [&seen.key.header.to_be_bytes()[..], &seen.key.content].concat();
    seen.reverts.iter().for_each(|digits| bytes.extend([digits.as_bytes(), b"\n"].concat()));
    bytes
}

/// What was remembered; `None` when it can't be that.
pub(super) fn decode(bytes: &[u8]) -> Option<Seen> {
    let (key, reverts) = bytes.split_at_checked(KEY_BYTES)?;
    let (header, content) = key.split_first_chunk::<8>()?;
    let key = Key { header: u64::from_be_bytes(*header), content: content.try_into().ok()? };
    Some(Seen { key, reverts: std::str::from_utf8(reverts).ok()?.lines().map(str::to_owned).collect() })
}

/// The key of what a commit changed since its first parent.
pub(super) fn key_of(graph: &Graph, objects: &Objects, at: Pos) -> Result<Key, WalkError> {
    let parent = graph.parents(at).next().map(|parent| graph.tree(parent));
    Key::between(objects, parent, Some(graph.tree(at)))
}
