//! A world without clock, disk and network, in which alerts live: for tests of rules, for replays of the past, and for our
//! own tests. It does what the daemon does, with everything in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Book, Policy, Wish, evaluate::Seen, outbox::Outgoing, unsent::Telling};
use crate::{
    Span, Timestamp,
    checks::Judged,
    notice::{Delivered, Failure, FailureReason},
    record::{Reading, Record, RecordKind},
    window::{ChangeWish, Wanted, Window},
};

/// The world.
#[derive(Debug)]
pub struct World {
    /// What decides.
    pub policy: Policy,
    /// What is known.
    pub book: Book,
    /// What was kept: it outlives a restart.
    disk: BTreeMap<(RecordKind, String), Record>,
    /// The time.
    pub now: Timestamp,
    /// Channels that can't be reached.
    pub down: BTreeSet<String>,
    /// What was told, and when, in order.
    pub told: Vec<(Timestamp, Telling)>,
    /// How far the clock was set back.
    pub set_back: Span,
}

/// Rounds of deciding and delivering in one moment, at most. What needs more is a bug, and must not hang.
const ROUNDS_AT_MOST: usize = 1_000;

impl World {
    /// Begins at a time, with nothing known.
    pub fn new(policy: Policy, now: Timestamp) -> World {
        let book = Book::new(&policy, now);
        World { policy, book, disk: BTreeMap::new(), now, down: BTreeSet::new(), told: Vec::new(), set_back: Span(0) }
    }

    /// A repository was looked at.
    pub fn see(&mut self, path: &str, judged: Result<&[Judged], &str>, readings: &[Reading], objective: f64) {
        self.see_asking(path, judged, readings, objective, &[]);
    }

    /// A repository was looked at, and these hosts of its remotes were asked, each with whether it answered.
    pub fn see_asking(
        &mut self,
        path: &str,
        judged: Result<&[Judged], &str>,
        readings: &[Reading],
        objective: f64,
        hosts: &[(String, bool)],
    ) {
        let seen = Seen { path, judged, readings, objective, hosts, now: self.now };
        self.book.take_in(&self.policy, &seen);
        self.settle();
    }

    /// The clock is set back.
    pub fn set_clock_back(&mut self, by: Span) {
        (self.now, self.set_back) = (Timestamp(self.now.0 - by.0), Span(self.set_back.0 + by.0));
        self.book.follow_the_clock(by, self.now);
        self.settle();
    }

    /// It looks at its own promises, silences and rules, as the daemon does twice a minute.
    pub fn look_at_itself(&mut self) {
        let broken = self.book.own_troubles(&self.policy, self.now);
        self.book.take_in_own(&self.policy, broken, self.now);
        self.settle();
    }

    /// Somebody makes the opening of a window that is on longer, or ends it. Errors: why that can't be done.
    pub fn change_window(&mut self, name: &str, longer_by: Option<Span>, who: &str) -> Result<(), String> {
        let wanted = longer_by.map_or(Wanted::End, Wanted::Longer);
        let wish = ChangeWish { window: name.to_owned(), wanted, who: who.to_owned(), note: String::new() };
        let windows: Vec<Window> = self.policy.windows().cloned().collect();
        let change = wish.change(&windows, self.now)?;
        self.policy.change_window(&change);
        self.book.decide_soon(self.now);
        self.settle();
        Ok(())
    }

    /// Somebody wants something. Errors: why it can't be done.
    pub fn wish(&mut self, wish: Wish) -> Result<(), String> {
        self.book.wish(&self.policy, wish, self.now)?;
        self.settle();
        Ok(())
    }

    /// Time goes on until `at`; what falls due on the way is done when it does.
    pub fn wait_until(&mut self, at: Timestamp) {
        while let Some(due) = self.book.wakes_at().filter(|due| self.now < *due && *due < at) {
            self.now = due;
            self.settle();
        }
        self.now = at;
        self.settle();
    }

    /// The process was killed, and begins again with what is on the disk.
    pub fn restart(&mut self) {
        let open: Vec<Record> = self.disk.values().filter(|record| record.is_open).cloned().collect();
        (self.book, _) = Book::of_records(&open, &self.policy, self.now);
        self.settle();
    }

    /// All messages that were ever decided, as they were kept last.
    pub fn messages(&self) -> Vec<Outgoing> {
        let of_kind = self.disk.values().filter(|record| record.kind == RecordKind::Outgoing);
        of_kind.filter_map(|record| serde_json::from_str(record.document.as_ref()?).ok()).collect()
    }

    /// Decides, keeps, delivers, keeps, until nothing is left to do now.
    fn settle(&mut self) {
        for change in self.policy.windows_begun_by(self.book.firing(), self.now) {
            self.policy.change_window(&change);
        }
        for _ in 0..ROUNDS_AT_MOST {
            self.book.decide(&self.policy, self.now);
            self.keep();
            let rows = self.book.deliveries(self.now, false);
            if rows.is_empty() {
                return;
            }
            for row in rows {
                let attempt = self.attempt(&row);
                self.book.delivered(&self.policy, &row.key, attempt.into(), self.now);
            }
        }
    }

    fn attempt(&mut self, row: &Outgoing) -> Result<Delivered, Failure> {
        if self.down.contains(&row.telling.channel) {
            let detail = "it is down".to_owned();
            return Err(Failure { reason: FailureReason::Connection, detail, is_permanent: false, retry_after: None });
        }
        self.told.push((self.now, row.telling.clone()));
        Ok(Delivered { answer: "200".to_owned(), reference: None })
    }

    fn keep(&mut self) {
        for record in self.book.records(self.now) {
            let key = (record.kind, record.key.clone());
            match record.document {
                Some(_) => drop(self.disk.insert(key, record)),
                None => drop(self.disk.remove(&key)),
            }
        }
        self.book.kept();
    }
}
