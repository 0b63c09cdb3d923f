//! `POST /api/v1/webhooks/NAME`: a forge or a script tells that something was pushed, and the repository is looked at.
//!
//! Who posts proves that it knows the secret of this webhook, over the whole body and before anything of it is read; no
//! token is asked for besides. What it says is used for nothing but to find which of the watched repositories is meant:
//! a message that somebody recorded and sends again can start a look, and nothing else, and is dropped for an hour.
//!
//! Sources: GitHub, "Validating webhook deliveries"; GitLab, "Webhooks: secret token"; Gitea, "Webhooks: authorization";
//! Standard Webhooks 1.0.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alignwatch_model::config::{WebhookEntry, WebhookKind};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{Shared, api::Named, problem::Problem};

/// How long the same message counts as sent again. Source: ours; forges send again within minutes.
const AGAIN_WITHIN: Duration = Duration::from_secs(3_600);

/// Messages that are remembered. Source: ours; a busy forge in an hour.
const REMEMBERED: usize = 4_096;

/// How long a secret that was read is used. Source: ours; a flood of messages must not start a program each.
const SECRET_FOR: Duration = Duration::from_secs(60);

/// How old a message of Standard Webhooks may be, and how far ahead, in seconds. Source: its reference libraries.
const SKEW_SECONDS: i64 = 300;

/// Addresses that are looked at in one message. Source: ours; forges give one in five forms.
const ADDRESSES_AT_MOST: usize = 20;

/// What webhooks remember.
#[derive(Default)]
pub(crate) struct Heard {
    /// SHA-256 of what was heard, the newest last.
    messages: Mutex<VecDeque<(Instant, [u8; 32])>>,
    secrets: Mutex<HashMap<String, (Instant, String)>>,
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
        (status = 202, description = "It will be looked at.", body = Looks),
        (status = 400, description = "The body can't be read.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The secret was not proven.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such webhook, or no repository of this address is watched.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = String, content_type = "text/plain"),
        (status = 422, description = "It names no repository.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There is too much to do already.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The secret can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn pushed(
    State(shared): State<Arc<Shared>>,
    Named(name): Named<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Looks>), Response> {
    // Secrets and settings of repositories are in files.
    let work = tokio::task::spawn_blocking(move || heard(&shared, &name, &headers, &body));
    let wrong = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let heard = work.await.unwrap_or_else(|error| Err(wrong(error)));
    heard.map_err(|problem| match problem.status() {
        StatusCode::TOO_MANY_REQUESTS => ([(header::RETRY_AFTER, "10")], problem).into_response(),
        _ => problem.into_response(),
    })
}

fn heard(shared: &Shared, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<(StatusCode, Json<Looks>), Problem> {
    let problem = |status, detail: String| Problem::new(status, detail);
    let loaded = shared.loaded();
    let entry = loaded.config.webhooks.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| problem(StatusCode::NOT_FOUND, format!("there is no webhook `{name}`")))?;
    let secret = shared.heard.secret(entry, &*shared.asks.secret).map_err(|()| {
        // Why it can't be read is for `doctor` to tell: whoever asks here is a stranger.
        problem(StatusCode::SERVICE_UNAVAILABLE, "its secret can't be read: `alignwatch doctor` tells why".to_owned())
    })?;
    if !is_proven(entry.kind, &secret, headers, body, crate::now().0) {
        return Err(problem(StatusCode::UNAUTHORIZED, "that the secret is known was not proven".to_owned()));
    }
    let addresses = addresses(headers, body)?;
    // A script says the same each time, and means it each time.
    let message = message(name, body);
    if entry.kind != WebhookKind::Plain && shared.heard.has(&message) {
        return Ok((StatusCode::OK, Json(Looks { repositories: 0, is_known: true })));
    }
    let mut paths = (shared.asks.named)(&addresses);
    paths.retain(|path| entry.is_about(path));
    if paths.is_empty() {
        let detail = "no repository that is watched has this address; `serve.repositories` says which are watched";
        return Err(problem(StatusCode::NOT_FOUND, detail.to_owned()));
    }
    for path in &paths {
        (shared.asks.look)(path).map_err(|full| problem(StatusCode::TOO_MANY_REQUESTS, full.to_string()))?;
    }
    shared.heard.note(message);
    Ok((StatusCode::ACCEPTED, Json(Looks { repositories: paths.len(), is_known: false })))
}

impl Heard {
    /// The secret of this webhook, as it was within the last minute.
    fn secret(&self, entry: &WebhookEntry, read: &crate::SecretOf) -> Result<String, ()> {
        let known = |secrets: &HashMap<String, (Instant, String)>| {
            secrets.get(&entry.name).filter(|(at, _)| at.elapsed() < SECRET_FOR).map(|(_, secret)| secret.clone())
        };
        // Whoever comes at the same time waits for the one who reads it.
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = known(&secrets) {
            return Ok(secret);
        }
        let secret = read(&entry.secret).map_err(drop)?;
        secrets.insert(entry.name.clone(), (Instant::now(), secret.clone()));
        Ok(secret)
    }

    fn has(&self, message: &[u8; 32]) -> bool {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().any(|(at, other)| at.elapsed() < AGAIN_WITHIN && other == message)
    }

    fn note(&self, message: [u8; 32]) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED <= messages.len() {
            messages.pop_front();
        }
        messages.push_back((Instant::now(), message));
    }
}

fn message(name: &str, body: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(name.as_bytes());
    digest.update([0]);
    digest.update(body);
    digest.finalize().into()
}

/// Does whoever sent this know the secret? Compared in a time that tells nothing about it.
fn is_proven(kind: WebhookKind, secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> bool {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = |names: &[&str]| {
        let signatures = names.iter().filter_map(|name| given(name));
        let mut signatures = signatures.filter_map(|text| unhex(text.strip_prefix("sha256=").unwrap_or(text)));
        signatures.any(|signature| is_signature(secret.as_bytes(), &[body], &signature))
    };
    match kind {
        WebhookKind::Github => signed(&["x-hub-signature-256"]),
        WebhookKind::Gitea => signed(&["x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"]),
        WebhookKind::Gitlab => given("x-gitlab-token").is_some_and(|token| is_same(secret, token)),
        WebhookKind::Plain => {
            let bearer = given("authorization").and_then(|value| value.split_once(' '));
            bearer.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && is_same(secret, token.trim()))
        }
        WebhookKind::Standard => is_standard(secret, given, body, now),
    }
}

/// Source: Standard Webhooks 1.0, "Verifying webhook authenticity": `id.timestamp.body`, several signatures side by side.
fn is_standard<'a>(secret: &str, given: impl Fn(&str) -> Option<&'a str>, body: &[u8], now: i64) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
    let parts = (key, given("webhook-id"), given("webhook-timestamp"), given("webhook-signature"));
    let (Ok(key), Some(id), Some(at), Some(signatures)) = parts else { return false };
    let is_fresh = at.parse::<i64>().is_ok_and(|at| now.saturating_sub(at).saturating_abs() <= SKEW_SECONDS);
    let mut signatures = signatures.split(' ').filter_map(|one| BASE64_STANDARD.decode(one.strip_prefix("v1,")?).ok());
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body];
    is_fresh && signatures.any(|signature| is_signature(&key, &signed, &signature))
}

