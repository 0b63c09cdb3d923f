//! What alignwatch says of itself: promises that it does not keep, silences that end soon, rules that match nothing.

use serde::{Deserialize, Serialize};

use super::{super::mute::SilenceState, *};
use crate::words::count;

/// How long a refused alert is told of. Source: ours; several sweeps, each of which would be refused again.
const REFUSAL_TOLD_FOR: Span = Span::hours(1);

/// How long before its end a silence is told of. Source: ours; time enough to look and to make it longer.
const SOON: Span = Span::minutes(15);

/// How long a rule may match nothing. Source: ours; a week holds all that happens every week.
const IDLE_AFTER: Span = Span::days(7);

/// How much older the kept time of a match may be than the last one: it is not written at each look.
const MATCH_KEPT_EVERY: Span = Span::days(1);

/// When a rule last had something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// When it was first held against something.
    since: Timestamp,
    /// When there was last a number or check that it is about.
    matched_at: Option<Timestamp>,
}

impl Book {
    /// Takes in which promises of alignwatch itself are not kept, a stable name and a sentence each; and looks for what else
    /// people should know of it.
    pub fn take_in_own(&mut self, policy: &Policy, broken: &[(&str, String)], now: Timestamp) {
        for rule in &policy.rules {
            let found = match rule.of {
                Of::OwnPromise => self.broken_promises(broken, now),
                Of::SilenceEnds => self.silences_that_end_soon(now),
                Of::RuleIdle => self.idle_rules(policy, now),
                _ => continue,
            };
            let bad = found.into_iter().map(|found| found.instance(rule)).collect();
            let evaluated = Evaluated { bad, others: Others::WellBut(BTreeMap::new()), matched: true };
            self.apply(rule, "", evaluated, now);
        }
    }

    /// Since when the rule with this name matches nothing; `None` = it does, or was not watched for long.
    pub fn matches_nothing_since(&self, rule: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.matched.get(rule)?;
        let since = known.matched_at.unwrap_or(known.since);
        (IDLE_AFTER.0 + MATCH_KEPT_EVERY.0 < now.since(since).0).then_some(since)
    }

    pub(super) fn note_match(&mut self, rule: &Rule, matched: bool, now: Timestamp) {
        if !rule.is_own {
            return;
        }
        let is_new = !self.matched.contains_key(&rule.name);
        let known = self.matched.entry(rule.name.clone()).or_insert(Matched { since: now, matched_at: None });
        let is_old = known.matched_at.is_none_or(|at| MATCH_KEPT_EVERY < now.since(at));
        if matched && is_old {
            known.matched_at = Some(now);
        }
        if is_new || matched && is_old {
            self.touch(Row::Rule(rule.name.clone()));
        }
    }

    pub(super) fn broken_promises(&self, broken: &[(&str, String)], now: Timestamp) -> Vec<Found> {
        let n_dead = self.outbox.values().filter(|row| matches!(row.state, State::Dead(_))).count();
        let dead = (0 < n_dead).then(|| {
            let text = format!("{} could not be delivered: `alignwatch alert dead`", count(n_dead, "message"));
            ("deliver", text)
        });
        let refused = self.refused.filter(|(_, last)| now.since(*last) < REFUSAL_TOLD_FOR);
        let full = refused
            .map(|(n, _)| ("alerts", format!("alerts were refused {n} times: {ALERTS_AT_MOST} are known already")));
        let known = broken.iter().map(|(name, text)| (*name, text.clone()));
        known
            .chain(dead)
            .chain(full)
            .map(|(name, text)| Found::new("promise", name, text, "alignwatch doctor"))
            .collect()
    }

    /// Those under which something fires: everybody will be told at once when they end.
    fn silences_that_end_soon(&self, now: Timestamp) -> Vec<Found> {
        let is_soon = |silence: &&Silence| {
            let is_short = silence.ends_at.since(silence.starts_at).0 < 2 * SOON.0;
            silence.state(now) == SilenceState::Active && silence.ends_at.since(now) <= SOON && !is_short
        };
        let found = |silence: &Silence| {
            let n_held = self.firing().filter(|alert| silence.is_about(alert)).count();
            let (who, comment) = (&silence.created_by, &silence.comment);
            let text =
                format!("the silence of {who} ends at {}, and {} under it: {comment}", silence.ends_at, fire(n_held));
            (0 < n_held).then(|| Found::new("silence", &silence.id, text, "alignwatch alert silences"))
        };
        self.silences.values().filter(is_soon).filter_map(found).collect()
    }

    fn idle_rules(&self, policy: &Policy, now: Timestamp) -> Vec<Found> {
        let own = policy.rules.iter().filter(|rule| rule.is_own);
        let found = |rule: &Rule| {
            let since = self.matches_nothing_since(&rule.name, now)?;
            let text = format!("the rule {} has matched nothing since {since}: {}", rule.name, rule.of);
            Some(Found::new("rule", &rule.name, text, "alignwatch rules list"))
        };
        own.filter_map(found).collect()
    }
}

fn fire(n: usize) -> String {
    if n == 1 { "one alert fires".to_owned() } else { format!("{n} alerts fire") }
}

/// Something that people should know of alignwatch itself.
pub(super) struct Found {
    label: (&'static str, String),
    text: String,
    command: &'static str,
}

impl Found {
    fn new(label: &'static str, value: &str, text: String, command: &'static str) -> Found {
        Found { label: (label, value.to_owned()), text, command }
    }

    fn instance(self, rule: &Rule) -> Instance {
        let (label, value) = self.label;
        Instance {
            labels: [("alertname".to_owned(), rule.name.clone()), (label.to_owned(), value)].into(),
            severity: rule.severity.unwrap_or(Severity::Error),
            value: None,
            summary: self.text,
            description: rule.why.clone(),
            commands: vec![self.command.to_owned()],
            runbook: String::new(),
        }
    }
}
