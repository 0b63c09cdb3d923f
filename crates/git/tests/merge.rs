//! Predicted merges against Git's own, over thousands of made-up pairs of every kind.
//!
//! Git is asked one pair at a time and only for its exit code and its list of paths, so that nothing of
//! the way in which the product asks and reads Git is taken on trust.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use alignwatch_git::{
    graph::{Graph, GraphSources},
    memory::Memory,
    merge::{Patience, Predictor, Question, RecentFiles},
    objects::Objects,
    repository, run,
    stop::Stop,
};
use alignwatch_model::{Merge, Oid, Verdict};

/// Pairs in one repository. Enough that each kind of change meets each other kind many times.
const PAIRS: usize = 1_200;

/// Commits of a pair in one repository.
const PARTS: usize = 3;

#[test]
fn every_verdict_and_path_that_is_decided_here_is_gits() {
    // Other worlds: ALIGNWATCH_SEED=7 cargo test -p alignwatch-git --test merge every_verdict
    let seed = std::env::var("ALIGNWATCH_SEED").ok().and_then(|seed| seed.parse().ok());
    let world = World::random(PAIRS, seed.unwrap_or(1));
    let answers = world.predict(None);
    let decided = world.compare(&answers);
    assert!(PAIRS / 2 < decided, "only {decided} of {PAIRS} were decided without git");
}

#[test]
fn with_git_at_hand_every_pair_is_answered_as_git_answers() {
    let world = World::random(300, 2);
    let opened = repository::open(&world.folder).unwrap();
    let git = run::Git::find().unwrap();
    let at = git.at(&opened).unwrap();
    let answers = world.predict(Some(&at));
    assert_eq!(world.compare(&answers), answers.len());
    assert!(world.objects_are_untouched());
}

#[test]
fn branches_that_crossed_are_judged_as_git_judges_them() {
    let world = World::crossed(150, 5);
    let opened = repository::open(&world.folder).unwrap();
    let git = run::Git::find().unwrap();
    let (answers, effort) = world.predict_with(Some(&git.at(&opened).unwrap()), &Memory::none());
    assert_eq!(world.compare(&answers), answers.len());
    // Only the merge bases are merged by git; most of the pairs are then decided here.
    assert!(effort.n_asked < 75, "{effort:?}");
    assert!(world.objects_are_untouched());
}

#[test]
fn what_merge_bases_merge_to_is_remembered_until_the_line_has_other_rules_for_them() {
    let mut world = World::crossed(60, 11);
    let opened = repository::open(&world.folder).unwrap();
    let git = run::Git::find().unwrap();
    let at = git.at(&opened).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::in_folder(folder.path());
    let oids = world.oids();
    let mut size_after = |ours: usize| {
        world.pairs = World::crossed_pairs(&oids, ours);
        let (answers, _) = world.predict_with(Some(&at), &memory);
        assert_eq!(world.compare(&answers), answers.len(), "part {ours}");
        fs::metadata(folder.path().join("merge-bases")).unwrap().len()
    };
    let first = size_after(3);
    assert_eq!(size_after(5), first, "nothing was asked again");
    assert!(first < size_after(6));
}

/// A history, by commit: its files and its parents.
type History = &'static [(&'static [(&'static str, &'static str)], &'static [usize])];

