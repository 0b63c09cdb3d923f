//! Keys of a channel that posts to Slack.

use crate::config::{channels::channel, schema::SecretText, secret::SecretRef};

channel! {
    /// A channel of Slack, by an incoming webhook.
    Slack like "Example: `team-slack`" requires ["url"] {
        /// The address of the incoming webhook, as Slack gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: whoever knows the address can write there, so that it is a secret.
        /// Example: `file:/run/secrets/slack`
        #[schemars(with = "SecretText")]
        pub url: SecretRef,
    }
}
