//! Merges many files at once: each distinct triple of versions once, remembered, on several threads.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::{pair::Triple, text::TextMerge, text::merge_texts};
use crate::{
    memory::Shelf,
    objects::{Objects, OpenObjects, ReadError},
    stop::Stop,
};

/// Versions of one file that are held in memory together.
const VERSIONS_AT_ONCE: usize = 32;

/// The answer for a triple, or why it can't be given.
pub(super) type TextAnswer = Result<TextMerge, ReadError>;

/// A base and our version, with all the versions of theirs that meet them.
type Group = ((Oid, Oid), Vec<Oid>);

/// Merges all triples, those that the shelf knows without reading a file.
pub(super) fn merge_all(
    triples: impl Iterator<Item = Triple>,
    objects: &OpenObjects,
    shelf: &mut Shelf,
    n_threads: usize,
    stop: &Stop,
) -> FxHashMap<Triple, TextAnswer> {
    let mut answers = FxHashMap::default();
    let mut groups: BTreeMap<(Oid, Oid), Vec<Oid>> = BTreeMap::new();
    for triple in triples {
        if answers.contains_key(&triple) {
            continue;
        }
        match shelf.get(&key(&triple)).and_then(remembered) {
            Some(answer) => drop(answers.insert(triple, Ok(answer))),
            None => {
                // Holds the place, so that each triple is queued once; and stays when there is no time.
                answers.insert(triple, Ok(TextMerge::Doubtful));
                groups.entry((triple.0, triple.1)).or_default().push(triple.2);
            }
        }
    }
    let groups: Vec<Group> = groups.into_iter().collect();
    for (triple, answer) in on_threads(&groups, objects, n_threads, stop) {
        remember(shelf, &triple, &answer);
        answers.insert(triple, answer);
    }
    answers
}

/// Keeps an answer that is final.
pub(super) fn remember(shelf: &mut Shelf, triple: &Triple, answer: &TextAnswer) {
    let byte = match answer {
        Ok(TextMerge::Clean) => 0,
        Ok(TextMerge::Conflict) => 1,
        Ok(TextMerge::Binary) => 2,
        Ok(TextMerge::Doubtful) | Err(_) => return,
    };
    shelf.put(&key(triple), vec![byte]);
}

fn remembered(value: &[u8]) -> Option<TextMerge> {
    Some(match value {
        [0] => TextMerge::Clean,
        [1] => TextMerge::Conflict,
        [2] => TextMerge::Binary,
        _ => return None,
    })
}

fn key(triple: &Triple) -> Vec<u8> {
    [triple.0.as_bytes(), triple.1.as_bytes(), triple.2.as_bytes()].concat()
}

fn on_threads(groups: &[Group], objects: &OpenObjects, n_threads: usize, stop: &Stop) -> Vec<(Triple, TextAnswer)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let objects = objects.open();
        let mut answers = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed))
            && !stop.is_due()
        {
            merge_group(&objects, group, &mut answers);
        }
        answers
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads.max(1)).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("merging texts does not panic"));
        done.flatten().collect()
    })
}

fn merge_group(objects: &Objects, ((base, ours), theirs): &Group, answers: &mut Vec<(Triple, TextAnswer)>) {
    let sides = objects.blob(base).and_then(|base| Ok((base, objects.blob(ours)?)));
    let (base_text, our_text) = match sides {
        Ok(sides) => sides,
        Err(error) => {
            answers.extend(theirs.iter().map(|oid| ((*base, *ours, *oid), Err(error.clone()))));
            return;
        }
    };
    for some in theirs.chunks(VERSIONS_AT_ONCE) {
        let mut found = Vec::new();
        let mut contents = Vec::new();
        for oid in some {
            match objects.blob(oid) {
                Ok(content) => {
                    found.push(*oid);
                    contents.push(content);
                }
                Err(error) => answers.push(((*base, *ours, *oid), Err(error))),
            }
        }
        let merged = merge_texts(&base_text, &our_text, &contents);
        answers.extend(found.into_iter().zip(merged).map(|(oid, merge)| ((*base, *ours, oid), Ok(merge))));
    }
}
