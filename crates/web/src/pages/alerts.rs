//! Alerts: what fires, who cares for it, what holds it back, and whether anybody was told.

use std::{cmp::Reverse, sync::Arc};

use alignwatch_model::{
    Timestamp,
    alert::{Alert, Phase, Silence, explain, mute::SilenceState, outbox, unsent::Holding},
    record::RecordKind,
    turn::Alerting,
    words::{agree, count},
};
use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark, Prose},
};
use crate::{Shared, alerts};

/// Alerts, messages and notes that are listed, each.
const SHOWN: usize = 50;

/// Messages that are looked through for an explanation.
const MESSAGES_LOOKED_AT: usize = 2_000;

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    shell: Shell,
    headline: String,
    firing: Vec<Row>,
    pending: Vec<Row>,
    over: Vec<Row>,
    silences: Vec<SilenceRow>,
    /// Messages that could not be delivered, and those that wait.
    stuck: Vec<MessageRow>,
    /// The last that were.
    delivered: Vec<MessageRow>,
    notes: Vec<Note>,
    has_channels: bool,
}

/// An alert in a list.
pub(super) struct Row {
    pub(super) mark: Mark,
    pub(super) address: String,
    pub(super) summary: Prose,
    pub(super) rule: String,
    pub(super) repository: String,
    pub(super) since: Option<Ago>,
    /// What holds its telling, or who cares for it.
    pub(super) held: String,
    pub(super) doubt: String,
}

struct SilenceRow {
    id: String,
    matchers: String,
    state: &'static str,
    until: String,
    who: String,
    comment: String,
    /// Alerts that it holds now.
    n_held: usize,
    has_ended: bool,
}

struct MessageRow {
    key: String,
    mark: Mark,
    channel: String,
    what: String,
    decided: Ago,
    /// What became of the last attempt.
    last: String,
    is_dead: bool,
}

/// Who did what.
#[derive(Deserialize)]
struct Note {
    at: String,
    who: String,
    what: String,
    of: String,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, alerts_page).await
}

fn alerts_page(shared: &Shared) -> Result<AlertsPage, Failed> {
    let (alerting, shell) = (shared.alerting(), Shell::new(shared, "Alerts", Section::Alerts));
    let now = shell.now;
    let of = |phase: Phase| rows(&alerting, phase, now);
    let (firing, pending, over) = (of(Phase::Firing), of(Phase::Pending), of(Phase::Resolved));
    let messages = alerts::messages(shared, SHOWN)?;
    let stuck = alerting.book.outbox.values().filter(|row| !matches!(row.state, outbox::State::Delivered));
    let delivered = messages.iter().filter(|row| matches!(row.state, outbox::State::Delivered));
    let mut silences: Vec<_> = alerting.book.silences.values().collect();
    silences.sort_by_key(|silence| (silence.state(now) == SilenceState::Expired, Reverse(silence.updated_at)));
    let notes = shared.read(|store| store.records(RecordKind::Audit, SHOWN))?;
    Ok(AlertsPage {
        headline: headline(&alerting, &firing),
        silences: silences.into_iter().take(SHOWN).map(|silence| SilenceRow::of(&alerting, silence, now)).collect(),
        stuck: stuck.take(SHOWN).map(|row| MessageRow::of(row, now)).collect(),
        delivered: delivered.take(12).map(|row| MessageRow::of(row, now)).collect(),
        notes: notes.iter().filter_map(|record| serde_json::from_str(record.document.as_deref()?).ok()).collect(),
        has_channels: !alerting.policy.routes.is_empty(),
        firing,
        pending,
        over,
        shell,
    })
}

fn headline(alerting: &Alerting, firing: &[Row]) -> String {
    let n_held = firing.iter().filter(|row| !row.held.is_empty()).count();
    let n_dead = alerting.book.outbox.values().filter(|row| matches!(row.state, outbox::State::Dead(_))).count();
    let mut text = match (firing.len(), n_held) {
        (0, _) => "No alert fires.".to_owned(),
        (n, 0) => format!("{} {}.", count(n, "alert"), agree(n, "fires", "fire")),
        (n, held) if n == held => {
            format!(
                "{} {}, and somebody or something holds {}.",
                count(n, "alert"),
                agree(n, "fires", "fire"),
                agree(n, "it", "all of them")
            )
        }
        (n, held) => format!("{} fire, of which {held} {} held.", count(n, "alert"), agree(held, "is", "are")),
    };
    if 0 < n_dead {
        text.push_str(&format!(" {} could not be delivered.", count(n_dead, "message")));
    }
    text
}