/// Where merge bases have a file of one name that is the same in both, and what Git merges them to has another there.
///
/// Each commit is newer than the one before. A file is twenty lines, of which some are others (`line=text`). The last two
/// commits are merged; numbers are those of their merge bases.
const ALIKE_IN_ALL: [(&str, [usize; 2], History); 3] = [
    (
        "one merge base renames what the other changes",
        [1, 2],
        &[
            (&[("old", "")], &[]),
            (&[("new", "")], &[0]),
            (&[("old", "5=changed"), ("new", "")], &[0]),
            (&[("new", "5=changed")], &[1, 2]),
            (&[("new", "5=another")], &[2, 1]),
        ],
    ),
    (
        "a file went from both, and is two others in one of them",
        [1, 2],
        &[
            (&[("x", "")], &[]),
            (&[("xp", "unlike"), ("ys", "17=S 18=S 19=S")], &[0]),
            (&[("xp", "0=A"), ("ys", "17=S 18=S 19=S")], &[0]),
            (&[("xp", "0=A"), ("ys", "17=S 18=S 19=S")], &[2, 1]),
            (&[("xp", "0=A"), ("ys", "0=other 17=S 18=S 19=S")], &[1, 2]),
        ],
    ),
    (
        "the merge bases have two merge bases, of which one lacks the file and another has what was renamed to it",
        [3, 4],
        &[
            (&[("new", "unlike"), ("k", "unlike 0=k")], &[]),
            (&[("new", "unlike"), ("old", ""), ("k", "unlike 0=k")], &[0]),
            (&[("k", "unlike 0=k")], &[0]),
            (&[("new", ""), ("k", "unlike 0=k")], &[1, 2]),
            (&[("old", "5=changed"), ("new", ""), ("k", "unlike 0=k")], &[2, 1]),
            (&[("new", "5=changed"), ("k", "unlike 0=k")], &[3, 4]),
            (&[("new", "5=another"), ("k", "unlike 0=k")], &[4, 3]),
        ],
    ),
];

#[test]
fn a_file_that_all_merge_bases_have_alike_can_be_another_one_in_what_they_merge_to() {
    for (what, bases, history) in ALIKE_IN_ALL {
        let mut stream = String::new();
        for (part, (files, parents)) in history.iter().enumerate() {
            let tree = files.iter().map(|(path, spec)| ((*path).to_owned(), File::of(spec)));
            Tree(tree.collect()).commit(&mut stream, 0, part, parents);
        }
        let mut world = World::of(&stream);
        let oids = world.oids();
        world.pairs = vec![[oids[0], oids[oids.len() - 2], oids[oids.len() - 1]]];
        world.crossed = vec![bases.map(|base| oids[base])];
        let opened = repository::open(&world.folder).unwrap();
        let git = run::Git::find().unwrap();
        let (answers, effort) = world.predict_with(Some(&git.at(&opened).unwrap()), &Memory::none());
        assert_eq!((world.compare(&answers), effort.n_asked), (1, 0), "{what}");
    }
}

#[test]
fn verdicts_alone_are_gits_too_and_the_paths_are_found_when_they_are_asked_for() {
    let world = World::with_attributes(300, 7);
    let memory = tempfile::tempdir().unwrap();
    let memory = Memory::in_folder(memory.path());
    let verdicts = world.ask_within(Duration::ZERO, &memory);
    world.compare(&verdicts);
    let of = |answers: &[Merge]| answers.iter().map(|merge| merge.verdict).collect::<Vec<_>>();
    let whole = world.predict(None);
    assert_eq!(of(&verdicts), of(&whole), "no verdict is lost");
    let is_conflict = |merge: &&Merge| merge.verdict == Verdict::Conflict;
    let without = verdicts.iter().filter(is_conflict).filter(|merge| merge.conflicts.is_none());
    let reasons: Vec<_> = without.filter_map(|merge| merge.reason.as_deref()).collect();
    let n_told_at_once = reasons.iter().filter(|reason| reason.contains("only the verdict")).count();
    assert!(20 < n_told_at_once, "{n_told_at_once}: {reasons:?}");
    assert_eq!(of(&world.ask_within(Duration::ZERO, &memory)), of(&whole), "remembered");
    let found = world.ask_within(Duration::from_secs(600), &memory);
    let paths = |answers: &[Merge]| answers.iter().map(|merge| merge.conflicts.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&found), paths(&whole), "the paths that can be known without git");
}

#[test]
fn the_attributes_of_the_line_say_how_files_are_merged_in_a_bare_repository_too() {
    let world = World::with_attributes(300, 6);
    let answers = world.predict(None);
    let decided = world.compare(&answers);
    assert!(150 < decided, "only {decided} of 300 were decided without git");
}

#[test]
fn answers_are_remembered_and_stay_the_same() {
    let world = World::random(60, 3);
    let memory = tempfile::tempdir().unwrap();
    let memory = Memory::in_folder(memory.path());
    let first = world.predict_with(None, &memory);
    let again = world.predict_with(None, &memory);
    let verdicts = |answers: &[Merge]| -> Vec<_> {
        answers.iter().map(|merge| (merge.verdict, merge.conflicts.clone())).collect()
    };
    assert_eq!(verdicts(&first.0), verdicts(&again.0));
    assert_eq!(first.1.n_remembered, 0);
    let n_known = first.0.iter().filter(|merge| merge.verdict != Verdict::Unknown).count();
    assert_eq!(again.1.n_remembered, n_known);
}

