//! Tells: brings one notice to one channel, once; one file a kind of channel.
//!
//! Whether, when and how often something is told is decided elsewhere; here is one attempt, and what
//! came of it. It blocks, never longer than about [`DEADLINE`] (a command: than its own `deadline`, 5 minutes at
//! most), so that it belongs on a thread of its own.
//!
//! Foreign text (branches, authors, messages) reaches people through these channels. Each writes it so that
//! nothing in it is obeyed: no mention, no markup, no header, no link. Addresses are checked before they are
//! called ([`Egress`]), and no secret is in what is said of a failure.

mod alertmanager;
#[cfg(test)]
mod attempts;
pub mod calendar;
mod colour;
mod command;
mod discord;
mod egress;
mod failure;
mod file;
mod gitea;
mod github;
mod gitlab;
pub mod heartbeat;
mod http;
mod issue;
mod jira_service_management;
pub mod limits;
mod mail;
mod matrix;
mod mattermost;
mod ntfy;
mod opsgenie;
pub mod otlp;
mod pagerduty;
#[cfg(test)]
mod peers;
mod plain_file;
mod program;
mod rocketchat;
#[cfg(test)]
mod sample;
mod secret;
#[cfg(test)]
mod sink;
mod slack;
mod teams;
mod telegram;
mod test_notice;
mod text;
mod trust;
mod webhook;
#[cfg(test)]
mod wire;

use std::time::{Duration, Instant};

use alignwatch_model::{
    Timestamp,
    config::{Channel, SecretRef},
    notice::{Delivered, Failure, FailureReason, Notice, NoticeAlert},
};

pub use egress::Egress;
pub use secret::{SecretState, secret_state, secret_text};
pub use test_notice::test_notice;

/// The longest that one attempt takes, whatever the other side does; a command may be given longer by its own `deadline`.
///
/// Source: Standard Webhooks advises 15 to 30 seconds.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// What an attempt may use besides the notice.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub egress: &'a Egress,
    pub now: Timestamp,
    until: Instant,
}

impl<'a> Way<'a> {
    fn new(egress: &'a Egress, now: Timestamp, patience: Duration) -> Way<'a> {
        Way { egress, now, until: Instant::now() + patience }
    }

    /// How much time is left; never nothing, since that would mean for ever to some.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// The same with one of so many equal parts of the time that is left.
    pub(crate) fn with_part_of_time(self, n_parts: usize) -> Way<'a> {
        let part = self.left() / u32::try_from(n_parts.max(1)).unwrap_or(u32::MAX);
        Way { until: Instant::now() + part, ..self }
    }
}

/// One kind of channel.
pub(crate) trait Tell {
    /// Makes one attempt.
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure>;

    /// What would be sent, without secrets, as people can read it.
    fn draft(&self, notice: &Notice) -> String;

    /// The secrets that it needs.
    fn secrets(&self) -> Vec<SecretRef>;
}

/// The kinds. One line a kind.
fn kind(channel: &Channel) -> &dyn Tell {
    match channel {
        Channel::Webhook(channel) => channel,
        Channel::Mail(channel) => channel,
        Channel::Slack(channel) => channel,
        Channel::Teams(channel) => channel,
        Channel::Discord(channel) => channel,
        Channel::Mattermost(channel) => channel,
        Channel::Rocketchat(channel) => channel,
        Channel::Telegram(channel) => channel,
        Channel::Matrix(channel) => channel,
        Channel::Ntfy(channel) => channel,
        Channel::Pagerduty(channel) => channel,
        Channel::Opsgenie(channel) => channel,
        Channel::JiraServiceManagement(channel) => channel,
        Channel::Alertmanager(channel) => channel,
        Channel::Github(channel) => channel,
        Channel::Gitlab(channel) => channel,
        Channel::Gitea(channel) => channel,
        Channel::Command(channel) => channel,
        Channel::File(channel) => channel,
    }
}

/// Makes one attempt to bring a notice to a channel. What is too much for it is halved and tried once more.
///
/// Errors: why it did not arrive, and whether and when another attempt makes sense. An attempt that failed
/// may have arrived all the same; the receiver can tell by the notice's key.
pub fn deliver(channel: &Channel, notice: &Notice, egress: &Egress, now: Timestamp) -> Result<Delivered, Failure> {
    attempt(channel, notice, Way::new(egress, now, DEADLINE))
}

