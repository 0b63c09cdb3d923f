//! Everything about alerts that is kept, and what of it is not on the disk yet.
//!
//! All changes go through here. Each marks the rows that it touched; [`Book::records`] gives them to be kept, and
//! nothing is told before the decision to tell it was kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Ack, Alert, Labels, Phase, Policy, Silence,
    burn::Ratios,
    evaluate::{Evaluated, Instance, Known, Numbers, Seen, evaluate},
    fingerprint,
    lifecycle::{self, Moved, Result as Seen1},
    mute::{self, SilenceState},
    outbox::{Outcome, Outgoing, State},
    rule::{Of, Rule},
    unsent::{self, Telling, TellingAlert, To, Told},
};
use crate::{
    Severity, Span, Timestamp,
    record::{Record, RecordKind},
};

/// Alerts that are known at once, at most. Source: ours; an Alertmanager stalls at 30,000 (alertmanager#5087). One more
/// is refused, and that is itself told; none that is known is given up for it (prometheus#12415).
pub const ALERTS_AT_MOST: usize = 50_000;

/// Silences that are not over, at most.
pub const SILENCES_AT_MOST: usize = 5_000;

/// How long one that is over is remembered, so that coming and going is seen.
const RESOLVED_KEPT: Span = Span::days(1);

/// Deliveries under way at once, each to another channel.
const DELIVERIES_AT_MOST: usize = 8;

/// What an alert of somebody else lasts unless it is posted again. Source: Alertmanager, `resolve_timeout`.
const POSTED_LASTS: Span = Span::minutes(5);

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

/// What somebody wants done about alerts.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// A silence, under an id that its maker chose.
    Silence {
        /// All of it.
        silence: Silence,
        /// The id of the one whose place it takes.
        instead_of: Option<String>,
    },
    /// End a silence.
    Unsilence {
        /// Its id.
        id: String,
        /// Who wants that.
        who: String,
    },
    /// Somebody cares for an alert.
    Ack {
        /// The id or fingerprint of the alert.
        alert: String,
        /// Who, and how long.
        ack: Ack,
    },
    /// Nobody cares for it any more.
    Unack {
        /// The id or fingerprint of the alert.
        alert: String,
        /// Who says so.
        who: String,
    },
    /// Try a dead letter again.
    Retry {
        /// The key of it.
        key: String,
        /// Who wants that.
        who: String,
    },
    /// Alerts of somebody else, such as a Prometheus.
    Post(Vec<Posted>),
}

/// An alert of somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its labels; `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended or will be taken to have.
    pub ends_at: Option<Timestamp>,
    /// Where it comes from.
    pub generator: String,
}

impl Book {
    /// A book with nothing in it, that begins to tell at `now` and the time that the policy gives things to settle.
    pub fn new(policy: &Policy, now: Timestamp) -> Book {
        let settled_at = Timestamp(now.0 + policy.settle.0);
        Book { began_at: now, settled_at, decide_at: Some(settled_at), ..Book::default() }
    }

    /// The book that these records are, as they were last kept. A record that can't be read is left out and named.
    pub fn of_records(records: &[Record], policy: &Policy, now: Timestamp) -> (Book, Vec<String>) {
        let mut book = Book::new(policy, now);
        let mut bad = Vec::new();
        for record in records {
            if let Err(reason) = book.recall(record) {
                bad.push(format!("{} {}: {reason}", record.kind.word(), record.key));
            }
        }
        book.end_what_no_rule_finds(policy, now);
        (book, bad)
    }

    fn recall(&mut self, record: &Record) -> Result<(), String> {
        let Some(document) = &record.document else { return Ok(()) };
        match record.kind {
            RecordKind::Alert => {
                let alert: Alert = read(document)?;
                self.put(alert);
            }
            RecordKind::Silence => {
                let silence: Silence = read(document)?;
                self.silences.insert(silence.id.clone(), silence);
            }
            RecordKind::Told => {
                let (to, told): (To, Told) = read(document)?;
                self.lately.entry(to.channel.clone()).or_default().push_back(told.at);
                self.told.insert(to, told);
            }
            RecordKind::Outgoing => {
                let row: Outgoing = read(document)?;
                self.outbox.insert(row.key.clone(), row);
            }
            RecordKind::Audit => {}
        }
        Ok(())
    }