/// Alerts in this part of their life, the gravest first.
fn rows(alerting: &Alerting, phase: Phase, now: Timestamp) -> Vec<Row> {
    let mut alerts: Vec<&Alert> = alerting.book.alerts().filter(|alert| alert.phase == phase).collect();
    alerts.sort_by_key(|alert| (Reverse(alert.severity), Reverse(alert.starts_at), &alert.fingerprint));
    let holding = Holding::of(&alerting.book, &alerting.policy, now);
    alerts.into_iter().take(SHOWN * 4).map(|alert| Row::of(&holding, alert, now)).collect()
}

/// Alerts that fire, of one rule.
pub(super) struct Firing {
    /// The gravest, and the newest of those.
    pub(super) worst: Row,
    /// How many there are beside it.
    pub(super) n_more: usize,
    /// How many of all are held: by somebody who cares for them, a silence, a window.
    pub(super) n_held: usize,
    /// Where they are, in words.
    pub(super) place: String,
}

/// Alerts that fire by their rule, the gravest first; and how many rules are left out.
pub(super) fn firing(shared: &Shared, at_most: usize) -> (Vec<Firing>, usize) {
    let mut rules: Vec<Vec<Row>> = Vec::new();
    for row in rows(&shared.alerting(), Phase::Firing, crate::now()) {
        match rules.iter_mut().find(|rows| rows[0].rule == row.rule) {
            Some(rows) => rows.push(row),
            None => rules.push(vec![row]),
        }
    }
    let n_left_out = rules.len().saturating_sub(at_most);
    (rules.into_iter().take(at_most).filter_map(Firing::of).collect(), n_left_out)
}

impl Firing {
    fn of(rows: Vec<Row>) -> Option<Firing> {
        let mut places: Vec<&str> = rows.iter().map(|row| row.repository.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        let place = match places[..] {
            [one] => one.to_owned(),
            _ => format!("in {}", count(places.len(), "repository")),
        };
        let n_held = rows.iter().filter(|row| !row.held.is_empty()).count();
        let n_more = rows.len().saturating_sub(1);
        Some(Firing { worst: rows.into_iter().next()?, n_more, n_held, place })
    }

    /// What holds them, in words; empty where nothing does.
    pub(super) fn held(&self) -> String {
        match (self.n_held, self.n_more) {
            (0, _) => String::new(),
            (_, 0) => format!("held: {}", self.worst.held),
            (held, more) => format!("{held} of {} held", more + 1),
        }
    }
}

/// Messages that somebody should have heard and did not: given up, and tried again after a failure.
pub(super) fn undelivered(shared: &Shared) -> (usize, usize) {
    let alerting = shared.alerting();
    let n = |is: fn(&outbox::Outgoing) -> bool| alerting.book.outbox.values().filter(|row| is(row)).count();
    let is_tried_again = |row: &outbox::Outgoing| {
        matches!(row.state, outbox::State::Waiting)
            && row.attempts.last().is_some_and(|attempt| matches!(attempt.outcome, outbox::Outcome::Failed(_)))
    };
    (n(|row| matches!(row.state, outbox::State::Dead(_))), n(is_tried_again))
}

impl Row {
    fn of(holding: &Holding<'_>, alert: &Alert, now: Timestamp) -> Row {
        let held = alert.is_firing().then(|| holding.back(alert)).flatten();
        let since = match alert.phase {
            Phase::Pending => alert.bad_since,
            Phase::Firing => alert.starts_at,
            Phase::Resolved => alert.ends_at,
        };
        Row {
            mark: match alert.phase {
                Phase::Resolved => Mark { tone: "ok", shape: "disc", word: "over" },
                Phase::Pending => Mark { shape: "half", ..told::health(alert.severity.word()) },
                Phase::Firing => told::health(alert.severity.word()),
            },
            address: format!("/alerts/{}", told::encoded(&alert.id)),
            summary: Prose::new(alert.summary.as_str()),
            rule: alert.rule.clone(),
            repository: told::called(&alert.repository).to_owned(),
            since: since.map(|at| Ago::new(at, now)),
            held: held.map(|mute| mute.text).unwrap_or_default(),
            doubt: alert.in_doubt.clone().unwrap_or_default(),
        }
    }
}

impl SilenceRow {
    fn of(alerting: &Alerting, silence: &Silence, now: Timestamp) -> SilenceRow {
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        let state = silence.state(now);
        SilenceRow {
            id: silence.id.clone(),
            matchers: matchers.join(", "),
            state: match state {
                SilenceState::Pending => "begins later",
                SilenceState::Active => "holds",
                SilenceState::Expired => "over",
            },
            until: silence.ends_at.rfc3339(),
            who: silence.created_by.clone(),
            comment: silence.comment.clone(),
            n_held: alerting.book.firing().filter(|alert| silence.is_about(alert)).count(),
            has_ended: state == SilenceState::Expired,
        }
    }
}

impl MessageRow {
    fn of(row: &outbox::Outgoing, now: Timestamp) -> MessageRow {
        let (mark, why) = match &row.state {
            outbox::State::Waiting => (Mark { tone: "info", shape: "half", word: "waits" }, String::new()),
            outbox::State::Delivered => (Mark { tone: "ok", shape: "disc", word: "delivered" }, String::new()),
            outbox::State::Superseded(_) => (Mark { tone: "info", shape: "dash", word: "superseded" }, String::new()),
            outbox::State::Dead(why) | outbox::State::Buried(why) => {
                (Mark { tone: "error", shape: "cross", word: "given up" }, why.clone())
            }
        };
        let last = row.attempts.last().map(|attempt| match &attempt.outcome {
            outbox::Outcome::Delivered(delivered) => delivered.answer.clone(),
            outbox::Outcome::Failed(failure) => failure.to_string(),
        });
        MessageRow {
            key: row.key.clone(),
            mark,
            channel: row.telling.channel.clone(),
            what: format!("{}, {}", row.telling.reason.words(), count(row.telling.alerts.len(), "alert")),
            decided: Ago::new(row.decided_at, now),
            last: if why.is_empty() { last.unwrap_or_default() } else { why },
            is_dead: matches!(row.state, outbox::State::Dead(_)),
        }
    }
}

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    shell: Shell,
    alert: Alert,
    mark: Mark,
    summary: Prose,
    description: Prose,
    since: String,
    chain: Vec<explain::Link>,
    commands: Vec<(String, bool)>,
    labels: Vec<(String, String)>,
    /// Matchers that hold this alert and little else.
    matchers: String,
    repository: String,
}

