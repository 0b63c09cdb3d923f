//! `/ping/…`: the protocol that clients of cron monitors speak, as Healthchecks has it. A ping is an event of a run.
//!
//! `/ping/UUID` is the workflow whose `ping` this is; `/ping/KEY/NAME` is the workflow of that name, and the key is a
//! token with the scope `report` where tokens are asked for. Behind it may stand `/start`, `/fail`, `/log` or an exit
//! code; nothing means that all went well. `rid=UUID` tells runs apart that overlap. A success is taken at its word:
//! what was aligned is not known here.
//!
//! Source: healthchecks.io/docs/http_api.

use std::{
    collections::hash_map::RandomState,
    future::poll_fn,
    hash::{BuildHasher, Hasher},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use alignwatch_model::run::{Document, Finished, Happened, Moment, Outcome, RunEvent, RunId, event::Started};
use alignwatch_store::WhichRuns;
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::Value;

use crate::{Shared, runs::kept};

/// Bytes of a body that are kept. Source: the default of Healthchecks, announced in `Ping-Body-Limit`.
const BODY_KEPT: usize = 10_000;

/// Bytes of a body that are read and dropped besides. Source: ours; a log that somebody sends by mistake.
const BODY_READ: usize = 64 << 20;

/// How long a body is waited for. Source: ours; half of what a request may take.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Runs among which the one that a ping ends is looked for. Source: ours; more do not overlap.
const RUNS_LOOKED_AT: usize = 20;

/// The routes. A page of another site could make a browser send them, which says so.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ping/{a}", get(one).post(one))
        .route("/ping/{a}/{b}", get(two).post(two))
        .route("/ping/{a}/{b}/{c}", get(three).post(three))
}

/// What a ping says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Start,
    Success,
    Fail,
    Log,
    Exit(u8),
}

/// A ping, as it was understood.
#[derive(Debug, PartialEq, Eq)]
struct Ping {
    workflow: String,
    says: Says,
    rid: Option<String>,
    /// The workflow may be new.
    may_create: bool,
}

type Here = State<Arc<Shared>>;

async fn one(shared: Here, Path(a): Path<String>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    answer(shared, [Some(a), None, None], query, &headers, body).await
}

