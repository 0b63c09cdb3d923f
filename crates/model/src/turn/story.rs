//! Whole days of the daemon, told in lines and in throws of a die: a hand-held clock, repositories that take their
//! time, a store that refuses, clocks that are set, and the end of the process between any two effects.

use std::collections::{BTreeMap, BTreeSet};

use super::{reports::REPORTED_AT_MOST, *};
use crate::{
    alert::{Book, Policy, outbox},
    checks::sample,
    notice::{Delivered, Failure, FailureReason},
    record::{Record, RecordKind},
    run::{Happened, Moment, RunEvent, RunId},
};

const INTERVAL: i64 = 300;
const PACE: Pace = Pace { interval: Span(INTERVAL), at_once: 4 };

/// The world outside of the brain.
struct World {
    now: i64,
    state: State,
    paths: Vec<String>,
    /// What is under way, and when it ends.
    under_way: Vec<(i64, Doing)>,
    /// What is on the disk: it outlives the process.
    kept_sweeps: BTreeMap<String, Vec<i64>>,
    kept_events: BTreeSet<String>,
    records: BTreeMap<(RecordKind, String), Record>,
    policy: Policy,
    /// Repositories that can't be looked at.
    ill: BTreeSet<String>,
    /// Messages that somebody heard, by their key and in order; the same one may come twice.
    heard: Vec<outbox::Outgoing>,
    channel_is_down: bool,
    n_crashes: usize,
    acknowledged: BTreeSet<String>,
    refused: usize,
    /// Who waits for an answer.
    waiting: BTreeMap<Receipt, String>,
    n_reported: u64,
    store_refuses_until: i64,
    chance: u64,
}

enum Doing {
    Inspection(String),
    Keeping(Box<Commit>),
    Delivery(Box<outbox::Outgoing>),
}

/// A channel, and a rule that fires at once for a repository that can't be looked at.
fn policy() -> Policy {
    let yaml = "channels:\n  webhook:\n  - {name: team, url: \"https://x.example/h\"}\n\
                alerts: {settle: 5s, group_wait: 2s, group_interval: 10s, at_most_per_hour: 10000, skip_rules: [own-promise]}\n";
    let mut policy = Policy::of(&Config::from_yaml(yaml, "f").unwrap().0);
    policy.rules.iter_mut().for_each(|rule| rule.timing = crate::alert::Timing::default());
    policy.routes[0].group_by = vec!["repository".into()];
    policy
}

impl World {
    fn new(n_repositories: usize, begins_at: i64, seed: u64) -> World {
        let paths: Vec<String> = (0..n_repositories).map(|number| format!("/srv/{number:02}.git")).collect();
        let now = Timestamp(begins_at);
        World {
            now: begins_at,
            state: State::watching(paths.clone(), now).with_alerts(Book::new(&policy(), now), policy()),
            paths,
            under_way: Vec::new(),
            kept_sweeps: BTreeMap::new(),
            kept_events: BTreeSet::new(),
            records: BTreeMap::new(),
            policy: policy(),
            ill: BTreeSet::new(),
            heard: Vec::new(),
            channel_is_down: false,
            n_crashes: 0,
            acknowledged: BTreeSet::new(),
            refused: 0,
            waiting: BTreeMap::new(),
            n_reported: 0,
            store_refuses_until: i64::MIN,
            chance: seed,
        }
    }

    /// xorshift64: the same seed tells the same story.
    fn die(&mut self, sides: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % sides
    }

    fn post(&mut self, event: Event) {
        let effects = turn(&mut self.state, event, &Config::default(), PACE, Timestamp(self.now));
        for effect in effects {
            self.begin(effect);
        }
        let n_inspections = self.under_way.iter().filter(|(_, doing)| matches!(doing, Doing::Inspection(_))).count();
        let n_keepings = self.under_way.iter().filter(|(_, doing)| matches!(doing, Doing::Keeping(_))).count();
        // The usual ones, and a slow one beside them.
        assert!(
            n_inspections <= PACE.at_once + 1 && n_keepings <= 1,
            "{n_inspections} inspections, {n_keepings} commits"
        );
    }

