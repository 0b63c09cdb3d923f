//! A report on a period, made when it is asked for.

use std::sync::Arc;

use alignwatch_model::{
    Known, Timestamp,
    report::{self, Held, HeldTask, Period, Report, Times},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type},
};

use crate::{Shared, TaskRun, api::Asked, problem::Problem};

/// Runs of maintenance tasks that are looked through. Source: ours; a quarter of a fleet.
const TASKS_AT_MOST: usize = 5_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// How much time: 24 hours, 7, 30 or 91 days. Default: week.
    #[param(schema_with = periods)]
    period: Option<String>,
    /// When it ended: RFC 3339; of a time to come, it ends now. Default: now.
    #[param(schema_with = moments)]
    until: Option<String>,
}

fn periods() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Period::ALL.map(Period::word))).build()
}

fn moments() -> Object {
    let time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(Type::String).format(Some(time)).build()
}

impl Which {
    pub(crate) fn new(period: Option<String>, until: Option<String>) -> Which {
        Which { period, until }
    }

    /// The times that are asked about. Errors: they are none.
    pub(crate) fn times(&self, shared: &Shared) -> Result<Times, Problem> {
        let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
        let word = self.period.as_deref().unwrap_or("week");
        let period = Period::from_word(word)
            .ok_or_else(|| wrong(format!("`{word}` is no period: there are day, week, month and quarter")))?;
        let now = crate::now();
        let until = match &self.until {
            // What was seen within this second belongs to it.
            None => return Ok(Times::of(period, Timestamp(now.0 + 1), &shared.loaded().config.store, now)),
            Some(text) => Timestamp::parse(text)
                .ok_or_else(|| wrong(format!("`{text}` is no time: write it like 2026-11-28T00:00:00Z")))?,
        };
        let until = Timestamp(until.0.clamp(0, now.0));
        Ok(Times::of(period, until, &shared.loaded().config.store, now))
    }
}

/// The report on these times.
pub(crate) fn made(shared: &Shared, times: Times) -> Result<Report, Problem> {
    // It reads for as long as a page: others are not to wait for that.
    let store = alignwatch_store::open_to_read(&shared.store)?;
    let held = store.held(&times, &|_| true)?;
    let held = Held { tasks: tasks(shared), ..held };
    Ok(report::report(&held, &shared.loaded().config, times))
}

fn tasks(shared: &Shared) -> Known<Vec<HeldTask>> {
    let held = |run: TaskRun| HeldTask {
        id: run.id,
        at: run.at,
        task: run.task,
        repository: run.repository,
        report: run.report,
        is_healed: run.is_healed,
    };
    match (shared.asks.tasks)(TASKS_AT_MOST) {
        Ok(runs) => Known::Seen(runs.into_iter().map(held).collect()),
        Err(reason) => Known::Unknown(reason),
    }
}

/// A report on a period, up to now or to another time.
#[utoipa::path(get, path = "/api/v1/report", params(Which), responses(
    (status = 200, description = "The report, as `alignwatch.report/1`.", body = Object),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn report(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Report>, Problem> {
    let times = which.times(&shared)?;
    let work = tokio::task::spawn_blocking(move || made(&shared, times));
    let wrong = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    Ok(Json(work.await.map_err(wrong)??))
}
