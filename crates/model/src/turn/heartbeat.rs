//! The heartbeat in the turn: when the address outside is called, and what it is told.
//!
//! It says that all is well only as long as the [audit] finds nothing broken. Where it does, the reasons are
//! told instead, or nothing is: both end in an alarm that does not depend on us.

use super::{
    Effect, Pace, State,
    audit::{self, Verdict},
};
use crate::{
    Span, Timestamp,
    alert::outbox::Outcome,
    config::{Config, WhenFailing},
};

/// After how long a call that was not taken is made again, if the interval is not shorter. Source: ours; half of the
/// shortest interval.
const AGAIN: Span = Span(30);

/// How soon the audit is asked again when it could not say anything yet.
const ASK_AGAIN: Span = Span(5);

/// Reasons that are told at most. Source: ours; whoever hears them looks here for the others.
const REASONS_AT_MOST: usize = 20;

/// The next call.
#[derive(Debug, Default)]
pub(super) struct Beating {
    /// It is under way, and says that all is well.
    under_way: Option<bool>,
    next_at: Option<Timestamp>,
}

impl Beating {
    /// A clock was set back.
    pub(super) fn moved(&mut self, earlier: impl Fn(Timestamp) -> Timestamp) {
        self.next_at = self.next_at.map(earlier);
    }
}

/// The call that is due now.
pub(super) fn due(state: &mut State, config: &Config, pace: Pace, now: Timestamp) -> Option<Effect> {
    config.heartbeat.url.as_ref()?;
    if state.beating.under_way.is_some() || state.beating.next_at.is_some_and(|at| now < at) {
        return None;
    }
    let reasons = match audit::verdict(state, config, pace, now) {
        Verdict::NotYet => {
            state.beating.next_at = Some(Timestamp(now.0 + ASK_AGAIN.0));
            return None;
        }
        Verdict::Well => Vec::new(),
        Verdict::Broken(broken) => {
            let more = broken.len().saturating_sub(REASONS_AT_MOST);
            let more = (0 < more).then(|| format!("{more} more"));
            broken.into_iter().take(REASONS_AT_MOST).map(|broken| broken.why).chain(more).collect()
        }
    };
    state.beating.next_at = Some(Timestamp(now.0 + config.heartbeat.every.0));
    if !reasons.is_empty() && config.heartbeat.when_failing == WhenFailing::BeSilent {
        return None;
    }
    state.beating.under_way = Some(reasons.is_empty());
    Some(Effect::Beat(reasons))
}

/// Takes in what became of a call.
pub(super) fn called(state: &mut State, outcome: &Outcome, config: &Config, now: Timestamp) {
    let Some(is_well) = state.beating.under_way.take() else { return };
    let failure = match outcome {
        Outcome::Delivered(_) => None,
        Outcome::Failed(failure) => Some(failure),
    };
    if failure.is_some() {
        let again = Timestamp(now.0 + AGAIN.0.min(config.heartbeat.every.0));
        state.beating.next_at = state.beating.next_at.map(|at| at.min(again));
    }
    // Until it is known what was, nothing is written over it.
    if state.alerting.is_recalled {
        state.alerting.book.called(is_well, failure, now);
    }
}
