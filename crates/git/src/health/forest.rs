//! Goes through trees from the leaves to the root, each distinct tree once, without recursion.

use std::sync::Arc;

use alignwatch_model::Oid;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::objects::{Objects, ReadError, Tree};

/// The first 16 bytes of an id: enough to tell the objects of one repository apart, at half the memory.
pub(super) type Key = [u64; 2];

/// The key of an id.
pub(super) fn key(oid: &Oid) -> Key {
    let word = |at: usize| oid.as_bytes()[at..at + 8].iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    [word(0), word(8)]
}

/// Somebody wants it to end.
pub(super) struct Stopped;

/// Gives every distinct tree below `root`, and it, a value: `value` is called for each that is not `known` yet, when
/// all of its subtrees are. It is false from `goes_on` that ends the walk.
///
/// A tree that contains itself (objects can lie about their ids) finds itself unknown.
pub(super) fn fold<V>(
    objects: &Objects,
    root: Oid,
    known: &mut FxHashMap<Key, V>,
    mut value: impl FnMut(&Oid, Result<&Tree, ReadError>, &FxHashMap<Key, V>) -> V,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(), Stopped> {
    let mut open = FxHashSet::<Key>::default();
    let mut stack: Vec<(Oid, Option<Arc<Tree>>)> = vec![(root, None)];
    while let Some((oid, tree)) = stack.pop() {
        let at = key(&oid);
        if let Some(tree) = tree {
            known.insert(at, value(&oid, Ok(&tree), known));
            open.remove(&at);
            continue;
        }
        if known.contains_key(&at) || open.contains(&at) {
            continue;
        }
        if !goes_on() {
            return Err(Stopped);
        }
        match objects.tree(&oid) {
            Err(error) => drop(known.insert(at, value(&oid, Err(error), known))),
            Ok(tree) => {
                open.insert(at);
                stack.push((oid, Some(Arc::clone(&tree))));
                let below = tree.iter().filter(|entry| entry.mode.is_tree()).map(|entry| entry.oid);
                stack.extend(below.filter(|oid| !known.contains_key(&key(oid))).map(|oid| (oid, None)));
            }
        }
    }
    Ok(())
}
