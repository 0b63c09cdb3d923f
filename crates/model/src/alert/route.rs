//! Who hears of an alert, together with what, how often, and who after them.

use super::{Alert, Labels, Matcher, matcher::all_match, on_call::Duty};
use crate::{Span, Timestamp, window::Window};

/// A way to people.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Which alerts go it.
    pub matchers: Vec<Matcher>,
    /// Those who are told first.
    pub channels: Vec<Who>,
    /// Labels in which alerts agree that are told together.
    pub group_by: Vec<String>,
    /// How long the first of a group waits for others.
    pub group_wait: Span,
    /// The least time between two tellings of a group in which something changed.
    pub group_interval: Span,
    /// After how long what goes on is told again.
    pub repeat_interval: Span,
    /// Who is told when nobody cares for it.
    pub steps: Vec<Step>,
    /// Routes after this one are looked at, too.
    pub goes_on: bool,
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// Always this channel.
    Channel(String),
    /// Whoever is on duty.
    OnDuty(Duty),
}

impl Who {
    /// The channels that are told now.
    pub fn channels(&self, now: Timestamp) -> Vec<&str> {
        match self {
            Who::Channel(name) => vec![name],
            Who::OnDuty(duty) => duty.at(now),
        }
    }

    /// When it may be somebody else.
    fn changes_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Who::Channel(_) => None,
            Who::OnDuty(duty) => duty.changes_after(now),
        }
    }
}

/// A step of an escalation.
#[derive(Clone, Debug)]
pub struct Step {
    /// How long after the first were told.
    pub after: Span,
    /// Those who are told then.
    pub channels: Vec<Who>,
    /// Only while this window is open.
    pub during: Option<Window>,
}

/// Somebody who should hear of an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// The channel.
    pub channel: String,
    /// What is told together has the same key: the route, the step, and the labels of the group.
    pub group_key: String,
    /// The labels of the group.
    pub group_labels: Labels,
    /// From when on; in the future for a step whose time has not come.
    pub from: Timestamp,
    /// The place of the step, 0 = first told.
    pub step: usize,
}

impl Route {
    /// All who should hear of this alert by this route. `heard` says when the first of a group with this key heard of it;
    /// until then, nobody waits for them to care for it.
    pub fn receivers(&self, alert: &Alert, heard: &dyn Fn(&str) -> Option<Timestamp>, now: Timestamp) -> Vec<Receiver> {
        let starts_at = alert.starts_at.unwrap_or(now);
        let group_labels = self.group(alert);
        let waits_from = match self.channels.is_empty() {
            true => starts_at,
            false => heard(&self.group_key(0, &group_labels)).unwrap_or(now).max(starts_at),
        };
        let first = [(0, Some(starts_at), &self.channels)];
        let later = self.steps.iter().enumerate();
        let later = later.map(|(number, step)| (number + 1, step.from(waits_from, now), &step.channels));
        let mut receivers = Vec::new();
        for (step, from, channels) in first.into_iter().chain(later) {
            let Some(from) = from else { continue };
            let group_key = self.group_key(step, &group_labels);
            receivers.extend(channels.iter().flat_map(|who| who.channels(now)).map(|channel| Receiver {
                channel: channel.to_owned(),
                group_key: group_key.clone(),
                group_labels: group_labels.clone(),
                from,
                step,
            }));
        }
        receivers
    }

    /// When somebody else's turn begins.
    pub fn turn_ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.channels.iter().chain(self.steps.iter().flat_map(|step| &step.channels));
        all.filter_map(|who| who.changes_after(now)).min()
    }

    /// The labels of its group.
    pub fn group(&self, alert: &Alert) -> Labels {
        let labels = alert.labels_now();
        let own = self.group_by.iter().filter_map(|name| Some((name.clone(), labels.get(name)?.clone())));
        own.collect()
    }

    fn group_key(&self, step: usize, labels: &Labels) -> String {
        let labels: Vec<_> = labels.iter().map(|(name, value)| Matcher::equal(name, value).to_string()).collect();
        let step = if step == 0 { String::new() } else { format!("/{step}") };
        format!("{}{step}:{{{}}}", self.name, labels.join(", "))
    }
}

impl Step {
    /// From when on its channels are told; `None` = its window never opens again.
    fn from(&self, told_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let due = Timestamp(told_at.0.saturating_add(self.after.0));
        let at = due.max(now);
        match &self.during {
            None => Some(due),
            Some(window) if window.open_at(at).is_some() => Some(due),
            // Held by its hours, it goes on when they begin (oncall#1206).
            Some(window) => window.next_after(at).map(|opening| opening.from),
        }
    }
}

/// The routes of an alert: all that match, until one that ends the search.
pub fn routes_of<'a>(routes: &'a [Route], alert: &Alert) -> Vec<&'a Route> {
    let labels = alert.labels_now();
    let mut found = Vec::new();
    for route in routes.iter().filter(|route| all_match(&route.matchers, &labels)) {
        found.push(route);
        if !route.goes_on {
            break;
        }
    }
    found
}
