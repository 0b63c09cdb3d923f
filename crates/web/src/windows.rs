//! What people ask of windows that are open: to make one longer, or to end it.

use std::sync::Arc;

use alignwatch_model::{
    Span,
    window::{ChangeWish, Wanted},
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::{
    Shared,
    access::Who,
    api::Named,
    problem::{Problem, in_the_background},
};

/// Why the opening of a window is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// It can't be changed so, for this reason.
    #[error("{0}")]
    Refused(String),
    /// It could not be written down, for this reason.
    #[error("it could not be written down: {0}")]
    NotKept(String),
}

impl From<Unchanged> for Problem {
    fn from(why: Unchanged) -> Problem {
        let status = match why {
            Unchanged::Refused(_) => StatusCode::CONFLICT,
            Unchanged::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, why.to_string())
    }
}

/// What is wanted of the opening that is on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowChange {
    /// So much longer; nothing = it ends now.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 2_592_000)]
    longer_seconds: Option<u32>,
    /// Who wants that.
    #[schema(min_length = 1, max_length = 200)]
    who: String,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 500)]
    note: String,
}

/// A whole number, also where it is written with a point: to JSON, `3600.0` is one.
fn whole<'de, D: Deserializer<'de>>(number: D) -> Result<Option<u32>, D::Error> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
    match Option::<f64>::deserialize(number)? {
        Some(number) if !is_whole(&number) => Err(D::Error::custom("it is no whole number of seconds")),
        number => Ok(number.map(|number| number as u32)),
    }
}

/// The opening as it is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowChanged {
    schema: &'static str,
    window: String,
    from: String,
    until: String,
}

/// Makes the opening of a window that is on longer, or ends it. It is on the disk when this is answered.
#[utoipa::path(post, path = "/api/v1/windows/{name}", params(("name" = String, Path, description = "The window.")),
    request_body = WindowChange, responses(
    (status = 200, description = "It is so.", body = WindowChanged),
    (status = 400, description = "The body is not one.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It can't be done: there is no such window, or it is not open.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body says something else.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be written down.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Named(window): Named<String>,
    wanted: Result<Json<WindowChange>, JsonRejection>,
) -> Result<Json<WindowChanged>, Response> {
    let wrong = |rejection: JsonRejection| Problem::new(rejection.status(), rejection.body_text()).into_response();
    let Json(asked) = wanted.map_err(wrong)?;
    let wanted = asked.longer_seconds.map_or(Wanted::End, |seconds| Wanted::Longer(Span(i64::from(seconds))));
    let note = asked.note.chars().take(500).collect();
    let wish = ChangeWish { window, wanted, who: who.says(&asked.who), note };
    let changed = in_the_background(move || (shared.asks.windows)(wish)).await.map_err(IntoResponse::into_response)?;
    let (from, until) = (changed.from.rfc3339(), changed.until.rfc3339());
    Ok(Json(WindowChanged { schema: "alignwatch.window_changed/1", window: changed.window, from, until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let longer = |text: &str| {
            let body = format!("{{\"who\": \"ann\"{text}}}");
            serde_json::from_str::<WindowChange>(&body).map(|asked| asked.longer_seconds).ok()
        };
        assert_eq!(longer(", \"longer_seconds\": 358.0"), Some(Some(358)));
        assert_eq!(longer(", \"longer_seconds\": 3600"), Some(Some(3_600)));
        assert_eq!((longer(""), longer(", \"longer_seconds\": null")), (Some(None), Some(None)));
        assert_eq!((longer(", \"longer_seconds\": 1.5"), longer(", \"longer_seconds\": -1")), (None, None));
    }
}
