//! What is to be told now: what should have been told, less what was.
//!
//! For each channel and group there is a record of the alerts whose firing it was told. What fires and is not in the record is new;
//! what is in the record and fires no more has ended, and whoever heard of it hears that, muted or not. So a restart, a
//! silence that ends and a changed route need no code of their own. All times are worked out from what is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Alert, Book, Labels, Policy,
    mute::{By, Causes, Mute, Silence, is_held, muted},
    route::{Receiver, Route, routes_of},
};
use crate::{Severity, Span, Timestamp, notice::NoticeReason as Reason, report::Letter};

/// A channel and what is told to it together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct To {
    /// The channel.
    pub channel: String,
    /// The group.
    pub group_key: String,
}

/// What a channel was told of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The alerts of which it heard that they fire, by their ids, with the severity it heard.
    pub firing: BTreeMap<String, Severity>,
    /// When it was told last.
    pub at: Timestamp,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// The channel.
    pub channel: String,
    /// The group; `digest` where several are told at once.
    pub group_key: String,
    /// The labels that all in it share.
    pub group_labels: Labels,
    /// Why it is told now.
    pub reason: Reason,
    /// What is told: all that fires, and what ended.
    pub alerts: Vec<TellingAlert>,
    /// The groups that it tells of, with what the channel has heard to fire in each when it has this: by alert, the severity.
    pub covers: BTreeMap<String, BTreeMap<String, Severity>>,
    /// What is told instead of alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Box<Letter>>,
}

/// An alert in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TellingAlert {
    /// The alert, as it was then.
    pub alert: Alert,
    /// It ended, or began, long before it could be told.
    pub is_late: bool,
    /// It ended while something held back its telling.
    pub was_muted: bool,
    /// The channel does not know yet that it ever fired.
    #[serde(default)]
    pub is_unheard: bool,
}

/// What was decided.
#[derive(Debug, Default)]
pub struct Decided {
    /// What is told now.
    pub tellings: Vec<Telling>,
    /// When something is to be decided again without any news.
    pub next_at: Option<Timestamp>,
    /// The alerts that are hidden from people, by their fingerprints.
    pub held: BTreeSet<String>,
}

/// How late something is told before that is said. Source: ours; two intervals of a group.
const LATE: Span = Span::minutes(10);

/// A group with what concerns it now.
#[derive(Default)]
struct Group<'a> {
    labels: Labels,
    route: Option<&'a Route>,
    /// The place of the step of the escalation, 0 = first told.
    step: usize,
    /// What fires and nothing holds, with the time from which on it may be told.
    firing: Vec<(&'a Alert, Timestamp)>,
}

/// Decides.
pub fn decide(book: &Book, policy: &Policy, now: Timestamp) -> Decided {
    let mut decided = Decided::default();
    let groups = groups(book, policy, now, &mut decided);
    let firing = book.firing_ids();
    let mut due: BTreeMap<&str, Vec<Telling>> = BTreeMap::new();
    for (to, group) in &groups {
        match telling(book, to, group, &firing, now) {
            Due::Never => {}
            Due::At(at) => sooner(&mut decided.next_at, at),
            Due::Now(telling) => {
                // What goes on is told again, though nothing happens until then.
                if let Some(route) = group.route.filter(|_| !group.firing.is_empty()) {
                    sooner(&mut decided.next_at, Timestamp(now.0.saturating_add(route.repeat_interval.0.max(1))));
                }
                due.entry(&to.channel).or_default().push(telling);
            }
        }
    }
    for (channel, tellings) in due {
        within_limits(book, policy, channel, tellings, now, &mut decided);
    }
    decided
}

fn sooner(next_at: &mut Option<Timestamp>, at: Timestamp) {
    *next_at = Some(next_at.map_or(at, |next| next.min(at)));
}

