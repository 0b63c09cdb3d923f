//! Alerts: listed with what holds them, explained, acknowledged; and the messages about them.

use std::sync::Arc;

use alignwatch_model::{
    Timestamp,
    alert::{Ack, Alert, Phase, Wish, explain, mute::Mute, outbox::Outgoing, unsent::Holding},
    record::RecordKind,
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Shared,
    access::Who,
    api::{Asked, Named},
    problem::Problem,
    runs::refused,
};

/// Messages that are looked through for an explanation. Source: ours; a month of a busy channel.
const MESSAGES_LOOKED_AT: usize = 2_000;

/// Messages in one answer, at most.
const MESSAGES_AT_MOST: usize = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Also those that are pending, and those that ended lately.
    #[serde(default)]
    all: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Alerts {
    schema: &'static str,
    alerts: Vec<Shown>,
}

/// An alert, with what holds back its telling.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shown {
    /// All of it.
    #[schema(value_type = Object)]
    #[serde(flatten)]
    alert: Alert,
    /// What holds it; null = nothing does.
    #[schema(value_type = Option<Object>)]
    held: Option<Mute>,
}

fn shown(holding: &Holding<'_>, alert: &Alert) -> Shown {
    let held = alert.is_firing().then(|| holding.back(alert)).flatten();
    Shown { alert: alert.clone(), held }
}

/// Alerts, the gravest first.
#[utoipa::path(get, path = "/api/v1/alerts", params(Which), responses(
    (status = 200, description = "Those that fire.", body = Alerts),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn alerts(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Alerts>, Problem> {
    let alerting = shared.alerting();
    let wanted = alerting.book.alerts().filter(|alert| which.all || alert.is_firing());
    let holding = Holding::of(&alerting.book, &alerting.policy, crate::now());
    let mut alerts: Vec<Shown> = wanted.map(|alert| shown(&holding, alert)).collect();
    alerts.sort_by_key(|shown| {
        (order(shown.alert.phase), std::cmp::Reverse(shown.alert.severity), shown.alert.starts_at)
    });
    Ok(Json(Alerts { schema: "alignwatch.alerts/1", alerts }))
}

fn order(phase: Phase) -> u8 {
    match phase {
        Phase::Firing => 0,
        Phase::Pending => 1,
        Phase::Resolved => 2,
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Explained {
    schema: &'static str,
    /// The alert.
    #[schema(value_type = Object)]
    alert: Alert,
    /// The decisions, in order.
    #[schema(value_type = Vec<Object>)]
    chain: Vec<explain::Link>,
}

fn unknown(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no alert `{id}`; /api/v1/alerts lists them"))
}

/// Why somebody was told of an alert, or was not.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", params(("id" = String, Path, description = "Its id or fingerprint.")), responses(
    (status = 200, description = "The chain of decisions.", body = Explained),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn alert(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
) -> Result<Json<Explained>, Problem> {
    let (alerting, now) = (shared.alerting(), crate::now());
    let alert = match alerting.book.alert(&id) {
        Some(alert) => alert.clone(),
        None => past(&shared, &id)?.ok_or_else(|| unknown(&id))?,
    };
    let past = messages(&shared, MESSAGES_LOOKED_AT)?;
    let chain = explain::chain(&alerting.book, &alerting.policy, &alert, &past, now);
    Ok(Json(Explained { schema: "alignwatch.alert/1", alert, chain }))
}

/// An alert that is over and only the store knows.
pub(crate) fn past(shared: &Shared, id: &str) -> Result<Option<Alert>, Problem> {
    let record = shared.read(|store| store.record(RecordKind::Alert, id))?;
    Ok(record.and_then(|record| serde_json::from_str(&record.document?).ok()))
}

pub(crate) fn messages(shared: &Shared, at_most: usize) -> Result<Vec<Outgoing>, Problem> {
    let records = shared.read(|store| store.records(RecordKind::Outgoing, at_most))?;
    Ok(records.into_iter().filter_map(|record| serde_json::from_str(&record.document?).ok()).collect())
}

/// What whoever cares for an alert says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Care {
    /// Who.
    #[schema(min_length = 1, max_length = 200)]
    who: String,
    /// What they say.
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
    /// Until when; null = until it is over.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// It stays when the alert gets graver.
    #[serde(default)]
    is_sticky: bool,
}

/// Says that somebody cares for an alert: nobody is told again until it is over.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/ack", request_body = Care,
    params(("id" = String, Path, description = "Its id or fingerprint.")), responses(
    (status = 204, description = "It is known."),
    (status = 400, description = "The body is not one.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It can't be done.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn ack(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
    who: Who,
    care: Result<Json<Care>, JsonRejection>,
) -> Result<StatusCode, Response> {
    let Json(care) = care.map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, wrong.body_text()).into_response())?;
    known(&shared, &id).map_err(Problem::into_response)?;
    let ack = Ack {
        who: who.says(&care.who),
        note: care.note,
        at: crate::now(),
        until: care.until,
        is_sticky: care.is_sticky,
    };
    done(&shared, Wish::Ack { alert: id, ack }).await
}

/// Says that nobody cares for an alert any more.
#[utoipa::path(delete, path = "/api/v1/alerts/{id}/ack", params(("id" = String, Path, description = "Its id or fingerprint.")), responses(
    (status = 204, description = "It is known."),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It can't be done.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn unack(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
    who: Who,
) -> Result<StatusCode, Response> {
    known(&shared, &id).map_err(Problem::into_response)?;
    done(&shared, Wish::Unack { alert: id, who: who.by_the_api() }).await
}

