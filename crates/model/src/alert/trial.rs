//! Tests of rules, as data: what is seen when, what people do, and what is expected then.
//!
//! It covers the whole road of an alert, not only its rule: grouping, silences, windows, acknowledgements, escalation, channels
//! that are down, restarts. The form follows `promtool test rules` where that has one.
//!
//! ```yaml
//! tests:
//!   - name: a conflict is told once, and its end
//!     findings: [{check: conflicting, repository: /srv/a.git, subject: main, severity: error, from: 5m, until: 40m}]
//!     expect:
//!       - {at: 21m, alerts: [{rule: conflict, phase: firing}], told: [{channel: team, firing: [conflict]}]}
//!       - {at: 60m, told: [{channel: team, resolved: [conflict]}]}
//! ```

mod acts;
mod expected;
mod runs;

use std::collections::BTreeSet;

use serde::Deserialize;

pub use self::{
    acts::{Act, Post, WindowAct},
    expected::{Expected, ExpectedAlert, ExpectedTelling},
    runs::RunAct,
};
use self::{expected::told_as, runs::Runs};

use super::{Labels, Policy, matcher::parse_all, world::World};
use crate::{
    Finding, Remedy, Severity, Span, Status, Timestamp,
    checks::{self, Check, Judged, facts},
    config::{Config, parse_length},
    finding::Evidence,
    metrics,
    record::Reading,
};

/// A file of tests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trials {
    /// The configuration that is tested, as it would stand in its file; none = the one in force.
    #[serde(default)]
    pub config: Option<String>,
    /// The tests.
    pub tests: Vec<Trial>,
}

/// One test. It begins at midnight UTC of 2026-01-01, and all times are counted from there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// What it shows.
    pub name: String,
    /// The time between two looks.
    #[serde(default = "a_minute")]
    pub interval: Length,
    /// When it begins, where that matters: for windows.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// What checks find.
    #[serde(default)]
    pub findings: Vec<Found>,
    /// What is measured.
    #[serde(default)]
    pub series: Vec<Numbers>,
    /// Repositories that can't be looked at.
    #[serde(default)]
    pub unseen: Vec<Unseen>,
    /// Hosts of remotes that each look asks, and that do not answer for a time.
    #[serde(default)]
    pub remotes: Vec<Remote>,
    /// What people and things do.
    #[serde(default)]
    pub acts: Vec<Act>,
    /// What is expected.
    pub expect: Vec<Expected>,
}

/// A length of time, as the configuration has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Length(pub Span);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Length, String> {
        parse_length(&text).map(Length).ok_or_else(|| format!("`{text}` is no length of time: write it like `5m`"))
    }
}

fn a_minute() -> Length {
    Length(Span(60))
}

/// A finding that is there for a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The check.
    pub check: String,
    /// Where.
    pub repository: String,
    /// What it is about.
    #[serde(default)]
    pub subject: String,
    /// How bad; none = as bad as that check can say.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// From when.
    #[serde(default)]
    pub from: Option<Length>,
    /// Until when; none = for ever.
    #[serde(default)]
    pub until: Option<Length>,
    /// The check could not look then, so that nothing is found nor over.
    #[serde(default)]
    pub in_doubt: bool,
    /// Its facts, as `check --json` shows them: what conditions ask for.
    #[serde(default)]
    pub evidence: Evidence,
}

/// A series with its values, one for each look, as Prometheus writes them: `0 1 2`, `5x3` (5 four times), `0+2x3` (0 2 4 6), `_` (none).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// `name{label="value"}`, with the label `repository`.
    pub series: String,
    /// The values.
    pub values: String,
}

/// A repository that can't be looked at for a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// Which.
    pub repository: String,
    /// From when.
    pub from: Length,
    /// Until when.
    pub until: Length,
}

/// A host that each look at a repository asks. While it does not answer, the check `remote-unreachable` finds that.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// The repository whose remote lies there.
    pub repository: String,
    /// The host.
    pub host: String,
    /// From when it does not answer; none = it always does.
    #[serde(default)]
    pub from: Option<Length>,
    /// Until when; none = for ever.
    #[serde(default)]
    pub until: Option<Length>,
}

