//! The brain of the daemon: a function from what it knows, what happened and what time it is to what is to be done.
//!
//! `event → turn(state, event, now) → effects → event`. No clock, no thread, no file: a restart, a test of a whole
//! day and the running daemon are this one function, fed from different places. Doing ends by posting an event, and
//! an effect whose event never comes (the daemon was killed) is simply due again: recovery is no second program.

mod alerts;
mod reports;
#[cfg(test)]
mod story;
mod tasks;

use std::collections::BTreeMap;

pub use alerts::Alerting;
pub use reports::{Receipt, Refusal};
use reports::{Reports, answer, report};

use crate::{
    Snapshot, Span, Status, Timestamp,
    alert::{
        Wish,
        evaluate::Seen,
        outbox::{Outcome, Outgoing},
    },
    checks::{self, Judged},
    config::Config,
    kept::KeptBranch,
    metrics::{self, Breadth, Measured, Metric, Sample},
    record::{self, Commit, FindingRow, Reading, Sweep, SweepOutcome},
    run::{RunEvent, RunId},
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
    /// Somebody reported what happened in alignment runs, and waits to hear that it is kept.
    Reported(Receipt, Vec<RunEvent>),
    /// Somebody wants something done about alerts, and waits to hear that it is kept.
    Wished(Receipt, Wish),
    /// An attempt to deliver the message with this key ended.
    Delivered(String, Outcome),
    /// An inspection ended.
    Inspected(Box<Inspected>),
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
    pub seen: Result<Snapshot, String>,
}

/// Something to do. All but an answer end with an event.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Tell these that what they reported is kept, or why it is not.
    Answer(Vec<Receipt>, Result<(), Refusal>),
    /// Try to deliver this message.
    Deliver(Box<Outgoing>),
    /// Inspect the repository at this path.
    Inspect(String),
    /// Run the due tasks of the repository at this path.
    Tend(String),
    /// Keep this.
    Keep(Box<Commit>),
}

/// All that the daemon knows. What is not here is in the store.
#[derive(Debug, Default)]
pub struct State {
    repositories: BTreeMap<String, Watched>,
    /// What could not be kept yet, by repository: a later sweep of the same one takes its place.
    unkept: BTreeMap<String, Box<Commit>>,
    /// The repositories of runs that were reported to have begun, so that they are looked at when these end.
    under_way: BTreeMap<RunId, String>,
    /// What was reported and is not yet being kept, with those who wait for that.
    reported: Reports,
    /// What is known of alerts, and what decides about them.
    pub alerting: Alerting,
    /// Who waits for what is being kept.
    kept_for: Vec<Receipt>,
    keep_again_at: Option<Timestamp>,
    /// Which repository is tended, and which is next.
    tending: tasks::Tending,
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
    is_inspected: bool,
    /// It moved or was asked for while it was inspected.
    is_due_again: bool,
    /// What was last measured of it.
    readings: Vec<Reading>,
    /// Its health.
    status: Status,
    swept_at: Option<Timestamp>,
    /// What its history tells of the time before was handed on.
    has_past: bool,
}

/// The numbers that the brain goes by.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often each repository is looked at when nothing moves.
    pub interval: Span,
    /// How many are looked at at once.
    pub at_once: usize,
}

impl State {
    /// Watches these repositories. They are all due, spread a little, so that a hundred do not begin at once.
    pub fn watching(paths: impl IntoIterator<Item = String>, now: Timestamp) -> State {
        let watched = |path: String| {
            let first = Watched {
                id: path.clone(),
                due_at: now,
                is_inspected: false,
                is_due_again: false,
                readings: Vec::new(),
                status: Status::Unknown,
                swept_at: None,
                has_past: false,
            };
            (path, first)
        };
        State {
            repositories: paths.into_iter().map(watched).collect(),
            latest: now,
            alerting: Alerting::none(now),
            ..State::default()
        }
    }

