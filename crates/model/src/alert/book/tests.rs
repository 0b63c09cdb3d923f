//! What is kept, what is kept again, and what is forgotten.

use super::*;
use crate::{
    alert::{Labels, Matcher, sample},
    notice::{Failure, FailureReason},
    record::RecordKind,
};

fn silence(id: &str, ends_at: i64) -> Wish {
    let silence = Silence {
        id: id.to_owned(),
        matchers: vec![Matcher::equal("alertname", "conflict")],
        starts_at: Timestamp(0),
        ends_at: Timestamp(ends_at),
        created_by: "mia".into(),
        comment: "known".into(),
        updated_at: Timestamp(0),
        ends_on_resolve: false,
    };
    Wish::Silence { silence, instead_of: None }
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.silence_at_most = Span::days(7);
    policy
}

#[test]
fn who_did_what_is_written_even_when_the_disk_failed_at_first() {
    let mut book = Book::new(&policy(), Timestamp(0));
    book.wish(&policy(), silence("s", 3600), Timestamp(0)).unwrap();
    let audits = |records: &[Record]| records.iter().filter(|record| record.kind == RecordKind::Audit).count();
    assert_eq!(audits(&book.records(Timestamp(1))), 1);
    book.not_kept();
    assert!(book.has_changed());
    assert_eq!(audits(&book.records(Timestamp(2))), 1, "the same line again");
    book.kept();
    assert!(!book.has_changed());
    assert!(book.records(Timestamp(3)).is_empty());
}

#[test]
fn a_silence_that_is_over_is_closed_on_the_disk_and_then_forgotten() {
    let (policy, end) = (policy(), 3600);
    let mut book = Book::new(&policy, Timestamp(0));
    book.wish(&policy, silence("s", end), Timestamp(0)).unwrap();
    let kept = book.records(Timestamp(1));
    assert!(kept.iter().any(|record| record.kind == RecordKind::Silence && record.is_open));
    book.kept();
    let later = Timestamp(end + mute::OVER_KEPT.0);
    book.decide_soon(later);
    book.decide(&policy, later);
    let kept = book.records(later);
    assert!(kept.iter().any(|record| record.kind == RecordKind::Silence && !record.is_open), "{kept:?}");
    assert!(book.silences.contains_key("s"), "not before the disk has it");
    book.kept();
    assert!(book.silences.is_empty());
}

#[test]
fn of_too_many_dead_letters_the_oldest_become_history() {
    let policy = policy();
    let mut book = Book::new(&policy, Timestamp(0));
    let refused = || Failure {
        reason: FailureReason::ServerError,
        detail: "it said no".into(),
        is_permanent: true,
        retry_after: None,
    };
    for at in 0..1_003 {
        let mut row = Outgoing::new(format!("k{at:05}"), sample::telling(), Timestamp(at));
        row.attempted(crate::alert::outbox::Outcome::Failed(refused()), Timestamp(at));
        book.touch(Row::Outgoing(row.key.clone()));
        book.outbox.insert(row.key.clone(), row);
    }
    book.decide_soon(Timestamp(2_000));
    book.decide(&policy, Timestamp(2_000));
    let closed: Vec<_> = book.records(Timestamp(2_000)).into_iter().filter(|record| !record.is_open).collect();
    let closed: Vec<_> =
        closed.iter().filter(|record| record.kind == RecordKind::Outgoing).map(|record| record.key.as_str()).collect();
    assert_eq!(closed, ["k00000", "k00001", "k00002"]);
    book.kept();
    assert_eq!(book.outbox.len(), 1_000);
}

#[test]
fn an_alert_that_was_refused_for_want_of_room_is_told_of_for_an_hour() {
    let mut book = Book::new(&policy(), Timestamp(0));
    assert!(book.own_troubles(&policy(), Timestamp(0)).is_empty());
    book.refuse(Timestamp(10));
    book.decide_soon(Timestamp(20));
    book.decide(&policy(), Timestamp(20));
    assert_eq!(book.own_troubles(&policy(), Timestamp(30)).len(), 1);
    assert!(book.own_troubles(&policy(), Timestamp(10 + 3600)).is_empty());
}

