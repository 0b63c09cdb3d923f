//! `POST /api/v1/webhooks/NAME`: a forge or a script tells that something was pushed, and the repository is looked at.
//!
//! Who posts proves that it knows the secret of this webhook, over the whole body and before anything of it is read; no
//! token is asked for besides. What it says is used for nothing but to find which of the watched repositories is meant:
//! a message that somebody recorded and sends again can start a look, and nothing else, and not twice within seconds. A
//! forge stops calling who answers with errors, so that a message which is proven and means nothing here is taken all the same.
//!
//! Sources: GitHub, "Validating webhook deliveries"; GitLab, "Webhooks: secret token"; Gitea, "Webhooks: authorization";
//! Standard Webhooks 1.0.

mod proof;
mod secrets;

use std::{
    collections::{HashMap, VecDeque},
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alignwatch_model::config::WebhookKind;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use self::{
    proof::is_proven,
    secrets::{NoSecret, Secrets},
};
use crate::{Shared, api::Named, problem::Problem};

/// How long the same message counts as sent again, where nothing in it is of one sending only: whoever pushes a branch back
/// and forth says the same twice. Source: ours; one look more each ten seconds harms nobody.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// How long the same message counts as sent again where it has an id. Source: ours; who sends again does it within minutes.
const SAME_ID_WITHIN: Duration = Duration::from_secs(3_600);

/// Messages that are worked on at the same time; others wait. Source: ours; each has its body in memory and a thread.
const AT_ONCE: usize = 8;

/// Messages that are remembered. Source: ours; a busy forge in an hour.
const REMEMBERED: usize = 4_096;

/// Addresses that are looked at in one message. Source: ours; forges give one in five forms.
const ADDRESSES_AT_MOST: usize = 20;

/// What webhooks remember.
pub(crate) struct Heard {
    /// SHA-256 of what was heard, the newest last.
    messages: Mutex<VecDeque<(Instant, [u8; 32])>>,
    secrets: Secrets,
    /// Places of those that are worked on.
    places: Arc<Semaphore>,
}

impl Default for Heard {
    fn default() -> Heard {
        Heard { messages: Mutex::default(), secrets: Secrets::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Looks {
    /// Repositories that will be looked at.
    repositories: usize,
    /// The same message came before, so that nothing is done.
    is_known: bool,
}

/// Tells that something was pushed: the repository that the message names is looked at.
///
/// For webhooks of GitHub, GitLab, Gitea and Forgejo, for Standard Webhooks, and for scripts (`repository=PATH` with the
/// secret as bearer token). Each is configured under `webhooks`, with a secret of its own, and needs no token besides.
#[utoipa::path(post, path = "/api/v1/webhooks/{name}", params(("name" = String, Path, description = "Its name under `webhooks`.")),
    request_body(content = Object, content_type = "application/json", description = "What the forge sends."),
    responses(
        (status = 200, description = "The same message was heard before.", body = Looks),
        (status = 202, description = "What it names will be looked at, if that is watched.", body = Looks),
        (status = 400, description = "The body can't be read.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The secret was not proven.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such webhook, or (plain) no repository of this address is watched.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It names no repository (plain).", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There is too much to do already.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The secret can't be read, or not yet.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn pushed(
    State(shared): State<Arc<Shared>>,
    Named(name): Named<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Looks>), Response> {
    let closed = |error: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    let place = Arc::clone(&shared.heard.places).acquire_owned().await;
    let place = place.map_err(|error| closed(error.to_string()).into_response())?;
    // Secrets and settings of repositories are in files. Whoever asked may be gone before this ends: the place is taken as
    // long as the body is held.
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        heard(&shared, &name, &headers, &body)
    });
    let heard = work.await.unwrap_or_else(|error| Err(closed(error.to_string())));
    heard.map_err(|problem| match problem.status() {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ([(header::RETRY_AFTER, "10")], problem).into_response()
        }
        _ => problem.into_response(),
    })
}

fn heard(shared: &Shared, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<(StatusCode, Json<Looks>), Problem> {
    let problem = |status, detail: &str| Problem::new(status, detail);
    let loaded = shared.loaded();
    let entry = loaded.config.webhooks.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| problem(StatusCode::NOT_FOUND, &format!("there is no webhook `{name}`")))?;
    let secret = shared.heard.secrets.of(entry, &*shared.asks.secret).map_err(|why| {
        // Why it can't be read is for `doctor` to tell: whoever asks here is a stranger.
        let detail = match why {
            NoSecret::Unreadable => "its secret can't be read: `alignwatch doctor` tells why",
            NoSecret::BeingRead => "its secret is being read: try again",
        };
        problem(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    if !is_proven(entry.kind, &secret, headers, body, crate::now().0) {
        return Err(problem(StatusCode::UNAUTHORIZED, "that the secret is known was not proven"));
    }
    let is_script = entry.kind == WebhookKind::Plain;
    let addresses = addresses(entry.kind, headers, body)?;
    if addresses.is_empty() && is_script {
        let detail = "it names no repository: send `repository=PATH`, or `{\"repository\": \"PATH\"}` as JSON";
        return Err(problem(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    // A script says the same each time, and means it each time.
    let (message, within) = message(entry.kind, name, headers, body);
    if !is_script && shared.heard.has(&message, within) {
        return Ok((StatusCode::OK, Json(Looks { repositories: 0, is_known: true })));
    }
    let mut paths = (shared.asks.named)(&addresses);
    paths.retain(|path| entry.is_about(path));
    if paths.is_empty() && is_script {
        let detail = "no repository that is watched has this address; `serve.repositories` says which are watched";
        return Err(problem(StatusCode::NOT_FOUND, detail));
    }
    for path in &paths {
        (shared.asks.look)(path).map_err(|full| problem(StatusCode::TOO_MANY_REQUESTS, &full.to_string()))?;
    }
    shared.heard.note(message);
    Ok((StatusCode::ACCEPTED, Json(Looks { repositories: paths.len(), is_known: false })))
}

impl Heard {
    fn has(&self, message: &[u8; 32], within: Duration) -> bool {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().any(|(at, other)| at.elapsed() < within && other == message)
    }

    fn note(&self, message: [u8; 32]) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED <= messages.len() {
            messages.pop_front();
        }
        messages.push_back((Instant::now(), message));
    }
}

/// What makes a message the same as another, and for how long. An id counts only where it is signed: a new one in another
/// header would be there for anybody to choose.
fn message(kind: WebhookKind, name: &str, headers: &HeaderMap, body: &[u8]) -> ([u8; 32], Duration) {
    let id = headers.get("webhook-id").filter(|_| kind == WebhookKind::Standard);
    let mut digest = Sha256::new();
    for part in [name.as_bytes(), id.map_or(&[][..], |id| id.as_bytes())] {
        digest.update(part);
        digest.update([0]);
    }
    digest.update(body);
    (digest.finalize().into(), if id.is_some() { SAME_ID_WITHIN } else { AGAIN_WITHIN })
}

/// What a message calls the repository: its addresses in all forms, or what a script says. Errors: it can't be read.
fn addresses(kind: WebhookKind, headers: &HeaderMap, body: &[u8]) -> Result<Vec<String>, Problem> {
    let content = headers.get(header::CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let read = |text: &[u8]| {
        serde_json::from_slice::<Value>(text).map_err(|error| wrong(format!("the body is no JSON: {error}")))
    };
    let mut found = if content.starts_with("application/x-www-form-urlencoded") {
        let pairs: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        match (pairs.get("payload"), pairs.get("repository")) {
            (Some(payload), _) => said(kind, &read(payload.as_bytes())?),
            (None, named) => named.cloned().into_iter().collect(),
        }
    } else {
        said(kind, &read(body)?)
    };
    // A path or an id is said by those who wrote the script. In what a forge sends they would be the words of a stranger.
    let is_own = matches!(kind, WebhookKind::Plain | WebhookKind::Standard);
    found.retain(|address| !address.is_empty() && (is_own || is_on_a_host(address)));
    found.truncate(ADDRESSES_AT_MOST);
    Ok(found)
}

fn is_on_a_host(address: &str) -> bool {
    address.contains(':') && !address.starts_with('/') && !address.starts_with("file:")
}

/// Addresses in the part of a message that is about the repository. Other parts name others: forks, users, commits.
fn said(kind: WebhookKind, message: &Value) -> Vec<String> {
    /// GitHub and Gitea; GitLab.
    const PARTS: [&str; 2] = ["repository", "project"];
    const KEYS: [&str; 8] = [
        "clone_url",
        "ssh_url",
        "git_url",
        "html_url",
        "git_http_url",
        "git_ssh_url",
        "git_http_url_to_repo",
        "web_url",
    ];
    // At GitLab it is the address of the project; elsewhere whatever its people write there.
    let homepage = (kind == WebhookKind::Gitlab).then_some("homepage");
    let values = PARTS.iter().flat_map(|part| KEYS.into_iter().chain(homepage).map(move |key| &message[*part][key]));
    iter::once(&message["repository"]).chain(values).filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: WebhookKind, content: &str, body: &str) -> Result<Vec<String>, u16> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content.parse().unwrap())]);
        addresses(kind, &headers, body.as_bytes()).map_err(|problem| problem.status().as_u16())
    }

    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn each_forge_names_its_repository_and_nothing_else_of_a_message_counts() {
        let github = r#"{"repository": {"clone_url": "https://github.com/o/n.git", "ssh_url": "git@github.com:o/n.git",
            "homepage": "https://github.com/victim/n"}, "sender": {"html_url": "https://github.com/evil"},
            "pull_request": {"head": {"repo": {"clone_url": "https://evil"}}}}"#;
        let addresses = ["https://github.com/o/n.git", "git@github.com:o/n.git"];
        assert_eq!(named(WebhookKind::Github, JSON, github).unwrap(), addresses);
        assert_eq!(named(WebhookKind::Standard, JSON, github).unwrap(), addresses);
        let gitlab = r#"{"project": {"git_http_url": "https://gitlab.com/o/n.git"}, "repository": {"homepage": "https://gitlab.com/o/n"}}"#;
        assert_eq!(
            named(WebhookKind::Gitlab, JSON, gitlab).unwrap(),
            ["https://gitlab.com/o/n", "https://gitlab.com/o/n.git"]
        );
        let form = "payload=%7B%22repository%22%3A%7B%22ssh_url%22%3A%22git%40h%3Ao%2Fn%22%7D%7D";
        assert_eq!(named(WebhookKind::Gitea, FORM, form).unwrap(), ["git@h:o/n"]);
        assert_eq!(named(WebhookKind::Github, JSON, "{"), Err(400));
        // A ping of an organisation is about no repository.
        assert_eq!(named(WebhookKind::Github, JSON, "[1]").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_path_or_an_id_is_said_by_scripts_only() {
        for said in ["/srv/git/a.git", "0123456789abcdef", "file:///srv/git/a.git"] {
            let bare = format!(r#"{{"repository": "{said}"}}"#);
            let inside = format!(r#"{{"repository": {{"clone_url": "{said}", "homepage": "{said}"}}}}"#);
            let form = format!("repository={said}");
            for kind in [WebhookKind::Plain, WebhookKind::Standard] {
                assert_eq!(named(kind, JSON, &bare).unwrap(), [said]);
                assert_eq!(named(kind, FORM, &form).unwrap(), [said]);
            }
            for kind in [WebhookKind::Github, WebhookKind::Gitlab, WebhookKind::Gitea] {
                for (content, body) in [(JSON, &bare), (JSON, &inside), (FORM, &form)] {
                    assert_eq!(named(kind, content, body).unwrap(), Vec::<String>::new(), "{kind:?} {body}");
                }
            }
        }
    }

    #[test]
    fn a_message_is_the_same_by_its_id_where_that_is_signed_and_else_by_its_body() {
        let of = |kind, id: &str, body: &str| {
            let headers = HeaderMap::from_iter([("webhook-id".parse().unwrap(), id.parse().unwrap())]);
            message(kind, "a", &headers, body.as_bytes())
        };
        let standard = |id, body| of(WebhookKind::Standard, id, body);
        assert_eq!(standard("1", "x"), standard("1", "x"));
        assert_ne!(standard("1", "x"), standard("2", "x"), "a second push that says the same");
        assert_ne!(standard("1", "x"), standard("1", "y"));
        assert_eq!(of(WebhookKind::Github, "1", "x"), of(WebhookKind::Github, "2", "x"), "anybody can write a header");
    }

    #[test]
    fn what_was_heard_is_known_for_its_time_and_memory_is_bounded() {
        let heard = Heard::default();
        let of = |name: &str, body: &str| message(WebhookKind::Github, name, &HeaderMap::new(), body.as_bytes()).0;
        let first = of("a", "body");
        heard.note(first);
        assert!(heard.has(&first, AGAIN_WITHIN) && !heard.has(&first, Duration::ZERO));
        assert!(!heard.has(&of("b", "body"), AGAIN_WITHIN) && !heard.has(&of("a", "bod"), AGAIN_WITHIN));
        for number in 0..2 * REMEMBERED {
            heard.note(of("a", &number.to_string()));
        }
        assert_eq!(heard.messages.lock().unwrap().len(), REMEMBERED);
        assert!(!heard.has(&first, AGAIN_WITHIN));
    }
}