    /// When something is due without an event.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let due = self.repositories.values().filter(|watched| !watched.is_inspected).map(|watched| watched.due_at);
        due.chain(self.keep_again_at).chain(self.alerting.book.wakes_at()).min()
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
/// Shape: at most `pace.at_once` inspections and one keeping run at any time.
pub fn turn(state: &mut State, event: Event, config: &Config, pace: Pace, now: Timestamp) -> Vec<Effect> {
    follow_the_clock(state, now);
    let mut effects = Vec::new();
    match event {
        Event::Tick => {}
        Event::Reported(receipt, events) => effects.extend(report(state, receipt, events, now)),
        Event::Wished(receipt, wish) => effects.extend(alerts::wished(state, receipt, wish, now)),
        Event::Delivered(key, outcome) => alerts::delivered(state, &key, outcome, now),
        Event::RefsMoved(path) => hasten(state, &path, Timestamp(now.0 + REST.0)),
        Event::Asked(path) => hasten(state, &path, now),
        Event::Inspected(inspected) => take_in(state, *inspected, config, pace, now),
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
            effects.extend(answer(std::mem::take(&mut state.kept_for), Ok(())));
        }
        Event::NotKept(commit, reason) => {
            state.is_keeping = false;
            state.store_trouble = Some(reason.clone());
            state.alerting.book.not_kept();
            // Whoever reported does it again; a sweep is only made once.
            effects.extend(answer(std::mem::take(&mut state.kept_for), Err(Refusal::NotKept(reason))));
            state.keep_again_at = Some(Timestamp(now.0 + KEEP_AGAIN.0));
            for (repository, part) in parts(*commit) {
                // A later look at the same repository says more.
                state.unkept.entry(repository).or_insert_with(|| Box::new(part));
            }
        }
    }
    effects.extend(alerts::tell(state, pace, now));
    effects.extend(due(state, pace, now));
    effects.extend(state.tending.due(state.repositories.keys().map(String::as_str), config, now));
    effects
}

/// A commit as one for each of its sweeps, with the numbers that belong to it. Those of the machine go with the first.
fn parts(commit: Commit) -> Vec<(String, Commit)> {
    let mut readings = commit.readings;
    let mut parts = Vec::new();
    for sweep in commit.sweeps {
        let (own, others) = readings
            .into_iter()
            .partition(|reading| reading.repository.is_empty() || reading.repository == sweep.repository);
        readings = others;
        let part = Commit { sweeps: vec![sweep], readings: own, ..Commit::default() };
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
    }
    state.keep_again_at = state.keep_again_at.map(earlier);
}

fn hasten(state: &mut State, path: &str, at: Timestamp) {
    let Some(watched) = state.repositories.get_mut(path) else { return };
    watched.is_due_again |= watched.is_inspected;
    watched.due_at = watched.due_at.min(at);
}

/// Judges what was seen, and puts it with what is to be kept.
fn take_in(state: &mut State, inspected: Inspected, config: &Config, pace: Pace, now: Timestamp) {
    let Some(watched) = state.repositories.get_mut(&inspected.path) else { return };
    watched.is_inspected = false;
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
            let commit = judged_commit(&inspected, snapshot, &judged, config, with_past);
            alert_on(&mut state.alerting, &inspected.path, Ok(&judged), &commit.readings, config, now);
            commit
        }
        Err(reason) => {
            alert_on(&mut state.alerting, &inspected.path, Err(reason), &[], config, now);
            let outcome = SweepOutcome::Failed(reason.clone());
            let (repository, path) = (watched.id.clone(), inspected.path.clone());
            let sweep = Sweep { repository, path, at: now, seconds: inspected.seconds, outcome };
            Commit { sweeps: vec![sweep], ..Commit::default() }
        }
    };
    watched.status = match &commit.sweeps[0].outcome {
        SweepOutcome::Seen { status, .. } => *status,
        SweepOutcome::Failed(_) => Status::Unknown,
    };
    // What can't be seen has no numbers: they end, they do not stay as they were.
    watched.readings.clone_from(&commit.readings);
    let before = state.unkept.insert(watched.id.clone(), Box::new(commit));
    // The past is told once: what the store has not taken yet goes with the newer look.
    if let (Some(before), Some(commit)) = (before, state.unkept.get_mut(&watched.id)) {
        commit.past.extend(before.past);
    }
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
    judged: Result<&[Judged], &String>,
    readings: &[Reading],
    config: &Config,
    now: Timestamp,
) {
    let objective = f64::from(config.serve.aligned_objective) / 100.0;
    let judged = judged.map_err(String::as_str);
    alerting.book.take_in(&alerting.policy, &Seen { path, judged, readings, ratios: None, objective, now });
}

