//! A rule over the past: how often it would have fired, for how long, and how noisy it would have been.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Policy, rule::Rule, world::World};
use crate::{
    Finding, Remedy, Severity, Span, Status, Timestamp,
    checks::{self, Judged},
    record::Reading,
};

/// What is known of the past of one repository.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Its path.
    pub path: String,
    /// When it was first looked at.
    pub watched_since: Option<Timestamp>,
    /// Numbers of the metric of the rule, in order of time.
    pub readings: Vec<Reading>,
    /// Findings of the checks of the rule: from when, until when.
    pub findings: Vec<PastFinding>,
}

impl Past {
    fn begins_at(&self) -> Option<Timestamp> {
        let readings = self.readings.first().map(|reading| reading.at);
        readings.into_iter().chain(self.watched_since).min()
    }
}

/// A finding with its time.
#[derive(Clone, Debug)]
pub struct PastFinding {
    /// The check.
    pub check: String,
    /// Its key.
    pub key: String,
    /// What it is about.
    pub subject: String,
    /// How bad it was last.
    pub severity: Severity,
    /// In one sentence.
    pub summary: String,
    /// Since when.
    pub began_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
}

/// One time that the rule fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Firing {
    /// What fired, in one sentence.
    pub summary: String,
    /// Where.
    pub repository: String,
    /// From when.
    pub from: Timestamp,
    /// Until when; `None` = it still does.
    pub until: Option<Timestamp>,
}

/// What a replay tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// The first and the last moment that was replayed.
    pub from: Timestamp,
    /// See `from`.
    pub to: Timestamp,
    /// Each time it fired, in order.
    pub firings: Vec<Firing>,
    /// How often in a week.
    pub per_week: f64,
    /// The part of the time in which anything fired, 0 to 1.
    pub firing_ratio: f64,
    /// Firings that were over within [`SHORT`], as a part of all, 0 to 1: what nobody can do anything about. `None` =
    /// it never fired.
    pub noise_ratio: Option<f64>,
}

/// A firing that ends sooner has told somebody of nothing. Source: ours; the time in which a person comes to look.
pub const SHORT: Span = Span::minutes(15);

/// Steps of a replay, at most.
const STEPS_AT_MOST: i64 = 200_000;

/// Replays.
///
/// The replay begins with the first thing that is known of this time, so that times before the first look count as nothing.
/// A number holds until the next one, for two steps at most; where there is none, the rule is in doubt, as it would have been.
pub fn backtest(rule: &Rule, pasts: &[Past], from: Timestamp, to: Timestamp, step: Span) -> Backtest {
    let first = pasts.iter().filter_map(Past::begins_at).min().unwrap_or(to);
    let from = from.max(first).min(to);
    let mut world = World::new(Policy::of_rule(rule.clone()), from);
    let step = step.0.max(1).max(to.since(from).0 / STEPS_AT_MOST);
    let mut cursors = vec![0; pasts.len()];
    let mut open: BTreeMap<String, Firing> = BTreeMap::new();
    let (mut firings, mut n_firing, mut n_steps) = (Vec::new(), 0_u64, 0_u64);
    let mut at = from.0;
    while at <= to.0 {
        world.now = Timestamp(at);
        for (past, cursor) in pasts.iter().zip(&mut cursors) {
            let (readings, judged) = (numbers(past, cursor, at, step), findings(past, at));
            world.see(&past.path, Ok(&judged), &readings, 0.0);
        }
        follow(&world, &mut open, &mut firings);
        n_firing += u64::from(!open.is_empty());
        n_steps += 1;
        at += step;
    }
    firings.extend(open.into_values());
    firings.sort_by_key(|firing| firing.from);
    report(from, to, firings, n_firing as f64 / (n_steps as f64).max(1.0))
}

fn follow(world: &World, open: &mut BTreeMap<String, Firing>, firings: &mut Vec<Firing>) {
    let firing: BTreeMap<&str, &super::Alert> = world.book.firing().map(|alert| (alert.id.as_str(), alert)).collect();
    let ended: Vec<String> = open.keys().filter(|id| !firing.contains_key(id.as_str())).cloned().collect();
    firings.extend(
        ended.iter().filter_map(|id| open.remove(id)).map(|firing| Firing { until: Some(world.now), ..firing }),
    );
    for (id, alert) in firing {
        open.entry(id.to_owned()).or_insert_with(|| Firing {
            summary: alert.summary.clone(),
            repository: alert.repository.clone(),
            from: world.now,
            until: None,
        });
    }
}

