//! Predicts merges: would Git merge this branch into that line, and where would it stop?
//!
//! The answer is always Git's. Most pairs are decided here, from trees and file
//! contents, by rules that give what Git gives (the tests compare thousands);
//! what the rules can't decide goes to a supervised `git merge-tree`, whose
//! objects land in a folder of our own. Nothing is written into the repository
//! and no program of the repository is run. What was decided is remembered by
//! object ids.
//!
//! The way of a pair: [`pair`] walks its three trees and finds what both sides
//! changed; [`texts`] merges each distinct file once; [`mod@answer`] says what that
//! amounts to; [`ask`] puts the rest to Git. Of a pair with several merge bases the
//! tree that Git merges from comes from [`bases`].
//! Where only the verdict is asked for, the first file that conflicts where all three
//! trees have it ends the way: renames can't change that.

mod answer;
mod ask;
mod attributes;
mod bases;
mod carried;
mod fates;
mod known_bases;
mod pair;
pub(crate) mod quarantine;
mod sides;
mod similar;
mod text;
mod texts;
mod virtual_base;
mod walk;

pub(crate) use self::ask::PINNED;
pub(crate) use self::carried::{MovedFiles, Remembered};
pub use self::similar::RecentFiles;
pub(crate) use self::text::{adds_nothing, is_binary};

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alignwatch_model::{Merge, Oid, Verdict};
use rustc_hash::FxHashMap;

use self::{
    answer::{Answer, answer, rests_on},
    attributes::Attributes,
    bases::{Awaited, Databases},
    carried::{Certain, RestsOn},
    pair::{Draft, Renames, Trees, Triple, Walked},
    text::TextMerge,
    texts::{OneByOne, TextAnswer},
};
use crate::{
    graph::Graph,
    memory::{Memory, Shelf},
    objects::{Objects, OpenObjects, ReadError},
    run::{GitAt, GitError},
    spread::spread,
    stop::Stop,
    tree_diff::WalkError,
};

/// Raised whenever an answer could come out differently than before: old answers are forgotten then.
const ENGINE: u32 = 14;

/// Raised whenever two texts could merge differently than before.
const TEXTS: &str = "7";

/// Why the paths of a conflict are not known where nobody asked for them.
const VERDICT_ONLY: &str = "the paths were not looked for: only the verdict was asked for";

/// Pairs that a thread walks at once: neighbours by name often began at the same commit.
const WALKED_AT_ONCE: usize = 8;

/// Pairs that a thread judges at once. Source: ours; one can take a second, so no thread is left with many.
const JUDGED_AT_ONCE: usize = 2;

/// Two commits that may be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The line that would take the branch in. Its attributes apply.
    pub line: Oid,
    /// The tip of the branch.
    pub tip: Oid,
    /// All best common ancestors, as in [`alignwatch_model::Drift::merge_bases`].
    pub merge_bases: Vec<Oid>,
}

impl Question {
    fn has_several_bases(&self) -> bool {
        1 < self.merge_bases.len()
    }
}

/// All that predictions of one repository share.
pub struct Predictor<'a> {
    /// The history.
    pub graph: &'a Graph,
    /// The object database.
    pub objects: &'a OpenObjects,
    /// Where answers are remembered.
    pub memory: &'a Memory,
    /// The git to ask for what can't be decided here; none = such pairs are unknown.
    pub git: Option<&'a GitAt<'a>>,
    /// Content of `info/attributes`; empty if there is none.
    pub attributes: Vec<u8>,
    /// Names of the merge drivers that the repository configures. None of them is ever run.
    pub drivers: Vec<Vec<u8>>,
    /// How long Git may take for everything that must be asked, and how long for lists of paths
    /// where the verdict is known already.
    pub patience: Patience,
    /// Threads for reading and comparing files.
    pub n_threads: usize,
    /// Files that were compared before.
    pub files: RecentFiles,
    /// When to come to an end; pairs that were not looked at then are unknown.
    pub stop: &'a Stop,
}

