//! Everything about alerts that is kept, and what of it is not on the disk yet.
//!
//! All changes go through here. Each marks the rows that it touched; [`Book::records`] gives them to be kept, and
//! nothing is told before the decision to tell it was kept.

mod kept;
mod letters;
mod told;
mod wished;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use wished::{Posted, Wish};

use super::{
    Alert, Phase, Policy, Silence,
    burn::Ratios,
    evaluate::{Evaluated, Instance, Known, Numbers, Others, Seen, evaluate},
    fingerprint,
    lifecycle::{self, Moved, Result as Seen1},
    mute,
    outbox::{Outgoing, State},
    rule::{Of, Rule},
    unsent::{self, To, Told},
};
use crate::{Severity, Span, Timestamp, record::Record};

/// Alerts that are known at once, at most. Source: ours; an Alertmanager stalls at 30,000 (alertmanager#5087). One more
/// is refused, and that is itself told; none that is known is given up for it (prometheus#12415).
pub const ALERTS_AT_MOST: usize = 50_000;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Alerts by their fingerprint: pending, firing, and such as ended lately.
    alerts: BTreeMap<String, Alert>,
    /// The same by their rule and repository.
    places: BTreeMap<(String, String), BTreeSet<String>>,
    /// Silences by their id, those that are over for a while, too.
    pub silences: BTreeMap<String, Silence>,
    /// Who was told what.
    pub told: BTreeMap<To, Told>,
    /// What is to be told and is not delivered, and dead letters.
    pub outbox: BTreeMap<String, Outgoing>,
    ratios: BTreeMap<String, Ratios>,
    /// What is being delivered, by channel.
    under_way: BTreeMap<String, String>,
    /// When each channel was told lately.
    lately: BTreeMap<String, VecDeque<Timestamp>>,
    changed: BTreeSet<Row>,
    being_kept: BTreeSet<Row>,
    notes: Vec<Record>,
    decide_at: Option<Timestamp>,
    began_at: Timestamp,
    settled_at: Timestamp,
    n_refused: usize,
    n_made: u64,
    /// How often anything changed.
    pub version: u64,
}

/// A row that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Alert(String),
    Silence(String),
    Told(To),
    Outgoing(String),
}
impl Book {
    /// A book with nothing in it, that begins to tell at `now` and the time that the policy gives things to settle.
    pub fn new(policy: &Policy, now: Timestamp) -> Book {
        let settled_at = Timestamp(now.0 + policy.settle.0);
        // Pages that have seen nothing yet are behind from the beginning.
        Book { began_at: now, settled_at, decide_at: Some(settled_at), version: 1, ..Book::default() }
    }
    /// Takes in what was seen of a repository.
    pub fn take_in(&mut self, policy: &Policy, seen: &Seen<'_>) {
        let is_window_open = policy.open_window(seen.path, seen.now).is_some();
        let ratio = seen.readings.iter().find(|reading| reading.metric == WITHIN_BUDGET).map(|reading| reading.value);
        let ratios = self.ratios.entry(seen.path.to_owned()).or_default();
        // What happens in a declared window does not count against the promise.
        ratios.push(seen.now, ratio.filter(|_| !is_window_open));
        let ratios = ratios.clone();
        let seen = Seen { ratios: Some(&ratios), ..*seen };
        let numbers = Numbers::of(&seen, &policy.rules);
        for rule in &policy.rules {
            let place = if rule.is_about_machine() { "" } else { seen.path };
            let is_firing = |fingerprint: &str| self.alerts.get(fingerprint).is_some_and(Alert::is_firing);
            let any = self.places.contains_key(&(rule.name.clone(), place.to_owned()));
            if let Some(evaluated) = evaluate(rule, &seen, &numbers, Known { any, is_firing: &is_firing }) {
                self.apply(policy, rule, place, evaluated, seen.now);
            }
        }
    }

    /// Numbers of the last days of the repository at this path, from before this start.
    pub fn recall_ratios(&mut self, repository: &str, points: impl IntoIterator<Item = (Timestamp, f64)>) {
        let ratios = self.ratios.entry(repository.to_owned()).or_default();
        points.into_iter().for_each(|(at, ratio)| ratios.push(at, Some(ratio)));
    }

