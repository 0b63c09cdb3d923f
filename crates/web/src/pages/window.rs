//! What people ask of a window that is open from a page: to make it longer, or to end it. It is shown before it is done.

use std::sync::Arc;

use alignwatch_model::{
    Span,
    config::{length_text, parse_length},
    quote::shell_word,
    window::{ChangeWish, Purpose, Wanted, Window},
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
    shell::{Failed, Section, Shell, made},
    told,
};
use crate::{
    Shared,
    access::Who,
    problem::{Problem, in_the_background},
};

/// Where people are afterwards.
const WINDOWS: &str = "/maintenance#h-windows";

/// How much longer, where nothing is said. Source: ours; time to finish what is under way.
const LONGER: &str = "1h";

/// What is wanted of the window.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// How much longer; empty = it ends now.
    longer: String,
    who: String,
    note: String,
}

impl Asked {
    fn wanted(&self) -> Result<Wanted, String> {
        match self.longer.trim() {
            "" => Ok(Wanted::End),
            text => parse_length(text)
                .filter(|span| 0 < span.0)
                .map(Wanted::Longer)
                .ok_or_else(|| format!("`{text}` is no length of time: write it like {LONGER}")),
        }
    }
}

#[derive(Template)]
#[template(path = "window.html")]
struct WindowPage {
    shell: Shell,
    name: String,
    purpose: &'static str,
    reason: String,
    /// Until when it is open; empty = it is not.
    open_until: String,
    /// What would be so then; or why it can't be done.
    would_be: Result<String, String>,
    longer: String,
    ends: bool,
    /// Where it is asked for, and how it is typed.
    place: String,
    command: String,
    /// How much longer can be asked for.
    choices: [String; 3],
}

/// What would be so, before it is done.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| {
        let shell = Shell::new(shared, format!("Window {name}"), Section::Maintenance);
        let rules = &shared.loaded().config.windows;
        let windows: Vec<Window> = rules.iter().filter_map(|rule| rule.window().ok()).collect();
        let window = windows.iter().find(|window| window.name == name);
        let window =
            window.ok_or_else(|| Failed::not_found("There is no window of this name in the configuration."))?;
        let wish = |wanted| ChangeWish { window: name.clone(), wanted, who: "?".to_owned(), note: String::new() };
        let would_be = asked.wanted().and_then(|wanted| wish(wanted).change(&windows, shell.now));
        Ok(WindowPage {
            purpose: window.purpose.word(),
            reason: window.reason.clone(),
            open_until: window.on_now(shell.now).map_or(String::new(), |(_, opening)| opening.until.rfc3339()),
            would_be: would_be.map(|change| change.until.rfc3339()),
            ends: asked.longer.trim().is_empty(),
            place: place(&name),
            command: command(&name, asked.longer.trim()),
            longer: asked.longer,
            choices: [1, 2, 4].map(|hours| length_text(Span::hours(hours))),
            name,
            shell,
        })
    })
    .await
}

/// Where a window can be changed.
pub(super) fn place(name: &str) -> String {
    format!("/maintenance/windows/{}", told::encoded(name).replace('/', "%2F"))
}

fn command(name: &str, longer: &str) -> String {
    let [name, longer] = [name, longer].map(|word| shell_word(word.as_bytes()));
    match longer.as_str() {
        "''" | "" => format!("alignwatch window end {name}"),
        longer => format!("alignwatch window extend {name} {longer}"),
    }
}

/// Has it done. It is on the disk when this is answered.
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    Path(window): Path<String>,
    who: Who,
    Form(asked): Form<Asked>,
) -> Result<Response, Failed> {
    let wanted = asked.wanted().map_err(|reason| Problem::new(StatusCode::BAD_REQUEST, reason))?;
    let note = asked.note.chars().take(500).collect();
    let wish = ChangeWish { window, wanted, who: who.says(&asked.who), note };
    in_the_background(move || (shared.asks.windows)(wish)).await?;
    Ok(Redirect::to(WINDOWS).into_response())
}

impl WindowPage {
    /// What it means.
    fn meaning(&self) -> &'static str {
        match (self.purpose == Purpose::Freeze.word(), self.ends) {
            (true, true) => "Tasks and alignments may change something again at once.",
            (true, false) => "Tasks and alignments are held back so much longer.",
            (false, true) => "Tasks begin no more, and what was held back of alerts is told.",
            (false, false) => "Tasks may run so much longer, and alerts are held back as long.",
        }
    }
}
