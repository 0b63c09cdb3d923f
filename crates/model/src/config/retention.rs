//! How long the store keeps what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount,
    schema::{LengthText, SizeText},
};
use crate::Span;

/// How long the daemon remembers what, and how much room that may take.
///
/// Numbers that get older are rolled up: count, least, most, sum, first and last of a span stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How long numbers stay as they were measured. Then spans of five minutes are left of them.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 3650d.
    /// Default: 30d.
    /// Reason: ours. A week can be compared with those before it; Prometheus keeps 15 days.
    /// Example: `90d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "3650d"))]
    pub raw: Span,
    /// How long spans of five minutes stay, counted from when they were measured. Then hours are left.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 3650d.
    /// Default: 90d.
    /// Reason: ours. A quarter: what is asked beyond it is asked by the week.
    /// Example: `180d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "3650d"))]
    pub by_five_minutes: Span,
    /// How long hours stay, counted from when they were measured. Then days are left.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 3650d.
    /// Default: 730d.
    /// Reason: ours. A season can be compared with the same season a year before.
    /// Example: `400d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "3650d"))]
    pub by_hour: Span,
    /// How long days stay. Then nothing is left.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 36500d.
    /// Default: 3650d.
    /// Reason: ours. Ten years of days are 25 KiB a series, so that there is little to win.
    /// Example: `1825d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "36500d"))]
    pub by_day: Span,
    /// How long findings that are over stay. Those that last are never dropped.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 36500d.
    /// Default: 365d.
    /// Reason: ours. What comes back every year is seen to come back.
    /// Example: `90d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "36500d"))]
    pub findings: Span,
    /// How long alignment runs and their events stay, counted from when something was last heard of them.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 36500d.
    /// Default: 365d.
    /// Reason: ours. The record of what was aligned, and whether anything was lost, is asked for after a release.
    /// Example: `90d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "36500d"))]
    pub runs: Span,
    /// How much the file of the store may hold. Beyond it, what is oldest is rolled up and dropped before its time.
    ///
    /// Unit: a size.
    /// Range: 1 MiB to 1 TiB.
    /// Default: 1 GiB.
    /// Reason: ours. A year of a repository with a thousand branches takes some tens of MiB. Copies take as much each.
    /// Example: `256 MiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "1 MiB", "x-most" = "1 TiB"))]
    pub size: u64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            raw: Span::days(30),
            by_five_minutes: Span::days(90),
            by_hour: Span::days(730),
            by_day: Span::days(3650),
            findings: Span::days(365),
            runs: Span::days(365),
            size: 1 << 30,
        }
    }
}
