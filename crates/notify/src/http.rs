//! One HTTP request to a checked address, and what came of it.
//!
//! No redirect is followed, no proxy of the environment is used, and the answer is bounded. What is said of
//! a failure holds the host and the status, never the path of an address or a secret.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use alignwatch_model::{
    Span, Timestamp,
    config::SecretRef,
    notice::{Delivered, Failure, FailureReason},
};
use ureq::{
    Agent,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::Url;

use crate::{
    DEADLINE, Egress, Way,
    failure::{broken, by_status, failed, is_permanent, retry_after},
    secret, text, trust,
};

/// What is read of an answer, in bytes. Source: ours; what is created or refused is told in a few kilobytes.
const ANSWER_AT_MOST: u64 = 1 << 20;

/// What is read of a list, in bytes. Source: ours; twenty issues of 65,000 bytes, escaped as JSON.
const LIST_AT_MOST: u64 = 8 << 20;

/// What is told of an answer, in characters.
const TOLD_AT_MOST: usize = 200;

/// The shortest part of a secret address that counts as secret. Source: ours; shorter ones are words like `hooks`.
const SECRET_AT_LEAST: usize = 8;

/// An address, and what in it must not be told.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    url: Url,
    secrets: Vec<String>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub body: Vec<u8>,
    /// Texts that must not be told, whatever the other side answers.
    pub secrets: Vec<String>,
    answer_at_most: u64,
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// What it says, or why that could not be read: it was too long, or the connection broke.
    body: Result<Vec<u8>, String>,
    retry_after: Option<String>,
    host: String,
    secrets: Vec<String>,
}

impl Request {
    /// A request whose body is JSON.
    pub(crate) fn json(method: &'static str, to: Address, body: &serde_json::Value) -> Request {
        // Values of our own making are plain JSON.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let headers = vec![("content-type".into(), "application/json".to_owned())];
        Request { headers, body, ..Request::plain(method, to) }
    }

    /// A request without a body.
    pub(crate) fn plain(method: &'static str, to: Address) -> Request {
        Request {
            method,
            url: to.url,
            headers: Vec::new(),
            body: Vec::new(),
            secrets: to.secrets,
            answer_at_most: ANSWER_AT_MOST,
        }
    }

    /// A request whose body is plain text.
    pub(crate) fn text(method: &'static str, to: Address, body: &str) -> Request {
        let headers = vec![("content-type".into(), "text/plain; charset=utf-8".to_owned())];
        Request { headers, body: body.as_bytes().to_vec(), ..Request::plain(method, to) }
    }

    /// A request whose body is of this kind.
    pub(crate) fn bytes(method: &'static str, to: Address, kind: &str, body: Vec<u8>) -> Request {
        let headers = vec![("content-type".into(), kind.to_owned())];
        Request { headers, body, ..Request::plain(method, to) }
    }

    /// A request for a list.
    pub(crate) fn list(of: Address) -> Request {
        Request { answer_at_most: LIST_AT_MOST, ..Request::plain("GET", of) }
    }

    /// The same, whose answer may have so many bytes.
    pub(crate) fn answered_with(self, answer_at_most: u64) -> Request {
        Request { answer_at_most, ..self }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with a header that somebody else named, and whose value is secret; each word of it is, too.
    pub(crate) fn with_secret_header(mut self, name: &str, secret: &str) -> Request {
        self.headers.push((name.to_owned().into(), secret.to_owned()));
        let words = secret.split_whitespace().filter(|word| SECRET_AT_LEAST <= word.len()).map(str::to_owned);
        self.secrets.extend(words.chain([secret.to_owned()]));
        self
    }

    /// The same with a header that holds a secret after some words.
    pub(crate) fn with_secret(mut self, name: &'static str, words: &str, secret: &str) -> Request {
        self.headers.push((name.into(), format!("{words}{secret}")));
        self.secrets.push(secret.to_owned());
        self
    }
}

/// Reads an address as it is written, or where it is read; then it is a secret as a whole.
pub(crate) fn address(written: &str, way: Way<'_>) -> Result<Address, Failure> {
    let is_written = written.starts_with("https://") || written.starts_with("http://");
    let text = if is_written {
        written.to_owned()
    } else {
        let reference = SecretRef::parse(written)
            .map_err(|problem| broken(FailureReason::Configuration, format!("the address {problem}")))?;
        secret::read(&reference, way)?
    };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| {
        broken(FailureReason::Configuration, format!("what `{}` holds is no web address", without_path(written)))
    })?;
    let secrets = if is_written { Vec::new() } else { parts(&url) };
    Ok(Address { url, secrets })
}

