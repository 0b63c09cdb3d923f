//! What every request must pass: it names this machine, comes from no other site, and ends in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    access::{Access, Who},
    problem::Problem,
};

/// Bytes of a request's body. Source: ours; a batch of a thousand events.
const BODY_BYTES: usize = 1 << 20;

/// Requests that are answered at the same time. Each may hold a whole body. Source: ours; 128 MB at the worst.
const REQUESTS_AT_ONCE: usize = 128;

/// The longest that a request may take. Source: ours; a hundred times the slowest page.
const REQUEST_AT_MOST: Duration = Duration::from_secs(10);

/// Headers of every answer: nothing is guessed, framed, or fetched from elsewhere, and no text becomes markup.
const ALWAYS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    // With `no-referrer`, browsers would not say either that a form of ours comes from here.
    ("referrer-policy", "same-origin"),
];

/// The routes behind the guards.
pub(crate) fn guarded(routes: Router, access: Access) -> Router {
    let door = Arc::new(Door { access, n_inside: AtomicUsize::new(0) });
    // From the outside to the inside.
    routes.layer((
        middleware::from_fn_with_state(door, pass),
        CatchPanicLayer::new(),
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_AT_MOST),
        DefaultBodyLimit::max(BODY_BYTES),
    ))
}

/// What all requests go through.
struct Door {
    access: Access,
    n_inside: AtomicUsize,
}

impl Door {
    /// Who asks. Errors: why the request is refused.
    fn admit(&self, request: &Request) -> Result<Who, Problem> {
        let (method, headers) = (request.method(), request.headers());
        match refusal(method, headers, &self.access.names).or_else(|| too_large(request)) {
            Some(refused) => Err(refused),
            None => self.access.admit(method, request.uri().path(), headers),
        }
    }
}

/// One request, as long as it is answered.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    /// Lets one more in, unless it is full.
    fn enter(n_inside: &'a AtomicUsize) -> Option<Inside<'a>> {
        let inside = Inside(n_inside);
        (n_inside.fetch_add(1, Ordering::Relaxed) < REQUESTS_AT_ONCE).then_some(inside)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn pass(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let inside = Inside::enter(&door.n_inside);
    let admitted = door.admit(&request);
    let is_browser = wants_page(request.headers());
    let (method, is_ping) = (request.method().clone(), request.uri().path().starts_with("/ping/"));
    let mut response = match (&inside, admitted) {
        (None, _) => full(),
        (_, Err(problem)) => challenged(problem, is_browser),
        (Some(_), Ok(who)) => {
            request.extensions_mut().insert(who);
            let response = next.run(request).await;
            // Clients of cron monitors read plain words.
            if is_ping { response } else { in_our_form(&method, response).await }
        }
    };
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Only what has a tag of its own may be kept.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Bytes of words about an error that are read. Source: ours; those of the libraries are a line.
const WORDS_AT_MOST: usize = 4 << 10;

/// The same answer, where it is an error that a library words, as a problem like others.
async fn in_our_form(method: &Method, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let is_ours = kind.is_some_and(|kind| !kind.starts_with(b"text/plain"));
    let status = response.status();
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let words = axum::body::to_bytes(body, WORDS_AT_MOST).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => format!("{method} is not done here"),
        StatusCode::PAYLOAD_TOO_LARGE => larger(),
        _ if words.is_empty() => status.canonical_reason().unwrap_or("error").to_owned(),
        _ => words,
    };
    let mut problem = Problem::new(status, detail).into_response();
    for (name, value) in parts.headers {
        let name = name.filter(|name| ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name));
        name.map(|name| problem.headers_mut().append(name, value));
    }
    problem
}

/// A body that says itself that it is too large is not waited for. No ping is lost by what it brings along: of that, only the
/// beginning is read.
fn too_large(request: &Request) -> Option<Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
    let is_refused = (BODY_BYTES as u64) < length && !request.uri().path().starts_with("/ping/");
    is_refused.then(|| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, larger()))
}

fn larger() -> String {
    format!("the body is larger than {} KiB", BODY_BYTES >> 10)
}

/// More requests come than can be answered before memory grows.
fn full() -> Response {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "more requests come than can be answered");
    ([(header::RETRY_AFTER, "1")], problem).into_response()
}

/// Does somebody ask for a page to read?
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// A refusal; one for want of a token says what kind is wanted, and lets a browser ask its person. Source: RFC 6750,
/// section 3; RFC 7617, section 2.
fn challenged(problem: Problem, is_browser: bool) -> Response {
    let is_unknown = problem.status() == StatusCode::UNAUTHORIZED;
    let mut response = problem.into_response();
    if is_unknown {
        let scheme =
            if is_browser { "Basic realm=\"alignwatch: any name, and a token as password\"" } else { "Bearer" };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    response
}

/// Why the request is refused; `None` = it may pass.
///
/// A page of another site can make a browser send requests here, by a name that leads to this machine. It can't
/// choose the `Host` that is sent, nor hide its `Origin`.
fn refusal(method: &Method, headers: &HeaderMap, names: &[String]) -> Option<Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_this_machine(host, names) {
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "the request names another machine"));
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("?"));
    let is_foreign = origin.is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != Some(host));
    (changes && is_foreign).then(|| Problem::new(StatusCode::FORBIDDEN, "the request comes from another site"))
}

/// `localhost`, `127.0.0.1`, `[::1]` or one of these names, with or without a port.
fn is_this_machine(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(header::HeaderName, &str)]) -> Option<StatusCode> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        refusal(&method, &headers, &["watch.example.org".to_owned()]).map(|problem| problem.status())
    }

    #[test]
    fn errors_that_a_library_words_are_problems_and_others_stay_as_they_are() {
        let asked = |response: Response| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let answer = in_our_form(&Method::PUT, response).await;
                let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
                let allow = answer.headers().contains_key(header::ALLOW);
                let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
                (kind, allow, String::from_utf8(body.to_vec()).unwrap())
            })
        };
        let refused = (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")], "").into_response();
        let (kind, allow, body) = asked(refused);
        assert_eq!((kind.as_str(), allow), ("application/problem+json", true));
        assert!(body.contains("PUT is not done here"), "{body}");
        let (kind, _, body) = asked((StatusCode::BAD_REQUEST, "Invalid URL: x").into_response());
        assert_eq!(kind, "application/problem+json");
        assert!(body.contains("\"detail\":\"Invalid URL: x\""), "{body}");
        assert_eq!(asked((StatusCode::OK, "alive").into_response()).2, "alive");
        let page = (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/html")], "<p>").into_response();
        assert_eq!(asked(page).2, "<p>");
    }

    #[test]
    fn a_request_by_another_name_is_refused() {
        for host in ["localhost:8750", "127.0.0.1", "[::1]:8750", "Watch.example.org", "watch.example.org:443"] {
            assert_eq!(status(Method::GET, &[(header::HOST, host)]), None, "{host}");
        }
        for host in ["evil.example:8750", "localhost.evil.example", "", "127.0.0.1:x", "0.0.0.0:8750"] {
            assert_eq!(status(Method::GET, &[(header::HOST, host)]), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
    }

    #[test]
    fn another_site_may_change_nothing() {
        let here = (header::HOST, "localhost:8750");
        let with = |origin| status(Method::POST, &[here.clone(), (header::ORIGIN, origin)]);
        assert_eq!(with("http://localhost:8750"), None);
        assert_eq!(with("https://evil.example"), Some(StatusCode::FORBIDDEN));
        assert_eq!(with("null"), Some(StatusCode::FORBIDDEN));
        assert_eq!(status(Method::POST, &[here]), None);
    }
}
