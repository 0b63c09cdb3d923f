//! Maintenance, as the journal of tasks tells it.

use super::{Breadth, DURATIONS, Happening, Kind, Measured, Metric, Sample, seen};
use crate::{
    Timestamp,
    facts::tasks::{LastRun, TaskEnd},
    task::{ARCHIVED, Came},
};

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
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| run.succeeded_at.map(|at| at.0 as f64)),
    ..Metric::PLAIN
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
    breadth: Breadth::Repository,
    read: |measured| {
        let runs = seen(&measured.snapshot.facts.tasks).map(Vec::as_slice).unwrap_or_default();
        runs.iter().map(|run| Sample::of([run.task.as_str(), run.result.word()], 1.0)).collect()
    },
    ..Metric::PLAIN
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
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| Some(run.took_seconds)),
    ..Metric::PLAIN
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
    breadth: Breadth::Repository,
    read: |measured| each(measured, |run| Some(run.bytes_won as f64)),
    ..Metric::PLAIN
};

/// How often each task ran.
pub(super) static RUNS: Metric = Metric {
    name: "alignwatch_task_runs_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["task", "result"],
    help: "Runs of each maintenance task, by what came of them",
    formula: "one for each end in the journal of tasks: effect, noop, failed, or skipped where something held it; a change of the reason \
              counts again. Counted since the repository was first watched, with what the journal remembers of before",
    why: "That a task runs is not that it does anything: git's own may exit 0 and do nothing",
    worry: "failed or skipped three times in a row (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(|measured| {
        let labels = |end: &TaskEnd| vec![end.task.clone(), end.result.word().to_owned()];
        ends(measured, |end| (!end.is_undo).then(|| happening(end, labels(end), 1.0)))
    }),
    ..Metric::PLAIN
};

/// How long each task took, all of its runs.
pub(super) static DURATION: Metric = Metric {
    name: "alignwatch_task_duration_seconds",
    kind: Kind::Histogram(DURATIONS),
    unit: "seconds",
    labels: &["task"],
    help: "How long runs of each maintenance task took that were begun",
    formula: "seconds from its lease to its report, of ends with effect, noop or failed. Counted as alignwatch_task_runs_total; on the \
              daemon's page only",
    why: "What no longer fits into its window is not begun",
    worry: "95th percentile above half of its interval (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(|measured| {
        let is_begun = |end: &TaskEnd| !end.is_undo && end.result != Came::Skipped;
        ends(measured, |end| is_begun(end).then(|| happening(end, vec![end.task.clone()], end.took_seconds)))
    }),
    ..Metric::PLAIN
};

/// Branches that maintenance took away or brought back.
pub(super) static CLEANUP_ACTIONS: Metric = Metric {
    name: "alignwatch_cleanup_actions_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["action", "proof", "result"],
    help: "Branches that maintenance put into the archive, deleted from it, or brought back",
    formula: "branches that the plan of a run took away, by the proof that their work is in the base (none: it is not, the branch was \
              stale), and by what came of the run: effect, noop or failed. action: archive; delete for what expired in the archive; \
              restore where a run was taken back. Counted as alignwatch_task_runs_total",
    why: "What is brought back should not have gone: restore / archive is the rate of errors of the clean-up",
    worry: "restore above 0.01 of archive (alignwatch)",
    breadth: Breadth::Repository,
    read: |_| Vec::new(),
    events: Some(cleanup_actions),
    ..Metric::PLAIN
};

fn cleanup_actions(measured: &Measured<'_>) -> Option<Vec<Happening>> {
    let ends = seen(&measured.snapshot.facts.task_ends)?.iter().filter(|end| end.result != Came::Skipped);
    let of = |end: &TaskEnd, proof: &str, n: u32| {
        let action = match proof {
            _ if end.is_undo => "restore",
            ARCHIVED => "delete",
            _ => "archive",
        };
        let labels = [action, proof, end.result.word()].map(str::to_owned).to_vec();
        Happening { key: format!("{} {proof}", key(end)), labels, value: f64::from(n) }
    };
    Some(ends.flat_map(|end| end.proofs.iter().map(move |(proof, n)| of(end, proof, *n))).collect())
}

/// What is counted of each end in the journal.
fn ends(measured: &Measured<'_>, of: impl Fn(&TaskEnd) -> Option<Happening>) -> Option<Vec<Happening>> {
    Some(seen(&measured.snapshot.facts.task_ends)?.iter().filter_map(of).collect())
}

