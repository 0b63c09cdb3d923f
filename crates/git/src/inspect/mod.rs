//! Looks at one repository once, and says all that was seen.
//!
//! The order is: open, read the refs, load the history, find the lines, measure
//! every branch, prove what landed, predict what would merge, look for markers.
//! Each part that can't be read is unknown with its reason; it ends nothing else.
//! Nothing is written into the repository. What was worked out is remembered in
//! a folder of our own.

mod bases;
mod carry;
mod causes;
mod collect;
mod history;
mod past;
mod touched;
mod verdicts;
mod watched;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use alignwatch_model::{
    Drift, Known, Look, Looks, Oid, RefName, Snapshot, Timestamp,
    config::{Config, RelationRule},
    facts::Facts,
    look::Looked,
    snapshot::{BrokenRef, Repository},
};

use self::{history::History, watched::Watched};
use crate::{
    graph::{Recent, RecentContents},
    health::{self, fsck::Depth, speed::speed, storage::storage},
    locks::LockWatch,
    memory::Memory,
    objects::{Objects, ReadError},
    refs::{Refs, RefsError, read_files, read_refs, upstreams},
    repository::{OpenError, Opened, RefBackend, open},
    run::{Git, GitAt, GitError, Limits},
    stop::Stop,
    unfinished::under_way,
    worktrees::checked_out,
};

/// What to look at, besides the refs and their drift.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Measure all branches against this ref, short or full, instead of what is found or configured.
    pub base: Option<String>,
    /// What to look at, with all that it requires ([`Look::with_required`]).
    pub looks: BTreeSet<Look>,
    /// How long Git may take for the paths of conflicts whose verdict is known.
    pub paths_patience: Duration,
    /// When to come to an end; what was not looked at then is not taken, with the reason.
    pub stop: Stop,
}

/// Where an inspection stands, for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A part began.
    Phase(&'static str),
    /// So many of so many are done in this part.
    Step(usize, usize),
}

/// Hears where an inspection stands, from several threads.
pub type Listener<'a> = &'a (dyn Fn(Progress) + Sync);

