//! Keys of a channel that keeps issues of Gitea or Forgejo.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// Issues of Gitea or Forgejo: one for each group of alerts, kept current and closed when all is over.
    Gitea like "Example: `issues-gitea`" requires ["repository", "token", "url"] {
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
        /// Example: `file:/run/secrets/gitea`
        #[schemars(with = "SecretText")]
        pub token: SecretRef,
        /// The address of the server.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none.
        /// Reason: there are many servers.
        /// Example: `https://git.example.org`
        #[schemars(with = "UrlText")]
        pub url: String,
    }
}
