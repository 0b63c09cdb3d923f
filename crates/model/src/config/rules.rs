//! Mistakes between values that are each fine alone.

use super::{Config, RelationRule, pattern::covers};

/// Values that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The value that should change, as a path.
    pub path: String,
    /// What is wrong, as a sentence part.
    pub problem: String,
    /// What to do.
    pub fix: String,
    /// The other value, as a path.
    pub also_at: Option<String>,
}

/// All values that do not go together.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut found = Vec::new();
    for (index, rule) in config.relations.iter().enumerate() {
        found.extend(never_applies(&config.relations[..index], index, rule));
        found.extend(budget_without_meaning(index, rule));
        found.extend(measured_against_itself(index, rule));
    }
    found.extend(skipped_and_only(config));
    found
}

/// The first rule that matches wins, so a pattern that an earlier rule takes whole is dead.
fn never_applies<'a>(
    earlier: &'a [RelationRule],
    index: usize,
    rule: &'a RelationRule,
) -> impl Iterator<Item = Mistake> + use<'a> {
    rule.branches.iter().enumerate().filter_map(move |(at, pattern)| {
        let winner = earlier.iter().enumerate().find_map(|(number, other)| {
            let taker = other.branches.iter().position(|other| covers(other, pattern))?;
            Some((number, taker))
        });
        let (number, taker) = winner?;
        Some(Mistake {
            path: format!("relations[{index}].branches[{at}]"),
            problem: format!(
                "`{pattern}` never applies here: an earlier rule takes `{}`",
                earlier[number].branches[taker]
            ),
            fix: "put this rule before that one, or take the pattern out of one of them".to_owned(),
            also_at: Some(format!("relations[{number}].branches[{taker}]")),
        })
    })
}

fn budget_without_meaning(index: usize, rule: &RelationRule) -> Option<Mistake> {
    if rule.budget.is_none() || rule.relation.has_budget() {
        return None;
    }
    let word = rule.relation.word();
    Some(Mistake {
        path: format!("relations[{index}].budget"),
        problem: format!("a budget means nothing for the relation `{word}`: drift is not held against it"),
        fix: "leave the budget out, or write `relation: track`".to_owned(),
        also_at: None,
    })
}

fn measured_against_itself(index: usize, rule: &RelationRule) -> Option<Mistake> {
    let base = rule.base.as_ref()?;
    rule.branches.contains(base).then(|| Mistake {
        path: format!("relations[{index}].base"),
        problem: format!("`{base}` would be measured against itself"),
        fix: "name another base, or take the branch out of the rule".to_owned(),
        also_at: None,
    })
}

fn skipped_and_only(config: &Config) -> Vec<Mistake> {
    let both = config.checks.skip.iter().enumerate().filter(|(_, id)| config.checks.only.contains(id));
    let mistake = |(at, id): (usize, &String)| Mistake {
        path: format!("checks.skip[{at}]"),
        problem: format!("`{id}` is listed in `checks.only`, too"),
        fix: "take it out of one of the lists".to_owned(),
        also_at: None,
    };
    both.map(mistake).collect()
}
