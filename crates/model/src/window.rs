//! Windows: spans of time in which maintenance may run, or in which nothing may change.
//!
//! Whether one is open is arithmetic on a given time; nothing is remembered, so that a window that passed while
//! nobody looked is no different from one that was seen. A recurring window begins at the times of a cron pattern
//! or of a recurrence rule (RFC 5545) in its zone and lasts a fixed time, by the clock on the wall or by the one that nobody sets: a night of three hours
//! stays three hours long also when clocks are changed in it.

mod change;

use std::{iter, sync::Arc};

pub use change::{Change, ChangeWish, Wanted};

use crate::{
    Span, Timestamp,
    recurrence::Recurrence,
    schedule::{BadSchedule, Schedule},
};

/// What a window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Maintenance may run in it.
    Maintenance,
    /// Nothing may be aligned or maintained in it.
    Freeze,
    /// Somebody is there to be told.
    Hours,
}

impl Purpose {
    /// Its name, as the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Maintenance => "maintenance",
            Purpose::Freeze => "freeze",
            Purpose::Hours => "hours",
        }
    }
}

/// A window, ready to be asked.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Why it is there, for people.
    pub reason: String,
    when: When,
    /// How long it is open from when something first fires in it; `None` = it is open all the time.
    flexible: Option<Span>,
    /// What was changed of its openings since, by their beginnings.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum When {
    Once(Opening),
    Again {
        begins: Box<Begins>,
        lasts: Span,
    },
    /// Those of a calendar; none of them meets another.
    Listed(Arc<[Opening]>),
    /// It can't be told, for this reason.
    Unknown(String),
}

/// The times at which a window begins.
#[derive(Clone, Debug)]
pub enum Begins {
    /// Those of a cron pattern, from some time on.
    Cron {
        /// The pattern in its zone.
        schedule: Schedule,
        /// It does not begin before this.
        not_before: Timestamp,
    },
    /// Those of a recurrence rule.
    Rule(Recurrence),
}

impl Begins {
    fn after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Begins::Cron { schedule, not_before } => schedule.after(now.max(Timestamp(not_before.0.saturating_sub(1)))),
            Begins::Rule(rule) => rule.after(now),
        }
    }

    /// All after `now`, in order, worked out as far as they are asked for.
    fn times_after(&self, now: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self {
            Begins::Cron { .. } => Box::new(iter::successors(self.after(now), |at| self.after(*at))),
            Begins::Rule(rule) => rule.times_after(now),
        }
    }

    /// The last one at or before `now`, if what lasts so long is not over.
    fn last_within(&self, now: Timestamp, lasts: Span) -> Option<Timestamp> {
        match self {
            Begins::Cron { schedule, not_before } => {
                schedule.at_or_before(now).filter(|at| now.since(*at) < lasts && not_before <= at)
            }
            Begins::Rule(rule) => rule.last_within(now, lasts),
        }
    }
}

/// One time that a window is open: from `from` on, until before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its first second.
    pub from: Timestamp,
    /// The first second after it.
    pub until: Timestamp,
}

/// Openings that one question walks over at most: a pattern of every minute with openings of a day has 1,440 at once.
const OPENINGS_AT_MOST: usize = 2_000;

impl Window {
    /// A window that is open once. Errors: it ends before it begins.
    pub fn once(name: &str, purpose: Purpose, reason: &str, opening: Opening) -> Result<Window, BadSchedule> {
        if opening.until <= opening.from {
            return Err(BadSchedule("ends before it begins".to_owned()));
        }
        Ok(Window::new(name, purpose, reason, When::Once(opening)))
    }

    /// A window that is open again and again.
    pub fn again(name: &str, purpose: Purpose, reason: &str, begins: Begins, lasts: Span) -> Window {
        Window::new(name, purpose, reason, When::Again { begins: Box::new(begins), lasts })
    }

    /// A window that is open at these times; those that meet count as one.
    pub fn listed(name: &str, purpose: Purpose, reason: &str, mut openings: Vec<Opening>) -> Window {
        openings.sort_by_key(|opening| (opening.from, opening.until));
        let mut apart: Vec<Opening> = Vec::with_capacity(openings.len());
        for opening in openings {
            match apart.last_mut().filter(|last| opening.from <= last.until) {
                Some(last) => last.until = last.until.max(opening.until),
                None => apart.push(opening),
            }
        }
        Window::new(name, purpose, reason, When::Listed(apart.into()))
    }

    /// A window of which nothing is known, for this reason: it never counts as open, and never as being none.
    pub fn unknown(name: &str, purpose: Purpose, reason: &str, why: &str) -> Window {
        Window::new(name, purpose, reason, When::Unknown(why.to_owned()))
    }

