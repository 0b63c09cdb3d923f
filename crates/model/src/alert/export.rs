//! Rules as a Prometheus has them, for those whose alerts come from there.
//!
//! What a rule says of numbers stands there unchanged. Findings stand there by the status of their check. What Prometheus cannot
//! know (what alignwatch itself promises) is left out, and said so.

use std::collections::BTreeSet;

use super::{
    Labels, Matcher, Policy,
    burn::{Good, Pair, Slo},
    expression::{self, Comparison, Expression},
    rule::{Of, Rule},
};
use crate::{Severity, Span};

/// The rules as a file that `promtool check rules` accepts.
pub fn prometheus(policy: &Policy) -> String {
    let mut text = "# Made by `alignwatch rules export`. Labels of findings stay here: alignwatch itself names branches and remedies.\n\
                    groups:\n  - name: alignwatch\n    rules:\n"
        .to_owned();
    for rule in &policy.rules {
        match expressions(rule) {
            Ok(all) => all.iter().for_each(|(expr, severity)| text.push_str(&entry(rule, expr, *severity))),
            Err(reason) => text.push_str(&comment(&rule.name, reason)),
        }
    }
    text
}

/// What Prometheus evaluates, each with its severity. Errors: why it can't.
fn expressions(rule: &Rule) -> Result<Vec<(String, Severity)>, &'static str> {
    let severity = rule.severity.unwrap_or(Severity::Warning);
    if rule.when.is_some() {
        return Err("left out: its condition (`when`) asks for what only alignwatch knows");
    }
    match &rule.of {
        Of::OwnPromise | Of::Unseen | Of::SilenceEnds | Of::RuleIdle => Err("only alignwatch can know it"),
        _ if matchers_of(rule).iter().any(|matcher| matcher.name == "repository") => {
            Err("it names a repository by its path; to Prometheus it has an id, the label `repo`")
        }
        Of::Metric { bad, clear } => Ok(vec![(with_clear(rule, bad, *clear), severity)]),
        Of::Findings { matchers, .. } if !matchers.is_empty() => {
            Err("left out: it is about some findings of a check, and Prometheus knows only how the whole check stands")
        }
        Of::Findings { checks, at_least, .. } => {
            let all = [Severity::Critical, Severity::Error, Severity::Warning, Severity::Info];
            let checks = checks.join("|");
            let expr =
                |status: &str| format!("alignwatch_check_status{{check=~\"{checks}\",status=~\"{status}\"}} == 1");
            let wanted: Vec<Severity> = all.into_iter().filter(|severity| at_least <= severity).collect();
            Ok(match rule.severity {
                Some(severity) => {
                    let words: Vec<&str> = wanted.iter().map(|severity| severity.word()).collect();
                    vec![(expr(&words.join("|")), severity)]
                }
                None => wanted.into_iter().map(|severity| (expr(severity.word()), severity)).collect(),
            })
        }
        // Of one severity there is one rule: two of the same name and labels would be one to Prometheus.
        Of::BudgetBurns(slo) => {
            let severities: BTreeSet<Severity> = slo.pairs.iter().map(|pair| pair.severity).collect();
            let of = |severity| {
                let pairs = slo.pairs.iter().filter(|pair| pair.severity == severity);
                let all: Vec<_> = pairs.map(|pair| burns(slo, pair)).collect();
                (all.join(" or "), severity)
            };
            Ok(severities.into_iter().rev().map(of).collect())
        }
    }
}

/// What is bad; and what fires already stays so until it passes the second number.
fn with_clear(rule: &Rule, bad: &Expression, clear: Option<f64>) -> String {
    let sign = match (bad.comparison, clear) {
        (Comparison::Above | Comparison::AtLeast, Some(_)) => Comparison::Above,
        (Comparison::Below | Comparison::AtMost, Some(_)) => Comparison::Below,
        _ => return bad.to_string(),
    };
    // At the second number itself it is well.
    let still = Expression { comparison: sign, number: clear.unwrap_or(bad.number), ..bad.clone() };
    let own = ["alertname", "alertstate", "severity"].into_iter().chain(rule.labels.keys().map(String::as_str));
    let own = own.collect::<Vec<_>>().join(", ");
    let name = Matcher::equal("alertname", &rule.name);
    format!("{bad} or ({still} and ignoring ({own}) ALERTS{{{name},alertstate=\"firing\"}})")
}

