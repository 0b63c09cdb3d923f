//! The life of an alert: pending, firing, resolved, and what damps it.
//!
//! One pure function over one alert. An alert fires when what is bad lasts (`for`) or comes back often enough (so many of
//! the last results), ends when it is well for long enough (`keep_firing_for`), and stays as it is while it cannot be
//! seen: missing data neither fires nor resolves (prometheus#14085).

use serde::{Deserialize, Serialize};

use super::Alert;
use crate::{Severity, Span, Timestamp};

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Bad, but not for long or often enough.
    Pending,
    /// Bad.
    Firing,
    /// Was bad, and is over.
    Resolved,
}

/// What damps an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// How long it must be bad before it fires.
    pub hold: Span,
    /// How long it must be well before it ends.
    pub keep_firing: Span,
    /// How many of the last [`Timing::of`] results must be bad before it fires.
    pub times: u32,
    /// See `times`; at most 32.
    pub of: u32,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { hold: Span(0), keep_firing: Span(0), times: 1, of: 1 }
    }
}

/// What one evaluation saw of an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Result {
    /// Bad, this much.
    Bad(Severity),
    /// Well.
    Good,
    /// It could not be seen, for this reason.
    Doubt(String),
}

/// What an evaluation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Nothing that anyone needs to hear of.
    No,
    /// It never fired and is well again: it can be forgotten.
    Gone,
    /// It fires from now on.
    Fired,
    /// It is graver than before, or less grave.
    Severity,
    /// It comes and goes too often from now on, or no longer does.
    Flapping,
    /// It is over.
    Resolved,
}

/// The last results, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// A bit for each, the newest lowest; 1 = bad.
    bits: u32,
    /// How many there are, at most 32.
    n: u32,
}

/// Results that flapping is judged by. Source: Icinga 2, lib/icinga/checkable-flapping.cpp: 20.
const FLAP_RESULTS: u32 = 20;
/// From here on it flaps, in percent. Source: Icinga 2, `flapping_threshold_high`.
const FLAPS_ABOVE: f64 = 30.0;
/// Below it does no more, in percent. Source: Icinga 2, `flapping_threshold_low`.
const SETTLES_BELOW: f64 = 25.0;

impl History {
    fn push(&mut self, is_bad: bool) {
        self.bits = (self.bits << 1) | u32::from(is_bad);
        self.n = (self.n + 1).min(u32::BITS);
    }

    fn is_bad(self, back: u32) -> bool {
        self.bits >> back & 1 == 1
    }

    /// How many of the last `of` were bad.
    pub fn n_bad(self, of: u32) -> u32 {
        (0..of.min(self.n)).filter(|&back| self.is_bad(back)).count() as u32
    }

    /// How much it changes, in percent: changes among the last 20 results, the newer ones weighing more (0.8 to 1.18).
    ///
    /// Source: Icinga 2, docs/08-advanced-topics.md, "Check Flapping".
    pub fn flapping(self) -> f64 {
        let pairs = self.n.min(FLAP_RESULTS + 1).saturating_sub(1);
        let weight = |back: u32| 1.18 - 0.02 * f64::from(back);
        let changes = (0..pairs).filter(|&back| self.is_bad(back) != self.is_bad(back + 1)).map(weight);
        100.0 * changes.sum::<f64>() / f64::from(FLAP_RESULTS)
    }
}

/// Moves an alert by one result.
pub fn step(alert: &mut Alert, result: &Result, timing: Timing, now: Timestamp) -> Moved {
    match result {
        Result::Doubt(reason) => {
            alert.in_doubt = Some(reason.clone());
            Moved::No
        }
        Result::Bad(severity) => {
            alert.in_doubt = None;
            let before = std::mem::replace(&mut alert.severity, *severity);
            alert.history.push(true);
            alert.seen_at = now;
            alert.good_since = None;
            let flaps = follow_flapping(alert);
            match bad(alert, timing, now) {
                Moved::No if flaps => Moved::Flapping,
                Moved::No if alert.phase == Phase::Firing && before != *severity => Moved::Severity,
                moved => moved,
            }
        }
        Result::Good => {
            alert.in_doubt = None;
            alert.history.push(false);
            alert.bad_since = None;
            let flaps = follow_flapping(alert);
            match good(alert, timing, now) {
                Moved::No if flaps => Moved::Flapping,
                moved => moved,
            }
        }
    }
}

fn bad(alert: &mut Alert, timing: Timing, now: Timestamp) -> Moved {
    if alert.phase == Phase::Firing {
        return Moved::No;
    }
    if alert.phase == Phase::Resolved {
        begin_anew(alert);
    }
    let bad_since = *alert.bad_since.get_or_insert(now);
    let is_long_enough = timing.hold <= now.since(bad_since);
    let is_often_enough = timing.times <= alert.history.n_bad(timing.of);
    if !(is_long_enough && is_often_enough) {
        return Moved::No;
    }
    (alert.phase, alert.starts_at) = (Phase::Firing, Some(now));
    alert.id = format!("{}-{}", alert.fingerprint, now.0);
    Moved::Fired
}

fn good(alert: &mut Alert, timing: Timing, now: Timestamp) -> Moved {
    match alert.phase {
        // Some of the last results were bad: it is forgotten when none is.
        Phase::Pending if 0 < alert.history.n_bad(timing.of) => Moved::No,
        Phase::Pending => Moved::Gone,
        Phase::Resolved => Moved::No,
        Phase::Firing => {
            let good_since = *alert.good_since.get_or_insert(now);
            // What comes and goes is not told each time: it ends when it has settled.
            if alert.is_flapping || now.since(good_since) < timing.keep_firing {
                return Moved::No;
            }
            (alert.phase, alert.ends_at, alert.ack) = (Phase::Resolved, Some(now), None);
            Moved::Resolved
        }
    }
}

