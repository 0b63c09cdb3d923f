//! The configuration: typed, each key with its meaning, unit, range, default and reason.

use std::collections::BTreeMap;

use crate::{Relation, relation::Budget};

/// The configuration in force.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Numbers that checks compare with, by check id, where they differ from the default.
    pub thresholds: BTreeMap<String, i64>,
    /// Which refs are branches.
    pub refs: Refs,
    /// Primary lines; empty = find them.
    pub bases: Vec<String>,
    /// Relations by pattern, first match wins.
    pub relations: Vec<RelationRule>,
    /// The budget of branches that no rule gives one.
    pub budget: Budget,
}

/// Which refs are branches.
#[derive(Clone, Debug)]
pub struct Refs {
    /// Prefixes of full ref names that hold branches.
    pub spaces: Vec<String>,
    /// Patterns of full or short names that are no branches.
    pub exclude: Vec<String>,
}

/// A relation for the branches that match.
#[derive(Clone, Debug)]
pub struct RelationRule {
    /// Patterns of short or full branch names.
    pub branches: Vec<String>,
    /// The base, by short or full name; none = the nearest primary line.
    pub base: Option<String>,
    /// The policy.
    pub relation: Relation,
    /// The budget, where it differs.
    pub budget: Option<Budget>,
}

impl Default for Refs {
    fn default() -> Refs {
        Refs { spaces: vec!["refs/heads/".into(), "refs/remotes/".into()], exclude: Vec::new() }
    }
}
