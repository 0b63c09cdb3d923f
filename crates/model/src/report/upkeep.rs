//! What maintenance did, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::held::{Held, HeldTask, Times};
use crate::{Timestamp, task::Came};

/// Runs that are listed; the rest is counted.
const LISTED: usize = 30;

/// What maintenance did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UpkeepPart {
    /// Runs of tasks; `null` = the journal could not be read.
    pub n_runs: Option<usize>,
    /// How they ended, by the word of their result; `interrupted` has none.
    pub by_result: BTreeMap<&'static str, usize>,
    /// Bytes that repositories are smaller by, as the tasks measured it: negative = larger.
    pub freed_bytes: i64,
    /// Runs that changed something, or should have, the last first.
    pub runs: Vec<TaskDone>,
    /// The same, not listed.
    pub n_more_runs: usize,
}

/// A run of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskDone {
    /// Its number, for `task undo`.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The task.
    pub task: String,
    /// Path of the repository.
    pub repository: String,
    /// `effect`, `noop`, `skipped`, `failed` or `interrupted`.
    pub result: &'static str,
    /// What changed, or what went wrong.
    pub because: String,
    /// It lost something.
    pub is_critical: bool,
    /// The numbers, before and after; `null` = not known.
    pub numbers: Vec<Effect>,
}

/// A number before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// What is counted.
    pub name: String,
    /// In which unit.
    pub unit: String,
    /// Before.
    pub before: Option<i64>,
    /// After.
    pub after: Option<i64>,
}

/// What maintenance did in the period.
pub(super) fn part(held: &Held, times: &Times) -> UpkeepPart {
    let tasks = held.tasks.seen().map(Vec::as_slice).unwrap_or_default();
    let mut runs: Vec<TaskDone> = tasks.iter().filter(|task| times.holds(task.at)).map(done).collect();
    runs.sort_by_key(|run| std::cmp::Reverse((run.at, run.id)));
    let mut by_result = BTreeMap::new();
    for run in &runs {
        *by_result.entry(run.result).or_default() += 1;
    }
    let n_runs = held.tasks.seen().map(|_| runs.len());
    let freed_bytes = runs.iter().map(freed).sum();
    runs.retain(|run| run.result != Came::Noop.word() && run.result != Came::Skipped.word());
    let n_more_runs = runs.len().saturating_sub(LISTED);
    runs.truncate(LISTED);
    UpkeepPart { n_runs, by_result, freed_bytes, runs, n_more_runs }
}

fn done(task: &HeldTask) -> TaskDone {
    let (result, because) = match &task.report {
        Some(report) => (report.result.word(), report.because.clone()),
        None if task.is_healed => ("interrupted", "it was ended half-way, and put right since".to_owned()),
        None => ("interrupted", "it goes on, or was ended half-way".to_owned()),
    };
    TaskDone {
        id: task.id,
        at: task.at,
        task: task.task.clone(),
        repository: task.repository.clone(),
        result,
        because,
        is_critical: task.report.as_ref().is_some_and(|report| report.is_critical),
        numbers: task.report.as_ref().map(effects).unwrap_or_default(),
    }
}

fn effects(report: &crate::task::Report) -> Vec<Effect> {
    let after = |name: &str| report.after.iter().find(|measure| measure.name == name);
    let effect = |before: &crate::task::Measure| Effect {
        name: before.name.clone(),
        unit: before.unit.clone(),
        before: before.value,
        after: after(&before.name).and_then(|measure| measure.value),
    };
    report.before.iter().map(effect).collect()
}

/// Several numbers may count the same bytes: the largest difference stands for a run.
fn freed(run: &TaskDone) -> i64 {
    let bytes = run.numbers.iter().filter(|effect| effect.unit == "bytes");
    let freed = bytes.filter_map(|effect| Some(effect.before?.saturating_sub(effect.after?)));
    freed.max_by_key(|bytes| bytes.abs()).unwrap_or(0)
}
