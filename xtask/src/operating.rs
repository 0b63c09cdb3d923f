//! docs/OPERATING.md: how alignwatch is run, and the manual of the checks, from their list.

use alignwatch_model::checks::{self, Check};

/// What stands before the procedures.
const HEAD: &str = include_str!("operating.md");

/// docs/OPERATING.md.
pub(crate) fn document() -> String {
    let sections: String = checks::ALL.iter().copied().map(section).collect();
    format!("{HEAD}{sections}")
}

fn section(check: &Check) -> String {
    let Check { id, title, looks_at, why, runbook, .. } = check;
    let steps = [
        Some(("It means", format!("{title}. {why}"))),
        Some(("Looks at", (*looks_at).to_owned())),
        threshold(check).map(|threshold| ("Threshold", threshold)),
        Some(("Look closer", runbook.look.to_owned())),
        Some(("Mend", runbook.mend.to_owned())),
        Some(("Be sure", runbook.sure.to_owned())),
        Some(("Undo", runbook.undo.unwrap_or("There is nothing to take back, or it cannot be").to_owned())),
    ];
    let steps: String = steps.into_iter().flatten().map(|(step, text)| told(step, &text)).collect();
    format!("\n### {id}\n\n{steps}")
}

fn told(step: &str, text: &str) -> String {
    format!("* **{step}.** {}.\n", text.trim_end_matches('.'))
}

fn threshold(check: &Check) -> Option<String> {
    let threshold = check.threshold.as_ref()?;
    let (least, most) = threshold.range;
    Some(format!(
        "{} {}, from {least} to {most}. Source: {}",
        threshold.default,
        threshold.unit,
        threshold.source.trim_end_matches('.')
    ))
}