fn is_signature(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    // HMAC takes a key of any length; one that did not would prove nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(signature).is_ok()
}

/// The same text, by their sums: how long that takes says nothing about where they differ.
fn is_same(secret: &str, given: &str) -> bool {
    is_signature(b"the same text", &[given.as_bytes()], &sum(secret))
}

fn sum(text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(b"the same text").map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = (digits.len() == 64 && text.is_ascii()).then(|| digits.chunks(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What a message calls the repository: its addresses in all forms, or what a script says. Errors: it can't be read, or
/// names none.
fn addresses(headers: &HeaderMap, body: &[u8]) -> Result<Vec<String>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let read = |text: &[u8]| {
        serde_json::from_slice::<Value>(text).map_err(|error| wrong(format!("the body is no JSON: {error}")))
    };
    let mut found = Vec::new();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        match (pairs.get("payload"), pairs.get("repository")) {
            (Some(payload), _) => gather(&read(payload.as_bytes())?, &mut found),
            (None, named) => found.extend(named.cloned()),
        }
    } else {
        gather(&read(body)?, &mut found);
    }
    found.retain(|address| !address.is_empty());
    found.truncate(ADDRESSES_AT_MOST);
    let none = "it names no repository: send what a forge sends, or `{\"repository\": \"…\"}`";
    if found.is_empty() { Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, none)) } else { Ok(found) }
}