async fn two(
    shared: Here,
    Path((a, b)): Path<(String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(shared, [Some(a), Some(b), None], query, &headers, body).await
}

async fn three(
    shared: Here,
    Path((a, b, c)): Path<(String, String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(shared, [Some(a), Some(b), Some(c)], query, &headers, body).await
}

async fn answer(
    State(shared): Here,
    parts: [Option<String>; 3],
    RawQuery(query): RawQuery,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    if is_of_another_site(headers) {
        return told(StatusCode::FORBIDDEN, "from another site");
    }
    let by_uuid = |uuid: &str| {
        let rules = &shared.loaded().config.workflows;
        rules
            .iter()
            .find(|rule| rule.ping.as_deref().is_some_and(|ping| ping.eq_ignore_ascii_case(uuid)))
            .map(|rule| rule.name.clone())
    };
    let parts = parts.each_ref().map(|part| part.as_deref());
    let ping = match understood(parts, query.as_deref().unwrap_or_default(), by_uuid) {
        Ok(ping) => ping,
        Err((status, words)) => return told(status, words),
    };
    let body = begin_of(body).await;
    let is_known = shared.loaded().config.workflows.iter().any(|rule| rule.name == ping.workflow);
    let which = WhichRuns { repository: None, workflow: Some(&ping.workflow), before: None };
    let past = match shared.read(|store| store.runs(which, RUNS_LOOKED_AT)) {
        Ok(past) => past,
        Err(_) => return told(StatusCode::SERVICE_UNAVAILABLE, "the store can't be read"),
    };
    let is_new = !is_known && past.is_empty();
    if is_new && !ping.may_create {
        return told(StatusCode::NOT_FOUND, "not found");
    }
    let documents: Vec<Document> = past.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let events = events(&ping, &documents, now(), random(), &body);
    match kept(&shared, events).await {
        Ok(()) if is_new => told(StatusCode::CREATED, "Created"),
        Ok(()) => told(StatusCode::OK, "OK"),
        Err(refusal) => refusal,
    }
}

/// The begin of a body. What a ping says stands in its path, so that a body which is too long, too slow or broken off takes
/// nothing from it; the rest is read and dropped, since some clients fail when they can't send it.
async fn begin_of(mut body: Body) -> Vec<u8> {
    let mut begin = Vec::new();
    let reading = async {
        let mut n_read = 0;
        while n_read < BODY_READ {
            let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await else { return };
            let Ok(data) = frame.into_data() else { continue };
            n_read += data.len();
            begin.extend_from_slice(&data[..data.len().min(BODY_KEPT - begin.len())]);
        }
    };
    // What came until then is kept.
    let _ = tokio::time::timeout(BODY_PATIENCE, reading).await;
    begin
}

fn told(status: StatusCode, words: &'static str) -> Response {
    let limit = BODY_KEPT.to_string();
    (status, [("ping-body-limit", limit.as_str()), ("content-type", "text/plain; charset=utf-8")], words)
        .into_response()
}

/// Browsers say where a request comes from; clients of cron monitors do not. Source: Fetch Metadata of the W3C.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// What the parts of a path and a query mean. Errors: what is answered.
fn understood(
    parts: [Option<&str>; 3],
    query: &str,
    by_uuid: impl Fn(&str) -> Option<String>,
) -> Result<Ping, (StatusCode, &'static str)> {
    let bad = (StatusCode::BAD_REQUEST, "invalid url format");
    let missing = (StatusCode::NOT_FOUND, "not found");
    let (workflow, action) = match parts {
        [Some(uuid), action, None] if is_uuid(uuid) => (by_uuid(uuid).ok_or(missing)?, action),
        // An id needs no key, so that it must not pass for one.
        [Some(key), Some(name), action] if !is_uuid(key) && is_name(name) => (name.to_owned(), action),
        [Some(_), None, None] => return Err(missing),
        _ => return Err(bad),
    };
    let says = match action {
        None => Says::Success,
        Some("start") => Says::Start,
        Some("fail") => Says::Fail,
        Some("log") => Says::Log,
        Some(code) => Says::Exit(code.parse().map_err(|_| bad)?),
    };
    let value_of = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let rid = match value_of("rid") {
        Some(rid) if is_uuid(rid) => Some(rid.to_ascii_lowercase()),
        Some(_) => return Err((StatusCode::BAD_REQUEST, "invalid uuid format")),
        None => None,
    };
    Ok(Ping { workflow, says, rid, may_create: value_of("create") == Some("1") })
}

/// The five groups of a UUID. Source: RFC 9562, section 4.
pub(crate) fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

/// A slug as Healthchecks allows it, in capitals as well: names of workflows may have them.
fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The events that a ping is: of the open run with this `rid`, or of a new one.
fn events(ping: &Ping, past: &[Document], now: Moment, random: [u8; 10], body: &[u8]) -> Vec<RunEvent> {
    let rid_of = |run: &Document| {
        run.started.as_ref().and_then(|started| started.unknown.get("rid")?.as_str().map(str::to_owned))
    };
    let open = past.iter().find(|run| run.outcome.is_none() && rid_of(run) == ping.rid).map(|run| run.run.clone());
    // A ping that comes twice, since its answer was lost, is about the run that it was about before.
    let is_recent = |run: &&Document| run.heard_at.is_some_and(|at| now.0.saturating_sub(at.0) < SAME_RID_FOR);
    let same = past.iter().filter(is_recent).find(|run| ping.rid.is_some() && rid_of(run) == ping.rid);
    let known = open.or_else(|| same.map(|run| run.run.clone()));
    let fresh = || RunId::from_parts(u64::try_from(now.0).unwrap_or_default(), random);
    let started = |run: &RunId| {
        let mut started = Started { workflow: ping.workflow.clone(), ..Started::default() };
        started.unknown.extend(ping.rid.clone().map(|rid| ("rid".to_owned(), Value::from(rid))));
        RunEvent::new(format!("ping-{run}-start"), run.clone(), now, Happened::Started(started))
    };
    let mut events = match (ping.says, known) {
        (Says::Start, Some(run)) if ping.rid.is_some() => vec![started(&run)],
        (Says::Start, _) => vec![started(&fresh())],
        (Says::Log, None) => Vec::new(),
        (Says::Log, Some(run)) => {
            vec![RunEvent::new(format!("ping-{run}-log-{}", now.0), run, now, Happened::Heartbeat {})]
        }
        (says, Some(run)) => vec![finished(&run, says, now)],
        (says, None) => {
            let run = fresh();
            vec![started(&run), finished(&run, says, now)]
        }
    };
    if let (Some(last), false) = (events.last_mut(), body.is_empty()) {
        let kept = String::from_utf8_lossy(body).into_owned();
        last.attributes.insert("ping_body".to_owned(), Value::from(kept));
    }
    events
}

fn finished(run: &RunId, says: Says, now: Moment) -> RunEvent {
    let (outcome, because, exit_code) = match says {
        Says::Exit(0) => (Outcome::Aligned, "a ping told of exit code 0".to_owned(), Some(0)),
        Says::Exit(code) => (Outcome::Failed, format!("a ping told of exit code {code}"), Some(i32::from(code))),
        Says::Fail => (Outcome::Failed, "a ping told of a failure".to_owned(), None),
        _ => (Outcome::Aligned, "a ping told of success".to_owned(), None),
    };
    let finished = Finished { outcome, because, exit_code, ..Finished::default() };
    RunEvent::new(format!("ping-{run}-end"), run.clone(), now, Happened::Finished(finished))
}

fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Different each time; it need not be secret.
fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    for part in bytes.chunks_mut(8) {
        let random = RandomState::new().build_hasher().finish().to_le_bytes();
        part.copy_from_slice(&random[..part.len()]);
    }
    bytes
}

/// How long pings with one `rid` are about one run, in milliseconds from the last one on. Source: ours; clients try again for minutes, and
/// whoever has but one `rid` starts a run each day.
const SAME_RID_FOR: i64 = 20 * 3_600_000;

#[cfg(test)]
mod tests {
    use alignwatch_model::run::Run;

    use super::*;

    const UUID: &str = "f0e1d2c3-0000-4000-8000-0123456789ab";

    fn ping(path: &str, query: &str) -> Result<Ping, (u16, &'static str)> {
        let mut parts = path.split('/');
        let parts = [parts.next(), parts.next(), parts.next()];
        let by_uuid = |uuid: &str| (uuid == UUID).then(|| "nightly".to_owned());
        understood(parts, query, by_uuid).map_err(|(status, words)| (status.as_u16(), words))
    }

    fn says(path: &str) -> Result<(String, Says), (u16, &'static str)> {
        ping(path, "").map(|ping| (ping.workflow, ping.says))
    }

    #[test]
    fn the_begin_of_a_body_is_kept_however_long_it_is() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let kept = |n_bytes: usize| runtime.block_on(begin_of(Body::from(vec![b'x'; n_bytes]))).len();
        assert_eq!([0, 9_999, 10_001, 3 << 20].map(kept), [0, 9_999, BODY_KEPT, BODY_KEPT]);
    }

    #[test]
    fn a_path_says_which_workflow_and_what_of_it() {
        let nightly = |says| Ok(("nightly".to_owned(), says));
        assert_eq!(says(UUID), nightly(Says::Success));
        assert_eq!(says(&format!("{UUID}/start")), nightly(Says::Start));
        assert_eq!(says("key/nightly"), nightly(Says::Success));
        assert_eq!(says("key/nightly/fail"), nightly(Says::Fail));
        assert_eq!(says("key/nightly/log"), nightly(Says::Log));
        assert_eq!(says("key/nightly/255"), nightly(Says::Exit(255)));
        assert_eq!(says("key/nightly/256"), Err((400, "invalid url format")));
        assert_eq!(says(&format!("{UUID}/nightly/fail")), Err((400, "invalid url format")));
        assert_eq!(says("key/a b"), Err((400, "invalid url format")));
        assert_eq!(says("f0e1d2c3-0000-4000-8000-000000000000"), Err((404, "not found")));
        assert_eq!(says("x"), Err((404, "not found")));
        assert_eq!(ping("k/n", "rid=1"), Err((400, "invalid uuid format")));
        let asked = ping("k/n", &format!("create=1&rid={}", UUID.to_uppercase())).expect("a ping");
        assert_eq!((asked.rid.as_deref(), asked.may_create), (Some(UUID), true));
    }

    /// What is known of the runs after these pings, a second apart.
    fn after(pings: &[(&str, &str)]) -> Vec<Document> {
        let mut runs: Vec<Run> = Vec::new();
        for (nth, (path, query)) in pings.iter().enumerate() {
            let documents: Vec<Document> = runs.iter().rev().filter_map(Run::document).collect();
            let now = Moment(1_767_225_600_000 + 1_000 * nth as i64);
            for event in events(&ping(path, query).expect("a ping"), &documents, now, [nth as u8; 10], b"said") {
                let known =
                    runs.iter_mut().find(|run| run.document().is_some_and(|document| document.run == event.run));
                match known {
                    Some(run) => _ = run.apply(event),
                    None => runs.push(Run::of([event])),
                }
            }
        }
        runs.iter().filter_map(Run::document).collect()
    }

    fn outcomes(pings: &[(&str, &str)]) -> Vec<Option<Outcome>> {
        after(pings).iter().map(|run| run.outcome).collect()
    }

    #[test]
    fn pings_make_runs_and_end_them() {
        assert_eq!(outcomes(&[("k/n/start", "")]), [None]);
        assert_eq!(outcomes(&[("k/n/start", ""), ("k/n/log", ""), ("k/n", "")]), [Some(Outcome::Aligned)]);
        assert_eq!(outcomes(&[("k/n", ""), ("k/n/7", "")]), [Some(Outcome::Aligned), Some(Outcome::Failed)]);
        assert_eq!(outcomes(&[("k/n/log", "")]), []);
        let run = &after(&[("k/n/start", ""), ("k/n/7", "")])[0];
        assert_eq!(run.finished.as_ref().and_then(|finished| finished.exit_code), Some(7));
    }

    #[test]
    fn runs_that_overlap_are_told_apart_by_their_id() {
        let (a, b) = (format!("rid={UUID}"), "rid=f0e1d2c3-0000-4000-8000-0123456789ac");
        let told = outcomes(&[("k/n/start", &a), ("k/n/start", b), ("k/n/fail", &a), ("k/n", "")]);
        assert_eq!(told, [Some(Outcome::Failed), None, Some(Outcome::Aligned)]);
    }

    #[test]
    fn a_ping_that_comes_twice_makes_no_second_run() {
        let a = format!("rid={UUID}");
        for first in ["k/n", "k/n/start", "k/n/0"] {
            assert_eq!(after(&[(first, &a), (first, &a)]).len(), 1, "{first}");
        }
        assert_eq!(outcomes(&[("k/n/start", &a), ("k/n", &a), ("k/n", &a)]), [Some(Outcome::Aligned)]);
        // The end is told once; what comes after it changes nothing.
        assert_eq!(outcomes(&[("k/n", &a), ("k/n/start", &a)]), [Some(Outcome::Aligned)]);
        assert_eq!(after(&[("k/n", ""), ("k/n", "")]).len(), 2, "without an id each is one");
    }
}