    fn new(name: &str, purpose: Purpose, reason: &str, when: When) -> Window {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        Window { name, purpose, reason, when, flexible: None, changes: Vec::new() }
    }

    /// The same, open only so long from when something first fires in it.
    #[must_use]
    pub fn flexible(self, lasts: Option<Span>) -> Window {
        Window { flexible: lasts, ..self }
    }

    /// The same with what was changed of its openings; of two about one opening the last counts.
    #[must_use]
    pub fn changed<'a>(mut self, changes: impl IntoIterator<Item = &'a Change>) -> Window {
        for change in changes.into_iter().filter(|change| change.window == self.name) {
            self.changes.retain(|other| other.planned != change.planned);
            self.changes.push(change.clone());
        }
        self
    }

    /// Why it can't be told when it is open; `None` = it can.
    pub fn doubt(&self) -> Option<&str> {
        match &self.when {
            When::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// How long it is open from when something first fires in it; `None` = it does not wait for that.
    pub fn waits_for_alerts(&self) -> Option<Span> {
        self.flexible
    }

    /// The opening that `now` lies in; where several overlap, they count as one, with the latest end.
    pub fn open_at(&self, now: Timestamp) -> Option<Opening> {
        let changed = self.changes.iter().map(Change::opening).filter(|opening| opening.holds(now));
        let planned =
            self.planned_at(now).filter(|opening| self.flexible.is_none() && self.change_of(opening.from).is_none());
        changed.chain(planned).max_by_key(|opening| opening.until)
    }

    /// The opening that was planned and that `now` lies in, changed or not; in a window that waits for alerts, the time in
    /// which it does.
    pub fn planned_at(&self, now: Timestamp) -> Option<Opening> {
        match &self.when {
            When::Once(opening) => Some(*opening).filter(|opening| opening.holds(now)),
            When::Again { begins, lasts } => {
                let last = opening(begins.last_within(now, *lasts)?, *lasts);
                Some(grown(begins, *lasts, last))
            }
            When::Listed(all) => all[..all.partition_point(|opening| opening.from <= now)]
                .last()
                .copied()
                .filter(|opening| opening.holds(now)),
            When::Unknown(_) => None,
        }
    }

    /// What was changed of the opening that was planned to begin then.
    pub fn change_of(&self, planned: Timestamp) -> Option<&Change> {
        self.changes.iter().find(|change| change.planned == planned)
    }

    /// The opening that is on now, or was changed to, with when it was planned to begin.
    pub fn on_now(&self, now: Timestamp) -> Option<(Timestamp, Opening)> {
        let changed = self.changes.iter().map(|change| (change.planned, change.opening()));
        let planned = self.planned_at(now).filter(|_| self.flexible.is_none()).map(|opening| (opening.from, opening));
        let planned = planned.filter(|(from, _)| self.change_of(*from).is_none());
        changed.chain(planned).filter(|(_, opening)| opening.holds(now)).max_by_key(|(_, opening)| opening.until)
    }

    /// The next opening that begins after `now`; of a window that waits for alerts, the first that could be.
    pub fn next_after(&self, now: Timestamp) -> Option<Opening> {
        let next = self.next_planned(now)?;
        match self.flexible {
            Some(lasts) => Some(Opening { from: next.from, until: Timestamp(next.from.0.saturating_add(lasts.0)) }),
            None => Some(next),
        }
    }

    fn next_planned(&self, now: Timestamp) -> Option<Opening> {
        match &self.when {
            When::Once(opening) => Some(*opening).filter(|opening| now < opening.from),
            When::Again { begins, lasts } => begins.after(now).map(|from| opening(from, *lasts)),
            When::Listed(all) => all.get(all.partition_point(|opening| opening.from <= now)).copied(),
            When::Unknown(_) => None,
        }
    }

    /// Openings that have a part between these times, in order of their beginnings; as they were changed, where they were.
    ///
    /// Shape: at most 2,000; overlapping ones stand each for itself.
    pub fn openings(&self, from: Timestamp, until: Timestamp) -> Vec<Opening> {
        let planned: Box<dyn Iterator<Item = Opening>> = match &self.when {
            When::Once(opening) => Box::new(iter::once(*opening)),
            When::Again { begins, lasts } => {
                let before = Timestamp(from.0.saturating_sub(lasts.0));
                Box::new(begins.times_after(before).map(|from| opening(from, *lasts)))
            }
            When::Listed(all) => Box::new(all[all.partition_point(|opening| opening.until <= from)..].iter().copied()),
            When::Unknown(_) => Box::new(iter::empty()),
        };
        let planned = planned.take(OPENINGS_AT_MOST).take_while(|opening| opening.from < until);
        let unchanged = planned.filter(|opening| self.change_of(opening.from).is_none());
        let unchanged = unchanged.filter(|_| self.flexible.is_none());
        let changed = self.changes.iter().map(Change::opening).filter(|opening| opening.from < opening.until);
        let mut all: Vec<Opening> =
            unchanged.chain(changed).filter(|opening| opening.from < until && from < opening.until).collect();
        all.sort_by_key(|opening| (opening.from, opening.until));
        all
    }
}

impl Opening {
    /// Does this time lie in it?
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// Have they a time in common?
    pub fn meets(&self, other: &Opening) -> bool {
        self.from < other.until && other.from < self.until
    }
}

fn opening(from: Timestamp, lasts: Span) -> Opening {
    Opening { from, until: Timestamp(from.0.saturating_add(lasts.0)) }
}

/// Openings that begin before this one ends make it longer.
fn grown(begins: &Begins, lasts: Span, first: Opening) -> Opening {
    let mut last = first;
    for from in begins.times_after(first.from).take(OPENINGS_AT_MOST) {
        let next = opening(from, lasts);
        if last.until < next.from || next.until <= last.until {
            break;
        }
        last = next;
    }
    Opening { from: first.from, until: last.until }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_second())
    }

    fn cron(schedule: Schedule) -> Begins {
        Begins::Cron { schedule, not_before: Timestamp(i64::MIN) }
    }

    fn nightly(zone: &str) -> Window {
        let begins = cron(Schedule::parse("0 1 * * *", zone).unwrap());
        Window::again("night", Purpose::Maintenance, "", begins, Span::hours(3))
    }

    #[test]
    fn it_is_open_from_its_first_second_until_before_its_last() {
        let opening = Opening { from: Timestamp(10), until: Timestamp(20) };
        let once = Window::once("cut", Purpose::Freeze, "release", opening).unwrap();
        let open: Vec<bool> = [9, 10, 19, 20].map(|at| once.open_at(Timestamp(at)).is_some()).to_vec();
        assert_eq!(open, [false, true, true, false]);
        assert_eq!(once.next_after(Timestamp(9)), Some(opening));
        assert_eq!(once.next_after(Timestamp(10)), None);
        let backwards = Opening { from: Timestamp(20), until: Timestamp(10) };
        assert!(Window::once("cut", Purpose::Freeze, "", backwards).is_err());
    }

    #[test]
    fn a_night_is_as_long_when_clocks_are_changed_in_it() {
        for (day, from) in [("2026-03-29", "2026-03-29T00:00:00Z"), ("2026-10-25", "2026-10-24T23:00:00Z")] {
            let night = nightly("Europe/Berlin");
            let opening = night.next_after(at(&format!("{day}T00:00:00Z")).min(at(from)).minus_a_second()).unwrap();
            assert_eq!((opening.from, opening.until.since(opening.from)), (at(from), Span::hours(3)), "{day}");
            assert_eq!(night.open_at(Timestamp(opening.from.0 + 5_000)), Some(opening));
            assert_eq!(night.open_at(opening.until), None);
        }
    }

    impl Timestamp {
        fn minus_a_second(self) -> Timestamp {
            Timestamp(self.0 - 1)
        }
    }

    #[test]
    fn openings_that_overlap_count_as_one_that_ends_with_the_last() {
        let begins = cron(Schedule::parse("0 1,2 * * *", "UTC").unwrap());
        let window = Window::again("w", Purpose::Maintenance, "", begins, Span::hours(3));
        let open = window.open_at(at("2026-05-05T01:30:00Z")).unwrap();
        assert_eq!(open.until, at("2026-05-05T05:00:00Z"));
        assert_eq!(window.openings(at("2026-05-05T00:00:00Z"), at("2026-05-06T00:00:00Z")).len(), 2);
        assert_eq!(window.openings(at("2026-05-05T04:30:00Z"), at("2026-05-05T04:45:00Z")).len(), 1);
    }

    #[test]
    fn a_window_that_never_closes_is_answered_all_the_same() {
        let begins = cron(Schedule::parse("* * * * *", "UTC").unwrap());
        let window = Window::again("w", Purpose::Maintenance, "", begins, Span::days(1));
        assert!(window.open_at(at("2026-05-05T01:30:00Z")).is_some());
        assert_eq!(window.openings(at("2026-05-05T00:00:00Z"), at("2026-06-05T00:00:00Z")).len(), OPENINGS_AT_MOST);
    }
}
