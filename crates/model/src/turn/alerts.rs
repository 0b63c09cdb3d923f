//! What the daemon does about alerts: takes in what was seen, what is wanted, and what became of messages.

use super::{Effect, Pace, Receipt, Refusal, State, audit, reports::answer};
use crate::{
    Span, Timestamp,
    alert::{Book, Policy, Wish, outbox::Outcome},
    config::Config,
};

/// How often it is looked whether alignwatch keeps its own promises.
const OWN_EVERY: Span = Span(30);

/// Alerts, and what decides about them.
#[derive(Clone, Debug, Default)]
pub struct Alerting {
    /// What is known.
    pub book: Book,
    /// What is configured.
    pub policy: Policy,
    /// What was known before this start has been read; until then nobody is told anything.
    pub is_recalled: bool,
    pub(super) own_at: Timestamp,
}

impl Alerting {
    /// What was known, by this policy.
    pub fn of(book: Book, policy: Policy, now: Timestamp) -> Alerting {
        Alerting { book, policy, is_recalled: true, ..Alerting::none(now) }
    }

    pub(super) fn follow_the_clock(&mut self, by: Span, now: Timestamp) {
        self.own_at = self.own_at.min(now);
        self.book.follow_the_clock(by, now);
    }

    /// Nothing is known, and nobody is told.
    pub(super) fn none(now: Timestamp) -> Alerting {
        Alerting { own_at: Timestamp(now.0 + OWN_EVERY.0), ..Alerting::default() }
    }
}

impl State {
    /// Goes on with what was known of alerts, by this policy.
    #[must_use]
    pub fn with_alerts(mut self, book: Book, policy: Policy) -> State {
        self.alerting = Alerting::of(book, policy, self.latest);
        self
    }
}

/// Does what somebody wants, or says why not; it is answered when it is kept.
pub(super) fn wished(state: &mut State, receipt: Receipt, wish: Wish, now: Timestamp) -> Option<Effect> {
    if !state.alerting.is_recalled {
        let reason = "what was known of alerts could not be read yet".to_owned();
        return answer(vec![receipt], Err(Refusal::NotKept(reason)));
    }
    if let (Some(reason), Some(at)) = (&state.store_trouble, state.keep_again_at)
        && now < at
    {
        return answer(vec![receipt], Err(Refusal::NotKept(reason.clone())));
    }
    let Alerting { book, policy, .. } = &mut state.alerting;
    match book.wish(policy, wish, now) {
        Ok(()) => {
            state.reported.receipts.push(receipt);
            None
        }
        Err(reason) => answer(vec![receipt], Err(Refusal::Impossible(reason))),
    }
}

pub(super) fn delivered(state: &mut State, key: &str, outcome: Outcome, now: Timestamp) {
    let Alerting { book, policy, .. } = &mut state.alerting;
    book.delivered(policy, key, outcome, now);
}

/// Decides what is told. What was decided is kept before it is told; only a store that cannot keep anything is not waited for.
pub(super) fn tell(state: &mut State, config: &Config, pace: Pace, now: Timestamp) -> Vec<Effect> {
    look_at_ourselves(state, config, pace, now);
    let Alerting { book, policy, .. } = &mut state.alerting;
    book.decide(policy, now);
    let cannot_keep = state.keep_again_at.is_some();
    let ready = book.deliveries(now, cannot_keep);
    ready.into_iter().map(|row| Effect::Deliver(Box::new(row))).collect()
}

fn look_at_ourselves(state: &mut State, config: &Config, pace: Pace, now: Timestamp) {
    if now < state.alerting.own_at {
        return;
    }
    let mut broken = audit::broken(state, config, pace, now);
    broken.extend(state.alerting.book.heartbeat.broken().filter(|_| config.heartbeat.url.is_some()));
    let Alerting { book, policy, own_at, .. } = &mut state.alerting;
    book.take_in_own(policy, broken, now);
    *own_at = Timestamp(now.0 + OWN_EVERY.0);
}
