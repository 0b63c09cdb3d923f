//! Proves that a branch's work is in its line, in whatever form it got there.
//!
//! The proofs, cheapest first: every path that the branch changed has the same
//! content in the line; merging the branch would change nothing; each of its
//! commits has one with the same patch in the line; one commit in the line has
//! the patch of the whole branch. Ancestry is the caller's to see.
//!
//! A proof by patch can be taken back: when the line later reverses the commit
//! that landed, the branch is `Reverted`. When the line has changed the same
//! lines for other reasons, the work has still landed.
//!
//! `Continued` is claimed only where a beginning of the branch landed as one
//! piece: as one commit with the patch of several, as a run of neighbouring
//! commits on the line, or as one commit whose subject carries a request number
//! (`(#12)`), as hosts write when they squash. Single commits that were picked
//! into the line prove nothing about the branch.
//!
//! No proof means `No`, and what can't be read means `Unknown`: both keep.

mod content;
mod keys;
mod patch;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use alignwatch_model::{Drift, Landed, Oid, Proof};

use self::{
    content::{Content, compare},
    keys::Keys,
    patch::{Patch, patch},
};
use crate::{
    graph::{Graph, Pos, Trunk},
    memory::{Memory, Shelf},
    objects::{Objects, OpenObjects, ReadError},
    tree_diff::WalkError,
};

/// Raised whenever a verdict could come out differently than before: old ones are forgotten then.
const VERSION: &str = "1";

/// Own commits of a branch that are compared one by one. Source: ours; beyond this a branch is a line.
const OWN_COMMITS_AT_MOST: usize = 500;

/// Beginnings of a branch that are looked for as one commit.
const BEGINNINGS_AT_MOST: usize = 60;

/// Commits with the same paths that are compared line by line, for each patch.
const CANDIDATES_AT_MOST: usize = 200;

/// What all proofs of one repository share.
pub struct Prover<'a> {
    /// The history.
    pub graph: &'a Graph,
    /// The objects.
    pub objects: &'a OpenObjects,
    /// Where proofs are remembered.
    pub memory: &'a Memory,
    /// Threads for reading and comparing.
    pub n_threads: usize,
}

/// A branch that diverged from its line.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its tip.
    pub tip: Pos,
    /// How it stands to the line.
    pub drift: &'a Drift,
}

