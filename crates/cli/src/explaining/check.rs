//! A check, by its id: what it is, and what it says here.

use alignwatch_model::{Status, Threshold, checks, checks::Check};

use super::{Explanation, Kind, World, finding::would_change};

/// Checks.
pub(super) static KIND: Kind = Kind { word: "check", names, explain };

fn names(_: &World<'_>) -> Vec<String> {
    checks::ALL.iter().map(|check| check.id.to_owned()).collect()
}

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let check = checks::by_id(subject)?;
    let mut explanation = Explanation::of(&KIND, check.id, check.title);
    explanation.seen.push(check.looks_at.to_owned());
    explanation.seen.extend(here(world, check));
    explanation.sources.extend(check.git_says.map(|command| format!("`{command}` answers the same")));
    explanation.threshold = threshold(world, check);
    explanation.would_change = way_to_change(world, check);
    explanation.impact = Some(format!("{} (at worst {}; costs: {})", check.why, check.severity, check.cost().word()));
    let runbook = check.runbook;
    explanation.advice = vec![
        format!("Look closer: {}", runbook.look),
        format!("Mend: {}", runbook.mend),
        format!("Be sure: {}", runbook.sure),
        format!("Take back: {}", runbook.undo.unwrap_or("it cannot be, or there is nothing to take back")),
    ];
    explanation.commands.push(format!("alignwatch check -v --only {}", check.id));
    explanation.related.push(format!("docs/OPERATING.md#{}", check.id));
    explanation.related.extend(keys(world, check).into_iter().map(|key| format!("alignwatch explain '{key}'")));
    Some(explanation)
}

/// Keys of findings that are named; the others are in `check`.
const KEYS_AT_MOST: usize = 5;

fn keys(world: &World<'_>, check: &Check) -> Vec<String> {
    let findings = super::findings(world).into_iter().filter(|finding| finding.check == check.id);
    findings.filter(|finding| finding.key != check.id).take(KEYS_AT_MOST).map(|finding| finding.key.clone()).collect()
}

/// What the check says of the repository.
fn here(world: &World<'_>, check: &Check) -> Vec<String> {
    let judgement = match world.judgement {
        Ok(judgement) => judgement,
        Err(failure) => return vec![format!("Not looked at here: {}", failure.message)],
    };
    let Some(result) = judgement.checks.iter().find(|result| result.check.id == check.id) else { return Vec::new() };
    let mut told = vec![match (&result.reason, result.status) {
        (Some(reason), status) if result.findings.is_empty() => format!("Here: {status}, because {reason}"),
        (Some(reason), status) => format!("Here: {status}; besides, {reason}"),
        (None, Status::Ok) => "Here: ok, nothing was found".to_owned(),
        (None, status) => format!("Here: {status}"),
    }];
    told.extend(result.findings.iter().map(|finding| format!("{}: {}", finding.severity, finding.summary)));
    told
}

fn threshold(world: &World<'_>, check: &Check) -> Option<Threshold> {
    let spec = check.threshold.as_ref()?;
    let configured = world.around.config.thresholds.get(check.id);
    let source = match configured {
        Some(_) => format!("configured: thresholds.{}; the default is {}: {}", check.id, spec.default, spec.source),
        None => spec.source.to_owned(),
    };
    let value = configured.copied().unwrap_or(spec.default);
    Some(Threshold { value: format!("{value} {}", spec.unit).into(), source })
}

fn way_to_change(world: &World<'_>, check: &Check) -> Vec<String> {
    if let Some(finding) = super::findings(world).into_iter().find(|finding| finding.check == check.id) {
        return would_change(finding, check);
    }
    let spec = check.threshold.as_ref();
    let threshold = spec.map(|spec| {
        let (least, most) = spec.range;
        format!("Another threshold, {least} to {most} {}: `thresholds: {{ {}: N }}`", spec.unit, check.id)
    });
    threshold.into_iter().chain([format!("Leaving it out: `checks: {{ skip: [{}] }}`, or --skip", check.id)]).collect()
}
