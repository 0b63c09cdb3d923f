//! Whether alignwatch itself does all that it should, for programs.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{Timestamp, alert::own::Broken};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;

#[derive(Serialize, ToSchema)]
pub(crate) struct Promises {
    schema: &'static str,
    /// Those that are not kept; null = it was not looked at yet.
    broken: Option<Vec<NotKept>>,
    /// The calls to somebody outside; null = there is nobody.
    heartbeat: Option<Heartbeat>,
    /// Scheduled tests, by channel.
    canaries: BTreeMap<String, Canary>,
}

/// A promise that is not kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotKept {
    /// Its name.
    promise: &'static str,
    /// The channel that it is about, if one.
    channel: Option<String>,
    /// How it is broken, in a sentence.
    why: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Heartbeat {
    /// How often it is called.
    every_seconds: i64,
    /// When it was last heard that all is well.
    well_at: Option<String>,
    /// When a call was last heard, whatever it said.
    told_at: Option<String>,
    /// Why the last call was not heard; null = it was.
    failure: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Canary {
    /// When the last one was sent.
    sent_at: Option<String>,
    /// When one last arrived.
    arrived_at: Option<String>,
    /// Why the last one did not arrive; null = it did, or it is still tried.
    failure: Option<String>,
}

/// Does alignwatch itself do all that it should?
#[utoipa::path(get, path = "/api/v1/promises", responses(
    (status = 200, description = "Its promises that are not kept, its calls to somebody outside, its tests of channels.",
     body = Promises)))]
pub(crate) async fn promises(State(shared): State<Arc<Shared>>) -> Json<Promises> {
    let alerting = shared.alerting();
    let (book, config) = (&alerting.book, &shared.loaded().config);
    let not_kept =
        |broken: &Broken| NotKept { promise: broken.promise, channel: broken.channel.clone(), why: broken.why.clone() };
    let canary = |channel: &String| {
        let known = book.canaries.get(channel).cloned().unwrap_or_default();
        let (sent_at, arrived_at) = (known.sent_at.map(Timestamp::rfc3339), known.arrived_at.map(Timestamp::rfc3339));
        (channel.clone(), Canary { sent_at, arrived_at, failure: known.failure })
    };
    Json(Promises {
        schema: "alignwatch.promises/1",
        broken: book.broken.as_ref().map(|broken| broken.iter().map(not_kept).collect()),
        heartbeat: config.heartbeat.url.as_ref().map(|_| Heartbeat {
            every_seconds: config.heartbeat.every.0,
            well_at: book.heartbeat.well_at.map(Timestamp::rfc3339),
            told_at: book.heartbeat.told_at.map(Timestamp::rfc3339),
            failure: book.heartbeat.failure.clone(),
        }),
        canaries: config.canaries.iter().flat_map(|entry| &entry.channels).map(canary).collect(),
    })
}
