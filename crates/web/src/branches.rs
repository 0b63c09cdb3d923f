//! The branches of a repository, as they were last seen.

use std::sync::Arc;

use alignwatch_model::{Timestamp, branch::State as BranchState, kept::KeptBranch};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

use crate::{
    Shared,
    api::{Asked, Named, not_known},
    problem::Problem,
};

/// Branches in one answer, when nobody says how many.
const BRANCHES: usize = 200;

/// Branches in one answer, at most. Source: ours; a page of ten thousand comes in five answers.
const BRANCHES_AT_MOST: usize = 2_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Only those in this state.
    #[param(schema_with = states)]
    state: Option<BranchState>,
    /// Only those whose full name stands after this one: the last of the page before.
    #[serde(default)]
    after: String,
    /// At most so many.
    #[param(minimum = 1, maximum = 2000)]
    limit: Option<usize>,
}

/// The words of the states.
fn states() -> Object {
    let words = BranchState::ALL.map(BranchState::word);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Branches {
    schema: &'static str,
    /// When they were seen.
    seen_at: Option<String>,
    branches: Vec<Branch>,
    /// Where the next page begins (`after`); null on the last.
    next: Option<String>,
}

/// A branch against its base. Ages are seconds at the time of the answer.
#[derive(Serialize, ToSchema)]
struct Branch {
    /// Facts as they were seen.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    seen: KeptBranch,
    idle_age_seconds: Option<i64>,
    divergence_age_seconds: Option<i64>,
}

/// The branches of a repository, by name.
#[utoipa::path(get, path = "/api/v1/repositories/{id}/branches", params(("id" = String, Path, description = "Its id."), Which),
    responses(
        (status = 200, description = "Branches.", body = Branches),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The repository is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn branches(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
    Asked(which): Asked<Which>,
) -> Result<Json<Branches>, Problem> {
    let limit = which.limit.unwrap_or(BRANCHES);
    if !(1..=BRANCHES_AT_MOST).contains(&limit) {
        let detail = format!("`limit` must lie between 1 and {BRANCHES_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let row = shared.read(|store| store.repository(&id))?.ok_or_else(|| not_known(&id))?;
    let state = which.state.map(BranchState::word);
    let mut kept = shared.read(|store| store.branches(&id, state, &which.after, limit + 1))?;
    let has_more = limit < kept.len();
    kept.truncate(limit);
    let next = kept.last().filter(|_| has_more).map(|branch| branch.name.clone());
    let now = crate::now();
    let branches = kept.into_iter().map(|seen| Branch {
        idle_age_seconds: seen.idle_age(now).map(|age| age.0),
        divergence_age_seconds: seen.divergence_age(now).map(|age| age.0),
        seen: KeptBranch { touched: None, ..seen },
    });
    let seen_at = row.seen_at.map(Timestamp::rfc3339);
    Ok(Json(Branches { schema: "alignwatch.kept-branches/1", seen_at, branches: branches.collect(), next }))
}
