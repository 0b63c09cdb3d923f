//! Holds rules against what was seen of one repository.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Alert, Labels, Matcher,
    burn::{Budgets, Slo},
    doubt::Here,
    expression::Expression,
    fingerprint,
    lifecycle::Result,
    matcher::all_match,
    rule::{LABELS_OF_EVIDENCE, Of, Rule},
};
use crate::{Severity, Timestamp, checks::Judged, record::Reading};

/// What was seen of a repository.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Its path, by which it is known also where it can't be looked at; empty for runs that belong to no repository.
    pub path: &'a str,
    /// What the checks say, or why it could not be looked at.
    pub judged: std::result::Result<&'a [Judged], &'a str>,
    /// The numbers.
    pub readings: &'a [Reading],
    /// The part of branches that should be aligned, 0 to 1.
    pub objective: f64,
    /// The hosts of remotes that were asked, each with whether it answered.
    pub hosts: &'a [(String, bool)],
    /// The time of judgement.
    pub now: Timestamp,
}

/// One thing that is bad by a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// What it is about; the same cause has the same ones.
    pub labels: Labels,
    /// How bad.
    pub severity: Severity,
    /// The number that says so.
    pub value: Option<f64>,
    /// In one sentence.
    pub summary: String,
    /// What it means.
    pub description: String,
    /// What to type.
    pub commands: Vec<String>,
    /// Where the procedure is written.
    pub runbook: String,
}

/// What one rule says of one repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// What is bad.
    pub bad: Vec<Instance>,
    /// What is to be thought of alerts that were bad before and are not among these.
    pub others: Others,
    /// There was something that it is about, bad or not.
    pub matched: bool,
}

/// What is to be thought of what is not bad.
#[derive(Clone, Debug, PartialEq)]
pub enum Others {
    /// All of it is well, but for what these checks would have found (they could not look) and the alerts with these fingerprints
    /// (their condition cannot be answered), for these reasons.
    WellBut(BTreeMap<String, String>),
    /// Only these, by their fingerprints, are well; there is no number for any other, or its condition cannot be answered.
    WellOnly(BTreeSet<String>),
    /// Only these are well; of others too little is known, of some for these reasons, by their fingerprints.
    WellOnlyBut(BTreeSet<String>, BTreeMap<String, String>),
    /// Nothing can be said, for this reason.
    Unknown(String),
}

impl Others {
    /// The result for an alert that is not among the bad ones.
    pub fn result(&self, alert: &Alert) -> Result {
        let doubt = match self {
            Others::WellBut(doubts) => {
                let of_check = alert.labels.get("check").and_then(|check| doubts.get(check));
                of_check.or_else(|| doubts.get(&alert.fingerprint)).cloned()
            }
            Others::WellOnly(well) | Others::WellOnlyBut(well, _) if well.contains(&alert.fingerprint) => None,
            Others::WellOnlyBut(_, doubts) if doubts.contains_key(&alert.fingerprint) => {
                doubts.get(&alert.fingerprint).cloned()
            }
            Others::WellOnly(_) | Others::WellOnlyBut(..) => {
                Some("there is no number for it any more, or its condition cannot be answered".to_owned())
            }
            Others::Unknown(reason) => Some(reason.clone()),
        };
        doubt.map_or(Result::Good, Result::Doubt)
    }
}

/// The numbers of one look, by metric: thousands of rules are held against thousands of series, and each looks at its own.
#[derive(Debug, Default)]
pub struct Numbers<'a>(HashMap<&'a str, Series>);

/// The series of one metric.
#[derive(Debug, Default)]
struct Series {
    all: Vec<(Labels, f64)>,
    /// By a label that some rule names, and its value: which of them.
    by_label: HashMap<String, HashMap<String, Vec<usize>>>,
}

