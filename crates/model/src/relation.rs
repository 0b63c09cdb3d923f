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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Commits the branch may be behind.
    pub behind: Option<u32>,
    /// How long it may have missed something.
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
