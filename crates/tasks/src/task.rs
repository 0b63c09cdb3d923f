//! What a task is, and what it gets to work with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use alignwatch_git::{
    health::pool::{borrowers, pool},
    repository::Opened,
    run::{Call, Git, GitAt},
    stop::Stop,
    tend::Undo,
};
use alignwatch_model::{
    Look, Snapshot, Timestamp,
    config::Config,
    snapshot::GitPart,
    task::{Decision, Limit, Measure, Plan},
};

/// A maintenance duty.
pub struct Task {
    /// Its name, as people type it.
    pub id: &'static str,
    /// What it does, in a line.
    pub title: &'static str,
    /// Why that is good, and what it costs, in a sentence or two.
    pub why: &'static str,
    /// What must be the same afterwards.
    pub guard: Guard,
    /// What of git it relies on: a git that gets that wrong is refused.
    pub uses: &'static [GitPart],
    /// What has to be looked at for its numbers.
    pub looks: &'static [Look],
    /// How often it is worth asking: a length of time, or a cron pattern.
    pub usual: &'static str,
    /// Why it runs by itself only where a rule of `tasks` names it, as a sentence part; `None` = it always does.
    pub opt_in: Option<&'static str>,
    /// How it is taken back, as a sentence part.
    pub undo: &'static str,
    /// The numbers it goes by. The same are read again afterwards.
    pub measure: fn(&Seen<'_>) -> Vec<Measure>,
    /// Judges those numbers.
    pub plan: fn(&Seen<'_>, Draft) -> Plan,
    /// Says what takes it back, and keeps what that needs in the quarantine; `None` = there is nothing to take back.
    pub prepare: Option<fn(&Work<'_>) -> Result<Undo, String>>,
    /// Acts. Errors: what went wrong, as a sentence part.
    pub perform: fn(&Work<'_>) -> Result<(), String>,
}

impl Task {
    /// Does it run by itself in the repository at this path?
    pub fn is_asked_for(&self, config: &Config, path: &str) -> bool {
        self.opt_in.is_none() || config.task_rule(self.id, path).is_some()
    }
}

/// What must be the same after a task as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// All objects that are in use: it rewrites where objects are. A net is spread below.
    Objects,
    /// All refs: it rewrites where they are.
    Refs,
    /// All objects in use, and all refs but those that its undo names: it changes refs.
    Changes,
    /// Nothing can get lost: it writes what is derived from the rest, or only looks.
    Derived,
    /// Nothing is written in the repository, so that nobody's lock is in the way.
    Outside,
    /// Nothing can get lost, and locks do not hold it: they are what it is about.
    Locks,
}

/// What a plan is made from.
pub struct Seen<'a> {
    /// The repository, just now.
    pub snapshot: &'a Snapshot,
    /// The repository's folders.
    pub opened: &'a Opened,
    /// The configuration in force.
    pub config: &'a Config,
    /// The git that does it.
    pub git: &'a Git,
    /// Where things are remembered.
    pub data_dir: &'a Path,
    /// When.
    pub now: Timestamp,
}

/// What a task acts with.
pub struct Work<'a> {
    /// The hardened git.
    pub git: &'a GitAt<'a>,
    /// What its plan was made from.
    pub seen: Seen<'a>,
    /// When to come to an end at the next safe step.
    pub stop: &'a Stop,
    /// Names the quarantine of this run: `quarantine/<id>` in the Git directory.
    pub id: &'a str,
    /// What takes it back; empty while that is being prepared.
    pub undo: &'a Undo,
}

/// A plan that is being made.
#[derive(Debug)]
pub struct Draft {
    task: &'static str,
    undo: &'static str,
    inputs: Vec<Measure>,
    limits: Vec<Limit>,
    steps: Vec<String>,
    notes: Vec<String>,
    proofs: BTreeMap<String, u32>,
    takes_seconds: Option<u64>,
    disk_bytes: u64,
    disk_at: Option<String>,
}

impl Draft {
    /// The beginning of a plan of this task, with its numbers.
    pub(crate) fn of(task: &Task, seen: &Seen<'_>) -> Draft {
        Draft {
            task: task.id,
            undo: task.undo,
            inputs: (task.measure)(seen),
            limits: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            proofs: BTreeMap::new(),
            takes_seconds: None,
            disk_bytes: 0,
            disk_at: None,
        }
    }

    /// The number of this name. Asking for one that the task does not measure is a bug of ours.
    pub(crate) fn input(&self, name: &str) -> Measure {
        let found = self.inputs.iter().find(|measure| measure.name == name).cloned();
        found.unwrap_or_else(|| Measure::unknown(name, "", "it is not measured"))
    }

    /// Compares the number of this name with a limit. Errors: it is not known.
    pub(crate) fn reaches(&mut self, name: &str, value: i64, source: &str) -> Result<bool, String> {
        let measure = self.input(name);
        let limit = Limit::of(&measure, value, source);
        let reached = limit.is_reached_by(&measure);
        self.limits.push(limit);
        reached
    }

    /// One act.
    pub(crate) fn step(mut self, words: impl Into<String>) -> Draft {
        self.steps.push(words.into());
        self
    }

    /// A branch that it takes away, and the proof that this loses nothing.
    pub(crate) fn takes_away(mut self, proof: &str) -> Draft {
        *self.proofs.entry(proof.to_owned()).or_default() += 1;
        self
    }

