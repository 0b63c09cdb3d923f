//! One HTTP request to a checked address, and what came of it.
//!
//! No redirect is followed, no proxy of the environment is used, and the answer is bounded. What is said of
//! a failure holds the host and the status, never the path of an address or a secret.

use std::{fmt, sync::Arc, time::Duration};

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

/// What is read of an answer, in bytes. Source: ours; the list of open issues of a group is the longest.
const ANSWER_AT_MOST: u64 = 1 << 20;

/// What is told of an answer, in characters.
const TOLD_AT_MOST: usize = 200;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Texts that must not be told, whatever the other side answers.
    pub secrets: Vec<String>,
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// As far as it was read.
    pub body: String,
    retry_after: Option<String>,
    host: String,
    secrets: Vec<String>,
}

impl Request {
    /// A request whose body is JSON.
    pub(crate) fn json(method: &'static str, url: Url, body: &serde_json::Value) -> Request {
        // Values of our own making are plain JSON.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let headers = vec![("content-type", "application/json".to_owned())];
        Request { method, url, headers, body, secrets: Vec::new() }
    }

    /// A request without a body.
    pub(crate) fn plain(method: &'static str, url: Url) -> Request {
        Request { method, url, headers: Vec::new(), body: Vec::new(), secrets: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a header that holds a secret after some words.
    pub(crate) fn with_secret(mut self, name: &'static str, words: &str, secret: &str) -> Request {
        self.headers.push((name, format!("{words}{secret}")));
        self.secrets.push(secret.to_owned());
        self
    }

    /// The path and query of the address are secret.
    pub(crate) fn with_secret_path(mut self) -> Request {
        let parts = self.url.path_segments().into_iter().flatten().map(str::to_owned);
        self.secrets.extend(parts.chain(self.url.query().map(str::to_owned)).filter(|part| part.len() >= 8));
        self
    }
}

/// Reads an address as it is written, or where it is read.
pub(crate) fn address(written: &str) -> Result<Url, Failure> {
    let is_written = written.starts_with("https://") || written.starts_with("http://");
    let text = if is_written {
        written.to_owned()
    } else {
        let reference = SecretRef::parse(written)
            .map_err(|problem| broken(FailureReason::Configuration, format!("the address {problem}")))?;
        secret::read(&reference)?
    };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        broken(FailureReason::Configuration, format!("what `{}` holds is no web address", without_path(written)))
    })
}

/// An address with something more at the end of its path.
pub(crate) fn below(base: &Url, parts: &[&str]) -> Result<Url, Failure> {
    let mut url = base.clone();
    let no_path = || broken(FailureReason::Configuration, "the address can have no path");
    url.path_segments_mut().map_err(|()| no_path())?.pop_if_empty().extend(parts);
    Ok(url)
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
        builder = builder.header(*name, value);
    }
    let built = builder.body(&request.body[..]);
    let built = built
        .map_err(|_| broken(FailureReason::Configuration, "a header or the address holds what HTTP does not allow"))?;
    let mut answer = agent.run(built).map_err(|error| failure_of(error, &host))?;
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = answer.body_mut().with_config().limit(ANSWER_AT_MOST).lossy_utf8(true).read_to_string();
    Ok(Answer {
        status: answer.status().as_u16(),
        // It is read to know more; without it the status still says what happened.
        body: body.unwrap_or_default(),
        retry_after,
        host,
        secrets: request.secrets.clone(),
    })
}

/// Sends a request and judges the answer by its status.
pub(crate) fn deliver(request: &Request, way: Way<'_>) -> Result<Answer, Failure> {
    send(request, way)?.judged(way.now)
}

impl Answer {
    /// The answer itself when its status is good. Errors: what its status means.
    pub(crate) fn judged(self, now: Timestamp) -> Result<Answer, Failure> {
        match by_status(self.status, &self.body) {
            None => Ok(self),
            Some(reason) => Err(self.as_failure(reason, now)),
        }
    }

    /// Why it is a failure, in the words of the other side.
    pub(crate) fn as_failure(&self, reason: FailureReason, now: Timestamp) -> Failure {
        let retry_after = self.retry_after.as_deref().and_then(|value| retry_after(value, now));
        self.as_failure_after(reason, retry_after)
    }

    /// The same, where it says in its body how long to wait.
    pub(crate) fn as_failure_after(&self, reason: FailureReason, retry_after: Option<Span>) -> Failure {
        let status = status_words(self.status);
        let said = self.said();
        let detail = if said.is_empty() {
            format!("{} answered {status}", self.host)
        } else {
            format!("{} answered {status}: {said}", self.host)
        };
        Failure { reason, detail, is_permanent: is_permanent(reason), retry_after }
    }

    /// What the other side said, on one bounded line and without what must not be told.
    fn said(&self) -> String {
        let mut said = self.body.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            said = said.replace(secret.as_str(), "[secret]");
        }
        text::cut(&alignwatch_model::escape::terminal(&said), TOLD_AT_MOST)
    }

    /// It arrived.
    pub(crate) fn delivered(&self, reference: Option<String>) -> Delivered {
        Delivered { answer: status_words(self.status), reference }
    }

    /// The body as JSON; `Null` when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
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
