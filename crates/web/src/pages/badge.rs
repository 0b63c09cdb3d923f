//! Badges for the README of a repository: one fact as a small picture.

use std::sync::Arc;

use alignwatch_model::{branch::State as BranchState, record::GONE, words::thousands};
use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    course::courses,
    shell::{self, Failed},
    told,
};
use crate::{Shared, problem::Problem};

/// What a badge can tell.
const KINDS: [&str; 4] = ["health", "aligned", "conflicting", "branches"];

/// Width of a letter, about: 11 px sans-serif. Source: measured; what is a little wide looks better than what is cut.
const LETTER: f64 = 6.7;

#[derive(Template)]
#[template(path = "badge.svg")]
struct Badge {
    label: &'static str,
    value: String,
    colour: &'static str,
}

pub(super) async fn badge(
    State(shared): State<Arc<Shared>>,
    Path((repository, kind)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let made = tokio::task::spawn_blocking(move || made(&shared, &repository, &kind));
    match made.await {
        Ok(Ok(Some(badge))) => shell::sent(&headers, "image/svg+xml", badge.render().unwrap_or_default()),
        Ok(Ok(None)) => {
            let detail = format!("there is no such badge; there are: {}", KINDS.join(".svg, ") + ".svg");
            Problem::new(StatusCode::NOT_FOUND, detail).into_response()
        }
        Ok(Err(failed)) => failed.into_response(),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `None` = there is no such kind. A repository is named by its id, or by the end of its path where only one has it.
fn made(shared: &Shared, repository: &str, kind: &str) -> Result<Option<Badge>, Failed> {
    let Some(kind) = kind.strip_suffix(".svg").filter(|kind| KINDS.contains(kind)) else { return Ok(None) };
    let (rows, _) = shared.repositories()?;
    let named: Vec<_> =
        rows.iter().filter(|row| row.id == repository || told::called(&row.path) == repository).collect();
    let [row] = named[..] else { return Ok(Some(Badge::of("alignment", None))) };
    if kind == "health" {
        let colour = match row.status.as_str() {
            "ok" | "info" => GOOD,
            "warning" => WARN,
            "error" | "critical" | GONE => BAD,
            _ => QUIET,
        };
        return Ok(Some(Badge::of("alignment", Some((row.status.clone(), colour)))));
    }
    if kind == "aligned" {
        let wanted = [("alignwatch_aligned_ratio", ""), ("alignwatch_aligned_objective_ratio", "")];
        let courses = courses(shared, &row.id, &wanted, alignwatch_model::Span::days(7))?;
        let of = |name: &str| courses.iter().find(|course| course.metric.name == name);
        let objective = of(wanted[1].0).and_then(|course| course.latest()).unwrap_or(1.0);
        let told = of(wanted[0].0).and_then(|course| Some((course.latest_told(), course.latest()?)));
        let told = told.map(|(text, value)| (text, if value < objective { BAD } else { GOOD }));
        return Ok(Some(Badge::of("aligned", told)));
    }
    // What a failed look leaves of the branches is old, and says so by being unknown.
    if row.reason.is_some() || row.seen_at.is_none() {
        return Ok(Some(Badge::of(if kind == "branches" { "branches" } else { "conflicting" }, None)));
    }
    let view = shared.view(&row.id)?;
    let n_conflicting = view.branches.iter().filter(|branch| branch.state == BranchState::Conflicting).count();
    Ok(Some(match kind {
        "branches" => Badge::of("branches", Some((thousands(view.branches.len()), QUIET))),
        _ => Badge::of("conflicting", Some((thousands(n_conflicting), if n_conflicting == 0 { GOOD } else { BAD }))),
    }))
}

const GOOD: &str = "#00734f";
const WARN: &str = "#8f5a00";
const BAD: &str = "#b3400c";
const QUIET: &str = "#5b5f66";

impl Badge {
    fn of(label: &'static str, told: Option<(String, &'static str)>) -> Badge {
        let (value, colour) = told.unwrap_or_else(|| ("unknown".to_owned(), QUIET));
        Badge { label, value, colour }
    }

    fn left(&self) -> f64 {
        (self.label.chars().count() as f64 * LETTER + 14.0).round()
    }

    fn right(&self) -> f64 {
        (self.value.chars().count() as f64 * LETTER + 14.0).round()
    }
}
