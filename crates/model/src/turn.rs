//! The brain of the daemon: a function from what it knows, what happened and what time it is to what is to be done.
//!
//! `event → turn(state, event, now) → effects → event`. No clock, no thread, no file: a restart, a test of a whole
//! day and the running daemon are this one function, fed from different places. Doing ends by posting an event, and
//! an effect whose event never comes (the daemon was killed) is simply due again: recovery is no second program.

mod alerts;
mod audit;
mod heartbeat;
mod judged;
mod letters;
mod looks;
mod outside;
#[cfg(test)]
mod promises;
mod reports;
#[cfg(test)]
mod story;
mod tallies;
mod tasks;
#[cfg(test)]
mod tests;
mod unplaced;

use std::collections::{BTreeMap, btree_map::Entry};

pub use alerts::Alerting;
use judged::judged_commit;
pub use letters::Letters;
pub use reports::{Receipt, Refusal};
use reports::{Reports, answer, report};
pub use unplaced::CHECKS as CHECKS_OF_UNPLACED_RUNS;

use crate::{
    Snapshot, Span, Status, Timestamp,
    alert::{
        Wish,
        evaluate::Seen,
        outbox::{Outcome, Outgoing},
    },
    checks::{self, Judged},
    config::Config,
    facts::runs::Runs,
    metrics::{self, Measured},
    record::{Commit, Reading, Sweep, SweepOutcome},
    report::Letter,
    run::{RunEvent, RunId},
    task::TaskWish,
    window::Change,
};

/// How long refs must rest before a move is looked at: a push of many branches is one move.
///
/// Source: ours; a push of a thousand branches takes less.
const REST: Span = Span(2);

/// A commit that could not be kept is tried again after this time.
const KEEP_AGAIN: Span = Span(10);

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// Time went on; nothing else.
    Tick,
    /// The refs of a repository moved.
    RefsMoved(String),
    /// Somebody wants this repository looked at now.
    Asked(String),
    /// This repository is watched from now on.
    Watched(String),
    /// This one is watched no longer; what was kept of it stays.
    Unwatched(String),
    /// Somebody reported what happened in alignment runs, and waits to hear that it is kept.
    Reported(Receipt, Vec<RunEvent>),
    /// Somebody wants something done about alerts, and waits to hear that it is kept.
    Wished(Receipt, Wish),
    /// Somebody wants something done about maintenance, and waits to hear that it is kept.
    TaskWished(Receipt, TaskWish),
    /// An attempt to deliver the message with this key ended.
    Delivered(String, Outcome),
    /// A call to whoever watches over us ended.
    Called(Outcome),
    /// An inspection ended.
    Inspected(Box<Inspected>),
    /// Runs that belong to no repository were read, with since when each workflow is expected.
    UnplacedRead(Runs, BTreeMap<String, Timestamp>),
    /// What calendars say was read, and what was changed of windows; the configuration holds it from now on.
    OutsideRead {
        /// What could not be read, in sentences.
        troubles: Vec<String>,
        /// All changes that are known.
        changes: Vec<Change>,
    },
    /// That this window opened was written, or could not be, for this reason.
    Opened(Change, Result<(), String>),
    /// Messages about maintenance that are due; one that was announced before is the same.
    Announced(Vec<Outgoing>),
    /// The report with this name, due at this time, was written; or could not be, for this reason.
    Written(String, Timestamp, Result<Letter, String>),
    /// The due tasks of the repository at this path came to their end; did one of them change something?
    Tended(String, bool),
    /// A commit was kept; with what went wrong beside it, such as the daily backup.
    Kept(Option<String>),
    /// A commit could not be kept, for this reason.
    NotKept(Box<Commit>, String),
}

/// What an inspection gave.
#[derive(Debug)]
pub struct Inspected {
    /// The path that was inspected.
    pub path: String,
    /// How long it took.
    pub seconds: f64,
    /// What was seen, or why nothing was.
    pub seen: Result<Snapshot, Unseen>,
}

/// Why nothing was seen of a repository, as a sentence part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// There is none at its path (any more): it was deleted or moved, or its disk is not mounted.
    Gone(String),
    /// It can't be looked at.
    Failed(String),
}

impl Unseen {
    /// The reason.
    pub fn reason(&self) -> &str {
        let (Unseen::Gone(reason) | Unseen::Failed(reason)) = self;
        reason
    }

