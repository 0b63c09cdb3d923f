//! One branch on the ladder: tries proof after proof.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use alignwatch_model::{Landed, Oid, Proof};

use super::{
    Asked, Doubt, Trees,
    changes::{Together, changes},
    content::{self, Content},
    keys::Key,
    ladder::{Ladder, Missing, merge_bases},
    texts::Texts,
};
use crate::{
    graph::{Graph, Pos, Trunk},
    memory::Shelf,
    objects::Objects,
};

/// Own commits whose patches are compared.
///
/// Source: ours; more than that is a line of its own, and one squash of it is still looked for.
const OWN_AT_MOST: u32 = 1_000;

/// Own commits among which a landed beginning is looked for: pull requests of more are rare.
const ROW_AT_MOST: usize = 100;

/// A beginning of fewer own commits may as well be a cherry-pick.
const BEGINNING_AT_LEAST: usize = 2;

/// Text that is read for one branch, in bytes: a few seconds of work.
const TEXT_AT_MOST_BYTES: u64 = 256 << 20;

/// The questions about one branch.
pub(super) struct Case<'a> {
    ladder: &'a Ladder<'a>,
    objects: &'a Objects,
    tip: Pos,
    bases: Vec<Pos>,
    missing: Missing,
    n_own: u32,
    texts: Texts<'a>,
}

/// A patch that is looked for among the commits of the base.
#[derive(Clone, Copy)]
struct Patch {
    trees: Trees,
    key: Key,
    /// Is a merge that changed the line like this one a match?
    with_merges: bool,
}

