//! Keys of a channel that opens and closes incidents of PagerDuty.

use crate::config::{
    channels::channel,
    schema::{SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A service of PagerDuty, by an integration for the Events API v2.
    Pagerduty like "Example: `on-call`" requires ["key"] {
        /// The integration key of the service.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: who holds the key can page people.
        /// Example: `file:/run/secrets/pagerduty`
        #[schemars(with = "SecretText")]
        pub key: SecretRef,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://events.pagerduty.com`).
        /// Reason: where PagerDuty takes events; accounts in the EU have another address.
        /// Example: `https://events.eu.pagerduty.com`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
    }
}