/// All groups in which something fires or of which somebody was told.
fn groups<'a>(book: &'a Book, policy: &'a Policy, now: Timestamp, decided: &mut Decided) -> BTreeMap<To, Group<'a>> {
    let holding = Holding::of(book, policy, now);
    let mut groups: BTreeMap<To, Group<'a>> = BTreeMap::new();
    for to in book.told.keys() {
        groups.insert(to.clone(), Group::default());
    }
    for alert in book.firing() {
        let mute = holding.back(alert);
        if let Some(until) = mute.as_ref().and_then(|mute| mute.until) {
            sooner(&mut decided.next_at, until);
        }
        // Whoever acknowledged it was told.
        if mute.as_ref().is_some_and(|mute| !matches!(mute.by, By::Ack(_))) {
            decided.held.insert(alert.fingerprint.clone());
        }
        for (route, receiver) in receivers(policy, alert, now) {
            let Receiver { channel, group_key, group_labels, from, step } = receiver;
            let group = groups.entry(To { channel, group_key }).or_default();
            (group.labels, group.route, group.step) = (group_labels, Some(route), step);
            if mute.is_some() {
                continue;
            }
            if let Some(at) = route.turn_ends_after(now) {
                sooner(&mut decided.next_at, at);
            }
            if now < from {
                sooner(&mut decided.next_at, from);
            } else {
                group.firing.push((alert, from));
            }
        }
    }
    groups
}

/// All who should hear of an alert.
pub fn receivers<'a>(policy: &'a Policy, alert: &Alert, now: Timestamp) -> Vec<(&'a Route, Receiver)> {
    let routes = routes_of(&policy.routes, alert).into_iter();
    routes.flat_map(|route| route.receivers(alert, now).into_iter().map(move |receiver| (route, receiver))).collect()
}

enum Due {
    Never,
    At(Timestamp),
    Now(Telling),
}

fn telling(book: &Book, to: &To, group: &Group<'_>, all_firing: &BTreeSet<&str>, now: Timestamp) -> Due {
    let nothing = Told::default();
    let told = book.told.get(to).unwrap_or(&nothing);
    let is_new = |alert: &Alert| told.firing.get(&alert.id).is_none_or(|severity| *severity < alert.severity);
    let new: Vec<_> = group.firing.iter().filter(|(alert, _)| is_new(alert)).collect();
    let ended: Vec<&str> = told.firing.keys().map(String::as_str).filter(|id| !all_firing.contains(id)).collect();
    let (wait, interval, repeat) = group.route.map_or((Span(0), Span(0), Span::hours(4)), |route| {
        (route.group_wait, route.group_interval, route.repeat_interval)
    });
    let due_at = if new.is_empty() && ended.is_empty() {
        let goes_on = group.firing.iter().any(|(alert, _)| told.firing.contains_key(&alert.id));
        if !goes_on {
            return Due::Never;
        }
        Timestamp(told.at.0.saturating_add(repeat.0))
    } else if told.firing.is_empty() {
        let first = new.iter().map(|(_, from)| *from).min().unwrap_or(now);
        Timestamp(first.0.saturating_add(wait.0))
    } else {
        Timestamp(told.at.0.saturating_add(interval.0))
    };
    if now < due_at {
        return Due::At(due_at);
    }
    let ended: Vec<TellingAlert> =
        ended.iter().filter_map(|id| book.ended(id)).map(|alert| end_of(book, to, alert, now)).collect();
    let reason = reason(told, &new, &ended, group);
    let firing = group.firing.iter().map(|(alert, _)| begin_of(book, to, alert, told, now));
    let alerts: Vec<_> = firing.chain(ended).collect();
    // What fires and is held now was heard of all the same.
    let heard = told
        .firing
        .iter()
        .filter(|(id, _)| all_firing.contains(id.as_str()))
        .map(|(id, severity)| (id.clone(), *severity));
    let heard = heard.chain(group.firing.iter().map(|(alert, _)| (alert.id.clone(), alert.severity))).collect();
    Due::Now(Telling {
        channel: to.channel.clone(),
        group_key: to.group_key.clone(),
        group_labels: group.labels.clone(),
        reason,
        alerts,
        covers: BTreeMap::from([(to.group_key.clone(), heard)]),
        letter: None,
    })
}