fn judged_commit(
    inspected: &Inspected,
    snapshot: &Snapshot,
    judged: &[Judged],
    config: &Config,
    with_past: bool,
) -> Commit {
    let now = snapshot.seen_at;
    let (path, seconds) = (inspected.path.as_str(), inspected.seconds);
    let findings: Vec<FindingRow> = judged.iter().flat_map(|judged| &judged.findings).map(finding_row).collect();
    let settled = judged.iter().filter(|judged| judged.reason.is_none()).map(|judged| judged.check.id).collect();
    let looked = judged.iter().map(|judged| judged.status).filter(|&status| status != Status::Skipped);
    let outcome = SweepOutcome::Seen {
        status: looked.reduce(Status::worst).unwrap_or(Status::Unknown),
        document: document(snapshot, judged),
        branches: snapshot.branches.iter().map(KeptBranch::of).collect(),
        findings,
        settled,
    };
    let repository = snapshot.repository.id.clone();
    let measured = Measured { snapshot, judged, config, now };
    let readings = readings(&measured);
    let past = if with_past { past_readings(&measured) } else { Vec::new() };
    let sweep = Sweep { repository, path: path.to_owned(), at: now, seconds, outcome };
    Commit { sweeps: vec![sweep], readings, past, ..Commit::default() }
}

fn finding_row(finding: &crate::Finding) -> FindingRow {
    FindingRow {
        key: finding.key.clone(),
        check: finding.check,
        severity: finding.severity,
        summary: finding.summary.clone(),
        document: serde_json::to_string(finding).unwrap_or_else(|_| "null".to_owned()),
    }
}

/// The part of a sweep that pages show besides its findings: lines, checks, branches.
fn document(snapshot: &Snapshot, judged: &[Judged]) -> String {
    let checks: Vec<_> = judged
        .iter()
        .map(|judged| serde_json::json!({"id": judged.check.id, "status": judged.status.word(), "reason": judged.reason}))
        .collect();
    let lines: Vec<_> = snapshot
        .lines
        .iter()
        .map(
            |line| serde_json::json!({"ref": line.name.text(), "because": line.because, "confidence": line.confidence}),
        )
        .collect();
    let mut by_state = BTreeMap::<&str, usize>::new();
    for branch in &snapshot.branches {
        *by_state.entry(branch.state().word()).or_default() += 1;
    }
    serde_json::json!({"checks": checks, "lines": lines, "by_state": by_state}).to_string()
}

fn readings(measured: &Measured<'_>) -> Vec<Reading> {
    let mut readings = Vec::new();
    for metric in metrics::ALL {
        let repository =
            if metric.breadth == Breadth::Machine { String::new() } else { measured.snapshot.repository.id.clone() };
        for sample in (metric.read)(measured) {
            readings.push(reading(&repository, metric, sample, measured.now, false));
        }
    }
    readings
}

/// What the weeks before were, for the metrics that history can tell.
fn past_readings(measured: &Measured<'_>) -> Vec<Reading> {
    let Some(past) = measured.snapshot.facts.past.seen() else { return Vec::new() };
    let repository = &measured.snapshot.repository.id;
    let mut readings = Vec::new();
    for (metric, of) in metrics::ALL.iter().filter_map(|metric| Some((metric, metric.past?))) {
        for (number, end) in past.ends.iter().enumerate().take(past.n_weeks()) {
            let samples = of(measured, past, number).into_iter();
            readings.extend(samples.map(|sample| reading(repository, metric, sample, *end, true)));
        }
    }
    readings
}

