//! Scheduled tests of channels in the book: sent when they are due, and judged by what became of them.

use super::{
    super::{
        canary::{self, Canary},
        own::Broken,
    },
    *,
};

impl Book {
    /// Sends the canaries that are due. Gives when the next one is.
    pub(super) fn send_canaries(&mut self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let mut next_at: Option<Timestamp> = None;
        for plan in &policy.canaries {
            let next = |book: &Book| plan.next(book.canaries.get(&plan.channel), book.began_at, policy, now);
            if next(self).is_some_and(|at| at <= now) {
                self.send_canary(&plan.channel, now);
            }
            next_at = [next_at, next(self)].into_iter().flatten().min();
        }
        next_at
    }

    fn send_canary(&mut self, channel: &str, now: Timestamp) {
        let key = self.fresh_id(channel, now);
        // Only the newest says how the channel is.
        let of_channel = |row: &&mut Outgoing| row.is_canary() && row.telling.channel == channel;
        let is_under_way = |key: &String| self.under_way.get(channel) == Some(key);
        let mut superseded = Vec::new();
        for row in self.outbox.values_mut().filter(of_channel).filter(|row| !is_under_way(&row.key)) {
            row.state = State::Superseded(key.clone());
            superseded.push(Row::Outgoing(row.key.clone()));
        }
        superseded.into_iter().for_each(|row| self.touch(row));
        self.canaries.entry(channel.to_owned()).or_default().sent_at = Some(now);
        self.touch(Row::Canary(channel.to_owned()));
        self.touch(Row::Outgoing(key.clone()));
        self.outbox.insert(key.clone(), Outgoing::new(key, canary::telling(channel, now), now));
    }

    /// Takes in what became of an attempt to deliver a canary; `is_given_up` = others would be told instead by now.
    pub(super) fn canary_attempted(&mut self, key: &str, is_given_up: bool, now: Timestamp) {
        let Some(row) = self.outbox.get_mut(key) else { return };
        let is_given_up = is_given_up || matches!(row.state, State::Dead(_));
        let known: &mut Canary = self.canaries.entry(row.telling.channel.clone()).or_default();
        known.attempted(row, is_given_up, now);
        if is_given_up && row.is_waiting() {
            // The next one is another test; until then nothing is gained by trying this one for days.
            row.state = State::Dead(row.last_failure().unwrap_or_default());
        }
        let channel = row.telling.channel.clone();
        self.touch(Row::Canary(channel));
    }

    /// Channels whose last scheduled test did not arrive.
    pub(super) fn broken_canaries<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = Broken> + 'a {
        policy.canaries.iter().filter_map(|plan| {
            let failure = self.canaries.get(&plan.channel)?.failure.as_ref()?;
            let why = format!("the scheduled test of the channel {} did not arrive: {failure}", plan.channel);
            Some(Broken { channel: Some(plan.channel.clone()), ..Broken::new(canary::NAME, why) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    #[test]
    fn a_test_waits_until_all_else_is_told() {
        let mut book = Book::default();
        book.send_canary("team", Timestamp(0));
        let key = "later".to_owned();
        book.outbox.insert(key.clone(), Outgoing::new(key.clone(), sample::telling(), Timestamp(9)));
        assert_eq!(book.heads(|_| true)["team"].key, key);
        book.outbox.remove(&key);
        assert!(book.heads(|_| true)["team"].is_canary());
    }

    #[test]
    fn a_newer_test_takes_the_place_of_one_that_waits_or_failed() {
        let mut book = Book::default();
        for at in 0..3 {
            book.send_canary("team", Timestamp(at));
            if at == 1 {
                book.outbox.values_mut().last().expect("it is there").state = State::Dead("refused".into());
            }
        }
        let n_waiting = book.outbox.values().filter(|row| row.is_waiting()).count();
        let n_dead = book.outbox.values().filter(|row| matches!(row.state, State::Dead(_))).count();
        assert_eq!((n_waiting, n_dead), (1, 0));
    }
}