impl<'a> Case<'a> {
    /// The questions about a branch that is not unrelated to the line.
    pub(super) fn new(ladder: &'a Ladder<'a>, objects: &'a Objects, one: &Asked<'_>) -> Case<'a> {
        let bases = merge_bases(ladder.graph, one.drift).collect();
        let missing = Missing::of(ladder.graph, ladder.trunk, one.drift);
        let texts = Texts::new(objects, TEXT_AT_MOST_BYTES);
        Case { ladder, objects, tip: one.tip, bases, missing, n_own: one.drift.ahead, texts }
    }

    /// Does everything that the branch changed, or the commit with which it came into the line, stand in the line's tip?
    pub(super) fn content(
        graph: &Graph,
        trunk: &Trunk,
        objects: &Objects,
        one: &Asked<'_>,
        lacking: &Mutex<Shelf>,
    ) -> Result<Option<Proof>, Doubt> {
        let (bases, theirs): (Vec<Oid>, Oid) = match landing(trunk, one.tip).filter(|_| one.drift.ahead == 0) {
            None => (merge_bases(graph, one.drift).map(|base| graph.tree(base)).collect(), graph.tree(one.tip)),
            Some(at) => (graph.parents(at).take(1).map(|parent| graph.tree(parent)).collect(), graph.tree(at)),
        };
        if one.drift.ahead == 0 && bases.is_empty() {
            // The line begins with it: there is nothing to go back to.
            return Ok(Some(Proof::Ancestor));
        }
        let ours = graph.tree(trunk.tip());
        let key: Vec<u8> = bases.iter().chain([&theirs]).flat_map(|oid| oid.as_bytes()).copied().collect();
        // A thread that panicked left at worst one fact less.
        let shelf = || lacking.lock().unwrap_or_else(|poison| poison.into_inner());
        let known = shelf().get(&key).and_then(|bytes| postcard::from_bytes::<content::Lacking>(bytes).ok());
        // What can't be read there may not be needed by a walk.
        if known.is_some_and(|known| known.is_lacking_in(objects, ours).unwrap_or(false)) {
            return Ok(None);
        }
        match content::stands(objects, &bases, ours, theirs, &mut Texts::new(objects, TEXT_AT_MOST_BYTES))? {
            Content::Stands(proof) => Ok(Some(proof)),
            Content::Lacks(entry) => {
                let entry = entry.and_then(|entry| postcard::to_stdvec(&entry).ok());
                entry.into_iter().for_each(|entry| shelf().put(&key, entry));
                Ok(None)
            }
        }
    }

    /// The first proof by patch that holds. `doubt` is why content gave no answer, if it gave none.
    ///
    /// A step without an answer does not stop the later ones, but without a proof the answer is not known then.
    pub(super) fn landed(mut self, mut doubt: Option<Doubt>) -> Landed {
        let steps = [Case::patch_ids, Case::squash, Case::continued, Case::nothing_was_left_out];
        for step in steps {
            match step(&mut self) {
                Ok(Landed::No) => {}
                Ok(landed) => return landed,
                Err(reason) => drop(doubt.get_or_insert(reason)),
            }
        }
        doubt.map_or(Landed::No, |reason| Landed::Unknown(reason.to_string()))
    }

    /// Did the base take back what came into it with this ancestor?
    pub(super) fn merged(mut self) -> Landed {
        let taken_back = self.is_merge_taken_back();
        match taken_back.and_then(|is| if is { Ok(true) } else { self.nothing_was_left_out().map(|_| false) }) {
            Ok(true) => Landed::Reverted(Proof::Ancestor),
            Ok(false) => Landed::Yes(Proof::Ancestor),
            Err(doubt) => Landed::Unknown(doubt.to_string()),
        }
    }

    fn is_merge_taken_back(&mut self) -> Result<bool, Doubt> {
        let Some(merge) = landing(self.ladder.trunk, self.tip) else { return Ok(false) };
        let own = self.came_along(merge)?;
        let parts: BTreeSet<Pos> = own.iter().copied().chain([merge]).collect();
        let whole = self.patch(self.ladder.trees_of(merge))?;
        // It may have come again, whole, as another commit.
        let mut all = self.find_all(whole)?;
        all.push(merge);
        if self.is_taken_back(whole, &all, &parts)? {
            return Ok(true);
        }
        for at in own {
            let Some(patch) = self.own_patch(at)? else { continue };
            let landed = [&self.find_all(patch)?[..], &all[..], &[at]].concat();
            if self.is_taken_back(patch, &landed, &parts)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The commits that the branch reaches and that came into the line with this merge.
    fn came_along(&self, merge: Pos) -> Result<Vec<Pos>, Doubt> {
        let trunk = self.ladder.trunk;
        let came = |at: &Pos| *at != merge && trunk.intro(*at) == trunk.intro(merge);
        let mut found = BTreeSet::new();
        let mut open: Vec<Pos> = Some(self.tip).filter(came).into_iter().collect();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(self.ladder.graph.parents(at).filter(came));
            }
            if OWN_AT_MOST < found.len() as u32 {
                return Err(Doubt::TooManyCommits);
            }
        }
        Ok(found.into_iter().collect())
    }

    fn patch_ids(&mut self) -> Result<Landed, Doubt> {
        if OWN_AT_MOST < self.n_own {
            return Err(Doubt::TooManyCommits);
        }
        let mut patches = Vec::new();
        // The last commit comes first: it is the one that most often did not land.
        for at in self.ladder.graph.own(self.ladder.trunk, self.tip) {
            match self.own_patch(at)? {
                Some(patch) if self.candidates(patch).next().is_none() => return Ok(Landed::No),
                patch => patches.extend(patch),
            }
        }
        patches.sort_by_cached_key(|&patch| self.candidates(patch).count());
        for &patch in &patches {
            if self.find(patch)?.is_none() {
                return Ok(Landed::No);
            }
        }
        if patches.is_empty() { Ok(Landed::No) } else { self.yes_or_reverted(Proof::PatchIds, &patches) }
    }

    fn squash(&mut self) -> Result<Landed, Doubt> {
        for base in self.bases.clone() {
            let patch = self.whole(base, self.tip)?;
            if !patch.key.is_empty() && self.find(patch)?.is_some() && self.is_whole(base)? {
                return self.yes_or_reverted(Proof::SquashPatchId, &[patch]);
            }
        }
        Ok(Landed::No)
    }

    fn continued(&mut self) -> Result<Landed, Doubt> {
        let Some(row) = self.row() else { return Ok(Landed::No) };
        if self.squashed_beginning(&row)? {
            return Ok(Landed::Continued(Proof::SquashPatchId));
        }
        let landed = self.rebased_beginning(&row)?;
        Ok(if landed { Landed::Continued(Proof::PatchIds) } else { Landed::No })
    }

    /// Without a proof, all that the branch lacks must have been looked at.
    fn nothing_was_left_out(&mut self) -> Result<Landed, Doubt> {
        match &self.ladder.gap {
            Some((last, reason)) if self.missing.from <= *last => Err(Doubt::Gap(reason.clone())),
            _ => Ok(Landed::No),
        }
    }

    /// With several merge bases, the patch from one of them says nothing of paths where the branch is as that
    /// base and another base is not: perhaps it undid something there. Does the base have them as the branch?
    fn is_whole(&self, base: Pos) -> Result<bool, Doubt> {
        let graph = self.ladder.graph;
        let theirs = graph.tree(self.tip);
        let changed_since = |at: Pos| -> Result<BTreeSet<Box<[u8]>>, Doubt> {
            let list = changes(self.objects, Some(graph.tree(at)), Some(theirs))?;
            Ok(list.into_iter().map(|change| change.path).collect())
        };
        let others = self.bases.iter().filter(|&&other| other != base);
        let mut touched = BTreeSet::new();
        for &other in others {
            touched.extend(changed_since(other)?);
        }
        if touched.is_empty() {
            return Ok(true);
        }
        let (covered, unlike) = (changed_since(base)?, changed_since(self.ladder.trunk.tip())?);
        Ok(touched.iter().all(|path| covered.contains(path) || !unlike.contains(path)))
    }
}

