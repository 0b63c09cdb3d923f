//! What is expected in tests of rules, and how it is held against what there is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Length;
use crate::{
    Severity, Timestamp,
    alert::{
        Labels, Phase,
        mute::By,
        unsent::{self, Telling},
        world::World,
    },
    notice::NoticeReason,
};

/// What is expected at a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// When.
    pub at: Length,
    /// All alerts that are pending or fire; none = it does not matter.
    #[serde(default)]
    pub alerts: Option<Vec<ExpectedAlert>>,
    /// All that was told since the expectation before, to each channel in this order; none = it does not matter.
    #[serde(default)]
    pub told: Option<Vec<ExpectedTelling>>,
}

/// An alert that is expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlert {
    /// Its rule.
    pub rule: String,
    /// `pending` or `firing`.
    #[serde(default = "firing")]
    pub phase: String,
    /// How bad; none = it does not matter.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// What holds it: cause, window, silence, ack, or nothing; none = it does not matter.
    #[serde(default)]
    pub held: Option<String>,
}

fn firing() -> String {
    "firing".to_owned()
}

/// A message that is expected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedTelling {
    /// The channel.
    pub channel: String,
    /// The rules whose alerts it says to fire, in order of the alphabet.
    #[serde(default)]
    pub firing: Vec<String>,
    /// The rules whose alerts it says to have ended.
    #[serde(default)]
    pub resolved: Vec<String>,
    /// Why it is told now, such as `first`, `repeat` or `escalated`; none = it does not matter.
    #[serde(default)]
    pub reason: Option<NoticeReason>,
    /// The labels that all in it share; none = it does not matter.
    #[serde(default)]
    pub group: Option<Labels>,
}

impl ExpectedTelling {
    fn sorted(mut self) -> ExpectedTelling {
        self.firing.sort();
        self.resolved.sort();
        self
    }

    fn is_met_by(&self, other: &ExpectedTelling) -> bool {
        let are_same = self.channel == other.channel && self.firing == other.firing && self.resolved == other.resolved;
        let is_of_reason = self.reason.is_none() || self.reason == other.reason;
        are_same && is_of_reason && (self.group.is_none() || self.group == other.group)
    }
}

/// A message, as it is compared with those that are expected.
pub(super) fn told_as(telling: &Telling) -> ExpectedTelling {
    let rules = |is_firing: bool| {
        let of = telling.alerts.iter().filter(|told| told.alert.is_firing() == is_firing);
        let mut rules: Vec<String> = of.map(|told| told.alert.rule.clone()).collect();
        rules.sort();
        rules
    };
    ExpectedTelling {
        channel: telling.channel.clone(),
        firing: rules(true),
        resolved: rules(false),
        reason: Some(telling.reason),
        group: Some(telling.group_labels.clone()),
    }
}

impl Expected {
    /// What is not as expected, as sentences.
    pub(super) fn differs(&self, world: &World, told: &[(Timestamp, ExpectedTelling)]) -> Vec<String> {
        let at = crate::config::length_text(self.at.0);
        let mut wrong = Vec::new();
        if let Some(expected) = &self.alerts {
            let (missing, surplus) = unmatched(expected, &alerts(world), ExpectedAlert::is_met_by);
            wrong.extend(missing.iter().map(|alert| format!("at {at}: expected {}", alert.words())));
            wrong.extend(surplus.iter().map(|alert| format!("at {at}: not expected: {}", alert.words())));
        }
        if let Some(expected) = &self.told {
            let expected: Vec<ExpectedTelling> = expected.iter().cloned().map(ExpectedTelling::sorted).collect();
            let all: Vec<ExpectedTelling> = told.iter().map(|(_, telling)| telling.clone()).collect();
            let (missing, surplus) = unmatched(&expected, &all, ExpectedTelling::is_met_by);
            let was_to =
                |telling: &ExpectedTelling| format!("at {at}: {} was to hear {}", telling.channel, telling.words());
            wrong.extend(missing.iter().map(was_to));
            wrong.extend(surplus.iter().map(|telling| {
                format!("at {at}: {} heard {}, which was not expected", telling.channel, telling.words())
            }));
            if missing.is_empty() && surplus.is_empty() {
                wrong.extend(out_of_order(&expected, told).map(|telling| {
                    let (channel, words) = (&telling.channel, telling.words());
                    format!("at {at}: {channel} heard {words} before what stands in front of it")
                }));
            }
        }
        wrong
    }
}