    /// Takes in which promises of alignwatch itself are not kept: a stable name and a sentence each.
    pub fn take_in_own(&mut self, policy: &Policy, broken: &[(&str, String)], now: Timestamp) {
        let Some(rule) = policy.rules.iter().find(|rule| rule.of == Of::OwnPromise) else { return };
        let own = self.own_troubles();
        let bad = broken.iter().map(|(name, text)| (*name, text.clone())).chain(own).map(|(name, text)| Instance {
            labels: [("alertname", rule.name.as_str()), ("promise", name)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            severity: Severity::Error,
            value: None,
            summary: text,
            description: rule.why.clone(),
            commands: vec!["alignwatch doctor".to_owned()],
            runbook: String::new(),
        });
        let evaluated = Evaluated { bad: bad.collect(), others: Others::WellBut(BTreeMap::new()) };
        self.apply(policy, rule, "", evaluated, now);
    }

    fn own_troubles(&self) -> Vec<(&'static str, String)> {
        let n_dead = self.outbox.values().filter(|row| matches!(row.state, State::Dead(_))).count();
        let dead = (0 < n_dead)
            .then(|| ("deliver", format!("{n_dead} messages could not be delivered: `alignwatch alert dead`")));
        let full = (0 < self.n_refused)
            .then(|| ("alerts", format!("{} alerts were refused: {ALERTS_AT_MOST} are known already", self.n_refused)));
        dead.into_iter().chain(full).collect()
    }

    fn apply(&mut self, policy: &Policy, rule: &Rule, repository: &str, evaluated: Evaluated, now: Timestamp) {
        let mut bad = BTreeSet::new();
        for instance in evaluated.bad {
            let fingerprint = fingerprint(&instance.labels);
            if bad.insert(fingerprint.clone()) {
                self.is_bad(policy, rule, repository, &fingerprint, instance, now);
            }
        }
        let place = (rule.name.clone(), repository.to_owned());
        let others: Vec<_> =
            self.places.get(&place).into_iter().flatten().filter(|known| !bad.contains(*known)).cloned().collect();
        for fingerprint in others {
            let Some(alert) = self.alerts.get(&fingerprint) else { continue };
            let result = evaluated.others.result(alert);
            self.step(policy, &fingerprint, &result, rule.timing, now);
        }
    }

    fn is_bad(
        &mut self,
        policy: &Policy,
        rule: &Rule,
        repository: &str,
        fingerprint: &str,
        instance: Instance,
        now: Timestamp,
    ) {
        let severity = instance.severity;
        let is_full = ALERTS_AT_MOST <= self.alerts.len();
        match self.alerts.get_mut(fingerprint) {
            Some(alert) => {
                // What it says may have moved on; that alone is nothing to write.
                (alert.summary, alert.description) = (instance.summary, instance.description);
                (alert.commands, alert.runbook, alert.value) = (instance.commands, instance.runbook, instance.value);
            }
            None if is_full => {
                self.n_refused += 1;
                return;
            }
            None => {
                self.put(pending(rule, repository, fingerprint, instance, now));
                self.touch(Row::Alert(fingerprint.to_owned()));
            }
        }
        self.step(policy, fingerprint, &Seen1::Bad(severity), rule.timing, now);
    }

    /// One result of one alert, and what follows from it.
    fn step(&mut self, policy: &Policy, fingerprint: &str, result: &Seen1, timing: super::Timing, now: Timestamp) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let (was, severity) = (alert.clone(), alert.severity);
        let moved = lifecycle::step(alert, result, timing, now);
        mute::outgrown(alert, severity);
        let is_new_doubt = was.in_doubt.is_some() != alert.in_doubt.is_some();
        let counts = 1 < timing.of || was.good_since != alert.good_since || was.bad_since != alert.bad_since;
        match moved {
            Moved::Gone => {
                self.remove(fingerprint);
                return;
            }
            Moved::No if !(is_new_doubt || counts) => return,
            // Somebody has not heard yet that it had ended: for them it never did.
            Moved::Fired if was.phase == Phase::Resolved && self.is_told(&was.id) => {
                if let Some(alert) = self.alerts.get_mut(fingerprint) {
                    (alert.id, alert.starts_at) = (was.id, was.starts_at);
                }
            }
            Moved::Resolved => {
                let held =
                    self.alerts.get(fingerprint).and_then(|alert| unsent::held(self, policy, alert, now)).is_some();
                if let Some(alert) = self.alerts.get_mut(fingerprint) {
                    alert.was_muted = held;
                }
            }
            _ => {}
        }
        if moved != Moved::No {
            self.decide_soon(now);
        }
        self.touch(Row::Alert(fingerprint.to_owned()));
    }

