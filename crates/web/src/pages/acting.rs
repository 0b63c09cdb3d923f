//! What people do about alerts from a page: say that they care, silence, take that back, try a message again.
//!
//! Each is a form that works without a script. A silence is shown before it is made: what it would hold now. Who may do
//! it is decided before anything comes here ([`crate::Access`]: the scope `operate`, and from no other site).

use std::sync::Arc;

use alignwatch_model::{
    Span, Timestamp,
    alert::{Ack, Silence, Wish, matcher},
    config::parse_length,
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    alerts::{self, Row},
    shell::{Failed, Section, Shell, made},
};
use crate::{Shared, access::Who as Token, problem::Problem};

/// Where people are afterwards.
const ALERTS: &str = "/alerts";

/// Does it, and leads on. Errors: why it was not done, as a page.
async fn done(shared: &Shared, wish: Wish, to: &str) -> Result<Response, Failed> {
    let refused = |refusal: alignwatch_model::turn::Refusal| {
        Failed::from(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("It was not done: {refusal}.")))
    };
    shared.wish(wish).await.map_err(refused)?;
    Ok(Redirect::to(to).into_response())
}

/// For so long from now on; nothing = until it is over. Errors: that is no length of time.
fn until(lasts: &str, now: Timestamp) -> Result<Option<Timestamp>, Failed> {
    if lasts.trim().is_empty() {
        return Ok(None);
    }
    let span =
        parse_length(lasts.trim()).ok_or_else(|| wrong(format!("`{lasts}` is no length of time: write it like 4h")))?;
    Ok(Some(Timestamp(now.0.saturating_add(span.0))))
}

fn wrong(detail: impl Into<String>) -> Failed {
    Problem::new(StatusCode::BAD_REQUEST, detail).into()
}

#[derive(Deserialize)]
pub(super) struct Care {
    who: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    lasts: String,
}

pub(super) async fn ack(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    token: Token,
    Form(care): Form<Care>,
) -> Result<Response, Failed> {
    let now = crate::now();
    let ack =
        Ack { who: token.says(&care.who), note: care.note, at: now, until: until(&care.lasts, now)?, is_sticky: false };
    let back = format!("{ALERTS}/{}", super::told::encoded(&id));
    done(&shared, Wish::Ack { alert: id, ack }, &back).await
}

#[derive(Deserialize)]
pub(super) struct Who {
    who: String,
}

pub(super) async fn unack(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    token: Token,
    Form(by): Form<Who>,
) -> Result<Response, Failed> {
    let back = format!("{ALERTS}/{}", super::told::encoded(&id));
    done(&shared, Wish::Unack { alert: id, who: token.says(&by.who) }, &back).await
}

pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    token: Token,
    Form(by): Form<Who>,
) -> Result<Response, Failed> {
    done(&shared, Wish::Retry { key, who: token.says(&by.who) }, ALERTS).await
}

pub(super) async fn unsilence(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    token: Token,
    Form(by): Form<Who>,
) -> Result<Response, Failed> {
    done(&shared, Wish::Unsilence { id, who: token.says(&by.who) }, ALERTS).await
}

/// A silence, as it is asked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    matchers: String,
    lasts: String,
    who: String,
    comment: String,
}

impl Wanted {
    /// The same, as if it were said who wants it and why: to see what it would hold.
    fn with_placeholders(&self) -> Wanted {
        let or = |text: &str| if text.trim().is_empty() { "?".to_owned() } else { text.to_owned() };
        Wanted { who: or(&self.who), comment: or(&self.comment), ..self.clone() }
    }
}

impl SilencePage {
    /// Can it be made as it is asked for?
    fn is_complete(&self) -> bool {
        !self.wanted.who.trim().is_empty() && !self.wanted.comment.trim().is_empty()
    }
}

#[derive(Template)]
#[template(path = "silence.html")]
struct SilencePage {
    shell: Shell,
    wanted: Wanted,
    /// What it would hold now; or what is wrong with it.
    would_hold: Result<Vec<Row>, String>,
    until: String,
    is_asked: bool,
}

/// What a silence would do, before it is made.
pub(super) async fn preview(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| {
        let shell = Shell::new(shared, "Silence", Section::Alerts);
        let is_asked = !wanted.matchers.is_empty();
        let silence = silence(shared, &wanted.with_placeholders(), shell.now);
        let until = silence.as_ref().map(|silence| silence.ends_at.rfc3339()).unwrap_or_default();
        let would_hold = silence.map(|silence| alerts::held_by(shared, &silence, shell.now));
        Ok(SilencePage { shell, wanted, would_hold, until, is_asked })
    })
    .await
}

/// The silence that is asked for. Errors: what is wrong with it, in a sentence.
fn silence(shared: &Shared, wanted: &Wanted, now: Timestamp) -> Result<Silence, String> {
    let matchers = matcher::parse_all(&wanted.matchers).map_err(|error| error.to_string())?;
    let lasts = if wanted.lasts.trim().is_empty() { "2h" } else { wanted.lasts.trim() };
    let lasts: Span = parse_length(lasts).ok_or_else(|| format!("`{lasts}` is no length of time: write it like 4h"))?;
    let silence = Silence {
        id: alerts::fresh_id(),
        matchers,
        starts_at: now,
        ends_at: Timestamp(now.0.saturating_add(lasts.0)),
        created_by: wanted.who.clone(),
        comment: wanted.comment.clone(),
        updated_at: now,
        ends_on_resolve: false,
    };
    silence.check(shared.alerting().policy.silence_at_most, now)?;
    Ok(silence)
}

pub(super) async fn make(
    State(shared): State<Arc<Shared>>,
    token: Token,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failed> {
    let wanted = Wanted { who: token.says(&wanted.who), ..wanted };
    let silence = silence(&shared, &wanted, crate::now()).map_err(wrong)?;
    done(&shared, Wish::Silence { silence, instead_of: None }, ALERTS).await
}