fn happening(end: &TaskEnd, labels: Vec<String>, value: f64) -> Happening {
    Happening { key: key(end), labels, value }
}

fn key(end: &TaskEnd) -> String {
    format!("{}{}", end.id, if end.is_undo { " undo" } else { "" })
}

/// What a good backup holds.
pub(super) static BACKUP_GOOD: Metric = Metric {
    name: "alignwatch_backup_good_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "When the newest backup was made that was found good when it was last looked at",
    formula: "time at which that backup was made, in seconds since 1970, whether it was found good by its checksums or by a restore drill; \
              nothing where there is none",
    why: "What was committed since is lost with the repository",
    worry: "older than 93600, 26 hours (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| {
        let made_at = seen(&measured.snapshot.facts.backups).and_then(|backups| backups.good_made_at);
        super::known(made_at.map(|at| at.0 as f64))
    },
    ..Metric::PLAIN
};

/// When a backup was last verified.
pub(super) static BACKUP_VERIFIED: Metric = Metric {
    name: "alignwatch_backup_verified_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["level"],
    help: "When a backup that is there was last found to be good, by how closely it was looked at",
    formula: "time of the last good look, in seconds since 1970. checksum: sums and objects, by any look; restored: by a drill that restored \
              it and compared all; no sample where there was none",
    why: "A backup that was never restored is a hope",
    worry: "checksum older than 93600, 26 hours; restored older than 14 days (alignwatch: the check backup-unproven)",
    breadth: Breadth::Repository,
    read: |measured| {
        let Some(backups) = seen(&measured.snapshot.facts.backups) else { return Vec::new() };
        let of_level = |(level, at): (&str, Option<Timestamp>)| at.map(|at| Sample::of([level], at.0 as f64));
        [("checksum", backups.summed_at), ("restored", backups.proven_at)].into_iter().filter_map(of_level).collect()
    },
    ..Metric::PLAIN
};

/// Did a backup come back as it was?
pub(super) static BACKUP_REF_MISMATCHES: Metric = Metric {
    name: "alignwatch_backup_ref_mismatches",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Refs that were others than in the manifest when a backup that is there was last restored",
    formula: "refs of the restored copy that are not as in the manifest of the backup: missing, too many, or elsewhere; no sample where no \
              drill came as far as comparing them",
    why: "A restored branch that is another one is lost work that nobody looks for",
    worry: "above 0 (alignwatch)",
    breadth: Breadth::Repository,
    read: |measured| {
        let n = seen(&measured.snapshot.facts.backups).and_then(|backups| backups.n_other_refs);
        super::known(n.map(|n| n as f64))
    },
    ..Metric::PLAIN
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
    breadth: Breadth::Repository,
    read: |measured| {
        let backups = seen(&measured.snapshot.facts.backups).filter(|backups| 0 < backups.n);
        super::known(backups.map(|backups| f64::from(u8::from(backups.is_bad))))
    },
    ..Metric::PLAIN
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Known, checks::sample, config::Config, metrics::Tally};

    #[test]
    fn branches_that_went_count_by_their_proof_and_those_that_came_back_as_restored() {
        let proofs = BTreeMap::from([("ancestor".to_owned(), 2), ("patch_ids".to_owned(), 1)]);
        let end = |id, is_undo, result| TaskEnd {
            id,
            task: "branch-cleanup".into(),
            is_undo,
            result,
            took_seconds: 1.0,
            proofs: proofs.clone(),
        };
        let ends = vec![end(1, false, Came::Effect), end(1, true, Came::Effect), end(2, false, Came::Skipped)];
        let mut snapshot = sample::snapshot([]);
        snapshot.facts.task_ends = Known::Seen(ends);
        let (config, tally) = (Config::default(), Tally::default());
        let measured = Measured { snapshot: &snapshot, judged: &[], config: &config, tally: &tally, now: sample::NOW };
        let told: Vec<_> = cleanup_actions(&measured).unwrap();
        let told: Vec<_> = told.iter().map(|one| format!("{} {}", one.labels.join(" "), one.value)).collect();
        assert_eq!(
            told,
            [
                "archive ancestor effect 2",
                "archive patch_ids effect 1",
                "restore ancestor effect 2",
                "restore patch_ids effect 1"
            ]
        );
        let runs: Vec<_> = (RUNS.events.unwrap())(&measured).unwrap();
        let runs: Vec<_> = runs.iter().map(|one| one.labels.join(" ")).collect();
        assert_eq!(runs, ["branch-cleanup effect", "branch-cleanup skipped"]);
    }
}
