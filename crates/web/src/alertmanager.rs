//! The API of Alertmanager, version 2, as far as its tools need it: alerts, groups, silences, status, receivers.
//!
//! `amtool` works against it, and a Prometheus can send its alerts here. The description of it is Alertmanager's own
//! (api/v2/openapi.yaml), so that it is not repeated in ours.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    Timestamp,
    alert::{
        Alert, Labels, Matcher, Silence, Wish,
        book::Posted,
        matcher::{all_match, parse_all},
        mute::{By, SilenceState},
        unsent::Holding,
    },
};
use axum::{
    Json, Router,
    extract::{Path, RawQuery, State, rejection::JsonRejection},
    http::StatusCode,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Shared,
    access::Who,
    problem::{Detail, Problem},
    runs::refused,
};

/// What somebody else's alert lasts at most. Source: ours; Prometheus sends them again every few minutes.
const POSTED_AT_MOST: usize = 5_000;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v2/status", get(status))
        .route("/api/v2/receivers", get(receivers))
        .route("/api/v2/alerts", get(alerts).post(post_alerts))
        .route("/api/v2/alerts/groups", get(groups))
        .route("/api/v2/silences", get(silences).post(post_silence))
        .route("/api/v2/silence/{id}", get(silence).delete(delete_silence))
        .layer(map_response(refused_as_alertmanager_does))
}

/// A refusal is one JSON string there, and has one of three numbers: its tools read no other. Source:
/// api/v2/openapi.yaml, `BadRequest`, `InternalServerError`.
async fn refused_as_alertmanager_does(mut response: Response) -> Response {
    let Some(Detail(detail)) = response.extensions_mut().remove() else { return response };
    let status = match response.status() {
        StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => response.status(),
        status if status.is_client_error() => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(detail)).into_response()
}

async fn status() -> Json<Value> {
    let none = "";
    Json(json!({
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"), "revision": none, "branch": none, "buildUser": none,
            "buildDate": none, "goVersion": none,
        },
        "config": {"original": "# alignwatch config show\n"},
        "uptime": "1970-01-01T00:00:00.000Z",
    }))
}

async fn receivers(State(shared): State<Arc<Shared>>) -> Json<Vec<Receiver>> {
    let alerting = shared.alerting();
    let routes = alerting.policy.routes.iter();
    let names =
        routes.flat_map(|route| route.channels.iter().chain(route.steps.iter().flat_map(|step| &step.channels)));
    let now = crate::now();
    let names: std::collections::BTreeSet<_> = names.flat_map(|who| who.channels(now)).map(str::to_owned).collect();
    Json(names.into_iter().map(|name| Receiver { name }).collect())
}

#[derive(Clone, Serialize)]
struct Receiver {
    name: String,
}

/// Which alerts are wanted.
struct Wanted {
    active: bool,
    silenced: bool,
    inhibited: bool,
    unprocessed: bool,
    matchers: Vec<Matcher>,
    receiver: Option<Matcher>,
}