    /// A rule that was taken out finds nothing any more: what it found is over.
    fn end_what_no_rule_finds(&mut self, policy: &Policy, now: Timestamp) {
        let is_orphan = |alert: &Alert| {
            alert.phase != Phase::Resolved
                && alert.ends_unless_posted_by.is_none()
                && policy.rule(&alert.rule).is_none()
        };
        let orphans: Vec<_> =
            self.alerts.values().filter(|alert| is_orphan(alert)).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in orphans {
            let Some(alert) = self.alerts.get_mut(&fingerprint) else { continue };
            if alert.phase == Phase::Pending {
                self.remove(&fingerprint);
                continue;
            }
            (alert.phase, alert.ends_at) = (Phase::Resolved, Some(now));
            alert.summary.push_str(" (its rule was taken out)");
            self.touch(Row::Alert(fingerprint));
        }
    }

    // What is seen.

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
        let evaluated = Evaluated { bad: bad.collect(), others: super::evaluate::Others::WellBut(BTreeMap::new()) };
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

    // What is wanted.

    /// Does what somebody wants. Errors: why it can't be done, and what can.
    pub fn wish(&mut self, policy: &Policy, wish: Wish, now: Timestamp) -> Result<(), String> {
        match wish {
            Wish::Silence { silence, instead_of } => self.silence(policy, silence, instead_of.as_deref(), now),
            Wish::Unsilence { id, who } => self.end_silence(&id, &who, now),
            Wish::Ack { alert, ack } => {
                if ack.who.trim().is_empty() {
                    return Err("who cares for it? Say a name".to_owned());
                }
                let who = ack.who.clone();
                self.set_ack(&alert, Some(ack), now).inspect(|()| self.note_of(&who, "acknowledged", &alert, now))
            }
            Wish::Unack { alert, who } => {
                let done = self.set_ack(&alert, None, now);
                done.inspect(|()| self.note_of(&who, "took back an acknowledgement", &alert, now))
            }
            Wish::Retry { key, who } => {
                let row = self.outbox.get_mut(&key).filter(|row| matches!(row.state, State::Dead(_)));
                row.ok_or_else(|| format!("there is no dead letter {key}"))?.revive(now);
                self.touch(Row::Outgoing(key.clone()));
                self.note(&who, "tries a dead letter again", &key, now);
                Ok(())
            }
            Wish::Post(posted) => posted.into_iter().try_for_each(|posted| self.post(posted, now)),
        }
        .inspect(|()| self.decide_soon(now))
    }

    fn silence(
        &mut self,
        policy: &Policy,
        silence: Silence,
        instead_of: Option<&str>,
        now: Timestamp,
    ) -> Result<(), String> {
        silence.check(policy.silence_at_most, now)?;
        match instead_of {
            Some(old) if old != silence.id => self.end_silence(old, &silence.created_by, now)?,
            Some(old) if !self.silences.contains_key(old) => return Err(format!("there is no silence {old}")),
            _ => {}
        }
        let n_live = self.silences.values().filter(|silence| silence.state(now) != SilenceState::Expired).count();
        if SILENCES_AT_MOST <= n_live {
            return Err(format!("there are {n_live} silences already: end some"));
        }
        let (id, who) = (silence.id.clone(), silence.created_by.clone());
        self.silences.insert(id.clone(), Silence { updated_at: now, ..silence });
        self.touch(Row::Silence(id.clone()));
        self.note(&who, "silenced", &id, now);
        Ok(())
    }

    fn end_silence(&mut self, id: &str, who: &str, now: Timestamp) -> Result<(), String> {
        let silence = self.silences.get_mut(id).ok_or_else(|| format!("there is no silence {id}"))?;
        silence.ends_at = silence.ends_at.min(now);
        silence.starts_at = silence.starts_at.min(silence.ends_at);
        silence.updated_at = now;
        self.touch(Row::Silence(id.to_owned()));
        self.note(who, "ended a silence", id, now);
        Ok(())
    }

