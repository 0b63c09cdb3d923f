//! What all pages have in common: the frame, how they are sent, and what is said when they can't be made.

use std::sync::{Arc, PoisonError};

use alignwatch_model::Timestamp;
use alignwatch_store::StoreError;
use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::{Shared, problem::Problem};

/// The type of pages.
const HTML: &str = "text/html; charset=utf-8";

/// The frame around a page.
pub(super) struct Shell {
    /// Stands in the title of the window.
    pub(super) title: String,
    /// The part of the navigation in which the page is.
    pub(super) section: Section,
    /// Why the daemon does not do its work; `None` = it does.
    pub(super) trouble: Option<String>,
    /// Nothing was measured since the daemon began.
    pub(super) is_beginning: bool,
    /// When the page was made.
    pub(super) now: Timestamp,
}

/// A part of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Alerts,
    Runs,
    Maintenance,
    Checks,
    Metrics,
    Configuration,
    None,
}

impl Section {
    /// What the navigation lists.
    pub(super) const LISTED: [Section; 7] = [
        Section::Overview,
        Section::Alerts,
        Section::Runs,
        Section::Maintenance,
        Section::Checks,
        Section::Metrics,
        Section::Configuration,
    ];

    pub(super) fn name(&self) -> &'static str {
        match self {
            Section::Overview => "Overview",
            Section::Alerts => "Alerts",
            Section::Runs => "Runs",
            Section::Maintenance => "Maintenance",
            Section::Checks => "Checks",
            Section::Metrics => "Metrics",
            Section::Configuration => "Configuration",
            Section::None => "",
        }
    }

    pub(super) fn path(&self) -> &'static str {
        match self {
            Section::Overview | Section::None => "/",
            Section::Alerts => "/alerts",
            Section::Runs => "/runs",
            Section::Maintenance => "/maintenance",
            Section::Checks => "/about/checks",
            Section::Metrics => "/about/metrics",
            Section::Configuration => "/about/configuration",
        }
    }
}

impl Shell {
    pub(super) fn new(shared: &Shared, title: impl Into<String>, section: Section) -> Shell {
        let trouble = shared.trouble.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_beginning = shared.readings.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        Shell { title: title.into(), section, trouble, is_beginning, now: crate::now() }
    }

    pub(super) fn is_in(&self, section: &Section) -> bool {
        self.section == *section
    }
}

/// Why a page can't be made: shown as a page as well.
#[derive(Debug)]
pub(super) struct Failed(Problem);

impl Failed {
    pub(super) fn not_found(detail: impl Into<String>) -> Failed {
        Failed(Problem::new(StatusCode::NOT_FOUND, detail))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed(error.into())
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Failed {
        Failed(problem)
    }
}

impl From<askama::Error> for Failed {
    fn from(error: askama::Error) -> Failed {
        Failed(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("a bug in alignwatch: {error}")))
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage<'a> {
    shell: Shell,
    title: &'a str,
    detail: &'a str,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (title, detail) = (self.0.title(), self.0.detail());
        let now = crate::now();
        let shell = Shell { title: title.to_owned(), section: Section::None, trouble: None, is_beginning: false, now };
        let page = FailedPage { shell, title, detail }.render().unwrap_or_else(|_| detail.to_owned());
        (self.0.status(), [(header::CONTENT_TYPE, HTML)], page).into_response()
    }
}

/// Makes a page on a thread where it may take its time: requests that only want a number do not wait for it.
pub(super) async fn made<T: Template>(
    shared: Arc<Shared>,
    headers: HeaderMap,
    make: impl FnOnce(&Shared) -> Result<T, Failed> + Send + 'static,
) -> Result<Response, Failed> {
    let page = tokio::task::spawn_blocking(move || Ok::<_, Failed>(make(&shared)?.render()?));
    let wrong = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    Ok(sent(&headers, HTML, page.await.map_err(wrong)??))
}

/// The answer with this content; only its tag, where whoever asks has it already.
pub(super) fn sent(headers: &HeaderMap, kind: &'static str, content: String) -> Response {
    let hash = Sha256::digest(content.as_bytes());
    let tag = hash.iter().take(16).fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, kind)], content).into_response(),
    };
    // Kept by the browser, and never shown again without asking whether it is still true.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// What is said where there is nothing: a page to a browser, a problem to programs.
pub(crate) async fn nothing_here(headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match accept.contains("text/html") {
        true => Failed::not_found("There is no page at this address.").into_response(),
        false => Problem::new(StatusCode::NOT_FOUND, "there is nothing here; /openapi.json lists what there is")
            .into_response(),
    }
}