impl Remote {
    fn answers(&self, offset: i64) -> bool {
        let is_over = self.until.is_some_and(|until| until.0.0 <= offset);
        self.from.is_none_or(|from| offset < from.0.0) || is_over
    }

    /// What the check finds while it is silent.
    fn found(&self) -> Option<Found> {
        Some(Found {
            check: "remote-unreachable".to_owned(),
            repository: self.repository.clone(),
            subject: self.host.clone(),
            severity: None,
            from: Some(self.from?),
            until: self.until,
            in_doubt: false,
            evidence: [("host".to_owned(), self.host.clone().into())].into_iter().collect(),
        })
    }
}

/// Looks of one test, at most. Source: ours; a month of one each five minutes, ten times over.
const LOOKS_AT_MOST: i64 = 100_000;

/// 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp(1_767_225_600);

/// Reads a file of tests. Errors: what is wrong, with its place.
pub fn parse(text: &str) -> Result<Trials, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

impl Trials {
    /// Runs all tests. Gives their names, each with what was not as expected. Errors: a test can't be run.
    pub fn run(&self, in_force: &Config) -> Result<Vec<(String, Vec<String>)>, String> {
        let config = match &self.config {
            None => in_force.clone(),
            Some(text) => {
                let all = |errors: Vec<crate::config::ConfigError>| {
                    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
                };
                Config::from_yaml(text, "config").map_err(all)?.0
            }
        };
        let run = |trial: &Trial| {
            let wrong = |reason| format!("test `{}`: {reason}", trial.name);
            Ok((trial.name.clone(), trial.run(&config).map_err(wrong)?))
        };
        self.tests.iter().map(run).collect()
    }
}