    fn begin(&mut self, effect: Effect) {
        match effect {
            Effect::Inspect(path) => {
                // The first repository is slow, each time.
                let takes = if path.ends_with("00.git") { 250 } else { 1 + self.die(20) as i64 };
                self.under_way.push((self.now + takes, Doing::Inspection(path)));
            }
            Effect::Keep(commit) => {
                let takes = self.die(3) as i64;
                self.under_way.push((self.now + takes, Doing::Keeping(commit)));
            }
            Effect::Deliver(row) => {
                let takes = self.die(5) as i64;
                self.under_way.push((self.now + takes, Doing::Delivery(row)));
            }
            // Its event is lost, which holds up nobody.
            Effect::ReadUnplaced => {}
            Effect::Tend(path) => panic!("nobody handed {path} over"),
            Effect::Do(wish) => panic!("nobody wished for {wish:?}"),
            Effect::Write(name, _) => panic!("nobody asked for the report {name}"),
            Effect::Open(change) => panic!("no window waits for alerts: {change:?}"),
            Effect::Beat(_) => panic!("nobody watches over us"),
            Effect::Answer(receipts, kept) => {
                for receipt in receipts {
                    let id = self.waiting.remove(&receipt).expect("somebody waits for each answer, and hears it once");
                    match &kept {
                        Ok(()) => drop(self.acknowledged.insert(id)),
                        Err(_) => self.refused += 1,
                    }
                }
            }
        }
    }

    /// Lets this second pass: what ends in it is told.
    fn second(&mut self) {
        let (ended, going): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(ends_at, _)| *ends_at <= self.now);
        self.under_way = going;
        for (_, doing) in ended {
            self.end(doing);
        }
        self.post(Event::Tick);
        self.now += 1;
    }

    fn end(&mut self, doing: Doing) {
        match doing {
            Doing::Inspection(path) => {
                let mut snapshot = sample::snapshot([]);
                snapshot.repository.id = format!("id of {path}");
                snapshot.seen_at = Timestamp(self.now);
                let is_ill = self.ill.contains(&path);
                let seen = if is_ill { Err(Unseen::Gone("it is gone".to_owned())) } else { Ok(snapshot) };
                let inspected = Inspected { path, seconds: 1.0, seen };
                self.post(Event::Inspected(Box::new(inspected)));
            }
            Doing::Keeping(commit) if self.now < self.store_refuses_until => {
                self.post(Event::NotKept(commit, "disk full".into()));
            }
            Doing::Keeping(commit) => {
                for sweep in &commit.sweeps {
                    self.kept_sweeps.entry(sweep.path.clone()).or_default().push(sweep.at.0);
                }
                self.keep(&commit);
                self.post(Event::Kept(None));
            }
            Doing::Delivery(row) if self.channel_is_down => {
                let reason = FailureReason::Connection;
                let failure = Failure { reason, detail: "refused".into(), is_permanent: false, retry_after: None };
                self.post(Event::Delivered(row.key, Err(failure).into()));
            }
            Doing::Delivery(row) => {
                let key = row.key.clone();
                self.heard.push(*row);
                self.post(Event::Delivered(key, Ok(Delivered::default()).into()));
            }
        }
    }

    fn keep(&mut self, commit: &Commit) {
        self.kept_events.extend(commit.events.iter().map(|event| event.id.clone()));
        for record in &commit.records {
            let key = (record.kind, record.key.clone());
            match record.document {
                Some(_) => drop(self.records.insert(key, record.clone())),
                None => drop(self.records.remove(&key)),
            }
        }
    }

    fn report(&mut self) {
        let id = format!("e{}", self.n_reported);
        let receipt = Receipt(self.n_reported);
        self.n_reported += 1;
        self.waiting.insert(receipt, id.clone());
        let run = RunId::from_parts(1, [1; 10]);
        self.post(Event::Reported(
            receipt,
            vec![RunEvent::new(id, run, Moment(self.now * 1000), Happened::Heartbeat {})],
        ));
    }

    /// The process ends here. What is not on the disk is gone; a commit that was under way may or may not be there.
    fn crash(&mut self) {
        self.n_crashes += 1;
        for (_, doing) in std::mem::take(&mut self.under_way) {
            let is_done = self.die(2) == 0;
            match doing {
                Doing::Keeping(commit) if is_done => self.keep(&commit),
                Doing::Delivery(row) if is_done && !self.channel_is_down => self.heard.push(*row),
                _ => {}
            }
        }
        self.waiting.clear();
        let open: Vec<Record> = self.records.values().filter(|record| record.is_open).cloned().collect();
        let (book, bad) = Book::of_records(&open, &self.policy, Timestamp(self.now));
        assert_eq!(bad, [""; 0]);
        self.state = State::watching(self.paths.clone(), Timestamp(self.now)).with_alerts(book, self.policy.clone());
    }

    /// The longest time between two looks at one repository that were kept, over all repositories.
    fn longest_gap(&self) -> i64 {
        let gaps = self.kept_sweeps.values().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0]));
        gaps.max().unwrap_or(0)
    }
}

