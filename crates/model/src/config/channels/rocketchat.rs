//! Keys of a channel that posts to Rocket.Chat.

use crate::config::{channels::channel, schema::SecretText, secret::SecretRef};

channel! {
    /// A room of Rocket.Chat, by an incoming webhook.
    Rocketchat like "Example: `team-rocketchat`" requires ["url"] {
        /// The address of the incoming webhook, as Rocket.Chat gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: whoever knows the address can write there, so that it is a secret.
        /// Example: `file:/run/secrets/rocketchat`
        #[schemars(with = "SecretText")]
        pub url: SecretRef,
    }
}
