//! Days in which alignwatch looks after itself: the heartbeat that an outside watch waits for, and scheduled tests of
//! channels. The store is quick, repositories are looked at in a second, and what is told is a line each.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    alert::{Book, Policy, outbox},
    checks::sample,
    notice::{Delivered, Failure, FailureReason, NoticeReason},
    record::{Record, RecordKind},
};

const PACE: Pace = Pace { interval: Span(300), at_once: 4 };

const CHANNELS: &str = "channels:\n  webhook:\n  - {name: team, url: \"https://x.example/t\"}\n  \
                        - {name: ops, url: \"https://x.example/o\"}\n\
                        alerts: {settle: 0s, group_wait: 0s, group_interval: 1m, fallback: ops}\n";

const HEARTBEAT: &str = "heartbeat: {url: \"https://x.example/beat\", every: 10m}\n";

/// A daemon and its surroundings. Times are minutes since it began at midnight, UTC.
struct World {
    config: Config,
    state: State,
    now: i64,
    began_at: i64,
    /// Channels that take nothing, and `outside`.
    down: BTreeSet<&'static str>,
    /// Looks never end.
    is_stuck: bool,
    store_trouble: Option<String>,
    records: BTreeMap<(RecordKind, String), Record>,
    told: Vec<String>,
}

impl World {
    fn new(yaml: &str) -> World {
        let config = Config::from_yaml(&format!("{CHANNELS}{yaml}"), "f").unwrap().0;
        let began_at = sample::NOW.0.div_euclid(86_400) * 86_400;
        let mut world = World {
            config,
            state: State::default(),
            now: began_at,
            began_at,
            down: BTreeSet::new(),
            is_stuck: false,
            store_trouble: None,
            records: BTreeMap::new(),
            told: Vec::new(),
        };
        world.start();
        world
    }

    /// The daemon begins with what is on the disk.
    fn start(&mut self) {
        let policy = Policy::of(&self.config);
        let open: Vec<Record> = self.records.values().filter(|record| record.is_open).cloned().collect();
        let (book, bad) = Book::of_records(&open, &policy, Timestamp(self.now));
        assert_eq!(bad, [""; 0]);
        self.state = State::watching(["/srv/a.git".to_owned()], Timestamp(self.now)).with_alerts(book, policy);
    }

    fn post(&mut self, event: Event) {
        for effect in turn(&mut self.state, event, &self.config, PACE, Timestamp(self.now)) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Inspect(path) if !self.is_stuck => {
                let mut snapshot = sample::snapshot([]);
                snapshot.seen_at = Timestamp(self.now);
                self.post(Event::Inspected(Box::new(Inspected { path, seconds: 1.0, seen: Ok(snapshot) })));
            }
            Effect::Keep(commit) => {
                for record in commit.records {
                    self.records.insert((record.kind, record.key.clone()), record);
                }
                self.post(Event::Kept(self.store_trouble.clone()));
            }
            Effect::Deliver(row) => {
                let arrives = !self.down.contains(row.telling.channel.as_str());
                self.hear(&row, arrives);
                self.post(Event::Delivered(row.key, outcome(arrives)));
            }
            Effect::Do(wish) => panic!("nobody wished for {wish:?}"),
            Effect::Write(name, _) => panic!("nobody asked for the report {name}"),
            Effect::Beat(reasons) => {
                let arrives = !self.down.contains("outside");
                let said = if reasons.is_empty() { "all is well".to_owned() } else { reasons.join("; ") };
                let mark = if arrives { "" } else { " (not heard)" };
                self.say(format!("outside: {said}{mark}"));
                self.post(Event::Called(outcome(arrives)));
            }
            Effect::Open(_) | Effect::Inspect(_) | Effect::Tend(_) | Effect::Answer(..) | Effect::ReadUnplaced => {}
        }
    }

    fn hear(&mut self, row: &outbox::Outgoing, arrives: bool) {
        let alerts = row.telling.alerts.iter().map(|told| {
            let sign = if told.alert.is_firing() { '+' } else { '-' };
            format!("{sign}{}", told.alert.summary)
        });
        let what = if row.telling.reason == NoticeReason::Test { "test" } else { "alert" };
        let mark = if arrives { "" } else { " (not heard)" };
        self.say(format!("{}: {what} {}{mark}", row.telling.channel, alerts.collect::<Vec<_>>().join(", ")));
    }

    fn say(&mut self, line: String) {
        self.told.push(format!("{} {line}", (self.now - self.began_at) / 60));
    }

    /// Lets time pass until this minute. What was told meanwhile.
    fn until(&mut self, minute: i64) -> Vec<String> {
        while self.now < self.began_at + minute * 60 {
            self.post(Event::Tick);
            self.now += 5;
        }
        std::mem::take(&mut self.told)
    }

    /// The minute of the last call that said that all is well, and was heard.
    fn well_at(&self) -> Option<i64> {
        self.state.alerting.book.heartbeat.well_at.map(|at| (at.0 - self.began_at) / 60)
    }

    fn own_alerts(&self) -> Vec<&str> {
        self.state.alerting.book.firing().map(|alert| alert.labels["promise"].as_str()).collect()
    }
}

