//! Explains alerts: every decision from the rule to the last attempt to tell somebody.

use alignwatch_daemon::alerts;
use alignwatch_model::alert::{Alert, explain};

use super::{Explanation, Kind, World, telling};

/// Alerts, by their ids or fingerprints, or the first letters of one.
pub(super) static KIND: Kind = Kind { word: "alert", names, explain: explained };

/// Letters that are enough to look for an alert.
const LETTERS_AT_LEAST: usize = 6;

/// Alerts have no names that one could mistype; `alert list` shows them.
fn names(_: &World<'_>) -> Vec<String> {
    Vec::new()
}

fn explained(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let is_id = subject.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_id || subject.len() < LETTERS_AT_LEAST {
        return None;
    }
    let known = telling::known(world)?;
    let begins = |alert: &&Alert| alert.id.starts_with(subject) || alert.fingerprint.starts_with(subject);
    let alert = known.alerting.book.alerts().find(begins).cloned();
    let alert = alert.or_else(|| alerts::past(&known.data_dir, subject).ok().flatten())?;
    let (book, policy) = (&known.alerting.book, &known.alerting.policy);
    let mut chain = match world.at {
        Some(at) if at < known.now => explain::chain_at(book, policy, &alert, &known.messages, at),
        _ => explain::chain(book, policy, &alert, &known.messages, known.now),
    };
    if let Some(channel) = world.to {
        chain.retain(|link| link.is_about(channel));
        if !chain.iter().any(|link| link.to.is_some()) {
            chain.push(
                explain::stop("route", format!("no route leads from it to {channel}, as far as is known")).to(channel),
            );
        }
    }
    let mut explanation = Explanation::of(&KIND, alert.id.clone(), alert.summary.clone());
    explanation.seen = telling::lines(&chain);
    explanation.sources = telling::sources();
    explanation.impact = Some(alert.description.clone()).filter(|text| !text.is_empty());
    explanation.commands = alert.commands.clone();
    explanation.related = Some(alert.runbook.clone()).filter(|text| !text.is_empty()).into_iter().collect();
    Some(explanation)
}
