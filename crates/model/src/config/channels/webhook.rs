//! Keys of a channel that posts to a web address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    channels::channel,
    schema::{SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A web address that gets each notice as JSON.
    Webhook like "Example: `deploy-bot`" requires ["url"] {
        /// Where it listens. When the address itself is secret, write where it is read: `file:/path`, `env:NAME`.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none.
        /// Reason: where you listen cannot be guessed.
        /// Example: `https://watch.example.org/hook`
        #[schemars(with = "UrlText")]
        pub url: String,
        /// What it is signed with, so that the other side knows that it comes from here. While you change it,
        /// two stand here, and each signs.
        ///
        /// Unit: where secrets are read.
        /// Range: up to two different ones; each `whsec_` and 24 to 64 random bytes in base64.
        /// Default: [] (not signed).
        /// Reason: a secret must be known to both sides and cannot be made up by one.
        /// Example: `["file:/run/secrets/webhook"]`
        #[schemars(with = "Vec<SecretText>", extend("uniqueItems" = true))]
        pub secret: Vec<SecretRef>,
        /// What is sent.
        ///
        /// Unit: one word.
        /// Range: alignwatch, alertmanager.
        /// Default: alignwatch.
        /// Reason: it says all there is to say.
        /// Example: `alertmanager`
        pub payload: Payload,
    }
}

/// What a webhook is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The notice, as docs/CHANNELS.md shows it.
    #[default]
    Alignwatch,
    /// What Alertmanager sends (version 4), for receivers that know it.
    Alertmanager,
}