/// How long Git may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For verdicts, all pairs together. What is not answered then is unknown, with that reason.
    pub verdicts: Duration,
    /// For the paths of conflicts whose verdict is known, all pairs together. Zero: only the verdict is asked for.
    pub paths: Duration,
}

/// How the answers came about, for those who tune it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Pairs that were remembered.
    pub n_remembered: usize,
    /// Pairs that were decided without a process.
    pub n_decided: usize,
    /// Conflicts whose paths are not known.
    pub n_without_paths: usize,
    /// Pairs that Git answered.
    pub n_asked: usize,
    /// Pairs that nobody answered.
    pub n_unknown: usize,
}

impl Predictor<'_> {
    /// One answer for each question, in order. `progress` is told how many of how many are done.
    pub fn predict(&self, questions: &[Question], progress: &(dyn Fn(usize, usize) + Sync)) -> (Vec<Merge>, Effort) {
        let mut known = self.remembered();
        let mut impossible =
            self.memory.shelf("impossible", &format!("{} {}", self.written_by(), self.objects_as_they_are()));
        let mut answers: Vec<Option<Answer>> = questions
            .iter()
            .map(|question| remembered(&mut known, question).or_else(|| remembered_reason(&mut impossible, question)))
            .collect();
        let is_new = |answer: &Option<Answer>| match answer {
            None => true,
            Some(answer) => answer.is_verdict_only() && !self.asks_verdicts_only(),
        };
        let new: Vec<usize> = (0..questions.len()).filter(|&number| is_new(&answers[number])).collect();
        let asked: Vec<&Question> = new.iter().map(|&number| &questions[number]).collect();
        let mut followed: FxHashMap<usize, RestsOn> = FxHashMap::default();
        for (number, (answer, what)) in new.iter().zip(self.work_out(&asked, progress)) {
            // A verdict that we know already is not given up because there was no time for its paths.
            if answers[*number].is_none() || answer.is_conflict() {
                answers[*number] = Some(answer);
                followed.insert(*number, what);
            }
        }
        let mut answers: Vec<Answer> =
            answers.into_iter().map(|answer| answer.expect("every question was answered")).collect();
        let mut effort = Effort { n_remembered: questions.len() - new.len(), ..Effort::default() };
        // What an earlier run left open is not worth a wait on every later one.
        let paths = if new.is_empty() { self.patience.paths / 10 } else { self.patience.paths };
        let asked_git = self.ask_git(questions, &mut answers, paths, progress);
        effort.count(&answers, new.len(), asked_git.len());
        for number in new.into_iter().chain(asked_git) {
            keep(&mut known, &questions[number], &answers[number], followed.remove(&number));
            if let Answer::Impossible(reason) = &answers[number] {
                impossible.put(&key(&questions[number].line, &questions[number].tip), reason.as_bytes().to_vec());
            }
        }
        known.save();
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = impossible.save();
        (answers.into_iter().map(Answer::into_merge).collect(), effort)
    }

    /// The remembered answers.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered::open(self.memory, self.written_by(), self.files.sketches(self.memory))
    }

    /// Everything besides the commits that an answer depends on.
    fn written_by(&self) -> String {
        let drivers = self.drivers.join(&b'\n');
        let git = self.git.map_or_else(String::new, |git| git.git().version().text.clone());
        format!("{ENGINE} {git} {:08x} {:08x}", crc32fast::hash(&self.attributes), crc32fast::hash(&drivers))
    }

    /// Changes when an object comes or goes: by the times of the folders that hold them.
    fn objects_as_they_are(&self) -> String {
        let Some(git) = self.git else { return String::new() };
        let (folder, borrowed) = (&git.opened().objects_dir, &git.opened().alternates);
        let loose = (0..=255u8).map(|first| folder.join(format!("{first:02x}")));
        let packs = borrowed.iter().map(|other| &other.path).chain([folder]).map(|folder| folder.join("pack"));
        let mut hash = crc32fast::Hasher::new();
        for folder in loose.chain(packs) {
            let time = fs::metadata(folder).ok().map(|data| (data.mtime(), data.mtime_nsec()));
            hash.update(format!("{time:?} ").as_bytes());
        }
        format!("{:08x}", hash.finalize())
    }

    /// What can be said without putting whole pairs to Git.
    /// Beside each answer: what it rests on.
    fn work_out(&self, questions: &[&Question], progress: &(dyn Fn(usize, usize) + Sync)) -> Vec<(Answer, RestsOn)> {
        let bases = OnceLock::new();
        let bases = || bases.get_or_init(|| self.bases(questions));
        let mut shelf = self.memory.shelf("texts", TEXTS);
        let drafts = thread::scope(|scope| {
            if questions.iter().any(|question| question.has_several_bases()) {
                // Git works on them meanwhile; without a thread for that, whoever needs them first asks it.
                let _ = thread::Builder::new().spawn_scoped(scope, bases);
            }
            self.drafts(questions, &bases, &mut shelf, progress)
        });
        let bases = bases();
        let triples = drafts.iter().flatten().flat_map(|draft| &draft.texts);
        let mut texts = texts::merge_all(triples, bases.objects(self), &mut shelf, self.n_threads, self.stop);
        self.settle_doubts(&mut texts, &mut shelf);
        let _ = shelf.save();
        let told = |mut draft: Result<Draft, WalkError>| {
            let rests_on = draft.as_mut().map(|draft| rests_on(draft, &texts)).unwrap_or_default();
            (answer(draft, &texts), rests_on)
        };
        drafts.into_iter().map(told).collect()
    }

    /// Compares the trees of all pairs, on several threads: first all are walked, so that the files which may be
    /// renamed ones are known together, and then judged.
    fn drafts(
        &self,
        questions: &[&Question],
        bases: Awaited<'_, '_>,
        shelf: &mut Shelf,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Vec<Result<Draft, WalkError>> {
        let files = self.files.take(self.memory);
        let (renames, texts) = (Renames::among(Arc::clone(&files), self.files.sides()), OneByOne::on(shelf));
        // Of few, each is taken for itself.
        let at_once = WALKED_AT_ONCE.min(questions.len() / (WALKED_AT_ONCE * self.n_threads.max(1)));
        let walked = spread(questions.len(), at_once, self.n_threads, &|numbers| {
            let databases = Databases::of(self, bases);
            let mut attributes = FxHashMap::default();
            let mut see = |number: usize| -> Result<Sight, WalkError> {
                self.in_time()?;
                let objects = databases.of_question(questions[number]);
                let Some((tree, walked)) = walk(objects, questions[number], bases)? else {
                    return Ok(Sight::SeveralBases);
                };
                if self.asks_verdicts_only() {
                    let of_line = self.attributes(&mut attributes, objects, tree);
                    if let Some(path) = self.conflict_in_place(objects, of_line, &walked, &texts)? {
                        return Ok(Sight::Conflict(path));
                    }
                }
                walked.index(objects, &renames)?;
                Ok(Sight::Walked(tree, Box::new(walked)))
            };
            numbers.map(|number| (number, Mutex::new(Some(see(number))))).collect()
        });
        let n_done = AtomicUsize::new(0);
        let drafts = spread(questions.len(), JUDGED_AT_ONCE, self.n_threads, &|numbers| {
            let databases = Databases::of(self, bases);
            let mut attributes = FxHashMap::default();
            let mut judge = |number: usize| -> Result<Draft, WalkError> {
                progress(n_done.fetch_add(1, Ordering::Relaxed), questions.len());
                let sight = walked[number].lock().unwrap_or_else(PoisonError::into_inner).take();
                let (tree, walked) = match sight.expect("each is judged once")? {
                    Sight::Walked(tree, walked) => (tree, walked),
                    Sight::Conflict(path) => return Ok(Draft::of_verdict(path, VERDICT_ONLY)),
                    Sight::SeveralBases => {
                        return Ok(Draft { ask_git: Some("there are several merge bases"), ..Draft::default() });
                    }
                };
                self.in_time()?;
                let objects = databases.of_question(questions[number]);
                let mut draft = walked.judge(objects, &renames)?;
                draft.apply(self.attributes(&mut attributes, objects, tree), &self.drivers)?;
                Ok(draft)
            };
            numbers.map(|number| (number, judge(number))).collect()
        });
        files.save();
        self.files.put(files);
        drafts
    }

    /// A path at which a file conflicts that stands there in all three trees. Where a driver of the repository has a say,
    /// nothing is told at once.
    fn conflict_in_place(
        &self,
        objects: &Objects,
        of_line: &mut Attributes<'_>,
        walked: &Walked,
        texts: &OneByOne<'_>,
    ) -> Result<Option<Vec<u8>>, WalkError> {
        let mut draft = walked.in_place();
        draft.apply(of_line, &self.drivers)?;
        if draft.foreign_driver.is_some() {
            return Ok(None);
        }
        if let Some(Certain::At(path)) = draft.certain {
            return Ok(Some(path));
        }
        let mut conflicts = draft.texts.into_iter().filter(|(_, file)| texts.conflict(objects, file));
        Ok(conflicts.next().map(|(path, _)| path))
    }

    /// The attributes of a line by its tree, each read once.
    fn attributes<'o, 'm>(
        &self,
        known: &'m mut FxHashMap<Oid, Attributes<'o>>,
        objects: &'o Objects,
        tree: Oid,
    ) -> &'m mut Attributes<'o> {
        known.entry(tree).or_insert_with(|| Attributes::of(objects, tree, self.attributes.clone()))
    }

    fn asks_verdicts_only(&self) -> bool {
        self.patience.paths.is_zero()
    }

    fn in_time(&self) -> Result<(), WalkError> {
        if self.stop.is_due() { Err(WalkError::Stopped) } else { Ok(()) }
    }

    /// Lets Git merge the files about which our algorithms differ.
    fn settle_doubts(&self, texts: &mut FxHashMap<Triple, TextAnswer>, shelf: &mut Shelf) {
        // Attributes of the repository would apply to our made-up names.
        if !self.attributes.is_empty() {
            return;
        }
        let doubtful =
            |(triple, answer): (&Triple, &TextAnswer)| (*answer == Ok(TextMerge::Doubtful)).then_some(*triple);
        let doubtful: Vec<Triple> = texts.iter().filter_map(doubtful).collect();
        let Some(git) = self.git.filter(|_| !doubtful.is_empty()) else { return };
        // What Git does not answer stays doubtful: those pairs are put to Git as a whole.
        for (triple, merge) in ask::texts(git, &doubtful, self.patience.verdicts).unwrap_or_default() {
            texts::remember(shelf, &triple, &Ok(merge));
            texts.insert(triple, Ok(merge));
        }
    }

    /// Puts what is not decided to Git, verdicts first. Returns which answers came from there.
    fn ask_git(
        &self,
        questions: &[Question],
        answers: &mut [Answer],
        paths: Duration,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Vec<usize> {
        // A driver that is not run would look like a conflict.
        let Some(git) = self.git.filter(|_| self.drivers.is_empty()) else { return Vec::new() };
        let mut answered = Vec::new();
        for (patience, is_wanted) in
            [(self.patience.verdicts, Answer::is_open as fn(&Answer) -> bool), (paths, Answer::lacks_paths)]
        {
            let some: Vec<usize> = (0..answers.len()).filter(|&number| is_wanted(&answers[number])).collect();
            answered.extend(ask_some(git, questions, answers, &some, Instant::now() + patience, progress));
        }
        answered
    }
}

/// A pair after its trees were walked.
enum Sight {
    /// The tree of the line, and the pair as far as trees tell.
    Walked(Oid, Box<Walked>),
    /// It conflicts at this path, and no more was asked.
    Conflict(Vec<u8>),
    /// Git did not merge the merge bases.
    SeveralBases,
}

/// The tree of the line, and the pair as far as trees tell; `None` when Git did not merge the merge bases.
fn walk(objects: &Objects, question: &Question, bases: Awaited<'_, '_>) -> Result<Option<(Oid, Walked)>, WalkError> {
    let tree = |commit: &Oid| -> Result<Oid, ReadError> { Ok(objects.commit(commit)?.tree) };
    let base = match question.merge_bases.as_slice() {
        [base] => Some(tree(base)?),
        _ => bases().tree(question),
    };
    let Some(base) = base else { return Ok(None) };
    let trees = Trees { base, ours: tree(&question.line)?, theirs: tree(&question.tip)? };
    Ok(Some((trees.ours, pair::walk(objects, trees)?)))
}

/// Puts some of the pairs to Git; what it does not answer in time stays as it is. Returns which it answered.
fn ask_some(
    git: &GitAt<'_>,
    questions: &[Question],
    answers: &mut [Answer],
    some: &[usize],
    until: Instant,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<usize> {
    let mut answered = Vec::new();
    let pairs: Vec<(Oid, Oid)> = some.iter().map(|&number| (questions[number].line, questions[number].tip)).collect();
    ask::pairs(git, &pairs, until, &mut |at, merge| {
        answered.push(some[at]);
        progress(answered.len(), some.len());
        let answer = &mut answers[some[at]];
        match merge {
            Ok(merge) => *answer = Answer::Final(merge),
            // A verdict that we know already is not given up because Git could not answer.
            Err(_) if answer.lacks_paths() => {}
            Err(error) => {
                let reason = format!("git could not merge them: {error}");
                let may_end_otherwise = matches!(error, GitError::TimedOut { .. });
                *answer =
                    if may_end_otherwise { Answer::Final(Merge::unknown(reason)) } else { Answer::Impossible(reason) };
            }
        }
    });
    answered
}

impl Effort {
    fn count(&mut self, answers: &[Answer], n_new: usize, n_asked: usize) {
        self.n_asked = n_asked;
        self.n_unknown = answers.iter().filter(|answer| answer.is_open()).count();
        self.n_without_paths = answers.iter().filter(|answer| answer.lacks_paths()).count();
        self.n_decided = n_new.saturating_sub(n_asked);
    }
}

/// Remembers an answer that depends on nothing but the two commits and what the shelf names.
///
/// A conflict whose paths are not known is remembered as that; its paths can still be asked for.
fn keep(known: &mut Remembered, question: &Question, answer: &Answer, rests_on: Option<RestsOn>) {
    let merge = match answer {
        Answer::Final(merge) if merge.reason.is_none() => merge.clone(),
        Answer::ConflictWithoutPaths(_) => Merge::conflict(None),
        Answer::Final(_) | Answer::Open(_) | Answer::Impossible(_) => return,
    };
    known.keep(&question.line, &question.tip, (merge, answer.is_verdict_only()), rests_on);
}

fn key(line: &Oid, tip: &Oid) -> Vec<u8> {
    [line.as_bytes(), tip.as_bytes()].concat()
}

fn remembered(known: &mut Remembered, question: &Question) -> Option<Answer> {
    Some(match known.get(&question.line, &question.tip)? {
        (_, true) => Answer::ConflictWithoutPaths(VERDICT_ONLY),
        (Merge { verdict: Verdict::Conflict, conflicts: None, .. }, _) => Answer::ConflictWithoutPaths("renames"),
        (merge, _) => Answer::Final(merge),
    })
}

fn remembered_reason(shelf: &mut Shelf, question: &Question) -> Option<Answer> {
    let reason = shelf.get(&key(&question.line, &question.tip))?;
    Some(Answer::Impossible(String::from_utf8_lossy(reason).into_owned()))
}
