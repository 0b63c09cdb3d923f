//! What every request must pass: it names this machine, comes from no other site, and ends in time.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::problem::Problem;

/// Bytes of a request's body. Source: ours; a batch of a thousand events.
const BODY_BYTES: usize = 1 << 20;

/// The longest that a request may take. Source: ours; a hundred times the slowest page.
const REQUEST_AT_MOST: Duration = Duration::from_secs(10);

/// Headers of every answer: nothing is guessed, framed, or fetched from elsewhere.
const ALWAYS: [(&str, &str); 4] = [
    ("content-security-policy", "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];

/// The routes behind the guards.
pub(crate) fn guarded(routes: Router) -> Router {
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_AT_MOST))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(only_from_here))
}

async fn only_from_here(request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why the request is refused; `None` = it may pass.
///
/// A page of another site can make a browser send requests here, by a name that leads to this machine. It can't
/// choose the `Host` that is sent, nor hide its `Origin`.
fn refusal(method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_this_machine(host) {
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "the request names another machine"));
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("?"));
    let is_foreign = origin.is_some_and(|origin| origin.strip_prefix("http://") != Some(host));
    (changes && is_foreign).then(|| Problem::new(StatusCode::FORBIDDEN, "the request comes from another site"))
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(header::HeaderName, &str)]) -> Option<StatusCode> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        refusal(&method, &headers).map(|problem| problem.status())
    }

    #[test]
    fn a_request_by_another_name_is_refused() {
        for host in ["localhost:8750", "127.0.0.1", "[::1]:8750"] {
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
