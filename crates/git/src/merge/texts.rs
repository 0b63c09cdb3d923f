//! Merges many files at once: each distinct triple of versions once, remembered, on several threads.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::{pair::Triple, text::TextMerge, text::merge_texts};
use crate::{
    memory::Shelf,
    objects::{Objects, OpenObjects, ReadError},
    spread::spread,
    stop::Stop,
};

/// Versions of one file that are held in memory together.
const VERSIONS_AT_ONCE: usize = 32;

/// The answer for a triple, or why it can't be given.
pub(super) type TextAnswer = Result<TextMerge, ReadError>;

/// A base and our version, with all the versions of theirs that meet them.
type Group = ((Oid, Oid), Vec<Oid>);

/// Versions that a thread takes at once. Source: ours; few enough to keep all threads busy to the end.
const PORTION_VERSIONS: usize = 48;

/// Merges all triples, those that the shelf knows without reading a file. Each stands beside a path that has it.
pub(super) fn merge_all<'a>(
    triples: impl Iterator<Item = &'a (Vec<u8>, Triple)>,
    objects: &OpenObjects,
    shelf: &mut Shelf,
    n_threads: usize,
    stop: &Stop,
) -> FxHashMap<Triple, TextAnswer> {
    let mut answers = FxHashMap::default();
    // By path: versions of one file are made from each other in packs, so they are best read one after the other.
    let mut groups: BTreeMap<(&[u8], Oid, Oid), Vec<Oid>> = BTreeMap::new();
    for (path, triple) in triples {
        let triple = *triple;
        if answers.contains_key(&triple) {
            continue;
        }
        match shelf.get(&key(&triple)).and_then(remembered) {
            Some(answer) => drop(answers.insert(triple, Ok(answer))),
            None => {
                // Holds the place, so that each triple is queued once; and stays when there is no time.
                answers.insert(triple, Ok(TextMerge::Doubtful));
                groups.entry((path, triple.0, triple.1)).or_default().push(triple.2);
            }
        }
    }
    let groups = groups.into_iter().map(|((_, base, ours), theirs)| ((base, ours), theirs));
    let portions = portions(groups);
    let merged = spread(portions.len(), 1, n_threads, &|numbers| {
        let objects = objects.open();
        let merge = |number: usize| {
            let mut answers = Vec::new();
            portions[number].iter().for_each(|group| merge_group(&objects, group, &mut answers));
            (number, answers)
        };
        numbers.take_while(|_| !stop.is_due()).map(merge).collect()
    });
    for (triple, answer) in merged.into_iter().flatten() {
        remember(shelf, &triple, &answer);
        answers.insert(triple, answer);
    }
    answers
}

/// The groups in their order, as many together as a thread takes at once.
fn portions(groups: impl Iterator<Item = Group>) -> Vec<Vec<Group>> {
    let mut portions: Vec<Vec<Group>> = Vec::new();
    let mut n_versions = PORTION_VERSIONS;
    for group in groups {
        if PORTION_VERSIONS <= n_versions {
            portions.push(Vec::new());
            n_versions = 0;
        }
        n_versions += group.1.len();
        portions.last_mut().expect("there is one").push(group);
    }
    portions
}

/// Merges files one by one, for several threads that each need to know only of some.
pub(super) struct OneByOne<'a>(Mutex<&'a mut Shelf>);

impl<'a> OneByOne<'a> {
    pub(super) fn on(shelf: &'a mut Shelf) -> OneByOne<'a> {
        OneByOne(Mutex::new(shelf))
    }

    /// Do the two sides conflict for certain? From the shelf, where it knows.
    pub(super) fn conflict(&self, objects: &Objects, triple: &Triple) -> bool {
        let answer = self.with_shelf(|shelf| shelf.get(&key(triple)).and_then(remembered));
        let answer = answer.map(Ok).or_else(|| {
            let mut answers = Vec::new();
            merge_group(objects, &((triple.0, triple.1), vec![triple.2]), &mut answers);
            let (_, answer) = answers.pop()?;
            self.with_shelf(|shelf| remember(shelf, triple, &answer));
            Some(answer)
        });
        matches!(answer, Some(Ok(TextMerge::Conflict | TextMerge::Binary)))
    }

    fn with_shelf<T>(&self, work: impl FnOnce(&mut Shelf) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