/// Addresses in the part of a message that is about the repository. Other parts name others: forks, users, commits.
fn gather(message: &Value, found: &mut Vec<String>) {
    /// GitHub and Gitea; GitLab.
    const PARTS: [&str; 2] = ["repository", "project"];
    const KEYS: [&str; 9] = [
        "clone_url",
        "ssh_url",
        "git_url",
        "html_url",
        "git_http_url",
        "git_ssh_url",
        "git_http_url_to_repo",
        "homepage",
        "web_url",
    ];
    found.extend(message["repository"].as_str().map(str::to_owned));
    let values = PARTS.iter().flat_map(|part| KEYS.iter().map(move |key| &message[*part][*key]));
    found.extend(values.filter_map(Value::as_str).map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(kind: WebhookKind, secret: &str, headers: &[(&str, &str)], body: &str) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        is_proven(kind, secret, &headers, body.as_bytes(), 1_614_265_330)
    }

    /// The example of GitHub's documentation.
    #[test]
    fn the_signature_of_githubs_own_example_is_taken_and_no_other() {
        let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = |signature: &str| proven(WebhookKind::Github, secret, &[("x-hub-signature-256", signature)], body);
        assert!(github(good));
        for bad in ["", "sha256=", "sha256=00", &good.replace("757", "758"), &good[..good.len() - 1], "sha1=757107ea"] {
            assert!(!github(bad), "{bad}");
        }
        assert!(!proven(WebhookKind::Github, secret, &[], body));
        assert!(!proven(WebhookKind::Github, "another", &[("x-hub-signature-256", good)], body));
        assert!(proven(WebhookKind::Gitea, secret, &[("x-gitea-signature", &good["sha256=".len()..])], body));
        assert!(!proven(WebhookKind::Gitlab, secret, &[("x-hub-signature-256", good)], body));
    }

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_example_of_standard_webhooks_is_taken_while_it_is_fresh() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let headers = |at: &'static str| {
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", at),
                ("webhook-signature", "v1,bad v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ]
        };
        assert!(proven(WebhookKind::Standard, secret, &headers("1614265330"), body));
        assert!(!proven(WebhookKind::Standard, secret, &headers("1614265331"), body), "the time is signed");
        let headers: HeaderMap = headers("1614265330")
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        assert!(!is_proven(WebhookKind::Standard, secret, &headers, body.as_bytes(), 1_614_265_330 + 301), "too old");
    }

    #[test]
    fn a_token_is_the_whole_secret_or_none() {
        let gitlab = |token: &str| proven(WebhookKind::Gitlab, "s3cret", &[("x-gitlab-token", token)], "{}");
        assert_eq!(["s3cret", "s3cre", "s3crets", "", "S3CRET"].map(gitlab), [true, false, false, false, false]);
        let plain = |value: &str| proven(WebhookKind::Plain, "s3cret", &[("authorization", value)], "");
        assert_eq!(["Bearer s3cret", "bearer s3cret", "s3cret", "Basic s3cret"].map(plain), [true, true, false, false]);
    }

    fn named(kind: &str, body: &str) -> Result<Vec<String>, u16> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
        addresses(&headers, body.as_bytes()).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn each_forge_names_its_repository_and_nothing_else_of_a_message_counts() {
        let json = "application/json";
        let github = r#"{"repository": {"clone_url": "https://github.com/o/n.git", "ssh_url": "git@github.com:o/n.git"},
            "sender": {"html_url": "https://github.com/evil"}, "pull_request": {"head": {"repo": {"clone_url": "https://evil"}}}}"#;
        assert_eq!(named(json, github).unwrap(), ["https://github.com/o/n.git", "git@github.com:o/n.git"]);
        let gitlab = r#"{"project": {"git_http_url": "https://gitlab.com/o/n.git"}, "repository": {"homepage": "https://gitlab.com/o/n"}}"#;
        assert_eq!(named(json, gitlab).unwrap(), ["https://gitlab.com/o/n", "https://gitlab.com/o/n.git"]);
        assert_eq!(named(json, r#"{"repository": "/srv/git/a.git"}"#).unwrap(), ["/srv/git/a.git"]);
        let form = "application/x-www-form-urlencoded";
        assert_eq!(named(form, "repository=%2Fsrv%2Fgit%2Fa.git").unwrap(), ["/srv/git/a.git"]);
        assert_eq!(named(form, "payload=%7B%22repository%22%3A%22x%22%7D").unwrap(), ["x"]);
        assert_eq!(named(json, "{"), Err(400));
        assert_eq!((named(json, "[1]"), named(json, "{}"), named(form, "x=y")), (Err(422), Err(422), Err(422)));
    }

    #[test]
    fn what_was_heard_is_known_and_memory_is_bounded() {
        let heard = Heard::default();
        let first = message("a", b"body");
        heard.note(first);
        assert!(heard.has(&first) && !heard.has(&message("b", b"body")) && !heard.has(&message("a", b"bod")));
        for number in 0..2 * REMEMBERED {
            heard.note(message("a", number.to_string().as_bytes()));
        }
        assert_eq!(heard.messages.lock().unwrap().len(), REMEMBERED);
        assert!(!heard.has(&first));
    }
}
