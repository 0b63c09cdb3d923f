//! One alert of the embedding program, told through one channel.

use std::collections::BTreeMap;

use alignwatch_model::{
    Severity, Timestamp,
    notice::{Delivered, Notice, NoticeAlert, NoticeReason, NoticeStatus},
};
use alignwatch_notify::{self as notify, Egress};
use sha2::{Digest, Sha256};

use super::Monitor;
use crate::{commands::notify as command, failure::Failure, judging, surroundings};

/// The rule that alerts of an embedding program come from.
const RULE: &str = "embedding-program";

impl Monitor {
    /// Tells this, once and now, through the channel with this name. It takes half a minute at most; a command
    /// as long as its `deadline`.
    ///
    /// What the daemon finds is grouped, throttled and escalated; this is told as it is, and who calls says how often.
    /// The same message has the same group, so that a channel that keeps issues has one of it.
    ///
    /// Errors: there is no such channel, or it did not take it; the failure says what to look at.
    pub fn send_alert(&self, channel: &str, severity: Severity, message: &str) -> Result<Delivered, Failure> {
        let channel = command::named(&self.config, channel)?;
        let now = surroundings::now();
        let notice = self.notice(channel.name(), severity, message, now);
        let told = notify::deliver(&channel, &notice, &Egress::of(&self.config.egress), now);
        told.map_err(|failure| command::not_told(&channel, &failure))
    }

    fn notice(&self, receiver: &str, severity: Severity, message: &str, now: Timestamp) -> Notice {
        let project = self.project.display().to_string();
        let digest = Sha256::digest(format!("{project}\n{message}"));
        let fingerprint: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let alert = NoticeAlert {
            id: fingerprint.clone(),
            rule: RULE.to_owned(),
            severity,
            is_firing: true,
            subject: project.clone(),
            repository: project,
            summary: message.to_owned(),
            description: String::new(),
            remedy: String::new(),
            commands: vec![format!("alignwatch check {}", judging::path_word(&self.project))],
            runbook_url: None,
            labels: BTreeMap::from([text("alertname", RULE), text("severity", severity.word())]),
            annotations: BTreeMap::from([text("summary", message)]),
            starts_at: now,
            ends_at: None,
            fingerprint: fingerprint.clone(),
            is_late: false,
            was_muted: false,
        };
        Notice {
            key: format!("{RULE}-{receiver}-{fingerprint}-{}", now.0),
            group_key: format!("{RULE}/{receiver}/{fingerprint}"),
            group_labels: BTreeMap::from([text("alertname", RULE)]),
            status: NoticeStatus::Firing,
            reason: NoticeReason::First,
            receiver: receiver.to_owned(),
            alerts: vec![alert],
            n_left_out: 0,
            external_url: self.config.serve.names.first().map_or_else(String::new, |name| format!("https://{name}/")),
            letter: None,
        }
    }
}
