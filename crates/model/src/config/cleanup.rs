//! The part of the configuration that says which branches may be cleaned up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount, any_names_path,
    schema::{LengthText, PathText, PatternText},
};
use crate::{Proof, Span};

/// The clean-up of branches whose work is in their base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cleanup {
    /// The repositories in which branches are deleted; in all others they are only reported.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (none).
    /// Reason: whether a branch may go is yours to say, for each repository once.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub delete_in: Vec<String>,
    /// The weakest proof by which a branch counts as landed.
    ///
    /// Unit: one word.
    /// Range: ancestor, content, patches.
    /// Default: ancestor.
    /// Reason: with it each commit itself is in the base, so that nothing can be lost whatever else is wrong.
    /// Example: `content`
    pub proof: ProofLevel,
    /// How long a branch must have rested: no new commit, and its ref not moved or made.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 3650d.
    /// Default: 14d.
    /// Reason: ours. Who comes back from a holiday finds the branch where it was.
    /// Example: `30d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "3650d"))]
    pub rested: Span,
    /// How old the last fetch may be, where a branch or its base has a remote.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 365d.
    /// Default: 1d.
    /// Reason: ours. What the remote did since is not known here.
    /// Example: `1h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "365d"))]
    pub fetched_within: Span,
    /// Branches that are never deleted.
    ///
    /// Unit: patterns of branch names.
    /// Range: any number of different patterns.
    /// Default: [].
    /// Reason: bases, branches that others are based on, and those that a worktree holds stay in any case.
    /// Example: `["release/*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub keep: Vec<String>,
    /// A file with the names of branches that have an open pull or merge request, one a line; they are never deleted.
    ///
    /// Unit: a path from the root.
    /// Range: a file that a job of yours writes; one that is older than `fetched_within`, is empty, has no end of line at
    /// its end or holds what is no name of a branch keeps every branch. `# none` says that no request is open.
    /// Default: none (only `refs/pull/` and `refs/merge-requests/` tell of requests, where they are fetched).
    /// Reason: only the server knows; `gh pr list --state open --limit 1000 --json headRefName --jq '.[].headRefName, "# end"'` asks it.
    /// Example: `/var/lib/alignwatch/open-requests`
    #[schemars(with = "PathText")]
    pub open_requests: Option<String>,
    /// How long an open branch must have rested before the task `stale-branches` tells of it.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 3650d.
    /// Default: 180d.
    /// Reason: the stale-branches action of GitHub's marketplace tells after 120 days and deletes after 180.
    /// Example: `90d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "3650d"))]
    pub stale_after: Span,
    /// How long before it is archived a stale branch is told of.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 365d.
    /// Default: 14d.
    /// Reason: ours. Longer than a holiday; whoever still wants it makes a commit, or names it in `keep`.
    /// Example: `30d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "365d"))]
    pub notice: Span,
    /// How long the commits of a deleted branch stay under `refs/archive/`.
    ///
    /// Unit: a length of time.
    /// Range: 1d to 3650d.
    /// Default: 180d.
    /// Reason: ours. Half a year, and then only what lies in a proven backup goes.
    /// Example: `365d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1d", "x-most" = "3650d"))]
    pub archive_for: Span,
}

/// How strong a proof is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofLevel {
    /// Each commit itself is in the base.
    #[default]
    Ancestor,
    /// The content is in the base: same files, or a merge that changes nothing.
    Content,
    /// The same changes are in the base as other commits: picked, rebased or squashed.
    Patches,
}

impl ProofLevel {
    /// Is this proof at least as strong?
    pub fn admits(self, proof: Proof) -> bool {
        let level = match proof {
            Proof::Ancestor => ProofLevel::Ancestor,
            Proof::Forge | Proof::IdenticalTree | Proof::MergeNoOp => ProofLevel::Content,
            Proof::PatchIds | Proof::SquashPatchId => ProofLevel::Patches,
        };
        level <= self
    }
}

impl Default for Cleanup {
    fn default() -> Cleanup {
        Cleanup {
            delete_in: Vec::new(),
            proof: ProofLevel::Ancestor,
            rested: Span::days(14),
            fetched_within: Span::days(1),
            keep: Vec::new(),
            open_requests: None,
            stale_after: Span::days(180),
            notice: Span::days(14),
            archive_for: Span::days(180),
        }
    }
}

impl Cleanup {
    /// May branches be deleted in the repository at this path?
    pub fn deletes_in(&self, path: &str) -> bool {
        any_names_path(&self.delete_in, path)
    }
}