fn reading(repository: &str, metric: &Metric, sample: Sample, at: Timestamp, is_reconstructed: bool) -> Reading {
    let own = std::iter::zip(metric.labels, sample.labels).map(|(name, value)| ((*name).to_owned(), value.into()));
    let mark = is_reconstructed.then(|| (record::RECONSTRUCTED.to_owned(), "true".into()));
    let labels: serde_json::Map<_, _> = own.chain(mark).collect();
    Reading {
        repository: repository.to_owned(),
        metric: metric.name,
        labels: serde_json::Value::Object(labels).to_string(),
        at,
        value: sample.value,
    }
}

/// What is to be done now: inspections that are due, the longest due first, and what is to be kept.
fn due(state: &mut State, pace: Pace, now: Timestamp) -> Vec<Effect> {
    let n_inspected = state.repositories.values().filter(|watched| watched.is_inspected).count();
    let mut ready: Vec<_> =
        state.repositories.iter_mut().filter(|(_, watched)| !watched.is_inspected && watched.due_at <= now).collect();
    ready.sort_by_key(|(_, watched)| watched.due_at);
    let mut effects = Vec::new();
    for (path, watched) in ready.into_iter().take(pace.at_once.saturating_sub(n_inspected)) {
        watched.is_inspected = true;
        effects.push(Effect::Inspect(path.clone()));
    }
    let may_keep = !state.is_keeping && state.keep_again_at.is_none_or(|at| at <= now);
    let is_nothing_new =
        state.unkept.is_empty() && state.reported.receipts.is_empty() && !state.alerting.book.has_changed();
    if may_keep && !is_nothing_new {
        let reported = std::mem::take(&mut state.reported);
        state.kept_for = reported.receipts;
        let records = state.alerting.book.records(now);
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

#[cfg(test)]
mod tests {
    use super::{reports::REPORTED_AT_MOST, *};
    use crate::{checks::sample, run::Happened};

    const PACE: Pace = Pace { interval: Span(300), at_once: 2 };

    fn at(second: i64) -> Timestamp {
        Timestamp(sample::NOW.0 + second)
    }

    struct Day(State);

    impl Day {
        fn of(paths: &[&str]) -> Day {
            Day(State::watching(paths.iter().map(|path| (*path).to_owned()), at(0)))
        }

        /// What is done after an event, a word each.
        fn then(&mut self, second: i64, event: Event) -> Vec<String> {
            let told = |effect: &Effect| match effect {
                Effect::Inspect(path) => format!("inspect {path}"),
                Effect::Deliver(row) => format!("deliver {}", row.key),
                Effect::Tend(path) => format!("tend {path}"),
                Effect::Keep(commit) => {
                    let sweeps = commit.sweeps.iter().map(|sweep| sweep.repository.clone());
                    let events = commit.events.iter().map(|event| event.id.clone());
                    format!("keep {}", sweeps.chain(events).collect::<Vec<_>>().join(" "))
                }
                Effect::Answer(receipts, Ok(())) => format!("kept {receipts:?}"),
                Effect::Answer(receipts, Err(refusal)) => format!("refuse {receipts:?}: {refusal}"),
            };
            turn(&mut self.0, event, &Config::default(), PACE, at(second)).iter().map(told).collect()
        }
    }

    fn seen(path: &str) -> Event {
        let mut snapshot = sample::snapshot([sample::branch("refs/heads/a", 1, 1)]);
        snapshot.repository.id = format!("id-of{path}");
        Event::Inspected(Box::new(Inspected { path: path.into(), seconds: 0.1, seen: Ok(snapshot) }))
    }

    fn failed(path: &str) -> Event {
        Event::Inspected(Box::new(Inspected { path: path.into(), seconds: 0.1, seen: Err("it is gone".into()) }))
    }

    #[test]
    fn a_morning_with_three_repositories() {
        let mut day = Day::of(&["/a", "/b", "/c"]);
        assert_eq!(day.then(0, Event::Tick), ["inspect /a", "inspect /b"]);
        assert_eq!(day.then(1, seen("/b")), ["inspect /c", "keep id-of/b"]);
        // What comes while something is being kept waits for that.
        assert_eq!(day.then(2, seen("/c")), [""; 0]);
        assert_eq!(day.then(3, Event::Kept(None)), ["keep id-of/c"]);
        // A slow repository holds up nobody: /b moves and is looked at while /a still runs.
        assert_eq!(day.then(4, Event::RefsMoved("/b".into())), [""; 0]);
        assert_eq!(day.then(6, Event::Tick), ["inspect /b"]);
    }

    #[test]
    fn what_moves_while_it_is_looked_at_is_looked_at_again() {
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        day.then(1, Event::RefsMoved("/a".into()));
        day.then(2, seen("/a"));
        day.then(3, Event::Kept(None));
        assert_eq!(day.then(4, Event::Tick), ["inspect /a"]);
    }

    #[test]
    fn a_store_that_refuses_is_tried_again_and_gets_the_latest() {
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        let effects = turn(&mut day.0, seen("/a"), &Config::default(), PACE, at(1));
        let Some(Effect::Keep(commit)) = effects.into_iter().next() else { panic!("something is kept") };
        assert_eq!(day.then(2, Event::NotKept(commit, "disk full".into())), [""; 0]);
        assert_eq!(day.0.store_trouble.as_deref(), Some("disk full"));
        assert_eq!(day.then(5, Event::Asked("/a".into())), ["inspect /a"]);
        assert_eq!(day.then(6, failed("/a")), [""; 0]);
        // Ten seconds after it failed; what was seen last is kept, under the same id.
        let kept = turn(&mut day.0, Event::Tick, &Config::default(), PACE, at(12));
        let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(commit.sweeps[0].repository, "id-of/a");
        assert_eq!(commit.sweeps[0].outcome, SweepOutcome::Failed("it is gone".into()));
        day.then(13, Event::Kept(None));
        assert_eq!(day.0.store_trouble, None);
    }

    #[test]
    fn what_went_wrong_beside_a_commit_is_told_until_it_goes_well() {
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        day.then(1, seen("/a"));
        day.then(2, Event::Kept(Some("no backup".into())));
        assert_eq!(day.0.store_trouble.as_deref(), Some("no backup"));
        day.then(3, Event::Kept(None));
        assert_eq!(day.0.store_trouble, None);
    }

    #[test]
    fn the_past_is_told_once_and_not_lost_when_the_store_is_busy() {
        let seen = || {
            let mut snapshot = sample::snapshot([]);
            let line = crate::facts::past::LinePast {
                name: "refs/heads/main".into(),
                n_commits: vec![Some(1); 3],
                moves: vec![at(-20 * 86_400)],
                landings: Vec::new(),
            };
            let ends = [-14, -7, 0].map(|day| at(day * 86_400)).to_vec();
            let past = crate::facts::past::Past { ends, lines: vec![line], ..Default::default() };
            snapshot.facts.past = crate::Known::Seen(past);
            Event::Inspected(Box::new(Inspected { path: "/a".into(), seconds: 0.1, seen: Ok(snapshot) }))
        };
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        let kept = turn(&mut day.0, seen(), &Config::default(), PACE, at(1));
        let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
        let moves: Vec<_> = commit.past.iter().filter(|reading| reading.metric == "alignwatch_base_moves").collect();
        assert_eq!(moves.len(), 2, "two weeks, and now, which is measured");
        assert_eq!(moves[0].labels, r#"{"line":"refs/heads/main","reconstructed":"true"}"#);
        assert_eq!((moves[0].at, moves[0].value, moves[1].value), (at(-14 * 86_400), 1.0, 0.0));
        assert!(commit.readings.iter().all(|reading| !reading.labels.contains("reconstructed")));
        day.then(2, Event::Asked("/a".into()));
        day.then(3, Event::Kept(None));
        day.then(400, Event::Tick);
        let kept = turn(&mut day.0, seen(), &Config::default(), PACE, at(401));
        let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(commit.past, []);
    }

    #[test]
    fn a_repository_that_is_gone_has_no_numbers_any_more() {
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        day.then(1, seen("/a"));
        assert!(day.0.readings().count() > 10);
        day.then(2, Event::Kept(None));
        day.then(3, Event::Asked("/a".into()));
        day.then(4, failed("/a"));
        assert_eq!(day.0.readings().count(), 0);
    }

    fn reported(receipt: u64, id: &str, what: Happened) -> Event {
        let run = crate::run::RunId::from_parts(1, [1; 10]);
        Event::Reported(Receipt(receipt), vec![RunEvent::new(id, run, crate::run::Moment(1), what)])
    }

    #[test]
    fn what_is_reported_is_acknowledged_when_it_is_kept_and_not_before() {
        let mut day = Day::of(&[]);
        let beat = |receipt, id| reported(receipt, id, Happened::Heartbeat {});
        assert_eq!(day.then(0, beat(1, "a")), ["keep a"]);
        // Whatever comes meanwhile is kept together.
        assert_eq!(day.then(0, beat(2, "b")), [""; 0]);
        assert_eq!(day.then(0, beat(3, "c")), [""; 0]);
        assert_eq!(day.then(0, Event::Kept(None)), ["kept [Receipt(1)]", "keep b c"]);
        let failed = Event::NotKept(Box::default(), "disk full".into());
        assert_eq!(day.then(1, failed), ["refuse [Receipt(2), Receipt(3)]: it could not be kept: disk full"]);
        assert_eq!(day.then(2, beat(4, "b")), ["refuse [Receipt(4)]: it could not be kept: disk full"]);
        assert_eq!(day.then(12, beat(5, "b")), ["keep b"], "it is tried again");
    }

    #[test]
    fn more_reports_than_can_be_held_are_refused_at_once() {
        let mut day = Day::of(&[]);
        day.then(0, reported(1, "a", Happened::Heartbeat {}));
        let run = crate::run::RunId::from_parts(1, [1; 10]);
        let one = RunEvent::new("b", run, crate::run::Moment(1), Happened::Heartbeat {});
        day.then(0, Event::Reported(Receipt(2), vec![one; REPORTED_AT_MOST]));
        assert_eq!(
            day.then(0, reported(3, "c", Happened::Heartbeat {})),
            ["refuse [Receipt(3)]: more is reported than can be kept in time"]
        );
    }

    #[test]
    fn a_repository_is_looked_at_when_a_run_in_it_begins_and_ends() {
        let mut day = Day::of(&["/a"]);
        day.then(0, Event::Tick);
        day.then(1, seen("/a"));
        day.then(2, Event::Kept(None));
        let started = crate::run::event::Started { repository_id: Some("id-of/a".into()), ..Default::default() };
        assert_eq!(day.then(10, reported(1, "s", Happened::Started(started))), ["keep s"]);
        assert_eq!(day.then(12, Event::Tick), ["inspect /a"]);
        day.then(13, seen("/a"));
        day.then(14, Event::Kept(None));
        day.then(15, Event::Kept(None));
        day.then(20, reported(2, "f", Happened::Finished(Default::default())));
        assert_eq!(day.then(22, Event::Tick), ["inspect /a"]);
    }

    #[test]
    fn the_daemon_sleeps_until_something_is_due() {
        let mut day = Day::of(&["/a"]);
        assert_eq!(day.0.wakes_at(), Some(at(0)));
        day.then(0, Event::Tick);
        assert_eq!(day.0.wakes_at(), None);
        day.then(1, seen("/a"));
        let next = day.0.wakes_at().unwrap();
        assert!((at(301)..at(332)).contains(&next), "{next:?}");
    }
}
