//! Our own network and our own clock: while one of them is in doubt, what rests on it is neither bad nor well.
//!
//! Who else would say so? A machine that reaches nobody sees every remote gone, and one whose clock was set sees every age wrong. That
//! is told once, as a promise of ours that is not kept, and not once for each repository and branch.

use std::collections::BTreeMap;

use super::rule::{Of, Rule};
use crate::{
    Span, Timestamp,
    checks::{self, Check, Judged},
    look::Cost,
    metrics,
    notice::{Failure, FailureReason},
};

/// How long it counts that somebody answered, or did not. Source: ours; twelve looks of the usual interval.
const COUNTS_FOR: Span = Span::hours(1);

/// How many must be silent, with nobody who answers, before it is us. Source: ours; of one alone nobody can say whose fault it is.
const SILENT_AT_LEAST: usize = 2;

/// A clock that is set back by more is in doubt. Source: ours; less than any limit in minutes that checks have.
const STEP_AT_LEAST: Span = Span::minutes(5);

/// How long a clock is in doubt that was set back, at most. Source: ours; what is still wrong then shows in the dates of files.
const CLOCK_SETTLES_IN: Span = Span::hours(1);

/// Somebody on another machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Other {
    /// A host that a remote lies on.
    Host(String),
    /// A channel.
    Channel(String),
    /// Who watches over us.
    Heartbeat,
}

/// What is known of our own network and clock.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    /// What became of the last call of each.
    calls: BTreeMap<Other, Call>,
    /// The clock was set back at the first time by this much, and is in doubt until the second.
    stepped: Option<(Timestamp, Span, Timestamp)>,
}

/// What became of the last call of somebody.
#[derive(Clone, Copy, Debug)]
struct Call {
    at: Timestamp,
    /// Since when nothing was heard; `None` = it answered.
    silent_since: Option<Timestamp>,
}

impl Doubts {
    /// Somebody was called, and answered or did not.
    pub fn called(&mut self, other: Other, answered: bool, now: Timestamp) {
        let before = self.calls.get(&other).and_then(|call| call.silent_since);
        let silent_since = (!answered).then(|| before.unwrap_or(now));
        self.calls.insert(other, Call { at: now, silent_since });
    }

    /// The clock was set back by so much, to `now`.
    pub fn set_back(&mut self, by: Span, now: Timestamp) {
        for call in self.calls.values_mut() {
            (call.at, call.silent_since) = (call.at.min(now), call.silent_since.map(|since| since.min(now)));
        }
        if STEP_AT_LEAST < by {
            self.stepped = Some((now, by, Timestamp(now.0.saturating_add(by.0.min(CLOCK_SETTLES_IN.0)))));
        }
    }

    /// Why our own network is in doubt; `None` = it is not.
    pub fn network(&self, now: Timestamp) -> Option<String> {
        let lately = || self.calls.iter().filter(|(_, call)| now.since(call.at) <= COUNTS_FOR);
        let silent = || lately().filter_map(|(other, call)| Some((other, call.silent_since?)));
        let newest = silent().map(|(_, since)| since).max()?;
        // Who answered before the last one fell silent tells nothing of now.
        let is_heard = lately().any(|(_, call)| call.silent_since.is_none() && newest <= call.at);
        if is_heard || silent().count() < SILENT_AT_LEAST {
            return None;
        }
        let hosts =
            silent().filter_map(|(other, _)| if let Other::Host(name) = other { Some(name.as_str()) } else { None });
        let channels = silent().filter(|(other, _)| matches!(other, Other::Channel(_))).count();
        let hosts: Vec<&str> = hosts.collect();
        let of_hosts = (!hosts.is_empty()).then(|| format!("none of the hosts {}", hosts.join(", ")));
        let of_channels = (0 < channels).then(|| format!("none of {}", crate::words::count(channels, "channel")));
        let who: Vec<String> = of_hosts.into_iter().chain(of_channels).collect();
        Some(format!("our own network is in doubt: {} answers", who.join(" and ")))
    }

    /// Why our own clock is in doubt; `None` = it is not.
    pub fn clock(&self, now: Timestamp) -> Option<String> {
        let (at, by, until) = self.stepped.filter(|(_, _, until)| now < *until)?;
        Some(format!("our own clock is in doubt until {until}: it was set back by {by} at {at}"))
    }

    /// What is in doubt where this was seen. A date that can't be right is found by a check.
    pub fn here(&self, judged: &[Judged], now: Timestamp) -> Here {
        let wrong =
            || judged.iter().filter(|judged| judged.check.id == CLOCK).find_map(|judged| judged.findings.first());
        let of_check = || wrong().map(|finding| format!("our own clock is in doubt: {}", finding.summary));
        Here { network: self.network(now), clock: self.clock(now).or_else(of_check) }
    }
}

/// The check that looks at the clock itself.
const CLOCK: &str = "clock";

/// What is in doubt at one look.
#[derive(Clone, Debug, Default)]
pub struct Here {
    network: Option<String>,
    clock: Option<String>,
}

impl Here {
    /// In doubt for these reasons.
    pub fn of(network: Option<String>, clock: Option<String>) -> Here {
        Here { network, clock }
    }