/// The same cause again is a new alert, with what is known of how often it comes.
fn begin_anew(alert: &mut Alert) {
    (alert.phase, alert.starts_at, alert.ends_at, alert.ack) = (Phase::Pending, None, None, None);
}

fn follow_flapping(alert: &mut Alert) -> bool {
    let value = alert.history.flapping();
    let is_flapping = if alert.is_flapping { SETTLES_BELOW <= value } else { FLAPS_ABOVE < value };
    let was = std::mem::replace(&mut alert.is_flapping, is_flapping);
    was != is_flapping && alert.phase == Phase::Firing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn at(minute: i64) -> Timestamp {
        Timestamp(60 * minute)
    }

    const BAD: Result = Result::Bad(Severity::Error);

    fn lived(timing: Timing, results: &[(i64, Result)]) -> Vec<(i64, Moved)> {
        let mut alert = sample::pending();
        let moved = |(minute, result): &(i64, Result)| (*minute, step(&mut alert, result, timing, at(*minute)));
        results.iter().map(moved).filter(|(_, moved)| *moved != Moved::No).collect()
    }

    #[test]
    fn it_fires_when_it_is_bad_for_long_enough_and_ends_when_it_is_well_for_long_enough() {
        let timing = Timing { hold: Span::minutes(10), keep_firing: Span::minutes(5), ..Timing::default() };
        let results =
            [(0, BAD), (5, BAD), (10, BAD), (15, Result::Good), (18, BAD), (20, Result::Good), (25, Result::Good)];
        assert_eq!(lived(timing, &results), [(10, Moved::Fired), (25, Moved::Resolved)]);
    }

    #[test]
    fn what_was_bad_only_for_a_moment_is_forgotten() {
        let timing = Timing { hold: Span::minutes(10), ..Timing::default() };
        assert_eq!(lived(timing, &[(0, BAD), (5, Result::Good)]), [(5, Moved::Gone)]);
        // `for` begins anew with each good result.
        assert_eq!(lived(timing, &[(0, BAD), (5, Result::Good), (6, BAD), (12, BAD)]), [(5, Moved::Gone)]);
    }

    #[test]
    fn so_many_of_the_last_results() {
        let timing = Timing { times: 3, of: 5, ..Timing::default() };
        let results = [(0, BAD), (1, Result::Good), (2, BAD), (3, Result::Good), (4, BAD)];
        assert_eq!(lived(timing, &results), [(4, Moved::Fired)]);
        let rare =
            [(0, BAD), (1, Result::Good), (2, Result::Good), (3, Result::Good), (4, Result::Good), (5, Result::Good)];
        assert_eq!(lived(timing, &rare), [(5, Moved::Gone)]);
    }

    #[test]
    fn what_cannot_be_seen_neither_fires_nor_resolves() {
        let doubt = || Result::Doubt("it could not be read".into());
        let mut alert = sample::pending();
        step(&mut alert, &BAD, Timing::default(), at(0));
        assert_eq!(step(&mut alert, &doubt(), Timing::default(), at(500)), Moved::No);
        assert_eq!((alert.phase, alert.in_doubt.is_some()), (Phase::Firing, true));
        assert_eq!(step(&mut alert, &Result::Good, Timing::default(), at(501)), Moved::Resolved);
        assert_eq!(alert.in_doubt, None);
    }

    #[test]
    fn severity_moves_inside_one_alert() {
        let mut alert = sample::pending();
        step(&mut alert, &BAD, Timing::default(), at(0));
        let id = alert.id.clone();
        assert_eq!(step(&mut alert, &Result::Bad(Severity::Critical), Timing::default(), at(1)), Moved::Severity);
        assert_eq!((alert.id.clone(), alert.severity), (id, Severity::Critical));
    }

    #[test]
    fn the_same_cause_after_its_end_is_another_alert() {
        let mut alert = sample::pending();
        step(&mut alert, &BAD, Timing::default(), at(0));
        step(&mut alert, &Result::Good, Timing::default(), at(1));
        let first = alert.id.clone();
        assert_eq!(step(&mut alert, &BAD, Timing::default(), at(2)), Moved::Fired);
        assert_ne!(alert.id, first);
        assert_eq!((alert.starts_at, alert.ends_at), (Some(at(2)), None));
    }

    #[test]
    fn what_comes_and_goes_is_told_twice_and_not_twenty_times() {
        let mut alert = sample::pending();
        let mut told = Vec::new();
        for minute in 0..60 {
            // Bad and good by turns for half an hour, then well.
            let result = if minute < 30 && minute % 2 == 0 { BAD } else { Result::Good };
            let moved = step(&mut alert, &result, Timing::default(), at(minute));
            told.extend((moved != Moved::No).then_some((minute, moved)));
            assert_eq!(alert.is_flapping, (6..44).contains(&minute), "{minute}: {}", alert.history.flapping());
        }
        assert!(told.len() <= 10, "{told:?}");
        assert_eq!(told.last().map(|(_, moved)| *moved), Some(Moved::Resolved), "{told:?}");
    }

    /// Icinga's own example: every result a change is 99 %, none is 0 %.
    #[test]
    fn flapping_is_weighed_as_icinga_weighs_it() {
        let mut calm = History::default();
        (0..30).for_each(|_| calm.push(true));
        assert_eq!(calm.flapping(), 0.0);
        let mut wild = History::default();
        (0..30).for_each(|i| wild.push(i % 2 == 0));
        assert!((wild.flapping() - 99.0).abs() < 1e-9, "{}", wild.flapping());
    }
}
