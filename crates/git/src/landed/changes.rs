//! What changed between two trees, as a list, and what several such changes amount to together.

use std::{cmp::Ordering, collections::BTreeMap};

use alignwatch_model::Oid;

use super::{Doubt, keys::KeyMaker};
use crate::{
    objects::Objects,
    tree_diff::{self, Side},
};

/// Changed paths of one branch or commit that are looked at as a list.
///
/// Source: ours; a patch of this size takes about 20 MiB.
const PATHS_AT_MOST: usize = 100_000;

/// One changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: Box<[u8]>,
    pub(super) old: Side,
    pub(super) new: Side,
}

/// All that differs, in the order of [`tree_diff::changes`].
pub(super) fn changes(objects: &Objects, old: Option<Oid>, new: Option<Oid>) -> Result<Vec<Change>, Doubt> {
    let mut list = Vec::new();
    tree_diff::changes(objects, old, new, &mut |path, old, new| {
        if list.len() <= PATHS_AT_MOST {
            list.push(Change { path: path.into(), old, new });
        }
    })?;
    if PATHS_AT_MOST < list.len() { Err(Doubt::TooManyPaths) } else { Ok(list) }
}

/// Changes that follow each other, added up.
#[derive(Default)]
pub(super) struct Together {
    by_path: BTreeMap<Path, (Side, Side)>,
}

/// A path in the order of [`tree_diff::changes`]: component by component.
#[derive(PartialEq, Eq)]
struct Path(Box<[u8]>);

impl Ord for Path {
    fn cmp(&self, other: &Path) -> Ordering {
        // No path has a zero byte, so a slash that counts as one comes before everything.
        let order = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(order).cmp(other.0.iter().map(order))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Path) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Together {
    /// Adds the changes of the next commit.
    pub(super) fn add(&mut self, changes: Vec<Change>) -> Result<(), Doubt> {
        for change in changes {
            let sides = self.by_path.entry(Path(change.path)).or_insert((change.old, change.old));
            sides.1 = change.new;
        }
        if PATHS_AT_MOST < self.by_path.len() { Err(Doubt::TooManyPaths) } else { Ok(()) }
    }

    /// The header key of all of it.
    pub(super) fn header(&self) -> u64 {
        let mut maker = KeyMaker::new();
        let changed = self.by_path.iter().filter(|(_, (old, new))| old != new);
        changed.for_each(|(path, (old, new))| maker.add(&path.0, *old, *new));
        maker.finish().header
    }
}