impl<'a> Numbers<'a> {
    /// Those of the metrics that any of these rules is about.
    pub fn of(seen: &Seen<'a>, rules: &[Rule]) -> Numbers<'a> {
        let mut wanted: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for rule in rules {
            let Some(metric) = rule.of.metric() else { continue };
            let named = wanted.entry(metric).or_default();
            if let Of::Metric { bad, .. } = &rule.of {
                named.extend(bad.matchers.iter().filter(|matcher| matcher.is_word()).map(|matcher| &*matcher.name));
            }
        }
        let mut numbers: HashMap<&str, Series> = HashMap::new();
        for reading in seen.readings {
            let Some(named) = wanted.get(reading.metric) else { continue };
            let mut labels: Labels = serde_json::from_str(&reading.labels).unwrap_or_default();
            if !reading.repository.is_empty() {
                labels.insert("repository".to_owned(), seen.path.to_owned());
            }
            numbers.entry(reading.metric).or_default().push(labels, reading.value, named);
        }
        Numbers(numbers)
    }

    /// Those that this may be about: all of its metric, or only those whose label is the word that it names.
    fn near(&self, bad: &Expression) -> Vec<&(Labels, f64)> {
        let Some(series) = self.0.get(&*bad.metric) else { return Vec::new() };
        let words = bad.matchers.iter().filter(|matcher| matcher.is_word());
        let with_word = words.filter_map(|matcher| {
            Some(series.by_label.get(&matcher.name)?.get(&matcher.value).map_or(&[][..], Vec::as_slice))
        });
        match with_word.min_by_key(|numbers| numbers.len()) {
            Some(numbers) => numbers.iter().map(|number| &series.all[*number]).collect(),
            None => series.all.iter().collect(),
        }
    }

    /// Those of one metric.
    pub fn of_metric(&self, metric: &str) -> &[(Labels, f64)] {
        self.0.get(metric).map_or(&[], |series| series.all.as_slice())
    }
}

impl Series {
    fn push(&mut self, labels: Labels, value: f64, named: &BTreeSet<&str>) {
        for &name in named {
            if let Some(word) = labels.get(name) {
                let by_word = self.by_label.entry(name.to_owned()).or_default();
                by_word.entry(word.clone()).or_default().push(self.all.len());
            }
        }
        self.all.push((labels, value));
    }
}

/// What is known already of the alerts of a rule in a repository.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// There are any.
    pub any: bool,
    /// The last days of what promises are made of.
    pub budgets: &'a Budgets,
    /// What of ourselves is in doubt.
    pub doubts: &'a Here,
    /// Does the one with this fingerprint fire?
    pub is_firing: &'a dyn Fn(&str) -> bool,
}

/// Holds a rule against a repository.
///
/// `None`: the rule is not about repositories.
pub fn evaluate(rule: &Rule, seen: &Seen<'_>, numbers: &Numbers<'_>, known: Known<'_>) -> Option<Evaluated> {
    let unseen =
        |reason: &str| Evaluated { bad: Vec::new(), others: Others::Unknown(reason.to_owned()), matched: false };
    if let (Ok(_), Some(reason)) = (seen.judged, known.doubts.of_numbers(rule)) {
        return Some(unseen(reason));
    }
    Some(match (&rule.of, seen.judged) {
        (Of::OwnPromise | Of::SilenceEnds | Of::RuleIdle, _) => return None,
        (Of::Unseen, Err(reason)) => {
            let others = Others::WellBut(BTreeMap::new());
            Evaluated { bad: vec![cannot_be_seen(rule, seen, reason)], others, matched: true }
        }
        (Of::Unseen, Ok(_)) => well(),
        (_, Err(reason)) => unseen(reason),
        (Of::Findings { checks, at_least, matchers }, Ok(judged)) => {
            findings(rule, (checks, *at_least, matchers), judged, known.doubts, seen)
        }
        (Of::Metric { bad, clear }, Ok(_)) => {
            let limit = |fingerprint: &str| {
                let fires = (known.is_firing)(fingerprint);
                if fires { clear.unwrap_or(bad.number) } else { bad.number }
            };
            of_metric(rule, bad, &numbers.near(bad), known.any, &limit, seen)
        }
        (Of::BudgetBurns(slo), Ok(_)) => budget(rule, slo, known.budgets, seen),
    })
}

/// Nothing is bad.
fn well() -> Evaluated {
    Evaluated { bad: Vec::new(), others: Others::WellBut(BTreeMap::new()), matched: true }
}

fn labels(rule: &Rule, seen: &Seen<'_>, own: impl IntoIterator<Item = (String, String)>) -> Labels {
    let mut labels: Labels = own.into_iter().collect();
    let is_number = rule.of.metric().is_some();
    if !is_number && !rule.is_about_machine() && !seen.path.is_empty() {
        labels.insert("repository".to_owned(), seen.path.to_owned());
    }
    labels.extend(rule.labels.clone());
    labels.insert("alertname".to_owned(), rule.name.clone());
    labels
}

