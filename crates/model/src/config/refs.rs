//! The part of the configuration that says which refs are branches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    pattern::{BadName, Patterns},
    schema::{PatternText, SpaceText},
};
use crate::RefName;

/// Which refs are branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Refs {
    /// Where branches are: local ones (`heads`), those of remotes (`remotes`), the heads of pull and
    /// merge requests (`pulls`), or all below a prefix of full names (`refs/agents/`).
    ///
    /// Unit: spaces of refs.
    /// Range: at least one of heads, remotes, pulls, or a prefix that begins with `refs/` and ends with `/`.
    /// Default: [heads, remotes].
    /// Reason: where people work. Requests are often kept for ever, so that they outnumber branches by far.
    /// Example: `[heads, refs/agents/]`
    #[schemars(with = "Vec<SpaceText>", length(min = 1), extend("uniqueItems" = true))]
    pub spaces: Vec<String>,
    /// Branches that are not looked at. They are not counted either.
    ///
    /// Unit: patterns of short or full names.
    /// Range: any number of different patterns; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [].
    /// Reason: all branches are subjects until somebody says otherwise.
    /// Example: `["backup/**", "tmp-*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub exclude: Vec<String>,
}

/// Tells branches from other refs, ready to be asked.
#[derive(Clone, Debug)]
pub struct RefFilter {
    spaces: Vec<String>,
    exclude: Patterns,
}

impl Refs {
    /// Prefixes of full ref names outside of which no branch is: to read no more than that.
    pub fn prefixes(&self) -> Vec<&str> {
        self.spaces.iter().flat_map(|space| prefixes_of(space)).collect()
    }

    /// The rule that tells branches from other refs. Errors: a pattern that a checked configuration cannot have.
    pub fn filter(&self) -> Result<RefFilter, BadName> {
        let exclude = Patterns::new(self.exclude.iter().map(String::as_str))?;
        Ok(RefFilter { spaces: self.spaces.clone(), exclude })
    }
}

impl RefFilter {
    /// Is this ref a branch, as far as its name tells? A symbolic ref such as `origin/HEAD` is for its reader to leave out.
    pub fn is_branch(&self, name: &RefName) -> bool {
        self.spaces.iter().any(|space| holds(space, name)) && !self.exclude.matches(name)
    }
}

impl Default for Refs {
    fn default() -> Refs {
        Refs { spaces: vec!["heads".into(), "remotes".into()], exclude: Vec::new() }
    }
}

/// `refs/pull/` is of GitHub, Gitea and Forgejo, `refs/merge-requests/` of GitLab.
fn prefixes_of(space: &str) -> Vec<&str> {
    match space {
        "heads" => vec!["refs/heads/"],
        "remotes" => vec!["refs/remotes/"],
        "pulls" => vec!["refs/pull/", "refs/merge-requests/"],
        prefix => vec![prefix],
    }
}

fn holds(space: &str, name: &RefName) -> bool {
    // Beside the head of a request stands the merge that the host made of it, which is nobody's work.
    prefixes_of(space).iter().any(|prefix| name.starts_with(prefix))
        && (space != "pulls" || name.as_bytes().ends_with(b"/head"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_tell_branches_from_other_refs() {
        let spaces = ["heads", "pulls", "refs/agents/"].map(String::from).to_vec();
        let refs = Refs { spaces, exclude: vec!["tmp-*".into()] };
        let filter = refs.filter().expect("good patterns");
        let is_branch = |name| filter.is_branch(&RefName::from(name));
        for name in ["refs/heads/x", "refs/pull/7/head", "refs/merge-requests/7/head", "refs/agents/a/b"] {
            assert!(is_branch(name), "{name}");
        }
        for name in
            ["refs/remotes/o/x", "refs/pull/7/merge", "refs/tags/v1", "refs/heads/tmp-1", "refs/original/refs/heads/x"]
        {
            assert!(!is_branch(name), "{name}");
        }
        assert_eq!(refs.prefixes(), ["refs/heads/", "refs/pull/", "refs/merge-requests/", "refs/agents/"]);
    }
}