fn posted(name: &str, ends_at: Option<i64>) -> Posted {
    let labels = [("alertname", name)].into_iter().filter(|(_, name)| !name.is_empty());
    Posted {
        labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(),
        annotations: Labels::new(),
        starts_at: None,
        ends_at: ends_at.map(Timestamp),
        generator: String::new(),
    }
}

#[test]
fn one_wrong_alert_of_a_post_keeps_no_other_from_being_taken() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let wish = Wish::Post(vec![posted("good-1", None), posted("", None), posted("good-2", None)]);
    assert!(book.wish(&policy(), wish, Timestamp(10)).unwrap_err().contains("alertname"));
    assert_eq!(book.firing().count(), 2);
    assert_eq!(book.decide_at, Some(Timestamp(0)), "and they are told");
}

#[test]
fn nobody_ends_or_hides_an_alert_of_ours_by_posting() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let own = Alert { phase: Phase::Firing, repository: "/a".into(), ..sample::pending() };
    let fingerprint = own.fingerprint.clone();
    book.put(own);
    let told = book.wish(&policy(), Wish::Post(vec![posted("conflict", Some(5))]), Timestamp(10));
    assert!(told.unwrap_err().contains("give it another name"));
    assert!(book.alert(&fingerprint).is_some_and(Alert::is_firing));
    let policy = Policy::of(&crate::config::Config::default());
    let mut unseen = posted("repository-unseen", None);
    unseen.labels.insert("repository".into(), "/a".into());
    book.wish(&policy, Wish::Post(vec![unseen]), Timestamp(10)).unwrap();
    let hidden = Alert { labels: [("repository".to_owned(), "/a".to_owned())].into(), ..sample::pending() };
    assert_eq!(unsent::Holding::of(&book, &policy, Timestamp(10)).back(&hidden), None);
}

#[test]
fn what_could_not_be_kept_is_not_so() {
    let mut book = Book::new(&policy(), Timestamp(0));
    book.wish(&policy(), silence("s", 3600), Timestamp(0)).unwrap();
    book.records(Timestamp(1));
    book.not_kept();
    assert!(book.silences.is_empty());
    book.wish(&policy(), silence("t", 3600), Timestamp(2)).unwrap();
    book.records(Timestamp(3));
    book.kept();
    book.wish(&policy(), Wish::Unsilence { id: "t".into(), who: "mia".into() }, Timestamp(4)).unwrap();
    book.records(Timestamp(5));
    book.not_kept();
    assert_eq!(book.silences["t"].ends_at, Timestamp(3600));
}

#[test]
fn a_dead_letter_tried_again_tells_what_is_so_now() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let alert = Alert { id: "gone-1".into(), phase: Phase::Firing, ..sample::pending() };
    let told = unsent::TellingAlert { alert, is_late: false, was_muted: false, is_unheard: false };
    let telling = unsent::Telling { alerts: vec![told], ..sample::telling() };
    let dead = Outgoing { state: State::Dead("410".into()), ..Outgoing::new("k".into(), telling, Timestamp(0)) };
    book.outbox.insert("k".into(), dead);
    book.wish(&policy(), Wish::Retry { key: "k".into(), who: "mia".into() }, Timestamp(9)).unwrap();
    let told = &book.outbox["k"].telling.alerts[0];
    assert!(!told.alert.is_firing() && told.is_late && told.is_unheard, "{told:?}");
    assert!(book.wish(&policy(), Wish::Drop { key: "k".into(), who: "mia".into() }, Timestamp(9)).is_err());
}

#[test]
fn an_alert_is_ended_by_hand_and_its_end_is_told() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let alert = Alert { id: "a-1".into(), phase: Phase::Firing, ..sample::pending() };
    book.put(alert);
    book.wish(&policy(), Wish::End { alert: "a-1".into(), who: "mia".into() }, Timestamp(9)).unwrap();
    assert_eq!(book.firing().count(), 0);
    assert!(book.ended("a-1").is_some_and(|alert| alert.ends_at == Some(Timestamp(9))));
}