#[test]
fn an_hour_with_twenty_repositories_of_which_one_is_slow() {
    let mut world = World::new(20, sample::NOW.0, 7);
    for _ in 0..3_600 {
        world.second();
    }
    assert_eq!(world.kept_sweeps.len(), 20);
    for (path, times) in &world.kept_sweeps {
        let expected = if path.ends_with("00.git") { 6..=8 } else { 10..=13 };
        assert!(expected.contains(&times.len()), "{path}: {times:?}");
    }
    // Interval, jitter and the work itself; the slow one holds up nobody.
    let slow = world.kept_sweeps.remove("/srv/00.git").unwrap();
    assert!(world.longest_gap() <= INTERVAL + INTERVAL / 10 + 60, "{}", world.longest_gap());
    assert!(slow.windows(2).all(|pair| pair[1] - pair[0] <= 2 * INTERVAL + 60), "{slow:?}");
}

#[test]
fn both_nights_in_which_clocks_change_are_nights_like_others() {
    // The brain counts seconds: the hour that is missing or comes twice in Berlin is none of its business.
    for day in ["2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z"] {
        let begins_at = day.parse::<jiff::Timestamp>().unwrap().as_second();
        let mut world = World::new(3, begins_at, 11);
        for _ in 0..6 * 3_600 {
            world.second();
        }
        assert!(world.longest_gap() <= 2 * INTERVAL + 60, "{day}: {}", world.longest_gap());
    }
}

#[test]
fn a_clock_that_is_set_back_stops_nothing_and_one_that_is_set_forward_brings_no_storm() {
    let mut world = World::new(5, sample::NOW.0, 13);
    for _ in 0..1_000 {
        world.second();
    }
    world.now -= 7_200;
    world.under_way.iter_mut().for_each(|(ends_at, _)| *ends_at -= 7_200);
    let before: usize = world.kept_sweeps.values().map(Vec::len).sum();
    for _ in 0..1_000 {
        world.second();
    }
    let after: usize = world.kept_sweeps.values().map(Vec::len).sum();
    assert!(before + 10 <= after, "{before} sweeps before, {after} after: it froze");
    world.now += 86_400;
    for _ in 0..1_000 {
        world.second();
    }
    let later: usize = world.kept_sweeps.values().map(Vec::len).sum();
    assert!(later <= after + 5 * 5, "{after} sweeps, then {later}: a storm");
}

