//! Keys of a channel that posts to Mattermost.

use crate::config::{channels::channel, schema::SecretText, secret::SecretRef};

channel! {
    /// A channel of Mattermost, by an incoming webhook.
    Mattermost like "Example: `team-mattermost`" requires ["url"] {
        /// The address of the incoming webhook, as Mattermost gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: whoever knows the address can write there, so that it is a secret.
        /// Example: `file:/run/secrets/mattermost`
        #[schemars(with = "SecretText")]
        pub url: SecretRef,
    }
}
