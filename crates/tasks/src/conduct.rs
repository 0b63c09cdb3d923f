//! The road of one run of a task: from the lease to the report. The same for every task.
//!
//! 1. The lease on the repository. What an earlier run left that was killed is healed first.
//! 2. The look, and the plan from it. Here a dry run ends.
//! 3. What makes it wait: locks, alignment runs, leases of others, freezes, room.
//! 4. The objects in use are counted, the plan goes into the journal, the net is spread.
//! 5. It acts.
//! 6. The objects are counted again; what is lost comes back from the net, and that is critical.
//! 7. The look again: the result is what the numbers say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use alignwatch_git::{
    inspect::{self, InspectError, Wanted},
    repository::{self, OpenError, Opened},
    run::{Git, GitAt, GitError},
    stop::Stop,
    tend::{self, LeaseError, Net, ObjectSet, Undo},
};
use alignwatch_model::{
    Known, Look, Snapshot, Span, Timestamp,
    config::Config,
    facts::runs::Runs,
    lease::Lease,
    task::{Came, Decision, Hold, Plan, Report, judge},
};
use alignwatch_records::{Granted, Leases};

use crate::{
    holds,
    journal::{Journal, JournalError, Record, Step},
    slots,
    task::{Guard, Seen, Task, Work},
};

/// Where and under what a task runs.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The repository.
    pub path: &'a Path,
    /// The configuration in force.
    pub config: &'a Config,
    /// Where it is journaled.
    pub data_dir: &'a Path,
    /// The git that does it.
    pub git: &'a Git,
    /// The time, asked again whenever it matters.
    pub now: &'a dyn Fn() -> Timestamp,
    /// The alignment runs of the repository with this id.
    pub runs: &'a dyn Fn(&str) -> Runs,
    /// When to come to an end.
    pub stop: &'a Stop,
    /// Hears what is being done.
    pub tell: &'a dyn Fn(&str),
}

/// A run of a task.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its number in the journal.
    pub id: u64,
    /// What it was about to do; `None` = it was held before it could be asked.
    pub plan: Option<Plan>,
    /// What came of it.
    pub report: Report,
}

impl<'a> Around<'a> {
    fn seen(&self, opened: &'a Opened, snapshot: &'a Snapshot, now: Timestamp) -> Seen<'a> {
        Seen { snapshot, opened, config: self.config, git: self.git, data_dir: self.data_dir, now }
    }
}

/// Why a task could not even be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    /// The repository can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can't be read.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Git can't be used here.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no such run, or nothing of it can be taken back.
    #[error("{0}")]
    NoUndo(String),
    /// The journal can't be written: then nothing is done.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// How long a lease in the data directory lasts at least. Source: ours; a git that is silent for longer is rare.
const LEASE_AT_LEAST: Span = Span::minutes(10);

/// What a task would do now. Changes nothing.
pub fn plan(task: &Task, around: &Around<'_>) -> Result<(Plan, Option<Hold>), ConductError> {
    let opened = repository::open(around.path)?;
    let snapshot = look(task, around, &opened, around.stop)?;
    let now = (around.now)();
    let plan = task.plan(&around.seen(&opened, &snapshot, now));
    let leases = Known::from_result(leases(around, &opened).held(now).map_err(|error| error.to_string()));
    let hold = holds::held(task.guard, &snapshot, around.config, &leases, now);
    let hold = hold.or_else(|| holds::no_room(&snapshot, &plan));
    Ok((plan, hold))
}

/// What holds every task that writes in the repository, by one cheap look for all of them.
///
/// What a killed task left holds nobody: the next run puts it right first.
pub(crate) fn held_now(around: &Around<'_>, journal: &Journal) -> Result<Option<Hold>, ConductError> {
    let opened = repository::open(around.path)?;
    if journal.read()?.interrupted(&opened.id()).next().is_some() {
        return Ok(None);
    }
    let snapshot = look_at(&[], around, &opened, around.stop)?;
    let now = (around.now)();
    let leases = Known::from_result(leases(around, &opened).held(now).map_err(|error| error.to_string()));
    Ok(holds::held(Guard::Refs, &snapshot, around.config, &leases, now))
}

