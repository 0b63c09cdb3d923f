//! Alerts and messages for tests.

use std::collections::BTreeMap;

use super::{Alert, Labels, Phase, fingerprint, lifecycle::History, unsent::Telling};
use crate::{Severity, Timestamp, notice::NoticeReason as Reason};

/// An alert that has been seen once.
pub(crate) fn pending() -> Alert {
    let labels = Labels::from([("alertname".to_owned(), "conflict".to_owned())]);
    Alert {
        fingerprint: fingerprint(&labels),
        id: String::new(),
        rule: "conflict".into(),
        repository: String::new(),
        labels,
        severity: Severity::Error,
        summary: "two branches conflict".into(),
        description: String::new(),
        commands: Vec::new(),
        runbook: String::new(),
        annotations: Labels::new(),
        value: None,
        phase: Phase::Pending,
        in_doubt: None,
        bad_since: None,
        good_since: None,
        starts_at: None,
        ends_at: None,
        seen_at: Timestamp(0),
        history: History::default(),
        is_flapping: false,
        was_muted: false,
        ack: None,
        ends_unless_posted_by: None,
    }
}

/// A message without alerts.
pub(crate) fn telling() -> Telling {
    Telling {
        channel: "team".into(),
        group_key: "all:{}".into(),
        group_labels: Labels::new(),
        reason: Reason::First,
        alerts: Vec::new(),
        covers: BTreeMap::new(),
        letter: None,
    }
}
