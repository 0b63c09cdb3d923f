//! Explains rules of alerts: what one looks for, what it found, and why it does not fire.

use alignwatch_model::alert::{Policy, explain};

use super::{Explanation, Kind, World, telling};

/// Rules by their names; `rule:` before it where something else has the same name.
pub(super) static KIND: Kind = Kind { word: "rule", names, explain: explained };

const PREFIX: &str = "rule:";

fn names(world: &World<'_>) -> Vec<String> {
    Policy::of(&world.around.config).rules.into_iter().map(|rule| format!("{PREFIX}{}", rule.name)).collect()
}

fn explained(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let policy = Policy::of(&world.around.config);
    let rule = policy.rule(subject.strip_prefix(PREFIX).unwrap_or(subject))?;
    let mut told = Explanation::of(&KIND, format!("{PREFIX}{}", rule.name), format!("{}: {}", rule.name, rule.why));
    match telling::known(world) {
        None => {
            told.seen.push("nothing is known of alerts: no daemon ever ran here, or its store can't be read".into())
        }
        Some(known) => {
            told.seen = telling::lines(&explain::of_rule_now(&known.alerting.book, &policy, rule, known.now));
        }
    }
    told.sources = telling::sources();
    told.commands = vec![format!("alignwatch rules backtest {}", rule.name)];
    told.related = vec!["alignwatch rules list; docs/OPERATING.md#alerts".to_owned()];
    Some(told)
}