#[test]
fn what_git_cannot_merge_is_asked_again_only_after_an_object_came() {
    let world = World::random(1, 13);
    let opened = repository::open(&world.folder).unwrap();
    let git = run::Git::find().unwrap();
    let at = git.at(&opened).unwrap();
    let nowhere = Oid::from_hex(&[b'e'; 40]).unwrap();
    let lost = [Question { line: world.questions()[0].line, tip: nowhere, merge_bases: vec![nowhere, nowhere] }];
    let memory = tempfile::tempdir().unwrap();
    let memory = Memory::in_folder(memory.path());
    let n_asked = |what: &str| {
        let (answers, effort) = world.ask(Some(&at), &memory, &lost);
        assert_eq!(answers[0].verdict, Verdict::Unknown, "{what}");
        assert!(answers[0].reason.as_deref().unwrap().contains("git could not merge them"), "{what}");
        effort.n_asked
    };
    assert_eq!((n_asked("at first"), n_asked("again")), (1, 0));
    drop(crate::git(&world.folder, &["hash-object", "-w", "--stdin"], b"new"));
    assert_eq!(n_asked("after an object came"), 1);
}

#[test]
fn one_pair_that_git_cannot_merge_ends_no_other() {
    let world = World::random(12, 4);
    let opened = repository::open(&world.folder).unwrap();
    let git = run::Git::find().unwrap();
    let at = git.at(&opened).unwrap();
    let mut questions = world.questions();
    // Several merge bases of the same second send a pair to Git, and one side of this pair is no commit there.
    let nowhere = Oid::from_hex(&[b'e'; 40]).unwrap();
    let broken = Question { line: questions[0].line, tip: nowhere, merge_bases: vec![nowhere, nowhere] };
    questions.insert(3, broken);
    let force_git =
        |question: &Question| Question { merge_bases: vec![question.line, question.line], ..question.clone() };
    let asked: Vec<Question> = questions.iter().map(force_git).collect();
    let answers = world.ask(Some(&at), &Memory::none(), &asked).0;
    assert_eq!(answers[3].verdict, Verdict::Unknown);
    assert!(answers[3].reason.as_deref().unwrap().contains("git could not merge them"));
    let others: Vec<Merge> =
        answers.iter().enumerate().filter(|(at, _)| *at != 3).map(|(_, merge)| merge.clone()).collect();
    assert_eq!(world.compare(&others), others.len());
}

#[test]
fn a_tree_as_deep_as_an_attacker_likes_ends_nothing() {
    let path = |depth: usize| "d/".repeat(depth);
    let mut stream = String::new();
    for (part, parents) in [(0, &[][..]), (1, &[0][..]), (2, &[0][..])] {
        let lines = vec![format!("version {part}")];
        let file = || File { mode: "100644", lines: lines.clone() };
        let tree = Tree(BTreeMap::from([(path(3_000) + "f", file()), (path(1_900) + "g", file())]));
        tree.commit(&mut stream, 0, part, parents);
    }
    let mut world = World::of(&stream);
    let oids = world.oids();
    world.pairs = vec![[oids[0], oids[1], oids[2]]];
    let answers = world.predict(None);
    assert_eq!(answers[0].reason.as_deref(), Some("folders are nested more than 2048 deep"));
}

/// Commits of each pair in [`World::crossed`].
const CROSSED_PARTS: usize = 7;

/// A repository with many pairs, each with its own merge base.
struct World {
    _temp: tempfile::TempDir,
    folder: PathBuf,
    pairs: Vec<[Oid; 3]>,
    /// For branches that crossed: both merge bases of each pair.
    crossed: Vec<[Oid; 2]>,
    n_files: usize,
}

