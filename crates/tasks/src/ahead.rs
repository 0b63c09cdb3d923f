//! What upkeep there will be: when each task is asked in a repository, and what will be in each other's way.
//!
//! It goes by the configuration and the journal alone: the repository itself is not opened.

use alignwatch_model::{
    Span, Timestamp,
    config::Config,
    task::{
        conflicts::{Job, conflicts},
        slots::{self, Ahead, Asked},
    },
};

use crate::{ALL, Task, due::last_asked, journal::Said};

/// How long a task takes, where it never ran. Source: measured; most take seconds on a repository of 100 MiB.
const TAKES: Span = Span::minutes(2);

/// The days to come of the repository with this path and id.
pub fn ahead(config: &Config, said: &Said, path: &str, repository_id: &str, now: Timestamp, days: i64) -> Ahead {
    let until = Timestamp(now.0.saturating_add(Span::days(days).0));
    let of_task = |task: &&Task| {
        let last = last_asked(said, task.id, repository_id);
        let Task { id: task, usual, opt_in, .. } = **task;
        slots::ahead(&Asked { task, usual, opt_in, path, id: repository_id, last }, config, now, until)
    };
    Ahead {
        tasks: ALL.iter().map(of_task).collect(),
        conflicts: conflicts(config, path, &jobs(config, said, path, repository_id), now, days),
    }
}

/// All tasks that are asked here, with the longest time that each took.
pub fn jobs(config: &Config, said: &Said, path: &str, repository_id: &str) -> Vec<Job> {
    let runs = said.runs();
    let takes = |task: &str| {
        let of_it = runs.iter().filter(|run| run.record.task == task && run.record.repository_id == repository_id);
        let longest = of_it.filter_map(|run| run.report.map(|report| report.took_seconds)).fold(0.0, f64::max);
        if longest > 0.0 { Span(longest.ceil() as i64) } else { TAKES }
    };
    let job = |task: &&Task| Job { name: task.id.to_owned(), usual: task.usual.to_owned(), takes: takes(task.id) };
    ALL.iter().filter(|task| task.is_asked_for(config, path)).map(job).collect()
}
