//! Keys of a channel that posts to Discord.

use crate::config::{channels::channel, schema::SecretText, secret::SecretRef};

channel! {
    /// A channel of Discord, by a webhook.
    Discord like "Example: `team-discord`" requires ["url"] {
        /// The address of the webhook, as Discord gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: whoever knows the address can write there, so that it is a secret.
        /// Example: `file:/run/secrets/discord`
        #[schemars(with = "SecretText")]
        pub url: SecretRef,
    }
}