    /// What came of the look.
    fn outcome(&self) -> SweepOutcome {
        match self {
            Unseen::Gone(reason) => SweepOutcome::Gone(reason.clone()),
            Unseen::Failed(reason) => SweepOutcome::Failed(reason.clone()),
        }
    }
}

/// Something to do. All but an answer end with an event.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Tell these that what they reported is kept, or why it is not.
    Answer(Vec<Receipt>, Result<(), Refusal>),
    /// Try to deliver this message.
    Deliver(Box<Outgoing>),
    /// Note that this window opened: it waited for an alert.
    Open(Change),
    /// Call whoever watches over us from outside: all is well, or it is not, for these reasons.
    Beat(Vec<String>),
    /// Inspect the repository at this path.
    Inspect(String),
    /// Read the runs that belong to no repository.
    ReadUnplaced,
    /// Run the due tasks of the repository at this path.
    Tend(String),
    /// Do what somebody wants about maintenance.
    Do(TaskWish),
    /// Write the report with this name, which is due at this time.
    Write(String, Timestamp),
    /// Keep this.
    Keep(Box<Commit>),
}

/// All that the daemon knows. What is not here is in the store.
#[derive(Debug, Default)]
pub struct State {
    repositories: BTreeMap<String, Watched>,
    /// What could not be kept yet, by repository: a later sweep of the same one takes its place.
    unkept: BTreeMap<String, Box<Commit>>,
    /// The repositories of runs that were reported to have begun, so that they are looked at when these end or are verified.
    under_way: BTreeMap<RunId, String>,
    /// What was reported and is not yet being kept, with those who wait for that.
    reported: Reports,
    /// What is known of alerts, and what decides about them.
    pub alerting: Alerting,
    /// Which reports were sent when.
    letters: Letters,
    /// What was counted of each repository.
    tallies: tallies::Tallies,
    /// Who waits for what is being kept.
    kept_for: Vec<Receipt>,
    keep_again_at: Option<Timestamp>,
    /// Which repository is tended, and which is next.
    tending: tasks::Tending,
    beating: heartbeat::Beating,
    outside: outside::Outside,
    unplaced: unplaced::Unplaced,
    began_at: Timestamp,
    /// The time of the last event: one before it shows that the clock was set back.
    latest: Timestamp,
    is_keeping: bool,
    /// Something was kept since the start, so that pages have what they show.
    pub has_kept: bool,
    /// Why the store could not keep the last commit, or not be backed up.
    pub store_trouble: Option<String>,
}

/// A repository that is watched.
#[derive(Debug)]
struct Watched {
    /// Its id, once it was seen; until then its path serves.
    id: String,
    due_at: Timestamp,
    /// Since when it is looked at.
    looking_since: Option<Timestamp>,
    /// The last look took long.
    is_slow: bool,
    /// It moved or was asked for while it was looked at.
    is_due_again: bool,
    /// What was last measured of it.
    readings: Vec<Reading>,
    /// Its health.
    status: Status,
    swept_at: Option<Timestamp>,
    /// What its history tells of the time before was handed on.
    has_past: bool,
    /// Why it can't be judged whether the runs came that are expected; `None` = it can, or none are.
    unjudged_runs: Option<String>,
}

impl Watched {
    /// Nothing is known of it, and it is due.
    fn first(path: String, now: Timestamp) -> Watched {
        Watched {
            id: path,
            due_at: now,
            looking_since: None,
            is_slow: false,
            is_due_again: false,
            readings: Vec::new(),
            status: Status::Unknown,
            swept_at: None,
            has_past: false,
            unjudged_runs: None,
        }
    }
}

/// The numbers that the brain goes by.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often each repository is looked at when nothing moves.
    pub interval: Span,
    /// How many are looked at at once; slow ones have places beside these.
    pub at_once: usize,
}

fn is_counter(name: &str) -> bool {
    metrics::by_name(name).is_some_and(|metric| metric.kind == metrics::Kind::Counter)
}

