//! The part of the configuration that says what an alignment must have before it may start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, Patterns, amount, any_names_path,
    rules::Mistake,
    schema::{LengthText, PathText, PatternText, ReasonText, WorkflowText},
};
use crate::{RefName, Span, branch::Verdict};

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
    /// Which alignments must not start. Each that is about an alignment stands in its way.
    ///
    /// Unit: rules.
    /// Range: any number of rules.
    /// Default: [].
    /// Reason: which lines rest, and when who may align, is yours to say.
    /// Example: `[{bases: ["release/*"], because: "1.4 is frozen"}]`
    pub forbid: Vec<Forbid>,
}

/// An alignment that must not start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forbid {
    /// The branches that it is about. Where nobody says which branch is to be aligned, it may be one of them.
    ///
    /// Unit: patterns of short or full names.
    /// Range: any number; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [] (all).
    /// Reason: what nobody may move has a name.
    /// Example: `["release/*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub branches: Vec<String>,
    /// The bases that it is about: what the branch would be aligned with. Where the base is not known, that is told as a doubt.
    ///
    /// Unit: patterns of short or full names.
    /// Range: any number; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [] (all).
    /// Reason: a frozen line takes nothing, and nothing is brought in line with what may still be taken back.
    /// Example: `["release/*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub bases: Vec<String>,
    /// The predicted merge that it is about.
    ///
    /// Unit: one word.
    /// Range: any, clean, conflict, unknown.
    /// Default: any.
    /// Reason: a robot should leave to people what it would only guess.
    /// Example: `unknown`
    pub merge: ForbiddenMerge,
    /// The workflows that it is about. Where nobody says which it is, it may be one of them.
    ///
    /// Unit: names.
    /// Range: any number of different names.
    /// Default: [] (all).
    /// Reason: what people do with care may be closed to robots.
    /// Example: `[nightly]`
    #[schemars(with = "Vec<WorkflowText>", extend("uniqueItems" = true))]
    pub workflows: Vec<String>,
    /// The repositories that it is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: lines of the same name rest in one repository and move in another.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// The window, of `windows`, while which it is allowed.
    ///
    /// Unit: a name.
    /// Range: the name of one of `windows`.
    /// Default: none (it is never allowed).
    /// Reason: alignments of a large repository may have their hours, as maintenance has.
    /// Example: `release`
    #[schemars(with = "WorkflowText")]
    pub unless_open: Option<String>,
    /// Why, for whoever is told.
    ///
    /// Unit: a sentence part.
    /// Range: up to 200 characters.
    /// Default: none.
    /// Reason: who is stopped wants to know what for, and by whom it may be changed.
    /// Example: `1.4 is frozen, ask the release team`
    #[schemars(with = "ReasonText")]
    pub because: Option<String>,
}

/// A predicted merge, as the configuration names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForbiddenMerge {
    /// Whatever comes of it.
    #[default]
    Any,
    /// It merges without a conflict.
    Clean,
    /// It conflicts.
    Conflict,
    /// That is not known.
    Unknown,
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
        is_about((&self.repositories, &self.branches, &self.workflows), path, branch, workflow)
    }
}

impl Forbid {
    /// The same, as far as that can be said without the base and the merge.
    pub fn is_about(&self, path: &str, branch: Option<&str>, workflow: Option<&str>) -> bool {
        is_about((&self.repositories, &self.branches, &self.workflows), path, branch, workflow)
    }

    /// Is it about an alignment with this base, by its full name? `None` = that can't be said without the base.
    pub fn is_about_base(&self, base: Option<&str>) -> Option<bool> {
        if self.bases.is_empty() { Some(true) } else { base.map(|base| names(&self.bases, base)) }
    }

    /// Is it about an alignment with this predicted merge? `None` = that can't be said without it.
    pub fn is_about_merge(&self, verdict: Option<Verdict>) -> Option<bool> {
        match (self.merge, verdict) {
            (ForbiddenMerge::Any, _) => Some(true),
            (ForbiddenMerge::Unknown, verdict) => Some(verdict.is_none_or(|verdict| verdict == Verdict::Unknown)),
            (ForbiddenMerge::Clean, verdict) => verdict.map(|verdict| verdict == Verdict::Clean),
            (ForbiddenMerge::Conflict, verdict) => verdict.map(|verdict| verdict == Verdict::Conflict),
        }
    }
}

/// The repositories, branches and workflows that a rule is about.
type Meant<'a> = (&'a [String], &'a [String], &'a [String]);

/// What is not known may be one of those that are meant.
fn is_about(meant: Meant<'_>, path: &str, branch: Option<&str>, workflow: Option<&str>) -> bool {
    let (repositories, branches, workflows) = meant;
    let is_here = repositories.is_empty() || any_names_path(repositories, path);
    let is_workflow = workflows.is_empty() || workflow.is_none_or(|name| workflows.iter().any(|other| other == name));
    is_here && is_workflow && branch.is_none_or(|branch| names(branches, branch))
}

/// Patterns that can't be read are told when the configuration is read; until then they are about all.
fn names(patterns: &[String], name: &str) -> bool {
    let read = || Patterns::new(patterns.iter().map(String::as_str));
    patterns.is_empty() || read().map_or(true, |patterns| patterns.matches(&RefName::from(name)))
}

/// Rules that name what is not there.
pub(super) fn mistakes(config: &Config) -> impl Iterator<Item = Mistake> + use<'_> {
    config.gate.forbid.iter().enumerate().filter_map(|(index, rule)| {
        let name = rule.unless_open.as_ref()?;
        let is_there = config.windows.iter().any(|window| window.name == *name);
        (!is_there).then(|| Mistake {
            path: format!("gate.forbid[{index}].unless_open"),
            problem: "none of `windows` has this name".to_owned(),
            fix: "name one that is there".to_owned(),
            also_at: None,
        })
    })
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
