//! Finds paths that are one file on a file system that ignores case or Unicode's forms.
//!
//! Each distinct tree of all tips is looked at once; what was found below a root
//! is remembered by its id. Two names collide when they are equal in lower case
//! and composed form: so macOS and Windows take them, by and large. Names that
//! are no UTF-8 are compared in ASCII's lower case.

use std::collections::BTreeMap;

use alignwatch_model::{
    Known, Oid, RefName,
    facts::collisions::{Collision, Collisions},
};
use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization;

use super::forest::{self, Key, key};
use crate::{
    memory::{Memory, Shelf},
    objects::{Objects, ReadError, Tree},
    stop::Stop,
};

/// Counted up when the comparison changes, so that older answers are not believed.
const VERSION: &str = "1";

/// Groups below one tree that are kept: more is hostile, or tells nothing new.
const GROUPS_AT_MOST: usize = 100;

/// Branches that are named beside a group.
const BRANCHES_AT_MOST: usize = 100;

/// Paths that collide with each other, relative to a tree.
type Group = Vec<Vec<u8>>;

/// What was found below a tree.
#[derive(Clone, Default)]
struct Below {
    groups: Vec<Group>,
    /// Why a part could not be looked into.
    unread: Option<String>,
}

/// Looks at the trees of these tips. Unknown when it was stopped.
pub fn collisions(objects: &Objects, tips: &[(&RefName, Oid)], stop: &Stop, memory: &Memory) -> Known<Collisions> {
    let mut shelf = memory.shelf("collisions", VERSION);
    let mut known = FxHashMap::<Key, Option<Box<Below>>>::default();
    let mut of_roots = FxHashMap::<Oid, Below>::default();
    for (_, root) in tips {
        if of_roots.contains_key(root) {
            continue;
        }
        let below = match remembered(&mut shelf, root) {
            Some(groups) => Below { groups, unread: None },
            None => {
                let value = |_: &Oid, tree: Result<&Tree, ReadError>, known: &_| look_at(tree, known);
                if forest::fold(objects, *root, &mut known, value, || !stop.is_due()).is_err() {
                    return Known::Unknown(stop.reason().unwrap_or_else(|| "it was stopped".into()));
                }
                let below = known.get(&key(root)).cloned().flatten().map_or_else(Below::default, |below| *below);
                remember(&mut shelf, root, &below);
                below
            }
        };
        of_roots.insert(*root, below);
    }
    // A memory that cannot be written costs time, never an answer.
    let _ = shelf.save();
    Known::Seen(by_group(tips, &of_roots))
}

fn remembered(shelf: &mut Shelf, root: &Oid) -> Option<Vec<Group>> {
    postcard::from_bytes(shelf.get(root.as_bytes())?).ok()
}

fn remember(shelf: &mut Shelf, root: &Oid, below: &Below) {
    if let (None, Ok(value)) = (&below.unread, postcard::to_stdvec(&below.groups)) {
        shelf.put(root.as_bytes(), value);
    }
}

/// What collides in a tree and below it; `None` = nothing, and all was read.
fn look_at(tree: Result<&Tree, ReadError>, known: &FxHashMap<Key, Option<Box<Below>>>) -> Option<Box<Below>> {
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => return Some(Box::new(Below { groups: Vec::new(), unread: Some(error.to_string()) })),
    };
    let mut found = Below { groups: same_names(tree), unread: None };
    for entry in tree.iter().filter(|entry| entry.mode.is_tree()) {
        match known.get(&key(&entry.oid)) {
            Some(None) => {}
            Some(Some(below)) => found.take(entry.name, below),
            None => found.unread = Some(format!("tree {} contains itself", entry.oid)),
        }
    }
    let is_clean = found.groups.is_empty() && found.unread.is_none();
    (!is_clean).then(|| Box::new(found))
}

impl Below {
    /// Adds what was found in the folder of this name.
    fn take(&mut self, name: &[u8], below: &Below) {
        let within = |path: &Vec<u8>| [name, b"/", path.as_slice()].concat();
        self.groups.extend(below.groups.iter().map(|group| group.iter().map(within).collect::<Group>()));
        self.groups.truncate(GROUPS_AT_MOST);
        self.unread = self.unread.take().or_else(|| below.unread.clone());
    }
}

/// Names of one folder that fall together.
fn same_names(tree: &Tree) -> Vec<Group> {
    let is_plain = |name: &[u8]| !name.iter().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
    // Of two names that fall together, one at least is not in plain lower case.
    if tree.iter().all(|entry| is_plain(entry.name)) {
        return Vec::new();
    }
    let mut names = BTreeMap::<Vec<u8>, Group>::new();
    for entry in tree.iter() {
        names.entry(folded(entry.name)).or_default().push(entry.name.to_vec());
    }
    names.into_values().filter(|group| 1 < group.len()).take(GROUPS_AT_MOST).collect()
}

/// The name as a file system takes it that ignores case and Unicode's forms.
fn folded(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => text.nfd().flat_map(char::to_lowercase).nfc().collect::<String>().into_bytes(),
        _ => name.to_ascii_lowercase(),
    }
}

/// Do they differ in case, and not only in Unicode's forms?
fn differ_in_case(group: &Group) -> bool {
    let composed = |path: &Vec<u8>| String::from_utf8_lossy(path).nfc().collect::<String>();
    let first = group.first().map(composed);
    group.iter().any(|path| Some(composed(path)) != first)
}

/// The same group on several branches is told once.
fn by_group(tips: &[(&RefName, Oid)], of_roots: &FxHashMap<Oid, Below>) -> Collisions {
    let mut groups = BTreeMap::<&Group, Vec<&RefName>>::new();
    let mut unread = BTreeMap::<&str, u32>::new();
    for (name, root) in tips {
        let Some(below) = of_roots.get(root) else { continue };
        below.groups.iter().for_each(|group| groups.entry(group).or_default().push(name));
        if let Some(reason) = &below.unread {
            *unread.entry(reason).or_default() += 1;
        }
    }
    let told = |(group, branches): (&Group, Vec<&RefName>)| Collision {
        paths: group.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect(),
        is_case: differ_in_case(group),
        n_branches: branches.len() as u32,
        branches: branches.into_iter().take(BRANCHES_AT_MOST).cloned().collect(),
    };
    let mut groups: Vec<Collision> = groups.into_iter().map(told).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.n_branches));
    Collisions { groups, unread: unread.into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_together_in_lower_case_and_composed_form() {
        let same = |one: &str, other: &str| folded(one.as_bytes()) == folded(other.as_bytes());
        assert!(same("README", "Readme") && same("Ä", "ä") && same("\u{e9}", "E\u{301}") && same("ÅB", "a\u{30a}b"));
        assert!(!same("a", "b") && !same("e", "é"));
        assert_eq!(folded(b"\xffA"), b"\xffa");
    }

    #[test]
    fn a_difference_in_form_alone_is_none_in_case() {
        let group = |one: &str, other: &str| vec![one.as_bytes().to_vec(), other.as_bytes().to_vec()];
        assert!(!differ_in_case(&group("\u{e9}", "e\u{301}")));
        assert!(differ_in_case(&group("a", "A")));
    }
}