    fn set_ack(&mut self, alert: &str, ack: Option<Ack>, now: Timestamp) -> Result<(), String> {
        let found = self.alert(alert).filter(|alert| alert.is_firing()).map(|alert| alert.fingerprint.clone());
        let fingerprint =
            found.ok_or_else(|| format!("no alert {alert} fires: `alignwatch alert list` shows those that do"))?;
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.ack = ack.map(|ack| Ack { at: now, ..ack });
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }

    fn post(&mut self, posted: Posted, now: Timestamp) -> Result<(), String> {
        let Some(name) = posted.labels.get("alertname").filter(|name| !name.is_empty()) else {
            return Err("an alert needs the label `alertname`".to_owned());
        };
        let ends_by = posted.ends_at.unwrap_or(Timestamp(now.0 + POSTED_LASTS.0));
        let mut labels = posted.labels.clone();
        let severity = labels.remove("severity").map_or(Severity::Warning, |word| severity_of(&word));
        let fingerprint = fingerprint(&labels);
        let text = |name: &str| posted.annotations.get(name).cloned().unwrap_or_default();
        let known = self.alerts.get(&fingerprint);
        if known.is_none() && ALERTS_AT_MOST <= self.alerts.len() {
            self.n_refused += 1;
            return Err(format!("{ALERTS_AT_MOST} alerts are known already"));
        }
        let mut alert = known.cloned().unwrap_or_else(|| {
            let instance = Instance {
                labels: labels.clone(),
                severity,
                value: None,
                summary: name.clone(),
                description: String::new(),
                commands: Vec::new(),
                runbook: String::new(),
            };
            pending(&foreign(name), "", &fingerprint, instance, now)
        });
        let summary = [text("summary"), text("description")].into_iter().find(|text| !text.is_empty());
        alert.summary = summary.unwrap_or_else(|| name.clone());
        (alert.description, alert.runbook) = (text("description"), text("runbook_url"));
        alert.ends_unless_posted_by = Some(ends_by);
        let is_over = ends_by <= now;
        let result = if is_over { Seen1::Good } else { Seen1::Bad(severity) };
        let moved = lifecycle::step(&mut alert, &result, super::Timing::default(), now);
        if let (Moved::Fired, Some(at)) = (moved, posted.starts_at) {
            alert.starts_at = Some(at.min(now));
        }
        if is_over && moved == Moved::Resolved {
            alert.ends_at = Some(ends_by);
        }
        if moved != Moved::Gone {
            self.put(alert);
        } else {
            self.remove(&fingerprint);
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }

    // What is told.

    /// Decides what is told now, if there may be something, and clears away what is over.
    pub fn decide(&mut self, policy: &Policy, now: Timestamp) {
        if self.decide_at.is_none_or(|at| now < at) {
            return;
        }
        if now < self.settled_at {
            self.decide_at = Some(self.settled_at);
            return;
        }
        self.end_what_was_not_posted_again(now);
        self.end_silences(now);
        let decided = unsent::decide(self, policy, now);
        self.decide_at = [decided.next_at, self.next_end(now)].into_iter().flatten().min();
        for telling in decided.tellings {
            self.tell(telling, now);
        }
        self.clear_away(now);
    }

    fn tell(&mut self, mut telling: Telling, now: Timestamp) {
        let key = self.fresh_id(&telling.channel, now);
        self.supersede(&mut telling, &key);
        for (group_key, firing) in &telling.covers {
            let to = To { channel: telling.channel.clone(), group_key: group_key.clone() };
            self.touch(Row::Told(to.clone()));
            match firing.is_empty() {
                true => drop(self.told.remove(&to)),
                false => drop(self.told.insert(to, Told { firing: firing.clone(), at: now })),
            }
        }
        // What ended and began again before it could be told needs no message of its own.
        if telling.alerts.is_empty() {
            return;
        }
        self.lately.entry(telling.channel.clone()).or_default().push_back(now);
        self.touch(Row::Outgoing(key.clone()));
        self.outbox.insert(key.clone(), Outgoing::new(key, telling, now));
    }

    /// What waits for the same group is told with what is told now: of ends that were not heard yet, none may be lost.
    fn supersede(&mut self, telling: &mut Telling, by: &str) {
        let covers = |row: &Outgoing| {
            row.telling.covers.len() == 1 && row.telling.covers.keys().all(|group| telling.covers.contains_key(group))
        };
        let mut ended = Vec::new();
        let mut touched = Vec::new();
        for row in self.outbox.values_mut() {
            let is_free = row.is_waiting() && self.under_way.get(&row.telling.channel) != Some(&row.key);
            if is_free && row.telling.channel == telling.channel && covers(row) {
                row.state = State::Superseded(by.to_owned());
                touched.push(Row::Outgoing(row.key.clone()));
                ended.extend(row.telling.alerts.iter().filter(|told| !told.alert.is_firing()).cloned());
            }
        }
        touched.into_iter().for_each(|row| self.touch(row));
        for told in ended {
            let is_told = telling.alerts.iter().any(|other| other.alert.id == told.alert.id);
            if !is_told {
                telling.alerts.push(TellingAlert { is_late: true, ..told });
            }
        }
    }

    /// What is to be delivered now. Each is under way until [`Book::delivered`].
    ///
    /// What is not on the disk waits, but with `cannot_keep` it is told all the same that a promise of alignwatch itself is
    /// broken: such as that it cannot keep anything. The end of that is not told if it is killed meanwhile.
    pub fn deliveries(&mut self, now: Timestamp, cannot_keep: bool) -> Vec<Outgoing> {
        let heads = self.heads();
        let is_ready = |row: &&&Outgoing| {
            let is_own = || row.telling.alerts.iter().all(|told| told.alert.labels.contains_key("promise"));
            row.next_at <= now && (!self.is_unkept(&Row::Outgoing(row.key.clone())) || cannot_keep && is_own())
        };
        let room = DELIVERIES_AT_MOST.saturating_sub(self.under_way.len());
        let ready: Vec<Outgoing> = heads.values().filter(is_ready).take(room).map(|row| (*row).clone()).collect();
        for row in &ready {
            self.under_way.insert(row.telling.channel.clone(), row.key.clone());
        }
        ready
    }

    /// For each channel that is free, what waits longest for it: a channel hears things in the order in which they happened.
    fn heads(&self) -> BTreeMap<&str, &Outgoing> {
        let mut heads: BTreeMap<&str, &Outgoing> = BTreeMap::new();
        let waiting =
            self.outbox.values().filter(|row| row.is_waiting() && !self.under_way.contains_key(&row.telling.channel));
        for row in waiting {
            let head = heads.entry(&row.telling.channel).or_insert(row);
            if (row.decided_at, &row.key) < (head.decided_at, &head.key) {
                *head = row;
            }
        }
        heads
    }

    /// Takes in what became of an attempt.
    pub fn delivered(&mut self, policy: &Policy, key: &str, outcome: Outcome, now: Timestamp) {
        self.under_way.retain(|_, under_way| under_way != key);
        let Some(row) = self.outbox.get_mut(key) else { return };
        let falls_back = row.is_waiting() && row.attempted(outcome, now);
        let (channel, telling, is_stand_in) =
            (row.telling.channel.clone(), row.telling.clone(), row.instead_of.is_some());
        self.touch(Row::Outgoing(key.to_owned()));
        if let Some(other) = policy.fallback.as_ref().filter(|other| falls_back && !is_stand_in && **other != channel) {
            let stand_in = self.fresh_id(other, now);
            let telling = Telling { channel: other.clone(), ..telling };
            let row = Outgoing { instead_of: Some(key.to_owned()), ..Outgoing::new(stand_in.clone(), telling, now) };
            self.outbox.insert(stand_in.clone(), row);
            self.touch(Row::Outgoing(stand_in));
        }
    }

    /// When something is due without news.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let heads = self.heads();
        let kept = heads.values().filter(|row| !self.is_unkept(&Row::Outgoing(row.key.clone())));
        let waiting = kept.map(|row| row.next_at);
        waiting.chain(self.decide_at).min()
    }

