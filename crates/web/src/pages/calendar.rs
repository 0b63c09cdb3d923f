//! Windows and freezes as a calendar that other programs subscribe to.

use std::sync::Arc;

use alignwatch_model::{Span, Timestamp};
use axum::{extract::State, http::HeaderMap, response::Response};

use super::shell;
use crate::Shared;

/// How far back and ahead it reaches. Source: ours; what is just over still stands in a week's view.
const BACK: Span = Span::days(7);
const AHEAD: Span = Span::days(90);

pub(super) async fn calendar(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let now = crate::now();
    let (from, until) = (Timestamp(now.0 - BACK.0), Timestamp(now.0 + AHEAD.0));
    let text = alignwatch_model::calendar::calendar(&shared.loaded().config.windows, from, until);
    shell::sent(&headers, "text/calendar; charset=utf-8", text)
}
