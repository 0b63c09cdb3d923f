//! What is to be told now: what should have been told, less what was.
//!
//! For each channel and group there is a record of the alerts whose firing it was told. What fires and is not in the record is new;
//! what is in the record and fires no more has ended, and whoever heard of it hears that, muted or not. So a restart, a
//! silence that ends and a changed route need no code of their own. All times are worked out from what is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Alert, Book, Labels, Policy,
    mute::{By, Causes, Mute, Silence, is_held, mutes},
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
    /// When it first heard of each of these.
    #[serde(default)]
    pub since: BTreeMap<String, Timestamp>,
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
        match telling(book, policy, to, group, &firing, now) {
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
        for (route, receiver) in holding.receivers(alert) {
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

/// When each alert was first told of, by groups.
#[derive(Debug)]
struct Heard<'a>(BTreeMap<(&'a str, &'a str), Option<Timestamp>>);

impl<'a> Heard<'a> {
    fn of(book: &'a Book) -> Heard<'a> {
        let mut heard: BTreeMap<(&str, &str), Option<Timestamp>> = BTreeMap::new();
        for (to, told) in &book.told {
            for id in told.firing.keys() {
                let at = told.since.get(id).copied();
                let first = heard.entry((&to.group_key, id)).or_insert(at);
                *first = (*first).min(at);
            }
        }
        Heard(heard)
    }

    /// From when on those wait who are told later; `None` = nobody was told yet.
    fn first(&self, group_key: &str, alert: &Alert) -> Option<Timestamp> {
        // Of what was told before this was remembered, it is not known when.
        self.0.get(&(group_key, alert.id.as_str())).map(|at| at.or(alert.starts_at).unwrap_or_default())
    }
}

enum Due {
    Never,
    At(Timestamp),
    Now(Telling),
}

fn telling(
    book: &Book,
    policy: &Policy,
    to: &To,
    group: &Group<'_>,
    all_firing: &BTreeSet<&str>,
    now: Timestamp,
) -> Due {
    let nothing = Told::default();
    let told = book.told.get(to).unwrap_or(&nothing);
    let is_new = |alert: &Alert| told.firing.get(&alert.id).is_none_or(|severity| *severity < alert.severity);
    let new: Vec<_> = group.firing.iter().filter(|(alert, _)| is_new(alert)).collect();
    let ended: Vec<&str> = told.firing.keys().map(String::as_str).filter(|id| !all_firing.contains(id)).collect();
    let (wait, interval, repeat) = group.route.map_or((Span(0), Span(0), Span::hours(4)), |route| {
        (route.group_wait, route.group_interval, route.repeat_interval)
    });
    let due_at = if new.is_empty() && ended.is_empty() {
        let mut known =
            group.firing.iter().map(|(alert, _)| *alert).filter(|alert| told.firing.contains_key(&alert.id));
        let Some(first) = known.next() else { return Due::Never };
        // Whoever silenced it may think that it is over.
        match std::iter::once(first).chain(known).any(|alert| was_silenced(book, alert, told.at, now)) {
            true => now,
            false => Timestamp(told.at.0.saturating_add(repeat.0)),
        }
    } else if told.firing.is_empty() {
        let first = new.iter().map(|(_, from)| *from).min().unwrap_or(now);
        // One that comes and goes is told no more often than one that changes.
        let rested = book.told.get(to).map(|told| Timestamp(told.at.0.saturating_add(interval.0)));
        Some(Timestamp(first.0.saturating_add(wait.0))).max(rested).unwrap_or(now)
    } else {
        Timestamp(told.at.0.saturating_add(interval.0))
    };
    if now < due_at {
        return Due::At(due_at);
    }
    let ended: Vec<TellingAlert> =
        ended.iter().filter_map(|id| book.ended(id)).map(|alert| end_of(book, to, alert, now)).collect();
    let group_labels = match (ended.first(), group.route) {
        (Some(ended), None) => {
            policy.route_of(&to.group_key).map_or_else(Labels::new, |route| route.group(&ended.alert))
        }
        _ => group.labels.clone(),
    };
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
        group_labels,
        reason,
        alerts,
        covers: BTreeMap::from([(to.group_key.clone(), heard)]),
        letter: None,
    })
}

/// Did a silence over this alert end since the channel was told, and none goes on?
fn was_silenced(book: &Book, alert: &Alert, told_at: Timestamp, now: Timestamp) -> bool {
    let ended = |silence: &&Silence| told_at < silence.ends_at && silence.ends_at <= now;
    let mut ended = book.silences.values().filter(ended);
    ended.any(|silence| silence.starts_at < silence.ends_at && silence.is_about(alert))
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
    mut tellings: Vec<Telling>,
    now: Timestamp,
    decided: &mut Decided,
) {
    let hour = Span::hours(1);
    let lately = book.tellings_of(channel).filter(|at| now.since(*at) < hour);
    let (n_lately, oldest) =
        lately.fold((0, None), |(n, oldest), at| (n + 1, Some(oldest.map_or(at, |old: Timestamp| old.min(at)))));
    let room = policy.room(false).saturating_sub(n_lately);
    // One that keeps an incident for each group could not end what it was told in a digest.
    if 0 < room && room < tellings.len() && !policy.keep_incidents.contains(channel) {
        decided.tellings.push(digest(channel, tellings));
        return;
    }
    let reserve = policy.room(true).saturating_sub(n_lately);
    tellings.sort_by_key(|telling| !telling.is_critical());
    for (number, telling) in tellings.into_iter().enumerate() {
        if number < if telling.is_critical() { reserve } else { room } {
            decided.tellings.push(telling);
        } else {
            sooner(&mut decided.next_at, Timestamp(oldest.unwrap_or(now).0.saturating_add(hour.0)));
        }
    }
}

impl Telling {
    fn is_critical(&self) -> bool {
        self.alerts.iter().any(|told| told.alert.is_firing() && told.alert.severity == Severity::Critical)
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

/// What holds back the telling of alerts at one time, and who hears of the others.
#[derive(Debug)]
pub struct Holding<'a> {
    causes: Causes<'a>,
    heard: Heard<'a>,
    silences: &'a BTreeMap<String, Silence>,
    policy: &'a Policy,
    now: Timestamp,
}

impl<'a> Holding<'a> {
    /// As it is now: looked up once, for all alerts.
    pub fn of(book: &'a Book, policy: &'a Policy, now: Timestamp) -> Holding<'a> {
        let held = |alert: &Alert| is_held(alert, &book.silences, policy, now);
        let causes = Causes::among(book.firing(), &policy.inhibit, held);
        Holding { causes, heard: Heard::of(book), silences: &book.silences, policy, now }
    }

    /// All who should hear of this alert, now or later.
    pub fn receivers(&self, alert: &Alert) -> Vec<(&'a Route, Receiver)> {
        let heard = |group_key: &str| self.heard.first(group_key, alert);
        let routes = routes_of(&self.policy.routes, alert).into_iter();
        let receivers = |route: &'a Route| {
            route.receivers(alert, &heard, self.now).into_iter().map(move |receiver| (route, receiver))
        };
        routes.flat_map(receivers).collect()
    }

    /// Why this alert is not told now, for people; `None` = nothing holds it.
    pub fn back(&self, alert: &Alert) -> Option<Mute> {
        self.all(alert).next()
    }

    /// All that holds it.
    pub fn all(&self, alert: &'a Alert) -> impl Iterator<Item = Mute> + use<'_, 'a> {
        mutes(alert, &self.causes, self.silences, self.policy, self.now)
    }
}
