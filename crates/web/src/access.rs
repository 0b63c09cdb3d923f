//! Who may ask for what, where others than this machine can ask.
//!
//! On this machine's own addresses nobody needs a token: who can connect can read the files as well. On any other
//! address each request needs one, but for `/healthz`.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use alignwatch_model::access::{Scope, Tokens};
use axum::http::{HeaderMap, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The rule of access.
pub struct Access {
    /// The file with tokens; `None` = nobody needs one.
    tokens: Option<TokenFile>,
    /// Names by which this machine may be asked, besides its own addresses.
    pub(crate) names: Vec<String>,
}

/// Tokens as they stand in their file; read again when it changed.
struct TokenFile {
    path: PathBuf,
    read: Mutex<Option<(SystemTime, u64, Tokens)>>,
}

impl Access {
    /// Nobody needs a token.
    pub fn open() -> Access {
        Access { tokens: None, names: Vec::new() }
    }

    /// Each request needs a token of this file, and names one of these names or an address of this machine.
    pub fn with_tokens(path: PathBuf, names: Vec<String>) -> Access {
        Access { tokens: Some(TokenFile { path, read: Mutex::default() }), names }
    }

    /// Why the request is refused; `None` = it may pass.
    pub(crate) fn refusal(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Problem> {
        let file = self.tokens.as_ref().filter(|_| path != "/healthz")?;
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = given.and_then(|value| value.strip_prefix("Bearer ")) else {
            let detail =
                "a token is needed: `alignwatch token add` makes one; send it as `Authorization: Bearer TOKEN`";
            return Some(Problem::new(StatusCode::UNAUTHORIZED, detail));
        };
        let needed = needed(method, path);
        match file.scope_of(token) {
            Err(reason) => Some(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
            Ok(None) => Some(Problem::new(StatusCode::UNAUTHORIZED, "the token is not known")),
            Ok(Some(scope)) if scope.allows(needed) => None,
            Ok(Some(scope)) => {
                let detail = format!("this needs the scope `{}`, and the token has `{}`", needed.word(), scope.word());
                Some(Problem::new(StatusCode::FORBIDDEN, detail))
            }
        }
    }
}

/// What a request needs.
fn needed(method: &Method, path: &str) -> Scope {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Scope::Read,
        _ if path == "/api/v1/events" => Scope::Report,
        _ => Scope::Operate,
    }
}

impl TokenFile {
    /// What the token allows. Errors: the file can't be read; then nobody gets in.
    fn scope_of(&self, token: &str) -> Result<Option<Scope>, String> {
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
        Ok(read.as_ref().and_then(|(_, _, tokens)| tokens.scope_of(&hash)))
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::access::KeptToken;

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
        access.refusal(&method, path, &headers).map_or(200, |problem| problem.status().as_u16())
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
    fn a_file_that_is_gone_or_damaged_lets_nobody_in() {
        let (folder, access) = file(&[("r", Scope::Read)]);
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 200);
        fs::write(folder.path().join("tokens.json"), "{").unwrap();
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 503);
        fs::remove_file(folder.path().join("tokens.json")).unwrap();
        assert_eq!(status(&access, Method::GET, "/metrics", Some("r")), 401);
    }
}
