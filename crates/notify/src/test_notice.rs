//! A notice that says of itself that it is a test.

use std::collections::BTreeMap;

use alignwatch_model::{
    Severity, Timestamp,
    notice::{Notice, NoticeAlert, NoticeReason, NoticeStatus},
};

/// A notice to try a channel with. It fires or is over; both have the same group, so that an issue or page
/// that the first opens is closed by the second. Each moment gives another key.
pub fn test_notice(receiver: &str, status: NoticeStatus, host: &str, external_url: &str, now: Timestamp) -> Notice {
    let is_firing = status == NoticeStatus::Firing;
    let alert = NoticeAlert {
        id: "test".to_owned(),
        rule: "alignwatch-test".to_owned(),
        severity: Severity::Info,
        is_firing,
        subject: "refs/heads/example".to_owned(),
        repository: "example.git".to_owned(),
        summary: format!("a test notice of alignwatch on {host}"),
        description: "If you can read this, the channel works.".to_owned(),
        remedy: String::new(),
        commands: vec!["alignwatch notify list".to_owned()],
        runbook_url: None,
        labels: BTreeMap::from([
            ("alertname".to_owned(), "alignwatch-test".to_owned()),
            ("severity".to_owned(), "info".to_owned()),
        ]),
        annotations: BTreeMap::from([("summary".to_owned(), format!("a test notice of alignwatch on {host}"))]),
        starts_at: now,
        ends_at: (!is_firing).then_some(now),
        fingerprint: "0000000000000000".to_owned(),
        is_late: false,
        was_muted: false,
    };
    let state = if is_firing { "firing" } else { "resolved" };
    Notice {
        key: format!("test-{receiver}-{state}-{}", now.0),
        group_key: format!("alignwatch-test/{receiver}"),
        group_labels: BTreeMap::from([("alertname".to_owned(), "alignwatch-test".to_owned())]),
        status,
        reason: NoticeReason::Test,
        receiver: receiver.to_owned(),
        alerts: vec![alert],
        n_left_out: 0,
        external_url: external_url.to_owned(),
        letter: None,
    }
}
