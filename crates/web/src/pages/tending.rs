//! What people ask of maintenance from a page: a plan, then the run that it describes; and taking a run back.
//!
//! Nothing is changed before its plan was shown, and who wants it is written down.

use std::sync::Arc;

use alignwatch_model::{task::Plan, turn::Refusal};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark, Prose},
};
use crate::{Shared, access::Who, problem::Problem, upkeep::Ticket};

/// Where people are afterwards.
const MAINTENANCE: &str = "/maintenance#h-runs";

fn refused(refusal: &Refusal) -> Failed {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("It was not done: {refusal}.")).into()
}

#[derive(Deserialize)]
pub(super) struct Which {
    task: String,
    repository: String,
}

/// Asks for a plan, and leads to where it will be.
pub(super) async fn plan(State(shared): State<Arc<Shared>>, Form(which): Form<Which>) -> Result<Response, Failed> {
    let ticket = shared.ask_for_plan(&which.task, &which.repository).await.map_err(|refusal| refused(&refusal))?;
    Ok(Redirect::to(&format!("/maintenance/plans/{ticket}")).into_response())
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    shell: Shell,
    ticket: Ticket,
    title: &'static str,
    why: &'static str,
    repository: String,
    asked: Ago,
    made: Option<Made>,
    /// Why there is none.
    failed: String,
}

/// A plan, as people read it.
struct Made {
    mark: Mark,
    because: Prose,
    hold: String,
    steps: Vec<String>,
    numbers: Vec<(String, String, String)>,
    takes: String,
    room: String,
    undo: String,
    acts: bool,
}

impl Made {
    fn of(plan: &Plan, hold: Option<&alignwatch_model::task::Hold>) -> Made {
        let mark = match (plan.decision.word(), hold) {
            ("act", None) => Mark { tone: "info", shape: "half", word: "would act" },
            ("act", Some(_)) => Mark { tone: "warning", shape: "frame", word: "would wait" },
            ("rest", _) => Mark { tone: "ok", shape: "disc", word: "nothing to do" },
            _ => Mark { tone: "unknown", shape: "ring", word: "refuses" },
        };
        let limit = |name: &str| {
            let limits = plan.limits.iter().filter(|limit| limit.name == name);
            let told: Vec<String> =
                limits.map(|limit| format!("acts from {} on: {}", limit.value, limit.source)).collect();
            told.join("; ")
        };
        Made {
            mark,
            because: Prose::new(plan.decision.because()),
            hold: hold.map(|hold| hold.reason.clone()).unwrap_or_default(),
            steps: plan.steps.clone(),
            numbers: plan
                .inputs
                .iter()
                .map(|measure| (measure.name.clone(), measure.told(), limit(&measure.name)))
                .collect(),
            takes: plan.takes().map_or_else(|| "not known".to_owned(), |takes| format!("about {takes}")),
            room: alignwatch_model::words::bytes(plan.disk_bytes),
            undo: plan.undo.clone(),
            acts: plan.acts(),
        }
    }
}

/// What a task would do, and the way to have it done.
pub(super) async fn planned(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| {
        let ticket = shared.tickets.get(number).ok_or_else(|| {
            Failed::not_found(
                "This plan is not known any more: plans are kept until the daemon ends. Ask for it again.",
            )
        })?;
        let shell = Shell::new(shared, format!("Plan of {}", ticket.task), Section::Maintenance);
        let about = shared.asks.known_tasks.iter().find(|task| task.id == ticket.task);
        let (plan, failed) = match &ticket.planned {
            Some(Ok((plan, hold))) => (Some(Made::of(plan, hold.as_ref())), String::new()),
            Some(Err(reason)) => (None, reason.clone()),
            None => (None, String::new()),
        };
        Ok(PlanPage {
            title: about.map_or("", |task| task.title),
            why: about.map_or("", |task| task.why),
            repository: told::called(&ticket.repository).to_owned(),
            asked: Ago::new(ticket.asked_at, shell.now),
            made: plan,
            failed,
            ticket,
            shell,
        })
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct By {
    who: String,
}

/// Has the task of a plan run.
pub(super) async fn run(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<u64>,
    who: Who,
    Form(by): Form<By>,
) -> Result<Response, Failed> {
    let ticket = shared.tickets.get(number);
    let ticket = ticket.ok_or_else(|| Failed::not_found("This plan is not known any more. Ask for it again."))?;
    let done = shared.ask_for_run(&ticket.task, &ticket.repository, who.says(&by.who)).await;
    done.map_err(|refusal| refused(&refusal))?;
    Ok(Redirect::to(MAINTENANCE).into_response())
}

#[derive(Template)]
#[template(path = "undo.html")]
struct UndoPage {
    shell: Shell,
    id: u64,
    task: String,
    repository: String,
    at: Ago,
    because: Prose,
    undo: String,
    can_be_undone: bool,
    state: &'static str,
    command: String,
}

/// What taking a run back would do, before it is done.
pub(super) async fn undo_page(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| {
        let run = shared.task_run(id).map_err(|refusal| Failed::not_found(refusal.to_string()))?;
        let shell = Shell::new(shared, format!("Take run {id} back"), Section::Maintenance);
        Ok(UndoPage {
            id,
            repository: told::called(&run.repository).to_owned(),
            at: Ago::new(run.at, shell.now),
            because: Prose::new(run.report.map(|report| report.because).unwrap_or_default()),
            undo: run.plan.map(|plan| plan.undo).unwrap_or_default(),
            can_be_undone: run.can_be_undone,
            state: run.state,
            command: format!("alignwatch task undo {id}"),
            task: run.task,
            shell,
        })
    })
    .await
}

/// Has a run taken back.
pub(super) async fn undo(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<u64>,
    who: Who,
    Form(by): Form<By>,
) -> Result<Response, Failed> {
    shared.ask_for_undo(id, who.says(&by.who)).await.map_err(|refusal| refused(&refusal))?;
    Ok(Redirect::to(MAINTENANCE).into_response())
}
