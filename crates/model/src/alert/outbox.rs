//! What was decided to be told and the attempts to tell it, until one succeeds.
//!
//! At least once: it is on the disk before the first attempt, with a key that never changes, and stays there until a channel
//! says that it has it. What can't be delivered at all becomes a dead letter, which is kept and told of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::unsent::{Telling, TellingAlert};
use crate::{
    Span, Timestamp,
    notice::{Delivered, Failure, Notice, NoticeAlert, NoticeReason, NoticeStatus},
};

/// Something that is to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its key: the same with each attempt.
    pub key: String,
    /// What is told, and to whom.
    pub telling: Telling,
    /// When that was decided.
    pub decided_at: Timestamp,
    /// Where it is.
    pub state: State,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// What became of it each time, the first ones first; of many, the last.
    pub attempts: Vec<Attempt>,
    /// How often it was tried.
    pub n_attempts: u32,
    /// The row that it stands in for, where another channel could not be reached.
    pub instead_of: Option<String>,
    /// The alerts of it that the channel that stands in was told, by their ids.
    #[serde(default)]
    pub stood_in: BTreeSet<String>,
}

/// Where something that is told is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "because")]
pub enum State {
    /// It waits for its next attempt.
    Waiting,
    /// The channel has it.
    Delivered,
    /// A later one, with this key, tells the same and more.
    Superseded(String),
    /// It can't be delivered, for this reason.
    Dead(String),
    /// It was given up, for this reason: it stands in the history only.
    Buried(String),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The channel has it.
    Delivered(Delivered),
    /// It has it not.
    Failed(Failure),
}

impl From<Result<Delivered, Failure>> for Outcome {
    fn from(attempt: Result<Delivered, Failure>) -> Outcome {
        attempt.map_or_else(Outcome::Failed, Outcome::Delivered)
    }
}

fn notice_alert(told: &TellingAlert, decided_at: Timestamp) -> NoticeAlert {
    let alert = &told.alert;
    NoticeAlert {
        id: alert.id.clone(),
        rule: alert.rule.clone(),
        severity: alert.severity,
        is_firing: alert.is_firing(),
        subject: alert.subject().to_owned(),
        repository: alert.labels.get("repository").cloned().unwrap_or_default(),
        summary: alert.summary.clone(),
        description: alert.description.clone(),
        remedy: String::new(),
        commands: alert.commands.clone(),
        runbook_url: Some(alert.runbook.clone()).filter(|runbook| !runbook.is_empty()),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at.unwrap_or(decided_at),
        ends_at: alert.ends_at,
        fingerprint: alert.fingerprint.clone(),
        is_late: told.is_late,
        was_muted: told.was_muted,
    }
}

/// Attempts that are kept of each. Source: ours; with backoff, a day has about thirty.
const ATTEMPTS_KEPT: usize = 40;

/// The first pause between two attempts; each later one is twice as long.
const FIRST_PAUSE: Span = Span(10);

/// The longest pause. Source: Standard Webhooks advises retries over several days, hours apart at the end.
const LONGEST_PAUSE: Span = Span::hours(1);

/// The longest that an attempt is put off: what a channel may ask for, and a little more.
pub const LONGEST_WAIT: Span = Span(Span::days(1).0 + Span::hours(2).0);

/// How long it is tried. Source: Standard Webhooks, its example: ten tries in 75 h 35 min.
const TRIED_FOR: Span = Span::days(3);

/// Failures after which the channel that stands in is told, too. Source: ours; after about a minute.
const FALLS_BACK_AFTER: u32 = 3;

impl Outgoing {
    /// Something new to be told.
    pub fn new(key: String, telling: Telling, now: Timestamp) -> Outgoing {
        Outgoing {
            key,
            telling,
            decided_at: now,
            state: State::Waiting,
            next_at: now,
            attempts: Vec::new(),
            n_attempts: 0,
            instead_of: None,
            stood_in: BTreeSet::new(),
        }
    }

    /// What the channel is given: all alerts, of which it tells as many as it takes. `external_url` is where the whole can
    /// be read, if anywhere.
    pub fn notice(&self, external_url: &str) -> Notice {
        let mut alerts: Vec<&TellingAlert> = self.telling.alerts.iter().collect();
        alerts.sort_by_key(|told| (!told.alert.is_firing(), std::cmp::Reverse(told.alert.severity)));
        let letter = self.telling.letter.as_deref().cloned();
        // A letter is no end of anything.
        let is_firing = letter.is_some() || alerts.iter().any(|told| told.alert.is_firing());
        Notice {
            key: self.key.clone(),
            group_key: self.telling.group_key.clone(),
            group_labels: self.telling.group_labels.clone(),
            status: if is_firing { NoticeStatus::Firing } else { NoticeStatus::Resolved },
            reason: self.telling.reason,
            receiver: self.telling.channel.clone(),
            alerts: alerts.into_iter().map(|told| notice_alert(told, self.decided_at)).collect(),
            n_left_out: 0,
            external_url: letter
                .as_ref()
                .map_or_else(|| external_url.to_owned(), |letter| format!("{external_url}{}", letter.path)),
            letter,
        }
    }

