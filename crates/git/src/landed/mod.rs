//! Is the work of a branch in its base already, although the branch is no ancestor of it? And is it there still?
//!
//! A ladder of proofs by content, the cheapest first; the first that holds is
//! the answer:
//!
//! 1. *Identical tree*: every path that the branch changed is the same in the base.
//! 2. *Merge is a no-op*: every change stands in the base, beside others.
//! 3. *Patch ids*: each own commit, merges aside, has a commit with the same
//!    patch id among those that the branch lacks (`git cherry` has only `-`).
//!    Commits without a change count for nothing.
//! 4. *Squash patch id*: one of those commits has the patch id of the whole
//!    branch (`git commit-tree` on the merge base, then `git cherry`); here a
//!    merge on the base's line counts as well, by its change of the line.
//!
//! Landed by 3 or 4 is *reverted* when the last word of the base was a revert:
//! a later commit with the reversed patch, or whose message names the landing
//! commit. A revert of the revert lands it again. Where the base only edited
//! the same lines later, it is still landed.
//!
//! A branch whose tip is an ancestor has landed; what is asked of it is whether the base took it back since: the
//! merge with which it came, or a commit of it. Where all that the merge changed still stands in the base, it did not.
//!
//! *Continued* is claimed only for what a forge does with a pull request: a row
//! of own commits, from the merge base on and without merges, landed as one
//! squash, or one after the other in the same order with nothing in between.
//! They must be two at least, or the squash bears a request number (`(#12)`) as
//! hosts write it; and the base must have had them later than the branch, else
//! they are a backport. Single commits may have been cherry-picked, and scattered
//! ones surely were: such a branch is partly landed, which proves nothing.
//!
//! Nothing is guessed. When no proof is found and something could not be read,
//! or a budget was spent, the answer is unknown with the reason.
//!
//! Known gaps: what a merge among the own commits changed by hand is not looked
//! at by patch ids, as in Git; with several merge bases, a squash counts only
//! when the base has not moved on where the bases differ from each other.

mod case;
mod changes;
mod content;
mod keys;
mod ladder;
mod patch_id;
mod reverts;
mod texts;

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use alignwatch_model::{Drift, Landed, Oid, Proof};
use serde::{Deserialize, Serialize};

use self::{
    case::Case,
    keys::{Key, Keys},
    ladder::{Ladder, first_missing},
    patch_id::PatchId,
};
use crate::{
    graph::{Graph, Pos, Trunk},
    memory::{Memory, Shelf},
    objects::{Objects, OpenObjects, ReadError},
    spread::spread,
    stop::Stop,
    tree_diff::WalkError,
};

/// Raised whenever a verdict could come out differently than before: old ones are forgotten then.
const VERSION: &str = "2";

/// Commits of a line that are looked at in one run, the newest first.
///
/// Source: ours; about half a minute on two cores. Branches that lack older ones are unknown, and the
/// next run goes on from there.
const COMMITS_AT_MOST: usize = 200_000;

/// Commits that a thread takes at once: neighbours share most of their trees.
const PORTION_COMMITS: usize = 256;

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
    /// When to come to an end; branches that were not looked at then are unknown.
    pub stop: &'a Stop,
}

