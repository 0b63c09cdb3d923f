//! The part of the configuration that says where metrics are sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount,
    schema::{ChannelName, LengthText, SecretText, UrlText},
    secret::SecretRef,
};
use crate::Span;

/// Metrics of the daemon, sent to a receiver of OpenTelemetry (OTLP over HTTP, protobuf), besides `/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    /// Where they are sent. A collector on this machine or in a private network has to be allowed by `egress.allow`.
    ///
    /// Unit: a web address, or where it is read.
    /// Range: `https://` or `http://` with a host, without a password; mostly it ends in `/v1/metrics`.
    /// Default: none (nothing is sent).
    /// Reason: what is known of your branches leaves this machine only when you say where to.
    /// Example: `https://otel.example.org/v1/metrics`
    #[schemars(with = "UrlText")]
    pub endpoint: Option<String>,
    /// How often they are sent.
    ///
    /// Unit: a length of time.
    /// Range: 10s to 1d.
    /// Default: 1m.
    /// Reason: the default of OpenTelemetry's own readers (`OTEL_METRIC_EXPORT_INTERVAL`).
    /// Example: `5m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "10s", "x-most" = "1d"))]
    pub every: Span,
    /// Headers that are sent along, such as the one that says who sends.
    ///
    /// Unit: headers.
    /// Range: any number of headers.
    /// Default: [].
    /// Reason: a collector of your own seldom asks who sends.
    /// Example: `[{header: authorization, value: "file:/run/secrets/otlp"}]`
    pub headers: Vec<OtlpHeader>,
}

/// A header whose value is secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["header", "value"]))]
pub struct OtlpHeader {
    /// Its name.
    ///
    /// Unit: a name.
    /// Range: 1 to 60 letters, digits, `.`, `_` and `-`.
    /// Default: none.
    /// Reason: each service has its own.
    /// Example: `authorization`
    #[schemars(with = "ChannelName")]
    pub header: String,
    /// The whole value, such as `Bearer` and a token.
    ///
    /// Unit: where a secret is read.
    /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
    /// Default: none.
    /// Reason: who has it can write into your metrics.
    /// Example: `file:/run/secrets/otlp`
    #[schemars(with = "SecretText")]
    pub value: SecretRef,
}

impl Default for Otlp {
    fn default() -> Otlp {
        Otlp { endpoint: None, every: Span::minutes(1), headers: Vec::new() }
    }
}
