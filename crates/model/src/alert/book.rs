//! Everything about alerts that is kept, and what of it is not on the disk yet.
//!
//! All changes go through here. Each marks the rows that it touched; [`Book::records`] gives them to be kept, and
//! nothing is told before the decision to tell it was kept.

mod canaries;
mod kept;
mod letters;
mod own;
#[cfg(test)]
mod tests;
mod told;
mod wished;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use wished::{Posted, Wish};

use super::{
    Alert, Labels, Phase, Policy, Silence,
    burn::{Budgets, Good},
    canary::Canary,
    doubt::{self, Doubts, Here, Other},
    evaluate::{Evaluated, Instance, Known, Numbers, Others, Seen, evaluate},
    fingerprint,
    lifecycle::{self, Moved, Result as Seen1},
    mute,
    outbox::{self, Outgoing, State},
    own::{Broken, Heartbeat},
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
    /// What became of the scheduled tests, by channel.
    pub canaries: BTreeMap<String, Canary>,
    /// What became of the heartbeat.
    pub heartbeat: Heartbeat,
    /// The promises of alignwatch itself that were not kept when that was last looked at; `None` = it was not yet.
    pub broken: Option<Vec<Broken>>,
    budgets: Budgets,
    /// What is known of our own network and clock.
    doubts: Doubts,
    /// When rules of the configuration last had something to look at, by name.
    matched: BTreeMap<String, own::Matched>,
    /// What is being delivered, by channel.
    under_way: BTreeMap<String, String>,
    /// Since when each channel takes nothing that is tried.
    failing: BTreeMap<String, Timestamp>,
    /// What became of attempts since this start, by channel.
    tallies: BTreeMap<String, Tally>,
    /// When each channel was told lately.
    lately: BTreeMap<String, VecDeque<Timestamp>>,
    changed: BTreeSet<Row>,
    being_kept: BTreeSet<Row>,
    notes: Vec<Record>,
    notes_being_kept: Vec<Record>,
    /// How things were before what somebody wanted, which is not on the disk yet.
    wished: Vec<wished::Before>,
    wishes_being_kept: Vec<wished::Before>,
    being_kept_at: Timestamp,
    /// What was hidden when it was last decided, by fingerprint.
    held: BTreeSet<String>,
    decide_at: Option<Timestamp>,
    began_at: Timestamp,
    settled_at: Timestamp,
    /// Alerts that were refused for want of room, and when the last one was.
    refused: Option<(usize, Timestamp)>,
    n_made: u64,
    /// How often anything changed.
    pub version: u64,
}

/// What became of attempts to deliver to one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub n_attempts: u64,
    /// Those that failed, by reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// Those that arrived.
    pub n_delivered: u64,
    /// How long those took since it was decided to tell them, together.
    pub waited: Span,
}

