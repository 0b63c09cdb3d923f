//! Short keys of patches, to find the few commits that could have the same patch.

use std::hash::Hasher;

use alignwatch_model::Oid;
use rustc_hash::{FxHashMap, FxHasher};

use crate::{
    graph::Pos,
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};

/// Two keys of one patch, from coarse to exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// Hash of the changed paths and their modes: patches that differ here are different.
    pub(super) paths: u64,
    /// Hash of those and of the contents before and after: patches that agree here are the same.
    pub(super) content: u128,
}

/// The patches of a line by their coarse key.
#[derive(Default)]
pub(super) struct Keys {
    by_paths: FxHashMap<u64, Vec<(Pos, Key)>>,
}

impl Keys {
    /// Takes in a commit. An empty patch is like every other empty one and is left out.
    pub(super) fn insert(&mut self, at: Pos, key: Key) {
        if key != Key::default() {
            let same = self.by_paths.entry(key.paths).or_default();
            // Kept in the order of history.
            let place = same.partition_point(|(other, _)| *other < at);
            same.insert(place, (at, key));
        }
    }

    /// The commits that changed just these paths, the oldest first.
    pub(super) fn with_paths(&self, paths: u64) -> impl Iterator<Item = (Pos, Key)> + '_ {
        self.by_paths.get(&paths).into_iter().flatten().copied()
    }
}

/// The keys of the patch between two trees; the default for an empty one. Errors: [`WalkError`].
pub(super) fn key(objects: &Objects, before: Option<Oid>, after: Option<Oid>) -> Result<Key, WalkError> {
    let mut sum = Sum::default();
    tree_diff::changes(objects, before, after, &mut |path, old, new| sum.add(path, old, new))?;
    Ok(sum.key())
}

/// Hashes of a patch that is told path by path.
#[derive(Default)]
pub(super) struct Sum {
    paths: FxHasher,
    content: [FxHasher; 2],
    n_paths: u32,
}

impl Sum {
    pub(super) fn add(&mut self, path: &[u8], old: Side, new: Side) {
        let mode = |side: Side| side.map_or(0, |(mode, _)| mode.0);
        self.n_paths += 1;
        // Two hashes that begin differently, so that both must collide.
        self.content[1].write_u32(self.n_paths);
        for hasher in [&mut self.paths].into_iter().chain(&mut self.content) {
            hasher.write_usize(path.len());
            hasher.write(path);
            hasher.write_u32(mode(old));
            hasher.write_u32(mode(new));
        }
        for (_, oid) in [old, new].into_iter().flatten() {
            self.content.iter_mut().for_each(|hasher| hasher.write(oid.as_bytes()));
        }
    }

    pub(super) fn key(&self) -> Key {
        if self.n_paths == 0 {
            return Key::default();
        }
        let [one, other] = [&self.content[0], &self.content[1]].map(Hasher::finish);
        // Never the default, which stands for an empty patch.
        Key { paths: self.paths.finish() | 1, content: u128::from(one) << 64 | u128::from(other) }
    }
}

/// As bytes, for the memory.
pub(super) fn encode(key: &Key) -> Vec<u8> {
    [&key.paths.to_le_bytes()[..], &key.content.to_le_bytes()[..]].concat()
}

/// From bytes; `None` when they are no key.
pub(super) fn decode(bytes: &[u8]) -> Option<Key> {
    let (paths, content) = bytes.split_at_checked(8)?;
    Some(Key {
        paths: u64::from_le_bytes(paths.try_into().ok()?),
        content: u128::from_le_bytes(content.try_into().ok()?),
    })
}
