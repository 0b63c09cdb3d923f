//! Who may ask for what, where others than this machine can ask.
//!
//! On this machine's own addresses nobody needs a token (SECURITY.md says what that means where several people use it). On any other
//! address each request needs one, but for `/healthz`, and for the status page and badges where these are public. A
//! program sends it as a bearer; a browser asks its person for it, as a password to any name.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use alignwatch_model::access::{KeptToken, Scope, Tokens};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

use crate::{ping::is_uuid, problem::Problem};

/// The rule of access.
pub struct Access {
    /// The file with tokens; `None` = nobody needs one.
    tokens: Option<TokenFile>,
    /// Names by which this machine may be asked, besides its own addresses.
    pub(crate) names: Vec<String>,
    /// The status page and badges need no token.
    is_status_public: bool,
}

/// Tokens as they stand in their file; read again when it changed.
struct TokenFile {
    path: PathBuf,
    read: Mutex<Option<(SystemTime, u64, Tokens)>>,
}

/// Who asks: the name of the token, where one is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who(Option<String>);

impl Who {
    /// What is written down of somebody who says this name.
    pub(crate) fn says(&self, name: &str) -> String {
        match (name.trim(), &self.0) {
            (name, None) => name.to_owned(),
            ("", Some(token)) => format!("the token {token}"),
            (name, Some(token)) => format!("{name} (token {token})"),
        }
    }

