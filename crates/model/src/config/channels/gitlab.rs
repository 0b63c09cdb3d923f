//! Keys of a channel that keeps issues of GitLab.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// Issues of GitLab: one for each group of alerts, kept current and closed when all is over.
    Gitlab like "Example: `issues-gitlab`" requires ["project", "token"] {
        /// The project that gets the issues.
        ///
        /// Unit: its path with all groups, or its number.
        /// Range: up to 200 characters.
        /// Default: none.
        /// Reason: it need not be the one that is watched.
        /// Example: `example/billing`
        #[schemars(with = "ReasonText")]
        pub project: String,
        /// The token with which issues are written.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: issues are written in somebody's name.
        /// Example: `file:/run/secrets/gitlab`
        #[schemars(with = "SecretText")]
        pub token: SecretRef,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://gitlab.com`).
        /// Reason: where GitLab answers; an own server has another address.
        /// Example: `https://gitlab.example.org`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
        /// The label that marks our issues.
        ///
        /// Unit: a name.
        /// Range: up to 200 characters.
        /// Default: none (alignwatch).
        /// Reason: issues of ours are found by it.
        /// Example: `drift`
        #[schemars(with = "ReasonText")]
        pub label: Option<String>,
    }
}
