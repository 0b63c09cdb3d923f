//! What came of runs: the last of a workflow went badly, or one lost work.

use super::{
    super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec},
    by_workflow, with_runs,
};
use crate::{
    Finding, Look, Remedy, Severity, Span,
    facts::runs::Brief,
    run::{self, Outcome as Ended},
};

/// The last run of a workflow did not go well.
pub(in super::super) static FAILED: Check = Check {
    id: "run-failed",
    title: "Alignment runs that did not go well",
    looks_at: "The outcome of the last run of each workflow, judged by the repository and not by the exit code alone",
    why: "What it should have aligned is not aligned, and the next run meets the same trouble",
    severity: Severity::Error,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch explain run-failed` says what the outcome rests on; the output of the run says the rest",
        mend: "Mend the cause and run the workflow again. After a conflict: solve it, or take the operation back",
        sure: "The next run of the workflow ends well, which also ends this finding",
        undo: None,
    },
    threshold: None,
    judge: failed,
};

/// A run lost work.
pub(in super::super) static WORK_LOST: Check = Check {
    id: run::verification::CHECK,
    title: "Alignment runs that lost work",
    looks_at: "The verification of the runs of the last days: commits, merged sides, files and lines",
    why: "Work is gone from a branch although the run reported success; it is found again only as long as Git keeps the old objects",
    severity: Severity::Critical,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch verify RUN` names branches, commits and paths",
        mend: "Keep the old tip first: `git branch rescue/NAME OLD-ID`. Then bring the work back: `git cherry-pick` the lost commits, or merge the rescue branch",
        sure: "`alignwatch verify RUN` names nothing that is still missing",
        undo: Some("Delete the rescue branch once its work is back"),
    },
    threshold: Some(ThresholdSpec {
        default: 14,
        range: (1, 365),
        unit: "days",
        source: "git gc keeps unreachable objects for two weeks (gc.pruneExpire): until then work can be brought back",
    }),
    judge: work_lost,
};

fn failed(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| by_workflow(runs).into_values().filter_map(|runs| failed_run(seen, &runs)).collect())
}

fn failed_run(seen: &Seen<'_>, runs: &[&Brief]) -> Option<Finding> {
    let last = runs.iter().find(|run| run.ended.is_some())?;
    let ended = last.ended.as_ref()?;
    let severity = severity_of(ended.outcome)?;
    let is_bad = |run: &&&Brief| run.ended.as_ref().is_some_and(|ended| severity_of(ended.outcome).is_some());
    let n_in_a_row = runs.iter().filter(|run| run.ended.is_some()).take_while(is_bad).count();
    let times = if n_in_a_row > 1 { format!(", as did the {} before it", n_in_a_row - 1) } else { String::new() };
    let (workflow, word) = (&last.workflow, ended.outcome.word());
    let because = if ended.because.is_empty() { String::new() } else { format!(" ({})", ended.because) };
    let summary =
        format!("The last run of `{workflow}` ended {} ago as {word}{because}{times}", seen.now.since(ended.at));
    Some(
        seen.finding(severity, workflow, workflow.as_str(), summary)
            .of_run(last)
            .fact("outcome", word)
            .fact("because", ended.because.as_str())
            .fact("n_in_a_row", n_in_a_row)
            .so("What it should have aligned is not aligned.")
            .mend(Remedy::reversible("See what it left behind, mend the cause, and run it again", left_behind(seen))),
    )
}

/// What shows what a run left; where it belongs to no repository, nothing does.
fn left_behind(seen: &Seen<'_>) -> Option<String> {
    (!seen.snapshot.repository.path.is_empty()).then(|| "git status".to_owned())
}

/// How grave an outcome is; `None` = it went well, or was meant so.
fn severity_of(outcome: Ended) -> Option<Severity> {
    match outcome {
        Ended::Aligned | Ended::NoOp | Ended::Skipped | Ended::RolledBack => None,
        Ended::Aborted | Ended::Conflict | Ended::Blocked | Ended::Unknown => Some(Severity::Warning),
        Ended::TimedOut | Ended::Failed | Ended::Lost => Some(Severity::Error),
    }
}

fn work_lost(seen: &Seen<'_>) -> Outcome {
    let (days, threshold) = seen.threshold();
    with_runs(seen, |runs| {
        let recent = runs.iter().filter(|run| seen.now.since(run.began_at) <= Span::days(days));
        recent.filter_map(|run| Some((run, run.losses.first()?))).map(|(run, worst)| {
            let n_more = run.losses.len() - 1;
            let more = if n_more > 0 { format!(", and {n_more} more") } else { String::new() };
            let summary = format!("A run of `{}` lost work: {}{more}", run.workflow, worst.1);
            seen.finding(worst.0, run.run.as_str(), run.workflow.as_str(), summary)
                .of_run(run)
                .names("losses", run.losses.iter().map(|(_, loss)| loss.as_str()))
                .against(threshold.clone())
                .so("It is found again only as long as Git keeps the old objects.")
                .mend(Remedy::reversible(
                    "See which branches, commits and paths it was, keep the old tip under a name, and bring the work back",
                    [format!("alignwatch verify {}", run.run)],
                ))
        })
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::checks::sample::{judged, only};

    #[test]
    fn a_last_run_that_went_badly_is_told_with_how_often() {
        let runs = vec![
            run(4, 0),
            ended(3, 2, Ended::Failed, 60),
            ended(2, 26, Ended::TimedOut, 60),
            ended(1, 50, Ended::Aligned, 60),
        ];
        let finding = only(judged(&FAILED, &with(runs)));
        assert_eq!(
            (finding.severity, &*finding.summary),
            (
                Severity::Error,
                "The last run of `nightly` ended 119 min ago as failed (it exited 1), as did the 1 before it"
            )
        );
        let conflict = only(judged(&FAILED, &with(vec![ended(1, 2, Ended::Conflict, 60)])));
        assert_eq!(conflict.severity, Severity::Warning);
    }

    #[test]
    fn lost_work_is_as_grave_as_its_gravest_loss_for_two_weeks() {
        let losing = |hours| Brief {
            losses: vec![
                (Severity::Critical, "refs/heads/x: 3 commits are gone".into()),
                (Severity::Warning, "y".into()),
            ],
            ..ended(1, hours, Ended::Aligned, 60)
        };
        let finding = only(judged(&WORK_LOST, &with(vec![losing(5)])));
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.summary, "A run of `nightly` lost work: refs/heads/x: 3 commits are gone, and 1 more");
        assert_eq!(judged(&WORK_LOST, &with(vec![losing(15 * 24)])), Outcome::default());
    }
}
