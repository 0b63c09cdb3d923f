//! Upkeep in the turn: which repository is asked for due tasks next.
//!
//! Asking is cheap: the journal of tasks says what was asked when, so that nothing is lost with this state. One
//! repository at a time: two repacks at once make each other slow, and everybody else, too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Effect, Receipt, Refusal, State, reports::answer};
use crate::{
    Span, Timestamp,
    alert::{Book, outbox::Outgoing},
    config::Config,
    task::TaskWish,
};

/// How often a repository is asked what is due. Source: ours; the finest that a cadence can be.
const ASK_EVERY: Span = Span::minutes(1);

/// Wishes that wait at most. Source: ours; each may take minutes.
const WISHES_AT_MOST: usize = 16;
/// After how long without being asked a repository is late. Source: ours; another one's repack may take hours.
pub(super) const LATE_AFTER: Span = Span::hours(12);

/// What is known of upkeep.
#[derive(Debug, Default)]
pub(super) struct Tending {
    under_way: Option<String>,
    /// What somebody wants done: in this order, and before what is only due.
    wishes: VecDeque<TaskWish>,
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
        if let Some(wish) = self.wishes.pop_front() {
            self.under_way = Some(wish.repository().to_owned());
            return Some(Effect::Do(wish));
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
    pub(super) fn announce(&mut self, book: &mut Book, rows: Vec<Outgoing>) {
        /// Keys that are remembered; in the store are all. Source: ours; more than a day can have.
        const KEYS_AT_MOST: usize = 10_000;
        if KEYS_AT_MOST < self.announced.len() {
            self.announced.clear();
        }
        for row in rows {
            if self.announced.insert(row.key.clone()) {
                book.announce(row);
            }
        }
    }

    /// It came to its end.
    pub(super) fn ended(&mut self, path: &str, now: Timestamp) {
        self.asked_at.insert(path.to_owned(), now);
        self.under_way = None;
    }
}

/// Takes in what somebody wants about maintenance, or says why not. What changes something is answered when it is written down
/// who wants it, and only done in a repository that was handed over.
pub(super) fn wished(
    state: &mut State,
    receipt: Receipt,
    wish: TaskWish,
    config: &Config,
    now: Timestamp,
) -> Option<Effect> {
    match refusal(state, &wish, config) {
        Some(refusal) => answer(vec![receipt], Err(refusal)),
        None => {
            let note = wish.note().ok().flatten();
            let is_noted = note.is_some();
            if let Some((who, what, of)) = note {
                state.alerting.book.noted(who, what, &of, now);
                state.reported.receipts.push(receipt);
            }
            state.tending.wishes.push_back(wish);
            if is_noted { None } else { answer(vec![receipt], Ok(())) }
        }
    }
}

fn refusal(state: &State, wish: &TaskWish, config: &Config) -> Option<Refusal> {
    let path = wish.repository();
    if !state.repositories.contains_key(path) {
        return Some(Refusal::Impossible(format!("no repository is watched at {path}")));
    }
    if let Err(reason) = wish.note() {
        return Some(Refusal::Impossible(reason));
    }
    let changes = !matches!(wish, TaskWish::Plan { .. });
    if changes && !config.is_tended(path) {
        return Some(Refusal::Impossible(format!(
            "{path} was not handed over: name it in `maintenance.repositories`, or use `alignwatch task run`"
        )));
    }
    if changes && !state.alerting.is_recalled {
        return Some(Refusal::NotKept("the store could not be read yet".to_owned()));
    }
    (WISHES_AT_MOST <= state.tending.wishes.len()).then_some(Refusal::TooMuch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::{Book, Policy},
        turn::{Event, Pace, turn},
    };

    const PACE: Pace = Pace { interval: Span::minutes(5), at_once: 1 };

    fn run(who: &str, repository: &str) -> TaskWish {
        TaskWish::Run { task: "pack-refs".into(), repository: repository.into(), who: who.into() }
    }

    #[test]
    fn what_somebody_wants_is_written_down_answered_then_and_done_in_its_turn() {
        let config = Config::from_yaml("maintenance: {repositories: [/srv/*]}\n", "f").unwrap().0;
        let policy = Policy::of(&config);
        let book = Book::new(&policy, Timestamp(0));
        let mut state = State::watching(PATHS.map(str::to_owned), Timestamp(0)).with_alerts(book, policy);
        let mut then = |event, now| turn(&mut state, event, &config, PACE, Timestamp(now));
        let first = then(Event::Tick, 0);
        assert!(first.contains(&Effect::Tend("/srv/a".into())), "{first:?}");
        let wished = then(Event::TaskWished(Receipt(1), run("kim", "/srv/b")), 1);
        let Some(Effect::Keep(commit)) = wished.iter().find(|effect| matches!(effect, Effect::Keep(_))) else {
            panic!("{wished:?}")
        };
        assert!(commit.records.iter().any(|record| record.document.as_ref().unwrap().contains("pack-refs in /srv/b")));
        assert!(!wished.iter().any(|effect| matches!(effect, Effect::Answer(..) | Effect::Do(_))), "{wished:?}");
        assert_eq!(then(Event::Kept(None), 2)[0], Effect::Answer(vec![Receipt(1)], Ok(())));
        let done = then(Event::Tended("/srv/a".into(), false), 3);
        assert!(done.contains(&Effect::Do(run("kim", "/srv/b"))), "{done:?}");
        let plan = TaskWish::Plan { ticket: 7, task: "pack-refs".into(), repository: "/home/c".into() };
        let planned = then(Event::TaskWished(Receipt(2), plan.clone()), 4);
        assert_eq!(planned[0], Effect::Answer(vec![Receipt(2)], Ok(())), "a plan changes nothing, so that it is free");
        let done = then(Event::Tended("/srv/b".into(), true), 5);
        assert!(done.contains(&Effect::Do(plan)), "{done:?}");
    }

    #[test]
    fn what_was_not_handed_over_is_not_changed_and_nobody_stays_unnamed() {
        let config = Config::from_yaml("maintenance: {repositories: [/srv/*]}\n", "f").unwrap().0;
        let policy = Policy::of(&config);
        let book = Book::new(&policy, Timestamp(0));
        let mut state = State::watching(PATHS.map(str::to_owned), Timestamp(0)).with_alerts(book, policy);
        let mut told =
            |wish| match &turn(&mut state, Event::TaskWished(Receipt(1), wish), &config, PACE, Timestamp(0))[0] {
                Effect::Answer(_, Err(refusal)) => refusal.to_string(),
                other => panic!("{other:?}"),
            };
        assert!(told(run("kim", "/home/c")).contains("was not handed over"));
        assert!(told(run("kim", "/etc")).contains("no repository is watched"));
        assert!(told(run(" ", "/srv/a")).contains("Say a name"));
    }

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
        use crate::{alert::announcement::of_window, task::report::Told};
        let told = Told { summary: "it closed".into(), details: Vec::new() };
        let row = |key: &str| of_window(key, "team", "night", &told, Timestamp(7));
        let (mut tending, mut book) = (Tending::default(), Book::default());
        tending.announce(&mut book, vec![row("a")]);
        tending.announce(&mut book, vec![row("a"), row("b")]);
        assert_eq!(book.outbox.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(book.deliveries(Timestamp(7), false).is_empty(), "first they are kept");
        assert_eq!(book.records(Timestamp(7)).len(), 2);
        book.kept();
        assert_eq!(book.deliveries(Timestamp(7), false).len(), 1, "a channel hears one after the other");
        // Delivered and kept.
        book.outbox.clear();
        tending.announce(&mut book, vec![row("a"), row("b")]);
        assert!(book.outbox.is_empty());
    }
}
