//! Tells a planned history from old to new, and writes it down commit by commit.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::{
    files::{File, FileId, Files, Kind, Merged, Prefer, merge},
    plan::{Act, Actor, Deed, Edit, LATE, Layout, MARKED, NEW, Plan},
    random::Random,
    stream::{Entry, Mark, Stream, Track},
    truth::{Fate, Markers},
};

/// A commit at the end of a line of work.
#[derive(Clone)]
pub(super) struct Tip {
    pub(super) mark: Mark,
    files: Files,
    at: i64,
}

/// A branch as far as it has come.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) tip: Tip,
    /// The files where it last met `main`.
    base: Files,
    /// The commit of `main` that it has.
    met: Mark,
    /// The files after each own commit, beginning with those at the fork; kept where commits land one by one.
    own: Vec<Files>,
    has_landed: Option<Landed>,
}

/// What a landing did to `main`.
#[derive(Clone)]
struct Landed {
    before: Files,
    after: Files,
}

/// The end of the story.
pub(super) struct Ending {
    pub(super) main: Tip,
    pub(super) lines: Vec<Live>,
    pub(super) branches: Vec<Live>,
}

/// How many tips of `main` a topic can fork from.
const N_RECENT: usize = 6;

struct Story<'a> {
    plan: &'a Plan,
    stream: &'a mut Stream,
    random: Random,
    main: Tip,
    recent: VecDeque<Tip>,
    lines: Vec<Option<Live>>,
    branches: Vec<Option<Live>>,
    n_versions: u32,
    n_new_files: FileId,
    newest_at: i64,
}

/// Tells the whole story.
pub(super) fn tell(plan: &Plan, seed: u64, newest_at: i64, stream: &mut Stream) -> Ending {
    let nothing: Files = Rc::new(BTreeMap::new());
    let mut story = Story {
        plan,
        stream,
        random: Random::new(!seed),
        main: Tip { mark: 0, files: nothing, at: 0 },
        recent: VecDeque::new(),
        lines: vec![None; plan.lines.len()],
        branches: vec![None; plan.branches.len()],
        n_versions: 0,
        n_new_files: NEW,
        newest_at,
    };
    for nth in 0..plan.steps.len() {
        story.step(nth);
    }
    let all = |lives: Vec<Option<Live>>| lives.into_iter().map(|live| live.expect("all begin somewhere")).collect();
    Ending { main: story.main, lines: all(story.lines), branches: all(story.branches) }
}