impl Wanted {
    fn of(query: Option<&str>) -> Result<Wanted, Problem> {
        let mut wanted = Wanted {
            active: true,
            silenced: true,
            inhibited: true,
            unprocessed: true,
            matchers: Vec::new(),
            receiver: None,
        };
        let wrong =
            |error: alignwatch_model::alert::matcher::BadMatcher| Problem::new(StatusCode::BAD_REQUEST, error.0);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let is_true = value == "true";
            match &*name {
                "active" => wanted.active = is_true,
                "silenced" => wanted.silenced = is_true,
                "inhibited" => wanted.inhibited = is_true,
                "unprocessed" => wanted.unprocessed = is_true,
                "filter" => wanted.matchers.extend(parse_all(&value).map_err(wrong)?),
                "receiver" => wanted.receiver = Some(Matcher::new("receiver", &value, true, true).map_err(wrong)?),
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn takes(&self, shown: &Shown) -> bool {
        let is_wanted = match shown.status.state {
            "suppressed" if !shown.status.silenced_by.is_empty() => self.silenced,
            "suppressed" => self.inhibited,
            "unprocessed" => self.unprocessed,
            _ => self.active,
        };
        let is_received = |matcher: &Matcher| {
            let of =
                |receiver: &Receiver| matcher.matches(&Labels::from([("receiver".to_owned(), receiver.name.clone())]));
            shown.receivers.iter().any(of)
        };
        is_wanted && all_match(&self.matchers, &shown.labels) && self.receiver.as_ref().is_none_or(is_received)
    }
}

/// An alert, as Alertmanager shows it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    annotations: Labels,
    ends_at: Timestamp,
    fingerprint: String,
    receivers: Vec<Receiver>,
    starts_at: Timestamp,
    status: ShownStatus,
    updated_at: Timestamp,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    labels: Labels,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownStatus {
    state: &'static str,
    silenced_by: Vec<String>,
    inhibited_by: Vec<String>,
    muted_by: Vec<String>,
}

fn shown(holding: &Holding<'_>, alert: &Alert, now: Timestamp) -> Shown {
    let mute = holding.back(alert);
    let mut status = ShownStatus { state: "active", silenced_by: vec![], inhibited_by: vec![], muted_by: vec![] };
    match mute.map(|mute| mute.by) {
        None => {}
        Some(by) => {
            status.state = "suppressed";
            match by {
                By::Silence(id) => status.silenced_by.push(id),
                By::Cause(id) => status.inhibited_by.push(id),
                By::Window(name) | By::Ack(name) => status.muted_by.push(name),
            }
        }
    }
    let mut receivers: Vec<_> = holding.receivers(alert).into_iter().map(|(_, to)| to.channel).collect();
    receivers.dedup();
    let texts = [("summary", &alert.summary), ("description", &alert.description), ("runbook_url", &alert.runbook)];
    // Others have said all that they say in their own.
    let texts = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty() && !alert.is_foreign())
        .map(|(name, text)| (name.to_owned(), text.clone()));
    let mut annotations = alert.annotations.clone();
    annotations.extend(texts);
    Shown {
        annotations,
        // What goes on ends when it is not seen again; Alertmanager shows the time of that.
        ends_at: alert.ends_at.or(alert.ends_unless_posted_by).unwrap_or(Timestamp(now.0 + 300)),
        fingerprint: alert.fingerprint.clone(),
        receivers: receivers.into_iter().map(|name| Receiver { name }).collect(),
        starts_at: alert.starts_at.unwrap_or(now),
        status,
        updated_at: alert.seen_at,
        generator_url: String::new(),
        labels: alert.labels_now(),
    }
}

fn all_shown(shared: &Shared, wanted: &Wanted) -> Vec<Shown> {
    let (alerting, now) = (shared.alerting(), crate::now());
    let holding = Holding::of(&alerting.book, &alerting.policy, now);
    let firing = alerting.book.firing();
    firing.map(|alert| shown(&holding, alert, now)).filter(|shown| wanted.takes(shown)).collect()
}

async fn alerts(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Result<Json<Vec<Shown>>, Problem> {
    Ok(Json(all_shown(&shared, &Wanted::of(query.as_deref())?)))
}

#[derive(Serialize)]
struct Group {
    labels: Labels,
    receiver: Receiver,
    alerts: Vec<Shown>,
}

async fn groups(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Result<Json<Vec<Group>>, Problem> {
    let wanted = Wanted::of(query.as_deref())?;
    let (alerting, now) = (shared.alerting(), crate::now());
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let holding = Holding::of(&alerting.book, &alerting.policy, now);
    for alert in alerting.book.firing() {
        let shown = shown(&holding, alert, now);
        if !wanted.takes(&shown) {
            continue;
        }
        for (_, to) in holding.receivers(alert) {
            let key = (to.channel.clone(), to.group_key);
            let receiver = Receiver { name: to.channel };
            let group = groups.entry(key).or_insert(Group { labels: to.group_labels, receiver, alerts: Vec::new() });
            group.alerts.push(shown.clone());
        }
    }
    Ok(Json(groups.into_values().collect()))
}

/// An alert, as others send it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    starts_at: Option<Timestamp>,
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

/// The time that Go writes where there is none: the year 1.
const GO_ZERO: Timestamp = Timestamp(-62_135_596_800);

async fn post_alerts(
    State(shared): State<Arc<Shared>>,
    sent: Result<Json<Vec<Sent>>, JsonRejection>,
) -> Result<StatusCode, Response> {
    let Json(sent) = sent.map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, wrong.body_text()).into_response())?;
    if POSTED_AT_MOST < sent.len() {
        let detail = format!("{} alerts at once: send at most {POSTED_AT_MOST}", sent.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response());
    }
    let posted = sent.into_iter().map(|sent| Posted {
        labels: sent.labels,
        annotations: sent.annotations,
        starts_at: sent.starts_at.filter(|at| GO_ZERO < *at),
        ends_at: sent.ends_at.filter(|at| GO_ZERO < *at),
        generator: sent.generator_url,
    });
    shared.wish(Wish::Post(posted.collect())).await.map(|()| StatusCode::OK).map_err(|refusal| refused(&refusal))
}

/// A silence, as Alertmanager shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSilence {
    id: String,
    status: ShownState,
    updated_at: Timestamp,
    comment: String,
    created_by: String,
    ends_at: Timestamp,
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
}