#[test]
fn a_process_that_ends_between_any_two_effects_loses_nothing_that_was_acknowledged() {
    for seed in 1..=40 {
        let mut world = World::new(4, sample::NOW.0, seed * 0x9e37_79b9);
        for _ in 0..600 {
            match world.die(40) {
                0 => world.crash(),
                1 => world.store_refuses_until = world.now + 30,
                2..=10 => world.report(),
                11 => {
                    let path = world.paths[world.chance as usize % world.paths.len()].clone();
                    world.post(Event::RefsMoved(path));
                }
                _ => {}
            }
            world.second();
        }
        let lost: Vec<_> = world.acknowledged.difference(&world.kept_events).collect();
        assert!(lost.is_empty(), "seed {seed}: acknowledged and lost: {lost:?}");
        assert!(!world.acknowledged.is_empty() && 0 < world.refused, "seed {seed}: the story shows nothing");
        // In the end everything that is watched was seen.
        world.store_refuses_until = i64::MIN;
        for _ in 0..900 {
            world.second();
        }
        assert_eq!(world.kept_sweeps.len(), 4, "seed {seed}");
        assert!(world.waiting.is_empty(), "seed {seed}: somebody still waits");
    }
}

/// The oracle of delivery: what was decided and kept was heard, whoever heard of a firing heard of its end, and nothing
/// came twice more often than the process was killed.
#[test]
fn no_message_that_was_decided_is_lost_and_every_firing_that_was_heard_gets_its_end() {
    for seed in 1..=10 {
        let mut world = World::new(3, sample::NOW.0, seed * 0x51_7cc1);
        for _ in 0..4_000 {
            match world.die(400) {
                0..=2 => world.crash(),
                3 => world.store_refuses_until = world.now + 30,
                4 => world.channel_is_down ^= true,
                5..=12 => {
                    let path = world.paths[world.chance as usize % world.paths.len()].clone();
                    if !world.ill.remove(&path) {
                        world.ill.insert(path.clone());
                    }
                    world.post(Event::Asked(path));
                }
                _ => {}
            }
            world.second();
        }
        (world.store_refuses_until, world.channel_is_down) = (i64::MIN, false);
        world.ill.clear();
        // Flapping settles, and the longest pause between two attempts is over.
        for _ in 0..20_000 {
            world.second();
        }
        let rows = world.records.values().filter(|record| record.kind == RecordKind::Outgoing);
        let rows: Vec<outbox::Outgoing> =
            rows.map(|record| serde_json::from_str(record.document.as_ref().unwrap()).unwrap()).collect();
        let mut times = BTreeMap::<&str, usize>::new();
        for row in &world.heard {
            *times.entry(&row.key).or_default() += 1;
        }
        for row in &rows {
            let is_over = matches!(row.state, outbox::State::Superseded(_));
            assert!(is_over || times.contains_key(row.key.as_str()), "seed {seed}: decided and not heard: {row:?}");
        }
        let mut firing = BTreeMap::new();
        for told in world.heard.iter().flat_map(|row| &row.telling.alerts) {
            firing.insert(told.alert.id.as_str(), told.alert.is_firing());
        }
        let open: Vec<_> = firing.iter().filter(|(_, is_firing)| **is_firing).collect();
        assert!(open.is_empty(), "seed {seed}: heard to fire and not to end: {open:?}");
        let twice: usize = times.values().map(|n| n - 1).sum();
        assert!(twice <= world.n_crashes, "seed {seed}: {twice} came twice, {} kills", world.n_crashes);
        assert!(5 < firing.len() && 0 < world.n_crashes, "seed {seed}: the story shows nothing");
    }
}

#[test]
fn what_waits_is_bounded_when_the_store_refuses_for_long() {
    let mut world = World::new(4, sample::NOW.0, 5);
    world.store_refuses_until = i64::MAX;
    for _ in 0..2_000 {
        world.report();
        world.second();
    }
    assert!(world.state.unkept.len() <= 4 && world.state.reported.events.len() <= REPORTED_AT_MOST);
    assert!(world.acknowledged.is_empty() && world.waiting.len() < 100, "{} wait", world.waiting.len());
}