/// Why a repository could not be inspected at all.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its refs could not be read.
    #[error(transparent)]
    Refs(#[from] RefsError),
    /// Its refs can only be read by a git, and there is none.
    #[error("cannot read the refs of `{path}`: {source}")]
    NoGit {
        /// The repository.
        path: String,
        /// Why there is no git.
        source: GitError,
    },
    /// Its object database could not be opened.
    #[error("cannot read the objects of `{path}`: {source}")]
    Objects {
        /// The repository.
        path: String,
        /// What is wrong.
        source: ReadError,
    },
    /// A file that changes history could not be read.
    #[error(transparent)]
    Sources(#[from] crate::graph::SourcesError),
    /// A base that was asked for does not exist. One that is configured is among [`Snapshot::missing_bases`].
    #[error("cannot measure against `{name}`: {reason} in `{path}`")]
    NoSuchBase {
        /// The name as it was given.
        name: String,
        /// Why, as a sentence part.
        reason: String,
        /// The repository.
        path: String,
        /// Names that are alike.
        alike: Vec<String>,
    },
    /// A pattern of the configuration can't be read.
    #[error("cannot use a pattern of the configuration: it {0}")]
    Pattern(String),
}

/// Inspects the repository at `path`, or the one it lies in.
///
/// `data_dir` is where facts are remembered; without it every run begins anew. `now` is the time
/// that ages are counted to. Errors: [`InspectError`]; what only concerns a part of the
/// repository is not among them.
pub fn inspect(
    path: &Path,
    config: &Config,
    now: Timestamp,
    data_dir: Option<&Path>,
    wanted: &Wanted,
    listener: Listener<'_>,
) -> Result<Snapshot, InspectError> {
    inspect_again(path, config, now, data_dir, wanted, listener, &Recent::default())
}

/// The same for who looks again and again: large histories stay in memory between the looks, in `recent`.
pub fn inspect_again(
    path: &Path,
    config: &Config,
    now: Timestamp,
    data_dir: Option<&Path>,
    wanted: &Wanted,
    listener: Listener<'_>,
    recent: &Recent,
) -> Result<Snapshot, InspectError> {
    listener(Progress::Phase("reading refs"));
    let began = Instant::now();
    let opened = open(path)?;
    let git = Git::find();
    let at = git.as_ref().map_err(GitError::clone).and_then(|git| git.at(&opened));
    let at = at.map(|at| at.limited(limits(config)).stopped_by(wanted.stop.clone()));
    let refs = refs_of(&opened, &at)?;
    let place = shown(&opened.path);
    let no_objects = |source| InspectError::Objects { path: place.clone(), source };
    let objects = Objects::open(&opened.objects_dir, &opened.object_format).map_err(no_objects)?;
    let contents = recent.contents(&opened.objects_dir);
    let objects = objects.with(contents.trees.clone());
    let memory =
        data_dir.map_or_else(Memory::none, |folder| Memory::in_folder(folder.join("remembered").join(opened.id())));
    let memory = memory.keeping(contents.shelves.clone());
    let inspection = Inspection {
        began,
        taken: RefCell::default(),
        config,
        now,
        wanted,
        listener,
        opened: &opened,
        git: at.as_ref().ok(),
        objects: &objects,
        memory: &memory,
        recent,
        contents,
    };
    inspection.snapshot(&refs, repository(&opened, &git, &refs))
}

fn refs_of(opened: &Opened, git: &Result<GitAt<'_>, GitError>) -> Result<Refs, InspectError> {
    match (opened.ref_backend, git) {
        (_, Ok(git)) => Ok(read_refs(opened, git)?),
        (RefBackend::Files, Err(_)) => Ok(read_files(opened)?),
        (RefBackend::Reftable, Err(source)) => {
            Err(InspectError::NoGit { path: shown(&opened.path), source: source.clone() })
        }
    }
}

fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

fn repository(opened: &Opened, git: &Result<Git, GitError>, refs: &Refs) -> Repository {
    let backend = match opened.ref_backend {
        RefBackend::Files => "files",
        RefBackend::Reftable => "reftable",
    };
    Repository {
        path: shown(&opened.path),
        id: opened.id(),
        git_dir: opened.common_dir.to_string_lossy().into_owned(),
        object_format: opened.object_format.clone(),
        ref_backend: backend.to_owned(),
        is_bare: opened.is_bare,
        is_shallow: opened.is_shallow(),
        is_partial: opened.is_partial,
        has_grafts: opened.has_grafts,
        n_replace_refs: refs.n_replacements(),
        alternates: opened
            .alternates
            .iter()
            .map(|other| (other.path.to_string_lossy().into_owned(), other.exists))
            .collect(),
        git_version: match git {
            Ok(git) => Known::Seen(git.version().text.clone()),
            Err(error) => Known::Unknown(error.to_string()),
        },
        git_bugs: git.as_ref().map(|git| git.version().known_bugs()).unwrap_or_default(),
    }
}

/// What one git process may use, as configured.
fn limits(config: &Config) -> Limits {
    Limits {
        time: Duration::from_secs(config.inspect.git_deadline.0.unsigned_abs()),
        stdout_bytes: usize::try_from(config.inspect.output_limit).unwrap_or(usize::MAX),
        ..Limits::default()
    }
}

/// Everything that the parts of one inspection share.
struct Inspection<'a> {
    began: Instant,
    taken: RefCell<Looks>,
    config: &'a Config,
    now: Timestamp,
    wanted: &'a Wanted,
    listener: Listener<'a>,
    opened: &'a Opened,
    git: Option<&'a GitAt<'a>>,
    objects: &'a Objects,
    memory: &'a Memory,
    recent: &'a Recent,
    contents: RecentContents,
}

