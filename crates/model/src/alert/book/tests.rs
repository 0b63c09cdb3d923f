//! What is kept, what is kept again, and what is forgotten.

use super::*;
use crate::{
    alert::{Matcher, sample},
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
    assert!(book.own_troubles(Timestamp(0)).is_empty());
    book.refuse(Timestamp(10));
    book.decide_soon(Timestamp(20));
    book.decide(&policy(), Timestamp(20));
    assert_eq!(book.own_troubles(Timestamp(30)).len(), 1);
    assert!(book.own_troubles(Timestamp(10 + 3600)).is_empty());
}