fn attempt(channel: &Channel, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
    match kind(channel).tell(notice, way) {
        Err(failure) if failure.reason == FailureReason::TooLarge => kind(channel).tell(&halved(notice), way),
        outcome => outcome,
    }
}

/// What would be sent to a channel, without secrets, as people can read it.
pub fn preview(channel: &Channel, notice: &Notice) -> String {
    kind(channel).draft(notice)
}

/// The secrets that a channel needs.
pub fn secrets(channel: &Channel) -> Vec<SecretRef> {
    kind(channel).secrets()
}

/// The secrets in an address: itself, when it is written elsewhere.
fn secret_of(address: &str) -> Option<SecretRef> {
    SecretRef::parse(address).ok()
}

/// The secrets of a channel with a key, and an address that may be written elsewhere.
fn key_and_address(key: &SecretRef, url: Option<&str>) -> Vec<SecretRef> {
    std::iter::once(key.clone()).chain(url.and_then(secret_of)).collect()
}

/// Half of a notice: half of the alerts, or half of what is said of the only one.
pub(crate) fn halved(notice: &Notice) -> Notice {
    let (alerts, n_left_out) = match &notice.alerts[..] {
        [alert] => (vec![shortened(alert)], 0),
        alerts => (alerts[..alerts.len() / 2].to_vec(), alerts.len().div_ceil(2)),
    };
    let mut half = Notice { alerts, n_left_out: notice.n_left_out + n_left_out as u64, ..bare(notice) };
    // What stands last in a letter matters least.
    if let Some(letter) = &mut half.letter {
        letter.paragraphs.truncate(letter.paragraphs.len() / 2);
    }
    half
}

/// A notice without its alerts, which may be many.
pub(crate) fn bare(notice: &Notice) -> Notice {
    Notice {
        key: notice.key.clone(),
        group_key: notice.group_key.clone(),
        group_labels: notice.group_labels.clone(),
        status: notice.status,
        reason: notice.reason,
        receiver: notice.receiver.clone(),
        alerts: Vec::new(),
        n_left_out: notice.n_left_out,
        external_url: notice.external_url.clone(),
        letter: notice.letter.clone(),
    }
}

fn shortened(alert: &NoticeAlert) -> NoticeAlert {
    let half = |text: &str| text::cut(text, text.chars().count().div_ceil(2).max(60));
    NoticeAlert {
        subject: half(&alert.subject),
        repository: half(&alert.repository),
        summary: half(&alert.summary),
        description: String::new(),
        remedy: String::new(),
        commands: Vec::new(),
        annotations: Default::default(),
        labels: alert.labels.iter().map(|(name, value)| (name.clone(), half(value))).collect(),
        ..alert.clone()
    }
}

/// A notice cut in half until what is made of it is no larger than `at_most` bytes.
///
/// Promise: it ends; a notice of one short alert is taken as it is.
pub(crate) fn fitted<'a>(
    notice: &'a Notice,
    at_most: usize,
    size_of: impl Fn(&Notice) -> usize,
) -> std::borrow::Cow<'a, Notice> {
    /// Halvings of a million alerts, and of a text of a million characters.
    const HALVINGS_AT_MOST: usize = 40;
    let mut fitted = std::borrow::Cow::Borrowed(notice);
    for _ in 0..HALVINGS_AT_MOST {
        if size_of(&fitted) <= at_most {
            break;
        }
        fitted = std::borrow::Cow::Owned(halved(&fitted));
    }
    fitted
}

/// A short name of a group that every service takes: 32 hexadecimal digits of SHA-256.
pub(crate) fn group_hash(notice: &Notice) -> String {
    hash(&notice.group_key)
}

pub(crate) fn hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_notice_counts_what_it_leaves_out() {
        let many = sample::many(9);
        let half = halved(&many);
        assert_eq!((half.alerts.len(), half.n_left_out, half.key), (4, 10, many.key));
    }

    #[test]
    fn a_notice_of_one_alert_gets_shorter_until_it_is_short() {
        let long = sample::hostile(&"x".repeat(100_000));
        let size = |notice: &Notice| serde_json::to_vec(notice).expect("plain JSON").len();
        assert!(size(&fitted(&long, 2_000, size)) <= 2_000);
        assert_eq!(fitted(&sample::notice(), 1, size).alerts[0].id, "a0");
    }
}