/// Runs a task. With `insists` it also acts when there is little to do; never against a refusal or a hold.
pub fn run(task: &Task, around: &Around<'_>, insists: bool) -> Result<Done, ConductError> {
    run_in(task, around, insists, &Journal::of(around.data_dir))
}

/// The same with a journal that is kept for more than one run, so that each of its lines is read once.
pub(crate) fn run_in(task: &Task, around: &Around<'_>, insists: bool, journal: &Journal) -> Result<Done, ConductError> {
    let opened = repository::open(around.path)?;
    let git = around.git.at(&opened)?;
    let mut road = Road { task, around, opened: &opened, git: &git, journal, id: 0 };
    let began = Instant::now();
    let (plan, mut report) = road.go(insists)?;
    report.took_seconds = began.elapsed().as_secs_f64();
    let id = road.write(Step::Ended, |record| {
        record.plan = plan.clone().filter(|_| record.id == 0);
        record.report = Some(report.clone());
    })?;
    journal.keep_small(around.config.cleanup.archive_for, (around.now)())?;
    Ok(Done { id, plan, report })
}

/// Writes down that a task was held before it began, or what it would have done, and returns the run's number.
pub(crate) fn note(
    task: &Task,
    around: &Around<'_>,
    step: Step,
    plan: Option<&Plan>,
    report: &Report,
    journal: &Journal,
) -> Result<u64, ConductError> {
    let opened = repository::open(around.path)?;
    let git = around.git.at(&opened)?;
    let road = Road { task, around, opened: &opened, git: &git, journal, id: 0 };
    road.write(step, |record| {
        record.plan = plan.cloned();
        record.report = Some(report.clone());
    })
}

/// Takes a run back, by its number in the journal. `git` is found by the caller; the repository is that of the run.
pub fn undo(id: u64, data_dir: &Path, git: &Git, now: &dyn Fn() -> Timestamp) -> Result<Report, ConductError> {
    let journal = Journal::of(data_dir);
    let said = journal.read()?;
    let runs = said.runs();
    let run = runs.iter().find(|run| run.record.id == id);
    let run = run.ok_or_else(|| ConductError::NoUndo(format!("there is no run {id}")))?;
    let way = run.plan.map_or("nothing was begun", |plan| plan.undo.as_str());
    let undo = run.undo.ok_or_else(|| ConductError::NoUndo(format!("run {id} has nothing to take back: {way}")))?;
    let opened = repository::open(Path::new(&run.record.repository))?;
    if opened.id() != run.record.repository_id {
        return Err(ConductError::NoUndo(format!("another repository is at `{}` by now", run.record.repository)));
    }
    let git = git.at(&opened)?;
    let _lease = match tend::Lease::take(&opened.common_dir, &format!("{} undo", holds::HOLDER)) {
        Ok(lease) => lease,
        Err(error) => return Ok(waits(error.to_string())),
    };
    let line = |step, report| {
        let at = now();
        let record = run.record.clone();
        Record { step, at: at.rfc3339(), at_seconds: at.0, plan: None, undo: None, quarantine: None, report, ..record }
    };
    // One before was ended half-way: what its git left is moved aside first, or it would hold this one.
    if let Some((began_at, quarantine)) = said.undo_interrupted(id)
        && let Err(reason) = tend::heal(&git, quarantine, began_at, now())
    {
        return Ok(waits(format!("it was taken back half-way, and what that left can't be put right now: {reason}")));
    }
    journal.write(&line(Step::UndoBegun, None))?;
    let report = match undo.take_back(&git) {
        Ok(back) => {
            let came = if back.not.is_empty() { Came::Effect } else { Came::Failed };
            Report::of_nothing(came, back.told())
        }
        Err(reason) => Report::of_nothing(Came::Failed, reason),
    };
    journal.write(&line(Step::UndoEnded, Some(report.clone())))?;
    Ok(report)
}

fn look(task: &Task, around: &Around<'_>, opened: &Opened, stop: &Stop) -> Result<Snapshot, ConductError> {
    look_at(task.looks, around, opened, stop)
}

fn look_at(looks: &[Look], around: &Around<'_>, opened: &Opened, stop: &Stop) -> Result<Snapshot, ConductError> {
    let looks = Look::with_required(looks.iter().copied().chain([Look::Locks, Look::Unfinished]));
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: stop.clone() };
    let now = (around.now)();
    let mut snapshot = inspect::inspect(&opened.path, around.config, now, Some(around.data_dir), &wanted, &|_| {})?;
    snapshot.facts.runs = (around.runs)(&snapshot.repository.id);
    Ok(snapshot)
}

