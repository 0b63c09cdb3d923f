//! Alignment runs: reported here, and listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alignwatch_model::{
    run::{RunEvent, RunId},
    turn::Refusal,
};
use alignwatch_store::WhichRuns;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Shared,
    api::{Asked, Named, parsed},
    incoming::{self, ReportedEvent},
    problem::Problem,
};

/// Runs in one answer, when nobody says how many.
const RUNS: usize = 50;

/// Runs in one answer, at most.
const RUNS_AT_MOST: usize = 500;

/// Events that are kept of one run; of one that has more, only begin and end are taken.
///
/// Source: ours; a run over two thousand branches with an operation and a stage each.
const EVENTS_OF_A_RUN: u64 = 5_000;

/// Events of a run that come between two looks into the store for how many it has, so that there can be as many more than
/// [`EVENTS_OF_A_RUN`]. Source: ours; most runs have fewer, and are never looked for.
const EVENTS_UNCOUNTED: u64 = 100;

/// Runs whose events are counted, the newest. Source: ours.
const RUNS_COUNTED: usize = 10_000;

/// How many events came of each of the newest runs since the store was asked how many it has.
#[derive(Default)]
pub(crate) struct Counts(Mutex<BTreeMap<RunId, u64>>);

impl Counts {
    /// Counts these events in. The first run that has as many as are kept of one, and how many; `n_kept` reads that from the
    /// store: of heartbeats, one is kept. What it can't read is asked for again with the next event.
    fn first_full<'a>(
        &self,
        events: &'a [RunEvent],
        n_kept: impl Fn(&RunId) -> Option<u64>,
    ) -> Option<(&'a RunId, u64)> {
        let due = self.count(events);
        due.into_iter().find_map(|run| {
            let count = n_kept(run)?;
            if EVENTS_OF_A_RUN <= count {
                return Some((run, count));
            }
            self.counts().insert(run.clone(), 0);
            None
        })
    }

    /// Counts these events in. The runs of which the store is to be asked.
    fn count<'a>(&self, events: &'a [RunEvent]) -> BTreeSet<&'a RunId> {
        let (mut counts, mut due) = (self.counts(), BTreeSet::new());
        for event in events.iter().filter(|event| !event.is_boundary()) {
            let count = counts.entry(event.run.clone()).or_default();
            *count += 1;
            if EVENTS_UNCOUNTED < *count {
                due.insert(&event.run);
            }
        }
        while RUNS_COUNTED < counts.len() {
            // Ids begin with their time.
            counts.pop_first();
        }
        due
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<RunId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    /// Events that are kept now; one that was known before is among them.
    accepted: usize,
}

/// Reports events of alignment runs: one, an array, lines of JSON, or CloudEvents.
///
/// Answered when they are on the disk. An event that comes twice, with the same id, counts once; so whoever gets no
/// answer sends it again.
#[utoipa::path(post, path = "/api/v1/events",
    request_body(content = ReportedEvent, content_type = "application/json",
        description = "One event, schema `alignwatch.event/1`. An array of them, one a line (application/x-ndjson), and CloudEvents 1.0 are taken as well."),
    responses(
        (status = 202, description = "They are kept.", body = Taken),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "An event is not one; none is kept.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "More is reported than can be kept in time.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "They could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn report(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Taken>), Response> {
    let events = incoming::events(&headers, &body).map_err(Problem::into_response)?;
    let accepted = events.len();
    let n_kept = |run: &RunId| shared.read(|store| store.n_events(run)).ok();
    if let Some((run, n_kept)) = shared.counts.first_full(&events, n_kept) {
        let detail = format!("run {run} has {n_kept} events: only its end is taken now");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).into_response());
    }
    kept(&shared, events).await?;
    Ok((StatusCode::ACCEPTED, Json(Taken { accepted })))
}