fn outcome(arrives: bool) -> outbox::Outcome {
    let failure = Failure {
        reason: FailureReason::Connection,
        detail: "nobody is there".into(),
        is_permanent: false,
        retry_after: None,
    };
    if arrives { Ok(Delivered::default()).into() } else { Err(failure).into() }
}

#[test]
fn the_heartbeat_goes_on_as_long_as_all_that_was_due_has_happened() {
    let mut world = World::new(HEARTBEAT);
    assert_eq!(world.until(25), ["0 outside: all is well", "10 outside: all is well", "20 outside: all is well"]);
    assert_eq!(world.well_at(), Some(20));

    world.is_stuck = true;
    let late = "1 repository not looked at for twice the interval";
    let hangs = "has not ended: a disk, a network file system or a git does not answer";
    let told = world.until(55);
    let (of_it, others): (Vec<_>, Vec<_>) = told.into_iter().partition(|line| line.ends_with(hangs));
    assert_eq!(
        others,
        [
            "30 outside: all is well",
            &format!("35 team: alert +{late}"),
            &format!("40 outside: {late}"),
            &format!("50 outside: {late}")
        ]
    );
    assert_eq!(of_it.len(), 1, "and it is unknown: {of_it:?}");
    assert_eq!(world.well_at(), Some(30));
}

#[test]
fn a_heartbeat_that_is_to_be_silent_says_nothing_of_what_is_broken() {
    let mut world = World::new("heartbeat: {url: \"https://x.example/beat\", every: 10m, when_failing: be_silent}\n");
    assert_eq!(world.until(5), ["0 outside: all is well"]);
    world.store_trouble = Some("the daily backup failed: disk full".into());
    let told = world.until(30);
    assert!(!told.iter().any(|line| line.contains("outside")), "{told:?}");
    world.store_trouble = None;
    let told = world.until(60);
    assert!(told.iter().any(|line| line.ends_with("outside: all is well")), "{told:?}");
}

#[test]
fn nothing_is_said_before_each_repository_was_looked_at() {
    let mut world = World::new(HEARTBEAT);
    world.is_stuck = true;
    world.start();
    assert_eq!(world.until(9), [""; 0], "it is too early to say anything");
    assert_eq!(world.until(11)[0], "10 outside: 1 repository not looked at for twice the interval");
}

#[test]
fn a_message_that_waits_too_long_stops_the_heartbeat_and_is_told_elsewhere() {
    let mut world = World::new(&format!("{HEARTBEAT}routes:\n  - {{name: all, channels: [team]}}\n"));
    world.until(1);
    world.store_trouble = Some("disk full".into());
    world.down.insert("team");
    let mut told = world.until(14);
    world.store_trouble = None;
    told.extend(world.until(60));
    assert!(told.iter().any(|line| line.contains("ops: alert +the store is in trouble: disk full")), "{told:#?}");
    let late = |line: &&String| {
        line.contains("outside:") && line.contains("nothing could be delivered to the channel team for 15 min")
    };
    assert!(told.iter().any(|line| late(&line)), "{told:#?}");
    world.down.clear();
    let told = world.until(180);
    assert!(told.last().is_some_and(|line| line.ends_with("outside: all is well")), "{told:#?}");
}

#[test]
fn that_the_heartbeat_is_not_heard_is_told_and_does_not_stop_it() {
    let mut world = World::new(HEARTBEAT);
    world.until(5);
    world.down.insert("outside");
    let told = world.until(20);
    let calls: Vec<&String> = told.iter().filter(|line| line.contains("outside: all is well (not heard)")).collect();
    assert!(10 < calls.len(), "it is tried again soon: {told:#?}");
    assert!(
        told.iter().any(|line| line.contains("team: alert +the heartbeat is not heard outside: nobody is there")),
        "{told:#?}"
    );
    assert_eq!(world.own_alerts(), ["heartbeat"]);
    world.down.clear();
    let told = world.until(40);
    assert!(told.iter().any(|line| line.ends_with("outside: all is well")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("team: alert -the heartbeat")), "{told:#?}");
}