fn reason(told: &Told, new: &[&(&Alert, Timestamp)], ended: &[TellingAlert], group: &Group<'_>) -> Reason {
    let is_known = |alert: &Alert| told.firing.contains_key(&alert.id);
    match () {
        () if told.firing.is_empty() && 0 < group.step => Reason::Escalated,
        () if told.firing.is_empty() => Reason::First,
        () if new.iter().any(|(alert, _)| !is_known(alert)) => Reason::NewInGroup,
        () if !new.is_empty() => Reason::SeverityChanged,
        () if ended.is_empty() => Reason::Repeat,
        () if group.firing.is_empty() && ended.iter().all(|told| told.is_unheard) => Reason::FiredThenResolved,
        () if group.firing.is_empty() => Reason::AllResolved,
        () => Reason::SomeResolved,
    }
}

fn begin_of(book: &Book, to: &To, alert: &Alert, told: &Told, now: Timestamp) -> TellingAlert {
    let is_new = !told.firing.contains_key(&alert.id);
    let was_away = book.was_away_at(alert.starts_at) && alert.starts_at.is_some_and(|at| LATE < now.since(at));
    let is_unheard = book.is_undelivered(to, &alert.id);
    TellingAlert { alert: alert.clone(), is_late: is_new && was_away || is_unheard, was_muted: false, is_unheard }
}

fn end_of(book: &Book, to: &To, alert: &Alert, now: Timestamp) -> TellingAlert {
    let is_unheard = book.is_undelivered(to, &alert.id);
    let is_late = alert.ends_at.is_some_and(|at| LATE < now.since(at)) || is_unheard;
    TellingAlert { alert: alert.clone(), is_late, was_muted: alert.was_muted, is_unheard }
}

/// What a channel may be told now; what is more than it takes within an hour goes together, or waits.
fn within_limits(
    book: &Book,
    policy: &Policy,
    channel: &str,
    tellings: Vec<Telling>,
    now: Timestamp,
    decided: &mut Decided,
) {
    let hour = Span::hours(1);
    let lately = book.tellings_of(channel).filter(|at| now.since(*at) < hour);
    let (n_lately, oldest) =
        lately.fold((0, None), |(n, oldest), at| (n + 1, Some(oldest.map_or(at, |old: Timestamp| old.min(at)))));
    match policy.at_most_per_hour.saturating_sub(n_lately) {
        0 => sooner(&mut decided.next_at, Timestamp(oldest.unwrap_or(now).0 + hour.0)),
        room if tellings.len() <= room => decided.tellings.extend(tellings),
        _ => decided.tellings.push(digest(channel, tellings)),
    }
}

fn digest(channel: &str, tellings: Vec<Telling>) -> Telling {
    let covers = tellings.iter().flat_map(|telling| telling.covers.clone()).collect();
    Telling {
        channel: channel.to_owned(),
        group_key: "digest".to_owned(),
        group_labels: Labels::new(),
        reason: Reason::Digest,
        alerts: tellings.into_iter().flat_map(|telling| telling.alerts).collect(),
        covers,
        letter: None,
    }
}

/// What holds back the telling of alerts at one time.
#[derive(Debug)]
pub struct Holding<'a> {
    causes: Causes<'a>,
    silences: &'a BTreeMap<String, Silence>,
    policy: &'a Policy,
    now: Timestamp,
}

impl<'a> Holding<'a> {
    /// As it is now: looked up once, for all alerts.
    pub fn of(book: &'a Book, policy: &'a Policy, now: Timestamp) -> Holding<'a> {
        let held = |alert: &Alert| is_held(alert, &book.silences, policy, now);
        let causes = Causes::among(book.firing(), &policy.inhibit, held);
        Holding { causes, silences: &book.silences, policy, now }
    }

    /// Why this alert is not told now, for people; `None` = nothing holds it.
    pub fn back(&self, alert: &Alert) -> Option<Mute> {
        muted(alert, &self.causes, self.silences, self.policy, self.now)
    }
}
