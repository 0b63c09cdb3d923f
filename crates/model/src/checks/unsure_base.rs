//! `unsure-base`: branches of which it is not clear what they should be measured against.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Branch, Finding, Look, Remedy, Severity, State};

/// Branches without a base, or whose base was chosen with little confidence, as one finding.
pub(super) static CHECK: Check = Check {
    id: "unsure-base",
    title: "Base of branches not sure",
    looks_at: "How sure the choice of each branch's base is, from its distance to the nearest lines",
    why: "A distance from the wrong line is a wrong answer that looks like a number",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch branches --json` shows `base` and `base_confidence` of each branch",
        mend: "Name the lines under `bases`, or a base for a pattern of branches under `relations` (`alignwatch config init` writes a file to start from)",
        sure: "`base_confidence` is 1 for these branches",
        undo: Some("Remove the lines from the configuration"),
    },
    threshold: Some(ThresholdSpec {
        default: 60,
        range: (1, 100),
        unit: "percent",
        source: "alignwatch: below that, the next line is less than half as far again",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    if seen.snapshot.lines.is_empty() && !seen.snapshot.branches.is_empty() {
        // A base that is named and not there has a finding of its own, with what to write.
        let is_named = !seen.snapshot.missing_bases.is_empty();
        let named = "none of the bases that the configuration names can be used";
        return Outcome::unknown(if is_named { named } else { "no primary line was found; name one with `bases`" });
    }
    let (limit_percent, _) = seen.threshold();
    let is_unsure = |branch: &&Branch| confidence(branch).is_none_or(|sure| sure * 100.0 < limit_percent as f64);
    // Foreign history is told by `unrelated-history`, what landed anywhere is well wherever it belongs.
    let waits = |branch: &Branch| branch.base.is_none() && branch.drift.reason().is_some();
    let is_asked = |branch: &&Branch| branch.may_hold_work() && branch.state() != State::Unrelated && !waits(branch);
    let unsure: Vec<_> = seen.branches().filter(is_asked).filter(is_unsure).collect();
    Outcome::found((!unsure.is_empty()).then(|| found(seen, unsure)).into_iter().collect())
}

fn confidence(branch: &Branch) -> Option<f64> {
    branch.base.as_ref().map(|base| base.confidence)
}

fn found(seen: &Seen<'_>, mut unsure: Vec<&Branch>) -> Finding {
    let (_, threshold) = seen.threshold();
    let sure = |branch: &Branch| confidence(branch).unwrap_or(0.0);
    unsure.sort_by(|a, b| sure(a).total_cmp(&sure(b)).then_with(|| a.name.cmp(&b.name)));
    let lines: Vec<_> = seen.snapshot.lines.iter().map(|line| line.name.text().into_owned()).collect();
    let shown: Vec<_> = seen.snapshot.lines.iter().map(|line| quoted(&line.name)).collect();
    let summary = format!("The base of {} is a guess among {}", count(unsure.len(), "branch"), shown.join(", "),);
    seen.finding(Severity::Info, "", count(unsure.len(), "branch"), summary)
        .branches(unsure.iter().copied())
        .fact("lines", lines)
        .against(threshold)
        .so("Their drift may be counted from the wrong line.")
        .mend(Remedy::reversible(
            "Name the lines with `bases`, or the base of groups of branches with `relations`, in the configuration. \
             The command writes a file to begin with.",
            ["alignwatch config init".to_owned()],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn sure(name: &str, confidence: f64) -> Branch {
        let mut branch = branch(name, 1, 1);
        branch.base.as_mut().unwrap().confidence = confidence;
        branch
    }

    #[test]
    fn only_guesses_below_the_limit_are_told() {
        let mut lost = branch("refs/heads/lost", 1, 1);
        lost.base = None;
        let finding = only(judged(&CHECK, &snapshot([sure("refs/heads/a", 0.6), sure("refs/heads/b", 0.59), lost])));
        assert_eq!(told([&finding]), "[info] unsure-base: The base of 2 branches is a guess among `main`");
        assert_eq!(finding.evidence["branches"][0], "refs/heads/lost");
    }

    #[test]
    fn sure_choices_are_fine_and_no_line_at_all_is_unknown() {
        let mut snapshot = snapshot([sure("refs/heads/a", 0.9)]);
        assert_eq!(judged(&CHECK, &snapshot), Outcome::default());
        snapshot.lines.clear();
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
        snapshot.branches.clear();
        assert_eq!(judged(&CHECK, &snapshot), Outcome::default(), "an empty repository has nothing to measure");
    }
}
