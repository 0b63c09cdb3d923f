//! Why a rule fires, or does not.

use super::{Book, Link, Phase, Policy, link, of_phase};
use crate::{Timestamp, alert::rule::Rule};

/// What this rule looks for, and what it found.
pub fn of_rule_now(book: &Book, policy: &Policy, rule: &Rule, now: Timestamp) -> Vec<Link> {
    let whose = if rule.is_own { "of the configuration" } else { "built in" };
    let mut links = vec![link("rule", format!("{} ({whose}) looks for {}: {}", rule.name, rule.looks_for(), rule.why))];
    let idle = book.matches_nothing_since(&rule.name, now);
    links.extend(idle.map(|since| link("idle", format!("it matches nothing since {since}"))));
    links.extend(book.doubts_told().of_rule(rule).map(|reason| link("doubt", reason)));
    let found = book.alerts().filter(|alert| alert.rule == rule.name && alert.phase != Phase::Resolved);
    let found: Vec<Link> = found
        .map(|alert| {
            let phase = of_phase(policy, alert, now);
            link(phase.step, format!("{} ({}): {}", alert.id, alert.summary, phase.said))
        })
        .collect();
    if found.is_empty() {
        links.push(link("firing", "nothing that it looks for is bad now, or nothing can be seen of it"));
    }
    links.extend(found);
    links
}
