//! Keys of a channel that posts to Microsoft Teams.

use crate::config::{channels::channel, schema::SecretText, secret::SecretRef};

channel! {
    /// A channel or chat of Microsoft Teams, by a workflow that starts when a webhook request comes.
    Teams like "Example: `team-teams`" requires ["url"] {
        /// The address of the workflow, as Teams gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: whoever knows the address can write there, so that it is a secret.
        /// Example: `file:/run/secrets/teams`
        #[schemars(with = "SecretText")]
        pub url: SecretRef,
    }
}