/// Alerts of the world that are pending or fire.
fn alerts(world: &World) -> Vec<ExpectedAlert> {
    let alerts = world.book.alerts().filter(|alert| alert.phase != Phase::Resolved);
    let holding = unsent::Holding::of(&world.book, &world.policy, world.now);
    let shown = alerts.map(|alert| {
        let held = holding.back(alert).map(|mute| match mute.by {
            By::Cause(_) => "cause",
            By::Window(_) => "window",
            By::Silence(_) => "silence",
            By::Ack(_) => "ack",
        });
        ExpectedAlert {
            rule: alert.rule.clone(),
            phase: if alert.is_firing() { "firing" } else { "pending" }.to_owned(),
            severity: Some(alert.severity),
            held: Some(held.unwrap_or("nothing").to_owned()),
        }
    });
    shown.collect()
}

/// Those that are expected and not there, and those that are there and not expected; each counts once.
fn unmatched<T: Clone>(expected: &[T], there: &[T], is_met_by: impl Fn(&T, &T) -> bool) -> (Vec<T>, Vec<T>) {
    let mut surplus = there.to_vec();
    let mut missing = Vec::new();
    for one in expected {
        match surplus.iter().position(|other| is_met_by(one, other)) {
            Some(at) => drop(surplus.remove(at)),
            None => missing.push(one.clone()),
        }
    }
    (missing, surplus)
}

/// The first message that its channel heard before one that stands in front of it. Of one moment, the order does not matter.
fn out_of_order<'a>(
    expected: &'a [ExpectedTelling],
    told: &[(Timestamp, ExpectedTelling)],
) -> Option<&'a ExpectedTelling> {
    let mut left: Vec<&(Timestamp, ExpectedTelling)> = told.iter().collect();
    let mut heard_at: BTreeMap<&str, Timestamp> = BTreeMap::new();
    expected.iter().find(|one| {
        let Some(place) = left.iter().position(|(_, other)| one.is_met_by(other)) else { return false };
        let (at, _) = left.remove(place);
        let before = heard_at.insert(&one.channel, *at);
        before.is_some_and(|before| *at < before)
    })
}

impl ExpectedAlert {
    fn is_met_by(&self, other: &ExpectedAlert) -> bool {
        let is_same = self.rule == other.rule && self.phase == other.phase;
        let is_as_bad = self.severity.is_none() || self.severity == other.severity;
        is_same && is_as_bad && (self.held.is_none() || self.held == other.held)
    }

    fn words(&self) -> String {
        let severity = self.severity.map_or(String::new(), |severity| format!(", {severity}"));
        let held = self.held.as_ref().map_or(String::new(), |held| format!(", held by {held}"));
        format!("{} {}{severity}{held}", self.rule, self.phase)
    }
}

impl ExpectedTelling {
    fn words(&self) -> String {
        let list = |word: &str, rules: &[String]| (!rules.is_empty()).then(|| format!("{word}: {}", rules.join(", ")));
        let parts: Vec<_> =
            [list("firing", &self.firing), list("over", &self.resolved)].into_iter().flatten().collect();
        let words = if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") };
        let reason = self.reason.map_or(String::new(), |reason| format!(" ({})", reason.words()));
        let label = |(name, value): (&String, &String)| format!("{name}={value:?}");
        let group = self.group.iter().flatten().map(label).collect::<Vec<_>>().join(",");
        if group.is_empty() { words + &reason } else { format!("{words}{reason} of {{{group}}}") }
    }
}
