//! The routes. Each is registered together with its description, so that none can be without.

use std::sync::{Arc, PoisonError};

use alignwatch_model::Timestamp;
use alignwatch_store::{PastFinding, RepositoryRow};
use axum::{
    Json, Router,
    extract::{
        FromRequestParts, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Shared, alertmanager, alerts, branches, improvement, metrics, pages, ping, problem::Problem, promises, reports,
    runs, tasks, trends, upkeep, watching, webhooks, windows,
};

/// Findings in one answer, when nobody says how many.
const FINDINGS: usize = 100;

/// Findings in one answer, at most.
const FINDINGS_AT_MOST: usize = 1000;

/// Points in one answer, at most. Source: ours; a screen has no more columns that one can tell apart.
const POINTS_AT_MOST: i64 = 2000;

/// The last second of the year 9999, the latest that RFC 3339 can write.
const LATEST: i64 = 253_402_300_799;

/// A day in seconds.
const DAY: i64 = 86_400;

#[derive(OpenApi)]
#[openapi(info(title = "alignwatch", description = "What is known of the alignment of repositories."))]
struct Api;

/// The parameters of a request; wrong ones are a problem like others.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Problem))]
pub(crate) struct Asked<T>(pub(crate) T);

/// What the path names; likewise.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Problem))]
pub(crate) struct Named<T>(pub(crate) T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

/// All routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (router, api) = described().split_for_parts();
    let text = pretty(&api);
    router
        .merge(alertmanager::router())
        .route("/openapi.json", get(move || async move { ([(header::CONTENT_TYPE, "application/json")], text) }))
        .merge(pages::router())
        .merge(ping::router())
        .fallback(pages::nothing_here)
        .with_state(shared)
}

/// The description as JSON.
pub(crate) fn openapi() -> String {
    pretty(&described().split_for_parts().1)
}

fn pretty(api: &utoipa::openapi::OpenApi) -> String {
    api.to_pretty_json().unwrap_or_default() + "\n"
}

fn described() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics_page))
        .routes(routes!(repositories, watching::watch))
        .routes(routes!(repository, watching::unwatch))
        .routes(routes!(sweep))
        .routes(routes!(branches::branches))
        .routes(routes!(findings))
        .routes(routes!(series))
        .routes(routes!(points))
        .routes(routes!(trends::trends))
        .routes(routes!(reports::report))
        .routes(routes!(improvement::improvement))
        .routes(routes!(runs::report))
        .routes(routes!(runs::runs))
        .routes(routes!(runs::run))
        .routes(routes!(tasks::tasks))
        .routes(routes!(tasks::due))
        .routes(routes!(upkeep::plan))
        .routes(routes!(upkeep::planned))
        .routes(routes!(upkeep::run))
        .routes(routes!(upkeep::undo))
        .routes(routes!(windows::change))
        .routes(routes!(alerts::alerts))
        .routes(routes!(alerts::alert))
        .routes(routes!(alerts::ack, alerts::unack))
        .routes(routes!(alerts::list_messages))
        .routes(routes!(alerts::end))
        .routes(routes!(alerts::retry))
        .routes(routes!(alerts::give_up))
        .routes(routes!(promises::promises))
        .routes(routes!(webhooks::pushed))
}

/// Is the process alive?
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It is.", body = String)))]
async fn healthz() -> &'static str {
    "alive\n"
}

/// Does it do its work?
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "It does.", body = String),
    (status = 503, description = "It does not, with the reason.", body = Problem, content_type = "application/problem+json")))]
async fn readyz(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    match &*shared.trouble.read().unwrap_or_else(PoisonError::into_inner) {
        None => Ok("working\n"),
        Some(reason) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason.clone())),
    }
}

/// What was last measured, for a Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200,
    description = "OpenMetrics for who accepts it, and else the older text format.",
    content((String = "application/openmetrics-text"), (String = "text/plain")))))]
async fn metrics_page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Problem> {
    let readings = Arc::clone(&shared.readings.read().unwrap_or_else(PoisonError::into_inner));
    let distributions = Arc::clone(&shared.distributions.read().unwrap_or_else(PoisonError::into_inner));
    let wrong = |error: std::fmt::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let page = metrics::page(&readings, &distributions).map_err(wrong)?;
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    Ok(match accepted.contains("application/openmetrics-text") {
        true => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        false => ([(header::CONTENT_TYPE, metrics::CLASSIC_TYPE)], metrics::classic(&page)).into_response(),
    })
}

