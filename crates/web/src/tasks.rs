//! Runs of maintenance tasks, and when they are due: listed.

use std::sync::Arc;

use alignwatch_model::{
    Timestamp,
    task::{
        Plan, Report,
        conflicts::Conflict,
        slots::{Slot, TaskAhead},
    },
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Shared, TaskRun,
    api::Asked,
    problem::{Problem, in_the_background},
};

/// Runs in one answer, when nobody says how many.
const RUNS: usize = 50;

/// Runs in one answer, at most.
const RUNS_AT_MOST: usize = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tasks {
    schema: &'static str,
    runs: Vec<Run>,
}

/// A run of a task.
#[derive(Serialize, ToSchema)]
struct Run {
    /// Its number.
    id: u64,
    /// The last that was heard of it.
    at: String,
    task: String,
    /// Path of the repository.
    repository: String,
    /// `effect`, `noop`, `skipped`, `failed`, `undone`, `interrupted`, or `interrupted, healed`.
    state: &'static str,
    /// There is something that takes it back.
    can_be_undone: bool,
    /// What it was about to do.
    #[schema(value_type = Option<Object>)]
    plan: Option<Plan>,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    report: Option<Report>,
}

impl From<TaskRun> for Run {
    fn from(run: TaskRun) -> Run {
        Run {
            id: run.id,
            at: run.at.rfc3339(),
            task: run.task,
            repository: run.repository,
            state: run.state,
            can_be_undone: run.can_be_undone,
            plan: run.plan,
            report: run.report,
        }
    }
}

/// What maintenance tasks did, the newest first.
#[utoipa::path(get, path = "/api/v1/tasks", params(Which), responses(
    (status = 200, description = "Runs.", body = Tasks),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The journal can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn tasks(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Tasks>, Problem> {
    let limit = which.limit.unwrap_or(RUNS);
    if !(1..=RUNS_AT_MOST).contains(&limit) {
        let detail = format!("`limit` must lie between 1 and {RUNS_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let runs = (shared.asks.tasks)(limit).map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
    Ok(Json(Tasks { schema: "alignwatch.task_runs/1", runs: runs.into_iter().map(Run::from).collect() }))
}

/// Days that are looked ahead.
const DAYS_AHEAD: i64 = 14;

/// What is due in the repositories that are tended.
#[derive(Serialize, ToSchema)]
pub(crate) struct Due {
    schema: &'static str,
    repositories: Vec<DueIn>,
}

#[derive(Serialize, ToSchema)]
struct DueIn {
    id: String,
    path: String,
    tasks: Vec<DueTask>,
    /// What is in each other's way within the next 14 days.
    #[schema(value_type = Vec<Object>)]
    conflicts: Vec<Conflict>,
}

/// When a task is asked.
#[derive(Serialize, ToSchema)]
struct DueTask {
    task: String,
    /// How often, as it is configured.
    due: String,
    /// It plans and does not act.
    only_reports: bool,
    /// When it was asked the last time and not held.
    last: Option<String>,
    /// When it is asked next, in which window, and whether a freeze is on then; null = not within 14 days.
    #[schema(value_type = Option<Object>)]
    next: Option<Slot>,
    /// Why it is never asked.
    reason: Option<String>,
}

/// When maintenance tasks are due, and what is in their way, in the repositories that are handed over.
#[utoipa::path(get, path = "/api/v1/tasks/due", responses(
    (status = 200, description = "By repository.", body = Due),
    (status = 503, description = "The store or the journal can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn due(State(shared): State<Arc<Shared>>) -> Result<Json<Due>, Problem> {
    in_the_background(move || {
        let config = &shared.loaded().config;
        let rows = shared.repositories()?.0.into_iter().filter(|row| config.is_tended(&row.path));
        let places: Vec<(String, String)> = rows.map(|row| (row.path, row.id)).collect();
        let ahead = (shared.asks.ahead)(config, &places, DAYS_AHEAD);
        let ahead = ahead.map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
        let repositories = places.into_iter().zip(ahead).map(|((path, id), ahead)| DueIn {
            id,
            path,
            tasks: ahead.tasks.into_iter().map(DueTask::from).collect(),
            conflicts: ahead.conflicts,
        });
        Ok::<_, Problem>(Json(Due { schema: "alignwatch.tasks_due/1", repositories: repositories.collect() }))
    })
    .await
}

impl From<TaskAhead> for DueTask {
    fn from(task: TaskAhead) -> DueTask {
        let (next, reason) = match task.slots {
            Ok(slots) => (slots.into_iter().next(), None),
            Err(reason) => (None, Some(reason)),
        };
        let last = task.last.map(Timestamp::rfc3339);
        DueTask { task: task.task, due: task.due, only_reports: task.only_reports, last, next, reason }
    }
}