impl Watched {
    /// Takes over what the last look gave. What can't be seen has no numbers: they end, they do not stay as they were. What was
    /// counted stays counted.
    fn note(&mut self, commit: &Commit) {
        self.status = match &commit.sweeps[0].outcome {
            SweepOutcome::Seen { status, .. } => *status,
            SweepOutcome::Gone(_) | SweepOutcome::Failed(_) => Status::Unknown,
        };
        let is_seen = matches!(commit.sweeps[0].outcome, SweepOutcome::Seen { .. });
        self.readings.retain(|reading| !is_seen && is_counter(reading.metric));
        self.readings.extend_from_slice(&commit.readings);
    }
}

impl State {
    /// Watches these repositories. They are all due, spread a little, so that a hundred do not begin at once.
    pub fn watching(paths: impl IntoIterator<Item = String>, now: Timestamp) -> State {
        let watched = |path: String| (path.clone(), Watched::first(path, now));
        State {
            repositories: paths.into_iter().map(watched).collect(),
            latest: now,
            began_at: now,
            alerting: Alerting::none(now),
            ..State::default()
        }
    }

    /// The same, where the ids of these paths are known from before: one that can't be seen now is still the same.
    pub fn with_ids(mut self, ids: impl IntoIterator<Item = (String, String)>) -> State {
        for (path, id) in ids {
            if let Some(watched) = self.repositories.get_mut(&path) {
                watched.id = id;
            }
        }
        self
    }

    /// Watches one more. It has as long as a usual look is apart before it counts as not looked at.
    fn watch(&mut self, path: String, now: Timestamp) {
        let first = Watched { swept_at: Some(now), ..Watched::first(path.clone(), now) };
        self.repositories.entry(path).or_insert(first);
    }

    /// The paths that are watched.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.repositories.keys().map(String::as_str)
    }

    /// What was last measured of all repositories.
    pub fn readings(&self) -> impl Iterator<Item = &Reading> {
        self.repositories.values().flat_map(|watched| &watched.readings)
    }

    /// Repositories that were never seen, or not for twice their interval.
    pub fn overdue(&self, pace: Pace, now: Timestamp) -> usize {
        let late = |watched: &&Watched| watched.swept_at.is_none_or(|at| Span(2 * pace.interval.0) < now.since(at));
        self.repositories.values().filter(late).count()
    }
}

/// Takes an event in, and says what is to be done.
///
/// Shape: at most `pace.at_once` inspections that are quick, a few that are slow, and one keeping run at any time.
pub fn turn(state: &mut State, event: Event, config: &Config, pace: Pace, now: Timestamp) -> Vec<Effect> {
    follow_the_clock(state, now);
    let mut effects = Vec::new();
    match event {
        Event::Tick => {}
        Event::Reported(receipt, events) => {
            unplaced::reported(state, &events, now);
            effects.extend(report(state, receipt, events, now));
        }
        Event::UnplacedRead(runs, expected_since) => unplaced::read(state, runs, expected_since, config, now),
        Event::Wished(receipt, wish) => effects.extend(alerts::wished(state, receipt, wish, now)),
        Event::TaskWished(receipt, wish) => effects.extend(tasks::wished(state, receipt, wish, config, now)),
        Event::Delivered(key, outcome) => alerts::delivered(state, &key, outcome, now),
        Event::Written(name, due_at, letter) => letters::written(state, &name, due_at, letter, config, now),
        Event::Called(outcome) => heartbeat::called(state, &outcome, config, now),
        Event::RefsMoved(path) => hasten(state, &path, Timestamp(now.0 + REST.0)),
        Event::Asked(path) => hasten(state, &path, now),
        Event::Watched(path) => state.watch(path, now),
        Event::Unwatched(path) => {
            state.repositories.remove(&path);
            state.alerting.book.end_alerts_of(&path, now);
        }
        Event::Inspected(inspected) => take_in(state, *inspected, config, pace, now),
        Event::OutsideRead { troubles, changes } => outside::read(state, troubles, &changes, config, now),
        Event::Opened(change, result) => outside::written(state, &change, result, now),
        Event::Announced(rows) => state.tending.announce(&mut state.alerting.book, rows),
        Event::Tended(path, has_effect) => {
            state.tending.ended(&path, now);
            if has_effect {
                hasten(state, &path, now);
            }
        }
        Event::Kept(trouble) => {
            (state.is_keeping, state.has_kept) = (false, true);
            state.store_trouble = trouble;
            state.alerting.book.kept();
            state.letters.kept();
            state.tallies.kept();
            effects.extend(answer(std::mem::take(&mut state.kept_for), Ok(())));
        }
        Event::NotKept(commit, reason) => {
            state.is_keeping = false;
            state.store_trouble = Some(reason.clone());
            state.alerting.book.not_kept();
            state.letters.not_kept();
            state.tallies.not_kept();
            // Whoever reported does it again; a sweep is only made once.
            effects.extend(answer(std::mem::take(&mut state.kept_for), Err(Refusal::NotKept(reason))));
            state.keep_again_at = Some(Timestamp(now.0 + KEEP_AGAIN.0));
            for (repository, part) in parts(*commit) {
                // A later look at the same repository says more; the past is told once.
                match state.unkept.entry(repository) {
                    Entry::Occupied(later) => later.into_mut().past.extend(part.past),
                    Entry::Vacant(free) => drop(free.insert(Box::new(part))),
                }
            }
        }
    }
    give_up(state, config, pace, now);
    effects.extend(outside::open_what_waited(state, now));
    effects.extend(alerts::tell(state, config, pace, now));
    effects.extend(heartbeat::due(state, config, pace, now));
    effects.extend(letters::due(state, config, now));
    effects.extend(unplaced::due(state, now));
    effects.extend(due(state, pace, now));
    effects.extend(state.tending.due(state.repositories.keys().map(String::as_str), config, now));
    effects
}

