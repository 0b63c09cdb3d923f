//! Messages that are about no alert: told once, to the channels that asked for them, by the same road.
//!
//! They have a key of their own that says what they are about, so that one which was decided twice is one message.

use std::collections::BTreeMap;

use super::{
    Alert, Labels, Phase, fingerprint,
    lifecycle::History,
    outbox::Outgoing,
    unsent::{Telling, TellingAlert},
};
use crate::{Timestamp, notice::NoticeReason, task::report::Told};

/// The rule that such messages name.
pub const RULE: &str = "maintenance-report";

/// What is told of a maintenance window, for this channel.
pub fn of_window(key: &str, channel: &str, window: &str, told: &Told, now: Timestamp) -> Outgoing {
    let labels = Labels::from([("alertname".to_owned(), RULE.to_owned()), ("window".to_owned(), window.to_owned())]);
    let alert = Alert {
        fingerprint: fingerprint(&labels),
        id: key.to_owned(),
        rule: RULE.to_owned(),
        repository: String::new(),
        labels: labels.clone(),
        severity: told.severity,
        summary: told.summary.clone(),
        description: told.details.join(". "),
        commands: vec!["alignwatch task history".to_owned()],
        runbook: String::new(),
        value: None,
        phase: Phase::Firing,
        in_doubt: None,
        bad_since: None,
        good_since: None,
        starts_at: Some(now),
        ends_at: None,
        seen_at: now,
        history: History::default(),
        is_flapping: false,
        was_muted: false,
        ack: None,
        ends_unless_posted_by: None,
    };
    let telling = Telling {
        channel: channel.to_owned(),
        group_key: format!("{RULE}:{window}"),
        group_labels: labels,
        reason: NoticeReason::Report,
        alerts: vec![TellingAlert { alert, is_late: false, was_muted: false, is_unheard: false }],
        // Nobody hears later that it is over: it never was anything.
        covers: BTreeMap::new(),
    };
    Outgoing::new(key.to_owned(), telling, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn a_message_about_a_window_is_one_message_whatever_happens() {
        let told =
            Told { severity: Severity::Info, summary: "it closed".into(), details: vec!["a".into(), "b".into()] };
        let row = of_window("k", "team", "night", &told, Timestamp(7));
        let notice = row.notice("http://localhost/");
        assert_eq!((notice.key.as_str(), notice.receiver.as_str()), ("k", "team"));
        assert_eq!(notice.alerts[0].summary, "it closed");
        assert_eq!(notice.alerts[0].description, "a. b");
        assert_eq!(notice.severity(), Some(Severity::Info));
    }
}
