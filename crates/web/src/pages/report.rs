//! A report on a period: as a page, and as a file to hand on.

use std::sync::Arc;

use alignwatch_model::report::{Period, html, markdown};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::shell::{Failed, Section, Shell, made};
use crate::{
    Shared,
    problem::Problem,
    reports::{self, Which},
};

/// What is asked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    period: Option<String>,
    until: Option<String>,
    /// `html` or `markdown`: a file; nothing: the page.
    format: Option<String>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    shell: Shell,
    /// Made by the model, which escapes all that is foreign.
    inner: String,
    period: &'static str,
}

impl ReportPage {
    fn periods(&self) -> [&'static str; 4] {
        Period::ALL.map(Period::word)
    }
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let times = Which::new(wanted.period, wanted.until).times(&shared)?;
    let form = match wanted.format.as_deref() {
        None | Some("") => {
            return made(shared, headers, move |shared| {
                let report = reports::made(shared, times)?;
                let shell = Shell::new(shared, "Report", Section::None);
                Ok(ReportPage { shell, inner: html::inner(&report), period: report.period })
            })
            .await;
        }
        Some("html") => ("text/html; charset=utf-8", "html"),
        Some("markdown") => ("text/markdown; charset=utf-8", "md"),
        Some(_) => {
            let detail = "there is no such form of a report: there are html and markdown; /api/v1/report is JSON";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).into());
        }
    };
    let work = tokio::task::spawn_blocking(move || reports::made(&shared, times));
    let wrong = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let report = work.await.map_err(wrong)??;
    let text = if form.1 == "html" { html::file(&report) } else { markdown::markdown_of(&report) };
    let day: String = report.until.rfc3339().chars().take(10).collect();
    let name = format!("attachment; filename=\"alignwatch-{}-{day}.{}\"", report.period, form.1);
    // As a file: within our pages its own style would not be allowed.
    let mut response = ([(header::CONTENT_TYPE, form.0)], text).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
