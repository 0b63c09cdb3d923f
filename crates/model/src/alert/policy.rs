//! What the configuration says of alerts, ready to be asked.

use super::{
    Alert, Matcher,
    burn::Good,
    canary::{self, CanaryPlan},
    mute::Inhibit,
    route::{Route, Step, Who},
    rule::{Of, Rule},
};
use std::collections::BTreeSet;

use crate::{
    Span, Timestamp, checks,
    config::{Config, RouteEntry, WindowRule},
    window::{Change, Opening, Purpose, Window},
};

/// All that decides who is told what.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The rules in force.
    pub rules: Vec<Rule>,
    /// The ways to people; the first that matches counts, unless it goes on.
    pub routes: Vec<Route>,
    /// Which alerts hide which.
    pub inhibit: Vec<Inhibit>,
    /// All windows. What happens in one for maintenance is not told.
    windows: Vec<(WindowRule, Window)>,
    /// Tellings of one channel within an hour at most; what is more goes together.
    pub at_most_per_hour: usize,
    /// Channels that keep an incident or issue for each group.
    pub keep_incidents: BTreeSet<String>,
    /// Channels that are files and programs of this machine.
    local: BTreeSet<String>,
    /// The longest silence.
    pub silence_at_most: Span,
    /// How long after the start nothing is told.
    pub settle: Span,
    /// The channel that is told where another can't be reached.
    pub fallback: Option<String>,
    /// The ids of the checks that are made at all.
    pub checks_on: BTreeSet<&'static str>,
    /// When which channel is tested.
    pub canaries: Vec<CanaryPlan>,
}

impl Policy {
    /// Of a checked configuration. What a mistake would make unusable is left out; checking has told it.
    pub fn of(config: &Config) -> Policy {
        let alerts = &config.alerts;
        let own: Vec<Rule> = config.rules.iter().filter_map(|entry| Rule::of_entry(entry).ok()).collect();
        let is_kept =
            |rule: &Rule| !alerts.skip_rules.contains(&rule.name) && !own.iter().any(|other| other.name == rule.name);
        let mut rules: Vec<Rule> = Rule::built_in().into_iter().filter(is_kept).collect();
        rules.extend(own);
        let windows = config.windows.iter().filter_map(|rule| Some((rule.clone(), rule.window().ok()?)));
        let windows: Vec<_> = windows.collect();
        let route = |entry: &RouteEntry| route_of(entry, config, &windows);
        let mut routes: Vec<Route> = config.routes.iter().map(route).collect();
        if routes.is_empty() {
            routes.extend(route_to_all(config).map(|entry| route_of(&entry, config, &windows)));
        }
        let canaries: Vec<CanaryPlan> = config.canaries.iter().flat_map(CanaryPlan::of).collect();
        if !canaries.is_empty() {
            let stand_in = route_of_canaries(config).map(|entry| route_of(&entry, config, &windows));
            routes.splice(0..0, stand_in);
        }
        let channels = config.channels.all();
        let keepers = channels.iter().filter(|channel| channel.keeps_incidents());
        Policy {
            rules,
            routes,
            inhibit: inhibitions(config),
            windows,
            at_most_per_hour: usize::try_from(alerts.at_most_per_hour).unwrap_or(usize::MAX),
            keep_incidents: keepers.map(|channel| channel.name().to_owned()).collect(),
            local: channels
                .iter()
                .filter(|channel| channel.is_local())
                .map(|channel| channel.name().to_owned())
                .collect(),
            silence_at_most: alerts.silence_at_most,
            settle: alerts.settle,
            fallback: alerts.fallback.clone(),
            checks_on: checks::ALL
                .iter()
                .filter(|check| config.checks.wants(check.id).is_ok())
                .map(|check| check.id)
                .collect(),
            canaries,
        }
    }

    /// Is this a channel on another machine?
    pub fn calls_others(&self, channel: &str) -> bool {
        !self.local.contains(channel)
    }

    /// What promises are made of, once for each rule about one.
    pub fn goods(&self) -> impl Iterator<Item = &Good> {
        self.rules.iter().filter_map(|rule| match &rule.of {
            Of::BudgetBurns(slo) => Some(&slo.good),
            _ => None,
        })
    }

    /// One rule, of which nobody is told.
    pub fn of_rule(rule: Rule) -> Policy {
        Policy { rules: vec![rule], ..Policy::default() }
    }