/// A line of the story that a test is.
enum Line<'a> {
    Act(&'a Act),
    Expected(&'a Expected),
}

/// The series of a test, ready to be read.
struct Measured {
    metric: &'static str,
    repository: String,
    labels: String,
    values: Vec<Option<f64>>,
}

impl Trial {
    fn run(&self, config: &Config) -> Result<Vec<String>, String> {
        let silent = self.remotes.iter().filter_map(Remote::found);
        let trial = Trial { findings: self.findings.iter().cloned().chain(silent).collect(), ..self.clone() };
        trial.go(config)
    }

    fn go(&self, config: &Config) -> Result<Vec<String>, String> {
        let begin = self.start.unwrap_or(BEGIN);
        let end = self.expect.iter().map(|expected| expected.at.0.0).max().unwrap_or(0);
        let interval = self.interval.0.0.max(1);
        if LOOKS_AT_MOST < end / interval {
            return Err(format!("it has more than {LOOKS_AT_MOST} looks"));
        }
        let series = self.series.iter().map(measured).collect::<Result<Vec<_>, _>>()?;
        let checks = self.checks()?;
        let mut world = World::new(Policy::of(config), begin);
        let mut runs = Runs::of(self.acts.iter().filter_map(|act| act.run.as_ref()));
        let objective = f64::from(config.serve.aligned_objective) / 100.0;
        let (mut wrong, mut n_told) = (Vec::new(), 0);
        for number in 0..=(end / interval) {
            let offset = number * interval;
            world.wait_until(Timestamp(begin.0 + offset - world.set_back.0));
            for repository in self.repositories(&series, &runs) {
                let readings = readings(&series, &repository, number as usize, world.now);
                match self.is_unseen(&repository, offset) {
                    true => world.see(&repository, Err("it is not there"), &[], objective),
                    false => {
                        let mut judged = self.judged(&checks, &repository, offset)?;
                        judged.extend(runs.judged(config, &repository, begin, world.now));
                        world.see_asking(
                            &repository,
                            Ok(&judged),
                            &readings,
                            objective,
                            &self.asked(&repository, offset),
                        );
                    }
                }
            }
            world.look_at_itself();
            let until = offset + interval;
            for (at, line) in self.lines().into_iter().filter(|(at, _)| (offset..until).contains(at)) {
                world.wait_until(Timestamp(begin.0 + at - world.set_back.0));
                match line {
                    Line::Act(act) => {
                        act.run.iter().try_for_each(|run| runs.take_in(run, world.now))?;
                        act.perform(&mut world)?;
                    }
                    Line::Expected(expected) => {
                        let told: Vec<_> =
                            world.told[n_told..].iter().map(|(at, telling)| (*at, told_as(telling))).collect();
                        n_told = world.told.len();
                        wrong.extend(expected.differs(&world, &told));
                    }
                }
            }
        }
        Ok(wrong)
    }

    /// What is done and expected, in order of time; what is done at a time comes before what is expected of it.
    fn lines(&self) -> Vec<(i64, Line<'_>)> {
        let acts = self.acts.iter().map(|act| (act.at.map_or(0, |at| at.0.0), Line::Act(act)));
        let expected = self.expect.iter().map(|expected| (expected.at.0.0, Line::Expected(expected)));
        let mut lines: Vec<_> = acts.chain(expected).collect();
        lines.sort_by_key(|(at, _)| *at);
        lines
    }

    fn repositories(&self, series: &[Measured], runs: &Runs) -> BTreeSet<String> {
        let found = self.findings.iter().map(|found| &found.repository);
        let unseen = self.unseen.iter().map(|unseen| &unseen.repository);
        let asked = self.remotes.iter().map(|remote| &remote.repository);
        found
            .chain(unseen)
            .chain(asked)
            .chain(runs.places())
            .chain(series.iter().map(|series| &series.repository))
            .cloned()
            .collect()
    }

    fn checks(&self) -> Result<Vec<&'static Check>, String> {
        let mut found = Vec::new();
        for id in self.findings.iter().map(|found| found.check.as_str()).collect::<BTreeSet<_>>() {
            found.push(checks::by_id(id).ok_or_else(|| format!("there is no check `{id}`"))?);
        }
        for (name, value) in self.findings.iter().flat_map(|found| &found.evidence) {
            if !facts::is_one(name, value) {
                return Err(format!("no finding has the fact `{name}` with the value {value}"));
            }
        }
        Ok(found)
    }

    /// The hosts that a look at this repository asks, each with whether it answers.
    fn asked(&self, repository: &str, offset: i64) -> Vec<(String, bool)> {
        let here = self.remotes.iter().filter(|remote| remote.repository == repository);
        here.map(|remote| (remote.host.clone(), remote.answers(offset))).collect()
    }

    fn is_unseen(&self, repository: &str, offset: i64) -> bool {
        let covers = |unseen: &Unseen| (unseen.from.0.0..unseen.until.0.0).contains(&offset);
        self.unseen.iter().any(|unseen| unseen.repository == repository && covers(unseen))
    }

    fn judged(&self, checks: &[&'static Check], repository: &str, offset: i64) -> Result<Vec<Judged>, String> {
        let is_now = |found: &&Found| {
            let from = found.from.map_or(0, |from| from.0.0);
            let until = found.until.map_or(i64::MAX, |until| until.0.0);
            found.repository == repository && (from..until).contains(&offset)
        };
        let judge = |check: &&'static Check| {
            let here: Vec<&Found> =
                self.findings.iter().filter(|found| found.check == check.id).filter(is_now).collect();
            let in_doubt = here.iter().any(|found| found.in_doubt);
            Judged {
                check,
                status: Status::Ok,
                reason: in_doubt.then(|| "it could not look".to_owned()),
                findings: here.iter().filter(|found| !found.in_doubt).map(|found| finding(check, found)).collect(),
            }
        };
        Ok(checks.iter().map(judge).collect())
    }
}

fn finding(check: &'static Check, found: &Found) -> Finding {
    Finding {
        check: check.id,
        key: format!("{}:{}", check.id, found.subject),
        severity: found.severity.unwrap_or(check.severity),
        subject: found.subject.clone(),
        summary: format!("{} ({})", check.title, found.subject),
        evidence: found.evidence.clone(),
        threshold: None,
        impact: String::new(),
        remedy: Remedy::default(),
        doc: String::new(),
    }
}

