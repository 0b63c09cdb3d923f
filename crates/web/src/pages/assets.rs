//! Files that pages need: the style, the script, the icon. They are part of the program.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::shell;
use crate::{Shared, problem::Problem};

/// Name, type and content of each.
const ASSETS: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
    ("pages.mjs", "text/javascript; charset=utf-8", include_str!("../../assets/pages.mjs")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

pub(super) async fn asset(State(_): State<Arc<Shared>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => shell::sent(&headers, kind, (*content).to_owned()),
        None => Problem::new(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}