/// A row that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Alert(String),
    Silence(String),
    Told(To),
    Outgoing(String),
    Rule(String),
    Canary(String),
    Heartbeat,
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
        for (host, answered) in seen.hosts {
            self.doubts.called(Other::Host(host.clone()), *answered, seen.now);
        }
        let doubts = self.doubts.here(seen.judged.unwrap_or_default(), seen.now);
        let numbers = Numbers::of(seen, &policy.rules);
        self.take_in_budgets(policy, seen, &numbers, &doubts);
        for rule in &policy.rules {
            let is_firing = |fingerprint: &str| self.alerts.get(fingerprint).is_some_and(Alert::is_firing);
            // An alert about the machine may have been found at the look at another repository.
            let any = rule.is_about_machine() || self.places.contains_key(&(rule.name.clone(), seen.path.to_owned()));
            let known = Known { any, budgets: &self.budgets, doubts: &doubts, is_firing: &is_firing };
            if let Some(evaluated) = evaluate(rule, seen, &numbers, known) {
                self.note_match(rule, evaluated.matched, seen.now);
                self.apply(rule, seen.path, evaluated, seen.now);
            }
        }
    }

    fn take_in_budgets(&mut self, policy: &Policy, seen: &Seen<'_>, numbers: &Numbers<'_>, doubts: &Here) {
        let goods: BTreeMap<String, &Good> = policy.goods().map(|good| (good.to_string(), good)).collect();
        self.budgets.keep_only(&goods.keys().cloned().collect());
        // What happens in a declared window does not count against the promise, nor what a wrong clock says.
        let counts = policy.open_window(seen.path, seen.now).is_none() && !doubts.is_of_clock();
        for good in goods.into_values() {
            self.budgets.take_in(good, numbers.of_metric(good.metric()), seen.path, counts, seen.now);
        }
    }

    /// Numbers of the last days of a series that a promise is made of, from before this start.
    pub fn recall_budget(
        &mut self,
        policy: &Policy,
        good: &Good,
        labels: Labels,
        points: impl IntoIterator<Item = (Timestamp, f64)>,
    ) {
        let path = labels.get("repository").cloned().unwrap_or_default();
        let counts = |at| policy.open_window(&path, at).is_none();
        let points = points.into_iter().map(|(at, value)| (at, counts(at).then_some(value)));
        self.budgets.recall(good, labels, points);
    }

    fn apply(&mut self, rule: &Rule, repository: &str, evaluated: Evaluated, now: Timestamp) {
        let mut bad = BTreeSet::new();
        for instance in evaluated.bad {
            let fingerprint = fingerprint(&instance.labels);
            if bad.insert(fingerprint.clone()) {
                self.is_bad(rule, repository, &fingerprint, instance, now);
            }
        }
        let place = (rule.name.clone(), repository.to_owned());
        let others: Vec<_> =
            self.places.get(&place).into_iter().flatten().filter(|known| !bad.contains(*known)).cloned().collect();
        for fingerprint in others {
            let Some(alert) = self.alerts.get(&fingerprint) else { continue };
            let result = evaluated.others.result(alert);
            self.step(&fingerprint, &result, rule.timing, now);
        }
    }

    fn is_bad(&mut self, rule: &Rule, repository: &str, fingerprint: &str, instance: Instance, now: Timestamp) {
        let severity = instance.severity;
        let is_full = ALERTS_AT_MOST <= self.alerts.len();
        if self.alerts.get(fingerprint).is_some_and(|alert| alert.repository != repository) {
            // Found here last: here it is well when it is not found any more.
            let alert = self.take(fingerprint).map(|alert| Alert { repository: repository.to_owned(), ..alert });
            alert.into_iter().for_each(|alert| self.put(alert));
        }
        match self.alerts.get_mut(fingerprint) {
            Some(alert) => {
                // What it says may have moved on; that alone is nothing to write.
                (alert.summary, alert.description) = (instance.summary, instance.description);
                (alert.commands, alert.runbook, alert.value) = (instance.commands, instance.runbook, instance.value);
                alert.annotations.clone_from(&rule.annotations);
            }
            None if is_full => {
                self.refuse(now);
                return;
            }
            None => {
                self.put(pending(rule, repository, fingerprint, instance, now));
                self.touch(Row::Alert(fingerprint.to_owned()));
            }
        }
        self.step(fingerprint, &Seen1::Bad(severity), rule.timing, now);
    }

    /// One result of one alert, and what follows from it.
    fn step(&mut self, fingerprint: &str, result: &Seen1, timing: super::Timing, now: Timestamp) -> Moved {
        if matches!(result, Seen1::Bad(_)) {
            self.unsay_end(fingerprint);
        }
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return Moved::No };
        let (was, severity) = (alert.clone(), alert.severity);
        let moved = lifecycle::step(alert, result, timing, now);
        mute::outgrown(alert, severity);
        let is_new_doubt = was.in_doubt.is_some() != alert.in_doubt.is_some();
        let counts = 1 < timing.of || was.good_since != alert.good_since || was.bad_since != alert.bad_since;
        match moved {
            Moved::Gone => {
                self.remove(fingerprint);
                return moved;
            }
            Moved::No if !(is_new_doubt || counts) => return moved,
            Moved::Resolved => {
                let was_held = self.held.contains(fingerprint);
                if let Some(alert) = self.alerts.get_mut(fingerprint) {
                    alert.was_muted = was_held;
                }
            }
            _ => {}
        }
        if moved != Moved::No {
            self.decide_soon(now);
        }
        self.touch(Row::Alert(fingerprint.to_owned()));
        moved
    }

    /// For those who have not heard yet that it had ended, an alert that is bad again never did.
    fn unsay_end(&mut self, fingerprint: &str) {
        let ended = self.alerts.get(fingerprint).filter(|alert| alert.phase == Phase::Resolved);
        if !ended.is_some_and(|alert| self.told.values().any(|told| told.firing.contains_key(&alert.id))) {
            return;
        }
        if let Some(alert) = self.alerts.get_mut(fingerprint) {
            (alert.phase, alert.ends_at, alert.good_since, alert.was_muted) = (Phase::Firing, None, None, false);
        }
        self.touch(Row::Alert(fingerprint.to_owned()));
    }

    fn refuse(&mut self, now: Timestamp) {
        let n_before = self.refused.map_or(0, |(n, _)| n);
        self.refused = Some((n_before + 1, now));
    }

    fn put(&mut self, alert: Alert) {
        // What others posted ends when they say so: no rule of ours looks for it.
        if !alert.is_foreign() {
            let place = (alert.rule.clone(), alert.repository.clone());
            self.places.entry(place).or_default().insert(alert.fingerprint.clone());
        }
        self.alerts.insert(alert.fingerprint.clone(), alert);
    }

    fn take(&mut self, fingerprint: &str) -> Option<Alert> {
        let alert = self.alerts.remove(fingerprint)?;
        let place = (alert.rule.clone(), alert.repository.clone());
        if let Some(known) = self.places.get_mut(&place) {
            known.remove(fingerprint);
            if known.is_empty() {
                self.places.remove(&place);
            }
        }
        Some(alert)
    }

    fn remove(&mut self, fingerprint: &str) {
        if self.take(fingerprint).is_some() {
            self.touch(Row::Alert(fingerprint.to_owned()));
        }
    }

    /// The clock was set back by so much, to `now`: nothing may wait for the times that it gave before.
    pub fn follow_the_clock(&mut self, by: Span, now: Timestamp) {
        self.doubts.set_back(by, now);
        self.nothing_after(now);
        self.decide_at = Some(now);
        for at in [&mut self.began_at, &mut self.settled_at] {
            *at = (*at).min(now);
        }
    }

    /// What was kept by a clock that was ahead happened now at the latest.
    fn nothing_after(&mut self, now: Timestamp) {
        let late = |at: &mut Timestamp| *at = (*at).min(now);
        let late_if = |at: &mut Option<Timestamp>| *at = at.map(|at| at.min(now));
        for alert in self.alerts.values_mut() {
            let times = [&mut alert.bad_since, &mut alert.good_since, &mut alert.starts_at, &mut alert.ends_at];
            times.into_iter().for_each(late_if);
            late(&mut alert.seen_at);
        }
        self.told.values_mut().for_each(|told| late(&mut told.at));
        self.lately.values_mut().flatten().for_each(late);
        for row in self.outbox.values_mut() {
            late(&mut row.decided_at);
            if outbox::LONGEST_WAIT < row.next_at.since(now) {
                row.next_at = now;
            }
        }
        self.budgets.forget_after(now);
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
        let open = self.outbox.values().filter(|row| row.is_open()).filter(covers);
        open.flat_map(|row| &row.telling.alerts).any(|told| told.alert.id == id && told.alert.is_firing())
    }

    pub(super) fn tellings_of(&self, channel: &str) -> impl Iterator<Item = Timestamp> {
        self.lately.get(channel).into_iter().flatten().copied()
    }

    /// The same for somebody who only reads it, and did not just begin to tell.
    pub fn only_read(self) -> Book {
        Book { settled_at: self.began_at, ..self }
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
        annotations: rule.annotations.clone(),
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