impl World {
    fn random(n_pairs: usize, seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut stream = String::new();
        for pair in 0..n_pairs {
            let base = Tree::random(&mut dice);
            let (ours, theirs) = (base.changed(&mut dice, "ours"), base.changed(&mut dice, "theirs"));
            base.commit(&mut stream, pair, 0, &[]);
            ours.commit(&mut stream, pair, 1, &[0]);
            theirs.commit(&mut stream, pair, 2, &[0]);
        }
        let mut world = World::of(&stream);
        let oids = world.oids();
        world.pairs = oids.chunks_exact(PARTS).map(|parts| [parts[0], parts[1], parts[2]]).collect();
        world
    }

    /// Each pair has rules of its own, the same on both sides.
    fn with_attributes(n_pairs: usize, seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut stream = String::new();
        for pair in 0..n_pairs {
            let base = Tree::random(&mut dice);
            let rules = File { mode: "100644", lines: (0..1 + dice.below(4)).map(|_| rule(&mut dice)).collect() };
            let sides = [base.clone(), base.changed(&mut dice, "ours"), base.changed(&mut dice, "theirs")];
            for (part, mut tree) in sides.into_iter().enumerate() {
                tree.0.insert(ATTRIBUTES.to_owned(), rules.clone());
                tree.commit(&mut stream, pair, part, &[0][..part.min(1)]);
            }
        }
        let mut world = World::of(&stream);
        let oids = world.oids();
        world.pairs = oids.chunks_exact(PARTS).map(|parts| [parts[0], parts[1], parts[2]]).collect();
        world
    }

    /// Two branches that each took in the other, and went on: two merge bases. Then one went on with a new file, or with rules
    /// for merging instead of it.
    fn crossed(n_pairs: usize, seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut stream = String::new();
        for pair in 0..n_pairs {
            let root = Tree::random(&mut dice);
            let (one, other) = (root.changed(&mut dice, "one"), root.changed(&mut dice, "other"));
            let both = root.merged(&one, &other);
            let (ours, theirs) = (both.changed(&mut dice, "ours"), both.changed(&mut dice, "theirs"));
            root.commit(&mut stream, pair, 0, &[]);
            one.commit(&mut stream, pair, 1, &[0]);
            other.commit(&mut stream, pair, 2, &[0]);
            ours.commit(&mut stream, pair, 3, &[1, 2]);
            theirs.commit(&mut stream, pair, 4, &[2, 1]);
            let rules = "* -merge".to_owned();
            for (part, path, line) in [(5, "fresh.txt", "fresh".to_owned()), (6, ATTRIBUTES, rules)] {
                let mut later = ours.clone();
                later.0.insert(path.to_owned(), File { mode: "100644", lines: vec![line] });
                later.commit(&mut stream, pair, part, &[3]);
            }
        }
        let mut world = World::of(&stream);
        let oids = world.oids();
        world.pairs = World::crossed_pairs(&oids, 3);
        world.crossed = oids.chunks_exact(CROSSED_PARTS).map(|parts| [parts[1], parts[2]]).collect();
        world
    }

    /// The pairs with this part for our side.
    fn crossed_pairs(oids: &[Oid], ours: usize) -> Vec<[Oid; 3]> {
        oids.chunks_exact(CROSSED_PARTS).map(|parts| [parts[0], parts[ours], parts[4]]).collect()
    }

    fn of(stream: &str) -> World {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("world.git");
        git(temp.path(), &["init", "-q", "--bare", folder.to_str().unwrap()], b"");
        git(&folder, &["fast-import", "--quiet"], stream.as_bytes());
        let mut world = World { _temp: temp, folder, pairs: Vec::new(), crossed: Vec::new(), n_files: 0 };
        world.n_files = world.count_object_files();
        world
    }

    fn oids(&self) -> Vec<Oid> {
        let list = git(&self.folder, &["for-each-ref", "--format=%(objectname)", "refs/heads"], b"").0;
        list.split(|&byte| byte == b'\n').filter_map(|hex| Oid::from_hex(hex).ok()).collect()
    }

    fn questions(&self) -> Vec<Question> {
        let question = |(number, [base, line, tip]): (usize, &[Oid; 3])| {
            let merge_bases = self.crossed.get(number).map_or(vec![*base], |both| both.to_vec());
            Question { line: *line, tip: *tip, merge_bases }
        };
        self.pairs.iter().enumerate().map(question).collect()
    }

    fn predict(&self, git: Option<&run::GitAt<'_>>) -> Vec<Merge> {
        self.predict_with(git, &Memory::none()).0
    }

