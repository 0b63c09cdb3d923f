//! Keys of a channel that opens and closes alerts of Opsgenie.

use crate::config::{
    channels::channel,
    schema::{SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A team of Opsgenie, by an API integration. Opsgenie ends on 2027-04-05; `jira_service_management` takes its place.
    Opsgenie like "Example: `on-call-opsgenie`" requires ["key"] {
        /// The API key of the integration.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: who holds the key can page people.
        /// Example: `file:/run/secrets/opsgenie`
        #[schemars(with = "SecretText")]
        pub key: SecretRef,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://api.opsgenie.com`).
        /// Reason: where Opsgenie takes alerts; accounts in the EU have another address.
        /// Example: `https://api.eu.opsgenie.com`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
    }
}