/// The last number of each series that still holds.
fn numbers(past: &Past, cursor: &mut usize, at: i64, step: i64) -> Vec<Reading> {
    while past.readings.get(*cursor).is_some_and(|reading| reading.at.0 <= at) {
        *cursor += 1;
    }
    let mut last: BTreeMap<&str, &Reading> = BTreeMap::new();
    for reading in past.readings[..*cursor].iter().rev() {
        if reading.at.0 < at - 2 * step {
            break;
        }
        last.entry(&reading.labels).or_insert(reading);
    }
    last.into_values().cloned().collect()
}

fn findings(past: &Past, at: i64) -> Vec<Judged> {
    let ids: std::collections::BTreeSet<&str> = past.findings.iter().map(|finding| finding.check.as_str()).collect();
    let judged = |id: &str| {
        let check = checks::by_id(id)?;
        let here = past.findings.iter().filter(|finding| finding.check == id && finding.began_at.0 <= at);
        let here = here.filter(|finding| finding.ended_at.is_none_or(|ended| at < ended.0));
        let finding = |past: &PastFinding| Finding {
            check: check.id,
            key: past.key.clone(),
            severity: past.severity,
            subject: past.subject.clone(),
            summary: past.summary.clone(),
            evidence: Default::default(),
            threshold: None,
            impact: String::new(),
            remedy: Remedy::default(),
            doc: String::new(),
        };
        Some(Judged { check, status: Status::Ok, reason: None, findings: here.map(finding).collect() })
    };
    ids.into_iter().filter_map(judged).collect()
}

fn report(from: Timestamp, to: Timestamp, firings: Vec<Firing>, firing_ratio: f64) -> Backtest {
    let weeks = to.since(from).0 as f64 / Span::days(7).0 as f64;
    let is_short = |firing: &&Firing| firing.until.is_some_and(|until| until.since(firing.from) < SHORT);
    let n_short = firings.iter().filter(is_short).count();
    let noise_ratio = (!firings.is_empty()).then(|| n_short as f64 / firings.len() as f64);
    Backtest {
        from,
        to,
        per_week: firings.len() as f64 / weeks.max(f64::MIN_POSITIVE),
        firings,
        firing_ratio,
        noise_ratio,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RuleEntry;

    fn reading(minute: i64, value: f64) -> Reading {
        let (repository, labels) = ("r".to_owned(), "{}".to_owned());
        Reading { repository, metric: "alignwatch_far_behind_branches", labels, at: Timestamp(minute * 60), value }
    }

    fn rule(hold: i64) -> Rule {
        let entry = RuleEntry {
            name: "far".into(),
            expr: "alignwatch_far_behind_branches > 20".into(),
            hold: Some(Span::minutes(hold)),
            ..RuleEntry::default()
        };
        Rule::of_entry(&entry).unwrap()
    }

    fn day() -> Past {
        // Above for ten minutes, then below, then above for three hours, then nothing is known.
        let value = |minute: i64| if (60..70).contains(&minute) || (200..380).contains(&minute) { 30.0 } else { 5.0 };
        Past {
            path: "/r".into(),
            readings: (0..500).step_by(5).map(|minute| reading(minute, value(minute))).collect(),
            ..Past::default()
        }
    }

    #[test]
    fn each_time_it_would_have_fired_is_told_with_its_noise() {
        let told = backtest(&rule(0), &[day()], Timestamp(0), Timestamp(600 * 60), Span::minutes(5));
        let times: Vec<_> =
            told.firings.iter().map(|firing| (firing.from.0 / 60, firing.until.map(|until| until.0 / 60))).collect();
        assert_eq!(times, [(60, Some(70)), (200, Some(380))]);
        assert_eq!(told.noise_ratio, Some(0.5));
        assert!((told.firing_ratio - 38.0 / 121.0).abs() < 1e-9, "{}", told.firing_ratio);
        let damped = backtest(&rule(15), &[day()], Timestamp(0), Timestamp(600 * 60), Span::minutes(5));
        assert_eq!((damped.firings.len(), damped.noise_ratio), (1, Some(0.0)));
    }

    #[test]
    fn where_nothing_is_known_it_stays_as_it_was() {
        let mut past = day();
        past.readings.retain(|reading| reading.at.0 < 300 * 60);
        let told = backtest(&rule(0), &[past], Timestamp(0), Timestamp(600 * 60), Span::minutes(5));
        assert_eq!(told.firings.last().unwrap().until, None);
    }
}