fn leases(around: &Around<'_>, opened: &Opened) -> Leases {
    Leases::of(around.data_dir, &opened.id())
}

/// One run under way.
struct Road<'a> {
    task: &'a Task,
    around: &'a Around<'a>,
    opened: &'a Opened,
    git: &'a GitAt<'a>,
    journal: &'a Journal,
    /// 0 = nothing was begun.
    id: u64,
}

impl Road<'_> {
    fn go(&mut self, insists: bool) -> Result<(Option<Plan>, Report), ConductError> {
        let lease = match tend::Lease::take(&self.opened.common_dir, &format!("{} {}", holds::HOLDER, self.task.id)) {
            Ok(lease) => lease,
            Err(error @ LeaseError::Held { .. }) => return Ok((None, waits(error.to_string()))),
            Err(error) => return Ok((None, Report::of_nothing(Came::Failed, error.to_string()))),
        };
        if let Err(reason) = self.heal()? {
            return Ok((
                None,
                waits(format!("an earlier task was ended half-way, and what it left can't be put right now: {reason}")),
            ));
        }
        let before = look(self.task, self.around, self.opened, self.around.stop)?;
        let now = (self.around.now)();
        let plan = self.task.plan(&self.around.seen(self.opened, &before, now));
        let report = match &plan.decision {
            Decision::Refuse(reason) => Report::refused(reason),
            Decision::Rest(reason) if !insists => Report::of_nothing(Came::Noop, reason.clone()),
            _ => self.act_unless_held(&before, &plan, &lease, now)?,
        };
        Ok((Some(plan), report))
    }

    fn act_unless_held(
        &mut self,
        before: &Snapshot,
        plan: &Plan,
        lease: &tend::Lease,
        now: Timestamp,
    ) -> Result<Report, ConductError> {
        let leases = leases(self.around, self.opened);
        let known = Known::from_result(leases.held(now).map_err(|error| error.to_string()));
        let hold = holds::held(self.task.guard, before, self.around.config, &known, now);
        let hold = hold.or_else(|| holds::no_room(before, plan));
        if let Some(hold) = hold {
            return Ok(Report::held(hold));
        }
        // Held until the end of this run, or of a git that outlives it.
        let _slot = match slots::taken(self.task, plan, self.around) {
            Ok(slot) => slot,
            Err(hold) => return Ok(Report::held(hold)),
        };
        if self.task.guard == Guard::Outside {
            return self.guarded(before, plan, lease);
        }
        // The gate keeps alignments off meanwhile. A lease ends by itself, so that a kill keeps nobody off for long.
        let lasts = plan.takes().map_or(LEASE_AT_LEAST, |takes| LEASE_AT_LEAST.max(Span(takes.0.saturating_mul(3))));
        let wish = Lease {
            holder: holds::HOLDER.to_owned(),
            branch: None,
            until: Timestamp(now.0.saturating_add(lasts.0)),
            token: 0,
        };
        let token = match leases.take(&wish, now) {
            Ok(Granted::Yes(lease)) => lease.token,
            Ok(Granted::No(other)) => {
                let reason = format!("{} has a lease on this repository", other.holder);
                return Ok(Report::held(Hold { reason, until: Some(other.until) }));
            }
            Err(error) => return Ok(waits(error.to_string())),
        };
        let report = self.guarded(before, plan, lease);
        // Whether it can be given back or not: it ends by itself.
        let _ = leases.give_back(token, (self.around.now)());
        report
    }

    /// Counts, journals, spreads the net, acts, counts again, measures.
    fn guarded(&mut self, before: &Snapshot, plan: &Plan, lease: &tend::Lease) -> Result<Report, ConductError> {
        let now = (self.around.now)();
        let quarantine = format!("task-{}-{}", now.0, lease.token());
        let kept = match Kept::of(self.task.guard, self.git, self.around.tell) {
            Ok(kept) => kept,
            Err(reason) => return Ok(Report::refused(&reason)),
        };
        let seen = || self.around.seen(self.opened, before, now);
        let nothing = Undo::default();
        let work = |undo| Work { git: self.git, seen: seen(), stop: self.around.stop, id: &quarantine, undo };
        let undo = match self.task.prepare.map_or(Ok(Undo::default()), |prepare| prepare(&work(&nothing))) {
            Ok(undo) => undo,
            Err(reason) => return Ok(Report::refused(&format!("nothing was begun: {reason}"))),
        };
        let folded = match undo.folded(&self.opened.common_dir) {
            Ok(folded) => Some(folded).filter(|undo| !undo.is_empty()),
            Err(reason) => return Ok(Report::of_nothing(Came::Failed, format!("nothing was begun: {reason}"))),
        };
        self.id = self.write(Step::Begun, |record| {
            record.plan = Some(plan.clone());
            record.quarantine = Some(quarantine.clone());
            record.undo = folded;
        })?;
        let net = Net::of(&self.opened.common_dir, &self.opened.objects_dir, &quarantine);
        let net =
            net.and_then(|net| if self.task.guard == Guard::Objects { net.spread().map(|()| net) } else { Ok(net) });
        let net = match net {
            Ok(net) => net,
            Err(reason) => return Ok(Report::of_nothing(Came::Failed, format!("nothing was begun: {reason}"))),
        };
        if !lease.is_ours() {
            return Ok(Report::of_nothing(Came::Failed, "nothing was begun: the lease on the repository was lost"));
        }
        let measured_before = (self.task.measure)(&seen());
        plan.steps.iter().for_each(|step| (self.around.tell)(step));
        let performed = (self.task.perform)(&work(&undo));
        // Also where it ended half-way: what it changed is ours to take back.
        let performed = performed.and(undo.note_after(&self.opened.common_dir));
        if performed.is_err() {
            // A git that was killed leaves locks. Where they can't be moved aside now, they hold the next run.
            let _ = tend::heal(self.git, &quarantine, now, (self.around.now)());
        }
        let mut report = match kept.still(self.git, &net, &undo, self.around.tell) {
            Err(lost) => Report { is_critical: true, ..Report::of_nothing(Came::Failed, lost) },
            Ok(objects_kept) => {
                let judged = self.judged(&performed, &measured_before)?;
                Report { objects_kept, ..judged }
            }
        };
        report.before = measured_before;
        Ok(report)
    }

    fn judged(
        &self,
        performed: &Result<(), String>,
        before: &[alignwatch_model::task::Measure],
    ) -> Result<Report, ConductError> {
        // Also when it was interrupted: what was done has to be measured.
        let snapshot = look(self.task, self.around, self.opened, &Stop::default())?;
        let seen = self.around.seen(self.opened, &snapshot, (self.around.now)());
        let after = (self.task.measure)(&seen);
        let (result, because) = match performed {
            Ok(()) => judge(before, &after, &self.task.plan(&seen).decision),
            Err(reason) => (Came::Failed, reason.clone()),
        };
        Ok(Report { after, ..Report::of_nothing(result, because) })
    }

    /// Puts right what tasks left that were killed. Inner errors: it can't be done now, with the reason.
    fn heal(&mut self) -> Result<Result<(), String>, ConductError> {
        let said = self.journal.read()?;
        let id = self.opened.id();
        for left in said.interrupted(&id) {
            (self.around.tell)(&format!("putting right what run {} of `{}` left", left.id, left.task));
            let Some(quarantine) = &left.quarantine else { continue };
            match tend::heal(self.git, quarantine, Timestamp(left.at_seconds), (self.around.now)()) {
                Ok(_) => {
                    let at = (self.around.now)();
                    let healed =
                        Record { step: Step::Healed, at: at.rfc3339(), at_seconds: at.0, plan: None, ..left.clone() };
                    self.journal.write(&healed)?;
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(()))
    }

    fn write(&self, step: Step, fill: impl FnOnce(&mut Record)) -> Result<u64, ConductError> {
        let now = (self.around.now)();
        let mut record = Record {
            id: self.id,
            at: now.rfc3339(),
            at_seconds: now.0,
            step,
            task: self.task.id.to_owned(),
            repository: place(&self.opened.path),
            repository_id: self.opened.id(),
            quarantine: None,
            plan: None,
            undo: None,
            report: None,
        };
        fill(&mut record);
        let is_hold = record.id == 0
            && step == Step::Ended
            && record.report.as_ref().is_some_and(|report| report.result == Came::Skipped && !report.is_refusal());
        Ok(if is_hold { self.journal.write_hold(&record)? } else { self.journal.write(&record)? })
    }
}

/// The one path that stands for a repository in the journal, in rules and in messages: what was typed, made absolute, as
/// in every snapshot.
pub(crate) fn place(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn waits(reason: String) -> Report {
    Report::of_nothing(Came::Skipped, reason)
}

/// What must be the same afterwards, as it was before.
enum Kept {
    Objects(ObjectSet),
    Refs(BTreeMap<String, String>),
    Both(BTreeMap<String, String>, ObjectSet),
    Nothing,
}

impl Kept {
    /// Errors: it can't be told what is there, so that it could not be told what is lost either.
    fn of(guard: Guard, git: &GitAt<'_>, tell: &dyn Fn(&str)) -> Result<Kept, String> {
        match guard {
            Guard::Derived | Guard::Outside | Guard::Locks => Ok(Kept::Nothing),
            Guard::Changes => {
                let set = ObjectSet::read(git).map_err(|error| error.to_string())?;
                refs(git).map(|refs| Kept::Both(refs, set))
            }
            Guard::Refs => refs(git).map(Kept::Refs),
            Guard::Objects => {
                tell("counting the objects that are in use");
                ObjectSet::read(git).map(Kept::Objects).map_err(|error| error.to_string())
            }
        }
    }

    /// Is all of it still there? Returns how many objects are. Errors: what is lost, and whether it came back.
    fn still(&self, git: &GitAt<'_>, net: &Net, undo: &Undo, tell: &dyn Fn(&str)) -> Result<Option<u64>, String> {
        match self {
            Kept::Nothing => Ok(None),
            Kept::Refs(before) => missed_refs(before, git, undo).map(|()| None),
            Kept::Both(before, objects) => {
                missed_refs(before, git, undo)?;
                missed(objects, git)?;
                Ok(Some(objects.len() as u64))
            }
            Kept::Objects(before) => {
                tell("counting them again");
                self.objects_again(before, git, net)
            }
        }
    }

    fn objects_again(&self, before: &ObjectSet, git: &GitAt<'_>, net: &Net) -> Result<Option<u64>, String> {
        let Err(lost) = missed(before, git) else {
            net.take_in()?;
            return Ok(Some(before.len() as u64));
        };
        let n_back = net.put_back()?;
        match missed(before, git) {
            Ok(()) => {
                net.take_in()?;
                Err(format!("{lost}; they came back with {n_back} files that had been kept"))
            }
            Err(lost) => Err(format!("{lost}; what had been kept stays in the quarantine")),
        }
    }
}

/// Errors: which refs are gone that the task was not to take away.
fn missed_refs(before: &BTreeMap<String, String>, git: &GitAt<'_>, undo: &Undo) -> Result<(), String> {
    let after = refs(git)?;
    let meant: BTreeSet<&str> =
        undo.refs.iter().filter(|one| one.after.is_none()).map(|one| one.name.as_str()).collect();
    let is_lost = |name: &&String| !after.contains_key(*name) && !meant.contains(name.as_str());
    let lost: Vec<&String> = before.keys().filter(is_lost).collect();
    match lost.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} refs are gone, the first is `{first}`", lost.len())),
    }
}

/// Errors: which objects of these are not there any more, or that it can't be told.
fn missed(before: &ObjectSet, git: &GitAt<'_>) -> Result<(), String> {
    let after = ObjectSet::read(git).map_err(|error| error.to_string())?;
    if after == *before {
        return Ok(());
    }
    // Others moved refs meanwhile, or something is lost.
    let lost = before.lost(git).map_err(|error| error.to_string())?;
    match lost.first() {
        None => Ok(()),
        Some(first) => Err(format!("objects are lost, the first is {first} ({} in all)", lost.len())),
    }
}

/// Names and ids of all refs, as git lists them.
fn refs(git: &GitAt<'_>) -> Result<BTreeMap<String, String>, String> {
    let call = git.command("for-each-ref").option("--format=%(objectname) %(refname)");
    let listed = call.run().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| (name.to_owned(), id.to_owned()))
        .collect())
}
