//! What calendars and people say while the daemon runs: who is on duty, and what was changed of windows.

use std::collections::BTreeMap;

use super::{Effect, State};
use crate::{
    Span, Timestamp,
    alert::{Policy, own::Broken},
    config::Config,
    window::Change,
};

/// When a window is opened again, if that was not heard of. Source: ours; it is looked at once a second.
const AGAIN: Span = Span::minutes(1);

/// How far back changes are put into the audit log at a start; one that stands there already is the same line.
const NOTED_FOR: Span = Span::days(7);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// What could not be read.
    troubles: Vec<String>,
    /// Windows that were opened, by their names and the planned beginnings, and when.
    opened: BTreeMap<(String, Timestamp), Timestamp>,
    /// The last change that stands in the audit log.
    noted: Option<Timestamp>,
}

impl Outside {
    /// The promise to read them.
    pub(super) fn broken(&self) -> impl Iterator<Item = Broken> + use<'_> {
        let told = self.troubles.first().map(|first| match self.troubles.len() {
            1 => first.clone(),
            n => format!("{first}; and {} more", n - 1),
        });
        told.map(|why| Broken::new("calendars", why)).into_iter()
    }
}

/// Goes on with what was read: the configuration has it.
pub(super) fn read(state: &mut State, troubles: Vec<String>, changes: &[Change], config: &Config, now: Timestamp) {
    state.outside.troubles = troubles;
    if state.alerting.is_recalled {
        state.alerting.policy = Policy::of(config);
        let since = state.outside.noted.unwrap_or(Timestamp(now.0 - NOTED_FOR.0));
        for change in changes.iter().filter(|change| since < change.at) {
            state.alerting.book.note_window(change);
        }
        state.outside.noted = changes.iter().map(|change| change.at).max().or(Some(since)).max(Some(since));
        state.alerting.book.decide_again(now);
    }
    state.outside.opened.retain(|(_, planned), _| now.since(*planned) < Span::days(31));
}

/// Opens the windows that waited for what fires now.
pub(super) fn open_what_waited(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let alerting = &mut state.alerting;
    if !alerting.is_recalled || !alerting.policy.has_window_that_waits() {
        return Vec::new();
    }
    let opened = &mut state.outside.opened;
    let mut effects = Vec::new();
    for change in alerting.policy.windows_begun_by(alerting.book.firing(), now) {
        let key = (change.window.clone(), change.planned);
        if opened.get(&key).is_none_or(|at| AGAIN <= now.since(*at)) {
            alerting.policy.change_window(&change);
            opened.insert(key, now);
            effects.push(Effect::Open(change));
        }
    }
    effects
}
