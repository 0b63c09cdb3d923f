//! What a branch owes its base: the relation, and the drift it may have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// The declared policy of a branch towards its base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Keeps up with the base by merge or rebase.
    #[default]
    Track,
    /// Sits on another branch of the stack.
    Stack,
    /// Must equal the base.
    Mirror,
    /// Takes a subset of the base, by patch.
    Backport,
    /// Takes hand-picked commits only.
    Curated,
    /// Must never be merged with the base.
    Forbidden,
    /// Is not watched.
    Ignored,
}

/// How much drift is allowed; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// How many commits a branch may be behind its base.
    ///
    /// Unit: commits.
    /// Range: 0 to 1000000.
    /// Default: none (no limit).
    /// Reason: a promise that nobody made cannot be broken. Far too much drift is found without it.
    /// Example: `200`
    #[schemars(with = "u32", range(min = 0, max = 1_000_000))]
    pub behind: Option<u32>,
    /// How long a branch may lack something that its base has.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 3650d.
    /// Default: none (no limit).
    /// Reason: a promise that nobody made cannot be broken. Two weeks are longer than a holiday and shorter than a release.
    /// Example: `14d`
    #[serde(with = "crate::config::optional_length")]
    #[schemars(with = "crate::config::LengthText", extend("x-least" = "1m", "x-most" = "3650d"))]
    pub age: Option<Span>,
}

impl Relation {
    /// Is drift from the base a matter of a budget here?
    ///
    /// Lines that are curated or forbidden diverge on purpose: calling that bad is wrong.
    pub fn has_budget(self) -> bool {
        match self {
            Relation::Track | Relation::Stack | Relation::Mirror => true,
            Relation::Backport | Relation::Curated | Relation::Forbidden | Relation::Ignored => false,
        }
    }

    /// Is a merge of the two lines part of the plan, so that a conflict matters?
    pub fn expects_merge(self) -> bool {
        matches!(self, Relation::Track | Relation::Stack)
    }

    /// The word, as in configuration and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Relation::Track => "track",
            Relation::Stack => "stack",
            Relation::Mirror => "mirror",
            Relation::Backport => "backport",
            Relation::Curated => "curated",
            Relation::Forbidden => "forbidden",
            Relation::Ignored => "ignored",
        }
    }
}
