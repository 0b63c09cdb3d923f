//! The dashboard: pages for people, made here and readable without a script.
//!
//! One file a page: it asks the store, decides what is to be seen, and fills its template (`templates/`). Pages hold no
//! inline script or style, and everything that comes from a repository is text. A page that did not change is
//! answered with its `ETag` alone, so that an open page may ask often.
//!
//! * [`mod@shell`] is what all pages have in common: the frame, errors, the way they are sent.
//! * [`mod@told`] says how states, severities and times look, the same everywhere.
//! * [`mod@views`] keeps what was read of each repository until its next sweep.
//! * [`mod@chart`] and [`mod@map`] draw.

mod acting;
mod alerts;
mod assets;
mod badge;
mod branch;
mod branches;
mod calendar;
mod causes;
mod chart;
mod course;
pub(crate) mod escape;
mod fork;
mod head;
mod maintenance;
mod map;
mod overview;
mod reference;
pub(crate) mod report;
mod repository;
mod run;
mod runs;
mod selection;
mod shell;
mod status;
mod tending;
mod told;
mod views;
mod window;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use shell::nothing_here;
pub(crate) use views::Views;

use crate::Shared;

/// The routes of all pages.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(overview::page))
        .route("/repositories/{id}", get(repository::page))
        .route("/repositories/{id}/branches", get(branches::page))
        .route("/repositories/{id}/branch", get(branch::page))
        .route("/maintenance", get(maintenance::page))
        .route("/maintenance/windows/{name}", get(window::page).post(window::change))
        .route("/windows.ics", get(calendar::calendar))
        .route("/maintenance/plans", post(tending::plan))
        .route("/maintenance/plans/{ticket}", get(tending::planned))
        .route("/maintenance/plans/{ticket}/run", post(tending::run))
        .route("/maintenance/runs/{id}/undo", get(tending::undo_page).post(tending::undo))
        .route("/alerts", get(alerts::page))
        .route("/alerts/{id}", get(alerts::alert))
        .route("/alerts/{id}/ack", post(acting::ack))
        .route("/alerts/{id}/unack", post(acting::unack))
        .route("/silences/new", get(acting::preview))
        .route("/silences", post(acting::make))
        .route("/silences/{id}/end", post(acting::unsilence))
        .route("/messages/{key}/retry", post(acting::retry))
        .route("/runs", get(runs::page))
        .route("/runs/{id}", get(run::page))
        .route("/report", get(report::page))
        .route("/about/checks", get(reference::checks))
        .route("/about/metrics", get(reference::metrics))
        .route("/about/configuration", get(reference::configuration))
        .route("/status", get(status::page))
        .route("/badge/{repository}/{kind}", get(badge::badge))
        .route("/assets/{name}", get(assets::asset))
}
