//! Reports in the turn: when one is due, and that it is sent once.
//!
//! What is kept of each is the time up to which it was sent. It is written in the commit that puts the report into the
//! outbox, so that a restart neither loses nor repeats one. What came due while nobody was here is sent once, for the
//! last of the times. Known gap: one that could not be written is tried again after a while, and is late then.

use std::collections::BTreeMap;

use super::State;
use crate::{
    Span, Timestamp,
    config::{Config, ReportEntry},
    record::{Record, RecordKind},
    report::Letter,
    turn::Effect,
};

/// One that could not be written is tried again after this time. Source: ours; the store is back by then, or is in trouble
/// that is told otherwise.
const AGAIN: Span = Span::minutes(5);

/// What is known of reports.
#[derive(Debug, Default)]
pub struct Letters {
    known: BTreeMap<String, Known>,
    under_way: Option<String>,
    /// When the next one is due.
    next_at: Option<Timestamp>,
}

/// What is known of one report.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// It was sent for all times up to this one.
    sent_for: Timestamp,
    again_at: Option<Timestamp>,
    has_changed: bool,
    is_being_kept: bool,
}

impl State {
    /// Goes on with what was known of reports: those among these records.
    #[must_use]
    pub fn with_letters(mut self, records: &[Record]) -> State {
        for record in records.iter().filter(|record| record.kind == RecordKind::Report) {
            let sent_for = record.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
            // What can't be read counts as sent when it was written: none is sent twice for that.
            let known = Known {
                sent_for: sent_for.unwrap_or(record.at),
                again_at: None,
                has_changed: false,
                is_being_kept: false,
            };
            self.letters.known.insert(record.key.clone(), known);
        }
        self
    }
}

impl Letters {
    pub(super) fn have_changed(&self) -> bool {
        self.known.values().any(|known| known.has_changed)
    }

    /// What changed since it was last kept.
    pub(super) fn records(&mut self, now: Timestamp) -> Vec<Record> {
        let mut records = Vec::new();
        for (name, known) in self.known.iter_mut().filter(|(_, known)| known.has_changed) {
            (known.has_changed, known.is_being_kept) = (false, true);
            let document = serde_json::to_string(&known.sent_for).ok();
            records.push(Record { kind: RecordKind::Report, key: name.clone(), at: now, is_open: true, document });
        }
        records
    }

    pub(super) fn kept(&mut self) {
        self.known.values_mut().for_each(|known| known.is_being_kept = false);
    }

    pub(super) fn not_kept(&mut self) {
        for known in self.known.values_mut() {
            known.has_changed |= std::mem::take(&mut known.is_being_kept);
        }
    }
}

/// The report that is to be written now: one at a time.
pub(super) fn due(state: &mut State, config: &Config, now: Timestamp) -> Option<Effect> {
    // What was sent before this start is not known yet.
    if config.reports.is_empty() || !state.alerting.is_recalled || state.letters.under_way.is_some() {
        return None;
    }
    let letters = &mut state.letters;
    letters.next_at = None;
    let mut first: Option<(Timestamp, &ReportEntry)> = None;
    for report in &config.reports {
        let known = letters.known.entry(report.name.clone()).or_insert(Known {
            // It counts from when it was first asked for.
            sent_for: now,
            again_at: None,
            has_changed: true,
            is_being_kept: false,
        });
        // By a clock that was set back since, it would never be due again.
        if now < known.sent_for {
            (known.sent_for, known.has_changed) = (now, true);
        }
        let Some(at) = last_due(report, known.sent_for, now) else {
            let next = report.cadence().ok().and_then(|cadence| cadence.after(known.sent_for));
            letters.next_at = [letters.next_at, next].into_iter().flatten().min();
            continue;
        };
        if let Some(again_at) = known.again_at.filter(|again_at| now < *again_at) {
            letters.next_at = Some(letters.next_at.map_or(again_at, |next| next.min(again_at)));
            continue;
        }
        if first.is_none_or(|(earliest, _)| at < earliest) {
            first = Some((at, report));
        }
    }
    let (at, report) = first?;
    letters.under_way = Some(report.name.clone());
    Some(Effect::Write(report.name.clone(), at))
}

/// The last time after `sent_for` and not after `now` at which it was due.
fn last_due(report: &ReportEntry, sent_for: Timestamp, now: Timestamp) -> Option<Timestamp> {
    /// After a long time away of a report that is due each minute, that many are looked through.
    const AT_MOST: usize = 100_000;
    let cadence = report.cadence().ok()?;
    let times = std::iter::successors(cadence.after(sent_for), |at| cadence.after(*at));
    times.take_while(|at| *at <= now).take(AT_MOST).last()
}