fn known(shared: &Shared, id: &str) -> Result<(), Problem> {
    shared.alerting().book.alert(id).map(drop).ok_or_else(|| unknown(id))
}

async fn done(shared: &Shared, wish: Wish) -> Result<StatusCode, Response> {
    shared.wish(wish).await.map(|()| StatusCode::NO_CONTENT).map_err(|refusal| refused(&refusal))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Messages {
    schema: &'static str,
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Outgoing>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichMessages {
    /// Only those that could not be delivered.
    #[serde(default)]
    dead: bool,
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Messages, the newest first, each with its attempts.
#[utoipa::path(get, path = "/api/v1/messages", params(WhichMessages), responses(
    (status = 200, description = "Messages.", body = Messages),
    (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_messages(
    State(shared): State<Arc<Shared>>,
    Asked(which): Asked<WhichMessages>,
) -> Result<Json<Messages>, Problem> {
    let limit = which.limit.unwrap_or(100);
    if !(1..=MESSAGES_AT_MOST).contains(&limit) {
        let detail = format!("`limit` must lie between 1 and {MESSAGES_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let is_dead = |row: &Outgoing| matches!(row.state, alignwatch_model::alert::outbox::State::Dead(_));
    let messages = match which.dead {
        true => shared.alerting().book.outbox.values().filter(|row| is_dead(row)).take(limit).cloned().collect(),
        false => messages(&shared, limit)?,
    };
    Ok(Json(Messages { schema: "alignwatch.messages/1", messages }))
}

/// Ends an alert by hand, such as one of a repository that is watched no more. What is still bad fires again.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/end", params(("id" = String, Path, description = "Its id or fingerprint.")), responses(
    (status = 204, description = "It is over."),
    (status = 400, description = "That is no id.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It can't be done.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
    who: Who,
) -> Result<StatusCode, Response> {
    known(&shared, &id).map_err(Problem::into_response)?;
    done(&shared, Wish::End { alert: id, who: who.by_the_api() }).await
}

/// Tries a message again that could not be delivered.
#[utoipa::path(post, path = "/api/v1/messages/{key}/retry", params(("key" = String, Path, description = "Its key.")), responses(
    (status = 204, description = "It will be."),
    (status = 400, description = "That is no key.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no message with this key.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It can't be done.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn retry(
    State(shared): State<Arc<Shared>>,
    Named(key): Named<String>,
    who: Who,
) -> Result<StatusCode, Response> {
    known_message(&shared, &key).map_err(Problem::into_response)?;
    done(&shared, Wish::Retry { key, who: who.by_the_api() }).await
}

/// Gives a message up that could not be delivered.
#[utoipa::path(delete, path = "/api/v1/messages/{key}", params(("key" = String, Path, description = "Its key.")), responses(
    (status = 204, description = "It is given up; the store keeps it."),
    (status = 400, description = "That is no key.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no message with this key.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It can't be done.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "There is too much to do.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "It could not be kept.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn give_up(
    State(shared): State<Arc<Shared>>,
    Named(key): Named<String>,
    who: Who,
) -> Result<StatusCode, Response> {
    known_message(&shared, &key).map_err(Problem::into_response)?;
    done(&shared, Wish::Drop { key, who: who.by_the_api() }).await
}

fn known_message(shared: &Shared, key: &str) -> Result<(), Problem> {
    let is_known = shared.alerting().book.outbox.contains_key(key);
    is_known.then_some(()).ok_or_else(|| {
        let detail =
            format!("there is no message `{key}` that waits or could not be delivered; /api/v1/messages lists all");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
