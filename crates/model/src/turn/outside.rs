//! What calendars and people say while the daemon runs: who is on duty, and what was changed of windows.

use std::collections::BTreeMap;

use super::{Effect, State};
use crate::{
    Span, Timestamp,
    alert::{Policy, own::Broken},
    config::Config,
    window::Change,
};

/// When it is tried again to write that a window was opened. Source: ours; a full disk is seldom mended sooner.
const AGAIN: Span = Span::minutes(1);

/// How far back changes are put into the audit log at a start; one that stands there already is the same line.
const NOTED_FOR: Span = Span::days(7);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// What could not be read.
    troubles: Vec<String>,
    /// Windows that were opened, by their names and the planned beginnings.
    opened: BTreeMap<(String, Timestamp), Opened>,
    /// The last change that stands in the audit log.
    noted: Option<Timestamp>,
}

/// A window that was opened. It is in force at once; a restart knows of it when it is written.
#[derive(Debug)]
struct Opened {
    change: Change,
    written: Written,
}

#[derive(Debug)]
enum Written {
    /// Nobody was asked for it yet.
    Wanted,
    UnderWay,
    Done,
    Failed(Timestamp, String),
}

impl Opened {
    fn is_to_be_written(&self, now: Timestamp) -> bool {
        match self.written {
            Written::Wanted => true,
            // Also where the clock was set back since.
            Written::Failed(at, _) => !(0..AGAIN.0).contains(&now.since(at).0),
            Written::UnderWay | Written::Done => false,
        }
    }

    fn trouble(&self) -> Option<String> {
        let Written::Failed(_, why) = &self.written else { return None };
        Some(format!("the window {} is open, and a restart will not know that: {why}", self.change.window))
    }
}

impl Outside {
    /// The promise to read them, and to remember what was opened.
    pub(super) fn broken(&self) -> impl Iterator<Item = Broken> + use<'_> {
        let troubles: Vec<_> =
            self.troubles.iter().cloned().chain(self.opened.values().filter_map(Opened::trouble)).collect();
        let told = troubles.first().map(|first| match troubles.len() {
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
        // What was opened a moment ago may not have been written when this was read.
        let opened = state.outside.opened.values();
        opened.for_each(|opened| state.alerting.policy.open_window_that_waited(&opened.change));
        let since = state.outside.noted.unwrap_or(Timestamp(now.0 - NOTED_FOR.0));
        for change in changes.iter().filter(|change| since <= change.at) {
            state.alerting.book.note_window(change);
        }
        state.outside.noted = changes.iter().map(|change| change.at).max().or(Some(since)).max(Some(since));
        state.alerting.book.decide_again(now);
    }
    state.outside.opened.retain(|(_, planned), _| now.since(*planned) < Span::days(31));
}

/// Opens the windows that waited for what fires now, and has that written.
pub(super) fn open_what_waited(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let alerting = &mut state.alerting;
    let opened = &mut state.outside.opened;
    if alerting.is_recalled && alerting.policy.has_window_that_waits() {
        for change in alerting.policy.windows_begun_by(alerting.book.firing(), now) {
            alerting.policy.change_window(&change);
            opened
                .entry((change.window.clone(), change.planned))
                .or_insert(Opened { change, written: Written::Wanted });
        }
    }
    let to_be_written = opened.values_mut().filter(|opened| opened.is_to_be_written(now));
    to_be_written
        .map(|opened| {
            opened.written = Written::UnderWay;
            Effect::Open(opened.change.clone())
        })
        .collect()
}

/// It was written that this window was opened, or that failed for this reason.
pub(super) fn written(state: &mut State, change: &Change, result: Result<(), String>, now: Timestamp) {
    if let Some(opened) = state.outside.opened.get_mut(&(change.window.clone(), change.planned)) {
        opened.written = result.map_or_else(|why| Written::Failed(now, why), |()| Written::Done);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Event, Inspected, Pace, Unseen, turn},
        *,
    };
    use crate::alert::{Book, Timing};

    const PACE: Pace = Pace { interval: Span::minutes(5), at_once: 2 };

