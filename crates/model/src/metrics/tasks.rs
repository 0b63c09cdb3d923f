//! Maintenance, as the journal of tasks tells it.

use super::{Breadth, Kind, Measured, Metric, Sample, seen};
use crate::facts::tasks::LastRun;

/// A sample for each task, of what is known.
fn each(measured: &Measured<'_>, value: impl Fn(&LastRun) -> Option<f64>) -> Vec<Sample> {
    let runs = seen(&measured.snapshot.facts.tasks).map(Vec::as_slice).unwrap_or_default();
    runs.iter().filter_map(|run| Some(Sample::of([run.task.as_str()], value(run)?))).collect()
}

/// When each task last went well.
pub(super) static LAST_SUCCESS: Metric = Metric {
    name: "alignwatch_task_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["task"],
    help: "When a run of a maintenance task last ended as an effect or with nothing to do",
    formula: "time of the last end with result effect or noop, in seconds since 1970; nothing for a task that never went well",
    why: "Maintenance that quietly stopped is found by its age, whatever the reason",
    worry: "older than two of its intervals (alignwatch)",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| run.succeeded_at.map(|at| at.0 as f64)),
    past: None,
};

/// How each task ended.
pub(super) static LAST_RESULT: Metric = Metric {
    name: "alignwatch_task_last_result",
    kind: Kind::Gauge,
    unit: "",
    labels: &["task", "result"],
    help: "1 for the result with which the last run of a maintenance task ended",
    formula: "one series for each task with its last result: effect, noop or failed; a run that was held is none",
    why: "That a command ended well does not say that it did anything; this is measured",
    worry: "failed (alignwatch)",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| {
        let runs = seen(&measured.snapshot.facts.tasks).map(Vec::as_slice).unwrap_or_default();
        runs.iter().map(|run| Sample::of([run.task.as_str(), run.result.word()], 1.0)).collect()
    },
    past: None,
};

/// How long each task took.
pub(super) static LAST_DURATION: Metric = Metric {
    name: "alignwatch_task_last_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["task"],
    help: "How long the last run of a maintenance task took",
    formula: "seconds from its lease to its report, counting objects before and after with it",
    why: "What no longer fits into its window is not begun",
    worry: "more than half of its window (alignwatch)",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| Some(run.took_seconds)),
    past: None,
};

/// What each task gave back.
pub(super) static LAST_WON: Metric = Metric {
    name: "alignwatch_task_last_won_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    labels: &["task"],
    help: "Room on the disk that the last run of a maintenance task made",
    formula: "bytes before less bytes after, by the numbers that the task goes by; below 0 where it took some",
    why: "A task that makes no room any more may be asked less often",
    worry: "",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| Some(run.bytes_won as f64)),
    past: None,
};

/// When a backup was last proven.
pub(super) static BACKUP_PROVEN: Metric = Metric {
    name: "alignwatch_backup_proven_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "When a backup that is there was last restored and found to be equal",
    formula: "time of the last good restore drill, in seconds since 1970; nothing where there was none",
    why: "A backup that was never restored is a hope",
    worry: "older than 14 days (alignwatch: the check backup-unproven)",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| {
        let proven_at = seen(&measured.snapshot.facts.backups).and_then(|backups| backups.proven_at);
        super::known(proven_at.map(|at| at.0 as f64))
    },
    past: None,
};

/// Is the newest backup bad?
pub(super) static BACKUP_BAD: Metric = Metric {
    name: "alignwatch_backup_bad",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "1 when the last look at a backup found it bad, 0 when it was found good",
    formula: "result of the last backup verify or restore drill: checksums, objects, and each ref against the manifest; nothing \
              where there is no backup",
    why: "What does not restore is no backup, and is found out when it is needed",
    worry: "1 (alignwatch: the check backup-unproven)",
    otel: "",
    limit: None,
    breadth: Breadth::Repository,
    read: |measured| {
        let backups = seen(&measured.snapshot.facts.backups).filter(|backups| 0 < backups.n);
        super::known(backups.map(|backups| f64::from(u8::from(backups.is_bad))))
    },
    past: None,
};