    /// Why it can't be said what this rule found, or a part of it.
    pub fn of_rule(&self, rule: &Rule) -> Option<&str> {
        let Of::Findings { checks, .. } = &rule.of else { return self.of_numbers(rule) };
        checks.iter().filter_map(|id| checks::by_id(id)).find_map(|check| self.of_check(check))
    }

    /// Is it the clock?
    pub fn is_of_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Why it can't be said what this check found.
    pub fn of_check(&self, check: &Check) -> Option<&str> {
        let asks_others = check.needs.iter().any(|look| look.cost() == Cost::Network);
        let goes_by_clock = || checks::BY_CLOCK.iter().any(|other| other.id == check.id);
        let network = self.network.as_deref().filter(|_| asks_others);
        network.or_else(|| self.clock.as_deref().filter(|_| goes_by_clock()))
    }

    /// Why it can't be said what a rule about numbers found.
    pub fn of_numbers(&self, rule: &Rule) -> Option<&str> {
        let is_time = |name: &str| metrics::by_name(name).is_some_and(|metric| metric.unit == "seconds");
        let goes_by_clock = || match &rule.of {
            // A window of hours is none by a clock that jumps.
            Of::BudgetBurns(_) => true,
            Of::Metric { bad, .. } => is_time(&bad.metric),
            _ => false,
        };
        self.clock.as_deref().filter(|_| goes_by_clock())
    }
}

/// Did the other side answer, whatever it said? `None` = that tells nothing of the network.
pub fn answered(failure: Option<&Failure>) -> Option<bool> {
    match failure.map(|failure| failure.reason) {
        Some(FailureReason::UnknownHost | FailureReason::Connection | FailureReason::TimedOut) => Some(false),
        Some(FailureReason::Configuration | FailureReason::Refused | FailureReason::LocalError) => None,
        _ => Some(true),
    }
}

/// Words of Git, of its transports and of ours, for a host that nothing was heard of.
const SILENCE: [&str; 9] = [
    "resolve host",
    "name resolution",
    "Failed to connect",
    "Couldn't connect",
    "unable to connect",
    "did not answer within",
    "timed out",
    "unreachable",
    "No route to host",
];

/// Does this reason say that nothing was heard of the host?
pub fn is_silence(reason: &str) -> bool {
    SILENCE.iter().any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Other {
        Other::Host(name.to_owned())
    }

    #[test]
    fn it_is_us_where_nobody_answers_and_there_are_several() {
        let mut doubts = Doubts::default();
        doubts.called(host("a.example"), false, Timestamp(0));
        assert_eq!(doubts.network(Timestamp(60)), None, "of one alone nobody can say whose fault it is");
        doubts.called(Other::Channel("team".into()), false, Timestamp(60));
        let told = doubts.network(Timestamp(60)).unwrap();
        assert_eq!(told, "our own network is in doubt: none of the hosts a.example and none of 1 channel answers");
        doubts.called(host("b.example"), true, Timestamp(70));
        assert_eq!(doubts.network(Timestamp(80)), None, "one answers");
        doubts.called(host("b.example"), false, Timestamp(90));
        assert!(doubts.network(Timestamp(90)).is_some());
        assert_eq!(doubts.network(Timestamp(90 + 2 * 3_600)), None, "that is long ago");
        doubts.called(Other::Heartbeat, true, Timestamp(80));
        assert!(doubts.network(Timestamp(100)).is_some(), "it answered before the last one fell silent");
        doubts.called(Other::Heartbeat, true, Timestamp(95));
        assert_eq!(doubts.network(Timestamp(100)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_is_in_doubt_until_it_is_where_it_was_or_for_an_hour() {
        let mut doubts = Doubts::default();
        doubts.set_back(Span::minutes(4), Timestamp(10_000));
        assert_eq!(doubts.clock(Timestamp(10_000)), None);
        doubts.set_back(Span::minutes(20), Timestamp(10_000));
        assert!(doubts.clock(Timestamp(11_199)).is_some());
        assert_eq!(doubts.clock(Timestamp(11_200)), None);
        doubts.set_back(Span::days(3), Timestamp(10_000));
        assert!(doubts.clock(Timestamp(13_599)).is_some());
        assert_eq!(doubts.clock(Timestamp(13_600)), None);
    }

    #[test]
    fn an_answer_that_says_no_is_an_answer() {
        for silent in [
            "fatal: unable to access 'https://x/': Could not resolve host: x",
            "Failed to connect to x port 443",
            "it did not answer within 10 s",
            "fatal: unable to connect to x: Network is unreachable",
        ] {
            assert!(is_silence(silent), "{silent}");
        }
        for heard in ["fatal: repository 'https://x/y/' not found", "The requested URL returned error: 503"] {
            assert!(!is_silence(heard), "{heard}");
        }
    }

    #[test]
    fn what_rests_on_the_clock_does_not_include_what_was_lost() {
        let here = Here { network: Some("network".into()), clock: Some("clock".into()) };
        let of = |id: &str| here.of_check(checks::by_id(id).unwrap());
        assert_eq!(of("remote-unreachable"), Some("network"));
        assert_eq!(of("run-missed"), Some("clock"));
        assert_eq!(of("stale"), Some("clock"));
        for id in ["work-lost", "dropped-side", "conflicting", "missing-objects", "clock", "host-disk"] {
            assert_eq!(of(id), None, "{id}");
        }
    }
}
