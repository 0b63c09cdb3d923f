//! Mistakes between values that are each fine alone.

use std::collections::HashMap;

use super::{
    Config, Front, Patterns, RelationRule,
    pattern::{is_name, wider_texts},
};

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
    let mut found = never_applying(&config.relations);
    for (index, rule) in config.relations.iter().enumerate() {
        found.extend(budget_without_meaning(index, rule));
        found.extend(measured_against_itself(index, rule));
    }
    found.extend(skipped_and_only(config));
    found.extend(open_to_others(config));
    found.extend(super::gate::mistakes(config));
    found.extend(super::workflows::mistakes(config));
    found.extend(super::windows::mistakes(config));
    found.extend(super::upkeep::mistakes(config));
    found.extend(super::channels::mistakes(config));
    found.extend(super::calendars::mistakes(config));
    found.extend(super::on_call::mistakes(config));
    found.extend(super::alerting::mistakes(config));
    found.extend(super::reports::mistakes(config));
    found.extend(super::heartbeat::mistakes(config));
    found.extend(super::webhooks::mistakes(config));
    found
}

/// On an address that others reach, tokens must not travel in the clear.
fn open_to_others(config: &Config) -> Option<Mistake> {
    let is_own = config.serve.address.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    (!is_own && config.serve.front == Front::Nothing).then(|| Mistake {
        path: "serve.address".to_owned(),
        problem: "others can reach this address, and what they send would travel in the clear".to_owned(),
        fix: "put a proxy that speaks TLS in front of it and write `front: tls_proxy`, or take the address out"
            .to_owned(),
        also_at: None,
    })
}

/// A pattern by its rule and its place in it.
type PatternAt = (usize, usize);

/// The first rule that matches wins, so that a pattern that an earlier rule takes whole is dead.
///
/// A rule for some repositories takes nothing from one that is about others, too.
///
/// Linear in the number of patterns but for the matching itself, and for rules that say the same of different
/// repositories: a thousand rules are looked at in no time.
fn never_applying(rules: &[RelationRule]) -> Vec<Mistake> {
    let patterns: Vec<(PatternAt, &str)> = rules.iter().enumerate().flat_map(patterns_of).collect();
    let mut all_at: HashMap<&str, Vec<PatternAt>> = HashMap::new();
    for (at, pattern) in &patterns {
        all_at.entry(pattern).or_default().push(*at);
    }
    // A pattern that cannot be read was told before and takes nothing.
    let all = Patterns::new(patterns.iter().map(|(_, pattern)| *pattern)).ok();
    let mut dead = Vec::new();
    for &((rule, at), pattern) in &patterns {
        let by_text = wider_texts(pattern).filter_map(|wider| all_at.get(wider.as_str())).flatten().copied();
        let by_match = all.iter().filter(|_| is_name(pattern)).flat_map(|all| all.matching(pattern));
        let takers = by_text.chain(by_match.map(|index| patterns[index].0));
        let is_taken = |(number, _): &PatternAt| *number < rule && rules[*number].is_about_all_of(&rules[rule]);
        if let Some(taker) = takers.filter(is_taken).min() {
            dead.push(never_applies((rule, at), pattern, taker, &rules[taker.0].branches[taker.1]));
        }
    }
    dead
}

fn patterns_of((rule, content): (usize, &RelationRule)) -> impl Iterator<Item = (PatternAt, &str)> {
    content.branches.iter().enumerate().map(move |(at, pattern)| ((rule, at), pattern.as_str()))
}

fn never_applies((rule, at): PatternAt, pattern: &str, (number, taker): PatternAt, takes: &str) -> Mistake {
    Mistake {
        path: format!("relations[{rule}].branches[{at}]"),
        problem: format!("`{pattern}` never applies here: an earlier rule takes `{takes}`"),
        fix: "put this rule before that one, or take the pattern out of one of them".to_owned(),
        also_at: Some(format!("relations[{number}].branches[{taker}]")),
    }
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