    fn predict_with(
        &self,
        git: Option<&run::GitAt<'_>>,
        memory: &Memory,
    ) -> (Vec<Merge>, alignwatch_git::merge::Effort) {
        self.ask(git, memory, &self.questions())
    }

    fn ask(
        &self,
        git: Option<&run::GitAt<'_>>,
        memory: &Memory,
        questions: &[Question],
    ) -> (Vec<Merge>, alignwatch_git::merge::Effort) {
        self.ask_with(git, memory, questions, Duration::from_secs(600))
    }

    fn ask_within(&self, paths: Duration, memory: &Memory) -> Vec<Merge> {
        self.ask_with(None, memory, &self.questions(), paths).0
    }

    fn ask_with(
        &self,
        git: Option<&run::GitAt<'_>>,
        memory: &Memory,
        questions: &[Question],
        paths: Duration,
    ) -> (Vec<Merge>, alignwatch_git::merge::Effort) {
        let objects = Objects::open(&self.folder.join("objects"), "sha1").unwrap();
        let sources = GraphSources::in_git_dir(&self.folder, "sha1").unwrap();
        let tips: Vec<Oid> = questions.iter().flat_map(|question| [question.line, question.tip]).collect();
        let graph = Graph::open(&sources, &objects, &tips).0;
        let objects = objects.opener();
        let patience = Patience { verdicts: Duration::from_secs(600), paths };
        let predictor = Predictor {
            graph: &graph,
            objects: &objects,
            memory,
            git,
            attributes: Vec::new(),
            drivers: Vec::new(),
            patience,
            n_threads: 2,
            files: RecentFiles::default(),
            stop: &Stop::default(),
        };
        predictor.predict(questions, &|_, _| {})
    }

    /// Compares with Git, pair by pair, and returns how many were decided.
    fn compare(&self, answers: &[Merge]) -> usize {
        let mut n_decided = 0;
        for (pair, merge) in self.pairs.iter().zip(answers) {
            let (is_clean, kinds) = self.git_merges(pair);
            let place = || format!("merging {} and {} from {}:\n{}", pair[1], pair[2], pair[0], self.story(pair));
            match merge.verdict {
                Verdict::Unknown => continue,
                Verdict::Clean => assert!(is_clean, "git stops at {kinds:?}: {}", place()),
                Verdict::Conflict => assert!(!is_clean, "git merges {}: {merge:?}", place()),
            }
            let Some(conflicts) = &merge.conflicts else { continue };
            n_decided += 1;
            let predicted: BTreeMap<String, BTreeSet<String>> = conflicts
                .iter()
                .map(|conflict| (conflict.path.clone(), conflict.kinds.iter().cloned().collect()))
                .collect();
            assert_eq!(predicted, kinds, "{}", place());
        }
        n_decided
    }

    /// Is the merge clean, and which kinds of conflict does Git name for each path that it leaves in several versions?
    fn git_merges(&self, [_, ours, theirs]: &[Oid; 3]) -> (bool, BTreeMap<String, BTreeSet<String>>) {
        // Git reads no attributes from commits of a bare repository, so they are given to it as those of the user.
        let (rules, _) = git(&self.folder, &["cat-file", "blob", &format!("{ours}:{ATTRIBUTES}")], b"");
        let file = self.folder.join("rules");
        fs::write(&file, rules).unwrap();
        let attributes = format!("core.attributesFile={}", file.display());
        let merge = ["-c", &attributes, "merge-tree", "--write-tree", "--name-only", "--messages", "-z"];
        let (said, code) = git(&self.folder, &[&merge[..], &[&ours.hex(), &theirs.hex()]].concat(), b"");
        assert!(code == 0 || code == 1, "git merge-tree ended with {code}");
        let mut fields = said.split(|&byte| byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).skip(1);
        let paths = fields.by_ref().take_while(|path| code == 1 && !path.is_empty());
        let mut kinds: BTreeMap<String, BTreeSet<String>> = paths.map(|path| (path, BTreeSet::new())).collect();
        while let Some(n_paths) = fields.next().and_then(|number| number.parse().ok()) {
            let about: Vec<String> = fields.by_ref().take(n_paths).collect();
            let kind = fields.next().unwrap();
            let _text = fields.next();
            let Some(kind) = kind.strip_prefix("CONFLICT (").and_then(|kind| kind.strip_suffix(')')) else { continue };
            for path in about {
                kinds.entry(path).and_modify(|kinds| _ = kinds.insert(kind.to_owned()));
            }
        }
        (code == 0, kinds)
    }

