//! Runs of maintenance tasks: listed.

use std::sync::Arc;

use alignwatch_model::task::{Plan, Report};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Shared, TaskRun, api::Asked, problem::Problem};

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
