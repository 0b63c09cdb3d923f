//! Tells: brings one notice to one channel, once.
//!
//! Whether, when and how often something is told is decided elsewhere; here is one attempt, and what
//! came of it. It blocks, never longer than [`DEADLINE`], so that it belongs on a thread of its own.

use std::time::Duration;

use alignwatch_model::{
    Timestamp,
    config::{Channel, Network},
    notice::{Delivered, Failure, FailureReason, Notice},
};

/// The longest that one attempt takes, whatever the other side does.
///
/// Source: Standard Webhooks advises 15 to 30 seconds.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Where we may call, and whom we believe.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    allow: Vec<Network>,
    certificates: Vec<String>,
}

impl Egress {
    /// What the configuration allows.
    pub fn of(config: &alignwatch_model::config::Egress) -> Egress {
        Egress { allow: config.networks(), certificates: config.certificates.clone() }
    }
}

/// Makes one attempt to bring a notice to a channel.
///
/// Errors: why it did not arrive, and whether and when another attempt makes sense. An attempt that failed
/// may have arrived all the same; the receiver can tell by the notice's key.
pub fn deliver(channel: &Channel, notice: &Notice, egress: &Egress, now: Timestamp) -> Result<Delivered, Failure> {
    let _ = (&egress.allow, &egress.certificates, now, notice);
    Err(Failure {
        reason: FailureReason::Configuration,
        detail: format!("no notice can be brought to a channel of the kind {} yet", channel.kind()),
        is_permanent: true,
        retry_after: None,
    })
}