impl Prover<'_> {
    /// One verdict for each branch, in order, about the line with this history.
    ///
    /// `progress` is told how many of how many are done.
    pub fn prove(&self, trunk: &Trunk, asked: &[Asked<'_>], progress: &(dyn Fn(usize, usize) + Sync)) -> Vec<Landed> {
        let mut shelf = self.memory.shelf("landed", VERSION);
        let key =
            |one: &Asked<'_>| [self.graph.oid(trunk.tip()).as_bytes(), self.graph.oid(one.tip).as_bytes()].concat();
        let mut verdicts: Vec<Option<Landed>> = asked.iter().map(|one| remembered(&mut shelf, &key(one))).collect();
        let new: Vec<usize> = (0..asked.len()).filter(|&number| verdicts[number].is_none()).collect();
        let branches: Vec<Asked<'_>> = new.iter().map(|&number| asked[number]).collect();
        for (number, landed) in new.into_iter().zip(self.work_out(trunk, &branches, progress)) {
            if !matches!(landed, Landed::Unknown(_)) {
                shelf.put(&key(&asked[number]), postcard::to_stdvec(&landed).unwrap_or_default());
            }
            verdicts[number] = Some(landed);
        }
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = shelf.save();
        verdicts.into_iter().map(|landed| landed.expect("every branch was judged")).collect()
    }

    fn work_out(&self, trunk: &Trunk, asked: &[Asked<'_>], progress: &(dyn Fn(usize, usize) + Sync)) -> Vec<Landed> {
        if asked.is_empty() {
            return Vec::new();
        }
        let contents = self.on_threads(asked, &|objects, one| self.content(objects, trunk, one));
        let is_open = |content: &Result<Content, WalkError>| matches!(content, Ok(Content::Adds));
        let since = asked.iter().zip(&contents).filter(|(_, content)| is_open(content));
        let since = since.map(|(one, _)| self.fork(trunk, one.drift)).min();
        let line = match since {
            Some(since) => self.line(trunk, since),
            None => Keys::default(),
        };
        let n_done = AtomicUsize::new(0);
        let numbers: Vec<usize> = (0..asked.len()).collect();
        self.on_threads(&numbers, &|objects, &number| {
            progress(n_done.fetch_add(1, Ordering::Relaxed), asked.len());
            match &contents[number] {
                Ok(Content::Same) => Landed::Yes(Proof::IdenticalTree),
                Ok(Content::NoOp) => Landed::Yes(Proof::MergeNoOp),
                Ok(Content::Adds) => {
                    let judge = Judge { prover: self, objects, trunk, line: &line };
                    judge.by_patches(&asked[number]).unwrap_or_else(|error| Landed::Unknown(error.to_string()))
                }
                Err(error) => Landed::Unknown(error.to_string()),
            }
        })
    }

    /// Does the branch add anything to the line's tip? Judged from every merge base: all must agree.
    fn content(&self, objects: &Objects, trunk: &Trunk, one: &Asked<'_>) -> Result<Content, WalkError> {
        let (ours, theirs) = (self.graph.tree(trunk.tip()), self.graph.tree(one.tip));
        let mut content = Content::Same;
        for base in &one.drift.merge_bases {
            content = content.max(compare(objects, objects.commit(base)?.tree, ours, theirs)?);
        }
        Ok(content)
    }

    /// The place on the line up to which the branch has everything.
    fn fork(&self, trunk: &Trunk, drift: &Drift) -> usize {
        let forks = drift.merge_bases.iter().filter_map(|oid| trunk.fork(self.graph.find(oid)?));
        forks.max().map_or(0, |fork| fork + 1)
    }

    /// The patches of the line from this place on, remembered by commit.
    fn line(&self, trunk: &Trunk, since: usize) -> Keys {
        let mut shelf = self.memory.shelf("patches", VERSION);
        let commits: Vec<Pos> =
            self.graph.all().filter(|&at| trunk.intro(at).is_some_and(|intro| since <= intro)).collect();
        let mut keys = Keys::default();
        let mut new = Vec::new();
        for at in commits {
            match shelf.get(self.graph.oid(at).as_bytes()).and_then(keys::decode) {
                Some(key) => keys.insert(at, key),
                None => new.push(at),
            }
        }
        for (at, key) in new.iter().zip(self.on_threads(&new, &|objects, &at| self.key_of(objects, at))) {
            // A commit that can't be read is no proof of anything; it is looked at again the next time.
            if let Ok(key) = key {
                shelf.put(self.graph.oid(*at).as_bytes(), keys::encode(&key));
                keys.insert(*at, key);
            }
        }
        let _ = shelf.save();
        keys
    }

    fn key_of(&self, objects: &Objects, at: Pos) -> Result<keys::Key, WalkError> {
        let parent = self.graph.parents(at).next().map(|parent| self.graph.tree(parent));
        keys::key(objects, parent, Some(self.graph.tree(at)))
    }

    /// Works on all items, each once, on several threads with a database of their own; answers in order.
    fn on_threads<T: Sync, R: Send>(&self, items: &[T], work: &(dyn Fn(&Objects, &T) -> R + Sync)) -> Vec<R> {
        let n_each = items.len().div_ceil(self.n_threads.max(1)).max(1);
        thread::scope(|scope| {
            let work_on = |some: &[T]| -> Vec<R> {
                let objects = self.objects.open();
                some.iter().map(|item| work(&objects, item)).collect()
            };
            let threads: Vec<_> = items.chunks(n_each).map(|some| scope.spawn(move || work_on(some))).collect();
            let done = threads.into_iter().map(|thread| thread.join().expect("comparing patches does not panic"));
            done.flatten().collect()
        })
    }
}

/// The remembered proofs, for those who know that one holds for another tip of the line, too.
pub(crate) struct Remembered(Shelf);

impl Remembered {
    pub(crate) fn open(memory: &Memory) -> Remembered {
        Remembered(memory.shelf("landed", VERSION))
    }

    /// Remembers for the tip that the line has `now` what was found `before`.
    pub(crate) fn carry(&mut self, before: &Oid, now: &Oid, tip: &Oid) {
        if let Some(landed) = self.0.get(&key(before, tip)).map(<[u8]>::to_vec) {
            self.0.put(&key(now, tip), landed);
        }
    }

    pub(crate) fn save(&mut self) {
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = self.0.save();
    }
}

fn key(line: &Oid, tip: &Oid) -> Vec<u8> {
    [line.as_bytes(), tip.as_bytes()].concat()
}

fn remembered(shelf: &mut Shelf, key: &[u8]) -> Option<Landed> {
    postcard::from_bytes(shelf.get(key)?).ok()
}

/// Proofs by patch, for the branches of one line.
struct Judge<'a> {
    prover: &'a Prover<'a>,
    objects: &'a Objects,
    trunk: &'a Trunk,
    line: &'a Keys,
}

