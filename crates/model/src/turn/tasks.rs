//! Upkeep in the turn: which repository is asked for due tasks next.
//!
//! Asking is cheap: the journal of tasks says what was asked when, so that nothing is lost with this state. One
//! repository at a time: two repacks at once make each other slow, and everybody else, too.

use std::collections::{BTreeMap, BTreeSet};

use super::Effect;
use crate::{
    Span, Timestamp,
    alert::{Book, outbox::Outgoing},
    config::Config,
};

/// How often a repository is asked what is due. Source: ours; the finest that a cadence can be.
const ASK_EVERY: Span = Span::minutes(1);

/// After how long without being asked a repository is late. Source: ours; another one's repack may take hours.
pub(super) const LATE_AFTER: Span = Span::hours(12);

/// What is known of upkeep.
#[derive(Debug, Default)]
pub(super) struct Tending {
    under_way: Option<String>,
    asked_at: BTreeMap<String, Timestamp>,
    /// Keys of messages that were put into the outbox since the start.
    announced: BTreeSet<String>,
}

impl Tending {
    /// The repository to tend now: of those that were handed over, the one that was asked the longest time ago.
    pub(super) fn due<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a str>,
        config: &Config,
        now: Timestamp,
    ) -> Option<Effect> {
        if self.under_way.is_some() {
            return None;
        }
        let asked = |path: &str| self.asked_at.get(path).copied();
        // A time that lies ahead is by a clock that was set back since.
        let rests = |path: &str| asked(path).is_some_and(|at| at <= now && now.since(at) < ASK_EVERY);
        let waiting = paths.filter(|path| config.is_tended(path) && !rests(path));
        let next = waiting.min_by_key(|path| asked(path))?.to_owned();
        self.asked_at.insert(next.clone(), now);
        self.under_way = Some(next.clone());
        Some(Effect::Tend(next))
    }

    /// Should the repository at this path have been asked long ago?
    pub(super) fn is_late(&self, path: &str, began_at: Timestamp, now: Timestamp) -> bool {
        let asked_at = self.asked_at.get(path).copied().unwrap_or(began_at);
        LATE_AFTER < now.since(asked_at)
    }

    /// Puts messages about windows into the outbox, each once.
    ///
    /// They are on the disk from the first attempt on. When we are killed before, they are due again at the next start.
    pub(super) fn announce(&mut self, book: &mut Book, rows: Vec<Outgoing>) {
        /// Keys that are remembered; in the store are all. Source: ours; more than a day can have.
        const KEYS_AT_MOST: usize = 10_000;
        if KEYS_AT_MOST < self.announced.len() {
            self.announced.clear();
        }
        for row in rows {
            if self.announced.insert(row.key.clone()) {
                book.outbox.entry(row.key.clone()).or_insert(row);
            }
        }
    }

    /// It came to its end.
    pub(super) fn ended(&mut self, path: &str, now: Timestamp) {
        self.asked_at.insert(path.to_owned(), now);
        self.under_way = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 3] = ["/srv/a", "/srv/b", "/home/c"];

    fn next(tending: &mut Tending, config: &Config, now: i64) -> Option<String> {
        match tending.due(PATHS.into_iter(), config, Timestamp(now))? {
            Effect::Tend(path) => Some(path),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_after_the_other_is_asked_each_minute_and_only_what_was_handed_over() {
        let config = Config::from_yaml("maintenance: {repositories: [/srv/*]}\n", "f").unwrap().0;
        let mut tending = Tending::default();
        assert_eq!(next(&mut tending, &config, 0).as_deref(), Some("/srv/a"));
        assert_eq!(next(&mut tending, &config, 1), None, "one at a time");
        tending.ended("/srv/a", Timestamp(2));
        assert_eq!(next(&mut tending, &config, 3).as_deref(), Some("/srv/b"));
        tending.ended("/srv/b", Timestamp(4));
        assert_eq!(next(&mut tending, &config, 30), None, "each minute");
        assert_eq!(next(&mut tending, &config, 62).as_deref(), Some("/srv/a"));
        tending.ended("/srv/a", Timestamp(1_000_000));
        assert_eq!(next(&mut tending, &config, 70).as_deref(), Some("/srv/b"));
        tending.ended("/srv/b", Timestamp(71));
        assert_eq!(next(&mut tending, &config, 72).as_deref(), Some("/srv/a"), "the clock was set back");
        assert_eq!(next(&mut Tending::default(), &Config::default(), 0), None);
    }

    #[test]
    fn a_message_that_is_announced_again_is_told_once() {
        use crate::{Severity, alert::announcement::of_window, task::report::Told};
        let told = Told { severity: Severity::Info, summary: "it closed".into(), details: Vec::new() };
        let row = |key: &str| of_window(key, "team", "night", &told, Timestamp(7));
        let (mut tending, mut book) = (Tending::default(), Book::default());
        tending.announce(&mut book, vec![row("a")]);
        tending.announce(&mut book, vec![row("a"), row("b")]);
        assert_eq!(book.outbox.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(book.deliveries(Timestamp(7), false).len(), 1, "a channel hears one after the other");
        // Delivered and kept.
        book.outbox.clear();
        tending.announce(&mut book, vec![row("a"), row("b")]);
        assert!(book.outbox.is_empty());
    }
}
