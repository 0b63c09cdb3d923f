//! Keys of a channel that writes to a room of Matrix.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A room of Matrix.
    Matrix like "Example: `team-matrix`" requires ["url", "token", "room"] {
        /// The homeserver.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none.
        /// Reason: there are many homeservers.
        /// Example: `https://matrix.example.org`
        #[schemars(with = "UrlText")]
        pub url: String,
        /// The access token of the user that writes.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: who holds the token is the user.
        /// Example: `file:/run/secrets/matrix`
        #[schemars(with = "SecretText")]
        pub token: SecretRef,
        /// The room in which it writes; the user must be in it.
        ///
        /// Unit: a room id.
        /// Range: up to 200 characters.
        /// Default: none.
        /// Reason: a user can be in many rooms.
        /// Example: `"!abcdef:example.org"`
        #[schemars(with = "ReasonText")]
        pub room: String,
    }
}