    /// The same of somebody who can't say a name.
    pub(crate) fn by_the_api(&self) -> String {
        match &self.0 {
            None => "somebody on this machine, by the API".to_owned(),
            Some(token) => format!("the token {token}, by the API"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

impl Access {
    /// Nobody needs a token.
    pub fn open() -> Access {
        Access { tokens: None, names: Vec::new(), is_status_public: false }
    }

    /// Each request needs a token of this file, and names one of these names or an address of this machine.
    pub fn with_tokens(path: PathBuf, names: Vec<String>) -> Access {
        Access { tokens: Some(TokenFile { path, read: Mutex::default() }), names, is_status_public: false }
    }

    /// The same; the status page and badges need no token.
    pub fn with_public_status(self) -> Access {
        Access { is_status_public: true, ..self }
    }

    /// Is this answered to everybody?
    fn is_public(&self, path: &str) -> bool {
        let is_of_status = path == "/status" || path.starts_with("/badge/") || path.starts_with("/assets/");
        // Who knows the id of a workflow may ping it, as with every cron monitor; another is not found.
        let is_ping = path.strip_prefix("/ping/").and_then(|rest| rest.split('/').next()).is_some_and(is_uuid);
        // A webhook proves that it knows a secret of its own.
        let is_webhook = path.strip_prefix("/api/v1/webhooks/").is_some_and(|name| !name.contains('/'));
        path == "/healthz" || is_ping || is_webhook || self.is_status_public && is_of_status
    }

    /// Who asks. Errors: why the request is refused.
    pub(crate) fn admit(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Who, Problem> {
        let Some(file) = self.tokens.as_ref().filter(|_| !self.is_public(path)) else { return Ok(Who(None)) };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        // A client of a cron monitor sends no header: its key stands in the address.
        let Some(token) = given.and_then(token).or_else(|| ping_key(path)) else {
            let detail =
                "a token is needed: `alignwatch token add` makes one; send it as `Authorization: Bearer TOKEN`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        };
        let needed = needed(method, path);
        match file.known(&token) {
            Err(reason) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
            Ok(None) => Err(Problem::new(StatusCode::UNAUTHORIZED, "the token is not known")),
            Ok(Some(token)) if token.scope.allows(needed) => Ok(Who(Some(token.name))),
            Ok(Some(token)) => {
                let (needed, has) = (needed.word(), token.scope.word());
                let detail = format!("this needs the scope `{needed}`, and the token has `{has}`");
                Err(Problem::new(StatusCode::FORBIDDEN, detail))
            }
        }
    }
}

/// The token in a header: as a bearer, or as the password of a browser. Source: RFC 6750 and 7617.
fn token(header: &str) -> Option<String> {
    let (scheme, given) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Some(given.to_owned());
    }
    let given = scheme.eq_ignore_ascii_case("Basic").then(|| BASE64_STANDARD.decode(given).ok())??;
    let (_, password) = std::str::from_utf8(&given).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// The key in `/ping/KEY/NAME`.
fn ping_key(path: &str) -> Option<String> {
    path.strip_prefix("/ping/")?.split('/').next().map(str::to_owned)
}

/// What a request needs.
fn needed(method: &Method, path: &str) -> Scope {
    match *method {
        _ if path.starts_with("/ping/") => Scope::Report,
        Method::GET | Method::HEAD | Method::OPTIONS => Scope::Read,
        _ if path == "/api/v1/events" || path == "/api/v2/alerts" => Scope::Report,
        _ => Scope::Operate,
    }
}

impl TokenFile {
    /// The token, as it is kept. Errors: the file can't be read; then nobody gets in.
    fn known(&self, token: &str) -> Result<Option<KeptToken>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot read the tokens: {error}");
        let about = match fs::metadata(&self.path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let (changed_at, length) = (about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = read.as_ref().is_some_and(|(at, bytes, _)| (*at, *bytes) == (changed_at, length));
        if !is_current {
            let text = fs::read(&self.path).map_err(|error| failed(&error))?;
            let tokens = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
            *read = Some((changed_at, length, tokens));
        }
        // Hashes are compared, not secrets: how long that takes tells nothing about a token.
        let hash = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(read.as_ref().and_then(|(_, _, tokens)| tokens.of(&hash).cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tokens: &[(&str, Scope)]) -> (tempfile::TempDir, Access) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let kept = tokens.iter().map(|(token, scope)| KeptToken {
            name: (*token).into(),
            scope: *scope,
            sha256: Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            made_at: 0,
        });
        let tokens = Tokens { tokens: kept.collect() };
        fs::write(&path, serde_json::to_vec(&tokens).unwrap()).unwrap();
        (folder, Access::with_tokens(path, Vec::new()))
    }

    fn status(access: &Access, method: Method, path: &str, token: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        access.admit(&method, path, &headers).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[test]
    fn each_scope_opens_its_own_doors() {
        let (_folder, access) = file(&[("r", Scope::Read), ("p", Scope::Report), ("o", Scope::Operate)]);
        let events = |token| status(&access, Method::POST, "/api/v1/events", token);
        let pages = |token| status(&access, Method::GET, "/metrics", token);
        let sweeps = |token| status(&access, Method::POST, "/api/v1/repositories/x/sweep", token);
        let tried = [None, Some("wrong"), Some("r"), Some("p"), Some("o")];
        assert_eq!(tried.map(pages), [401, 401, 200, 403, 200]);
        assert_eq!(tried.map(events), [401, 401, 403, 200, 200]);
        assert_eq!(tried.map(sweeps), [401, 401, 403, 403, 200]);
        assert_eq!(status(&access, Method::GET, "/healthz", None), 200);
        assert_eq!(status(&Access::open(), Method::GET, "/metrics", None), 200);
    }

    #[test]
    fn a_browser_sends_it_as_a_password() {
        let (_folder, access) = file(&[("r", Scope::Read)]);
        let given = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            access.admit(&Method::GET, "/", &headers).map_or_else(|problem| problem.status().as_u16(), |_| 200)
        };
        let basic = |pair: &str| given(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
        assert_eq!(
            [basic("anybody:r"), basic("r:"), basic("r"), given("Basic ???"), given("Basic")],
            [200, 401, 401, 401, 401]
        );
    }

    #[test]
    fn only_the_status_is_public_and_only_where_that_is_wanted() {
        let (_folder, access) = file(&[]);
        let asked = ["/status", "/badge/x/health.svg", "/assets/style.css", "/", "/metrics", "/statuses"];
        assert_eq!(asked.map(|path| status(&access, Method::GET, path, None)), [401; 6]);
        let access = access.with_public_status();
        assert_eq!(asked.map(|path| status(&access, Method::GET, path, None)), [200, 200, 200, 401, 401, 401]);
    }

    #[test]
    fn a_ping_is_let_in_by_its_key_or_the_id_of_its_workflow() {
        let (_folder, access) = file(&[("r", Scope::Read), ("p", Scope::Report)]);
        let ping = |path: &str| status(&access, Method::GET, path, None);
        let asked = [
            "/ping/p/nightly",
            "/ping/r/nightly",
            "/ping/x/nightly",
            "/ping/8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10/start",
        ];
        assert_eq!(asked.map(ping), [200, 403, 401, 200]);
    }

    #[test]
    fn a_file_that_is_gone_or_damaged_lets_nobody_in() {
        let (folder, access) = file(&[("r", Scope::Read)]);
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 200);
        fs::write(folder.path().join("tokens.json"), "{").unwrap();
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 503);
        fs::remove_file(folder.path().join("tokens.json")).unwrap();
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 401);
    }
}
