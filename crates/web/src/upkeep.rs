//! What people ask of maintenance: plans, runs, taking back. Each is posted to the daemon, which does it in its turn; what a
//! plan said waits here for whoever asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::{
    Timestamp,
    task::{Hold, Plan, TaskWish},
    turn::Refusal,
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Shared, TaskRun, access::Who, api::Named, problem::Problem, runs::refused};

/// Plans that are kept, the newest. Source: ours; whoever asked reads it within minutes.
const PLANS_KEPT: usize = 64;

/// A task, as people can ask for it.
pub struct TaskAbout {
    /// Its id.
    pub id: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// Why that is worth doing.
    pub why: &'static str,
    /// How it is taken back.
    pub undo: &'static str,
}

/// What a task would do; or why that can't be told.
pub type Planned = Result<(Plan, Option<Hold>), String>;

/// A plan that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    pub(crate) task: String,
    pub(crate) repository: String,
    pub(crate) asked_at: Timestamp,
    /// `None` = it is not made yet.
    pub(crate) planned: Option<Planned>,
}

/// The plans that were asked for.
#[derive(Default)]
pub(crate) struct Tickets {
    kept: Mutex<VecDeque<Ticket>>,
}

impl Tickets {
    fn new_one(&self, task: &str, repository: &str, now: Timestamp) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Numbers go on over restarts, so that an old page never shows another plan.
        let last = kept.back().map_or(0, |ticket| ticket.number);
        let number = (last + 1).max(now.0.unsigned_abs() * 1_000);
        let (task, repository) = (task.to_owned(), repository.to_owned());
        kept.push_back(Ticket { number, task, repository, asked_at: now, planned: None });
        if PLANS_KEPT < kept.len() {
            kept.pop_front();
        }
        number
    }

    pub(crate) fn get(&self, number: u64) -> Option<Ticket> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|ticket| ticket.number == number).cloned()
    }

    fn put(&self, number: u64, planned: Planned) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ticket) = kept.iter_mut().find(|ticket| ticket.number == number) {
            ticket.planned = Some(planned);
        }
    }
}

impl Shared {
    /// Takes in what a task would do, for whoever asked under this number.
    pub fn planned(&self, ticket: u64, planned: Planned) {
        self.tickets.put(ticket, planned);
    }

    /// Asks for a plan. Errors: there is no such task, or it can't be asked for.
    pub(crate) async fn ask_for_plan(&self, task: &str, repository: &str) -> Result<u64, Refusal> {
        self.known_task(task)?;
        let ticket = self.tickets.new_one(task, repository, crate::now());
        let (task, repository) = (task.to_owned(), repository.to_owned());
        self.ask_upkeep(TaskWish::Plan { ticket, task, repository }).await?;
        Ok(ticket)
    }

    /// Asks for a task to be run. It is written down who wants that when this is answered.
    pub(crate) async fn ask_for_run(&self, task: &str, repository: &str, who: String) -> Result<(), Refusal> {
        self.known_task(task)?;
        self.ask_upkeep(TaskWish::Run { task: task.to_owned(), repository: repository.to_owned(), who }).await
    }

    /// Asks for a run to be taken back; likewise.
    pub(crate) async fn ask_for_undo(&self, id: u64, who: String) -> Result<(), Refusal> {
        let run = self.task_run(id)?;
        if !run.can_be_undone {
            return Err(Refusal::Impossible(format!("nothing of run {id} can be taken back")));
        }
        self.ask_upkeep(TaskWish::Undo { id, repository: run.repository, who }).await
    }

    /// The run with this number. Errors: there is none.
    pub(crate) fn task_run(&self, id: u64) -> Result<TaskRun, Refusal> {
        /// All that a page can show, and far more.
        const LOOKED_AT: usize = 10_000;
        let runs = (self.asks.tasks)(LOOKED_AT).map_err(Refusal::NotKept)?;
        let run = runs.into_iter().find(|run| run.id == id);
        run.ok_or_else(|| Refusal::Impossible(format!("there is no run {id}; /api/v1/tasks lists them")))
    }

    fn known_task(&self, task: &str) -> Result<(), Refusal> {
        let ids: Vec<&str> = self.asks.known_tasks.iter().map(|task| task.id).collect();
        match ids.contains(&task) {
            true => Ok(()),
            false => Err(Refusal::Impossible(format!("there is no task `{task}`: there are {}", ids.join(", ")))),
        }
    }

    async fn ask_upkeep(&self, wish: TaskWish) -> Result<(), Refusal> {
        let (tell, told) = tokio::sync::oneshot::channel();
        // Whoever asked may be gone by then.
        (self.asks.upkeep)(wish, Box::new(move |done| drop(tell.send(done))));
        told.await.unwrap_or(Err(Refusal::TooMuch))
    }
}

