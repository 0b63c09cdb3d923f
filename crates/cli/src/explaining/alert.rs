//! Explains alerts: every decision from the rule to the last attempt to tell somebody.

use alignwatch_daemon::alerts;
use alignwatch_model::alert::{Alert, explain};

use super::{Explanation, Kind, World};
use crate::surroundings;

/// Alerts, by their ids or fingerprints, or the first letters of one.
pub(super) static KIND: Kind = Kind { word: "alert", names, explain: explained };

/// Letters that are enough to look for an alert.
const LETTERS_AT_LEAST: usize = 6;

/// Messages that are looked through. Source: ours; a month of a busy channel.
const MESSAGES_LOOKED_AT: usize = 2_000;

/// Alerts have no names that one could mistype; `alert list` shows them.
fn names(_: &World<'_>) -> Vec<String> {
    Vec::new()
}

fn explained(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let is_id = subject.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_id || subject.len() < LETTERS_AT_LEAST {
        return None;
    }
    let config = &world.around.config;
    let data_dir = crate::configuring::data_dir(config)?;
    let now = surroundings::now();
    let alerting = alerts::alerting(&data_dir, config, now).ok()?;
    let begins = |alert: &&Alert| alert.id.starts_with(subject) || alert.fingerprint.starts_with(subject);
    let known = alerting.book.alerts().find(begins).cloned();
    let alert = known.or_else(|| alerts::past(&data_dir, subject).ok().flatten())?;
    let messages = alerts::messages(&data_dir, MESSAGES_LOOKED_AT).ok()?;
    let chain = explain::chain(&alerting.book, &alerting.policy, &alert, &messages, now);
    let step = |link: &explain::Link| {
        format!("{}: {}{}", link.step, link.said, if link.stops { " (here it stops)" } else { "" })
    };
    let mut explanation = Explanation::of(&KIND, alert.id.clone(), alert.summary.clone());
    explanation.seen = chain.iter().map(step).collect();
    explanation.sources = vec!["the store, as the daemon last kept it".to_owned()];
    explanation.impact = Some(alert.description.clone()).filter(|text| !text.is_empty());
    explanation.commands = alert.commands.clone();
    explanation.related = Some(alert.runbook.clone()).filter(|text| !text.is_empty()).into_iter().collect();
    Some(explanation)
}
