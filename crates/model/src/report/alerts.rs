//! What was alerted on, whether anybody heard of it, and how much of it was noise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::held::{Held, Times};
use crate::{
    Span, Timestamp,
    alert::{
        Alert,
        outbox::{Outgoing, State},
    },
};

/// What ends sooner, and nobody took on, was noise. Source: ours; nobody can have done anything about it by then.
const SHORT: Span = Span::minutes(10);

/// Rules that are listed.
const RULES_LISTED: usize = 20;

/// What was alerted on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertsPart {
    /// Alerts that began to fire in the period.
    pub n_fired: usize,
    /// Alerts that began to fire in the one before.
    pub n_fired_before: usize,
    /// Alerts that fired when the period ended.
    pub n_firing: usize,
    /// Of those that fired, the part that came and went within ten minutes with nobody taking it on, or flapped.
    pub noise_ratio: Option<f64>,
    /// From firing to somebody taking it on, the middle one.
    pub taken_on_after_median_seconds: Option<i64>,
    /// From firing to its end, the middle one.
    pub over_after_median_seconds: Option<i64>,
    /// By rule, the one that fired most first.
    pub rules: Vec<RuleNoise>,
    /// What was told.
    pub messages: Messages,
    /// The alerts that began to fire, the last first, at most 50.
    pub fired: Vec<Fired>,
}

/// An alert of the period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fired {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// How bad it was last.
    pub severity: crate::Severity,
    /// In one sentence.
    pub summary: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `null` while it fires.
    pub until: Option<Timestamp>,
}

/// A rule and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleNoise {
    /// Its name.
    pub rule: String,
    /// How often it fired.
    pub n_fired: usize,
    /// How many of those were noise.
    pub n_noise: usize,
    /// How many somebody took on.
    pub n_taken_on: usize,
    /// For how long one of it fired within the period, added up.
    pub firing_seconds: i64,
}

/// Messages that were decided in the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// All of them.
    pub n_decided: usize,
    /// A channel has it.
    pub n_delivered: usize,
    /// It waits.
    pub n_waiting: usize,
    /// It could not be delivered.
    pub n_dead: usize,
}

/// What was alerted on in the period.
pub(super) fn part(held: &Held, times: &Times) -> AlertsPart {
    let alerts = each_once(&held.alerts);
    let taken_on = taken_on(held);
    let fired: Vec<&Alert> =
        alerts.iter().copied().filter(|alert| alert.starts_at.is_some_and(|at| times.holds(at))).collect();
    let before = alerts.iter().filter(|alert| alert.starts_at.is_some_and(|at| times.held_before(at)));
    let is_firing = |alert: &&&Alert| {
        alert.starts_at.is_some_and(|at| at < times.until) && alert.ends_at.is_none_or(|at| times.until <= at)
    };
    let n_noise = fired.iter().filter(|alert| is_noise(alert, &taken_on)).count();
    let after = |of: &dyn Fn(&Alert) -> Option<Timestamp>| {
        median(fired.iter().filter_map(|alert| Some(of(alert)?.since(alert.starts_at?).0.max(0))).collect())
    };
    AlertsPart {
        n_fired: fired.len(),
        n_fired_before: before.count(),
        n_firing: alerts.iter().filter(is_firing).count(),
        noise_ratio: (!fired.is_empty()).then(|| n_noise as f64 / fired.len() as f64),
        taken_on_after_median_seconds: after(&|alert| taken_on.get(alert.id.as_str()).copied()),
        over_after_median_seconds: after(&|alert| alert.ends_at),
        rules: rules(&alerts, &taken_on, times),
        messages: messages(&held.messages, times),
        fired: listed(&fired),
    }
}

fn listed(fired: &[&Alert]) -> Vec<Fired> {
    /// Source: ours; more is read in the dashboard.
    const AT_MOST: usize = 50;
    let mut fired = fired.to_vec();
    fired.sort_by_key(|alert| std::cmp::Reverse(alert.starts_at));
    let told = |alert: &Alert| Fired {
        id: alert.id.clone(),
        rule: alert.rule.clone(),
        severity: alert.severity,
        summary: alert.summary.clone(),
        from: alert.starts_at.unwrap_or_default(),
        until: alert.ends_at,
    };
    fired.into_iter().take(AT_MOST).map(told).collect()
}

/// Alerts that fired, each once: one that is over is kept in two places for a while.
fn each_once(alerts: &[Alert]) -> Vec<&Alert> {
    let mut known = BTreeSet::new();
    alerts.iter().filter(|alert| alert.starts_at.is_some() && known.insert(alert.id.as_str())).collect()
}

/// When somebody first took an alert on, by its id.
fn taken_on(held: &Held) -> BTreeMap<&str, Timestamp> {
    let mut first = BTreeMap::new();
    for note in held.notes.iter().filter(|note| note.what == "acknowledged") {
        let id = note.of.split(':').next().unwrap_or_default();
        let at = first.entry(id).or_insert(note.at);
        *at = (*at).min(note.at);
    }
    first
}

fn is_noise(alert: &Alert, taken_on: &BTreeMap<&str, Timestamp>) -> bool {
    let lasted = alert.starts_at.zip(alert.ends_at).map(|(from, until)| until.since(from));
    let is_short = lasted.is_some_and(|lasted| lasted < SHORT);
    !taken_on.contains_key(alert.id.as_str()) && (is_short || alert.is_flapping)
}

fn rules(alerts: &[&Alert], taken_on: &BTreeMap<&str, Timestamp>, times: &Times) -> Vec<RuleNoise> {
    let mut rules = BTreeMap::<&str, RuleNoise>::new();
    for alert in alerts {
        let Some(from) = alert.starts_at.filter(|at| *at < times.until) else { continue };
        let until = alert.ends_at.unwrap_or(times.until).min(times.until);
        if until <= times.from {
            continue;
        }
        let rule = rules.entry(&alert.rule).or_default();
        let has_fired = times.holds(from);
        rule.n_fired += usize::from(has_fired);
        rule.n_noise += usize::from(has_fired && is_noise(alert, taken_on));
        rule.n_taken_on += usize::from(taken_on.contains_key(alert.id.as_str()));
        rule.firing_seconds += until.since(from.max(times.from)).0;
    }
    let named = |(name, rule): (&str, RuleNoise)| RuleNoise { rule: name.to_owned(), ..rule };
    let mut rules: Vec<_> = rules.into_iter().map(named).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse((rule.n_fired, rule.firing_seconds)));
    rules.truncate(RULES_LISTED);
    rules
}

fn messages(all: &[Outgoing], times: &Times) -> Messages {
    let mut messages = Messages::default();
    // A report is no message about an alert.
    for row in all.iter().filter(|row| times.holds(row.decided_at) && row.telling.letter.is_none()) {
        messages.n_decided += 1;
        match row.state {
            State::Delivered => messages.n_delivered += 1,
            State::Waiting => messages.n_waiting += 1,
            State::Dead(_) | State::Buried(_) => messages.n_dead += 1,
            State::Superseded(_) => {}
        }
    }
    messages
}

fn median(mut seconds: Vec<i64>) -> Option<i64> {
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).copied()
}