    /// How many messages a channel gets within an hour at most. Critical ones have as much room again, so that no warning keeps
    /// them waiting.
    pub fn room(&self, is_critical: bool) -> usize {
        self.at_most_per_hour.saturating_mul(if is_critical { 2 } else { 1 })
    }

    /// The maintenance window that is open over this repository, with the latest end.
    pub fn open_window(&self, path: &str, now: Timestamp) -> Option<(&str, Opening)> {
        let about =
            self.windows.iter().filter(|(rule, window)| window.purpose == Purpose::Maintenance && rule.is_about(path));
        let open = about.filter_map(|(rule, window)| Some((rule.name.as_str(), window.open_at(now)?)));
        open.max_by_key(|(_, opening)| opening.until)
    }

    /// The window for maintenance of all repositories that is open, with the latest end: quiet hours.
    pub fn quiet_at(&self, now: Timestamp) -> Option<Opening> {
        let is_of_all = |rule: &WindowRule| rule.repositories.is_empty();
        let quiet =
            self.windows.iter().filter(|(rule, window)| window.purpose == Purpose::Maintenance && is_of_all(rule));
        quiet.filter_map(|(_, window)| window.open_at(now)).max_by_key(|opening| opening.until)
    }

    /// All windows.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().map(|(_, window)| window)
    }

    /// Does a window wait for alerts?
    pub fn has_window_that_waits(&self) -> bool {
        self.windows.iter().any(|(_, window)| window.waits_for_alerts().is_some())
    }

    /// How windows open that waited for one of these alerts, which began in their time.
    pub fn windows_begun_by<'a>(&self, firing: impl Iterator<Item = &'a Alert> + Clone, now: Timestamp) -> Vec<Change> {
        let begun = self.windows.iter().filter_map(|(rule, window)| {
            let planned = window.waits_for_alerts().and_then(|_| window.planned_at(now))?;
            let is_in_it = |alert: &&Alert| alert.starts_at.is_some_and(|at| planned.from <= at);
            let path = |alert: &Alert| alert.labels.get("repository").cloned().unwrap_or_default();
            let first = firing.clone().filter(is_in_it).find(|alert| rule.is_about(&path(alert)))?;
            window.opened_by(&format!("{}: {}", first.rule, first.summary), now)
        });
        begun.collect()
    }

    /// Goes on with a window that was opened, as long as nothing newer is known of that opening.
    pub fn open_window_that_waited(&mut self, change: &Change) {
        if !self
            .windows
            .iter()
            .any(|(_, window)| window.name == change.window && window.change_of(change.planned).is_some())
        {
            self.change_window(change);
        }
    }

    /// Goes on with a window that was changed.
    pub fn change_window(&mut self, change: &Change) {
        for (_, window) in self.windows.iter_mut().filter(|(rule, _)| rule.name == change.window) {
            *window = window.clone().changed([change]);
        }
    }

    /// The route that gave a group this key.
    pub fn route_of(&self, group_key: &str) -> Option<&Route> {
        let is_its = |route: &&Route| {
            group_key.strip_prefix(route.name.as_str()).is_some_and(|rest| rest.starts_with([':', '/']))
        };
        self.routes.iter().find(is_its)
    }

    /// The rule with this name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

/// Where no route is written, everything from a warning on goes to every channel but the one that stands in for others.
fn route_to_all(config: &Config) -> Option<RouteEntry> {
    let all = config.channels.all();
    let names = all.iter().map(|channel| channel.name().to_owned());
    let channels: Vec<_> =
        names.filter(|name| all.len() == 1 || config.alerts.fallback.as_ref() != Some(name)).collect();
    (!channels.is_empty()).then(|| RouteEntry {
        name: "all".to_owned(),
        matchers: vec!["severity!=\"info\"".to_owned()],
        channels,
        ..RouteEntry::default()
    })
}

/// A channel whose test does not arrive is told where others are told instead, besides the usual ways.
fn route_of_canaries(config: &Config) -> Option<RouteEntry> {
    let fallback = config.alerts.fallback.clone()?;
    let is_only = config.channels.all().len() == 1;
    (!is_only).then(|| RouteEntry {
        name: canary::NAME.to_owned(),
        matchers: vec![format!("promise=\"{}\"", canary::NAME)],
        channels: vec![fallback],
        then: crate::config::Then::GoOn,
        ..RouteEntry::default()
    })
}

