//! Runs that belong to no repository: those that are only pinged, or reported without one. No sweep judges them, so they are
//! read again each minute, and soon after something was reported of them. What is wrong with them is an alert without a
//! repository.

use std::collections::BTreeMap;

use super::{Effect, State, alert_on};
use crate::{
    Snapshot, Span, Timestamp,
    checks::{self, Judged},
    config::Config,
    facts::runs::Runs,
    run::{Happened, RunEvent},
};

/// How often they are judged without anything new: one that does not come says nothing.
const EVERY: Span = Span::minutes(1);

/// The checks that are about a run and nothing else. Two such runs at the same time have nothing to do with each other.
pub const CHECKS: [&str; 5] = ["run-failed", "run-stuck", "run-lost", "run-missed", "run-duration"];

/// When they are judged again.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    /// `None` = there are none, as far as is known.
    next_at: Option<Timestamp>,
    is_reading: bool,
}

impl State {
    /// The same; runs that belong to no repository may be known from before.
    pub fn with_unplaced_runs(mut self) -> State {
        self.unplaced.next_at = Some(self.latest);
        self
    }
}

/// Judges them soon when one of these is about such a run. A run that began elsewhere may be one, too: reading them is quick.
pub(super) fn reported(state: &mut State, events: &[RunEvent], now: Timestamp) {
    let is_unplaced = |event: &RunEvent| match &event.what {
        Happened::Started(started) => started.repository_id.is_none(),
        _ => event.is_boundary() && !state.under_way.contains_key(&event.run),
    };
    if events.iter().any(is_unplaced) {
        let soon = Timestamp(now.0 + super::REST.0);
        let next_at = &mut state.unplaced.next_at;
        *next_at = Some(next_at.map_or(soon, |at| at.min(soon)));
    }
}

/// Has them read when it is time.
pub(super) fn due(state: &mut State, now: Timestamp) -> Option<Effect> {
    let unplaced = &mut state.unplaced;
    if unplaced.is_reading || unplaced.next_at.is_none_or(|at| now < at) {
        return None;
    }
    (unplaced.is_reading, unplaced.next_at) = (true, Some(Timestamp(now.0 + EVERY.0)));
    Some(Effect::ReadUnplaced)
}

/// Judges them.
pub(super) fn read(
    state: &mut State,
    runs: Runs,
    expected_since: BTreeMap<String, Timestamp>,
    config: &Config,
    now: Timestamp,
) {
    state.unplaced.is_reading = false;
    let snapshot = Snapshot::of_runs_alone(runs, expected_since, now);
    let judged = checks::judge(&snapshot, config, now, |check| match CHECKS.contains(&check.id) {
        true => checks::is_made(check, config, |_| false),
        false => Err("it is about a repository".to_owned()),
    });
    let judged: Vec<Judged> = judged.into_iter().filter(|judged| CHECKS.contains(&judged.check.id)).collect();
    alert_on(&mut state.alerting, "", Ok((&judged, &[])), &[], config, now);
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Event, Pace, Receipt, turn},
        *,
    };
    use crate::{
        Known,
        alert::{Book, Policy},
        facts::runs::{Brief, Ended, Process},
        run::{Moment, Outcome, RunId, event::Started},
    };

    const PACE: Pace = Pace { interval: Span::minutes(5), at_once: 2 };

    fn brief(outcome: Outcome) -> Brief {
        let ended = Ended { at: Timestamp(90), outcome, because: "a ping told of a failure".into(), seconds: None };
        Brief {
            run: RunId::from_parts(1, [1; 10]),
            workflow: "mirror".into(),
            began_at: Timestamp(80),
            heard_at: Timestamp(90),
            ended: Some(ended),
            process: Process::Unknown,
            losses: Vec::new(),
            is_unverified: false,
            operations: Vec::new(),
        }
    }

    fn told(state: &State) -> Vec<(String, String)> {
        let firing = state.alerting.book.firing().filter(|alert| alert.rule.starts_with("run-"));
        firing.map(|alert| (alert.repository.clone(), alert.summary.clone())).collect()
    }

    #[test]
    fn a_ping_that_fails_or_does_not_come_is_an_alert_without_a_repository_and_ends_like_others() {
        let config = Config::from_yaml(
            "workflows: [{name: mirror, due: 1h, grace: 1m, ping: 8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10}]\nalerts: {settle: 0s}\n",
            "f",
        )
        .unwrap()
        .0;
        let policy = Policy::of(&config);
        let book = Book::new(&policy, Timestamp(0));
        let mut state = State::watching([], Timestamp(0)).with_alerts(book, policy).with_unplaced_runs();
        let mut then = |event: Event, at: i64| {
            let effects = turn(&mut state, event, &config, PACE, Timestamp(at));
            let n_reads = effects.iter().filter(|effect| matches!(effect, Effect::ReadUnplaced)).count();
            (n_reads, told(&state))
        };
        let runs =
            |runs: Vec<Brief>| Event::UnplacedRead(Known::Seen(runs), [("mirror".to_owned(), Timestamp(0))].into());
        assert_eq!(then(Event::Tick, 1).0, 1);
        assert_eq!(then(Event::Tick, 2).0, 0, "one at a time");
        assert_eq!(then(runs(Vec::new()), 3), (0, vec![]), "none is due yet");
        let started = Happened::Started(Started { workflow: "mirror".into(), ..Started::default() });
        let ping = RunEvent::new("a", RunId::from_parts(1, [1; 10]), Moment(80_000), started);
        then(Event::Reported(Receipt(1), vec![ping]), 10);
        assert_eq!(then(Event::Tick, 12).0, 1, "soon after something was reported");
        let (n_reads, failed) = then(runs(vec![brief(Outcome::Failed)]), 100);
        assert_eq!((n_reads, failed.len()), (1, 1), "and they are read again: {failed:?}");
        assert!(failed[0].0.is_empty() && failed[0].1.contains("`mirror` ended"), "{failed:?}");
        assert_eq!(then(runs(vec![brief(Outcome::Aligned)]), 120), (0, vec![]));
        assert_eq!(then(Event::Tick, 160).0, 1, "each minute");
        let late = then(runs(vec![brief(Outcome::Aligned)]), 80 + 3_600 + 61).1;
        assert!(late.len() == 1 && late[0].1.starts_with("No run of `mirror`"), "{late:?}");
        // What can't be read ends nothing.
        let unread = Event::UnplacedRead(Known::Unknown("damaged".into()), BTreeMap::new());
        assert_eq!(then(unread, 5_000).1, late);
    }
}
