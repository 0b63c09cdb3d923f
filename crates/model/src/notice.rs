//! What is told to people: one notice is one message to one receiver, about one group of alerts.
//!
//! It is whole: whoever delivers it needs nothing else, so that a row of the outbox can wait for days and
//! survive a restart. Its key never changes, so that a receiver can tell a repetition from something new.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Severity, Span, Timestamp, report::Letter};

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same for each attempt to deliver it, and for no other notice: `webhook-id` of Standard Webhooks.
    pub key: String,
    /// The group that it is about: the same for the firing, its changes and its end.
    pub group_key: String,
    /// The labels that all alerts of the group share, because they were grouped by them.
    pub group_labels: BTreeMap<String, String>,
    /// Is anything of it still firing?
    pub status: NoticeStatus,
    /// Why it is told now.
    pub reason: NoticeReason,
    /// The receiver, as rules name it.
    pub receiver: String,
    /// The alerts that it is about, the ones that matter most first.
    pub alerts: Vec<NoticeAlert>,
    /// Alerts of the group that are not listed.
    #[serde(default)]
    pub n_left_out: u64,
    /// Where the whole can be read; empty when nothing answers there.
    #[serde(default)]
    pub external_url: String,
    /// What is told instead of alerts: a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
}

/// One alert, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeAlert {
    /// The same from first firing to end, over restarts and changes of severity.
    pub id: String,
    /// The rule or check that it comes from.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Is it firing, or is it over?
    pub is_firing: bool,
    /// What it is about: a branch, a file, a lock, the repository. Foreign text.
    pub subject: String,
    /// The repository.
    pub repository: String,
    /// One sentence: what is wrong, with the numbers. Foreign text may stand in it.
    pub summary: String,
    /// What it means, in a few sentences; may be empty.
    #[serde(default)]
    pub description: String,
    /// What to do, in words; may be empty.
    #[serde(default)]
    pub remedy: String,
    /// Commands that can be pasted into a shell, in order.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Where the procedure is written.
    #[serde(default)]
    pub runbook_url: Option<String>,
    /// What tells this alert from others.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What is said of it besides.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// When it began to fire.
    #[serde(with = "moment")]
    pub starts_at: Timestamp,
    /// When it ended; `None` while it fires.
    #[serde(default, with = "maybe_moment")]
    pub ends_at: Option<Timestamp>,
    /// A short name of its labels, as Alertmanager gives it: 16 hexadecimal digits.
    pub fingerprint: String,
    /// It is told later than it should have been: we were down, or the channel was.
    #[serde(default)]
    pub is_late: bool,
    /// It ended, or changed, while it was not to be told.
    #[serde(default)]
    pub was_muted: bool,
}

/// Is anything of a group still firing?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStatus {
    /// One alert at least is firing.
    Firing,
    /// All are over.
    Resolved,
}

/// Why a notice is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeReason {
    /// The first of its group.
    First,
    /// Alerts came to a group that was told already.
    NewInGroup,
    /// An alert became more or less severe.
    SeverityChanged,
    /// Some alerts of the group are over.
    SomeResolved,
    /// All alerts of the group are over.
    AllResolved,
    /// Nothing changed, and it is time to say so again.
    Repeat,
    /// It fired and was over before it could be told.
    FiredThenResolved,
    /// Many at once: counts instead of one message each.
    Digest,
    /// It was told to others, and nobody took it on.
    Escalated,
    /// Somebody tries the channel.
    Test,
    /// It is time for a report.
    Report,
}

/// A notice that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// What the other side said, on one line: `200 OK`, `250 2.0.0 queued as 4711`.
    pub answer: String,
    /// How the other side names it: the address of an issue, the id of a message.
    #[serde(default)]
    pub reference: Option<String>,
}

/// A notice that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why, from a closed list; the label of the metric.
    pub reason: FailureReason,
    /// Why, as a sentence part on one line. No secret stands in it.
    pub detail: String,
    /// Trying again as it is will not help.
    pub is_permanent: bool,
    /// How long the other side asked us to wait.
    #[serde(default)]
    pub retry_after: Option<Span>,
}

/// Why a notice did not arrive. A closed list, after Alertmanager's reasons of failed notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// A secret could not be read, or the channel can't be used as it is configured.
    Configuration,
    /// The name of the host has no address.
    UnknownHost,
    /// The address lies in a network that we do not call.
    Refused,
    /// No connection, or it broke.
    Connection,
    /// No connection that nobody else can read.
    Tls,
    /// It took too long.
    TimedOut,
    /// Who we are was not accepted.
    AuthError,
    /// Too many at once; see `retry_after`.
    RateLimited,
    /// What we sent was too large.
    TooLarge,
    /// Nobody wants it any more: the channel should be taken out.
    Gone,
    /// The other side sent us elsewhere, where we do not go.
    Redirected,
    /// What we sent was not understood.
    ClientError,
    /// The other side is in trouble.
    ServerError,
    /// A program or a file of this machine failed.
    LocalError,
}