    fn is_told(&self, id: &str) -> bool {
        self.told.values().any(|told| told.firing.contains_key(id))
    }

    fn put(&mut self, alert: Alert) {
        let place = (alert.rule.clone(), alert.repository.clone());
        self.places.entry(place).or_default().insert(alert.fingerprint.clone());
        self.alerts.insert(alert.fingerprint.clone(), alert);
    }

    fn remove(&mut self, fingerprint: &str) {
        let Some(alert) = self.alerts.remove(fingerprint) else { return };
        let place = (alert.rule, alert.repository);
        if let Some(known) = self.places.get_mut(&place) {
            known.remove(fingerprint);
            if known.is_empty() {
                self.places.remove(&place);
            }
        }
        self.touch(Row::Alert(fingerprint.to_owned()));
    }
    /// All alerts: pending, firing, ended lately.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> + Clone {
        self.alerts.values()
    }

    /// Those that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> + Clone {
        self.alerts.values().filter(|alert| alert.is_firing())
    }

    pub(super) fn firing_ids(&self) -> BTreeSet<&str> {
        self.firing().map(|alert| alert.id.as_str()).collect()
    }

    /// The alert with this id or fingerprint.
    pub fn alert(&self, id: &str) -> Option<&Alert> {
        let of_id = || self.alerts.values().find(|alert| alert.id == id);
        self.alerts.get(id).or_else(of_id)
    }

    /// The alert with this id that has ended.
    pub(super) fn ended(&self, id: &str) -> Option<&Alert> {
        self.alerts.values().find(|alert| alert.id == id && alert.phase == Phase::Resolved)
    }

    pub(super) fn was_away_at(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at < self.began_at)
    }

    pub(super) fn is_undelivered(&self, to: &To, id: &str) -> bool {
        let covers =
            |row: &&Outgoing| row.telling.channel == to.channel && row.telling.covers.contains_key(&to.group_key);
        let waiting = self.outbox.values().filter(|row| row.is_waiting()).filter(covers);
        waiting.flat_map(|row| &row.telling.alerts).any(|told| told.alert.id == id && told.alert.is_firing())
    }

    pub(super) fn tellings_of(&self, channel: &str) -> impl Iterator<Item = Timestamp> {
        self.lately.get(channel).into_iter().flatten().copied()
    }

    /// When telling begins after the start.
    pub fn settled_at(&self) -> Timestamp {
        self.settled_at
    }
}

/// The metric by which the promise on alignment is kept.
pub const WITHIN_BUDGET: &str = "alignwatch_within_budget_ratio";
fn pending(rule: &Rule, repository: &str, fingerprint: &str, instance: Instance, now: Timestamp) -> Alert {
    Alert {
        fingerprint: fingerprint.to_owned(),
        id: format!("{fingerprint}-{}", now.0),
        rule: rule.name.clone(),
        repository: repository.to_owned(),
        labels: instance.labels,
        severity: instance.severity,
        summary: instance.summary,
        description: instance.description,
        commands: instance.commands,
        runbook: instance.runbook,
        value: instance.value,
        phase: Phase::Pending,
        in_doubt: None,
        bad_since: None,
        good_since: None,
        starts_at: None,
        ends_at: None,
        seen_at: now,
        history: lifecycle::History::default(),
        is_flapping: false,
        was_muted: false,
        ack: None,
        ends_unless_posted_by: None,
    }
}
