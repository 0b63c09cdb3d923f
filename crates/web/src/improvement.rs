//! Three reads for tools that improve a workflow: how long alignment takes as a whole, what of it takes how long, what the
//! machine has to do.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    record::Reading,
    run::{
        Document,
        times::{self, Durations},
    },
};
use alignwatch_store::WhichRuns;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Shared, api::Asked, problem::Problem};

/// Runs that are looked at, the newest. Source: ours; what `alignwatch` itself judges runs by.
const RUNS: usize = 500;

/// What is told of the machine, and the metric that it is.
const RESOURCES: [(&str, &str); 3] = [
    ("cpu", "alignwatch_host_cpu_used_ratio"),
    ("memory", "alignwatch_host_memory_used_ratio"),
    ("disk", "alignwatch_host_disk_used_ratio"),
];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Only runs of this repository.
    repository: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Improvement {
    schema: &'static str,
    /// All runs together.
    overall: Overall,
    /// Workflows by name, and the stages that they reported as `workflow/stage`. What said nothing of its time is not there.
    components: BTreeMap<String, Took>,
    /// How busy `cpu`, `memory` and `disk` were at the last look, in percent; null = that is not known.
    resources: BTreeMap<&'static str, Option<f64>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Overall {
    /// Runs that were looked at, at most 500.
    n_runs: usize,
    /// How long those took that ended; null without any.
    duration: Option<Took>,
    /// The part that did what they should, 0 to 1; null without any that was judged.
    success_ratio: Option<f64>,
}

impl From<times::Overall> for Overall {
    fn from(all: times::Overall) -> Overall {
        let times::Overall { n_runs, duration, success_ratio } = all;
        Overall { n_runs, duration: duration.map(Took::from), success_ratio }
    }
}

/// How long something took, in seconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Took {
    mean_seconds: f64,
    least_seconds: f64,
    most_seconds: f64,
}

impl From<Durations> for Took {
    fn from(durations: Durations) -> Took {
        let Durations { mean_seconds, least_seconds, most_seconds } = durations;
        Took { mean_seconds, least_seconds, most_seconds }
    }
}

/// How long alignment takes, in all and part by part, and what the machine has to do: for tools that improve it.
#[utoipa::path(get, path = "/api/v1/improvement", params(Which), responses(
    (status = 200, description = "Times of runs and their parts, and how busy the machine is.", body = Improvement),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn improvement(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Improvement>, Problem> {
    let asked = WhichRuns { repository: which.repository.as_deref(), workflow: None, before: None };
    let documents = shared.read(|store| store.runs(asked, RUNS))?;
    let wrong = |error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("cannot read what was stored: {error}"));
    let runs: Vec<Document> =
        documents.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>().map_err(wrong)?;
    let runs: Vec<&Document> = runs.iter().collect();
    let readings = Arc::clone(&shared.readings.read().unwrap_or_else(std::sync::PoisonError::into_inner));
    Ok(Json(Improvement {
        schema: "alignwatch.improvement/1",
        overall: Overall::from(times::Overall::of(&runs)),
        components: times::by_component(&runs).into_iter().map(|(name, took)| (name, took.into())).collect(),
        resources: RESOURCES.into_iter().map(|(name, metric)| (name, percent(&readings, metric))).collect(),
    }))
}

/// Of several disks the fullest.
fn percent(readings: &[Reading], metric: &str) -> Option<f64> {
    let of_it = readings.iter().filter(|reading| reading.metric == metric).map(|reading| reading.value);
    of_it.reduce(f64::max).map(|ratio| (ratio * 1_000.0).round() / 10.0)
}