impl NoticeReason {
    /// As a sentence part behind a name: `3 branches too far behind: new in this group`.
    pub fn words(self) -> &'static str {
        match self {
            NoticeReason::First => "first of its group",
            NoticeReason::NewInGroup => "new in this group",
            NoticeReason::SeverityChanged => "severity changed",
            NoticeReason::SomeResolved => "some are over",
            NoticeReason::AllResolved => "all are over",
            NoticeReason::Repeat => "still so",
            NoticeReason::FiredThenResolved => "was there, and is over",
            NoticeReason::Digest => "many at once",
            NoticeReason::Escalated => "nobody took it on",
            NoticeReason::Test => "a test of this channel",
            NoticeReason::Report => "a report",
        }
    }
}

impl FailureReason {
    /// All of them, in their order.
    pub const ALL: [FailureReason; 14] = [
        FailureReason::Configuration,
        FailureReason::UnknownHost,
        FailureReason::Refused,
        FailureReason::Connection,
        FailureReason::Tls,
        FailureReason::TimedOut,
        FailureReason::AuthError,
        FailureReason::RateLimited,
        FailureReason::TooLarge,
        FailureReason::Gone,
        FailureReason::Redirected,
        FailureReason::ClientError,
        FailureReason::ServerError,
        FailureReason::LocalError,
    ];

    /// The word, as in JSON and as the label of a metric.
    pub fn word(self) -> &'static str {
        match self {
            FailureReason::Configuration => "configuration",
            FailureReason::UnknownHost => "unknown_host",
            FailureReason::Refused => "refused",
            FailureReason::Connection => "connection",
            FailureReason::Tls => "tls",
            FailureReason::TimedOut => "timed_out",
            FailureReason::AuthError => "auth_error",
            FailureReason::RateLimited => "rate_limited",
            FailureReason::TooLarge => "too_large",
            FailureReason::Gone => "gone",
            FailureReason::Redirected => "redirected",
            FailureReason::ClientError => "client_error",
            FailureReason::ServerError => "server_error",
            FailureReason::LocalError => "local_error",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Failure {}

impl Notice {
    /// Alerts of it that fire, and that are over; those left out are not among them.
    pub fn counts(&self) -> (usize, usize) {
        let n_firing = self.alerts.iter().filter(|alert| alert.is_firing).count();
        (n_firing, self.alerts.len() - n_firing)
    }

    /// The worst severity of what fires; of all, when nothing does. `None` without alerts.
    pub fn severity(&self) -> Option<Severity> {
        let worst = |is_firing: bool| {
            self.alerts.iter().filter(|alert| alert.is_firing == is_firing).map(|alert| alert.severity).max()
        };
        worst(true).or_else(|| worst(false))
    }
}

/// A time as text in both directions: `2026-11-28T05:00:00Z`.
mod moment {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        time.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parsed(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time")))
    }
}

/// The same for a time that may be missing.
mod maybe_moment {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let time = text
            .map(|text| super::parsed(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time"))));
        time.transpose()
    }
}

/// What [`Timestamp::rfc3339`] writes.
fn parsed(text: &str) -> Option<Timestamp> {
    match text.strip_prefix('@') {
        Some(seconds) => seconds.parse().ok().map(Timestamp),
        None => text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_second())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        let alert = NoticeAlert {
            id: "a1".into(),
            rule: "far-behind".into(),
            severity: Severity::Error,
            is_firing: false,
            subject: "refs/heads/x".into(),
            repository: "/srv/git/a.git".into(),
            summary: "x is 90 behind main".into(),
            description: String::new(),
            remedy: String::new(),
            commands: vec!["git log x".into()],
            runbook_url: None,
            labels: BTreeMap::from([("check".into(), "far-behind".into())]),
            annotations: BTreeMap::new(),
            starts_at: Timestamp(i64::MAX),
            ends_at: Some(Timestamp(1_767_225_600)),
            fingerprint: "00000000000000ff".into(),
            is_late: true,
            was_muted: false,
        };
        Notice {
            key: "n1".into(),
            group_key: "g".into(),
            group_labels: BTreeMap::new(),
            status: NoticeStatus::Resolved,
            reason: NoticeReason::AllResolved,
            receiver: "ops".into(),
            alerts: vec![
                alert.clone(),
                NoticeAlert { ends_at: None, severity: Severity::Warning, is_firing: true, ..alert },
            ],
            n_left_out: 2,
            external_url: String::new(),
            letter: None,
        }
    }

    #[test]
    fn a_notice_survives_being_kept_as_json() {
        let text = serde_json::to_string(&notice()).expect("plain JSON");
        assert!(text.contains("\"ends_at\":\"2026-01-01T00:00:00Z\""), "{text}");
        assert_eq!(serde_json::from_str::<Notice>(&text).expect("what was written"), notice());
    }

    #[test]
    fn how_bad_a_notice_is_follows_from_what_still_fires() {
        let mut notice = notice();
        assert_eq!((notice.counts(), notice.severity()), ((1, 1), Some(Severity::Warning)));
        notice.alerts.pop();
        assert_eq!((notice.counts(), notice.severity()), ((0, 1), Some(Severity::Error)));
        notice.alerts.clear();
        assert_eq!(notice.severity(), None);
    }

    #[test]
    fn a_reason_has_one_word_in_every_form() {
        for reason in FailureReason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("a word"), reason.word());
        }
    }
}
