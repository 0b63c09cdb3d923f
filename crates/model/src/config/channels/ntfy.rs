//! Keys of a channel that publishes to a topic of ntfy.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A topic of ntfy.
    Ntfy like "Example: `team-ntfy`" requires ["topic"] {
        /// The topic.
        ///
        /// Unit: a name.
        /// Range: up to 200 characters.
        /// Default: none.
        /// Reason: what you are subscribed to cannot be guessed.
        /// Example: `alignwatch-team`
        #[schemars(with = "ReasonText")]
        pub topic: String,
        /// The access token, when the topic needs one.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none (without one).
        /// Reason: topics of ntfy.sh are open to all who know their name.
        /// Example: `file:/run/secrets/ntfy`
        #[schemars(with = "SecretText")]
        pub token: Option<SecretRef>,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://ntfy.sh`).
        /// Reason: the public server of ntfy.
        /// Example: `https://ntfy.example.org`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
    }
}