impl Story<'_> {
    fn step(&mut self, nth: usize) {
        let plan = self.plan;
        let step = &plan.steps[nth];
        let at = step.at.max(self.main.at);
        match step.topics.as_slice() {
            _ if nth == 0 => self.begin(at),
            [] => {
                let files = self.edited(&self.main.files.clone(), &step.edits);
                self.on_main(&[], files, at, "work");
            }
            topics => self.merge_topics(topics, &step.edits, at),
        }
        self.recent.push_front(self.main.clone());
        self.recent.truncate(N_RECENT);
        for (actor, act) in &step.acts {
            self.act(*actor, act, at);
        }
    }

    fn begin(&mut self, at: i64) {
        let files = Rc::new(first_files(self.plan.layout));
        self.on_main(&[], files, at, "begin");
    }

    /// A commit on `main`, after its tip and these others.
    fn on_main(&mut self, others: &[Mark], files: Files, at: i64, message: &str) {
        let mut parents: Vec<Mark> = (self.main.mark > 0).then_some(self.main.mark).into_iter().collect();
        parents.extend(others);
        let before = self.main.files.clone();
        let entry =
            Entry { track: Track::Main, parents: &parents, before: &before, after: &files, at, author: "ann", message };
        let mark = self.stream.commit(&entry);
        self.main = Tip { mark, files, at };
    }

    /// A commit of a side line, after its tip and perhaps another.
    fn on_side(&mut self, tip: &Tip, other: Option<Mark>, files: Files, at: i64, author: &str) -> Tip {
        let parents: Vec<Mark> = (tip.mark > 0).then_some(tip.mark).into_iter().chain(other).collect();
        let message = if other.is_some() { "merge" } else { "change" };
        let at = at.min(self.newest_at).max(tip.at);
        let entry =
            Entry { track: Track::Side, parents: &parents, before: &tip.files, after: &files, at, author, message };
        Tip { mark: self.stream.commit(&entry), files, at }
    }

    fn merge_topics(&mut self, topics: &[usize], edits: &[Edit], at: i64) {
        let mut tips = Vec::new();
        let mut files = self.main.files.clone();
        for (nth, &n_commits) in topics.iter().enumerate() {
            let edits: Vec<Edit> = edits.iter().skip(nth).step_by(topics.len()).copied().collect();
            let tip = self.topic(n_commits, &edits);
            files = merge(&tip.1, &files, &tip.0.files, Prefer::Theirs).files;
            tips.push(tip.0.mark);
        }
        self.on_main(&tips, files, at, "merge topic");
    }

    /// A short line of work from a recent tip of `main`: its tip, and the files at its fork.
    fn topic(&mut self, n_commits: usize, edits: &[Edit]) -> (Tip, Files) {
        let fork = self.recent[self.random.skewed_below(self.recent.len())].clone();
        let mut tip = fork.clone();
        for nth in 0..n_commits {
            let edits: Vec<Edit> = edits.iter().skip(nth).step_by(n_commits).copied().collect();
            let files = self.edited(&tip.files, &edits);
            let at = tip.at + 60 * self.random.within(1, 10) as i64;
            tip = self.on_side(&tip, None, files, at, "carol");
        }
        (tip, fork.files)
    }

    fn edited(&mut self, files: &Files, edits: &[Edit]) -> Files {
        let mut files = files.clone();
        for edit in edits {
            self.edit(Rc::make_mut(&mut files), *edit);
        }
        files
    }

    fn edit(&mut self, files: &mut BTreeMap<FileId, Rc<File>>, edit: Edit) {
        match edit {
            Edit::Block(id, block) => self.change_block(files, id, block),
            Edit::Add(id) => {
                // A branch that crossed may have brought a file to this path.
                let file = late_file(id);
                files.retain(|_, known| known.path != file.path);
                put(files, id, file);
            }
            Edit::Rename(id) => rename(files, id, "moved"),
            Edit::Delete(id) => drop(files.remove(&id)),
            Edit::Marker { begins } => {
                let kind = if begins { Kind::Marked } else { Kind::Text };
                put(files, MARKED, File::new("src/handlers.py", kind, self.version()));
            }
        }
    }

    fn change_block(&mut self, files: &mut BTreeMap<FileId, Rc<File>>, id: FileId, block: usize) {
        let version = self.version();
        if let Some(file) = files.get_mut(&id) {
            *file = Rc::new(file.with_block(block, version));
        }
    }

    fn version(&mut self) -> u32 {
        self.n_versions += 1;
        self.n_versions
    }

    fn act(&mut self, actor: Actor, act: &Act, at: i64) {
        match act {
            Act::Fork(line) => self.fork(actor, *line),
            Act::Commit(deeds) => self.commit(actor, deeds, at),
            Act::MergeBack => self.merge_back(actor, at),
            Act::Cross => self.cross(actor, at),
            Act::Land => self.land(actor, at),
            Act::Revert => self.revert(actor, at),
            Act::EditAgain => self.edit_again(actor, at),
        }
    }

    fn live(&mut self, actor: Actor) -> &mut Option<Live> {
        match actor {
            Actor::Line(nth) => &mut self.lines[nth],
            Actor::Branch(nth) => &mut self.branches[nth],
        }
    }

    fn fork(&mut self, actor: Actor, line: Option<usize>) {
        let parent = line.map(|line| self.lines[line].as_ref().expect("a line begins before its branches"));
        let tip = parent.map_or_else(|| self.main.clone(), |live| live.tip.clone());
        let (base, met) = parent.map_or_else(|| (tip.files.clone(), tip.mark), |live| (live.base.clone(), live.met));
        *self.live(actor) = Some(Live { own: vec![tip.files.clone()], base, met, tip, has_landed: None });
    }

    fn commit(&mut self, actor: Actor, deeds: &[Deed], at: i64) {
        let nothing: Files = Rc::new(BTreeMap::new());
        let unborn = || Live {
            tip: Tip { mark: 0, files: nothing.clone(), at },
            base: nothing.clone(),
            met: 0,
            own: Vec::new(),
            has_landed: None,
        };
        let mut live = self.live(actor).take().unwrap_or_else(unborn);
        let mut files = live.tip.files.clone();
        for deed in deeds {
            self.deed(Rc::make_mut(&mut files), *deed);
        }
        let at = at.max(live.tip.at) + 60 * self.random.within(1, 10) as i64;
        live.tip = self.on_side(&live.tip, None, files, at, self.author(actor));
        if self.lands_in_pieces(actor) {
            live.own.push(live.tip.files.clone());
        }
        *self.live(actor) = Some(live);
    }

    fn author(&self, actor: Actor) -> &'static str {
        match actor {
            Actor::Line(_) => "dora",
            Actor::Branch(nth) => self.plan.branches[nth].author,
        }
    }

    fn fate(&self, actor: Actor) -> Fate {
        match actor {
            Actor::Line(_) => Fate::Open,
            Actor::Branch(nth) => self.plan.branches[nth].fate,
        }
    }

    fn lands_in_pieces(&self, actor: Actor) -> bool {
        matches!(self.fate(actor), Fate::Rebased | Fate::Partly)
    }

    fn deed(&mut self, files: &mut BTreeMap<FileId, Rc<File>>, deed: Deed) {
        match deed {
            Deed::Own(id, block) | Deed::Edit(id, block) => self.change_block(files, id, block),
            Deed::NewFile => {
                let (id, version) = (self.new_id(), self.version());
                put(files, id, File::new(&format!("dir{:02}/new-{id}.txt", id % N_DIRS), Kind::Text, version));
            }
            Deed::Rename(id) => rename(files, id, "renamed"),
            Deed::Delete(id) => drop(files.remove(&id)),
            Deed::ToDirectory(id) => {
                if let Some(file) = files.remove(&id) {
                    let (id, version) = (self.new_id(), self.version());
                    put(files, id, File::new(&format!("{}/part.txt", file.path), Kind::Text, version));
                }
            }
            Deed::Executable(id) => {
                if let Some(file) = files.get_mut(&id) {
                    *file = Rc::new(File { kind: Kind::Executable, ..(**file).clone() });
                }
            }
            Deed::AddToo { file, same } => self.add_too(files, file, same),
            Deed::Marker => {
                let (id, version) = (self.new_id(), self.version());
                put(files, id, File::new(&format!("src/draft-{id}.py"), Kind::Marked, version));
            }
        }
    }

    fn add_too(&mut self, files: &mut BTreeMap<FileId, Rc<File>>, late: FileId, same: bool) {
        let theirs = late_file(late);
        if files.values().any(|file| file.path == theirs.path) {
            return;
        }
        let (id, version) = (self.new_id(), self.version());
        put(files, id, if same { theirs } else { theirs.with_block(0, version) });
    }

    fn new_id(&mut self) -> FileId {
        self.n_new_files += 1;
        self.n_new_files
    }

    fn merge_back(&mut self, actor: Actor, at: i64) {
        let mut live = self.live(actor).take().expect("a branch begins before it merges");
        let main = self.main.clone();
        if live.met != main.mark {
            let merged = self.merged_with_main(&live);
            live.tip = self.on_side(&live.tip, Some(main.mark), merged, at, self.author(actor));
            live.base = main.files;
            live.met = main.mark;
        }
        *self.live(actor) = Some(live);
    }

    /// The files of a branch after it took `main` in, keeping its own where both changed the same.
    fn merged_with_main(&self, live: &Live) -> Files {
        merge(&live.base, &live.tip.files, &self.main.files, Prefer::Ours).files
    }

    fn cross(&mut self, actor: Actor, at: i64) {
        let mut live = self.live(actor).take().expect("a branch begins before it crosses");
        if live.met == self.main.mark {
            // Both sides must have something that the other lacks.
            self.on_main(&[], self.main.files.clone(), at, "work");
        }
        let (main, tip) = (self.main.clone(), live.tip.clone());
        let on_branch = self.merged_with_main(&live);
        let on_main = merge(&live.base, &main.files, &tip.files, Prefer::Ours).files;
        self.on_main(&[tip.mark], on_main, at.max(tip.at), "merge branch");
        live.tip = self.on_side(&tip, Some(main.mark), on_branch, at, self.author(actor));
        *self.live(actor) = Some(live);
    }

    fn land(&mut self, actor: Actor, at: i64) {
        let mut live = self.live(actor).take().expect("a branch begins before it lands");
        let before = self.main.files.clone();
        let at = at.max(live.tip.at);
        match self.fate(actor) {
            Fate::Merged => {
                let Merged { files, .. } = merge(&live.base, &before, &live.tip.files, Prefer::Theirs);
                self.on_main(&[live.tip.mark], files, at, "merge branch");
            }
            Fate::Rebased => self.pick(&live.own, live.own.len() - 1, at),
            Fate::Partly => self.pick(&live.own, (live.own.len() - 1) / 2, at),
            _ => {
                let Merged { files, .. } = merge(&live.base, &before, &live.tip.files, Prefer::Theirs);
                self.on_main(&[], files, at, "squash");
            }
        }
        live.has_landed = Some(Landed { before, after: self.main.files.clone() });
        *self.live(actor) = Some(live);
    }

    /// The first `n` commits of a branch, each as a commit of `main`.
    fn pick(&mut self, own: &[Files], n: usize, at: i64) {
        for pair in own.windows(2).take(n) {
            let Merged { files, .. } = merge(&pair[0], &self.main.files, &pair[1], Prefer::Theirs);
            self.on_main(&[], files, at, "pick");
        }
    }

    fn revert(&mut self, actor: Actor, at: i64) {
        let landed = self.live(actor).as_ref().and_then(|live| live.has_landed.clone());
        let landed = landed.expect("a branch lands before it is reverted");
        let Merged { files, .. } = merge(&landed.after, &self.main.files, &landed.before, Prefer::Theirs);
        self.on_main(&[], files, at.max(self.main.at), "revert");
    }

    fn edit_again(&mut self, actor: Actor, at: i64) {
        let Actor::Branch(nth) = actor else { return };
        let (id, block) = self.plan.branches[nth].own;
        let files = self.edited(&self.main.files.clone(), &[Edit::Block(id, block)]);
        self.on_main(&[], files, at.max(self.main.at), "edit again");
    }
}