    const YAML: &str = "windows: [{name: rollout, open: 1970-01-01T00:00:00Z/1970-01-02T00:00:00Z, flexible: 1h}]\n\
                        alerts: {settle: 0s}\n";

    fn state(config: &Config) -> State {
        let mut policy = Policy::of(config);
        policy.rules.iter_mut().for_each(|rule| rule.timing = Timing::default());
        let book = Book::new(&policy, Timestamp(0));
        State::watching(["/a".to_owned()], Timestamp(0)).with_alerts(book, policy)
    }

    fn opened(effects: Vec<Effect>) -> Vec<Change> {
        effects
            .into_iter()
            .filter_map(|effect| if let Effect::Open(change) = effect { Some(change) } else { None })
            .collect()
    }

    #[test]
    fn a_window_that_waits_is_opened_once_and_what_cannot_be_written_is_told_and_tried_again() {
        let config = Config::from_yaml(YAML, "f").unwrap().0;
        let mut state = state(&config);
        let unseen = || {
            Event::Inspected(Box::new(Inspected {
                path: "/a".into(),
                seconds: 1.0,
                seen: Err(Unseen::Failed("gone".into())),
            }))
        };
        let changes = opened(turn(&mut state, unseen(), &config, PACE, Timestamp(100)));
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((change.planned, change.from, change.until), (Timestamp(0), Timestamp(100), Timestamp(3_700)));
        assert_eq!(opened(turn(&mut state, Event::Tick, &config, PACE, Timestamp(101))), []);
        let noted = |result: Result<(), &str>| Event::Opened(changes[0].clone(), result.map_err(str::to_owned));
        assert_eq!(opened(turn(&mut state, noted(Err("disk full")), &config, PACE, Timestamp(101))), []);
        let told = state.outside.broken().next().map(|broken| format!("{broken:?}")).unwrap_or_default();
        assert!(told.contains("the window rollout is open, and a restart will not know that: disk full"), "{told}");
        assert_eq!(opened(turn(&mut state, Event::Tick, &config, PACE, Timestamp(160))), []);
        assert_eq!(opened(turn(&mut state, Event::Tick, &config, PACE, Timestamp(161))), changes, "the same one");
        assert_eq!(opened(turn(&mut state, noted(Ok(())), &config, PACE, Timestamp(162))), []);
        assert_eq!(
            (state.outside.broken().count(), opened(turn(&mut state, Event::Tick, &config, PACE, Timestamp(900)))),
            (0, vec![])
        );
        // What is read meanwhile does not have it yet: it stays open.
        let read = |changes| Event::OutsideRead { troubles: Vec::new(), changes };
        assert_eq!(opened(turn(&mut state, read(Vec::new()), &config, PACE, Timestamp(902))), []);
        assert!(state.alerting.policy.open_window("/a", Timestamp(903)).is_some());
        // Then it has, and it is over after its length.
        let config = config.with_outside(&Default::default(), &crate::Known::Seen(changes.clone().into()));
        assert_eq!(opened(turn(&mut state, read(changes.clone()), &config, PACE, Timestamp(904))), []);
        assert_eq!(opened(turn(&mut state, Event::Tick, &config, PACE, Timestamp(4_000))), []);
        assert!(state.alerting.policy.open_window("/a", Timestamp(4_000)).is_none());
    }

    #[test]
    fn a_calendar_that_cannot_be_read_is_a_promise_that_is_not_kept() {
        let config = Config::default();
        let mut state = state(&config);
        let troubles = vec!["the calendar duty cannot be read".to_owned(), "another".to_owned()];
        let read = |troubles| Event::OutsideRead { troubles, changes: Vec::new() };
        turn(&mut state, read(troubles), &config, PACE, Timestamp(100));
        turn(&mut state, Event::Tick, &config, PACE, Timestamp(200));
        let firing: Vec<_> = state.alerting.book.alerts().map(|alert| alert.summary.clone()).collect();
        assert!(firing.iter().any(|summary| summary.contains("duty cannot be read; and 1 more")), "{firing:?}");
        turn(&mut state, read(Vec::new()), &config, PACE, Timestamp(300));
        assert_eq!(state.outside.broken().count(), 0);
    }
}
