//! Keys of a channel that opens and closes alerts of Jira Service Management.

use crate::config::{
    channels::channel,
    schema::{SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A team of Jira Service Management, by an API integration of its operations.
    JiraServiceManagement like "Example: `on-call-jira`" requires ["key"] {
        /// The API key of the integration.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: who holds the key can page people.
        /// Example: `file:/run/secrets/jira`
        #[schemars(with = "SecretText")]
        pub key: SecretRef,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://api.atlassian.com/jsm/ops/integration`).
        /// Reason: where Atlassian takes alerts.
        /// Example: `https://jira.example.org/jsm/ops/integration`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
    }
}
