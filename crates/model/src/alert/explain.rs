//! Why somebody was told of an alert, or was not: the whole chain of decisions, in order.
//!
//! It asks the same functions that decide, so that it cannot say anything else than what happened.

use serde::Serialize;

use super::{
    Alert, Book, Phase, Policy,
    outbox::{Outcome, Outgoing, State},
    unsent::{self, To},
};
use crate::{Timestamp, config::length_text};

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Which decision: `rule`, `for`, `cause` and so on.
    pub step: &'static str,
    /// What was decided, in a sentence without a final period.
    pub said: String,
    /// Nothing after it could be reached.
    pub stops: bool,
}

fn link(step: &'static str, said: impl Into<String>) -> Link {
    Link { step, said: said.into(), stops: false }
}

fn stop(step: &'static str, said: impl Into<String>) -> Link {
    Link { step, said: said.into(), stops: true }
}

/// The chain of an alert: from its rule to the last attempt to tell it. `past` are messages that were dealt with.
pub fn chain(book: &Book, policy: &Policy, alert: &Alert, past: &[Outgoing], now: Timestamp) -> Vec<Link> {
    let mut links = vec![of_rule(policy, alert), of_phase(policy, alert, now)];
    links.extend(
        alert
            .in_doubt
            .as_ref()
            .map(|reason| link("doubt", format!("it cannot be seen at present: {reason}; so it stays as it is"))),
    );
    links.extend(alert.is_flapping.then(|| {
        link(
            "flapping",
            format!(
                "it comes and goes ({:.0} % of its last results changed): its end is told when it has settled",
                alert.history.flapping()
            ),
        )
    }));
    if alert.phase == Phase::Pending {
        if let Some(last) = links.last_mut() {
            last.stops = true;
        }
        return links;
    }
    if alert.is_firing() {
        let held = unsent::Holding::of(book, policy, now).back(alert);
        links.push(match &held {
            None => link("held", "nothing holds it: no cause, window, silence or acknowledgement"),
            Some(mute) => stop("held", mute.text.clone()),
        });
    }
    let receivers = unsent::receivers(policy, alert, now);
    if receivers.is_empty() {
        links.push(stop(
            "route",
            if policy.routes.is_empty() {
                "no channel is configured: nobody can be told (`channels`)"
            } else {
                "no route leads to a channel"
            },
        ));
    }
    for (route, receiver) in receivers {
        let step =
            if receiver.step == 0 { String::new() } else { format!(", step {} of its escalation", receiver.step) };
        links.push(link(
            "route",
            format!("route {}{step} leads to {}, together with {}", route.name, receiver.channel, receiver.group_key),
        ));
        if now < receiver.from {
            links.push(link(
                "escalation",
                format!("{} is told from {} on, unless somebody acknowledges it", receiver.channel, receiver.from),
            ));
            continue;
        }
        let to = To { channel: receiver.channel, group_key: receiver.group_key };
        links.push(of_told(book, alert, &to, route, now));
    }
    let about = |row: &&Outgoing| row.telling.alerts.iter().any(|told| told.alert.id == alert.id);
    let rows = past.iter().filter(|row| !book.outbox.contains_key(&row.key)).chain(book.outbox.values()).filter(about);
    links.extend(rows.map(of_message));
    links
}

fn of_rule(policy: &Policy, alert: &Alert) -> Link {
    let Some(rule) = policy.rule(&alert.rule) else {
        return link("rule", format!("{} is no rule of ours: it was posted, or its rule was taken out", alert.rule));
    };
    let whose = if rule.is_own { "of the configuration" } else { "built in" };
    link(
        "rule",
        format!("{} ({whose}) looks for {}; it says {}: {}", rule.name, rule.of, alert.severity, alert.summary),
    )
}

fn of_phase(policy: &Policy, alert: &Alert, now: Timestamp) -> Link {
    let timing = policy.rule(&alert.rule).map(|rule| rule.timing).unwrap_or_default();
    let time = |at: Option<Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    match alert.phase {
        Phase::Pending if timing.times <= alert.history.n_bad(timing.of) => {
            let since = alert.bad_since.unwrap_or(now);
            let until = Timestamp(since.0 + timing.hold.0);
            link(
                "for",
                format!(
                    "bad since {since}; it fires if that is still so at {until} (for: {})",
                    length_text(timing.hold)
                ),
            )
        }
        Phase::Pending => link(
            "times",
            format!(
                "bad {} times of the last {}; it fires at {}",
                alert.history.n_bad(timing.of),
                timing.of,
                timing.times
            ),
        ),
        Phase::Firing => match alert.good_since {
            None => link("firing", format!("it fires since {}", time(alert.starts_at))),
            Some(since) => link(
                "keep_firing_for",
                format!("well since {since}; it ends if that lasts {}", length_text(timing.keep_firing)),
            ),
        },
        Phase::Resolved => {
            link("resolved", format!("it fired from {} to {}", time(alert.starts_at), time(alert.ends_at)))
        }
    }
}

fn of_told(book: &Book, alert: &Alert, to: &To, route: &super::route::Route, now: Timestamp) -> Link {
    let told = book.told.get(to);
    let heard = told.is_some_and(|told| told.firing.contains_key(&alert.id));
    match (alert.phase, told) {
        (Phase::Firing, Some(told)) if heard => {
            let again = Timestamp(told.at.0 + route.repeat_interval.0);
            link("told", format!("{} was told at {}; again at {again} if it goes on", to.channel, told.at))
        }
        (Phase::Firing, Some(told)) => {
            let at = Timestamp(told.at.0 + route.group_interval.0);
            link("group_interval", format!("{} was told of its group at {}; of this one at {at}", to.channel, told.at))
        }
        (Phase::Firing, None) if now < book.settled_at() => {
            link("settle", format!("the daemon has just started: nothing is told before {}", book.settled_at()))
        }
        (Phase::Firing, None) => {
            let at = Timestamp(alert.starts_at.unwrap_or(now).0 + route.group_wait.0);
            link("group_wait", format!("{} is told from {at} on, with what else belongs to it", to.channel))
        }
        (_, _) if heard => link("told", format!("{} heard that it fires, and will hear of its end", to.channel)),
        (_, _) => link("told", format!("{} has nothing more to hear", to.channel)),
    }
}

fn of_message(row: &Outgoing) -> Link {
    let last = row.attempts.last().map(|attempt| match &attempt.outcome {
        Outcome::Delivered(delivered) => format!("; {} at {}", delivered.answer, attempt.at),
        Outcome::Failed(failure) => format!("; last failure at {}: {failure}", attempt.at),
    });
    let last = last.unwrap_or_default();
    let what = format!(
        "message {} to {} ({}), decided at {}",
        row.key,
        row.telling.channel,
        row.telling.reason.words(),
        row.decided_at
    );
    match &row.state {
        State::Delivered => link("delivered", format!("{what}: delivered with attempt {}{last}", row.n_attempts)),
        State::Waiting => {
            link("waiting", format!("{what}: {} attempts, the next at {}{last}", row.n_attempts, row.next_at))
        }
        State::Superseded(by) => link("superseded", format!("{what}: {by} told the same and more")),
        State::Buried(why) => stop("dead", format!("{what}: given up, {why}{last}")),
        State::Dead(why) => stop("dead", format!("{what}: given up, {why}")),
    }
}
