//! Scheduled tests of channels: when one is due, what it says, and what became of it.
//!
//! A canary goes the road of every message: it is kept, delivered from the outbox, and tried again. It is never firing,
//! so that it wakes nobody and opens nothing that somebody would have to close. One that does not arrive is a promise of
//! alignwatch itself that is broken, and is told as such.

use serde::{Deserialize, Serialize};

use super::{
    Alert, Labels, Phase, Policy, fingerprint,
    lifecycle::History,
    outbox::{Outgoing, State},
    unsent::{Telling, TellingAlert},
};
use crate::{
    Severity, Timestamp,
    config::{CanaryEntry, InWindows},
    notice::NoticeReason,
    schedule::Cadence,
};

/// The rule that a canary names.
pub const NAME: &str = "canary";

/// When the channel with this name is tested.
#[derive(Clone, Debug)]
pub struct CanaryPlan {
    /// The channel.
    pub channel: String,
    cadence: Cadence,
    in_windows: InWindows,
}

/// What is known of the canaries of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// When the last one was sent.
    pub sent_at: Option<Timestamp>,
    /// When the last one arrived that did.
    pub arrived_at: Option<Timestamp>,
    /// Why the last one did not arrive; `None` = it did, or it is still tried.
    pub failure: Option<String>,
}

impl CanaryPlan {
    /// The plans of an entry, one for each of its channels.
    pub(super) fn of(entry: &CanaryEntry) -> impl Iterator<Item = CanaryPlan> + '_ {
        let cadence = entry.cadence().ok().into_iter();
        cadence.flat_map(move |cadence| {
            let plan = move |channel: &String| CanaryPlan {
                channel: channel.clone(),
                cadence: cadence.clone(),
                in_windows: entry.in_windows,
            };
            entry.channels.iter().map(plan)
        })
    }

    /// When the next one is sent; before `now` for one that is late. `None` = never.
    ///
    /// The first of an interval is due at once. One that is due in quiet hours waits for their end.
    pub fn next(
        &self,
        known: Option<&Canary>,
        began_at: Timestamp,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let due = match (known.and_then(|canary| canary.sent_at), &self.cadence) {
            // A time that lies ahead is by a clock that was set back since.
            (Some(sent_at), cadence) => cadence.after(sent_at.min(now)),
            (None, Cadence::Every(_)) => Some(began_at),
            (None, cadence) => cadence.after(began_at),
        }?;
        match policy.quiet_at(due.max(now)).filter(|_| self.in_windows == InWindows::Wait) {
            Some(opening) => Some(opening.until),
            None => Some(due),
        }
    }
}

/// The message.
pub(super) fn telling(channel: &str, now: Timestamp) -> Telling {
    let labels = Labels::from([("alertname".to_owned(), NAME.to_owned()), ("channel".to_owned(), channel.to_owned())]);
    let alert = Alert {
        fingerprint: fingerprint(&labels),
        id: format!("{NAME}-{}", now.0),
        rule: NAME.to_owned(),
        repository: String::new(),
        labels: labels.clone(),
        severity: Severity::Info,
        summary: format!("scheduled test of the channel {channel}"),
        description: String::new(),
        commands: Vec::new(),
        runbook: String::new(),
        annotations: Labels::new(),
        value: None,
        phase: Phase::Resolved,
        in_doubt: None,
        bad_since: None,
        good_since: None,
        starts_at: Some(now),
        ends_at: Some(now),
        seen_at: now,
        history: History::default(),
        is_flapping: false,
        was_muted: false,
        ack: None,
        ends_unless_posted_by: None,
    };
    Telling {
        channel: channel.to_owned(),
        group_key: format!("{NAME}/{channel}"),
        group_labels: labels,
        reason: NoticeReason::Test,
        alerts: vec![TellingAlert { alert, is_late: false, was_muted: false, is_unheard: false }],
        covers: Default::default(),
        letter: None,
    }
}

impl Canary {
    /// Takes in what became of an attempt; `is_given_up` = it is not tried often enough any more to wait for it.
    pub(super) fn attempted(&mut self, row: &Outgoing, is_given_up: bool, now: Timestamp) {
        match &row.state {
            State::Delivered => (self.arrived_at, self.failure) = (Some(now), None),
            _ if is_given_up => self.failure = Some(row.last_failure().unwrap_or_default()),
            _ => {}
        }
    }
}