/// A branch that diverged from its line, or came into it.
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
        let lacking = Mutex::new(self.memory.shelf("lacking", VERSION));
        let contents = self.on_threads(asked, 1, &|objects, one| {
            self.in_time().and_then(|()| Case::content(self.graph, trunk, objects, one, &lacking))
        });
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = lacking.into_inner().map(|mut shelf| shelf.save());
        let is_open = |content: &Result<Option<Proof>, Doubt>| !matches!(content, Ok(Some(_)));
        let open = asked.iter().zip(&contents).filter(|(_, content)| is_open(content));
        let since = open.filter_map(|(one, _)| first_missing(self.graph, trunk, one.drift)).min();
        let keys = since.map_or_else(Keys::default, |since| self.line(trunk, since));
        let ladder = Ladder::new(self.graph, trunk, keys, self.memory.shelf("changes", VERSION));
        let n_done = AtomicUsize::new(0);
        let questions: Vec<_> = asked.iter().zip(contents).collect();
        let verdicts = self.on_threads(&questions, 1, &|objects, (one, content)| {
            progress(n_done.fetch_add(1, Ordering::Relaxed), asked.len());
            let is_ancestor = one.drift.ahead == 0;
            match self.in_time().and(content.clone()) {
                Ok(Some(_)) if is_ancestor => Landed::Yes(Proof::Ancestor),
                Ok(Some(proof)) => Landed::Yes(proof),
                Err(Doubt::NoTime) => Landed::Unknown(Doubt::NoTime.to_string()),
                _ if is_ancestor => Case::new(&ladder, objects, one).merged(),
                content => Case::new(&ladder, objects, one).landed(content.err()),
            }
        });
        ladder.save();
        verdicts
    }

    fn in_time(&self) -> Result<(), Doubt> {
        if self.stop.is_due() { Err(Doubt::NoTime) } else { Ok(()) }
    }

    /// The keys of the line's commits from this place on, remembered by commit.
    fn line(&self, trunk: &Trunk, since: usize) -> Keys {
        let mut shelf = self.memory.shelf("patches", VERSION);
        let (mut keys, mut new) = (Keys::default(), Vec::new());
        for (intro, at) in keys::candidates(self.graph, trunk).filter(|(intro, _)| since <= *intro) {
            let oid = self.graph.oid(at);
            match shelf.get(oid.as_bytes()).and_then(keys::decode) {
                Some(seen) => keys.add(oid, Ok(seen)),
                None => new.push((intro, at)),
            }
        }
        // In the order in which they landed, neighbours are alike.
        new.sort_unstable();
        new.drain(..new.len().saturating_sub(COMMITS_AT_MOST));
        let found = self.on_threads(&new, PORTION_COMMITS, &|objects, &(_, at)| {
            self.in_time().map_err(|doubt| doubt.to_string())?;
            keys::look(self.graph, objects, at)
        });
        for ((_, at), seen) in new.into_iter().zip(found) {
            let oid = self.graph.oid(at);
            if let Ok(seen) = &seen {
                shelf.put(oid.as_bytes(), keys::encode(seen));
            }
            keys.add(oid, seen);
        }
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = shelf.save();
        keys
    }

    /// Works on all items, each once, on several threads with a database of their own; answers in order.
    fn on_threads<T: Sync, R: Send>(
        &self,
        items: &[T],
        portion: usize,
        work: &(dyn Fn(&Objects, &T) -> R + Sync),
    ) -> Vec<R> {
        spread(items.len(), portion, self.n_threads, &|numbers| {
            let objects = self.objects.open();
            numbers.map(|number| (number, work(&objects, &items[number]))).collect()
        })
    }
}

/// The remembered proofs, for those who know that one holds for another tip of the line, too.
pub(crate) struct Remembered(Shelf);

impl Remembered {
    pub(crate) fn open(memory: &Memory) -> Remembered {
        Remembered(memory.shelf("landed", VERSION))
    }

    /// Remembers for the tip that the line has `now` what was found `before`, unless the branch changed a path that the line
    /// changed since. What was found before is forgotten: a line seldom comes back to where it was.
    pub(crate) fn carry(&mut self, (before, now, tip): (&Oid, &Oid, &Oid), is_touched: bool) {
        let landed = self.0.get(&key(before, tip)).map(<[u8]>::to_vec);
        self.0.remove(&key(before, tip));
        if let Some(landed) = landed.filter(|_| !is_touched) {
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

/// Why a step of the ladder has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Doubt {
    #[error(transparent)]
    Trees(#[from] WalkError),
    #[error("a patch cannot be hashed: {0}")]
    Hash(String),
    #[error("it has too many commits of its own to compare")]
    TooManyCommits,
    #[error("too many paths changed to compare")]
    TooManyPaths,
    #[error("too much text changed to compare")]
    TooMuchText,
    #[error("there was no time to look")]
    NoTime,
    #[error("{0}")]
    Gap(String),
}

impl From<ReadError> for Doubt {
    fn from(error: ReadError) -> Doubt {
        Doubt::Trees(error.into())
    }
}

/// Two trees between which a change lies; `None` is the empty tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trees {
    old: Option<Oid>,
    new: Option<Oid>,
}

impl Trees {
    fn reversed(self) -> Trees {
        Trees { old: self.new, new: self.old }
    }

    /// Under which a change is remembered.
    fn bytes(self) -> Vec<u8> {
        postcard::to_stdvec(&(self.old, self.new)).unwrap_or_default()
    }
}

/// What is known of a change between two trees.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair {
    key: Key,
    id: Option<PatchId>,
}
