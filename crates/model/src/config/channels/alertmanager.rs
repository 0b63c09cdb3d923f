//! Keys of a channel that gives alerts to Alertmanager.

use crate::Span;
use crate::config::{
    amount,
    channels::channel,
    schema::{LengthText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// An Alertmanager of Prometheus that takes our alerts as it takes those of Prometheus.
    Alertmanager like "Example: `alertmanager`" requires ["urls"] {
        /// Where it listens. Of a cluster, all members: each gets every alert, and one that takes them is
        /// enough.
        ///
        /// Unit: web addresses, or where they are read.
        /// Range: at least one.
        /// Default: [].
        /// Reason: where your Alertmanager is cannot be guessed.
        /// Example: `["http://alertmanager.example.org:9093"]`
        #[schemars(with = "Vec<UrlText>", length(min = 1), extend("uniqueItems" = true))]
        pub urls: Vec<String>,
        /// The bearer token, when it asks for one.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none (without one).
        /// Reason: inside of a network, Alertmanager mostly asks for none.
        /// Example: `file:/run/secrets/alertmanager`
        #[schemars(with = "SecretText")]
        pub token: Option<SecretRef>,
        /// How long Alertmanager keeps an alert that it hears nothing more of. Its end is told, of course.
        ///
        /// Unit: a length of time.
        /// Range: 5m to 30d.
        /// Default: none (2d).
        /// Reason: ours; longer than the time after which an alert that lasts is told again.
        /// Example: `7d`
        #[serde(with = "amount::optional_length")]
        #[schemars(with = "LengthText", extend("x-least" = "5m", "x-most" = "30d"))]
        pub lasts: Option<Span>,
    }
}
