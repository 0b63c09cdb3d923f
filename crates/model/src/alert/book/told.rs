//! What is told: decided, put into the outbox, delivered, and cleared away.

use super::{
    super::{
        mute::SilenceState,
        outbox::Outcome,
        unsent::{Telling, TellingAlert},
    },
    *,
};

/// How long one that is over is remembered, so that coming and going is seen.
const RESOLVED_KEPT: Span = Span::days(1);

/// Deliveries under way at once, each to another channel.
const DELIVERIES_AT_MOST: usize = 8;

impl Book {
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

    pub(super) fn tell(&mut self, mut telling: Telling, now: Timestamp) {
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
    pub(super) fn supersede(&mut self, telling: &mut Telling, by: &str) {
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
            let is_of_promise = |told: &TellingAlert| told.alert.labels.contains_key("promise");
            let is_own = || row.telling.letter.is_none() && row.telling.alerts.iter().all(is_of_promise);
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
    pub(super) fn heads(&self) -> BTreeMap<&str, &Outgoing> {
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

    pub(super) fn decide_soon(&mut self, now: Timestamp) {
        self.decide_at = Some(self.decide_at.map_or(now, |at| at.min(now)));
    }

    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let posted = self.firing().filter_map(|alert| alert.ends_unless_posted_by);
        let silences = self.silences.values().flat_map(|silence| [silence.starts_at, silence.ends_at]);
        posted.chain(silences).filter(|at| now < *at).min()
    }

    pub(super) fn end_what_was_not_posted_again(&mut self, now: Timestamp) {
        let is_over = |alert: &&Alert| alert.ends_unless_posted_by.is_some_and(|by| by <= now);
        let over: Vec<_> = self.firing().filter(is_over).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in over {
            if let Some(alert) = self.alerts.get_mut(&fingerprint) {
                (alert.phase, alert.ends_at, alert.ack) = (Phase::Resolved, alert.ends_unless_posted_by, None);
            }
            self.touch(Row::Alert(fingerprint));
        }
    }

    pub(super) fn end_silences(&mut self, now: Timestamp) {
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
    pub(super) fn clear_away(&mut self, now: Timestamp) {
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
}

fn is_unkept_silence(changed: &BTreeSet<Row>, silence: &Silence) -> bool {
    changed.contains(&Row::Silence(silence.id.clone()))
}
