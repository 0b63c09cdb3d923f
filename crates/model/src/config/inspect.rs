//! The part of the configuration that says how a repository is read, and how much that may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount,
    schema::{LengthText, PathPatternText, SizeText},
};
use crate::Span;

/// How a repository is read, and how much that may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inspect {
    /// How many merges are predicted at the same time.
    ///
    /// Unit: threads.
    /// Range: 1 to 256.
    /// Default: none (as many as there are processors, at most 8).
    /// Reason: ours. Predicting merges is work for processors; eight leave room on a large machine that is shared.
    /// Example: `2`
    #[schemars(with = "u32", range(min = 1, max = 256))]
    pub jobs: Option<u32>,
    /// How long one git process may take before it is stopped. What it should have told is then unknown.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 1h.
    /// Default: 30s.
    /// Reason: the time that the original requirement gives a git command.
    /// Example: `10m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "1h"))]
    pub git_deadline: Span,
    /// How long git may take over all merges that could not be predicted without it. Those that are
    /// left then have no verdict.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 1d.
    /// Default: 5m.
    /// Reason: ours. All 649 merges of a real repository took git four minutes, one after the other.
    /// Example: `1h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "1d"))]
    pub merge_deadline: Span,
    /// How much one git process may write before it is stopped.
    ///
    /// Unit: a size.
    /// Range: 1 MiB to 4 GiB.
    /// Default: 256 MiB.
    /// Reason: ours. A list of a million refs has about 100 MiB.
    /// Example: `1 GiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "1 MiB", "x-most" = "4 GiB"))]
    pub output_limit: u64,
}

/// The search for committed conflict markers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Markers {
    /// Files in which conflict markers are meant to be.
    ///
    /// Unit: patterns of paths in the repository.
    /// Range: any number of different patterns; `*` stays inside one folder, `**` crosses folders.
    /// Default: [].
    /// Reason: only a whole triple of markers counts, so that few files need this: manuals and test data about merging.
    /// Example: `["docs/merging/**"]`
    #[schemars(with = "Vec<PathPatternText>", extend("uniqueItems" = true))]
    pub exclude: Vec<String>,
    /// The largest file that is searched.
    ///
    /// Unit: a size.
    /// Range: 1 KiB to 512 MiB.
    /// Default: 4 MiB.
    /// Reason: ours. People resolve conflicts in files they can read; larger ones are generated or data.
    /// Example: `16 MiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "1 KiB", "x-most" = "512 MiB"))]
    pub file_limit: u64,
}

impl Inspect {
    /// Threads to use where `n_processors` are there.
    pub fn jobs_of(&self, n_processors: usize) -> usize {
        /// See the reason of `inspect.jobs`.
        const JOBS_AT_MOST: usize = 8;
        self.jobs.map_or(n_processors.clamp(1, JOBS_AT_MOST), |jobs| jobs as usize)
    }
}

impl Default for Inspect {
    fn default() -> Inspect {
        Inspect { jobs: None, git_deadline: Span(30), merge_deadline: Span::minutes(5), output_limit: 256 << 20 }
    }
}

impl Default for Markers {
    fn default() -> Markers {
        Markers { exclude: Vec::new(), file_limit: 4 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_follow_the_processors_within_reason() {
        let jobs = |jobs, n_processors| Inspect { jobs, ..Inspect::default() }.jobs_of(n_processors);
        assert_eq!([jobs(None, 0), jobs(None, 2), jobs(None, 64), jobs(Some(64), 2)], [1, 2, 8, 64]);
    }
}