/// Checks, the least severity, and what else must hold.
type Wanted<'a> = (&'a [String], Severity, &'a [Matcher]);

fn findings(
    rule: &Rule,
    (checks, at_least, matchers): Wanted<'_>,
    judged: &[Judged],
    of_ourselves: &Here,
    seen: &Seen<'_>,
) -> Evaluated {
    let (mut bad, mut doubts, mut matched) = (Vec::new(), BTreeMap::new(), false);
    for judged in judged.iter().filter(|judged| checks.iter().any(|id| id == judged.check.id)) {
        match &judged.reason {
            Some(reason) => drop(doubts.insert(judged.check.id.to_owned(), reason.clone())),
            None => matched = true,
        }
        if let Some(reason) = of_ourselves.of_check(judged.check) {
            doubts.insert(judged.check.id.to_owned(), reason.to_owned());
            continue;
        }
        for finding in judged.findings.iter().filter(|finding| at_least <= finding.severity) {
            let own = [("check", judged.check.id), ("subject", &finding.subject), ("key", &finding.key)];
            let mut labels = labels(rule, seen, own.map(|(name, value)| (name.to_owned(), value.to_owned())));
            for name in LABELS_OF_EVIDENCE {
                if let Some(text) = finding.evidence.get(name).and_then(serde_json::Value::as_str) {
                    labels.insert(name.to_owned(), text.to_owned());
                }
            }
            if !all_match(matchers, &labels) {
                continue;
            }
            match rule.when.as_ref().map_or(Ok(true), |when| when.holds_for(finding, &labels)) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(reason) => {
                    doubts.insert(fingerprint(&labels), reason);
                    continue;
                }
            }
            bad.push(Instance {
                labels,
                severity: rule.severity.unwrap_or(finding.severity),
                value: None,
                summary: rule.summary.clone().unwrap_or_else(|| finding.summary.clone()),
                description: finding.impact.clone(),
                commands: finding.remedy.commands.clone(),
                runbook: rule.runbook.clone().unwrap_or_else(|| finding.doc.clone()),
            });
        }
    }
    Evaluated { bad, others: Others::WellBut(doubts), matched }
}

fn of_metric(
    rule: &Rule,
    bad_when: &Expression,
    series: &[&(Labels, f64)],
    any_known: bool,
    limit: &dyn Fn(&str) -> f64,
    seen: &Seen<'_>,
) -> Evaluated {
    let (mut bad, mut well, mut matched) = (Vec::new(), BTreeSet::new(), false);
    for (own, value) in series {
        matched = matched || bad_when.is_about(own);
        // Most numbers are well and were before: nothing is worked out for them.
        if !any_known && !bad_when.comparison.holds(*value, bad_when.number) || !bad_when.is_about(own) {
            continue;
        }
        let labels = labels(rule, seen, own.clone());
        let fingerprint = fingerprint(&labels);
        let limit = limit(&fingerprint);
        // Between the two thresholds it stays bad; at the second one itself it is well.
        let is_at_clear = limit != bad_when.number && *value == limit;
        let is_bad = bad_when.comparison.holds(*value, limit) && !is_at_clear;
        let holds = rule.when.as_ref().filter(|_| is_bad).map(|when| when.holds_of(*value, &labels));
        if matches!(holds, Some(Err(_))) {
            continue;
        }
        if is_bad && holds.is_none_or(|holds| holds == Ok(true)) {
            bad.push(of_number(rule, bad_when, labels, *value));
        } else {
            well.insert(fingerprint);
        }
    }
    Evaluated { bad, others: Others::WellOnly(well), matched }
}

fn of_number(rule: &Rule, bad: &Expression, labels: Labels, value: f64) -> Instance {
    let metric = crate::metrics::by_name(&bad.metric);
    let number = number(value);
    Instance {
        labels,
        severity: rule.severity.unwrap_or(Severity::Warning),
        value: Some(value),
        summary: rule.summary.clone().unwrap_or_else(|| format!("{} is {number} (bad: {bad})", bad.metric)),
        description: metric.map_or(String::new(), |metric| metric.why.to_owned()),
        commands: Vec::new(),
        runbook: rule.runbook.clone().unwrap_or_default(),
    }
}