fn measured(numbers: &Numbers) -> Result<Measured, String> {
    let text = numbers.series.trim();
    let (name, labels) = text.split_once('{').map_or((text, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
    let metric =
        metrics::by_name(name.trim()).ok_or_else(|| format!("`{name}` is no metric: docs/METRICS.md lists all"))?;
    let matchers = parse_all(labels).map_err(|bad| bad.0)?;
    let mut labels: Labels = matchers.into_iter().map(|matcher| (matcher.name, matcher.value)).collect();
    let repository = labels.remove("repository").ok_or_else(|| format!("`{text}` needs the label `repository`"))?;
    let labels = serde_json::to_string(&labels).map_err(|error| error.to_string())?;
    Ok(Measured { metric: metric.name, repository, labels, values: values(&numbers.values)? })
}

/// Values as Prometheus writes them in tests of rules. Errors: the word that is none.
fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        let wrong = || format!("`{word}` is no value: write 5, 5x3, 0+2x3, 9-1x3, _ or _x3");
        let (first, times) = match word.rsplit_once('x') {
            Some((first, times)) => (first, times.parse::<usize>().map_err(|_| wrong())?),
            None => (word, 0),
        };
        if LOOKS_AT_MOST as usize <= values.len() + times {
            return Err(format!("more than {LOOKS_AT_MOST} values"));
        }
        if first == "_" {
            values.extend(std::iter::repeat_n(None, times.max(1)));
            continue;
        }
        // A sign in front belongs to the number.
        let sign = first.get(1..).and_then(|rest| rest.find(['+', '-'])).map(|at| at + 1);
        let (start, step) = sign.map_or((first, "0"), |at| first.split_at(at));
        let start: f64 = start.parse().map_err(|_| wrong())?;
        let step: f64 = step.trim_start_matches('+').parse().map_err(|_| wrong())?;
        values.extend((0..=times).map(|n| Some(start + step * n as f64)));
    }
    Ok(values)
}