/// What of a rule Prometheus has no words for, though it has the rule.
fn unsaid(rule: &Rule) -> Vec<String> {
    let (times, of) = (rule.timing.times, rule.timing.of);
    let mut unsaid = Vec::new();
    if 1 < times {
        unsaid.push(format!("{times} of the last {of} results must be bad here; there, each one that is counts"));
    }
    match &rule.of {
        Of::Metric { bad, clear: Some(clear) }
            if matches!(bad.comparison, Comparison::Equal | Comparison::NotEqual) =>
        {
            unsaid.push(format!("it is well again at {clear} here; there, as soon as it is not bad"));
        }
        Of::BudgetBurns(Slo { good: Good::Unless { clear: Some(clear), .. }, .. }) => {
            unsaid.push(format!("it counts as bad until it passes {clear} here; there, only while it is bad"));
        }
        _ => {}
    }
    unsaid
}

/// The rate of both windows. Times at which a window of ours is open, which do not count here, are not known there.
fn burns(slo: &Slo, pair: &Pair) -> String {
    let bad = |span: Span| {
        let seconds = span.0;
        match &slo.good {
            Good::Part { .. } => format!("(1 - avg_over_time({}[{seconds}s]))", slo.good),
            Good::Unless { bad: Expression { metric, matchers, comparison, number }, .. } => {
                let (series, sign) = (expression::written(metric, matchers), comparison.sign());
                format!("avg_over_time(({series} {sign} bool {number})[{seconds}s:])")
            }
        }
    };
    let budget = match slo.objective {
        None => "(1 - alignwatch_aligned_objective_ratio)".to_owned(),
        Some(objective) => format!("(1 - {objective})"),
    };
    let rate = |span| format!("{} / {budget} > {}", bad(span), pair.factor);
    format!("{} and {}", rate(pair.short), rate(pair.long))
}

/// What must hold for the labels of the series that it is about.
fn matchers_of(rule: &Rule) -> &[Matcher] {
    match &rule.of {
        Of::Metric { bad, .. } => &bad.matchers,
        Of::BudgetBurns(slo) => slo.good.matchers(),
        _ => &[],
    }
}

fn entry(rule: &Rule, expr: &str, severity: Severity) -> String {
    let mut text: String = unsaid(rule).iter().map(|line| comment(&rule.name, line)).collect();
    text.push_str(&format!("      - alert: {}\n        expr: {}\n", in_quotes(&rule.name), in_quotes(expr)));
    for (key, span) in [("for", rule.timing.hold), ("keep_firing_for", rule.timing.keep_firing)] {
        // Prometheus has `keep_firing_for` since 2.42.
        if 0 < span.0 {
            text.push_str(&format!("        {key}: {}s\n", span.0));
        }
    }
    let severity = Labels::from([("severity".to_owned(), severity.word().to_owned())]);
    text.push_str(&format!("        labels: {}\n", table(rule.labels.iter().chain(&severity))));
    let mut annotations = rule.annotations.clone();
    annotations.insert("summary".to_owned(), rule.summary.as_ref().unwrap_or(&rule.why).clone());
    if let Some(runbook) = &rule.runbook {
        annotations.insert("runbook_url".to_owned(), runbook.clone());
    }
    text.push_str(&format!("        annotations: {}\n", table(annotations.iter())));
    text
}

