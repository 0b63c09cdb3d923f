//! `task-failed`: maintenance that was tried and did not work.

use super::{Check, Family, Outcome, Runbook, Seen};
use crate::{Finding, Known, Look, Remedy, Severity, facts::tasks::LastRun, task::Came};

/// The last run of a task failed.
pub(super) static CHECK: Check = Check {
    id: "task-failed",
    title: "A maintenance task failed",
    looks_at: "The last end of each task in this repository, in the journal of `alignwatch task`",
    why: "What it is for is still there; and a task that lost objects or refs says so here, until a later run goes well",
    severity: Severity::Critical,
    family: Family::Speed,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch task history` shows what was tried and what went wrong; `alignwatch task plan NAME -v` what it would do now",
        mend: "Mend what it names, then `alignwatch task run NAME --yes`. Where objects were lost, what had been kept lies in `quarantine/` of the Git directory, and `alignwatch backup list` shows what can be restored",
        sure: "`alignwatch task run NAME --yes` ends as effect or noop, and `git fsck --connectivity-only` says nothing",
        undo: Some("`alignwatch task undo ID`, where the plan of the run says so"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.facts.tasks {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(runs) => {
            Outcome::found(runs.iter().filter(|run| run.result == Came::Failed).map(|run| found(seen, run)).collect())
        }
    }
}

fn found(seen: &Seen<'_>, run: &LastRun) -> Finding {
    let severity = if run.is_critical { Severity::Critical } else { Severity::Error };
    let summary = format!("The task `{}` failed {} ago: {}", run.task, seen.now.since(run.at), run.because);
    seen.finding(severity, &run.task, run.task.clone(), summary)
        .fact("task", run.task.as_str())
        .fact("run", run.id)
        .fact("ended_at", run.at.rfc3339())
        .fact("lost_something", run.is_critical)
        .fact("source", "alignwatch task history")
        .so("What the task is for is still there, and what it did half may be in the way.")
        .mend(Remedy::irreversible("Look what it would do now, mend what it names, and let it run again.", []))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Timestamp;

    fn last(result: Came, is_critical: bool) -> LastRun {
        let because = "objects are lost".to_owned();
        LastRun {
            task: "loose-objects".into(),
            id: 7,
            at: Timestamp(0),
            result,
            because,
            is_critical,
            took_seconds: 1.0,
            bytes_won: 0,
            succeeded_at: None,
            n_without_effect: 0,
        }
    }

    fn severities(runs: Known<Vec<LastRun>>) -> Vec<Severity> {
        let mut snapshot = snapshot([]);
        snapshot.facts.tasks = runs;
        judge(&seen(&CHECK, &snapshot)).findings.iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn only_what_failed_the_last_time_is_found_and_a_loss_is_critical() {
        let runs = vec![last(Came::Effect, false), last(Came::Failed, false), last(Came::Skipped, false)];
        assert_eq!(severities(Known::Seen(runs)), [Severity::Error]);
        assert_eq!(severities(Known::Seen(vec![last(Came::Failed, true)])), [Severity::Critical]);
        assert!(severities(Known::Seen(Vec::new())).is_empty());
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_unknown_and_not_well() {
        let mut snapshot = snapshot([]);
        snapshot.facts.tasks = Known::Unknown("the disk is gone".into());
        assert_eq!(judge(&seen(&CHECK, &snapshot)).unknown.as_deref(), Some("the disk is gone"));
    }
}
