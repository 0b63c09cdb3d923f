//! The status page: for those who only want to know whether all is well. It names repositories by their last name and
//! tells no path, no branch and no author, so that it may be shown to anybody.

use std::sync::Arc;

use alignwatch_model::{Span, Timestamp, alert::Book, words::count};
use alignwatch_store::RepositoryRow;
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    overview::headline,
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark},
};
use crate::Shared;

/// Days that are shown.
const DAYS: i64 = 60;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    shell: Shell,
    mark: Mark,
    headline: String,
    repositories: Vec<Repository>,
    own: Own,
}

/// Whether alignwatch itself does what it should. What it does not is for those who may see alerts.
struct Own {
    mark: Mark,
    told: &'static str,
    /// When somebody outside last heard that all is well, where there is somebody.
    heard: Option<Ago>,
}

struct Repository {
    name: String,
    health: Mark,
    swept: Ago,
    days: Vec<Day>,
    /// How many of the days that are known were without an error.
    told: String,
}

/// The worst of a day.
struct Day {
    x: i64,
    mark: Mark,
    told: String,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, |shared| {
        let shell = Shell::new(shared, "Status", Section::None);
        let (rows, _) = shared.repositories()?;
        let (mark, headline) = headline(&rows);
        let repositories = rows.iter().map(|row| repository(shared, row, shell.now));
        let own = own(&shared.alerting().book, shared.loaded().config.heartbeat.url.is_some(), shell.now);
        Ok(StatusPage { mark, headline, repositories: repositories.collect::<Result<_, _>>()?, own, shell })
    })
    .await
}

fn own(book: &Book, is_watched_over: bool, now: Timestamp) -> Own {
    let (status, told) = match &book.broken {
        Some(broken) if broken.is_empty() => ("ok", "alignwatch itself does all that it should"),
        Some(_) => ("error", "alignwatch itself does not do all that it should"),
        None => ("unknown", "it is not known yet whether alignwatch itself does all that it should"),
    };
    let heard = book.heartbeat.well_at.filter(|_| is_watched_over).map(|at| Ago::new(at, now));
    Own { mark: told::health(status), told, heard }
}

fn repository(shared: &Shared, row: &RepositoryRow, now: Timestamp) -> Result<Repository, Failed> {
    let days = days(shared, &row.id, now)?;
    let known = days.iter().filter(|day| day.mark.tone != "unknown");
    let n_known = known.clone().count();
    let n_well = known.filter(|day| day.mark.tone == "ok").count();
    Ok(Repository {
        name: told::called(&row.path).to_owned(),
        health: told::health(&row.status),
        swept: Ago::new(row.swept_at, now),
        told: format!("{n_well} of {} without an error", count(n_known, "known day")),
        days,
    })
}

/// The worst of each day, the oldest first. A day on which nothing was measured is not known.
fn days(shared: &Shared, id: &str, now: Timestamp) -> Result<Vec<Day>, Failed> {
    let tomorrow = now.0.div_euclid(86_400) * 86_400 + 86_400;
    let from = Timestamp(tomorrow - Span::days(DAYS).0);
    let mut worst: Vec<Option<usize>> = vec![None; DAYS as usize];
    for row in shared.read(|store| store.series(Some("alignwatch_findings"), Some(id)))? {
        let labels: serde_json::Value = serde_json::from_str(&row.labels).unwrap_or_default();
        let rank = match labels["severity"].as_str() {
            Some("critical") => 3,
            Some("error") => 2,
            Some("warning") => 1,
            _ => 0,
        };
        for point in shared.read(|store| store.points(row.id, from, Timestamp(tomorrow), 86_400))? {
            let day = ((point.at.0 - from.0) / 86_400).clamp(0, DAYS - 1) as usize;
            let found = if 0.0 < point.most { rank } else { 0 };
            worst[day] = Some(worst[day].unwrap_or(0).max(found));
        }
    }
    let day = |(n, worst): (usize, Option<usize>)| {
        let mark = told::health(match worst {
            None => "unknown",
            Some(0) => "ok",
            Some(1) => "warning",
            Some(2) => "error",
            Some(_) => "critical",
        });
        // Warnings are no outage: the day is well, and says so.
        let mark = if mark.tone == "warning" { Mark { tone: "ok", ..mark } } else { mark };
        let date: String = Timestamp(from.0 + n as i64 * 86_400).rfc3339().chars().take(10).collect();
        let told = if worst.is_none() { "nothing is known" } else { mark.word };
        Day { x: n as i64 * 10, mark, told: format!("{date}: {told}") }
    };
    Ok(worst.into_iter().enumerate().map(day).collect())
}