/// What in an address may be a secret: each part of its path, its query, each value in that, and a password.
fn parts(url: &Url) -> Vec<String> {
    let path = url.path_segments().into_iter().flatten().map(str::to_owned);
    let query = url.query().unwrap_or_default();
    let written = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned());
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let rest = [query, url.password().unwrap_or_default()].map(str::to_owned);
    path.chain(written).chain(values).chain(rest).filter(|part| SECRET_AT_LEAST <= part.len()).collect()
}

impl Address {
    /// All of it is secret, wherever it was read.
    pub(crate) fn all_secret(mut self) -> Address {
        self.secrets = parts(&self.url);
        self
    }

    /// With something more at the end of its path.
    pub(crate) fn below(&self, parts: &[&str]) -> Result<Address, Failure> {
        let mut below = self.clone();
        let no_path = || broken(FailureReason::Configuration, "the address can have no path");
        below.url.path_segments_mut().map_err(|()| no_path())?.pop_if_empty().extend(parts);
        Ok(below)
    }

    /// With something more in its query.
    pub(crate) fn with_query<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Address {
        let mut with = self.clone();
        with.url.query_pairs_mut().extend_pairs(pairs);
        with
    }
}

fn without_path(written: &str) -> &str {
    if written.starts_with("http") { "the address" } else { written }
}

/// Sends a request. Errors: what happened before there was an answer.
pub(crate) fn send(request: &Request, way: Way<'_>) -> Result<Answer, Failure> {
    let host = request.url.host_str().unwrap_or_default().to_owned();
    let agent = agent(way.egress, request.url.scheme() == "https", way.left())?;
    let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name.as_ref(), value);
    }
    let built = builder.body(&request.body[..]);
    let built = built
        .map_err(|_| broken(FailureReason::Configuration, "a header or the address holds what HTTP does not allow"))?;
    let mut answer = agent.run(built).map_err(|error| failure_of(error, &host))?;
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = answer.body_mut().with_config().limit(request.answer_at_most).read_to_vec();
    Ok(Answer {
        status: answer.status().as_u16(),
        // The status says what happened all the same; who needs more looks whether it is there.
        body: body.map_err(|error| error.to_string()),
        retry_after,
        host,
        secrets: request.secrets.clone(),
    })
}

/// Sends a request and judges the answer by its status.
pub(crate) fn deliver(request: &Request, way: Way<'_>) -> Result<Answer, Failure> {
    send(request, way)?.judged(way.now)
}

/// The same for a service that says in its body how long to wait: there, and so many of its units are a second.
pub(crate) fn deliver_or_wait(
    request: &Request,
    way: Way<'_>,
    there: &str,
    per_second: f64,
) -> Result<Answer, Failure> {
    let answer = send(request, way)?;
    let wait = answer.json().pointer(there).and_then(|value| retry_in_body(value, per_second));
    let judged = answer.judged(way.now);
    judged.map_err(|failure| match failure.reason {
        FailureReason::RateLimited => Failure { retry_after: wait.or(failure.retry_after), ..failure },
        _ => failure,
    })
}

/// How long to wait, as a service says it.
fn retry_in_body(value: &serde_json::Value, per_second: f64) -> Option<Span> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok())? / per_second;
    retry_after(&seconds.to_string(), Timestamp::default())
}

/// Posts a message to a webhook whose address is a secret.
pub(crate) fn post(to: &SecretRef, message: &serde_json::Value, way: Way<'_>) -> Result<Delivered, Failure> {
    let request = Request::json("POST", address(&to.to_string(), way)?, message);
    Ok(deliver(&request, way)?.delivered(None))
}

impl Answer {
    /// The answer itself when its status is good. Errors: what its status means.
    pub(crate) fn judged(self, now: Timestamp) -> Result<Answer, Failure> {
        match self.reason() {
            None => Ok(self),
            Some(reason) => Err(self.as_failure(reason, now)),
        }
    }

    /// GitHub says 403 to who asks too often, and then how long to wait.
    fn reason(&self) -> Option<FailureReason> {
        match by_status(self.status, &self.body()) {
            Some(FailureReason::AuthError) if self.status == 403 && self.retry_after.is_some() => {
                Some(FailureReason::RateLimited)
            }
            reason => reason,
        }
    }

    /// Why it is a failure, in the words of the other side.
    pub(crate) fn as_failure(&self, reason: FailureReason, now: Timestamp) -> Failure {
        let retry_after = self.retry_after.as_deref().and_then(|value| retry_after(value, now));
        let status = status_words(self.status);
        let said = self.told(&self.body());
        let detail = if said.is_empty() {
            format!("{} answered {status}", self.host)
        } else {
            format!("{} answered {status}: {said}", self.host)
        };
        Failure { reason, detail, is_permanent: is_permanent(reason), retry_after }
    }

