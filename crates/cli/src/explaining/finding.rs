//! A finding, by its key.

use alignwatch_model::{Finding, checks};

use super::{Explanation, Kind, World, findings};

/// Findings of the repository.
pub(super) static KIND: Kind = Kind { word: "finding", names, explain };

fn names(world: &World<'_>) -> Vec<String> {
    findings(world).into_iter().map(|finding| finding.key.clone()).collect()
}

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let finding = findings(world).into_iter().find(|finding| finding.key == subject)?;
    let check = checks::by_id(finding.check)?;
    let summary = format!("{}: {}", finding.severity, finding.summary);
    let mut explanation = Explanation::of(&KIND, &finding.key, summary);
    explanation.seen.push(check.looks_at.to_owned());
    explanation.sources.extend(check.git_says.map(|command| format!("`{command}` answers the same")));
    let mut explanation = explanation.with_finding(finding);
    explanation.would_change = would_change(finding, check);
    explanation.advice.push(format!("To look closer: {}", check.runbook.look));
    explanation.related.push(format!("alignwatch explain {}", check.id));
    Some(explanation)
}

/// What would make the finding go away.
pub(super) fn would_change(finding: &Finding, check: &checks::Check) -> Vec<String> {
    let mut ways = vec![format!("It is mended: {}", check.runbook.sure)];
    if let (Some(threshold), Some(spec)) = (&finding.threshold, &check.threshold) {
        ways.push(format!(
            "The number is on the other side of {} {}, or the threshold is another: `thresholds: {{ {}: N }}`",
            alignwatch_model::config::inline(&threshold.value),
            spec.unit,
            check.id
        ));
    }
    ways.push(format!("The check is left out: `checks: {{ skip: [{}] }}`, or --skip", check.id));
    ways
}
