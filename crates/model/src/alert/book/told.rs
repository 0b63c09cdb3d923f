//! What is told: decided, put into the outbox, delivered, and cleared away.

use super::{
    super::{
        mute::SilenceState,
        outbox::Outcome,
        unsent::{Telling, TellingAlert},
    },
    *,
};

/// Dead letters that wait for a person, at most. Source: ours; each is up to some 100 KB.
const DEAD_AT_MOST: usize = 1_000;

/// How long it is known when a channel was told that all of a group is over. Source: ours; the longest sensible
/// `group_interval`.
const TOLD_KEPT: Span = Span::days(1);

/// Deliveries under way at once, each to another channel.
const DELIVERIES_AT_MOST: usize = 8;

impl Tally {
    fn take_in(&mut self, outcome: &Outcome, waited: Span) {
        self.n_attempts += 1;
        match outcome {
            Outcome::Delivered(_) => {
                self.n_delivered += 1;
                self.waited = Span(self.waited.0.saturating_add(waited.0.max(0)));
            }
            Outcome::Failed(failure) => *self.failures.entry(failure.reason.word()).or_default() += 1,
        }
    }
}

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
        self.held = decided.held;
        let next_canary = self.send_canaries(policy, now);
        self.decide_at = [decided.next_at, self.next_end(now), next_canary].into_iter().flatten().min();
        for telling in decided.tellings {
            self.tell(policy, telling, now);
        }
        self.clear_away(now);
    }

    pub(super) fn tell(&mut self, policy: &Policy, mut telling: Telling, now: Timestamp) {
        let key = self.fresh_id(&telling.channel, now);
        let is_down = self.outbox.values().any(|row| row.telling.channel == telling.channel && row.falls_back());
        let stood_in = self.supersede(&mut telling, &key);
        for (group_key, firing) in &telling.covers {
            let to = To { channel: telling.channel.clone(), group_key: group_key.clone() };
            self.hear(to, firing.clone(), now);
        }
        // What ended and began again before it could be told needs no message of its own.
        if telling.alerts.is_empty() {
            return;
        }
        self.lately.entry(telling.channel.clone()).or_default().push_back(now);
        self.touch(Row::Outgoing(key.clone()));
        self.outbox.insert(key.clone(), Outgoing { stood_in, ..Outgoing::new(key.clone(), telling, now) });
        if is_down {
            self.stand_in(policy, &key, now);
        }
    }

    /// A channel is told what fires in a group.
    fn hear(&mut self, to: To, firing: BTreeMap<String, Severity>, now: Timestamp) {
        self.touch(Row::Told(to.clone()));
        let told = self.told.entry(to).or_default();
        let is_new = |id: &&String| !told.firing.contains_key(*id);
        let new: Vec<String> = firing.keys().filter(is_new).cloned().collect();
        told.since.retain(|id, _| firing.contains_key(id));
        told.since.extend(new.into_iter().map(|id| (id, now)));
        (told.firing, told.at) = (firing, now);
    }

    /// What waits for the same group is told with what is told now: of ends that were not heard yet, none may be lost.
    ///
    /// Returns the alerts of it that a channel that stands in was told.
    pub(super) fn supersede(&mut self, telling: &mut Telling, by: &str) -> BTreeSet<String> {
        let covers = |row: &Outgoing| {
            row.telling.covers.len() == 1 && row.telling.covers.keys().all(|group| telling.covers.contains_key(group))
        };
        let mut ended = Vec::new();
        let mut touched = Vec::new();
        let mut stood_in = BTreeSet::new();
        for row in self.outbox.values_mut() {
            let is_free = row.is_waiting() && self.under_way.get(&row.telling.channel) != Some(&row.key);
            if is_free && row.telling.channel == telling.channel && covers(row) {
                row.state = State::Superseded(by.to_owned());
                stood_in.extend(row.stood_in.iter().cloned());
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
        stood_in
    }

    /// What is to be delivered now. Each is under way until [`Book::delivered`].
    ///
    /// What is not on the disk waits, but with `cannot_keep` it is told all the same that a promise of alignwatch itself is
    /// broken: such as that it cannot keep anything. The end of that is not told if it is killed meanwhile.
    pub fn deliveries(&mut self, now: Timestamp, cannot_keep: bool) -> Vec<Outgoing> {
        let is_of_promise = |told: &TellingAlert| told.alert.labels.contains_key("promise");
        let is_own = |row: &Outgoing| row.telling.letter.is_none() && row.telling.alerts.iter().all(is_of_promise);
        // While nothing can be kept, what was not kept before stands in nobody's way.
        let heads = self.heads(|row| !cannot_keep || self.is_on_disk(row) || is_own(row));
        let is_ready = |row: &&&Outgoing| row.next_at <= now && (cannot_keep || self.is_on_disk(row));
        let room = DELIVERIES_AT_MOST.saturating_sub(self.under_way.len());
        let ready: Vec<Outgoing> = heads.values().filter(is_ready).take(room).map(|row| (*row).clone()).collect();
        for row in &ready {
            self.under_way.insert(row.telling.channel.clone(), row.key.clone());
        }
        ready
    }

    /// For each channel that is free, what waits longest for it: a channel hears things in the order in which they happened.
    /// A scheduled test waits for all of them.
    pub(super) fn heads(&self, may_go: impl Fn(&Outgoing) -> bool) -> BTreeMap<&str, &Outgoing> {
        let mut heads: BTreeMap<&str, &Outgoing> = BTreeMap::new();
        let waiting =
            self.outbox.values().filter(|row| row.is_waiting() && !self.under_way.contains_key(&row.telling.channel));
        for row in waiting.filter(|row| may_go(row)) {
            let head = heads.entry(&row.telling.channel).or_insert(row);
            let order = |row: &Outgoing| (row.is_canary(), row.decided_at);
            if (order(row), &row.key) < (order(head), &head.key) {
                *head = row;
            }
        }
        heads
    }

    /// Takes in what became of an attempt.
    pub fn delivered(&mut self, policy: &Policy, key: &str, outcome: Outcome, now: Timestamp) {
        self.under_way.retain(|_, under_way| under_way != key);
        let Some(row) = self.outbox.get_mut(key) else { return };
        let channel = row.telling.channel.clone();
        let failure = if let Outcome::Failed(failure) = &outcome { Some(failure) } else { None };
        if let Some(answered) = doubt::answered(failure).filter(|_| policy.calls_others(&channel)) {
            self.doubts.called(Other::Channel(channel.clone()), answered, now);
        }
        self.tallies.entry(channel.clone()).or_default().take_in(&outcome, now.since(row.decided_at));
        let falls_back = row.is_waiting() && row.attempted(outcome, now);
        let (is_canary, has_arrived) = (row.is_canary(), row.state == State::Delivered);
        match has_arrived {
            true => drop(self.failing.remove(&channel)),
            false => drop(self.failing.entry(channel.clone()).or_insert(now)),
        }
        self.touch(Row::Outgoing(key.to_owned()));
        if is_canary {
            // That it did not arrive is told, and not the test.
            self.canary_attempted(key, falls_back, now);
            return;
        }
        if falls_back {
            // What waits behind it would only be tried when this one is given up.
            let behind = self.outbox.values().filter(|row| row.is_waiting() && row.telling.channel == channel);
            let keys: BTreeSet<_> = behind.map(|row| row.key.clone()).chain([key.to_owned()]).collect();
            keys.iter().for_each(|key| self.stand_in(policy, key, now));
        }
    }

    /// What became of attempts since this start, by channel.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.tallies.iter().map(|(channel, tally)| (channel.as_str(), tally))
    }

    /// Dead letters of each channel that was told something.
    pub fn dead_by_channel(&self) -> BTreeMap<&str, usize> {
        let mut dead: BTreeMap<&str, usize> = self.tallies.keys().map(|channel| (channel.as_str(), 0)).collect();
        for row in self.outbox.values() {
            let n = dead.entry(&row.telling.channel).or_default();
            *n += usize::from(matches!(row.state, State::Dead(_)));
        }
        dead
    }

    /// When the oldest message was decided that waits for each channel.
    pub fn oldest_waiting(&self) -> BTreeMap<&str, Timestamp> {
        let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for row in self.outbox.values().filter(|row| row.is_waiting()) {
            let at = oldest.entry(&row.telling.channel).or_insert(row.decided_at);
            *at = row.decided_at.min(*at);
        }
        oldest
    }

    /// Tells the channel that stands in what another can't be told, and remembers that it heard it, so that it hears the end.
    fn stand_in(&mut self, policy: &Policy, key: &str, now: Timestamp) {
        let Some(row) = self.outbox.get(key).filter(|row| row.instead_of.is_none()) else { return };
        let Some(other) = policy.fallback.as_ref().filter(|other| **other != row.telling.channel) else { return };
        let is_new = |told: &&TellingAlert| !row.stood_in.contains(&told.alert.id);
        let alerts: Vec<TellingAlert> = row.telling.alerts.iter().filter(is_new).cloned().collect();
        if alerts.is_empty() {
            return;
        }
        let firing: BTreeSet<&String> =
            alerts.iter().map(|told| &told.alert).filter(|it| it.is_firing()).map(|it| &it.id).collect();
        let mut covers = BTreeMap::new();
        for (group_key, of_group) in &row.telling.covers {
            let to = To { channel: other.clone(), group_key: group_key.clone() };
            let mut heard = self.told.get(&to).map(|told| told.firing.clone()).unwrap_or_default();
            heard.extend(of_group.iter().filter(|(id, _)| firing.contains(id)).map(|(id, at)| (id.clone(), *at)));
            covers.insert(group_key.clone(), heard);
        }
        let ids: Vec<String> = alerts.iter().map(|told| told.alert.id.clone()).collect();
        let telling = Telling { channel: other.clone(), alerts, covers, ..row.telling.clone() };
        for (group_key, firing) in telling.covers.clone().into_iter().filter(|(_, firing)| !firing.is_empty()) {
            self.hear(To { channel: other.clone(), group_key }, firing, now);
        }
        let stand_in = self.fresh_id(other, now);
        let stood_in = Outgoing { instead_of: Some(key.to_owned()), ..Outgoing::new(stand_in.clone(), telling, now) };
        self.touch(Row::Outgoing(stand_in.clone()));
        self.outbox.insert(stand_in, stood_in);
        if let Some(row) = self.outbox.get_mut(key) {
            row.stood_in.extend(ids);
            self.touch(Row::Outgoing(key.to_owned()));
        }
    }

    /// When something is due without news.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let heads = self.heads(|_| true);
        let kept = heads.values().filter(|row| self.is_on_disk(row));
        let waiting = kept.map(|row| row.next_at);
        waiting.chain(self.decide_at).min()
    }

    pub(in crate::alert) fn decide_soon(&mut self, now: Timestamp) {
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
        let is_old = |at: Option<Timestamp>| at.is_some_and(|at| mute::OVER_KEPT < now.since(at));
        let over = self.alerts.values().filter(|alert| alert.phase == Phase::Resolved && is_old(alert.ends_at));
        let told: BTreeSet<&String> = self.told.values().flat_map(|told| told.firing.keys()).collect();
        let over: Vec<_> =
            over.filter(|alert| !told.contains(&alert.id)).map(|alert| alert.fingerprint.clone()).collect();
        over.iter().for_each(|fingerprint| self.remove(fingerprint));
        let silences = self.silences.values().filter(|silence| silence.is_long_over(now));
        let silences: Vec<_> = silences.map(|silence| Row::Silence(silence.id.clone())).collect();
        // They are forgotten when the disk knows that they are over.
        silences.into_iter().for_each(|row| self.touch(row));
        let is_forgotten = |told: &Told| told.firing.is_empty() && TOLD_KEPT < now.since(told.at);
        let forgotten: Vec<To> =
            self.told.iter().filter(|(_, told)| is_forgotten(told)).map(|(to, _)| to.clone()).collect();
        for to in forgotten {
            self.told.remove(&to);
            self.touch(Row::Told(to));
        }
        self.bury(now);
        for times in self.lately.values_mut() {
            times.retain(|at| now.since(*at) < Span::hours(1));
        }
    }

    /// Of very many dead letters, the oldest are history.
    fn bury(&mut self, now: Timestamp) {
        let mut dead: Vec<_> = self.outbox.values_mut().filter(|row| matches!(row.state, State::Dead(_))).collect();
        let n_over = dead.len().saturating_sub(DEAD_AT_MOST);
        if n_over == 0 {
            return;
        }
        dead.sort_by_key(|row| row.decided_at);
        let mut buried = Vec::new();
        for row in dead.into_iter().take(n_over) {
            row.state = State::Buried("the oldest of too many".to_owned());
            buried.push(Row::Outgoing(row.key.clone()));
        }
        buried.into_iter().for_each(|row| self.touch(row));
        let what = format!("gave up {}", crate::words::count(n_over, "dead letter"));
        self.note("alignwatch", &what, "the oldest, of more than can be waited for; the store has them", now);
    }
}
