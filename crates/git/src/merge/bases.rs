//! The merge bases of pairs that have several, merged by Git, and the databases that have them.

use std::{cell::OnceCell, collections::BTreeSet, time::Instant};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use super::{
    Predictor, Question,
    known_bases::KnownBases,
    quarantine::Quarantine,
    virtual_base::{Set, virtual_bases},
};
use crate::{
    objects::{Objects, OpenObjects},
    run::GitAt,
};

/// The merged merge bases of pairs that have several.
#[derive(Default)]
pub(super) struct Bases {
    /// By line and merge bases: the tree.
    trees: FxHashMap<Set, Oid>,
    /// Where those trees lie, with the database that finds them.
    made: Option<(Quarantine, OpenObjects)>,
}

impl Bases {
    /// The tree from which Git merges this pair; `None` when Git did not say.
    pub(super) fn tree(&self, question: &Question) -> Option<Oid> {
        self.trees.get(&(question.line, question.merge_bases.clone())).copied()
    }

    /// The database that has the repository's objects and the trees of these bases.
    pub(super) fn objects<'a>(&'a self, predictor: &'a Predictor<'_>) -> &'a OpenObjects {
        self.made.as_ref().map_or(predictor.objects, |(_, objects)| objects)
    }
}

/// Merged merge bases that Git may still be at work on: asking waits for them.
pub(super) type Awaited<'a, 's> = &'a (dyn Fn() -> &'s Bases + Sync);

/// The databases of one thread: that of the repository, and the one that has merged merge bases as well, which is there when
/// Git is done with those.
pub(super) struct Databases<'a, 's> {
    predictor: &'a Predictor<'a>,
    bases: Awaited<'a, 's>,
    own: Objects,
    with_bases: OnceCell<Objects>,
}

impl<'a, 's> Databases<'a, 's> {
    pub(super) fn of(predictor: &'a Predictor<'a>, bases: Awaited<'a, 's>) -> Databases<'a, 's> {
        Databases { predictor, bases, own: predictor.objects.open(), with_bases: OnceCell::new() }
    }

    pub(super) fn of_question(&self, question: &Question) -> &Objects {
        if question.has_several_bases() {
            self.with_bases.get_or_init(|| (self.bases)().objects(self.predictor).open())
        } else {
            &self.own
        }
    }
}

impl Predictor<'_> {
    /// Lets Git merge the merge bases of pairs that have several, each set once, in one process for each line.
    pub(super) fn bases(&self, questions: &[&Question]) -> Bases {
        let sets: BTreeSet<Set> = questions
            .iter()
            .filter(|question| question.has_several_bases())
            .map(|question| (question.line, question.merge_bases.clone()))
            .collect();
        let Some(((line, _), git)) = sets.first().zip(self.git.filter(|_| self.drivers.is_empty())) else {
            return Bases::default();
        };
        // Without a folder of our own, Git is asked about each pair.
        let Some((quarantine, opener)) = quarantine_beside(git, line) else { return Bases::default() };
        let (objects, until) = (opener.open(), Instant::now() + self.patience.verdicts);
        let mut known = KnownBases::remembered_in(self.memory, &self.written_by());
        let mut trees = FxHashMap::default();
        let mut new = Vec::new();
        for set in sets {
            match known.tree(&objects, &quarantine, &set) {
                Some(tree) => drop(trees.insert(set, tree)),
                None => new.push(set),
            }
        }
        let new = new.into_iter().take_while(|_| !self.stop.is_due());
        virtual_bases(git, self.graph, &quarantine, &objects, new, until, &mut |asked, found, tree| {
            known.keep(&objects, &quarantine, asked, found);
            trees.insert(asked.set.clone(), tree);
        });
        known.save();
        Bases { trees, made: Some((quarantine, opener)) }
    }
}

/// A folder for objects of our own, and a database with both these and the repository's.
fn quarantine_beside(git: &GitAt<'_>, like: &Oid) -> Option<(Quarantine, OpenObjects)> {
    let quarantine = Quarantine::new(like).ok()?;
    quarantine.borrow(&git.opened().objects_dir).ok()?;
    let objects = Objects::open(quarantine.folder(), &git.opened().object_format).ok()?;
    Some((quarantine, objects.opener()))
}