/// Hands events over and waits until they are on the disk. Errors: what is answered when they are not.
pub(crate) async fn kept(shared: &Arc<Shared>, events: Vec<RunEvent>) -> Result<(), Response> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // Whoever asked may be gone by then.
    let tell = Box::new(move |kept| drop(tell.send(kept)));
    let asked = Arc::clone(shared);
    shared.gathered.hand_over(events, tell, move |events, tell| (asked.asks.report)(events, tell));
    told.await.unwrap_or(Err(Refusal::TooMuch)).map_err(|refusal| refused(&refusal))
}

pub(crate) fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::TooMuch => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Impossible(_) => {
            return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string()).into_response();
        }
        Refusal::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    ([(header::RETRY_AFTER, "10")], Problem::new(status, refusal.to_string())).into_response()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Only of this repository.
    repository: Option<String>,
    /// Only of this workflow.
    workflow: Option<String>,
    /// Only those that began before this run: the last of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    before: Option<RunId>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Runs {
    schema: &'static str,
    /// Each as `alignwatch.run/1`.
    #[schema(value_type = Vec<Object>)]
    runs: Vec<serde_json::Value>,
}

/// Alignment runs, the newest first.
#[utoipa::path(get, path = "/api/v1/runs", params(Which), responses(
    (status = 200, description = "Runs.", body = Runs),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn runs(State(shared): State<Arc<Shared>>, Asked(which): Asked<Which>) -> Result<Json<Runs>, Problem> {
    let limit = which.limit.unwrap_or(RUNS);
    if !(1..=RUNS_AT_MOST).contains(&limit) {
        let detail = format!("`limit` must lie between 1 and {RUNS_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let asked = WhichRuns {
        repository: which.repository.as_deref(),
        workflow: which.workflow.as_deref(),
        before: which.before.as_ref(),
    };
    let documents = shared.read(|store| store.runs(asked, limit))?;
    let runs = documents.iter().map(|document| parsed(document)).collect::<Result<_, _>>()?;
    Ok(Json(Runs { schema: "alignwatch.runs/1", runs }))
}

/// One alignment run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", params(("id" = String, Path, description = "Its id.", pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")), responses(
    (status = 200, description = "The run, as `alignwatch.run/1`.", body = Object),
    (status = 400, description = "That is no id of a run.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn run(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<RunId>,
) -> Result<Json<alignwatch_model::run::Document>, Problem> {
    let run = shared.read(|store| store.run(&id))?;
    let document = run.and_then(|run| run.document());
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no run `{id}`; /api/v1/runs lists them"));
    document.map(Json).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use alignwatch_model::run::{Happened, Moment};

    use super::*;

    fn beats(run: u8, n: u64) -> Vec<RunEvent> {
        let id = RunId::from_parts(1, [run; 10]);
        (0..n).map(|n| RunEvent::new(n.to_string(), id.clone(), Moment(1), Happened::Heartbeat {})).collect()
    }

    #[test]
    fn a_run_is_full_when_the_store_says_so_which_is_asked_once_in_a_hundred_events() {
        let (counts, asked) = (Counts::default(), Cell::new(0));
        let full = |run: u8, n: u64, kept: Option<u64>| {
            let n_kept = |_: &RunId| {
                asked.set(asked.get() + 1);
                kept
            };
            counts.first_full(&beats(run, n), n_kept).map(|(_, n)| n)
        };
        assert_eq!((full(1, EVENTS_UNCOUNTED, Some(0)), asked.get()), (None, 0));
        // So many heartbeats came, of which the store keeps one.
        assert_eq!((full(1, EVENTS_OF_A_RUN, Some(1)), asked.get()), (None, 1));
        assert_eq!((full(1, EVENTS_UNCOUNTED, Some(1)), asked.get()), (None, 1));
        // It stays full, and is asked for each time.
        let of_full = [(); 3].map(|()| full(1, 1, Some(EVENTS_OF_A_RUN)));
        assert_eq!((of_full, asked.get()), ([Some(EVENTS_OF_A_RUN); 3], 4));
        // What can't be read is not counted as nothing.
        assert_eq!(full(2, EVENTS_UNCOUNTED + 1, None), None);
        assert_eq!(full(2, 1, Some(EVENTS_OF_A_RUN)), Some(EVENTS_OF_A_RUN));
    }
}