    /// A text in the answer, as it may be told; `None` = it is no text.
    pub(crate) fn text(&self, value: &serde_json::Value, at_most: usize) -> Option<String> {
        value.as_str().map(|text| self.harmless(text, at_most))
    }

    /// A text that the answer holds, short enough for the reason of a failure.
    pub(crate) fn told(&self, said: &str) -> String {
        self.harmless(said, TOLD_AT_MOST)
    }

    /// What the other side said, on one bounded line and without what must not be told.
    fn harmless(&self, said: &str, at_most: usize) -> String {
        let mut said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut secrets: Vec<&String> = self.secrets.iter().filter(|secret| !secret.is_empty()).collect();
        // One that holds another one goes as a whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            said = said.replace(secret.as_str(), "[secret]");
        }
        text::cut(&alignwatch_model::escape::terminal(&said), at_most)
    }

    /// The whole body. Errors: it is too long, or the connection broke.
    pub(crate) fn whole(self) -> Result<String, Failure> {
        let host = self.host;
        let body = self.body.map_err(|why| {
            failed(FailureReason::ServerError, format!("{host}: its answer could not be read: {why}"))
        })?;
        Ok(String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// It arrived.
    pub(crate) fn delivered(&self, reference: Option<String>) -> Delivered {
        Delivered { answer: status_words(self.status), reference }
    }

    /// The body as it came; nothing when it could not be read.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The body as text; what is none in it is replaced.
    fn body(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// The body as JSON, for what may be missing: `Null` when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body()).unwrap_or_default()
    }

    /// The list that the body is. Errors: it is none, or could not be read to its end.
    pub(crate) fn listed(&self) -> Result<Vec<serde_json::Value>, Failure> {
        let unread = |why: String| {
            failed(FailureReason::ServerError, format!("{}: its list could not be read: {why}", self.host))
        };
        let body = self.body.as_ref().map_err(|why| unread(why.clone()))?;
        let body = String::from_utf8_lossy(body);
        // What is wrong with it could repeat it.
        serde_json::from_str(&body).map_err(|_| unread("it is no list in JSON".to_owned()))
    }
}

fn status_words(status: u16) -> String {
    let words = ureq::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    words.map_or_else(|| status.to_string(), |words| format!("{status} {words}"))
}

/// Asks for the addresses of a name where we decide which of them may be called.
#[derive(Debug)]
struct Checked(Egress);

/// A refusal on its way through ureq.
#[derive(Debug)]
struct Refusal(Failure);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let patience =
            Duration::from_millis(u64::try_from(timeout.after.as_millis()).unwrap_or(u64::MAX)).min(DEADLINE);
        let found = self.0.addresses(uri.host().unwrap_or_default(), port, patience);
        let found = found.map_err(|failure| ureq::Error::Other(Box::new(Refusal(failure))))?;
        let mut addresses = self.empty();
        found.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

fn agent(egress: &Egress, is_tls: bool, deadline: Duration) -> Result<Agent, Failure> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(deadline))
        .max_idle_connections(0)
        .user_agent(concat!("alignwatch/", env!("CARGO_PKG_VERSION")));
    if is_tls {
        let roots = trust::roots(&egress.certificates)?;
        let roots: Vec<Certificate<'static>> = roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots)));
        config = config.tls_config(tls.unversioned_rustls_crypto_provider(trust::provider()).build());
    }
    Ok(Agent::with_parts(config.build(), DefaultConnector::default(), Checked(egress.clone())))
}

fn failure_of(error: ureq::Error, host: &str) -> Failure {
    match error {
        ureq::Error::Other(other) => match other.downcast::<Refusal>() {
            Ok(refusal) => refusal.0,
            Err(other) => failed(FailureReason::Connection, format!("no answer from {host}: {other}")),
        },
        ureq::Error::Timeout(_) => failed(FailureReason::TimedOut, format!("{host} took too long to answer")),
        ureq::Error::Rustls(error) => failed(FailureReason::Tls, format!("no private line to {host}: {error}")),
        ureq::Error::Tls(error) => failed(FailureReason::Tls, format!("no private line to {host}: {error}")),
        // A handshake that fails comes as an error of input and output.
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => failed(FailureReason::Tls, format!("no private line to {host}: {inner}")),
            None => failed(FailureReason::Connection, format!("no connection with {host}: {error}")),
        },
        ureq::Error::HostNotFound => failed(FailureReason::UnknownHost, format!("the host `{host}` was not found")),
        ureq::Error::BadUri(_) => {
            broken(FailureReason::Configuration, "the address is none that can be called".to_owned())
        }
        other => failed(FailureReason::Connection, format!("no answer from {host}: {other}")),
    }
}