impl Ending {
    /// Whether git stops when a branch is merged with `main`, if it has one merge base and does not
    /// lie inside of `main`.
    pub(super) fn conflicts(&self, live: &Live) -> bool {
        merge(&live.base, &self.main.files, &live.tip.files, Prefer::Ours).conflicts
    }
}

impl Live {
    /// The conflict markers at its tip.
    pub(super) fn markers(&self) -> Markers {
        let is_marked = |(id, file): (&FileId, &Rc<File>)| (file.kind == Kind::Marked).then_some(*id == MARKED);
        let found: Vec<bool> = self.tip.files.iter().filter_map(is_marked).collect();
        match (found.contains(&true), found.contains(&false)) {
            (false, false) => Markers::No,
            (true, false) => Markers::Inherited,
            (false, true) => Markers::Own,
            (true, true) => Markers::Both,
        }
    }
}

/// Directories that texts are spread over.
const N_DIRS: u32 = 40;

fn first_files(layout: Layout) -> BTreeMap<FileId, Rc<File>> {
    let file = |id: usize| {
        let (path, kind) = match id {
            0 => ("CHANGELOG.md".to_owned(), Kind::Text),
            _ if id < layout.first_link() => (format!("dir{:02}/file-{id}.txt", id as u32 % N_DIRS), Kind::Text),
            _ if id < layout.first_submodule() => (format!("links/link-{id}"), Kind::Link),
            _ if id < layout.first_binary() => (format!("vendor/module-{id}"), Kind::Submodule),
            _ => (format!("assets/image-{id}.bin"), Kind::Binary),
        };
        (id as FileId, Rc::new(File::new(&path, kind, 0)))
    };
    (0..layout.n_files()).map(file).collect()
}

/// A file that `main` adds later. Every second one is binary.
fn late_file(id: FileId) -> File {
    let kind = if id.is_multiple_of(2) { Kind::Text } else { Kind::Binary };
    File::new(&format!("dir{:02}/late-{}.dat", id % N_DIRS, id - LATE), kind, id)
}

fn put(files: &mut BTreeMap<FileId, Rc<File>>, id: FileId, file: File) {
    files.insert(id, Rc::new(file));
}

/// Gives a file another name in the same directory.
fn rename(files: &mut BTreeMap<FileId, Rc<File>>, id: FileId, word: &str) {
    if let Some(file) = files.get_mut(&id) {
        let (dir, _) = file.path.rsplit_once('/').unwrap_or((".", ""));
        let path = if dir == "." { format!("{word}-{id}.txt") } else { format!("{dir}/{word}-{id}.txt") };
        *file = Rc::new(file.with_path(&path));
    }
}
