//! All trees and files of some roots, each once; what is known of a file travels upwards to the trees that hold it.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::{
    remembered::{decode_look, encode_look, key},
    triple::{first_triple, is_binary},
};
use crate::{
    memory::Shelf,
    objects::{Objects, OpenObjects, ReadError},
};

/// Threads that scan files. Reading from packs gains little from more.
const THREADS_AT_MOST: usize = 4;

/// Files a thread takes at a time: few enough that none waits long for the others.
const FILES_AT_A_TIME: usize = 32;

/// All distinct trees and blobs below some roots, by number.
#[derive(Default)]
pub(super) struct Forest {
    pub(super) tree_numbers: FxHashMap<Oid, u32>,
    pub(super) trees: Vec<TreeNode>,
    pub(super) blob_numbers: FxHashMap<Oid, u32>,
    pub(super) blobs: Vec<(Oid, Look)>,
    /// The children of all trees, one tree after the other.
    children: Vec<Child>,
}

pub(super) struct TreeNode {
    pub(super) oid: Oid,
    children: Range<usize>,
    /// Why it could not be read.
    pub(super) unread: Option<String>,
    /// Something below is marked or unread.
    pub(super) is_notable: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Child {
    Tree(u32),
    Blob(u32),
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    NotYet,
    Clean,
    Marked(u32),
    Unread(String),
}

impl Forest {
    pub(super) fn plant(&mut self, root: &Oid) {
        self.tree(root);
    }

    fn tree(&mut self, oid: &Oid) -> u32 {
        let number = self.trees.len() as u32;
        *self.tree_numbers.entry(*oid).or_insert_with(|| {
            self.trees.push(TreeNode { oid: *oid, children: 0..0, unread: None, is_notable: false });
            number
        })
    }

    fn blob(&mut self, oid: &Oid) -> u32 {
        let number = self.blobs.len() as u32;
        *self.blob_numbers.entry(*oid).or_insert_with(|| {
            self.blobs.push((*oid, Look::NotYet));
            number
        })
    }

    /// Reads each tree once; the ones that it finds are read in their turn.
    pub(super) fn walk(&mut self, objects: &Objects) {
        let mut number = 0;
        while number < self.trees.len() {
            let from = self.children.len();
            match objects.tree(&self.trees[number].oid) {
                Err(error) => self.trees[number].unread = Some(error.to_string()),
                Ok(tree) => {
                    for entry in tree.iter() {
                        if entry.mode.is_tree() {
                            let child = self.tree(&entry.oid);
                            self.children.push(Child::Tree(child));
                        } else if entry.mode.is_file() {
                            let child = self.blob(&entry.oid);
                            self.children.push(Child::Blob(child));
                        }
                    }
                }
            }
            self.trees[number].children = from..self.children.len();
            number += 1;
        }
    }

    /// Fills in what is known of each blob; gives the number of those that had to be read.
    pub(super) fn look_into_blobs(&mut self, opener: &OpenObjects, file_limit_bytes: u64, shelf: &mut Shelf) -> usize {
        for (oid, look) in &mut self.blobs {
            *look = shelf.get(&key(b'b', oid)).map_or(Look::NotYet, decode_look);
        }
        let unknown: Vec<u32> =
            (0u32..).zip(&self.blobs).filter(|(_, blob)| blob.1 == Look::NotYet).map(|(n, _)| n).collect();
        let oids: Vec<Oid> = unknown.iter().map(|&number| self.blobs[number as usize].0).collect();
        for (number, look) in unknown.iter().zip(look_into(opener, &oids, file_limit_bytes)) {
            let (oid, known) = &mut self.blobs[*number as usize];
            if let Some(value) = encode_look(&look) {
                shelf.put(&key(b'b', oid), value);
            }
            *known = look;
        }
        unknown.len()
    }

    /// Marks every tree below which something is marked or unread.
    pub(super) fn trace_upwards(&mut self) {
        let parents = self.parents();
        let mut notable: Vec<u32> =
            (0u32..).zip(&self.trees).filter(|(_, tree)| self.has_notable(tree)).map(|(n, _)| n).collect();
        while let Some(number) = notable.pop() {
            let tree = &mut self.trees[number as usize];
            if !std::mem::replace(&mut tree.is_notable, true) {
                notable.extend(parents.get(&number).into_iter().flatten());
            }
        }
    }

    /// The trees that hold each tree.
    fn parents(&self) -> FxHashMap<u32, Vec<u32>> {
        let mut parents = FxHashMap::<u32, Vec<u32>>::default();
        for (number, tree) in (0u32..).zip(&self.trees) {
            for child in &self.children[tree.children.clone()] {
                if let Child::Tree(child) = child {
                    parents.entry(*child).or_default().push(number);
                }
            }
        }
        parents
    }

    /// Is the tree itself unread, or one of its files marked or unread?
    fn has_notable(&self, tree: &TreeNode) -> bool {
        let is_notable = |child: &Child| match child {
            Child::Blob(number) => self.blobs[*number as usize].1 != Look::Clean,
            Child::Tree(_) => false,
        };
        tree.unread.is_some() || self.children[tree.children.clone()].iter().any(is_notable)
    }
}

/// Reads and scans blobs, on several threads; the answers stand in the order of the ids.
fn look_into(opener: &OpenObjects, oids: &[Oid], file_limit_bytes: u64) -> Vec<Look> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let n_threads = n_threads.min(THREADS_AT_MOST).min(oids.len().div_ceil(FILES_AT_A_TIME)).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let objects = opener.open();
        let mut looks = Vec::new();
        loop {
            let from = next.fetch_add(FILES_AT_A_TIME, Ordering::Relaxed);
            if oids.len() <= from {
                return looks;
            }
            let to = oids.len().min(from + FILES_AT_A_TIME);
            looks.push((
                from,
                oids[from..to].iter().map(|oid| look(&objects, oid, file_limit_bytes)).collect::<Vec<_>>(),
            ));
        }
    };
    let mut looks = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("a scanning thread does not panic"));
        joined.flatten().collect::<Vec<_>>()
    });
    looks.sort_by_key(|&(from, _)| from);
    looks.into_iter().flat_map(|(_, looks)| looks).collect()
}

fn look(objects: &Objects, oid: &Oid, file_limit_bytes: u64) -> Look {
    match objects.blob_up_to(oid, file_limit_bytes) {
        Err(ReadError::TooLarge(..)) => Look::Clean,
        Err(error) => Look::Unread(error.to_string()),
        Ok(content) if is_binary(&content) => Look::Clean,
        Ok(content) => first_triple(&content).map_or(Look::Clean, Look::Marked),
    }
}
