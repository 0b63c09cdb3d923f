//! A rule over the past: how often it would have fired, for how long, and how noisy it would have been.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Policy, rule::Rule, world::World};
use crate::{
    Finding, Remedy, Severity, Span, Status, Timestamp,
    checks::{self, Judged},
    finding::Evidence,
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
    /// The same as history tells them, one a week, from before they were measured; in order of time.
    pub reconstructed: Vec<Reading>,
    /// Findings of the checks of the rule: from when, until when.
    pub findings: Vec<PastFinding>,
}

impl Past {
    fn begins_at(&self) -> Option<Timestamp> {
        let first = |readings: &[Reading]| readings.first().map(|reading| reading.at);
        let readings = first(&self.readings).into_iter().chain(first(&self.reconstructed));
        readings.chain(self.watched_since).min()
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
    /// Its facts, as they were last.
    pub evidence: Evidence,
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
    /// How often in a week. `None` = less than a week is known, and what a week would be like is not said by less.
    pub per_week: Option<f64>,
    /// Until when numbers are those that history tells, one a week; `None` = all were measured.
    pub reconstructed_until: Option<Timestamp>,
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
/// `objective` is the part of branches that should be aligned, 0 to 1.
pub fn backtest(
    rule: &Rule,
    pasts: &[Past],
    objective: f64,
    (from, to): (Timestamp, Timestamp),
    step: Span,
) -> Backtest {
    let first = pasts.iter().filter_map(Past::begins_at).min().unwrap_or(to);
    let from = from.max(first).min(to);
    let mut world = World::new(Policy::of_rule(rule.clone()), from);
    let step = step.0.max(1).max(to.since(from).0 / STEPS_AT_MOST);
    let mut cursors: Vec<Cursor<'_>> = pasts.iter().map(Cursor::of).collect();
    let mut open: BTreeMap<String, Firing> = BTreeMap::new();
    let (mut firings, mut n_firing, mut n_steps) = (Vec::new(), 0_u64, 0_u64);
    let mut at = from.0;
    while at <= to.0 {
        world.now = Timestamp(at);
        for (past, cursor) in pasts.iter().zip(&mut cursors) {
            let (readings, judged) = (numbers(past, cursor, at, step), findings(past, at));
            world.see(&past.path, Ok(&judged), &readings, objective);
        }
        follow(&world, &mut open, &mut firings);
        n_firing += u64::from(!open.is_empty());
        n_steps += 1;
        at += step;
    }
    firings.extend(open.into_values());
    firings.sort_by_key(|firing| firing.from);
    let reconstructed_until = pasts.iter().filter_map(|past| past.reconstructed_until(from, to)).max();
    let firing_ratio = n_firing as f64 / (n_steps as f64).max(1.0);
    Backtest { reconstructed_until, ..report(from, to, firings, firing_ratio) }
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

/// How far the numbers of a past were read.
struct Cursor<'a> {
    measured: usize,
    reconstructed: usize,
    /// When each series was first measured, by its labels.
    first: BTreeMap<&'a str, Timestamp>,
}

impl<'a> Cursor<'a> {
    fn of(past: &'a Past) -> Cursor<'a> {
        let mut first = BTreeMap::new();
        for reading in &past.readings {
            first.entry(reading.labels.as_str()).or_insert(reading.at);
        }
        Cursor { measured: 0, reconstructed: 0, first }
    }
}

impl Past {
    /// Until when its numbers between these times are reconstructed ones.
    fn reconstructed_until(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let is_within = |reading: &&Reading| from.0 - WEEK.0 < reading.at.0 && reading.at <= to;
        let last = self.reconstructed.iter().rev().find(is_within)?;
        let measured = self.readings.first().map_or(to, |reading| reading.at);
        Some(Timestamp(last.at.0 + WEEK.0).min(measured).min(to))
    }
}

/// A reconstructed number is that of the end of a week, and holds until the end of the next one.
const WEEK: Span = Span::days(7);

/// The last number of each series that still holds: as it was measured, else as history tells it.
fn numbers(past: &Past, cursor: &mut Cursor<'_>, at: i64, step: i64) -> Vec<Reading> {
    let measured = holding(&past.readings, &mut cursor.measured, at, 2 * step);
    let mut last = holding(&past.reconstructed, &mut cursor.reconstructed, at, WEEK.0);
    // What is measured at all is never filled up with what was worked out.
    last.retain(|labels, _| cursor.first.get(labels).is_none_or(|first| at < first.0));
    last.extend(measured);
    last.into_values().cloned().collect()
}

fn holding<'a>(readings: &'a [Reading], cursor: &mut usize, at: i64, holds: i64) -> BTreeMap<&'a str, &'a Reading> {
    while readings.get(*cursor).is_some_and(|reading| reading.at.0 <= at) {
        *cursor += 1;
    }
    let mut last: BTreeMap<&str, &Reading> = BTreeMap::new();
    for reading in readings[..*cursor].iter().rev().take_while(|reading| at - holds <= reading.at.0) {
        last.entry(&reading.labels).or_insert(reading);
    }
    last
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
            evidence: past.evidence.clone(),
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
        per_week: (1.0 <= weeks).then(|| firings.len() as f64 / weeks),
        reconstructed_until: None,
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
        let told = backtest(&rule(0), &[day()], 0.95, (Timestamp(0), Timestamp(600 * 60)), Span::minutes(5));
        let times: Vec<_> =
            told.firings.iter().map(|firing| (firing.from.0 / 60, firing.until.map(|until| until.0 / 60))).collect();
        assert_eq!(times, [(60, Some(70)), (200, Some(380))]);
        assert_eq!(told.noise_ratio, Some(0.5));
        assert!((told.firing_ratio - 38.0 / 121.0).abs() < 1e-9, "{}", told.firing_ratio);
        let damped = backtest(&rule(15), &[day()], 0.95, (Timestamp(0), Timestamp(600 * 60)), Span::minutes(5));
        assert_eq!((damped.firings.len(), damped.noise_ratio), (1, Some(0.0)));
    }

    #[test]
    fn where_nothing_is_known_it_stays_as_it_was() {
        let mut past = day();
        past.readings.retain(|reading| reading.at.0 < 300 * 60);
        let told = backtest(&rule(0), &[past], 0.95, (Timestamp(0), Timestamp(600 * 60)), Span::minutes(5));
        assert_eq!(told.firings.last().unwrap().until, None);
    }

    #[test]
    fn hours_say_nothing_of_weeks() {
        let told = backtest(&rule(0), &[day()], 0.95, (Timestamp(0), Timestamp(600 * 60)), Span::minutes(5));
        assert_eq!((told.firings.len(), told.per_week), (2, None));
    }

    const DAY: i64 = 1_440;

    #[test]
    fn what_history_tells_counts_until_it_is_measured_and_not_twice() {
        // Far behind at the ends of the second and third week; measured from the third week on, and well.
        let weekly = [(0, 5.0), (7, 30.0), (14, 30.0), (21, 30.0)];
        let past = Past {
            path: "/r".into(),
            readings: (15 * DAY..22 * DAY).step_by(5).map(|minute| reading(minute, 5.0)).collect(),
            reconstructed: weekly.iter().map(|(day, value)| reading(day * DAY, *value)).collect(),
            ..Past::default()
        };
        let to = Timestamp(22 * DAY * 60);
        let told = backtest(&rule(0), &[past], 0.95, (Timestamp(0), to), Span::minutes(5));
        let days: Vec<_> =
            told.firings.iter().map(|one| (one.from.0 / 86_400, one.until.map(|until| until.0 / 86_400))).collect();
        assert_eq!(days, [(7, Some(15))]);
        assert_eq!(told.reconstructed_until, Some(Timestamp(15 * DAY * 60)));
        assert!((told.per_week.unwrap() - 7.0 / 22.0).abs() < 1e-9, "{:?}", told.per_week);
    }

    #[test]
    fn an_error_budget_of_a_rule_of_ones_own_is_found_in_the_past() {
        let burn = crate::config::BurnEntry {
            short: Span::minutes(30),
            long: Span::hours(2),
            factor: "10".into(),
            severity: Some(Severity::Critical),
        };
        let entry = RuleEntry {
            name: "far".into(),
            expr: "alignwatch_far_behind_branches > 20".into(),
            objective: Some("95".into()),
            burn_rates: vec![burn],
            ..RuleEntry::default()
        };
        let told = backtest(
            &Rule::of_entry(&entry).unwrap(),
            &[day()],
            0.5,
            (Timestamp(0), Timestamp(490 * 60)),
            Span::minutes(5),
        );
        // Bad from the 200th minute on: half of two hours is bad an hour later, and it is over when the last half hour is well.
        let times: Vec<_> =
            told.firings.iter().map(|firing| (firing.from.0 / 60, firing.until.map(|until| until.0 / 60))).collect();
        assert_eq!(times, [(265, Some(395))], "{told:#?}");
    }

    #[test]
    fn an_error_budget_that_went_too_fast_is_found_in_the_past() {
        let rule = Rule::built_in().into_iter().find(|rule| rule.name == "alignment-budget-burns").unwrap();
        let ratio = |minute: i64| if (DAY..DAY + 180).contains(&minute) { 0.1 } else { 1.0 };
        let number =
            |minute: i64| Reading { metric: crate::alert::book::WITHIN_BUDGET, ..reading(minute, ratio(minute)) };
        let past =
            Past { path: "/r".into(), readings: (0..2 * DAY).step_by(5).map(number).collect(), ..Past::default() };
        let told = backtest(&rule, &[past], 0.95, (Timestamp(0), Timestamp(2 * DAY * 60)), Span::minutes(5));
        assert_eq!(told.firings.len(), 1, "{told:#?}");
        assert!(DAY * 60 < told.firings[0].from.0 && told.firings[0].until.is_some(), "{told:#?}");
    }
}