/// Which task, and where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichTask {
    /// The task.
    #[schema(min_length = 1, max_length = 100)]
    task: String,
    /// Path of the repository.
    #[schema(min_length = 1, max_length = 4096)]
    repository: String,
    /// Who wants that; only where it is run.
    #[serde(default)]
    #[schema(max_length = 200)]
    who: String,
}

/// Who wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct By {
    /// Who.
    #[serde(default)]
    #[schema(max_length = 200)]
    who: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    /// Where the plan will be: /api/v1/tasks/plans/{ticket}.
    ticket: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PlanMade {
    schema: &'static str,
    task: String,
    repository: String,
    /// `waiting`, `made`, or `failed`.
    state: &'static str,
    /// What it would do.
    #[schema(value_type = Option<Object>)]
    plan: Option<Plan>,
    /// What is in its way now.
    #[schema(value_type = Option<Object>)]
    hold: Option<Hold>,
    /// Why there is no plan.
    reason: Option<String>,
}

/// What was well asked and can't be done as things stand.
fn declined(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Impossible(reason) => Problem::new(StatusCode::CONFLICT, reason.clone()).into_response(),
        Refusal::TooMuch | Refusal::NotKept(_) => refused(refusal),
    }
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    let wrong = |rejection: JsonRejection| Problem::new(rejection.status(), rejection.body_text());
    body.map(|Json(body)| body).map_err(wrong)
}

/// Asks what a task would do. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/tasks/plan", request_body = WhichTask, responses(
    (status = 202, description = "It will be planned.", body = Asked),
    (status = 400, description = "The body is not one.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It can't be done: there is no such task or run, or not here.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body says something else.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The journal can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn plan(
    State(shared): State<Arc<Shared>>,
    which: Result<Json<WhichTask>, JsonRejection>,
) -> Result<(StatusCode, Json<Asked>), Response> {
    let which = body(which).map_err(Problem::into_response)?;
    let ticket = shared.ask_for_plan(&which.task, &which.repository).await.map_err(|refusal| declined(&refusal))?;
    Ok((StatusCode::ACCEPTED, Json(Asked { ticket })))
}

/// What a task would do, for whoever asked.
#[utoipa::path(get, path = "/api/v1/tasks/plans/{ticket}", params(("ticket" = u64, Path, description = "The number that was given.")),
    responses(
    (status = 200, description = "The plan, as far as it is made.", body = PlanMade),
    (status = 400, description = "That is no number.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It is not known, or not any more.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn planned(
    State(shared): State<Arc<Shared>>,
    Named(number): Named<u64>,
) -> Result<Json<PlanMade>, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no plan {number}, or not any more"));
    let ticket = shared.tickets.get(number).ok_or_else(unknown)?;
    let (state, plan, hold, reason) = match ticket.planned {
        None => ("waiting", None, None, None),
        Some(Ok((plan, hold))) => ("made", Some(plan), hold, None),
        Some(Err(reason)) => ("failed", None, None, Some(reason)),
    };
    let (task, repository) = (ticket.task, ticket.repository);
    Ok(Json(PlanMade { schema: "alignwatch.task_planned/1", task, repository, state, plan, hold, reason }))
}

/// Asks for a task to be run, in a repository that was handed over. It plans first, and acts when its numbers say so.
#[utoipa::path(post, path = "/api/v1/tasks/run", request_body = WhichTask, responses(
    (status = 202, description = "It is written down, and will be."),
    (status = 400, description = "The body is not one.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It can't be done: there is no such task or run, or not here.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body says something else.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn run(
    State(shared): State<Arc<Shared>>,
    who: Who,
    which: Result<Json<WhichTask>, JsonRejection>,
) -> Result<StatusCode, Response> {
    let which = body(which).map_err(Problem::into_response)?;
    let done = shared.ask_for_run(&which.task, &which.repository, who.says(&which.who)).await;
    done.map(|()| StatusCode::ACCEPTED).map_err(|refusal| declined(&refusal))
}

/// Asks for a run to be taken back: refs, settings and reflogs as they were before.
#[utoipa::path(post, path = "/api/v1/tasks/{id}/undo", request_body = By,
    params(("id" = u64, Path, description = "The number of the run.")), responses(
    (status = 202, description = "It is written down, and will be."),
    (status = 400, description = "The body is not one.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It can't be done: there is no such task or run, or not here.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body says something else.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn undo(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<u64>,
    who: Who,
    by: Result<Json<By>, JsonRejection>,
) -> Result<StatusCode, Response> {
    let by = body(by).map_err(Problem::into_response)?;
    let done = shared.ask_for_undo(id, who.says(&by.who)).await;
    done.map(|()| StatusCode::ACCEPTED).map_err(|refusal| declined(&refusal))
}