    fn decide_soon(&mut self, now: Timestamp) {
        self.decide_at = Some(self.decide_at.map_or(now, |at| at.min(now)));
    }

    fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let posted = self.firing().filter_map(|alert| alert.ends_unless_posted_by);
        let silences = self.silences.values().flat_map(|silence| [silence.starts_at, silence.ends_at]);
        posted.chain(silences).filter(|at| now < *at).min()
    }

    fn end_what_was_not_posted_again(&mut self, now: Timestamp) {
        let is_over = |alert: &&Alert| alert.ends_unless_posted_by.is_some_and(|by| by <= now);
        let over: Vec<_> = self.firing().filter(is_over).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in over {
            if let Some(alert) = self.alerts.get_mut(&fingerprint) {
                (alert.phase, alert.ends_at, alert.ack) = (Phase::Resolved, alert.ends_unless_posted_by, None);
            }
            self.touch(Row::Alert(fingerprint));
        }
    }

    fn end_silences(&mut self, now: Timestamp) {
        let mut ended = Vec::new();
        for silence in self
            .silences
            .values()
            .filter(|silence| silence.ends_on_resolve && silence.state(now) == SilenceState::Active)
        {
            if !self.firing().any(|alert| silence.is_about(alert)) {
                ended.push(silence.id.clone());
            }
        }
        for id in ended {
            if let Some(silence) = self.silences.get_mut(&id) {
                silence.ends_at = now;
            }
            self.note("alignwatch", "ended a silence: nothing that it matches fires", &id, now);
            self.touch(Row::Silence(id));
        }
    }

    /// Forgets what is over, told, and old. The store keeps it.
    fn clear_away(&mut self, now: Timestamp) {
        let is_old = |at: Option<Timestamp>| at.is_some_and(|at| RESOLVED_KEPT < now.since(at));
        let over = self.alerts.values().filter(|alert| alert.phase == Phase::Resolved && is_old(alert.ends_at));
        let over: Vec<_> =
            over.filter(|alert| !self.is_told(&alert.id)).map(|alert| alert.fingerprint.clone()).collect();
        over.iter().for_each(|fingerprint| self.remove(fingerprint));
        self.silences.retain(|_, silence| {
            now.since(silence.ends_at) < RESOLVED_KEPT || is_unkept_silence(&self.changed, silence)
        });
        for times in self.lately.values_mut() {
            times.retain(|at| now.since(*at) < Span::hours(1));
        }
        self.n_refused = 0;
    }

    // What is kept.

    /// What changed since it was last kept. It counts as being kept until [`Book::kept`] or [`Book::not_kept`].
    pub fn records(&mut self, now: Timestamp) -> Vec<Record> {
        self.being_kept = std::mem::take(&mut self.changed);
        let rows: Vec<_> = self.being_kept.iter().cloned().collect();
        let mut records: Vec<_> = rows.iter().flat_map(|row| self.record(row, now)).collect();
        records.append(&mut self.notes);
        records
    }

    /// Is there something to keep?
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty() || !self.notes.is_empty()
    }

    /// What was being kept is on the disk.
    pub fn kept(&mut self) {
        self.being_kept.clear();
        let is_done = |row: &Outgoing| matches!(row.state, State::Delivered | State::Superseded(_));
        let changed = std::mem::take(&mut self.changed);
        self.outbox.retain(|key, row| !is_done(row) || changed.contains(&Row::Outgoing(key.clone())));
        self.changed = changed;
    }

    /// What was being kept is not on the disk.
    pub fn not_kept(&mut self) {
        let again = std::mem::take(&mut self.being_kept);
        self.changed.extend(again);
    }

    fn touch(&mut self, row: Row) {
        self.version += 1;
        self.changed.insert(row);
    }

    fn is_unkept(&self, row: &Row) -> bool {
        self.changed.contains(row) || self.being_kept.contains(row)
    }

    fn record(&self, row: &Row, now: Timestamp) -> Vec<Record> {
        let record =
            |kind, key: &str, is_open, document| Record { kind, key: key.to_owned(), at: now, is_open, document };
        match row {
            Row::Alert(fingerprint) => match self.alerts.get(fingerprint) {
                Some(alert) => {
                    let live = record(RecordKind::Alert, fingerprint, true, text(alert));
                    // What is over is history, too, whatever comes after it.
                    let past = (alert.phase == Phase::Resolved)
                        .then(|| record(RecordKind::Alert, &alert.id, false, text(alert)));
                    [Some(live), past].into_iter().flatten().collect()
                }
                None => vec![record(RecordKind::Alert, fingerprint, false, None)],
            },
            Row::Silence(id) => match self.silences.get(id) {
                Some(silence) => vec![record(RecordKind::Silence, id, now < silence.ends_at, text(silence))],
                None => Vec::new(),
            },
            Row::Told(to) => {
                let key = format!("{} {}", to.channel, to.group_key);
                let document = self.told.get(to).and_then(|told| text(&(to, told)));
                vec![record(RecordKind::Told, &key, document.is_some(), document)]
            }
            Row::Outgoing(key) => match self.outbox.get(key) {
                Some(row) => {
                    let is_open = row.is_waiting() || matches!(row.state, State::Dead(_));
                    vec![record(RecordKind::Outgoing, key, is_open, text(row))]
                }
                None => Vec::new(),
            },
        }
    }

    fn note_of(&mut self, who: &str, what: &str, alert: &str, now: Timestamp) {
        let of = self.alert(alert).map_or_else(|| alert.to_owned(), |alert| format!("{}: {}", alert.id, alert.summary));
        self.note(who, what, &of, now);
    }

    /// Who did what: a line of the audit log.
    fn note(&mut self, who: &str, what: &str, of: &str, now: Timestamp) {
        let key = self.fresh_id("audit", now);
        let document = serde_json::json!({"at": now, "who": who, "what": what, "of": of}).to_string();
        self.notes.push(Record { kind: RecordKind::Audit, key, at: now, is_open: false, document: Some(document) });
    }

    /// An id that no other has: of the time, of what it is for, and of how many were made.
    fn fresh_id(&mut self, of: &str, now: Timestamp) -> String {
        loop {
            self.n_made += 1;
            let parts = [of.to_owned(), now.0.to_string(), self.began_at.0.to_string(), self.n_made.to_string()];
            let labels: Labels = parts.into_iter().enumerate().map(|(at, part)| (at.to_string(), part)).collect();
            // Those that are made later come later, also within a second.
            let id = format!("{:x}-{:04x}-{}", now.0, self.n_made, fingerprint(&labels));
            if !self.outbox.contains_key(&id) && !self.silences.contains_key(&id) {
                return id;
            }
        }
    }

    // What is asked.

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

fn is_unkept_silence(changed: &BTreeSet<Row>, silence: &Silence) -> bool {
    changed.contains(&Row::Silence(silence.id.clone()))
}

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

/// Stands for a rule of somebody else.
fn foreign(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        of: Of::Unseen,
        timing: super::Timing::default(),
        severity: None,
        labels: Labels::new(),
        summary: None,
        runbook: None,
        why: String::new(),
        is_own: false,
    }
}

fn severity_of(word: &str) -> Severity {
    match word {
        "critical" | "page" | "fatal" | "emergency" => Severity::Critical,
        "error" | "major" | "high" => Severity::Error,
        "info" | "none" | "low" | "notice" => Severity::Info,
        _ => Severity::Warning,
    }
}

fn text<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn read<T: DeserializeOwned>(document: &str) -> Result<T, String> {
    serde_json::from_str(document).map_err(|error| error.to_string())
}
