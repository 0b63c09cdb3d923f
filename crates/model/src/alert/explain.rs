//! Why somebody was told of an alert, or was not: the whole chain of decisions, in order; and why a channel hears nothing.
//!
//! It asks the same functions that decide, so that it cannot say anything else than what happened. Of a time before, it
//! tells what is remembered of it.

mod channel;
mod rule;

pub use channel::of_channel;
pub use rule::of_rule_now;

use serde::Serialize;

use super::{
    Alert, Book, Phase, Policy,
    outbox::{Outcome, Outgoing, State},
    route::{Receiver, Route},
    unsent::{Holding, To},
};
use crate::{Severity, Span, Timestamp, config::length_text};

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Which decision: `rule`, `for`, `cause` and so on.
    pub step: &'static str,
    /// What was decided, in a sentence without a final period.
    pub said: String,
    /// Nothing after it could be reached.
    pub stops: bool,
    /// The channel that it is about; `None` = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Link {
    /// Does it say something about this channel?
    pub fn is_about(&self, channel: &str) -> bool {
        self.to.as_deref().is_none_or(|to| to == channel)
    }

    /// The same, about one channel.
    pub fn to(self, channel: &str) -> Link {
        Link { to: Some(channel.to_owned()), ..self }
    }
}

fn link(step: &'static str, said: impl Into<String>) -> Link {
    Link { step, said: said.into(), stops: false, to: None }
}

/// A link after which nothing could be reached.
pub fn stop(step: &'static str, said: impl Into<String>) -> Link {
    Link { stops: true, ..link(step, said) }
}

/// The chain of an alert: from its rule to the last attempt to tell it. `past` are messages that were dealt with.
pub fn chain(book: &Book, policy: &Policy, alert: &Alert, past: &[Outgoing], now: Timestamp) -> Vec<Link> {
    let mut links = vec![of_rule(policy, alert), of_phase(policy, alert, now)];
    links.extend(of_doubts(alert));
    if alert.phase == Phase::Pending {
        if let Some(last) = links.last_mut() {
            last.stops = true;
        }
        return links;
    }
    let holding = Holding::of(book, policy, now);
    let held = of_holds(&holding, alert);
    let is_held = held.iter().any(|link| link.stops);
    links.extend(held);
    let receivers = holding.receivers(alert);
    links.extend(receivers.is_empty().then(|| without_route(policy)));
    for (route, receiver) in receivers {
        links.push(of_route(&route.name, &receiver));
        let to = receiver.channel.clone();
        if now < receiver.from {
            let said = format!("{to} is told from {} on, unless somebody acknowledges it", receiver.from);
            links.push(link("escalation", said).to(&to));
            continue;
        }
        links.push(Asked { book, policy, alert, past, now }.of_told(route, &receiver, is_held).to(&to));
    }
    links.extend(messages_about(book, past, alert).map(|row| of_message(row).to(&row.telling.channel)));
    links
}

/// The chain as it was at a time before. Of who was told by then, the messages tell; acknowledgements that were over
/// before the alert ended are not remembered.
pub fn chain_at(book: &Book, policy: &Policy, alert: &Alert, past: &[Outgoing], at: Timestamp) -> Vec<Link> {
    let mut links = vec![of_rule(policy, alert)];
    let Some(then) = as_it_was(alert, at) else {
        let began = alert.starts_at.map_or_else(|| "later".to_owned(), |at| format!("at {at}"));
        links.push(stop("firing", format!("it did not fire yet at {at}: it began {began}")));
        return links;
    };
    links.push(of_phase(policy, &then, at));
    let holding = Holding::of(book, policy, at);
    links.extend(of_holds(&holding, &then));
    let receivers = holding.receivers(&then);
    links.extend(receivers.is_empty().then(|| without_route(policy)));
    links.extend(receivers.iter().map(|(route, receiver)| of_route(&route.name, receiver)));
    let by_then = |row: &Outgoing| {
        let mut row = row.clone();
        row.attempts.retain(|attempt| attempt.at <= at);
        row
    };
    let rows: Vec<Outgoing> =
        messages_about(book, past, alert).filter(|row| row.decided_at <= at).map(by_then).collect();
    links.extend(rows.is_empty().then(|| stop("told", format!("nobody had been told of it by {at}"))));
    links.extend(rows.iter().map(|row| of_message(row).to(&row.telling.channel)));
    links
}

/// `None` = it did not fire yet.
fn as_it_was(alert: &Alert, at: Timestamp) -> Option<Alert> {
    let mut then = alert.clone();
    alert.starts_at.filter(|began| *began <= at)?;
    then.ack = then.ack.filter(|ack| ack.at <= at);
    if alert.ends_at.is_some_and(|ended| at < ended) {
        (then.phase, then.ends_at, then.good_since) = (Phase::Firing, None, None);
    }
    Some(then)
}

fn messages_about<'a>(book: &'a Book, past: &'a [Outgoing], alert: &'a Alert) -> impl Iterator<Item = &'a Outgoing> {
    let about = |row: &&Outgoing| row.telling.alerts.iter().any(|told| told.alert.id == alert.id);
    past.iter().filter(|row| !book.outbox.contains_key(&row.key)).chain(book.outbox.values()).filter(about)
}

fn of_doubts(alert: &Alert) -> Vec<Link> {
    let doubt = alert.in_doubt.as_ref();
    let doubt =
        doubt.map(|reason| link("doubt", format!("it cannot be seen at present: {reason}; so it stays as it is")));
    let flapping = alert.is_flapping.then(|| {
        let changed = alert.history.flapping();
        let said = format!(
            "it comes and goes ({changed:.0} % of its last results changed): its end is told when it has settled"
        );
        link("flapping", said)
    });
    doubt.into_iter().chain(flapping).collect()
}

