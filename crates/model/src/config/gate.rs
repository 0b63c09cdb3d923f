//! The part of the configuration that says what an alignment must have before it may start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Patterns, amount, any_names_path,
    schema::{LengthText, PathText, PatternText, WorkflowText},
};
use crate::{RefName, Span};

/// What `alignwatch gate` asks for besides what stands in the way by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Which alignments need a backup that was looked at and found good. Each that is about an alignment has to be met.
    ///
    /// Unit: rules.
    /// Range: any number of rules.
    /// Default: [].
    /// Reason: what is worth a backup before each run, and how old it may be, is yours to say.
    /// Example: `[{branches: ["release/*"], not_older_than: 2h}]`
    pub backups: Vec<BackupDemand>,
}

/// An alignment that needs a fresh backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupDemand {
    /// The branches that it is about. Where nobody says which branch is to be aligned, it may be one of them.
    ///
    /// Unit: patterns of short or full names.
    /// Range: any number; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [] (all).
    /// Reason: a backup holds all branches, so that one is as good as the other.
    /// Example: `["release/*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub branches: Vec<String>,
    /// The workflows that it is about. Where nobody says which it is, it may be one of them.
    ///
    /// Unit: names.
    /// Range: any number of different names.
    /// Default: [] (all).
    /// Reason: what rewrites many branches at once needs one more than what moves a single one.
    /// Example: `[nightly]`
    #[schemars(with = "Vec<WorkflowText>", extend("uniqueItems" = true))]
    pub workflows: Vec<String>,
    /// The repositories that it is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: what is pushed elsewhere each minute needs none.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// How long ago the newest backup that was found good may have been made.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 365d.
    /// Default: 1d.
    /// Reason: as often as backups are made by themselves (`backup.every`).
    /// Example: `2h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "365d"))]
    pub not_older_than: Span,
}

impl Default for BackupDemand {
    fn default() -> BackupDemand {
        BackupDemand {
            branches: Vec::new(),
            workflows: Vec::new(),
            repositories: Vec::new(),
            not_older_than: Span::days(1),
        }
    }
}

impl BackupDemand {
    /// Is it about an alignment of this branch, by its full name, by this workflow, in the repository at this path? What
    /// is not known may be one of those that are meant.
    pub fn is_about(&self, path: &str, branch: Option<&str>, workflow: Option<&str>) -> bool {
        let is_here = self.repositories.is_empty() || any_names_path(&self.repositories, path);
        let is_workflow =
            self.workflows.is_empty() || workflow.is_none_or(|name| self.workflows.iter().any(|other| other == name));
        is_here && is_workflow && self.is_about_branch(branch)
    }

    /// Patterns that can't be read are told when the configuration is read; until then they are about all.
    fn is_about_branch(&self, branch: Option<&str>) -> bool {
        let Some(branch) = branch.filter(|_| !self.branches.is_empty()) else { return true };
        Patterns::new(self.branches.iter().map(String::as_str))
            .map_or(true, |patterns| patterns.matches(&RefName::from(branch)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_is_about_what_it_names_and_about_what_nobody_named() {
        let demand = BackupDemand {
            branches: vec!["release/*".into()],
            workflows: vec!["nightly".into()],
            repositories: vec!["/srv/*.git".into()],
            ..BackupDemand::default()
        };
        let about = |path, branch, workflow| demand.is_about(path, branch, workflow);
        assert!(about("/srv/a.git", Some("refs/heads/release/1"), Some("nightly")));
        assert!(about("/srv/a.git", None, None));
        assert!(!about("/srv/a.git", Some("refs/heads/topic"), Some("nightly")));
        assert!(!about("/srv/a.git", Some("refs/heads/release/1"), Some("weekly")));
        assert!(!about("/home/a.git", Some("refs/heads/release/1"), Some("nightly")));
        assert!(BackupDemand::default().is_about("/a", Some("refs/heads/x"), None));
    }
}