    /// What each side did, for the reader of a failure.
    fn story(&self, [base, ours, theirs]: &[Oid; 3]) -> String {
        let diff = |side: &Oid| {
            let said = git(&self.folder, &["diff-tree", "-r", "-M", "--name-status", &base.hex(), &side.hex()], b"").0;
            String::from_utf8_lossy(&said).into_owned()
        };
        let merged = git(&self.folder, &["merge-tree", "--write-tree", &ours.hex(), &theirs.hex()], b"").0;
        format!("ours:\n{}theirs:\n{}git says:\n{}", diff(ours), diff(theirs), String::from_utf8_lossy(&merged))
    }

    fn objects_are_untouched(&self) -> bool {
        // The comparison with git above wrote objects, so the count is taken of packs alone.
        self.count_object_files() == self.n_files
    }

    fn count_object_files(&self) -> usize {
        fs::read_dir(self.folder.join("objects/pack")).unwrap().count()
    }
}

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> (Vec<u8>, i32) {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    (output.stdout, output.status.code().unwrap())
}

/// A small random number generator: the same worlds on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone)]
struct File {
    mode: &'static str,
    lines: Vec<String>,
}

impl File {
    /// Twenty lines, `unlike` others or not, of which some are others (`line=text`).
    fn of(spec: &str) -> File {
        let word = if spec.starts_with("unlike") { "nothing that is elsewhere" } else { "line" };
        let mut lines: Vec<String> = (0..20).map(|n| format!("{word} {n}")).collect();
        for (line, text) in spec.split_whitespace().filter_map(|change| change.split_once('=')) {
            lines[line.parse::<usize>().unwrap()] = text.to_owned();
        }
        File { mode: "100644", lines }
    }
}

const ATTRIBUTES: &str = ".gitattributes";

/// One line of an attributes file.
fn rule(dice: &mut Dice) -> String {
    let pattern = ["*.txt", "file1*.txt", "file?.txt", "a/**", "/c/*", "new*", "same-*", "moved/*"][dice.below(8)];
    let says = ["merge=union", "-merge", "binary", "merge", "merge=text", "!merge", "-text", "merge=binary"];
    format!("{pattern} {}", says[dice.below(8)])
}

/// A tree: path to file.
#[derive(Clone)]
struct Tree(BTreeMap<String, File>);