/// Puts what was written into the outbox, and remembers that, in one commit.
pub(super) fn written(
    state: &mut State,
    name: &str,
    due_at: Timestamp,
    letter: Result<Letter, String>,
    config: &Config,
    now: Timestamp,
) {
    state.letters.under_way = None;
    let report = config.reports.iter().find(|report| report.name == name);
    let (Some(known), Some(report)) = (state.letters.known.get_mut(name), report) else { return };
    match letter {
        Ok(letter) => {
            (known.sent_for, known.again_at, known.has_changed) = (due_at, None, true);
            state.alerting.book.send(name, &report.channels, &letter, now);
        }
        Err(_) => known.again_at = Some(Timestamp(now.0 + AGAIN.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::{Book, Policy},
        record::Commit,
        turn::{Event, Pace, turn},
    };

    const PACE: Pace = Pace { interval: Span::minutes(5), at_once: 1 };

    fn config(due: &str) -> Config {
        let text = format!(
            "channels:\n  file: [{{name: log, path: /tmp/x}}]\nreports:\n  - {{name: weekly, due: \"{due}\", channels: [log]}}\n"
        );
        Config::from_yaml(&text, "f").unwrap().0
    }

    /// A daemon and its disk.
    struct World {
        config: Config,
        state: State,
        disk: Vec<Record>,
        sent: Vec<String>,
        /// Nothing can be written.
        is_ill: bool,
    }

    impl World {
        fn begun(config: Config, now: i64) -> World {
            let disk = Vec::new();
            let state = World::started(&config, &disk, now);
            World { config, state, disk, sent: Vec::new(), is_ill: false }
        }

        fn started(config: &Config, disk: &[Record], now: i64) -> State {
            let policy = Policy::of(config);
            let (book, bad) = Book::of_records(disk, &policy, Timestamp(now));
            assert!(bad.is_empty(), "{bad:?}");
            State::watching([], Timestamp(now)).with_alerts(book, policy).with_letters(disk)
        }

        /// Killed and started again: only what is on the disk is known.
        fn restarted(&mut self, now: i64) {
            self.state = World::started(&self.config, &self.disk, now);
        }

        /// Does all that is to be done; `dies_before` names an effect before which the daemon is killed.
        fn at(&mut self, now: i64, dies_before: &str) {
            let mut events = vec![Event::Tick];
            while let Some(event) = events.pop() {
                for effect in turn(&mut self.state, event, &self.config, PACE, Timestamp(now)) {
                    let name = format!("{effect:?}");
                    if !dies_before.is_empty() && name.starts_with(dies_before) {
                        return;
                    }
                    match effect {
                        Effect::Write(name, at) => {
                            let letter = Letter { title: at.rfc3339(), ..Letter::default() };
                            let letter = if self.is_ill { Err("the store is gone".into()) } else { Ok(letter) };
                            events.push(Event::Written(name, at, letter));
                        }
                        Effect::Keep(commit) => {
                            self.keep(*commit);
                            events.push(Event::Kept(None));
                        }
                        Effect::Deliver(row) => {
                            self.sent.push(row.telling.letter.clone().unwrap().title);
                            let delivered = crate::alert::outbox::Outcome::Delivered(Default::default());
                            events.push(Event::Delivered(row.key.clone(), delivered));
                        }
                        _ => {}
                    }
                }
            }
        }

        fn keep(&mut self, commit: Commit) {
            for record in commit.records {
                self.disk.retain(|other| (other.kind, &other.key) != (record.kind, &record.key));
                self.disk.extend(Some(record).filter(|record| record.is_open && record.document.is_some()));
            }
        }
    }

    /// 2026-01-05 is a Monday.
    fn at(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().0
    }

    #[test]
    fn a_report_is_sent_when_it_is_due_and_once() {
        let mut world = World::begun(config("0 8 * * 1"), at("2026-01-04T12:00:00Z"));
        world.at(at("2026-01-04T12:00:01Z"), "");
        world.at(at("2026-01-05T07:59:59Z"), "");
        assert!(world.sent.is_empty());
        world.at(at("2026-01-05T08:00:00Z"), "");
        world.at(at("2026-01-05T08:10:00Z"), "");
        world.restarted(at("2026-01-05T08:20:00Z"));
        world.at(at("2026-01-05T08:30:00Z"), "");
        assert_eq!(world.sent, ["2026-01-05T08:00:00Z"]);
        world.at(at("2026-01-12T08:00:00Z"), "");
        assert_eq!(world.sent, ["2026-01-05T08:00:00Z", "2026-01-12T08:00:00Z"]);
    }

    #[test]
    fn a_daemon_that_is_killed_at_any_step_sends_it_after_the_next_start() {
        for step in ["Write", "Keep", "Deliver"] {
            let mut world = World::begun(config("0 8 * * 1"), at("2026-01-04T12:00:00Z"));
            world.at(at("2026-01-04T12:00:01Z"), "");
            world.at(at("2026-01-05T08:00:00Z"), step);
            world.restarted(at("2026-01-05T08:05:00Z"));
            world.at(at("2026-01-05T08:05:01Z"), "");
            world.at(at("2026-01-05T08:15:00Z"), "");
            assert_eq!(world.sent, ["2026-01-05T08:00:00Z"], "killed before {step}");
        }
    }

    #[test]
    fn what_came_due_while_nobody_was_here_is_sent_once() {
        let mut world = World::begun(config("1d"), at("2026-01-04T12:00:00Z"));
        world.at(at("2026-01-04T12:00:00Z"), "");
        world.restarted(at("2026-01-09T13:00:00Z"));
        world.at(at("2026-01-09T13:00:01Z"), "");
        world.at(at("2026-01-09T13:10:00Z"), "");
        assert_eq!(world.sent, ["2026-01-09T12:00:00Z"]);
        assert_eq!(world.state.letters.next_at, Some(Timestamp(at("2026-01-10T12:00:00Z"))));
    }

    #[test]
    fn one_that_cannot_be_written_is_tried_again() {
        let mut world = World::begun(config("1d"), 0);
        world.at(0, "");
        let due = Timestamp(86_400);
        world.is_ill = true;
        world.at(due.0, "");
        world.is_ill = false;
        world.at(due.0 + 1, "");
        assert!(world.sent.is_empty(), "not at once");
        world.at(due.0 + AGAIN.0, "");
        assert_eq!(world.sent, [due.rfc3339()]);
    }
}
