//! Asks the daemon of this machine to do something.

use core::net::SocketAddr;
use std::time::Duration;

use alignwatch_daemon::address;
use alignwatch_model::config::Config;
use serde_json::Value;

use crate::{configuring, failure::Failure};

/// The longest that is waited for an answer. Source: ours; the daemon answers within ten seconds or says why not.
const WAIT_AT_MOST: Duration = Duration::from_secs(15);

/// The environment variable with a token, for a daemon that asks for one.
const TOKEN: &str = "ALIGNWATCH_TOKEN";

/// The daemon, by where it answers.
pub(crate) struct Daemon {
    address: String,
}

impl Daemon {
    /// The one that told where it answers, in the data directory; else the one that this configuration describes.
    pub(crate) fn of(config: &Config) -> Daemon {
        let told = configuring::data_dir(config).and_then(|data_dir| address::told(&data_dir));
        let configured = || {
            let address: core::net::IpAddr = config.serve.address.parse().unwrap_or([127, 0, 0, 1].into());
            SocketAddr::from((address, u16::try_from(config.serve.port).unwrap_or(u16::MAX)))
        };
        Daemon { address: format!("http://{}", told.unwrap_or_else(configured)) }
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Asks for a document. Errors: nobody answers, or why there is none.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.answered(self.prepared(agent().get(format!("{}{path}", self.address))).call())
    }

    /// Sends a document, and gives what comes back. Errors: nobody answers, or why it can't be done.
    pub(crate) fn post(&self, path: &str, document: &Value) -> Result<Value, Failure> {
        let request = self.prepared(agent().post(format!("{}{path}", self.address)));
        self.answered(request.header("content-type", "application/json").send(document.to_string()))
    }

    /// Takes something away. Errors: likewise.
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.answered(self.prepared(agent().delete(format!("{}{path}", self.address))).call())
    }

    fn prepared<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match std::env::var(TOKEN) {
            Ok(token) => request.header("authorization", format!("Bearer {token}")),
            Err(_) => request,
        }
    }

    fn answered(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
        let mut answer = answer.map_err(|error| self.nobody(&error))?;
        let text = answer.body_mut().read_to_string().map_err(|error| self.nobody(&error))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if answer.status().is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().map_or_else(|| answer.status().to_string(), str::to_owned);
        let failure = Failure::could_not(format!("the daemon does not do it: {detail}"));
        let needs_token = answer.status() == 401;
        Err(if needs_token { failure.hint(format!("put the token into {TOKEN}")) } else { failure })
    }

    fn nobody(&self, error: &ureq::Error) -> Failure {
        Failure::could_not(format!("no daemon answers at {}: {error}", self.address))
            .hint("`alignwatch serve` starts it; `serve.port` says where it answers")
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(WAIT_AT_MOST)).http_status_as_error(false);
    config.max_redirects(0).proxy(None).build().into()
}