#[test]
fn while_nothing_can_be_kept_our_own_trouble_is_told_before_what_waits_for_the_disk() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let own = Alert { labels: [("promise".to_owned(), "store".to_owned())].into(), ..sample::pending() };
    let rows = [("a", sample::pending(), 1), ("b", own, 5)];
    for (key, alert, at) in rows {
        let told = unsent::TellingAlert { alert, is_late: false, was_muted: false, is_unheard: false };
        let telling = unsent::Telling { alerts: vec![told], ..sample::telling() };
        book.outbox.insert(key.into(), Outgoing::new(key.into(), telling, Timestamp(at)));
        book.touch(Row::Outgoing(key.into()));
    }
    assert!(book.deliveries(Timestamp(9), false).is_empty(), "first it is kept");
    let told: Vec<_> = book.deliveries(Timestamp(9), true).into_iter().map(|row| row.key).collect();
    assert_eq!(told, ["b"]);
}

#[test]
fn nothing_waits_for_times_of_a_clock_that_was_ahead() {
    let mut book = Book::new(&policy(), Timestamp(0));
    let year = 365 * 86_400;
    let to = To { channel: "team".into(), group_key: "g".into() };
    book.told.insert(to.clone(), Told { at: Timestamp(year), ..Told::default() });
    book.lately.entry("team".into()).or_default().push_back(Timestamp(year));
    let waiting =
        Outgoing { next_at: Timestamp(year), ..Outgoing::new("k".into(), sample::telling(), Timestamp(year)) };
    book.outbox.insert("k".into(), waiting);
    book.put(Alert { bad_since: Some(Timestamp(year)), ..sample::pending() });
    book.follow_the_clock(Span(0), Timestamp(100));
    assert_eq!(book.told[&to].at, Timestamp(100));
    assert_eq!(book.lately["team"], [Timestamp(100)]);
    assert_eq!((book.outbox["k"].next_at, book.outbox["k"].decided_at), (Timestamp(100), Timestamp(100)));
    assert!(book.alerts().all(|alert| alert.bad_since == Some(Timestamp(100))));
}

#[test]
fn a_silence_that_ends_soon_is_told_of_while_something_fires_under_it() {
    let policy = Policy::of(&crate::config::Config::default());
    let mut book = Book::new(&policy, Timestamp(0));
    book.wish(&policy, silence("s", 7200), Timestamp(0)).unwrap();
    book.put(Alert { id: "a-1".into(), phase: Phase::Firing, ..sample::pending() });
    let told = |book: &mut Book, at: i64| {
        book.take_in_own(&policy, Vec::new(), Timestamp(at));
        book.firing().filter(|alert| alert.rule == "silence-ends-soon").count()
    };
    assert_eq!(told(&mut book, 3600), 0);
    assert_eq!(told(&mut book, 6600), 1);
    assert_eq!(told(&mut book, 7200), 0);
    book.wish(&policy, silence("t", 20_000), Timestamp(7300)).unwrap();
    let fingerprint = sample::pending().fingerprint;
    book.remove(&fingerprint);
    assert_eq!(told(&mut book, 19_900), 0, "nothing fires under it");
}

#[test]
fn a_rule_that_matches_nothing_for_long_is_told_of_also_after_a_restart() {
    let rules = "rules:\n  - {name: far, expr: 'alignwatch_far_behind_branches > 20'}\n";
    let (config, _) = crate::config::Config::from_yaml(rules, "test").unwrap();
    let policy = Policy::of(&config);
    let (day, mut book) = (86_400, Book::new(&policy, Timestamp(0)));
    let reading = |at| crate::record::Reading {
        repository: "id".into(),
        metric: "alignwatch_far_behind_branches",
        labels: "{}".into(),
        at: Timestamp(at),
        value: 0.0,
    };
    let see = |book: &mut Book, at: i64, readings: &[crate::record::Reading]| {
        let (objective, now) = (0.9, Timestamp(at));
        book.take_in(&policy, &Seen { path: "/a", judged: Ok(&[]), readings, objective, hosts: &[], now });
        book.take_in_own(&policy, Vec::new(), now);
        book.firing().filter(|alert| alert.rule == "rule-matches-nothing").count()
    };
    assert_eq!(see(&mut book, 0, &[reading(0)]), 0);
    assert_eq!(see(&mut book, 6 * day, &[]), 0);
    let (mut book, bad) = Book::of_records(&book.records(Timestamp(6 * day)), &policy, Timestamp(6 * day));
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(see(&mut book, 9 * day, &[]), 1);
    assert_eq!(book.matches_nothing_since("far", Timestamp(9 * day)), Some(Timestamp(0)));
    assert_eq!(see(&mut book, 9 * day + 60, &[reading(9 * day)]), 0);
}