/// The commit of the line with which an ancestor came into it; itself, where it is on the line.
fn landing(trunk: &Trunk, tip: Pos) -> Option<Pos> {
    trunk.intro(tip).map(|intro| trunk.line()[intro])
}

/// Looking for patches.
impl Case<'_> {
    /// The patch of an own commit; `None` for merges and for commits without a change.
    fn own_patch(&self, at: Pos) -> Result<Option<Patch>, Doubt> {
        if self.ladder.graph.parents(at).nth(1).is_some() {
            return Ok(None);
        }
        let key = self.ladder.key_of(self.objects, at)?;
        let patch = Patch { trees: self.ladder.trees_of(at), key, with_merges: false };
        Ok(Some(patch).filter(|patch| !patch.key.is_empty()))
    }

    /// What was changed from one commit to another.
    fn whole(&self, from: Pos, to: Pos) -> Result<Patch, Doubt> {
        let graph = self.ladder.graph;
        self.patch(Trees { old: Some(graph.tree(from)), new: Some(graph.tree(to)) })
    }

    fn patch(&self, trees: Trees) -> Result<Patch, Doubt> {
        Ok(Patch { trees, key: self.ladder.key_between(self.objects, trees)?, with_merges: true })
    }

    /// Commits that the branch lacks and that changed the same paths.
    fn candidates(&self, patch: Patch) -> impl Iterator<Item = Pos> {
        let ladder = self.ladder;
        let is_taken = move |at: &Pos| patch.with_merges || ladder.graph.parents(*at).nth(1).is_none();
        ladder.with_header(patch.key.header).filter(is_taken).filter(|&at| self.missing.contains(ladder.trunk, at))
    }

    fn find(&mut self, patch: Patch) -> Result<Option<Pos>, Doubt> {
        let candidates: Vec<Pos> = self.candidates(patch).collect();
        // Equal blobs are cheaper to see than equal texts.
        if let Some(at) = candidates.iter().find(|&&at| self.has_key(at, patch.key)) {
            return Ok(Some(*at));
        }
        for at in candidates {
            if self.is_same_text(patch, at)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn find_all(&mut self, patch: Patch) -> Result<Vec<Pos>, Doubt> {
        let mut found = Vec::new();
        for at in self.candidates(patch).collect::<Vec<_>>() {
            if self.has_key(at, patch.key) || self.is_same_text(patch, at)? {
                found.push(at);
            }
        }
        Ok(found)
    }

    fn has_key(&self, at: Pos, key: Key) -> bool {
        self.ladder.key_of(self.objects, at).is_ok_and(|known| known == key)
    }

    fn is_same_text(&mut self, patch: Patch, at: Pos) -> Result<bool, Doubt> {
        let mine = self.ladder.patch_id(self.objects, patch.trees, patch.key, &mut self.texts)?;
        let key = self.ladder.key_of(self.objects, at)?;
        Ok(mine == self.ladder.patch_id(self.objects, self.ladder.trees_of(at), key, &mut self.texts)?)
    }
}

/// Taking back.
impl Case<'_> {
    fn yes_or_reverted(&mut self, proof: Proof, patches: &[Patch]) -> Result<Landed, Doubt> {
        Ok(if self.is_reverted(patches)? { Landed::Reverted(proof) } else { Landed::Yes(proof) })
    }

    /// Was one of these patches, or all of them at once, taken back and not brought again?
    fn is_reverted(&mut self, patches: &[Patch]) -> Result<bool, Doubt> {
        let mut landings = Vec::new();
        for &patch in patches {
            landings.push(self.find_all(patch)?);
        }
        let all: BTreeSet<Pos> = landings.iter().flatten().copied().collect();
        for (patch, landed) in patches.iter().zip(&landings) {
            if self.is_taken_back(*patch, landed, &all)? {
                return Ok(true);
            }
        }
        let last = all.iter().copied().max_by_key(|&at| self.ladder.landed_at(at));
        match (last, &self.bases[..]) {
            (Some(last), &[base]) if patches.len() > 1 => {
                let whole = self.whole(base, self.tip)?;
                let mut landed = self.find_all(whole)?;
                landed.push(last);
                Ok(!whole.key.is_empty() && self.is_taken_back(whole, &landed, &all)?)
            }
            _ => Ok(false),
        }
    }

    /// Is the last word about a patch that landed at these commits a revert?
    ///
    /// A commit that is itself a landed part of the branch is no revert of another part.
    fn is_taken_back(&mut self, patch: Patch, landed: &[Pos], parts: &BTreeSet<Pos>) -> Result<bool, Doubt> {
        let mut words = BTreeMap::new();
        let mut reverts = self.find_all(self.patch(patch.trees.reversed())?)?;
        for &at in landed {
            words.insert(self.ladder.landed_at(at), false);
            if let Some(merge) = self.merge_that_brought(at) {
                words.insert(self.ladder.landed_at(merge), false);
                let backwards = self.patch(self.ladder.trees_of(merge).reversed())?;
                reverts.extend(self.find_all(backwards)?);
            }
        }
        let first = words.keys().next().copied();
        for at in reverts.into_iter().filter(|at| !parts.contains(at)) {
            let when = self.ladder.landed_at(at);
            if first < Some(when) {
                words.entry(when).or_insert(true);
            }
        }
        self.heed_messages(&mut words, parts);
        Ok(words.last_key_value().is_some_and(|(_, is_revert)| *is_revert))
    }

    /// The merge on the base's line with which a commit off the line landed.
    fn merge_that_brought(&self, at: Pos) -> Option<Pos> {
        let trunk = self.ladder.trunk;
        trunk.intro(at).map(|intro| trunk.line()[intro]).filter(|&merge| merge != at)
    }

    /// Adds what messages say: who reverts a landing takes back, who reverts a revert brings again.
    fn heed_messages(&self, words: &mut BTreeMap<(usize, Pos), bool>, parts: &BTreeSet<Pos>) {
        // In the order of landing, so that a revert of a revert finds it.
        for (at, named) in self.ladder.reverting.iter().filter(|(at, _)| !parts.contains(at)) {
            let when = self.ladder.landed_at(*at);
            let reverted = words.range(..when).rev().find(|((_, target), _)| {
                let hex = self.ladder.graph.oid(*target).hex();
                named.iter().any(|digits| hex.starts_with(digits.as_str()))
            });
            if let Some((_, &was_revert)) = reverted {
                words.entry(when).or_insert(!was_revert);
            }
        }
    }
}