fn readings(series: &[Measured], repository: &str, number: usize, at: Timestamp) -> Vec<Reading> {
    let here = series.iter().filter(|series| series.repository == repository);
    let reading = |series: &Measured| {
        let value = series.values.get(number).copied().flatten()?;
        let labels: Labels = serde_json::from_str(&series.labels).ok()?;
        let role = labels.get("role").map(String::as_str);
        let is_of_machine = metrics::by_name(series.metric).is_some_and(|metric| metric.is_of_machine(role));
        let repository = if is_of_machine { "" } else { repository }.to_owned();
        let labels = series.labels.clone();
        Some(Reading { repository, metric: series.metric, labels, at, value })
    };
    here.filter_map(reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "config: |\n  channels:\n    webhook: [{name: team, url: \"https://x.example/h\"}]\n  alerts: {settle: 0s}\n  rules:\n    - {name: far, expr: 'alignwatch_far_behind_branches > 20', clear: '15', for: 2m}\n";

    fn wrong(tests: &str) -> Vec<String> {
        let trials = parse(&format!("{CONFIG}{tests}")).unwrap();
        trials.run(&Config::default()).unwrap().into_iter().flat_map(|(_, wrong)| wrong).collect()
    }

    #[test]
    fn a_test_covers_the_whole_road_of_an_alert() {
        let tests = "tests:\n  - name: far\n    series: [{series: 'alignwatch_far_behind_branches{repository=\"/a\"}', values: '0x4 25x5 18x5 10x9'}]\n    acts: [{at: 9m, restart: true}]\n    expect:\n      - {at: 6m, alerts: [{rule: far, phase: pending}], told: []}\n      - {at: 8m, alerts: [{rule: far, severity: warning, held: nothing}], told: [{channel: team, firing: [far]}]}\n      - {at: 15m, alerts: [{rule: far}], told: []}\n      - {at: 25m, alerts: [], told: [{channel: team, resolved: [far]}]}\n";
        assert_eq!(wrong(tests), [""; 0]);
    }

    #[test]
    fn what_is_not_as_expected_is_told() {
        let tests = "tests:\n  - name: far\n    series: [{series: 'alignwatch_far_behind_branches{repository=\"/a\"}', values: '25x9'}]\n    expect:\n      - {at: 5m, alerts: [], told: [{channel: team, resolved: [far]}]}\n";
        let wrong = wrong(tests);
        assert_eq!(wrong[0], "at 5m: not expected: far firing, warning, held by nothing");
        assert!(wrong.iter().any(|line| line == "at 5m: team was to hear over: far"), "{wrong:#?}");
        assert!(
            wrong.iter().any(|line| line.starts_with("at 5m: team heard firing: far (first of its group)")),
            "{wrong:#?}"
        );
    }

    #[test]
    fn silences_doubt_and_unseen_repositories_are_part_of_it() {
        let tests = "tests:\n  - name: conflict\n    findings:\n      - {check: conflicting, repository: /a, subject: main, severity: error, until: 60m}\n      - {check: conflicting, repository: /a, in_doubt: true, from: 60m, until: 70m}\n    unseen: [{repository: /a, from: 80m, until: 100m}]\n    acts: [{at: 20m, silence: ['alertname=\"conflict\"'], for: 2h}]\n    expect:\n      - {at: 16m, alerts: [{rule: conflict}], told: [{channel: team, firing: [conflict]}]}\n      - {at: 30m, alerts: [{rule: conflict, held: silence}], told: []}\n      - {at: 65m, alerts: [{rule: conflict, held: silence}], told: []}\n";
        assert_eq!(wrong(tests), [""; 0]);
    }

    #[test]
    fn what_lasts_longer_than_time_is_counted_lasts_for_ever() {
        let ever = "9223372036854775807s";
        let tests = format!(
            "tests:\n  - name: ever\n    findings: [{{check: conflicting, repository: /a, subject: main}}]\n    acts: [{{at: 1m, post: [{{labels: {{alertname: x}}, lasts: {ever}}}]}}, {{at: 20m, ack: conflict, for: {ever}}}]\n    expect:\n      - {{at: 22m, alerts: [{{rule: conflict, held: ack}}, {{rule: x}}]}}\n"
        );
        assert_eq!(wrong(&tests), [""; 0]);
    }

    #[test]
    fn messages_count_each_and_come_in_order_with_reason_and_group() {
        let two = "series:\n      - {series: 'alignwatch_far_behind_branches{repository=\"/a\"}', values: '25x19'}\n      - {series: 'alignwatch_far_behind_branches{repository=\"/b\"}', values: '0x5 25x13'}";
        let test = |told: &str| {
            format!("tests:\n  - name: far\n    {two}\n    expect:\n      - {{at: 19m, told: [{told}]}}\n")
        };
        let (a, b) = (
            "{channel: team, firing: [far], reason: first, group: {alertname: far, repository: /a}}",
            "{channel: team, firing: [far], group: {alertname: far, repository: /b}}",
        );
        assert_eq!(wrong(&test(&format!("{a}, {b}"))), [""; 0]);
        let once = wrong(&test(a));
        assert!(once.len() == 1 && once[0].contains("which was not expected"), "{once:#?}");
        let turned = wrong(&test(&format!("{b}, {a}")));
        assert!(turned.len() == 1 && turned[0].ends_with("before what stands in front of it"), "{turned:#?}");
        let repeated = wrong(&test(&format!("{}, {b}", a.replace("first", "repeat"))));
        assert!(repeated.iter().any(|line| line.contains("was to hear firing: far (still so)")), "{repeated:#?}");
    }

    #[test]
    fn values_are_read_as_prometheus_reads_them() {
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(values("1 2").unwrap(), some(&[1.0, 2.0]));
        assert_eq!(values("5x2").unwrap(), some(&[5.0, 5.0, 5.0]));
        assert_eq!(values("0+2x2").unwrap(), some(&[0.0, 2.0, 4.0]));
        assert_eq!(values("-1-1x1").unwrap(), some(&[-1.0, -2.0]));
        assert_eq!(values("_x2 1").unwrap(), [None, None, Some(1.0)]);
        assert!(values("many").unwrap_err().contains("`many` is no value"));
    }
}
