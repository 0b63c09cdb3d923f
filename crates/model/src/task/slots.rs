//! When a task is asked again: its cadence, what it missed, and the windows that it waits for.
//!
//! What was missed while nothing ran is caught up once, however often it was missed. A task that was held does not
//! count as asked: it is due until it could run.

use crate::{
    Span, Timestamp,
    config::{Config, TaskMode},
    schedule::Cadence,
    window::{Opening, Purpose, Window},
};

/// Whether a task is to be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now {
        /// Since when it is due.
        since: Timestamp,
        /// Slots before that one in which nothing ran.
        n_missed: u32,
        /// When the window that is open closes; `None` = there are no windows here.
        until: Option<Timestamp>,
        /// It plans and does not act.
        only_reports: bool,
    },
    /// Later.
    Later {
        /// When; `None` = it can't be told.
        at: Option<Timestamp>,
        /// What it waits for, as a sentence part.
        because: String,
    },
    /// Not at all, for this reason.
    Never(String),
}

/// A task in a repository.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The task.
    pub task: &'a str,
    /// How often it is asked, where no rule says otherwise.
    pub usual: &'a str,
    /// Why a rule has to ask for it, as a sentence part; `None` = it needs no rule.
    pub opt_in: Option<&'a str>,
    /// The repository's path.
    pub path: &'a str,
    /// The repository's id.
    pub id: &'a str,
    /// When it was asked the last time and not held.
    pub last: Option<Timestamp>,
}

/// Slots that are counted as missed at most: more say nothing more.
const MISSED_AT_MOST: u32 = 1_000;

/// Is it its turn?
pub fn turn(asked: &Asked<'_>, config: &Config, now: Timestamp) -> Turn {
    let rule = config.task_rule(asked.task, asked.path);
    if let (None, Some(reason)) = (rule, asked.opt_in) {
        return Turn::Never(format!("no rule of `tasks` asks for it: {reason}"));
    }
    let mode = rule.map_or(TaskMode::Act, |rule| rule.mode);
    if mode == TaskMode::Off {
        return Turn::Never("a rule of `tasks` switches it off".to_owned());
    }
    let text = rule.and_then(|rule| rule.due.as_deref()).unwrap_or(asked.usual);
    let zone = rule.and_then(|rule| rule.zone.as_deref()).unwrap_or("UTC");
    let cadence = match Cadence::parse(text, zone) {
        Ok(cadence) => cadence,
        Err(error) => return Turn::Never(format!("`{text}` {error}")),
    };
    let spread = rule.and_then(|rule| rule.spread).unwrap_or(Span(0));
    let (since, n_missed) = match due(&cadence, asked, spread, now) {
        Ok(due) => due,
        Err(at) => return Turn::Later { at, because: "it is not due yet".to_owned() },
    };
    match open_window(config, asked.path, now) {
        Err((at, name)) => Turn::Later { at, because: format!("the window `{name}` is not open") },
        Ok(opening) => Turn::Now {
            since,
            n_missed,
            until: opening.map(|opening| opening.until),
            only_reports: mode == TaskMode::Report,
        },
    }
}

/// Since when it is due, and how many slots before were missed. Errors: when it will be.
fn due(
    cadence: &Cadence,
    asked: &Asked<'_>,
    spread: Span,
    now: Timestamp,
) -> Result<(Timestamp, u32), Option<Timestamp>> {
    let Some(last) = asked.last else { return Ok((now, 0)) };
    let later = Span(delay(asked, spread));
    let mut since = match cadence.after(last) {
        Some(at) if at.0.saturating_add(later.0) <= now.0 => at,
        next => return Err(next.map(|next| Timestamp(next.0.saturating_add(later.0)))),
    };
    let mut n_missed = 0;
    while n_missed < MISSED_AT_MOST
        && let Some(next) = cadence.after(since).filter(|next| next.0.saturating_add(later.0) <= now.0)
    {
        since = next;
        n_missed += 1;
    }
    Ok((Timestamp(since.0.saturating_add(later.0)), n_missed))
}

