//! Does alignwatch itself do what it should? Every look, judgement, message, step of an escalation, backup and task that
//! was due has happened, or is still ahead.
//!
//! What is broken is told as an alert ([`own-promise`](crate::alert::rule)), and stops the heartbeat: silence from us must
//! never look like all being well.

use serde_json::json;

use super::{Pace, State, tasks};
use crate::{
    Span, Timestamp,
    alert::{Book, own::Broken},
    config::Config,
    record::Reading,
    words::count,
};

/// What the audit says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that was due has happened.
    Well,
    /// It cannot be said yet: since the start not every repository was looked at.
    NotYet,
    /// These promises are not kept.
    Broken(Vec<Broken>),
}

/// How late a decision may be. Source: ours; the loop wakes four times a second.
const DECISION_LATE: Span = Span::minutes(1);

/// All promises that are not kept at present, besides that of the heartbeat itself.
pub(super) fn broken(state: &State, config: &Config, pace: Pace, now: Timestamp) -> Vec<Broken> {
    let mut broken = Vec::new();
    let (book, policy) = (&state.alerting.book, &state.alerting.policy);
    let n_overdue = state.overdue(pace, now);
    if 0 < n_overdue && !is_young(state, pace, now) {
        let repositories = count(n_overdue, "repository");
        broken.push(Broken::new("sweeps", format!("{repositories} not looked at for twice the interval")));
    }
    if let Some(reason) = &state.store_trouble {
        broken.push(Broken::new("store", format!("the store is in trouble: {reason}")));
    }
    if !state.alerting.is_recalled {
        broken.push(Broken::new(
            "memory",
            "what was known of alerts could not be read yet, so that nobody is told anything".to_owned(),
        ));
    }
    broken.extend(unjudged_runs(state));
    if book.is_decision_late(DECISION_LATE, now) {
        broken.push(Broken::new(
            "decisions",
            "it was not decided in time what is told, such as a step of an escalation".to_owned(),
        ));
    }
    broken.extend(late_tasks(state, config, now));
    broken.extend(state.outside.broken());
    broken.extend(book.own_troubles(policy, now));
    broken
}

/// What the heartbeat says.
pub(super) fn verdict(state: &State, config: &Config, pace: Pace, now: Timestamp) -> Verdict {
    let broken = broken(state, config, pace, now);
    match broken.is_empty() {
        false => Verdict::Broken(broken),
        true if state.overdue(pace, now) == 0 => Verdict::Well,
        true => Verdict::NotYet,
    }
}

impl State {
    /// Numbers about alignwatch itself, as they are now.
    pub fn own_readings(&self, now: Timestamp) -> Vec<Reading> {
        let book = &self.alerting.book;
        let reading = |metric, labels: serde_json::Value, value| Reading {
            repository: String::new(),
            metric,
            labels: labels.to_string(),
            at: now,
            value,
        };
        let n_broken = book.broken.as_ref().map(Vec::len);
        let broken = n_broken.map(|n| reading("alignwatch_broken_promises", json!({}), n as f64));
        let heartbeat = book.heartbeat.well_at;
        let heartbeat = heartbeat.map(|at| reading("alignwatch_heartbeat_timestamp_seconds", json!({}), at.0 as f64));
        let planned = |channel: &String| self.alerting.policy.canaries.iter().any(|plan| plan.channel == *channel);
        let canaries = book.canaries.iter().filter(|(channel, _)| planned(channel)).filter_map(|(channel, canary)| {
            let at = canary.arrived_at?;
            Some(reading("alignwatch_canary_timestamp_seconds", json!({ "channel": channel }), at.0 as f64))
        });
        let readings = broken.into_iter().chain(heartbeat).chain(canaries).collect::<Vec<_>>();
        readings.into_iter().chain(deliveries(book, reading)).collect()
    }
}

/// What becomes of messages, by channel.
fn deliveries(book: &Book, reading: impl Fn(&'static str, serde_json::Value, f64) -> Reading) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (channel, tally) in book.tallies() {
        let of = |name, number: f64| reading(name, json!({ "channel": channel }), number);
        readings.push(of("alignwatch_delivery_attempts_total", tally.n_attempts as f64));
        readings.push(of("alignwatch_delivered_messages_total", tally.n_delivered as f64));
        readings.push(of("alignwatch_delivery_wait_seconds_total", tally.waited.0 as f64));
        readings.extend(tally.failures.iter().map(|(reason, n)| {
            let labels = json!({ "channel": channel, "reason": reason });
            reading("alignwatch_delivery_failures_total", labels, *n as f64)
        }));
    }
    let by_channel = |name, channel: &str, number: f64| reading(name, json!({ "channel": channel }), number);
    let dead = book.dead_by_channel().into_iter();
    readings.extend(dead.map(|(channel, n)| by_channel("alignwatch_dead_messages", channel, n as f64)));
    let oldest = book.oldest_waiting().into_iter();
    readings.extend(
        oldest.map(|(channel, at)| by_channel("alignwatch_oldest_undelivered_timestamp_seconds", channel, at.0 as f64)),
    );
    readings
}

/// In the first two intervals a repository may not have been looked at yet.
fn is_young(state: &State, pace: Pace, now: Timestamp) -> bool {
    now.since(state.alerting.book.settled_at()) < Span(2 * pace.interval.0)
}

/// Repositories in which it could not be judged whether the runs came that are expected.
fn unjudged_runs(state: &State) -> Option<Broken> {
    let mut unjudged =
        state.repositories.iter().filter_map(|(path, watched)| Some((path, watched.unjudged_runs.as_ref()?)));
    let (path, reason) = unjudged.next()?;
    let others = match unjudged.count() {
        0 => String::new(),
        n => format!(", and in {n} more"),
    };
    Some(Broken::new("runs", format!("it cannot be judged whether the expected runs came in {path}: {reason}{others}")))
}

/// Repositories whose maintenance was not asked for in time.
fn late_tasks(state: &State, config: &Config, now: Timestamp) -> Option<Broken> {
    let tended = state.repositories.keys().map(String::as_str).filter(|path| config.is_tended(path));
    let n_late = tended.filter(|path| state.tending.is_late(path, state.began_at, now)).count();
    let late_after = tasks::LATE_AFTER;
    (0 < n_late).then(|| {
        Broken::new("tasks", format!("maintenance of {} was not begun for {late_after}", count(n_late, "repository")))
    })
}