fn cannot_be_seen(rule: &Rule, seen: &Seen<'_>, reason: &str) -> Instance {
    Instance {
        labels: labels(rule, seen, []),
        severity: Severity::Error,
        value: None,
        summary: format!("{} cannot be looked at: {reason}", seen.path),
        description: rule.why.clone(),
        commands: vec![format!("alignwatch doctor {}", crate::quote::shell_word(seen.path.as_bytes()))],
        runbook: rule.runbook.clone().unwrap_or_default(),
    }
}

fn budget(rule: &Rule, slo: &Slo, budgets: &Budgets, seen: &Seen<'_>) -> Evaluated {
    let objective = slo.objective.unwrap_or(seen.objective);
    let (mut bad, mut well, mut doubts, mut matched) = (Vec::new(), BTreeSet::new(), BTreeMap::new(), false);
    for (own, ratios) in budgets.at(&slo.good, seen.path) {
        matched = true;
        let labels = labels(rule, seen, own.clone());
        let fingerprint = fingerprint(&labels);
        let burning = ratios.burning(&slo.pairs, objective, seen.now).and_then(|burning| match (burning, &rule.when) {
            (Some((_, rate)), Some(when)) => when.holds_of(rate, &labels).map(|holds| burning.filter(|_| holds)),
            _ => Ok(burning),
        });
        match burning {
            Ok(Some((pair, rate))) => bad.push(of_rate(rule, slo, labels, pair.severity, rate)),
            Ok(None) => drop(well.insert(fingerprint)),
            Err(reason) => drop(doubts.insert(fingerprint, reason)),
        }
    }
    Evaluated { bad, others: Others::WellOnlyBut(well, doubts), matched }
}

fn of_rate(rule: &Rule, slo: &Slo, labels: Labels, severity: Severity, rate: f64) -> Instance {
    let path = labels.get("repository").filter(|_| !rule.is_own);
    let command =
        path.map(|path| format!("alignwatch branches {} --sort behind", crate::quote::shell_word(path.as_bytes())));
    let of = if rule.is_own { slo.good.to_string() } else { "alignment".to_owned() };
    let days = 28.0 / rate;
    let pace = format!(
        "the error budget of {of} goes {rate:.1} times too fast: at this pace all of four weeks is used in {days:.0} days"
    );
    Instance {
        labels,
        severity,
        value: Some(rate),
        summary: rule.summary.clone().unwrap_or(pace),
        description: rule.why.clone(),
        commands: command.into_iter().collect(),
        runbook: rule.runbook.clone().unwrap_or_default(),
    }
}

/// A number with as many digits as people read.
fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RuleEntry;

    #[test]
    fn a_rule_is_held_against_the_series_with_its_word_and_all_that_it_is_about_are_among_them() {
        let metric = crate::metrics::by_name("alignwatch_branch_behind_commits").unwrap().name;
        let reading = |number: usize| Reading {
            repository: "r".into(),
            metric,
            labels: format!("{{\"branch\":\"b{}\",\"base\":\"m{}\"}}", number / 2, number % 2),
            at: Timestamp(0),
            value: 1.0,
        };
        let readings: Vec<Reading> = (0..40).map(reading).collect();
        let seen =
            Seen { path: "/r", judged: Ok(&[]), readings: &readings, hosts: &[], objective: 0.9, now: Timestamp(0) };
        let wanted = [
            ("branch=\"b3\"", 2),
            ("branch=\"b3\",base=\"m0\"", 2),
            ("branch=\"nobody\"", 0),
            ("branch=~\"b3|b4\"", 40),
            ("branch!=\"b3\"", 40),
            ("branch=\"\"", 40),
            ("repository=\"/r\",branch=\"b3\"", 2),
        ];
        let rule = |(matchers, _): &(&str, usize)| {
            let expr = format!("{metric}{{{matchers}}} > 0");
            Rule::of_entry(&RuleEntry { name: "a".into(), expr, ..RuleEntry::default() }).unwrap()
        };
        let rules: Vec<Rule> = wanted.iter().map(rule).collect();
        let numbers = Numbers::of(&seen, &rules);
        for (rule, (matchers, n_near)) in rules.iter().zip(wanted) {
            let Of::Metric { bad, .. } = &rule.of else { panic!("{matchers}") };
            let near = numbers.near(bad);
            let about = |series: &[&(Labels, f64)]| series.iter().filter(|(labels, _)| bad.is_about(labels)).count();
            let all: Vec<_> = numbers.of_metric(metric).iter().collect();
            assert_eq!((near.len(), about(&near)), (n_near, about(&all)), "{matchers}");
        }
    }
}