#[test]
fn a_channel_is_tested_at_its_times_also_over_a_restart() {
    let mut world = World::new("canaries:\n  - {channels: [team], due: \"0 9 * * *\", zone: Europe/Berlin}\n");
    // Berlin is an hour ahead in winter.
    assert_eq!(world.until(8 * 60 - 1), [""; 0]);
    assert_eq!(world.until(8 * 60 + 10), ["480 team: test -scheduled test of the channel team"]);
    let arrived = |world: &World| world.state.alerting.book.canaries["team"].arrived_at;
    assert_eq!(arrived(&world), Some(Timestamp(world.began_at + 480 * 60)));
    world.start();
    assert_eq!(arrived(&world), Some(Timestamp(world.began_at + 480 * 60)));
    assert_eq!(world.until(31 * 60), [""; 0], "once a day");
    // What is due while the daemon is away is sent when it is back.
    world.now = world.began_at + 33 * 3_600;
    world.start();
    assert_eq!(world.until(33 * 60 + 1), ["1980 team: test -scheduled test of the channel team"]);
}

#[test]
fn a_test_waits_for_the_end_of_quiet_hours_unless_it_is_told_otherwise() {
    let night = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 4h}\n";
    let canary = |more: &str| format!("{night}canaries:\n  - {{channels: [team], due: \"0 2 * * *\"{more}}}\n");
    let mut waits = World::new(&canary(""));
    assert_eq!(waits.until(10 * 60), ["300 team: test -scheduled test of the channel team"]);
    assert_eq!(waits.until(30 * 60), ["1740 team: test -scheduled test of the channel team"], "each day once");
    let mut sends = World::new(&canary(", in_windows: send"));
    assert_eq!(sends.until(10 * 60), ["120 team: test -scheduled test of the channel team"]);
    // A window over some repositories quiets no channel.
    let of_one = night.replace("lasts: 4h", "lasts: 4h, repositories: [/srv/a.git]");
    let mut other = World::new(&format!("{of_one}canaries:\n  - {{channels: [team], due: \"0 2 * * *\"}}\n"));
    assert_eq!(other.until(10 * 60), ["120 team: test -scheduled test of the channel team"]);
}

#[test]
fn a_test_that_does_not_arrive_is_told_through_the_channel_that_stands_in_and_so_is_its_end() {
    let routes = "routes:\n  - {name: all, channels: [team]}\n";
    let mut world = World::new(&format!("{HEARTBEAT}{routes}canaries:\n  - {{channels: [team], due: 1d}}\n"));
    world.down.insert("team");
    let told = world.until(30);
    let tests = told.iter().filter(|line| line.contains("team: test")).count();
    assert_eq!(tests, 3, "the next one is another test: {told:#?}");
    let alert = "ops: alert +the scheduled test of the channel team did not arrive: nobody is there";
    assert!(told.iter().any(|line| line.contains(alert)), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("ops: test")), "the test itself is nobody else's: {told:#?}");
    assert!(
        told.iter().any(|line| line.contains("outside: the scheduled test of the channel team did not arrive")),
        "{told:#?}"
    );

    world.down.clear();
    let told = world.until(25 * 60);
    assert!(told.iter().any(|line| line.contains("1440 team: test")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("ops: alert -the scheduled test")), "{told:#?}");
    assert_eq!(world.own_alerts(), [""; 0]);
}

#[test]
fn runs_that_cannot_be_judged_stop_the_heartbeat_where_runs_are_expected() {
    let told = |more: &str| World::new(&format!("{HEARTBEAT}{more}")).until(11).pop().expect("a call");
    assert_eq!(told(""), "10 outside: all is well");
    let expected = told("workflows: [{name: nightly, due: 1d}]\n");
    let begin = "10 outside: it cannot be judged whether the expected runs came in /srv/a.git: ";
    assert!(expected.starts_with(begin) && begin.len() < expected.len(), "{expected}");
}

#[test]
fn maintenance_that_never_comes_to_its_end_stops_the_heartbeat() {
    let mut world = World::new(&format!("{HEARTBEAT}maintenance: {{repositories: [/srv/a.git]}}\n"));
    assert!(world.until(12 * 60).iter().all(|line| line.ends_with("outside: all is well")));
    let told = world.until(12 * 60 + 15);
    assert_eq!(told.last().unwrap(), "730 outside: maintenance of 1 repository was not begun for 12 h");
}

#[test]
fn while_it_is_not_known_what_was_told_the_heartbeat_does_not_say_that_all_is_well() {
    let mut world = World::new(HEARTBEAT);
    world.state = State::watching(["/srv/a.git".to_owned()], Timestamp(world.now));
    let told = world.until(11);
    assert!(!told.is_empty() && told.iter().all(|line| line.contains("could not be read yet")), "{told:#?}");
    assert_eq!(world.well_at(), None);
}
