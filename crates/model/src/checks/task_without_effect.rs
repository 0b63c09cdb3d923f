//! `task-without-effect`: maintenance that acts again and again, and after which all is as it was.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec};
use crate::{Finding, Known, Look, Remedy, Severity, facts::tasks::LastRun, words::count};

/// The last runs of a task began to act, and measured nothing afterwards that was different.
pub(super) static CHECK: Check = Check {
    id: "task-without-effect",
    title: "A maintenance task has no effect",
    looks_at: "The last ends of each task in this repository, in the journal of `alignwatch task`: those that acted, and left the same numbers",
    why: "What it is for is still there, though each run ends well: a command does nothing, or something brings it back at once",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch task history` shows the runs that ended as noop, `alignwatch task plan NAME -v` the numbers that it acts on",
        mend: "Find out what keeps the numbers: a `.keep` file, a setting, another tool that brings back what the task took. Where it is meant to be so, put the task's limit higher, or take the task out of `maintenance`",
        sure: "`alignwatch task run NAME --yes` ends as effect, or has nothing to do",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 3,
        range: (2, 100),
        unit: "runs",
        source: "ours; once may be a race with somebody else, and twice too",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let runs = match &seen.snapshot.facts.tasks {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(runs) => runs,
    };
    let (limit, _) = seen.threshold();
    let idle = runs.iter().filter(|run| limit <= i64::from(run.n_without_effect));
    Outcome::found(idle.map(|run| found(seen, run)).collect())
}

fn found(seen: &Seen<'_>, run: &LastRun) -> Finding {
    let runs = count(run.n_without_effect as usize, "time");
    let summary = format!("The task `{}` acted {runs} in a row and changed nothing", run.task);
    seen.finding(Severity::Warning, &run.task, run.task.clone(), summary)
        .fact("task", run.task.as_str())
        .fact("run", run.id)
        .fact("n_in_a_row", run.n_without_effect)
        .fact("ended_at", run.at.rfc3339())
        .fact("source", "alignwatch task history")
        .against(seen.threshold().1)
        .so("What the task is for is still there, and will be after the next run, too.")
        .mend(Remedy::irreversible("Look which numbers it acts on, and find out what keeps them.", []))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Timestamp, task::Came};

    fn keys(counts: &[u32]) -> Vec<String> {
        let run = |(number, n): (usize, &u32)| LastRun {
            task: format!("task-{number}"),
            id: 7,
            at: Timestamp(0),
            result: Came::Noop,
            because: "it ran, and nothing is different".to_owned(),
            is_critical: false,
            took_seconds: 1.0,
            bytes_won: 0,
            succeeded_at: None,
            n_without_effect: *n,
        };
        let mut snapshot = snapshot([]);
        snapshot.facts.tasks = Known::Seen(counts.iter().enumerate().map(run).collect());
        judge(&seen(&CHECK, &snapshot)).findings.into_iter().map(|finding| finding.subject).collect()
    }

    #[test]
    fn a_task_that_acts_and_changes_nothing_is_found_when_that_is_no_chance() {
        assert_eq!(keys(&[0, 2, 3, 9]), ["task-2", "task-3"]);
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_unknown_and_not_well() {
        let mut snapshot = snapshot([]);
        snapshot.facts.tasks = Known::Unknown("the disk is gone".into());
        assert_eq!(judge(&seen(&CHECK, &snapshot)).unknown.as_deref(), Some("the disk is gone"));
    }
}
