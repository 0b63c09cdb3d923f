//! Keys of a channel that keeps issues of GitHub.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// Issues of GitHub: one for each group of alerts, kept current and closed when all is over.
    Github like "Example: `issues-github`" requires ["repository", "token"] {
        /// The repository that gets the issues.
        ///
        /// Unit: owner and name.
        /// Range: with a `/` between them, up to 200 characters.
        /// Default: none.
        /// Reason: it need not be the one that is watched.
        /// Example: `example/billing`
        #[schemars(with = "ReasonText")]
        pub repository: String,
        /// The token with which issues are written.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: issues are written in somebody's name.
        /// Example: `file:/run/secrets/github`
        #[schemars(with = "SecretText")]
        pub token: SecretRef,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://api.github.com`).
        /// Reason: where GitHub answers; an own server has another address.
        /// Example: `https://github.example.org/api/v3`
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
