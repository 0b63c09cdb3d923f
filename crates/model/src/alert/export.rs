//! Rules as a Prometheus has them, for those whose alerts come from there.
//!
//! What a rule says of numbers stands there unchanged. Findings stand there by the status of their check. What Prometheus cannot
//! know (what alignwatch itself promises) is left out, and said so.

use super::{
    Policy,
    burn::PAIRS,
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
            Err(reason) => text.push_str(&format!("      # {}: {reason}\n", rule.name)),
        }
    }
    text
}

/// What Prometheus evaluates, each with its severity. Errors: why it can't.
fn expressions(rule: &Rule) -> Result<Vec<(String, Severity)>, &'static str> {
    let severity = rule.severity.unwrap_or(Severity::Warning);
    match &rule.of {
        Of::OwnPromise | Of::Unseen | Of::SilenceEnds | Of::RuleIdle => Err("only alignwatch can know it"),
        Of::Metric { bad, .. } if bad.matchers.iter().any(|matcher| matcher.name == "repository") => {
            Err("it names a repository by its path; to Prometheus it has an id, the label `repo`")
        }
        Of::Metric { bad, .. } => Ok(vec![(bad.to_string(), severity)]),
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
        Of::BudgetBurns => {
            let of = |severity| {
                let pairs = PAIRS.iter().filter(|pair| pair.severity == severity);
                let all: Vec<_> = pairs.map(|pair| burns(pair.short, pair.long, pair.factor)).collect();
                (all.join(" or "), severity)
            };
            Ok([Severity::Critical, Severity::Warning].map(of).into())
        }
    }
}

fn burns(short: Span, long: Span, factor: f64) -> String {
    let rate = |span: Span| {
        let minutes = span.0 / 60;
        format!(
            "(1 - avg_over_time(alignwatch_within_budget_ratio[{minutes}m])) / (1 - alignwatch_aligned_objective_ratio) > {factor}"
        )
    };
    format!("{} and {}", rate(short), rate(long))
}

fn entry(rule: &Rule, expr: &str, severity: Severity) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let mut text = format!("      - alert: {}\n        expr: {}\n", quoted(&rule.name), quoted(expr));
    for (key, span) in [("for", rule.timing.hold), ("keep_firing_for", rule.timing.keep_firing)] {
        // Prometheus has `keep_firing_for` since 2.42.
        if 0 < span.0 {
            text.push_str(&format!("        {key}: {}s\n", span.0));
        }
    }
    text.push_str(&format!("        labels: {{severity: {severity}"));
    rule.labels.iter().for_each(|(name, value)| text.push_str(&format!(", {name}: {}", quoted(value))));
    let summary = rule.summary.as_ref().unwrap_or(&rule.why);
    text.push_str(&format!("}}\n        annotations: {{summary: {}}}\n", quoted(summary)));
    text
}