fn comment(name: &str, line: &str) -> String {
    let shown: String = format!("{name}: {line}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("      # {shown}\n")
}

fn in_quotes(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Names with texts in which Prometheus fills in nothing.
fn table<'a>(all: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let one = |(name, text): (&String, &String)| format!("{name}: {}", in_quotes(&text.replace("{{", "{{ \"{{\" }}")));
    format!("{{{}}}", all.map(one).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn exported(rule: &str) -> String {
        let config =
            Config::from_yaml(&format!("rules:\n  - {rule}\n"), "f").unwrap_or_else(|errors| panic!("{errors:#?}"));
        let text = prometheus(&Policy::of(&config.0));
        let own = text.find("own-rule").map(|at| text[..at].rfind("      ").unwrap_or(at)).unwrap_or_default();
        text[own..].to_owned()
    }

    #[test]
    fn a_second_number_labels_runbook_and_annotations_are_exported() {
        insta::assert_snapshot!(exported(
            "{name: own-rule, expr: 'alignwatch_far_behind_branches > 20', clear: '15', for: 1h, severity: error, \
             labels: {team: a}, runbook: 'https://w.example/x', annotations: {dashboard: 'https://g.example/1'}}"
        ), @r#"
        - alert: "own-rule"
          expr: "alignwatch_far_behind_branches > 20 or (alignwatch_far_behind_branches > 15 and ignoring (alertname, alertstate, severity, team) ALERTS{alertname=\"own-rule\",alertstate=\"firing\"})"
          for: 3600s
          labels: {team: "a", severity: "error"}
          annotations: {dashboard: "https://g.example/1", runbook_url: "https://w.example/x", summary: "configured"}
        "#);
    }

    #[test]
    fn a_promise_is_exported_by_severity_with_its_windows() {
        let pairs = "[{short: 5m, long: 1h, factor: 14.4, severity: critical}, {short: 2h, long: 1d, factor: 3}, {short: 6h, long: 3d, factor: 1}]";
        insta::assert_snapshot!(exported(&format!(
            "{{name: own-rule, expr: 'alignwatch_host_disk_used_ratio{{role=\"repository\"}} > 0.9', objective: 99.5, burn_rates: {pairs}}}"
        )), @r#"
        - alert: "own-rule"
          expr: "avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[300s:]) / (1 - 0.995) > 14.4 and avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[3600s:]) / (1 - 0.995) > 14.4"
          labels: {severity: "critical"}
          annotations: {summary: "configured"}
        - alert: "own-rule"
          expr: "avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[7200s:]) / (1 - 0.995) > 3 and avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[86400s:]) / (1 - 0.995) > 3 or avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[21600s:]) / (1 - 0.995) > 1 and avg_over_time((alignwatch_host_disk_used_ratio{role=\"repository\"} > bool 0.9)[259200s:]) / (1 - 0.995) > 1"
          labels: {severity: "warning"}
          annotations: {summary: "configured"}
        "#);
        insta::assert_snapshot!(exported(
            "{name: own-rule, expr: alignwatch_aligned_ratio, objective: 80, burn_rates: [{short: 5m, long: 1h, factor: 4.5}]}"
        ), @r#"
        - alert: "own-rule"
          expr: "(1 - avg_over_time(alignwatch_aligned_ratio[300s])) / (1 - 0.8) > 4.5 and (1 - avg_over_time(alignwatch_aligned_ratio[3600s])) / (1 - 0.8) > 4.5"
          labels: {severity: "warning"}
          annotations: {summary: "configured"}
        "#);
    }

    #[test]
    fn what_prometheus_cannot_know_is_left_out_and_said() {
        for (rule, part) in [
            (
                "{name: own-rule, expr: 'finding{subject=\"main\"} >= error'}",
                "# own-rule: left out: it is about some findings",
            ),
            ("{name: own-rule, expr: finding, when: severity == 'error'}", "# own-rule: left out: its condition"),
            (
                "{name: own-rule, expr: 'alignwatch_repo_refs > 10', times: 3, of: 5}",
                "# own-rule: 3 of the last 5 results must be bad here",
            ),
            (
                "{name: own-rule, expr: 'alignwatch_repo_refs == 10', clear: '8'}",
                "# own-rule: it is well again at 8 here",
            ),
        ] {
            let text = exported(rule);
            assert!(text.contains(part), "{rule}: {text}");
            assert_eq!(text.contains("- alert"), !part.contains("left out"), "{rule}: {text}");
        }
    }
}