#[derive(Serialize)]
struct ShownState {
    state: SilenceState,
}

fn show(silence: &Silence, now: Timestamp) -> ShownSilence {
    ShownSilence {
        id: silence.id.clone(),
        status: ShownState { state: silence.state(now) },
        updated_at: silence.updated_at,
        comment: silence.comment.clone(),
        created_by: silence.created_by.clone(),
        ends_at: silence.ends_at,
        matchers: silence.matchers.clone(),
        starts_at: silence.starts_at,
    }
}

async fn silences(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ShownSilence>>, Problem> {
    let wanted = Wanted::of(query.as_deref())?;
    let (alerting, now) = (shared.alerting(), crate::now());
    // A filter holds for the matchers of a silence: as if an equal one were a label.
    let labels = |silence: &Silence| -> Labels {
        silence.matchers.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect()
    };
    let all = alerting.book.silences.values().filter(|silence| all_match(&wanted.matchers, &labels(silence)));
    Ok(Json(all.map(|silence| show(silence, now)).collect()))
}

async fn silence(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<ShownSilence>, Problem> {
    let alerting = shared.alerting();
    let silence = alerting.book.silences.get(&id).ok_or_else(|| no_silence(&id))?;
    Ok(Json(show(silence, crate::now())))
}

fn no_silence(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no silence `{id}`"))
}

/// A silence, as others send it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentSilence {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    comment: String,
    /// Not of Alertmanager: it ends when nothing that it matches fires.
    #[serde(default)]
    ends_on_resolve: bool,
}

async fn post_silence(
    State(shared): State<Arc<Shared>>,
    sent: Result<Json<SentSilence>, JsonRejection>,
) -> Result<Json<Value>, Response> {
    let Json(sent) = sent.map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, wrong.body_text()).into_response())?;
    let now = crate::now();
    let instead_of = sent.id.filter(|id| !id.is_empty());
    let id = uuid::Uuid::new_v4().to_string();
    let silence = Silence {
        id: id.clone(),
        matchers: sent.matchers,
        starts_at: sent.starts_at.max(now),
        ends_at: sent.ends_at,
        created_by: sent.created_by,
        comment: sent.comment,
        updated_at: now,
        ends_on_resolve: sent.ends_on_resolve,
    };
    let wish = Wish::Silence { silence, instead_of };
    shared.wish(wish).await.map(|()| Json(json!({"silenceID": id}))).map_err(|refusal| refused(&refusal))
}

async fn delete_silence(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    who: Who,
) -> Result<StatusCode, Response> {
    if !shared.alerting().book.silences.contains_key(&id) {
        return Err(no_silence(&id).into_response());
    }
    let wish = Wish::Unsilence { id, who: who.by_the_api() };
    shared.wish(wish).await.map(|()| StatusCode::OK).map_err(|refusal| refused(&refusal))
}
