//! Which repositories are watched: added and taken out over the API.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Shared,
    api::{Named, not_known},
    problem::{Problem, in_the_background},
};

/// Why a repository is not watched, or watched on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwatchable {
    /// The configuration does not open its folder for that.
    #[error(
        "no path of `serve.may_add` in the configuration has it; `serve: {{may_add: [/srv/git/*.git]}}` opens /srv/git for repositories that are added here"
    )]
    NotOpen,
    /// No repository can be read there, for this reason.
    #[error("no repository can be read there: {0}")]
    NoRepository(String),
    /// So many are watched already.
    #[error("{0} repositories are watched already")]
    TooMany(usize),
    /// It could not be written down, for this reason.
    #[error("it could not be written down: {0}")]
    NotKept(String),
    /// It was not added over the API.
    #[error("it was not added here: take it out of the configuration or the command line")]
    NotAdded,
    /// A pattern of the configuration finds it, and would again.
    #[error("a pattern of `serve.repositories` finds it: change that, or move it away and take it out then")]
    Found,
}

impl From<Unwatchable> for Problem {
    fn from(why: Unwatchable) -> Problem {
        let status = match why {
            Unwatchable::NotOpen | Unwatchable::NotAdded | Unwatchable::Found => StatusCode::FORBIDDEN,
            Unwatchable::NoRepository(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Unwatchable::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Unwatchable::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, why.to_string())
    }
}

/// Which repository.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichRepository {
    /// Its path, from the root.
    #[schema(min_length = 1, max_length = 4096)]
    path: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WatchedNow {
    /// Its path.
    path: String,
    /// It was watched already.
    is_known: bool,
}

/// Watches a repository from now on, also after the next start.
///
/// Only from folders that `serve.may_add` opens for that: the daemon reads it in its own name.
#[utoipa::path(post, path = "/api/v1/repositories", request_body = WhichRepository, responses(
    (status = 200, description = "It was watched already.", body = WatchedNow),
    (status = 201, description = "It is watched, and will be looked at now.", body = WatchedNow),
    (status = 400, description = "The body is none.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Its folder is not open for that.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "No repository can be read there.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many are watched.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be written down.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn watch(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<(StatusCode, Json<WatchedNow>), Response> {
    let wrong =
        |error: serde_json::Error| Problem::new(StatusCode::BAD_REQUEST, format!("cannot read the body: {error}"));
    let wanted: WhichRepository = serde_json::from_slice(&body).map_err(|error| wrong(error).into_response())?;
    let added = in_the_background(move || (shared.asks.watch)(&wanted.path).map(|is_new| (is_new, wanted.path))).await;
    let (is_new, path) = added.map_err(refused)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(WatchedNow { path, is_known: !is_new })))
}

/// Watches a repository no longer. Nothing of its history is forgotten.
///
/// Only one that was added here, or that a pattern of the configuration found and that is gone.
#[utoipa::path(delete, path = "/api/v1/repositories/{id}", params(("id" = String, Path, description = "Its id.")), responses(
    (status = 204, description = "It is watched no longer."),
    (status = 403, description = "It was not added over the API, or would be found again.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "That could not be written down.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn unwatch(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
) -> Result<StatusCode, Response> {
    let row = shared.read(|store| store.repository(&id)).map_err(|error| Problem::from(error).into_response())?;
    let row = row.ok_or_else(|| not_known(&id).into_response())?;
    let removed = in_the_background(move || (shared.asks.unwatch)(&row.path)).await;
    removed.map(|()| StatusCode::NO_CONTENT).map_err(refused)
}

fn refused(problem: Problem) -> Response {
    match problem.status() {
        StatusCode::TOO_MANY_REQUESTS => ([(header::RETRY_AFTER, "60")], problem).into_response(),
        _ => problem.into_response(),
    }
}