impl Inspection<'_> {
    fn snapshot(&self, refs: &Refs, repository: Repository) -> Result<Snapshot, InspectError> {
        let common_dir = &self.opened.common_dir;
        // The second look at the locks comes at the end: what the inspection takes is the time between.
        let locks = self.look(Look::Locks, || Known::Seen(LockWatch::first_look(common_dir)));
        let hazards = self.look(Look::Settings, || self.hazards());
        let unfinished = self.look(Look::Unfinished, || under_way(common_dir, refs));
        let checked_out = self.look(Look::Worktrees, || checked_out(common_dir));
        let storage = self.look(Look::Storage, || Known::Seen(storage(self.opened, self.now, self.memory)));
        let entries = self.git.map_or(self.opened.entries.as_slice(), |git| git.entries());
        let speed = self.look(Look::Speed, || Known::Seen(speed(self.opened, refs, entries)));
        let settings = self.take(Look::Settings, || (self.settings(), self.remotes(refs)));
        let (settings, remotes) = settings.unwrap_or_else(|| (not_looked(), not_looked()));
        let worktrees = self.look(Look::Worktrees, || health::worktrees::seen(self.opened));
        let site = self.look(Look::Site, || Known::Seen(health::site::site(self.opened, entries)));
        let filter = self.config.refs.filter().map_err(|error| InspectError::Pattern(error.problem))?;
        let entries = self.git.map(|git| git.entries()).unwrap_or_default();
        let watched = watched::choose(refs, &filter, upstreams(refs, entries), self.objects);
        let history = self.take(Look::History, || self.history(refs, &watched)).transpose()?;
        self.taken.borrow_mut().note(Look::Refs, Looked::Took(self.began.elapsed().as_secs_f64()));
        let history = history.unwrap_or_else(History::not_looked);
        let reflogs = self.look(Look::Reflogs, || self.reflogs());
        let shape = self.look(Look::Shape, || self.shape(refs, &storage));
        let pack_bytes = self.look(Look::PackBytes, || self.pack_bytes());
        let connectivity = self.look(Look::Connectivity, || self.fsck(refs, Depth::Connectivity));
        let checked_objects = self.look(Look::Objects, || self.fsck(refs, Depth::Full));
        let locks = match locks {
            Known::Seen(locks) => locks.second_look(self.now),
            Known::Unknown(reason) => Known::Unknown(reason),
        };
        Ok(Snapshot {
            seen_at: self.now,
            repository,
            head: refs.head.clone(),
            lines: history.lines,
            missing_bases: history.missing_bases,
            branches: history.branches,
            broken_refs: broken(refs, watched),
            commit_graph: history.commit_graph,
            locks,
            unfinished,
            hazards,
            checked_out,
            crossings: history.crossings,
            unread_files: history.unread_files,
            host: not_looked(),
            facts: Facts {
                storage,
                speed,
                shape,
                pack_bytes,
                connectivity,
                objects: checked_objects,
                collisions: history.collisions,
                pool: Known::Seen(health::pool::pool(self.opened)),
                ref_files: self.ref_files(refs),
                reflogs,
                extensions: Known::Seen(self.opened.extensions.clone()),
                refs: Known::Seen(health::refs::ref_facts(refs)),
                settings,
                remotes,
                changes: self.look(Look::Changes, || self.changes(&worktrees)),
                worktrees,
                rewrites: history.rewrites,
                dates: history.dates,
                dropped_sides: history.dropped_sides,
                past: history.past,
                contents: history.contents,
                site,
                remote_answers: self.look(Look::Remotes, || self.remote_answers()),
                // Whoever knows the data directory puts them in.
                runs: not_looked(),
                unread_runs: None,
                expected_since: BTreeMap::new(),
                tasks: not_looked(),
                task_ends: not_looked(),
                backups: not_looked(),
            },
            looks: self.taken.take(),
        })
    }

    /// Takes a look if it is wanted and there is time; notes what became of it.
    fn take<T>(&self, look: Look, see: impl FnOnce() -> T) -> Option<T> {
        let missing =
            if self.wanted.looks.contains(&look) { self.wanted.stop.reason() } else { Some(NOT_WANTED.into()) };
        if let Some(reason) = missing {
            self.taken.borrow_mut().note(look, Looked::Not(reason));
            return None;
        }
        let began = Instant::now();
        let seen = see();
        self.taken.borrow_mut().note(look, Looked::Took(began.elapsed().as_secs_f64()));
        Some(seen)
    }

    /// The same for a look whose answer may be unknown; one that was not taken is.
    fn look<T>(&self, look: Look, see: impl FnOnce() -> Known<T>) -> Known<T> {
        self.take(look, see).unwrap_or_else(not_looked)
    }

    /// The configured relations that are about this repository, each with its place in the configuration.
    fn relations(&self) -> impl Iterator<Item = (usize, &RelationRule)> {
        let path = shown(&self.opened.path);
        self.config.relations.iter().enumerate().filter(move |(_, rule)| rule.is_about(&path))
    }

    fn say(&self, phase: &'static str) {
        (self.listener)(Progress::Phase(phase));
    }

    fn n_threads(&self) -> usize {
        let n_processors = std::thread::available_parallelism().map_or(1, usize::from);
        self.config.inspect.jobs_of(n_processors)
    }
}

/// Why a look that nobody asked for was not taken.
const NOT_WANTED: &str = "it was not asked for";

fn not_looked<T>() -> Known<T> {
    Known::Unknown("it was not looked at".into())
}

fn broken(refs: &Refs, watched: Watched) -> Vec<BrokenRef> {
    let mut broken: Vec<BrokenRef> = refs.broken.iter().cloned().chain(watched.broken).collect();
    broken.sort_by(|a, b| a.name.cmp(&b.name));
    broken
}

/// The drift of a line from itself.
fn no_drift(oid: Oid) -> Drift {
    Drift { ahead: 0, behind: 0, merge_bases: vec![oid], on_base_line: true, base_at: None, missing_since: None }
}

/// Where a name that a person gave may stand.
fn full_names(name: &str) -> [RefName; 4] {
    [name.to_owned(), format!("refs/heads/{name}"), format!("refs/remotes/{name}"), format!("refs/{name}")]
        .map(RefName::new)
}