/// Landed beginnings.
impl Case<'_> {
    /// The own commits, oldest first, when they are a row on the only merge base, without merges.
    fn row(&self) -> Option<Vec<Pos>> {
        let &[base] = &self.bases[..] else { return None };
        let mut row = Vec::new();
        let mut at = self.tip;
        while at != base {
            let mut parents = self.ladder.graph.parents(at);
            let (parent, None) = (parents.next()?, parents.next()) else { return None };
            row.push(at);
            if ROW_AT_MOST < row.len() {
                return None;
            }
            at = parent;
        }
        row.reverse();
        (row.len() == self.n_own as usize).then_some(row)
    }

    fn squashed_beginning(&mut self, row: &[Pos]) -> Result<bool, Doubt> {
        let headers = self.headers_of(row)?;
        for (n, header) in (1..row.len()).zip(headers).rev() {
            let has_candidate = self.ladder.with_header(header).any(|at| self.missing.contains(self.ladder.trunk, at));
            if has_candidate && self.is_squashed(&row[..n])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_squashed(&mut self, beginning: &[Pos]) -> Result<bool, Doubt> {
        let last = beginning[beginning.len() - 1];
        let patch = self.whole(self.bases[0], last)?;
        let mut keys = Vec::new();
        for &at in beginning {
            keys.push(self.ladder.key_of(self.objects, at)?);
        }
        // What one of the commits did alone may be that commit, picked.
        let n_changing = keys.iter().filter(|key| !key.is_empty()).count();
        let is_several = BEGINNING_AT_LEAST <= n_changing && !keys.contains(&patch.key);
        if patch.key.is_empty() {
            return Ok(false);
        }
        let mut landed = self.find_all(patch)?;
        landed.retain(|&at| self.is_later(at, last));
        let is_request =
            |at: &Pos| self.objects.about(&self.ladder.graph.oid(*at)).is_ok_and(|it| is_request(&it.subject));
        Ok((is_several && !landed.is_empty() || landed.iter().any(is_request)) && !self.is_reverted(&[patch])?)
    }

    /// Did the line have it after the branch? What it had before is a backport to the branch.
    fn is_later(&self, landed: Pos, own: Pos) -> bool {
        self.ladder.graph.date(own) <= self.ladder.graph.date(landed)
    }

    /// The header keys of the first commit, the first two … together, without the whole row.
    fn headers_of(&self, row: &[Pos]) -> Result<Vec<u64>, Doubt> {
        let mut together = Together::default();
        let mut headers = Vec::new();
        for &at in &row[..row.len() - 1] {
            let trees = self.ladder.trees_of(at);
            together.add(changes(self.objects, trees.old, trees.new)?)?;
            headers.push(together.header());
        }
        Ok(headers)
    }

    /// Did the first commits land one after the other, with nothing in between?
    fn rebased_beginning(&mut self, row: &[Pos]) -> Result<bool, Doubt> {
        if row.len() <= BEGINNING_AT_LEAST {
            return Ok(false);
        }
        for &at in &row[..BEGINNING_AT_LEAST] {
            if self.own_patch(at)?.is_none_or(|patch| self.candidates(patch).next().is_none()) {
                return Ok(false);
            }
        }
        let (mut before, mut patches) = (Vec::new(), Vec::new());
        for &own in row {
            let Some(patch) = self.own_patch(own)? else { break };
            let follows = |case: &Case<'_>, at: &Pos| match case.ladder.graph.parents(*at).next() {
                Some(parent) => patches.is_empty() || before.contains(&parent),
                None => patches.is_empty(),
            };
            let candidates: Vec<Pos> = self.candidates(patch).filter(|at| follows(self, at)).collect();
            let mut landed = Vec::new();
            for at in candidates {
                if self.is_later(at, own) && (self.has_key(at, patch.key) || self.is_same_text(patch, at)?) {
                    landed.push(at);
                }
            }
            if landed.is_empty() {
                break;
            }
            before = landed;
            patches.push(patch);
        }
        let is_beginning = BEGINNING_AT_LEAST <= patches.len() && patches.len() < row.len();
        Ok(is_beginning && !self.is_reverted(&patches)?)
    }
}

/// Does the subject end in the number of a request, as hosts write it when they squash?
fn is_request(subject: &str) -> bool {
    let number = subject.strip_suffix(')').and_then(|text| text.rsplit_once(['#', '!'])).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