impl Judge<'_> {
    fn by_patches(&self, one: &Asked<'_>) -> Result<Landed, WalkError> {
        let since = self.prover.fork(self.trunk, one.drift);
        let own = self.prover.graph.own(self.trunk, one.tip);
        if let Some(landings) = self.commit_by_commit(&own, since)? {
            return self.unless_reverted(Proof::PatchIds, &landings);
        }
        if let Some(landing) = self.as_one(one, one.tip, since)? {
            return self.unless_reverted(Proof::SquashPatchId, &[landing]);
        }
        self.continued(one, since)
    }

    fn tree(&self, at: Pos) -> Oid {
        self.prover.graph.tree(at)
    }

    fn parent_tree(&self, at: Pos) -> Option<Oid> {
        self.prover.graph.parents(at).next().map(|parent| self.tree(parent))
    }

    fn is_merge(&self, at: Pos) -> bool {
        1 < self.prover.graph.parents(at).count()
    }

    /// Where each own commit landed, when all did. Merges carry nothing of their own, as in git-cherry(1).
    fn commit_by_commit(&self, own: &[Pos], since: usize) -> Result<Option<Vec<Pos>>, WalkError> {
        if OWN_COMMITS_AT_MOST < own.len() {
            return Ok(None);
        }
        let mut landings = Vec::new();
        for &at in own.iter().filter(|&&at| !self.is_merge(at)) {
            let patch = patch(self.objects, self.parent_tree(at), Some(self.tree(at)))?;
            if patch.is_empty() {
                continue;
            }
            match self.landing(&patch, since)? {
                Some(landing) => landings.push(landing),
                None => return Ok(None),
            }
        }
        Ok((!landings.is_empty()).then_some(landings))
    }

    /// The commit of the line that has the whole patch from a merge base to `at`.
    fn as_one(&self, one: &Asked<'_>, at: Pos, since: usize) -> Result<Option<Pos>, WalkError> {
        for base in &one.drift.merge_bases {
            let patch = patch(self.objects, Some(self.objects.commit(base)?.tree), Some(self.tree(at)))?;
            if !patch.is_empty()
                && let Some(landing) = self.landing(&patch, since)?
            {
                return Ok(Some(landing));
            }
        }
        Ok(None)
    }

    /// The oldest commit of the line with this patch, from a place on the line on.
    fn landing(&self, patch: &Patch, since: usize) -> Result<Option<Pos>, WalkError> {
        for (at, key) in self.line.with_paths(patch.key.paths).take(CANDIDATES_AT_MOST) {
            if self.trunk.intro(at).is_some_and(|intro| since <= intro)
                && (key.content == patch.key.content || self.has_patch(at, patch)?)
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn has_patch(&self, at: Pos, wanted: &Patch) -> Result<bool, WalkError> {
        let found = patch(self.objects, self.parent_tree(at), Some(self.tree(at)))?;
        Ok(found.text(self.objects)? == wanted.text(self.objects)?)
    }

    /// Yes, or `Reverted` when the last word of the line on one of the landings is its reversal.
    fn unless_reverted(&self, proof: Proof, landings: &[Pos]) -> Result<Landed, WalkError> {
        for &landing in landings {
            if self.last_word_is_reversal(landing)? {
                return Ok(Landed::Reverted(proof));
            }
        }
        Ok(Landed::Yes(proof))
    }

    fn last_word_is_reversal(&self, landing: Pos) -> Result<bool, WalkError> {
        let there = patch(self.objects, self.parent_tree(landing), Some(self.tree(landing)))?;
        let back = patch(self.objects, Some(self.tree(landing)), self.parent_tree(landing))?;
        let last = |patch: &Patch| -> Result<Option<Pos>, WalkError> {
            let mut last = None;
            for (at, key) in self.line.with_paths(patch.key.paths).take(CANDIDATES_AT_MOST) {
                let is_later =
                    self.when(landing) <= self.when(at) && last.is_none_or(|last| self.when(last) < self.when(at));
                if is_later && (key.content == patch.key.content || self.has_patch(at, patch)?) {
                    last = Some(at);
                }
            }
            Ok(last)
        };
        let (forth, back) = (last(&there)?, last(&back)?);
        Ok(back.is_some_and(|back| forth.is_none_or(|forth| self.when(forth) < self.when(back))))
    }

    /// The order in which commits came into the line.
    fn when(&self, at: Pos) -> (Option<usize>, Pos) {
        (self.trunk.intro(at), at)
    }

    /// A beginning of the branch that landed as one piece, the longest first.
    fn continued(&self, one: &Asked<'_>, since: usize) -> Result<Landed, WalkError> {
        let beginnings = self.beginnings(one.tip);
        for (number, &at) in beginnings.iter().enumerate().skip(1).take(BEGINNINGS_AT_MOST) {
            let n_commits = beginnings.len() - number;
            if let Some(landing) = self.as_one(one, at, since)?
                && (1 < n_commits || self.is_request(landing)?)
            {
                return self.still_there(Proof::SquashPatchId, landing);
            }
        }
        let Some(run) = self.run_on_line(&beginnings, since)? else { return Ok(Landed::No) };
        self.still_there(Proof::PatchIds, run)
    }

    fn still_there(&self, proof: Proof, landing: Pos) -> Result<Landed, WalkError> {
        // Work that was taken back and goes on is work that has not landed.
        Ok(if self.last_word_is_reversal(landing)? { Landed::No } else { Landed::Continued(proof) })
    }

    /// The branch's own first-parent commits, the newest first.
    fn beginnings(&self, tip: Pos) -> Vec<Pos> {
        let mut own = Vec::new();
        let mut at = Some(tip).filter(|&at| !self.trunk.contains(at));
        while let Some(commit) = at {
            own.push(commit);
            let parent = self.prover.graph.parents(commit).next();
            at = parent.filter(|&parent| !self.trunk.contains(parent) && own.len() < OWN_COMMITS_AT_MOST);
        }
        own
    }

    /// The last of at least two of the branch's first commits that stand one after the other on the line.
    fn run_on_line(&self, beginnings: &[Pos], since: usize) -> Result<Option<Pos>, WalkError> {
        let mut last: Option<Pos> = None;
        let mut n_in_row = 0;
        for &at in beginnings.iter().rev() {
            if self.is_merge(at) {
                break;
            }
            let patch = patch(self.objects, self.parent_tree(at), Some(self.tree(at)))?;
            let Some(landing) = self.landing(&patch, since)?.filter(|&landing| self.trunk.is_on_line(landing)) else {
                break;
            };
            let follows = |last: Pos| self.prover.graph.parents(landing).next() == Some(last);
            if last.is_some_and(|last| !follows(last)) {
                break;
            }
            (last, n_in_row) = (Some(landing), n_in_row + 1);
        }
        Ok(last.filter(|_| 2 <= n_in_row && n_in_row < beginnings.len()))
    }

    /// Does the subject carry the number of a request, as hosts write it when they squash?
    fn is_request(&self, landing: Pos) -> Result<bool, ReadError> {
        let subject = self.objects.about(&self.prover.graph.oid(landing))?.subject;
        let number = subject.strip_suffix(')').and_then(|text| text.rsplit_once(['#', '!'])).map(|(_, number)| number);
        Ok(number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())))
    }
}
