//! Which files one side added and which it removed, compared with the merge base.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use crate::{
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};

/// Paths that are held for all pairs together. Source: ours; about 40 MiB.
const PATHS_AT_MOST: usize = 300_000;

/// Paths that are kept from one prediction to the next. Source: ours; about 13 MiB.
const PATHS_KEPT_AT_MOST: usize = 100_000;

/// What sides changed, for pairs that share a side, and for the next time that a pair is looked at.
#[derive(Clone, Default)]
pub(super) struct Sides(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// By the tree of the merge base and that of the side.
    sides: FxHashMap<(Oid, Oid), Held>,
    /// By the tree of a merge base: the tree of the line that was last compared with it.
    lines: FxHashMap<Oid, Oid>,
    n_paths: usize,
}

struct Held {
    side: Arc<OneSide>,
    was_asked: bool,
}

impl Sides {
    /// As [`OneSide::between`], from memory where possible. A line is followed from where it was before.
    pub(super) fn between(
        &self,
        objects: &Objects,
        base: Oid,
        side: Oid,
        is_line: bool,
    ) -> Result<Arc<OneSide>, WalkError> {
        if let Some(known) = self.known().get(base, side) {
            return Ok(known);
        }
        let before = is_line.then(|| self.known().line(base)).flatten();
        let found = match before {
            Some((tree, before)) => before.moved(objects, base, tree, side)?,
            None => OneSide::between(objects, base, side)?,
        };
        let found = Arc::new(found);
        self.known().hold(base, side, &found, is_line);
        Ok(found)
    }

    /// What nobody asked for since the last time is let go, and all when it is too much to be kept.
    pub(super) fn end_look(&self) {
        let mut known = self.known();
        known.sides.retain(|_, held| std::mem::take(&mut held.was_asked));
        known.n_paths = known.sides.values().map(|held| held.side.n_paths()).sum();
        if PATHS_KEPT_AT_MOST < known.n_paths {
            *known = Known::default();
        }
        let Known { sides, lines, .. } = &mut *known;
        lines.retain(|base, line| sides.contains_key(&(*base, *line)));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn get(&mut self, base: Oid, side: Oid) -> Option<Arc<OneSide>> {
        let held = self.sides.get_mut(&(base, side))?;
        held.was_asked = true;
        Some(Arc::clone(&held.side))
    }

    fn line(&self, base: Oid) -> Option<(Oid, Arc<OneSide>)> {
        let tree = *self.lines.get(&base)?;
        Some((tree, Arc::clone(&self.sides.get(&(base, tree))?.side)))
    }

    fn hold(&mut self, base: Oid, side: Oid, found: &Arc<OneSide>, is_line: bool) {
        if PATHS_AT_MOST < self.n_paths + found.n_paths() {
            return;
        }
        if let Entry::Vacant(place) = self.sides.entry((base, side)) {
            self.n_paths += found.n_paths();
            place.insert(Held { side: Arc::clone(found), was_asked: true });
        }
        if is_line {
            self.lines.insert(base, side);
        }
    }
}

/// Files that came and went on one side: Git finds renames among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OneSide {
    /// Paths of regular files that the merge base does not have, by their content.
    pub(super) added: Paths,
    /// Paths of regular files that this side removed, by the content they had.
    pub(super) removed: Paths,
    /// Number of added files.
    pub(super) n_added: usize,
}

type Paths = FxHashMap<Oid, Vec<Vec<u8>>>;

impl OneSide {
    /// Compares the tree of a side with that of the merge base. Errors: [`WalkError`].
    fn between(objects: &Objects, base: Oid, side: Oid) -> Result<OneSide, WalkError> {
        let mut found = OneSide::default();
        tree_diff::changes(objects, Some(base), Some(side), &mut |path, old, new| found.take(path, old, new))?;
        Ok(found)
    }

    /// The same of a side that went on from one tree to another: only what differs between these is looked at.
    fn moved(&self, objects: &Objects, base: Oid, from: Oid, to: Oid) -> Result<OneSide, WalkError> {
        let (mut found, mut is_odd) = (self.clone(), false);
        tree_diff::changes(objects, Some(from), Some(to), &mut |path, before, after| {
            let old = tree_diff::at_path(objects, base, path);
            is_odd |= !old.is_ok_and(|old| {
                let was_there = found.take_back(path, old, before);
                found.take(path, old, after);
                was_there
            });
        })?;
        // A hostile tree can have one name twice.
        if is_odd { OneSide::between(objects, base, to) } else { Ok(found) }
    }

    fn n_paths(&self) -> usize {
        self.n_added + self.removed.values().map(Vec::len).sum::<usize>()
    }

    fn take(&mut self, path: &[u8], old: Side, new: Side) {
        match (file(old), file(new)) {
            (None, Some(oid)) => {
                self.n_added += 1;
                self.added.entry(oid).or_default().push(path.to_vec());
            }
            (Some(oid), None) => self.removed.entry(oid).or_default().push(path.to_vec()),
            _ => {}
        }
    }

    /// Was it there?
    fn take_back(&mut self, path: &[u8], old: Side, new: Side) -> bool {
        let forget = |paths: &mut Paths, oid: Oid| {
            let Entry::Occupied(mut place) = paths.entry(oid) else { return false };
            let Some(at) = place.get().iter().position(|other| other == path) else { return false };
            place.get_mut().remove(at);
            if place.get().is_empty() {
                place.remove();
            }
            true
        };
        match (file(old), file(new)) {
            (None, Some(oid)) => {
                let was_there = forget(&mut self.added, oid);
                self.n_added -= usize::from(was_there);
                was_there
            }
            (Some(oid), None) => forget(&mut self.removed, oid),
            _ => true,
        }
    }
}

/// The content of a regular file.
fn file(side: Side) -> Option<Oid> {
    side.filter(|(mode, _)| mode.is_file()).map(|(_, oid)| oid)
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;

    #[test]
    fn a_line_that_is_followed_is_as_if_it_were_compared_anew() {
        let repo = sketch(
            "main: a(f=1 g/x=2 h=3) b(g/x=2 h=4 i=1) c(f=1 g/x=2 g/y=2 i/j=5) d(f=1 g=7 i/j=5) e(g/x=9 g/y=2 h=3 f=1) k(f=1)",
        )
        .draw();
        let objects = Objects::open(&repo.git_dir().join("objects"), "sha1").unwrap();
        let trees: Vec<Oid> =
            ["a", "b", "c", "d", "e", "k"].iter().map(|name| objects.commit(&repo.oid(name)).unwrap().tree).collect();
        let sorted = |mut side: OneSide| {
            side.added.values_mut().chain(side.removed.values_mut()).for_each(|paths| paths.sort());
            side
        };
        for base in &trees {
            let sides = Sides::default();
            for line in trees.iter().chain(trees.iter().rev()) {
                let followed = sides.between(&objects, *base, *line, true).unwrap();
                let anew = OneSide::between(&objects, *base, *line).unwrap();
                assert_eq!(sorted((*followed).clone()), sorted(anew));
                sides.end_look();
            }
        }
    }
}