#[derive(Serialize, ToSchema)]
struct Repositories {
    schema: &'static str,
    repositories: Vec<Repository>,
}

/// A repository and its last sweep.
#[derive(Serialize, ToSchema)]
struct Repository {
    /// Its id.
    id: String,
    /// Its path.
    path: String,
    /// Its health at the last look; `unknown` when nothing could be seen, `gone` when there is no repository any more.
    status: String,
    /// Why nothing could be seen.
    reason: Option<String>,
    /// When it was looked at first, last, and when something was last seen.
    first_seen_at: String,
    swept_at: String,
    seen_at: Option<String>,
    /// How long the last look took.
    elapsed_seconds: f64,
    /// It is watched now; else what was known of it is kept.
    is_watched: bool,
}

impl Repository {
    fn of(row: RepositoryRow, is_watched: bool) -> Repository {
        Repository {
            is_watched,
            id: row.id,
            path: row.path,
            status: row.status,
            reason: row.reason,
            first_seen_at: row.first_seen_at.rfc3339(),
            swept_at: row.swept_at.rfc3339(),
            seen_at: row.seen_at.map(Timestamp::rfc3339),
            elapsed_seconds: row.seconds,
        }
    }
}

/// All repositories that are or were watched.
#[utoipa::path(get, path = "/api/v1/repositories", responses(
    (status = 200, description = "By path.", body = Repositories),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn repositories(State(shared): State<Arc<Shared>>) -> Result<Json<Repositories>, Problem> {
    let (watched, left) = shared.repositories()?;
    let watched = watched.into_iter().map(|row| Repository::of(row, true));
    let mut repositories: Vec<Repository> =
        watched.chain(left.into_iter().map(|row| Repository::of(row, false))).collect();
    repositories.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
    Ok(Json(Repositories { schema: "alignwatch.repositories/1", repositories }))
}

#[derive(Serialize, ToSchema)]
struct RepositoryInFull {
    schema: &'static str,
    repository: Repository,
    /// Lines, checks and branches by state, as they were last seen; null when nothing ever was.
    #[schema(value_type = Object)]
    seen: serde_json::Value,
    /// What is wrong, the newest first.
    findings: Vec<Finding>,
}