fn route_of(entry: &RouteEntry, config: &Config, windows: &[(WindowRule, Window)]) -> Route {
    let alerts = &config.alerts;
    let window = |name: &String| windows.iter().find(|(rule, _)| rule.name == *name).map(|(_, window)| window.clone());
    let steps = entry.escalate.iter().map(|step| Step {
        after: step.after,
        channels: who(&step.channels, config),
        during: step.during.as_ref().and_then(window),
    });
    let group_by = if entry.group_by.is_empty() {
        vec!["repository".to_owned(), "alertname".to_owned()]
    } else {
        entry.group_by.clone()
    };
    Route {
        name: entry.name.clone(),
        matchers: matchers(&entry.matchers),
        channels: who(&entry.channels, config),
        group_by,
        group_wait: entry.group_wait.unwrap_or(alerts.group_wait),
        group_interval: entry.group_interval.unwrap_or(alerts.group_interval),
        repeat_interval: entry.repeat_interval.unwrap_or(alerts.repeat_interval),
        steps: steps.collect(),
        goes_on: entry.then == crate::config::Then::GoOn,
    }
}

/// Channels, and those who are told in turn. Turns that can't be read tell nobody; checking has told it.
fn who(names: &[String], config: &Config) -> Vec<Who> {
    let who = |name: &String| match config.on_call.iter().find(|turns| turns.name == *name) {
        Some(turns) => turns.duty().ok().map(Who::OnDuty),
        None => Some(Who::Channel(name.clone())),
    };
    names.iter().filter_map(who).collect()
}

/// What follows from a repository that can't be seen is not told besides that, nor what is in doubt because of it; then
/// those of the configuration.
fn inhibitions(config: &Config) -> Vec<Inhibit> {
    let unseen = Inhibit {
        source: vec![Matcher::equal("alertname", "repository-unseen")],
        target: Vec::new(),
        equal: vec!["repository".to_owned()],
        of_own: true,
    };
    let damaged = Inhibit {
        source: vec![Matcher::equal("alertname", "repository-damaged")],
        target: vec![Matcher::equal("alertname", "run-failed")],
        equal: vec!["repository".to_owned()],
        of_own: true,
    };
    let own = own_inhibitions(config);
    [unseen, damaged].into_iter().chain(of_bases()).chain(of_remotes()).chain(own).collect()
}

/// While a base itself was rewritten or cannot be read, what its branches are told of it follows from that.
fn of_bases() -> Option<Inhibit> {
    let some_base = Matcher::new("base", "", false, false).ok()?;
    let of_base = Matcher::new("check", "base-rewritten|broken-refs", true, true).ok()?;
    let of_branches =
        Matcher::new("check", "conflicting|over-budget|far-behind|budget-soon-exceeded", true, true).ok()?;
    Some(Inhibit {
        source: vec![of_base, some_base.clone()],
        target: vec![of_branches, some_base],
        equal: vec!["repository".to_owned(), "base".to_owned()],
        of_own: true,
    })
}

/// Of a forge that does not answer one repository is told, the first; and what needs a remote follows from it: fetches that are old,
/// lines behind the remote's, runs that fail or do not come.
fn of_remotes() -> [Inhibit; 3] {
    let silent = || Matcher::equal("alertname", "remote-unreachable");
    let some_host = || Matcher::new("host", "", false, false).ok();
    let follows = |name: &str, words: &str| Inhibit {
        source: vec![silent()],
        target: Matcher::new(name, words, true, true).into_iter().collect(),
        equal: vec!["repository".to_owned()],
        of_own: true,
    };
    let of_forge: Vec<Matcher> = [Some(silent()), some_host()].into_iter().flatten().collect();
    [
        Inhibit { source: of_forge.clone(), target: of_forge, equal: vec!["host".to_owned()], of_own: true },
        follows("alertname", "run-failed|run-missed"),
        follows("check", "fetch-age|base-behind-remote|remote-default-moved|upstream-gone"),
    ]
}

fn own_inhibitions(config: &Config) -> impl Iterator<Item = Inhibit> + use<'_> {
    config.inhibit.iter().map(|entry| Inhibit {
        source: matchers(&entry.source),
        target: matchers(&entry.target),
        equal: entry.equal.clone(),
        of_own: false,
    })
}

fn matchers(texts: &[String]) -> Vec<Matcher> {
    texts.iter().filter_map(|text| Matcher::parse(text).ok()).collect()
}
