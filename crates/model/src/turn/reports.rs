//! What is reported of alignment runs: taken in, kept together, and answered when it is kept.

use std::collections::BTreeMap;

use super::{Effect, REST, State, hasten};
use crate::{
    Timestamp,
    run::{Happened, RunEvent, RunId},
};

/// Stands for somebody who waits for an answer to what was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

/// Why a report was not taken. It may be made again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More waits than can be held.
    #[error("more is reported than can be kept in time")]
    TooMuch,
    /// It makes no sense, for this reason.
    #[error("{0}")]
    Impossible(String),
    /// The store could not keep it.
    #[error("it could not be kept: {0}")]
    NotKept(String),
}

/// Reported events that wait to be kept at most. Source: ours; a few megabytes, and more than a disk takes in a second.
pub(super) const REPORTED_AT_MOST: usize = 20_000;

/// Runs whose repository is remembered, the newest. Source: ours; of those beyond it, the end is seen with the next sweep.
const UNDER_WAY_AT_MOST: usize = 10_000;

/// Reports that wait together.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) events: Vec<RunEvent>,
    pub(super) receipts: Vec<Receipt>,
}

/// Takes a report in, or refuses it.
pub(super) fn report(state: &mut State, receipt: Receipt, events: Vec<RunEvent>, now: Timestamp) -> Option<Effect> {
    let refusal = match (&state.store_trouble, state.keep_again_at) {
        (Some(reason), Some(at)) if now < at => Some(Refusal::NotKept(reason.clone())),
        _ if REPORTED_AT_MOST < state.reported.events.len() + events.len() => Some(Refusal::TooMuch),
        _ => None,
    };
    if let Some(refusal) = refusal {
        return answer(vec![receipt], Err(refusal));
    }
    for event in &events {
        if let Some(id) = touched_by(event, &mut state.under_way) {
            let path = state.repositories.iter().find(|(_, watched)| watched.id == id).map(|(path, _)| path.clone());
            path.into_iter().for_each(|path| hasten(state, &path, Timestamp(now.0 + REST.0)));
        }
    }
    state.reported.events.extend(events);
    state.reported.receipts.push(receipt);
    None
}

/// The id of the repository whose run begins, ends or was verified with this, as far as that was said.
fn touched_by(event: &RunEvent, under_way: &mut BTreeMap<RunId, String>) -> Option<String> {
    match &event.what {
        Happened::Started(started) => {
            let id = started.repository_id.clone()?;
            under_way.insert(event.run.clone(), id.clone());
            if UNDER_WAY_AT_MOST < under_way.len() {
                // Ids begin with their time.
                under_way.pop_first();
            }
            Some(id)
        }
        Happened::Finished(_) => under_way.get(&event.run).cloned(),
        Happened::Stage(stage) if stage.verification.is_some() => under_way.get(&event.run).cloned(),
        _ => None,
    }
}

pub(super) fn answer(receipts: Vec<Receipt>, kept: Result<(), Refusal>) -> Option<Effect> {
    (!receipts.is_empty()).then_some(Effect::Answer(receipts, kept))
}