/// One repository in full.
#[utoipa::path(get, path = "/api/v1/repositories/{id}", params(("id" = String, Path, description = "Its id.")), responses(
    (status = 200, description = "What is known of it.", body = RepositoryInFull),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn repository(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Json<RepositoryInFull>, Problem> {
    let row = shared.read(|store| store.repository(&id))?.ok_or_else(|| not_known(&id))?;
    let is_watched = shared.repositories()?.0.iter().any(|row| row.id == id);
    let document = shared.read(|store| store.document(&id))?;
    let open = shared.read(|store| store.findings(Some(&id), false, FINDINGS_AT_MOST))?;
    Ok(Json(RepositoryInFull {
        schema: "alignwatch.repository/1",
        repository: Repository::of(row, is_watched),
        seen: document.map_or(Ok(serde_json::Value::Null), |text| parsed(&text))?,
        findings: open.into_iter().map(Finding::of).collect::<Result<_, _>>()?,
    }))
}

pub(crate) fn not_known(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no repository `{id}`; /api/v1/repositories lists them"))
}

/// Wants a repository to be looked at now.
#[utoipa::path(post, path = "/api/v1/repositories/{id}/sweep", params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 202, description = "It will be."),
        (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There is too much to do already.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn sweep(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<StatusCode, Response> {
    let row = shared.read(|store| store.repository(&id)).map_err(|error| Problem::from(error).into_response())?;
    let row = row.ok_or_else(|| not_known(&id).into_response())?;
    (shared.asks.look)(&row.path).map(|()| StatusCode::ACCEPTED).map_err(|full| {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, full.to_string());
        ([(header::RETRY_AFTER, "10")], problem).into_response()
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WhichFindings {
    /// Only of this repository.
    repository: Option<String>,
    /// Also those that are over.
    #[serde(default)]
    ended: bool,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct Findings {
    schema: &'static str,
    findings: Vec<Finding>,
}

/// A finding with its time.
#[derive(Serialize, ToSchema)]
struct Finding {
    repository: String,
    key: String,
    check: String,
    severity: String,
    summary: String,
    began_at: String,
    seen_at: String,
    ended_at: Option<String>,
    /// All of it: evidence, threshold, impact, remedy.
    #[schema(value_type = Object)]
    finding: serde_json::Value,
}

/// A document of the store. One that can't be read is not "nothing".
pub(crate) fn parsed(document: &str) -> Result<serde_json::Value, Problem> {
    let wrong = |error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("cannot read what was stored: {error}"));
    serde_json::from_str(document).map_err(wrong)
}

impl Finding {
    fn of(row: PastFinding) -> Result<Finding, Problem> {
        Ok(Finding {
            finding: parsed(&row.document)?,
            repository: row.repository,
            key: row.key,
            check: row.check,
            severity: row.severity,
            summary: row.summary,
            began_at: row.began_at.rfc3339(),
            seen_at: row.seen_at.rfc3339(),
            ended_at: row.ended_at.map(Timestamp::rfc3339),
        })
    }
}

/// What is wrong, the newest first.
#[utoipa::path(get, path = "/api/v1/findings", params(WhichFindings), responses(
    (status = 200, description = "Findings.", body = Findings),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn findings(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<WhichFindings>,
) -> Result<Json<Findings>, Problem> {
    let limit = which.limit.unwrap_or(FINDINGS);
    if !(1..=FINDINGS_AT_MOST).contains(&limit) {
        let detail = format!("`limit` must lie between 1 and {FINDINGS_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let rows = shared.read(|store| store.findings(which.repository.as_deref(), which.ended, limit))?;
    let findings = rows.into_iter().map(Finding::of).collect::<Result<_, _>>()?;
    Ok(Json(Findings { schema: "alignwatch.findings/1", findings }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WhichSeries {
    /// Only of this metric.
    metric: Option<String>,
    /// Only of this repository.
    repository: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ManySeries {
    schema: &'static str,
    series: Vec<Series>,
}

/// A series.
#[derive(Serialize, ToSchema)]
struct Series {
    /// Its number.
    id: i64,
    /// The repository; null for the machine.
    repository: Option<String>,
    metric: String,
    #[schema(value_type = Object)]
    labels: serde_json::Value,
}

/// What is measured over time.
#[utoipa::path(get, path = "/api/v1/series", params(WhichSeries), responses(
    (status = 200, description = "By metric, repository and labels.", body = ManySeries),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn series(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<WhichSeries>,
) -> Result<Json<ManySeries>, Problem> {
    let rows = shared.read(|store| store.series(which.metric.as_deref(), which.repository.as_deref()))?;
    let series = |row: alignwatch_store::SeriesRow| -> Result<Series, Problem> {
        Ok(Series {
            id: row.id,
            repository: Some(row.repository).filter(|id| !id.is_empty()),
            metric: row.metric,
            labels: parsed(&row.labels)?,
        })
    };
    let series = rows.into_iter().map(series).collect::<Result<_, _>>()?;
    Ok(Json(ManySeries { schema: "alignwatch.series/1", series }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WhichPoints {
    /// From this second on (Unix time). Default: a day before `to`.
    from: Option<i64>,
    /// Until before this second (Unix time).
    to: i64,
    /// Seconds that one point stands for. Default, and least: what makes 2000 points.
    step: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct Points {
    schema: &'static str,
    /// Seconds that one point stands for.
    step_seconds: i64,
    points: Vec<Point>,
}

/// What a series did within a step. There is none where nothing was measured.
#[derive(Serialize, ToSchema)]
struct Point {
    at: String,
    n: u64,
    least: f64,
    most: f64,
    mean: f64,
    first: f64,
    last: f64,
}

/// What a series did. A span that ends before it begins has no points.
#[utoipa::path(get, path = "/api/v1/series/{id}/points", params(("id" = i64, Path, description = "Its number."), WhichPoints),
    responses(
        (status = 200, description = "In order of time.", body = Points),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
async fn points(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<i64>,
    Asked(which): Asked<WhichPoints>,
) -> Result<Json<Points>, Problem> {
    let to = which.to.clamp(0, LATEST);
    let from = which.from.unwrap_or(to - DAY).clamp(0, LATEST);
    let least = (to - from).max(0).div_euclid(POINTS_AT_MOST) + 1;
    let step = which.step.unwrap_or(least).max(least);
    let rows = shared.read(|store| store.points(id, Timestamp(from), Timestamp(to), step))?;
    let point = |row: alignwatch_store::Point| Point {
        at: row.at.rfc3339(),
        n: row.n,
        least: row.least,
        most: row.most,
        mean: row.sum / row.n as f64,
        first: row.first,
        last: row.last,
    };
    Ok(Json(Points {
        schema: "alignwatch.points/1",
        step_seconds: step,
        points: rows.into_iter().map(point).collect(),
    }))
}