/// Seconds that this task runs later in this repository: the same each time, and another elsewhere.
fn delay(asked: &Asked<'_>, spread: Span) -> i64 {
    // FNV-1a: https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
    let bytes = asked.id.bytes().chain([0]).chain(asked.task.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    i64::try_from(hash % u64::try_from(spread.0.max(0) + 1).unwrap_or(1)).unwrap_or(0)
}

/// The opening of a maintenance window that is on, with the latest end; `None` = none is configured here.
///
/// Errors: there are windows, and none is open; when the first opens, and its name.
fn open_window(config: &Config, path: &str, now: Timestamp) -> Result<Option<Opening>, (Option<Timestamp>, String)> {
    let windows: Vec<Window> = windows_of(config, path, Purpose::Maintenance);
    if windows.is_empty() {
        return Ok(None);
    }
    let open = windows.iter().filter_map(|window| window.open_at(now)).max_by_key(|opening| opening.until);
    if let Some(opening) = open {
        return Ok(Some(opening));
    }
    let next = windows.iter().filter_map(|window| Some((window.next_after(now)?.from, &window.name))).min();
    match next {
        Some((at, name)) => Err((Some(at), name.clone())),
        None => Err((None, windows[0].name.clone())),
    }
}

/// The windows of this purpose that are about the repository at this path.
pub fn windows_of(config: &Config, path: &str, purpose: Purpose) -> Vec<Window> {
    let about = config.windows.iter().filter(|rule| rule.is_about(path));
    about.filter_map(|rule| rule.window().ok()).filter(|window| window.purpose == purpose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn config(text: &str) -> Config {
        Config::from_yaml(text, "f").unwrap().0
    }

    fn asked(last: Option<i64>) -> Asked<'static> {
        Asked { task: "pack-refs", usual: "6h", opt_in: None, path: "/srv/a.git", id: "a", last: last.map(Timestamp) }
    }

    fn at(turn: Turn) -> String {
        match turn {
            Turn::Now { since, n_missed, until, only_reports } => {
                format!("now since {} missed {n_missed} until {:?} {only_reports}", since.0, until.map(|until| until.0))
            }
            Turn::Later { at, because } => format!("later {:?}: {because}", at.map(|at| at.0)),
            Turn::Never(because) => format!("never: {because}"),
        }
    }

    #[test]
    fn what_was_missed_is_caught_up_once() {
        let none = Config::default();
        assert_eq!(at(turn(&asked(None), &none, Timestamp(5))), "now since 5 missed 0 until None false");
        assert_eq!(at(turn(&asked(Some(0)), &none, Timestamp(HOUR))), "later Some(21600): it is not due yet");
        assert_eq!(at(turn(&asked(Some(0)), &none, Timestamp(6 * HOUR))), "now since 21600 missed 0 until None false");
        let late = turn(&asked(Some(0)), &none, Timestamp(31 * HOUR));
        assert_eq!(at(late), "now since 108000 missed 4 until None false");
    }

    #[test]
    fn a_rule_changes_when_switches_off_or_only_reports() {
        let cron = config("tasks:\n  - {name: pack-refs, due: \"0 3 * * *\", mode: report}\n");
        assert_eq!(at(turn(&asked(Some(0)), &cron, Timestamp(2 * HOUR))), "later Some(10800): it is not due yet");
        assert_eq!(at(turn(&asked(Some(0)), &cron, Timestamp(4 * HOUR))), "now since 10800 missed 0 until None true");
        let off = config("tasks:\n  - {name: pack-refs, mode: off, repositories: [/srv/*]}\n");
        assert!(at(turn(&asked(None), &off, Timestamp(0))).starts_with("never"));
        let fetch = Asked { opt_in: Some("it moves refs"), ..asked(None) };
        assert_eq!(
            at(turn(&fetch, &Config::default(), Timestamp(0))),
            "never: no rule of `tasks` asks for it: it moves refs"
        );
        assert!(at(turn(&fetch, &config("tasks:\n  - {name: pack-refs}\n"), Timestamp(0))).starts_with("now"));
        let elsewhere = Asked { path: "/home/b", ..asked(None) };
        assert!(at(turn(&elsewhere, &off, Timestamp(0))).starts_with("now"));
    }

    #[test]
    fn a_window_is_waited_for_and_its_end_is_told() {
        let night = config("windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 2h}\n");
        assert_eq!(at(turn(&asked(None), &night, Timestamp(0))), "later Some(3600): the window `night` is not open");
        assert_eq!(
            at(turn(&asked(None), &night, Timestamp(2 * HOUR))),
            "now since 7200 missed 0 until Some(10800) false"
        );
    }

    #[test]
    fn repositories_are_spread_and_each_stays_at_its_minute() {
        let rule = config("tasks:\n  - {name: pack-refs, due: 6h, spread: 1h}\n");
        let later = |id: &'static str| match turn(&Asked { id, ..asked(Some(0)) }, &rule, Timestamp(0)) {
            Turn::Later { at: Some(at), .. } => at.0 - 6 * HOUR,
            other => panic!("{other:?}"),
        };
        let delays: Vec<i64> = ["a", "b", "c", "d"].map(later).to_vec();
        assert!(delays.iter().all(|delay| (0..=HOUR).contains(delay)), "{delays:?}");
        assert_eq!(delays, ["a", "b", "c", "d"].map(later).to_vec());
        assert!(delays.iter().any(|delay| *delay != delays[0]), "{delays:?}");
    }
}