/// A commit as one for each of its sweeps, with the numbers that belong to it, and its past. Those of the machine go with the first.
fn parts(commit: Commit) -> Vec<(String, Commit)> {
    let (mut readings, mut past) = (commit.readings, commit.past);
    let mut parts = Vec::new();
    for sweep in commit.sweeps {
        let (own, others) = readings
            .into_iter()
            .partition(|reading| reading.repository.is_empty() || reading.repository == sweep.repository);
        readings = others;
        let (own_past, others) = past.into_iter().partition(|reading| reading.repository == sweep.repository);
        past = others;
        let part = Commit { sweeps: vec![sweep], readings: own, past: own_past, ..Commit::default() };
        parts.push((part.sweeps[0].repository.clone(), part));
    }
    parts
}

/// Times that were worked out by a clock that has been set back since: they would lie too far ahead.
fn follow_the_clock(state: &mut State, now: Timestamp) {
    let back = state.latest.0 - now.0;
    state.latest = now;
    if back <= 0 {
        return;
    }
    let earlier = |at: Timestamp| Timestamp(at.0.saturating_sub(back));
    for watched in state.repositories.values_mut() {
        watched.due_at = earlier(watched.due_at);
        watched.swept_at = watched.swept_at.map(earlier);
        watched.looking_since = watched.looking_since.map(earlier);
    }
    state.keep_again_at = state.keep_again_at.map(earlier);
    state.alerting.follow_the_clock(Span(back), now);
    state.began_at = earlier(state.began_at);
    state.beating.moved(earlier);
}

fn hasten(state: &mut State, path: &str, at: Timestamp) {
    let Some(watched) = state.repositories.get_mut(path) else { return };
    match watched.looking_since {
        Some(_) => watched.is_due_again = true,
        None => watched.due_at = watched.due_at.min(at),
    }
}

/// Judges what was seen, and puts it with what is to be kept.
fn take_in(state: &mut State, inspected: Inspected, config: &Config, pace: Pace, now: Timestamp) {
    let Some(watched) = state.repositories.get_mut(&inspected.path) else { return };
    (watched.looking_since, watched.is_slow) = (None, looks::was_slow(inspected.seconds));
    let again = std::mem::take(&mut watched.is_due_again);
    watched.due_at =
        Timestamp(now.0 + if again { REST.0 } else { pace.interval.0 + jitter(&inspected.path, pace.interval) });
    watched.swept_at = Some(now);
    let commit = match &inspected.seen {
        Ok(snapshot) => {
            watched.id.clone_from(&snapshot.repository.id);
            let with_past = !std::mem::replace(&mut watched.has_past, true);
            let judged =
                checks::judge(snapshot, config, snapshot.seen_at, |check| checks::is_made(check, config, |_| false));
            watched.unjudged_runs = unjudged_runs(&judged, config);
            let tally = state.tallies.take_in(snapshot, config, state.alerting.is_recalled);
            let measured = Measured { snapshot, judged: &judged, config, tally, now: snapshot.seen_at };
            let commit = judged_commit(&inspected, &measured, with_past);
            let seen = (&judged[..], &checks::hosts_asked(snapshot)[..]);
            alert_on(&mut state.alerting, &inspected.path, Ok(seen), &commit.readings, config, now);
            commit
        }
        Err(unseen) => {
            alert_on(&mut state.alerting, &inspected.path, Err(unseen.reason()), &[], config, now);
            let (repository, path) = (watched.id.clone(), inspected.path.clone());
            let sweep = Sweep { repository, path, at: now, seconds: inspected.seconds, outcome: unseen.outcome() };
            Commit { sweeps: vec![sweep], ..Commit::default() }
        }
    };
    watched.note(&commit);
    keep_later(&mut state.unkept, commit);
}