/// All that holds it: each has to end before it is told.
fn of_holds(holding: &Holding<'_>, alert: &Alert) -> Vec<Link> {
    if !alert.is_firing() {
        return Vec::new();
    }
    let held: Vec<Link> = holding.all(alert).map(|mute| stop("held", mute.text)).collect();
    match held.is_empty() {
        true => vec![link("held", "nothing holds it: no cause, window, silence or acknowledgement")],
        false => held,
    }
}

fn without_route(policy: &Policy) -> Link {
    let said = match policy.routes.is_empty() {
        true => "no channel is configured: nobody can be told (`channels`)",
        false => "no route leads to a channel",
    };
    stop("route", said)
}

fn of_route(route: &str, receiver: &Receiver) -> Link {
    let step = match receiver.step {
        0 => String::new(),
        step => format!(", step {step} of its escalation"),
    };
    let Receiver { channel, group_key, .. } = receiver;
    link("route", format!("route {route}{step} leads to {channel}, together with {group_key}")).to(channel)
}

fn of_rule(policy: &Policy, alert: &Alert) -> Link {
    let Some(rule) = policy.rule(&alert.rule) else {
        return link("rule", format!("{} is no rule of ours: it was posted, or its rule was taken out", alert.rule));
    };
    let whose = if rule.is_own { "of the configuration" } else { "built in" };
    link(
        "rule",
        format!(
            "{} ({whose}) looks for {}; it says {}: {}",
            rule.name,
            rule.looks_for(),
            alert.severity,
            alert.summary
        ),
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

/// What is asked, of whom.
struct Asked<'a> {
    book: &'a Book,
    policy: &'a Policy,
    alert: &'a Alert,
    past: &'a [Outgoing],
    now: Timestamp,
}

impl Asked<'_> {
    /// What this channel heard of it, or when it will.
    fn of_told(&self, route: &Route, receiver: &Receiver, is_held: bool) -> Link {
        let Asked { book, alert, now, .. } = *self;
        let Receiver { channel, group_key, from, .. } = receiver;
        let told = book.told.get(&To { channel: channel.clone(), group_key: group_key.clone() });
        let heard = told.filter(|told| told.firing.contains_key(&alert.id));
        let is_of_it = |row: &&Outgoing| row.is_waiting() && row.telling.channel == *channel;
        if let Some(row) = messages_about(book, self.past, alert).find(is_of_it) {
            return link("told", format!("{channel} is being told: message {} is under way", row.key));
        }
        match (alert.phase, heard, told) {
            (Phase::Firing, Some(told), _) if is_held => {
                link("told", format!("{channel} was told at {}; nothing more while it is held", told.at))
            }
            (Phase::Firing, Some(told), _) => {
                let again = Timestamp(told.at.0.saturating_add(route.repeat_interval.0));
                link("told", format!("{channel} was told at {}; again at {again} if it goes on", told.at))
            }
            (Phase::Firing, None, _) if is_held => link("told", format!("{channel} hears nothing while it is held")),
            (Phase::Firing, None, _) if now < book.settled_at() => {
                link("settle", format!("the daemon has just started: nothing is told before {}", book.settled_at()))
            }
            (Phase::Firing, None, Some(told)) if !told.firing.is_empty() => {
                let at = Timestamp(told.at.0.saturating_add(route.group_interval.0));
                let said = format!("{channel} was told of its group at {}; of this one at {at}", told.at);
                if now < at { link("group_interval", said) } else { self.of_delay(channel, at) }
            }
            (Phase::Firing, None, _) => {
                let at = Timestamp(from.0.saturating_add(route.group_wait.0));
                let said = format!("{channel} is told from {at} on, with what else belongs to it");
                if now < at { link("group_wait", said) } else { self.of_delay(channel, at) }
            }
            (_, Some(_), _) => link("told", format!("{channel} heard that it fires, and will hear of its end")),
            (_, None, _) => link("told", format!("{channel} has nothing more to hear")),
        }
    }

    /// It is due, and was not told.
    fn of_delay(&self, channel: &str, due_at: Timestamp) -> Link {
        let hour = Span::hours(1);
        let rows = self.past.iter().filter(|row| !self.book.outbox.contains_key(&row.key));
        let of_it = rows.chain(self.book.outbox.values()).filter(|row| row.telling.channel == channel);
        let lately: Vec<Timestamp> = of_it.map(|row| row.decided_at).filter(|at| self.now.since(*at) < hour).collect();
        let is_critical = self.alert.severity == Severity::Critical;
        let limit = self.policy.room(is_critical);
        match lately.iter().min() {
            Some(oldest) if limit <= lately.len() => {
                let at = Timestamp(oldest.0 + hour.0);
                let n = crate::words::count(lately.len(), "message");
                let twice = if is_critical { ", which counts twice for what is critical" } else { "" };
                let most = format!("`alerts.at_most_per_hour` is {}{twice}", self.policy.at_most_per_hour);
                stop("limit", format!("{channel} had {n} within the last hour, and {most}: it is told from {at} on"))
            }
            _ => link("told", format!("{channel} is due to be told since {due_at}: is the daemon running?")),
        }
    }
}

/// What became of a message.
pub fn of_message(row: &Outgoing) -> Link {
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
        State::Superseded(by) => link("superseded", format!("{what}: {by} took its place, with all that it said")),
        State::Buried(why) => stop("dead", format!("{what}: given up, {why}{last}")),
        State::Dead(why) => stop("dead", format!("{what}: given up, {why}")),
    }
}