pub(super) async fn alert(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| alert_page(shared, &id)).await
}

fn alert_page(shared: &Shared, id: &str) -> Result<AlertPage, Failed> {
    let (alerting, shell) = (shared.alerting(), Shell::new(shared, "Alert", Section::Alerts));
    let known = alerting.book.alert(id).cloned();
    let alert = match known {
        Some(alert) => alert,
        None => alerts::past(shared, id)?.ok_or_else(|| Failed::not_found(format!("There is no alert {id}.")))?,
    };
    let past = alerts::messages(shared, MESSAGES_LOOKED_AT)?;
    let chain = explain::chain(&alerting.book, &alerting.policy, &alert, &past, shell.now);
    let time = |at: Option<Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), Timestamp::rfc3339);
    let since = match alert.phase {
        Phase::Pending => format!("bad since {}, not for long enough to fire", time(alert.bad_since)),
        Phase::Firing => format!("fires since {}", time(alert.starts_at)),
        Phase::Resolved => format!("fired from {} to {}", time(alert.starts_at), time(alert.ends_at)),
    };
    let matchers: Vec<String> = ["alertname", "repository", "subject"]
        .iter()
        .filter_map(|name| Some(alignwatch_model::alert::Matcher::equal(name, alert.labels.get(*name)?).to_string()))
        .collect();
    Ok(AlertPage {
        mark: told::health(alert.severity.word()),
        summary: Prose::new(alert.summary.as_str()),
        description: Prose::new(alert.description.as_str()),
        since,
        chain,
        commands: alert
            .commands
            .iter()
            .map(|command| (command.clone(), alignwatch_model::remedy::only_looks(command)))
            .collect(),
        labels: alert.labels_now().into_iter().collect(),
        matchers: matchers.join(", "),
        repository: told::called(&alert.repository).to_owned(),
        shell: Shell { title: alert.summary.clone(), ..shell },
        alert,
    })
}

/// Alerts that fire and that a silence would hold.
pub(super) fn held_by(shared: &Shared, silence: &Silence, now: Timestamp) -> Vec<Row> {
    let alerting = shared.alerting();
    let held = alerting.book.firing().filter(|alert| silence.is_about(alert));
    let holding = Holding::of(&alerting.book, &alerting.policy, now);
    held.map(|alert| Row::of(&holding, alert, now)).collect()
}

/// An id that no silence has.
pub(super) fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