/// Puts it with what is to be kept, in place of what the same repository was before.
fn keep_later(unkept: &mut BTreeMap<String, Box<Commit>>, commit: Commit) {
    let repository = commit.sweeps[0].repository.clone();
    let before = unkept.insert(repository.clone(), Box::new(commit));
    // The past is told once: what the store has not taken yet goes with the newer look.
    if let (Some(before), Some(commit)) = (before, unkept.get_mut(&repository)) {
        commit.past.extend(before.past);
    }
}

/// Looks that do not end: nothing is known of their repositories.
fn give_up(state: &mut State, config: &Config, pace: Pace, now: Timestamp) {
    for (path, commit) in looks::give_up(state, pace, now) {
        if let SweepOutcome::Failed(reason) = &commit.sweeps[0].outcome {
            alert_on(&mut state.alerting, &path, Err(reason), &[], config, now);
        }
        if let Some(watched) = state.repositories.get_mut(&path) {
            watched.note(&commit);
        }
        keep_later(&mut state.unkept, commit);
    }
}

/// Why it can't be said whether the runs came that are expected; `None` = it can, or none are.
fn unjudged_runs(judged: &[Judged], config: &Config) -> Option<String> {
    if config.workflows.iter().all(|rule| rule.due.is_none()) {
        return None;
    }
    let missed = judged.iter().find(|judged| judged.check.id == "run-missed" && judged.status == Status::Unknown)?;
    Some(missed.reason.clone().unwrap_or_else(|| "its runs can't be read".to_owned()))
}

/// A few percent of the interval, always the same for the same repository.
fn jitter(path: &str, interval: Span) -> i64 {
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash % (interval.0.unsigned_abs() / 10).max(1)) as i64
}

/// Holds the rules against what was seen.
fn alert_on(
    alerting: &mut Alerting,
    path: &str,
    seen: Result<(&[Judged], &[(String, bool)]), &str>,
    readings: &[Reading],
    config: &Config,
    now: Timestamp,
) {
    let objective = f64::from(config.serve.aligned_objective) / 100.0;
    let hosts = seen.map_or(&[][..], |(_, hosts)| hosts);
    let judged = seen.map(|(judged, _)| judged);
    alerting.book.take_in(&alerting.policy, &Seen { path, judged, readings, objective, hosts, now });
}

/// What is to be done now: inspections that are due, and what is to be kept.
fn due(state: &mut State, pace: Pace, now: Timestamp) -> Vec<Effect> {
    let mut effects = looks::due(state, pace, now);
    let may_keep = !state.is_keeping && state.keep_again_at.is_none_or(|at| at <= now);
    let is_nothing_new = state.unkept.is_empty()
        && state.reported.receipts.is_empty()
        && !state.alerting.book.has_changed()
        && !state.letters.have_changed()
        && !state.tallies.have_changed();
    if may_keep && !is_nothing_new {
        let reported = std::mem::take(&mut state.reported);
        state.kept_for = reported.receipts;
        let mut records = state.alerting.book.records(now);
        records.extend(state.letters.records(now));
        records.extend(state.tallies.records(now));
        let mut all = Commit { events: reported.events, records, ..Commit::default() };
        for commit in std::mem::take(&mut state.unkept).into_values() {
            all.sweeps.extend(commit.sweeps);
            all.readings.extend(commit.readings);
            all.past.extend(commit.past);
        }
        (state.is_keeping, state.keep_again_at) = (true, None);
        effects.push(Effect::Keep(Box::new(all)));
    }
    effects
}