impl Tree {
    fn random(dice: &mut Dice) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        for number in 0..6 + dice.below(8) {
            let folder = ["", "a/", "a/b/", "c/", "d/e/"][dice.below(5)];
            let lines = (0..8 + dice.below(30)).map(|line| text(dice, number, line)).collect();
            tree.0.insert(format!("{folder}file{number}.txt"), File { mode: "100644", lines });
        }
        tree
    }

    fn changed(&self, dice: &mut Dice, side: &str) -> Tree {
        let mut tree = self.clone();
        for _ in 0..1 + dice.below(5) {
            let Some(path) = tree.0.keys().nth(dice.below(tree.0.len().max(1))).cloned() else { break };
            match dice.below(100) {
                0..52 => tree.edit(dice, &path, side),
                52..62 => drop(tree.0.remove(&path)),
                62..72 => tree.rename(dice, &path, side),
                72..82 => tree.add(dice, side),
                82..86 => tree.move_folder(dice, side),
                86..89 => tree.0.get_mut(&path).unwrap().mode = "100755",
                89..91 => drop(tree.0.insert(path, File { mode: "120000", lines: vec![format!("target-{side}")] })),
                91..94 => tree.0.get_mut(&path).unwrap().lines.insert(0, format!("\0binary {side}")),
                94..96 => tree.0.get_mut(&path).unwrap().lines.clear(),
                _ => tree.file_to_folder(&path, side),
            }
        }
        tree.without_clashes()
    }

    fn edit(&mut self, dice: &mut Dice, path: &str, side: &str) {
        let file = self.0.get_mut(path).unwrap();
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(file.lines.len() + 1);
            match dice.below(3) {
                0 if at < file.lines.len() => drop(file.lines.remove(at)),
                1 if at < file.lines.len() => {
                    file.lines[at] = format!("changed by {}", if dice.chance(70) { side } else { "both" })
                }
                _ => file
                    .lines
                    .insert(at, format!("added by {} {}", if dice.chance(80) { side } else { "both" }, dice.below(3))),
            }
        }
    }

    fn rename(&mut self, dice: &mut Dice, path: &str, side: &str) {
        let file = self.0.remove(path).unwrap();
        let to = match dice.below(4) {
            0 => format!("moved/{}", path.rsplit('/').next().unwrap()),
            1 => format!("{path}.{side}"),
            2 => format!("same-{}", dice.below(3)),
            _ => format!("{side}/{path}"),
        };
        self.0.insert(to.clone(), file);
        if dice.chance(50) {
            self.edit(dice, &to, side);
        }
    }

    fn add(&mut self, dice: &mut Dice, side: &str) {
        let folder = ["", "a/", "a/b/", "c/", "d/e/", "new/"][dice.below(6)];
        let number = dice.below(4);
        let lines = (0..dice.below(20)).map(|line| text(dice, 100 + number, line)).collect();
        let name =
            if dice.chance(50) { format!("{folder}new{number}.txt") } else { format!("{folder}{side}{number}.txt") };
        self.0.insert(name, File { mode: "100644", lines });
    }

    fn move_folder(&mut self, dice: &mut Dice, side: &str) {
        let from = ["a/", "c/", "d/"][dice.below(3)];
        let to = if dice.chance(50) { "moved-folder/".to_owned() } else { format!("{side}-folder/") };
        let moved: Vec<String> = self.0.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in moved {
            let file = self.0.remove(&path).unwrap();
            self.0.insert(path.replacen(from, &to, 1), file);
        }
    }

    fn file_to_folder(&mut self, path: &str, side: &str) {
        let file = self.0.remove(path).unwrap();
        self.0.insert(format!("{path}/{side}"), file);
    }

    /// A path can't be a file and a folder at once.
    fn without_clashes(mut self) -> Tree {
        let paths: Vec<String> = self.0.keys().cloned().collect();
        for path in &paths {
            if paths.iter().any(|other| other.starts_with(&format!("{path}/"))) {
                self.0.remove(path);
            }
        }
        self
    }

    /// What a merge without conflicts would hold, path by path.
    fn merged(&self, one: &Tree, other: &Tree) -> Tree {
        let lines = |tree: &Tree, path: &str| tree.0.get(path).map(|file| file.lines.clone());
        let paths: BTreeSet<&String> = one.0.keys().chain(other.0.keys()).collect();
        let mut merged = Tree(BTreeMap::new());
        for path in paths {
            let from = if lines(one, path) == lines(self, path) { other } else { one };
            if let Some(file) = from.0.get(path) {
                merged.0.insert(path.clone(), file.clone());
            }
        }
        merged.without_clashes()
    }

    fn commit(&self, stream: &mut String, pair: usize, part: usize, parents: &[usize]) {
        let mark = |part: usize| 1 + 10 * pair + part;
        let mark_here = mark(part);
        writeln!(stream, "commit refs/heads/p{pair:05}-{part}\nmark :{mark_here}").unwrap();
        writeln!(stream, "committer A <a@example.org> {} +0000\ndata 1\nx", 1_700_000_000 + mark_here).unwrap();
        for (number, parent) in parents.iter().enumerate() {
            writeln!(stream, "{} :{}", if number == 0 { "from" } else { "merge" }, mark(*parent)).unwrap();
        }
        writeln!(stream, "deleteall").unwrap();
        for (path, file) in &self.0 {
            let content = if file.mode == "120000" {
                file.lines.concat()
            } else {
                file.lines.iter().map(|line| format!("{line}\n")).collect()
            };
            writeln!(stream, "M {} inline {path}\ndata {}\n{content}", file.mode, content.len()).unwrap();
        }
    }
}

/// Some lines are common to all files, so that files are a little alike; most are not.
fn text(dice: &mut Dice, number: usize, line: usize) -> String {
    if dice.chance(25) { "}".to_owned() } else { format!("file {number} line {line} {}", dice.below(40)) }
}