    /// Something that it leaves alone, and why.
    pub(crate) fn note(mut self, words: impl Into<String>) -> Draft {
        self.notes.push(words.into());
        self
    }

    /// What it costs.
    pub(crate) fn costs(mut self, seconds: u64, disk_bytes: u64) -> Draft {
        self.takes_seconds = Some(seconds.max(1));
        self.disk_bytes = disk_bytes;
        self
    }

    /// The room that it needs is in this folder, and not in the repository.
    pub(crate) fn writes_in(mut self, folder: &Path) -> Draft {
        self.disk_at = Some(folder.display().to_string());
        self
    }

    /// It acts, for this reason.
    pub(crate) fn act(self, because: impl Into<String>) -> Plan {
        self.end(Decision::Act(because.into()))
    }

    /// There is nothing to do, for this reason; what it would do stays in the plan for who insists.
    pub(crate) fn rest(self, because: impl Into<String>) -> Plan {
        self.end(Decision::Rest(because.into()))
    }

    /// It must not, for this reason.
    pub(crate) fn refuse(self, because: impl Into<String>) -> Plan {
        self.end(Decision::Refuse(because.into()))
    }

    /// What was compared stands behind the reason, so that whoever tells the reason tells the numbers.
    fn end(self, decision: Decision) -> Plan {
        let decision = decision.by(&self.limits, &self.inputs);
        Plan {
            task: self.task.to_owned(),
            inputs: self.inputs,
            limits: self.limits,
            decision,
            steps: self.steps,
            notes: self.notes,
            proofs: self.proofs,
            takes_seconds: self.takes_seconds,
            disk_bytes: self.disk_bytes,
            disk_at: self.disk_at,
            undo: self.undo.to_owned(),
        }
    }
}

impl Task {
    /// What it would do now. What no task may do is refused before the task is asked.
    pub fn plan(&self, seen: &Seen<'_>) -> Plan {
        let draft = Draft::of(self, seen);
        match self.danger(seen) {
            Some(danger) => draft.refuse(danger),
            None => (self.plan)(seen, draft),
        }
    }

    /// Why this kind of task must not run in this kind of repository.
    fn danger(&self, seen: &Seen<'_>) -> Option<String> {
        let bugs = seen.git.version().known_bugs();
        if let Some(bug) = bugs.iter().find(|bug| self.uses.contains(&bug.touches)) {
            return Some(format!("this git is known to damage repositories: {bug}"));
        }
        if matches!(self.guard, Guard::Derived | Guard::Outside | Guard::Locks) {
            return None;
        }
        if let Some(broken) = seen.snapshot.broken_refs.first() {
            let name = String::from_utf8_lossy(broken.name.as_bytes()).into_owned();
            return Some(format!("`{name}` is broken ({}): first that is mended", broken.reason));
        }
        if self.guard == Guard::Objects { objects_must_stay(seen) } else { None }
    }
}

/// Why no task may remove a file with objects here, also when each object is in another.
fn objects_must_stay(seen: &Seen<'_>) -> Option<String> {
    let repository = &seen.snapshot.repository;
    if pool(seen.opened).is_precious {
        return Some("`extensions.preciousObjects` is set: no file with objects may go".to_owned());
    }
    if repository.is_partial {
        return Some("objects are missing on purpose here (partial clone), so that none could be missed".to_owned());
    }
    if repository.is_shallow {
        let why = "its history is cut off (shallow), and what lies behind the cut can't be counted";
        return Some(format!("{why}; `git fetch --unshallow` brings the rest"));
    }
    if let Some((path, _)) = repository.alternates.iter().find(|(_, is_there)| !is_there) {
        return Some(format!("it borrows objects from `{path}`, which is not there"));
    }
    lent(seen)
}

/// Why what nothing here needs must stay: somebody borrows from this repository, as far as the configuration and what lies
/// beside it tell.
pub(crate) fn lent(seen: &Seen<'_>) -> Option<String> {
    let named: Vec<PathBuf> = seen.config.maintenance.repositories.iter().map(PathBuf::from).collect();
    let borrower = match borrowers(seen.opened, &named) {
        Ok(all) => all.into_iter().next()?,
        Err(reason) => return Some(reason),
    };
    Some(format!(
        "`{borrower}` borrows objects from it, and what that needs is not counted here; `git repack -a -d` there, without \
         its `objects/info/alternates` afterwards, makes it independent"
    ))
}

/// Threads that look for differences while git packs. Source: ours; upkeep leaves processors to others.
const PACK_THREADS: u64 = 2;

impl Work<'_> {
    /// A git that packs, within the memory that the configuration gives it.
    ///
    /// Each thread has a window of objects that are compared, and all share a cache of differences; see git-config(1),
    /// `pack.windowMemory` and `pack.deltaCacheSize`. A fifth is for the cache.
    pub(crate) fn packing(&self, command: &'static str) -> Call<'_> {
        let memory = self.seen.config.maintenance.pack_memory;
        let call = self.git.command(command).pin("pack.threads", PACK_THREADS.to_string());
        let call = call.pin("pack.windowMemory", (memory / 5 * 4 / PACK_THREADS).to_string());
        call.pin("pack.deltaCacheSize", (memory / 5).to_string())
    }

    /// Errors: it is time to stop, with the reason. Ask between two steps that are each safe.
    pub fn may_go_on(&self) -> Result<(), String> {
        self.stop.reason().map_or(Ok(()), |reason| Err(format!("stopped between two steps: {reason}")))
    }
}