    /// Is it a scheduled test of the channel?
    pub fn is_canary(&self) -> bool {
        self.telling.reason == NoticeReason::Test
    }

    /// Why the last attempt failed; `None` = it did not, or there was none.
    pub fn last_failure(&self) -> Option<String> {
        match &self.attempts.last()?.outcome {
            Outcome::Failed(failure) => Some(failure.detail.clone()),
            Outcome::Delivered(_) => None,
        }
    }

    /// Is it neither delivered nor given up?
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Is there still something to do about it, for us or a person?
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Dead(_))
    }

    /// Does its channel fail for so long that another stands in?
    pub fn falls_back(&self) -> bool {
        self.is_waiting() && FALLS_BACK_AFTER <= self.n_attempts
    }

    /// Takes in what became of an attempt. True: the channel that stands in should be told now.
    pub fn attempted(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        self.n_attempts += 1;
        let falls_back = match &outcome {
            Outcome::Delivered(_) => {
                self.state = State::Delivered;
                false
            }
            Outcome::Failed(Failure { is_permanent: true, detail, .. }) => {
                self.state = State::Dead(detail.clone());
                true
            }
            Outcome::Failed(Failure { detail, .. }) if TRIED_FOR < now.since(self.decided_at) => {
                self.state = State::Dead(format!("it was tried for {TRIED_FOR}; last: {detail}"));
                false
            }
            Outcome::Failed(Failure { retry_after, .. }) => {
                let pause = self.pause().0.max(retry_after.map_or(0, |span| span.0.min(Span::days(1).0)));
                self.next_at = Timestamp(now.0 + pause);
                self.n_attempts == FALLS_BACK_AFTER
            }
        };
        self.attempts.push(Attempt { at: now, outcome });
        if ATTEMPTS_KEPT < self.attempts.len() {
            self.attempts.remove(0);
        }
        falls_back
    }

    /// Twice as long each time, and a little different for each key, so that not all come at once.
    fn pause(&self) -> Span {
        let doubled = FIRST_PAUSE.0.saturating_mul(1 << (self.n_attempts - 1).min(20)).min(LONGEST_PAUSE.0);
        let spread = self
            .key
            .bytes()
            .fold(u64::from(self.n_attempts), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Span(doubled + (spread % (doubled.unsigned_abs() / 4).max(1)) as i64)
    }

    /// Tries a dead letter again, from the beginning.
    pub fn revive(&mut self, now: Timestamp) {
        (self.state, self.next_at, self.decided_at, self.n_attempts) = (State::Waiting, now, now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::sample, notice::FailureReason};

    fn failed(is_permanent: bool, retry_after: Option<Span>) -> Outcome {
        Outcome::Failed(Failure {
            reason: FailureReason::ServerError,
            detail: "it said 500".into(),
            is_permanent,
            retry_after,
        })
    }

    #[test]
    fn it_is_tried_again_later_and_later_for_three_days() {
        let mut row = Outgoing::new("k".into(), sample::telling(), Timestamp(0));
        let mut pauses = Vec::new();
        while row.is_waiting() {
            let now = row.next_at;
            row.attempted(failed(false, None), now);
            pauses.push(row.next_at.since(now).0);
        }
        assert!(pauses.windows(2).take(6).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        assert!(pauses.iter().all(|&pause| pause <= 4500), "{pauses:?}");
        assert!((70..90).contains(&pauses.len()), "{}", pauses.len());
        assert!(matches!(&row.state, State::Dead(why) if why.contains("500")), "{:?}", row.state);
        assert_eq!(row.attempts.len(), ATTEMPTS_KEPT);
    }

    #[test]
    fn what_the_channel_asks_for_is_done() {
        let mut row = Outgoing::new("k".into(), sample::telling(), Timestamp(0));
        row.attempted(failed(false, Some(Span(600))), Timestamp(0));
        assert_eq!(row.next_at, Timestamp(600));
        assert!(row.attempted(failed(true, None), Timestamp(600)), "the channel that stands in is told at once");
        assert!(matches!(row.state, State::Dead(_)));
        row.revive(Timestamp(700));
        assert_eq!((row.is_waiting(), row.next_at), (true, Timestamp(700)));
    }

    #[test]
    fn another_channel_stands_in_after_three_failures_once() {
        let mut row = Outgoing::new("k".into(), sample::telling(), Timestamp(0));
        let falls: Vec<bool> = (0..5).map(|at| row.attempted(failed(false, None), Timestamp(at))).collect();
        assert_eq!(falls, [false, false, true, false, false]);
    }

    #[test]
    fn a_channel_is_given_every_alert() {
        let mut telling = sample::telling();
        let one = TellingAlert { alert: sample::pending(), is_late: false, was_muted: false, is_unheard: false };
        telling.alerts = vec![one; 1_000];
        let notice = Outgoing::new("k".into(), telling, Timestamp(0)).notice("");
        assert_eq!((notice.alerts.len(), notice.n_left_out), (1_000, 0));
    }
}
