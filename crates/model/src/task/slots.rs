//! When a task is asked again: its cadence, what it missed, and the windows that it waits for.
//!
//! What was missed while nothing ran is caught up once, however often it was missed. A task that was held does not
//! count as asked: it is due until it could run.

use serde::Serialize;

use super::conflicts::Conflict;
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
    match Rhythm::of(asked, config) {
        Ok(rhythm) => rhythm.turn(asked.last, now),
        Err(because) => Turn::Never(because),
    }
}

/// What the tasks of one repository will do, as things stand.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// All tasks, with when each is asked.
    pub tasks: Vec<TaskAhead>,
    /// What will be in each other's way.
    pub conflicts: Vec<Conflict>,
}

/// When a task is asked in the days to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAhead {
    /// The task.
    pub task: String,
    /// When it was asked the last time and not held.
    pub last: Option<Timestamp>,
    /// How often it is asked, as it is configured; and whether it only plans.
    pub due: String,
    /// It plans and does not act.
    pub only_reports: bool,
    /// When, in order. Errors: never, for this reason.
    pub slots: Result<Vec<Slot>, String>,
}

/// A time at which a task is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// When.
    pub at: Timestamp,
    /// The window that is open then; `None` = there are no windows here.
    pub window: Option<String>,
    /// A freeze is on then: it waits until that is over.
    pub is_frozen: bool,
}

/// Times of one task that are looked ahead at most. Source: ours; every hour for two weeks, and more.
const AHEAD_AT_MOST: usize = 400;

/// When a task is asked from now on, were each run over at once.
pub fn ahead(asked: &Asked<'_>, config: &Config, now: Timestamp, until: Timestamp) -> TaskAhead {
    let rhythm = Rhythm::of(asked, config);
    let (due, _) = due_text(asked, config);
    TaskAhead {
        task: asked.task.to_owned(),
        last: asked.last,
        due: due.to_owned(),
        only_reports: rhythm.as_ref().is_ok_and(|rhythm| rhythm.only_reports),
        slots: rhythm.map(|rhythm| rhythm.slots(asked.last, now, until)),
    }
}

/// How often it is asked, and in which zone that is meant.
fn due_text<'a>(asked: &Asked<'a>, config: &'a Config) -> (&'a str, &'a str) {
    let rule = config.task_rule(asked.task, asked.path);
    let text = rule.and_then(|rule| rule.due.as_deref()).unwrap_or(asked.usual);
    (text, rule.and_then(|rule| rule.zone.as_deref()).unwrap_or("UTC"))
}

/// All that says when a task is asked in a repository, but for when it was the last time.
struct Rhythm {
    cadence: Cadence,
    /// Seconds that it runs later here.
    later: i64,
    only_reports: bool,
    windows: Vec<Window>,
    freezes: Vec<Window>,
}

impl Rhythm {
    /// Errors: it is never asked, for this reason.
    fn of(asked: &Asked<'_>, config: &Config) -> Result<Rhythm, String> {
        let rule = config.task_rule(asked.task, asked.path);
        if let (None, Some(reason)) = (rule, asked.opt_in) {
            return Err(format!("no rule of `tasks` asks for it: {reason}"));
        }
        let mode = rule.map_or(TaskMode::Act, |rule| rule.mode);
        if mode == TaskMode::Off {
            return Err("a rule of `tasks` switches it off".to_owned());
        }
        let (text, zone) = due_text(asked, config);
        Ok(Rhythm {
            cadence: Cadence::parse(text, zone).map_err(|error| format!("`{text}` {error}"))?,
            later: delay(asked, rule.and_then(|rule| rule.spread).unwrap_or(Span(0))),
            only_reports: mode == TaskMode::Report,
            windows: windows_of(config, asked.path, Purpose::Maintenance),
            freezes: windows_of(config, asked.path, Purpose::Freeze),
        })
    }

    fn turn(&self, last: Option<Timestamp>, now: Timestamp) -> Turn {
        let (since, n_missed) = match self.due(last, now) {
            Ok(due) => due,
            Err(at) => return Turn::Later { at, because: "it is not due yet".to_owned() },
        };
        match self.open_window(now) {
            Err((at, name)) => Turn::Later { at, because: format!("the window `{name}` is not open") },
            Ok(open) => Turn::Now {
                since,
                n_missed,
                until: open.map(|(_, opening)| opening.until),
                only_reports: self.only_reports,
            },
        }
    }

    fn slots(&self, mut last: Option<Timestamp>, mut now: Timestamp, until: Timestamp) -> Vec<Slot> {
        let mut slots = Vec::new();
        while slots.len() < AHEAD_AT_MOST {
            match self.turn(last, now) {
                Turn::Now { .. } => {
                    let window = self.open_window(now).ok().flatten().map(|(window, _)| window.name.clone());
                    let is_frozen = self.freezes.iter().any(|freeze| freeze.open_at(now).is_some());
                    slots.push(Slot { at: now, window, is_frozen });
                    last = Some(now);
                }
                Turn::Later { at: Some(at), .. } if now < at && at < until => now = at,
                _ => break,
            }
        }
        slots
    }

    /// Since when it is due, and how many slots before were missed. Errors: when it will be.
    fn due(&self, last: Option<Timestamp>, now: Timestamp) -> Result<(Timestamp, u32), Option<Timestamp>> {
        let Some(last) = last else { return Ok((now, 0)) };
        let mut since = match self.cadence.after(last) {
            Some(at) if at.0.saturating_add(self.later) <= now.0 => at,
            next => return Err(next.map(|next| Timestamp(next.0.saturating_add(self.later)))),
        };
        let mut n_missed = 0;
        while n_missed < MISSED_AT_MOST
            && let Some(next) = self.cadence.after(since).filter(|next| next.0.saturating_add(self.later) <= now.0)
        {
            since = next;
            n_missed += 1;
        }
        Ok((Timestamp(since.0.saturating_add(self.later)), n_missed))
    }

    /// The maintenance window that is open, with the opening with the latest end; `None` = none is configured here.
    ///
    /// Errors: there are windows, and none is open; when the first opens, and its name.
    fn open_window(&self, now: Timestamp) -> Result<Option<(&Window, Opening)>, (Option<Timestamp>, String)> {
        let Some(some) = self.windows.first() else { return Ok(None) };
        let open = self.windows.iter().filter_map(|window| Some((window, window.open_at(now)?)));
        if let Some(open) = open.max_by_key(|(_, opening)| opening.until) {
            return Ok(Some(open));
        }
        let next = self.windows.iter().filter_map(|window| Some((window.next_after(now)?.from, &window.name))).min();
        Err(next.map_or_else(|| (None, some.name.clone()), |(at, name)| (Some(at), name.clone())))
    }
}

/// Seconds that this task runs later in this repository: the same each time, and another elsewhere.
fn delay(asked: &Asked<'_>, spread: Span) -> i64 {
    // FNV-1a: https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
    let bytes = asked.id.bytes().chain([0]).chain(asked.task.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    i64::try_from(hash % u64::try_from(spread.0.max(0) + 1).unwrap_or(1)).unwrap_or(0)
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
    fn what_is_ahead_is_what_the_scheduler_would_do_minute_by_minute() {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 2h}\n  \
                    - {name: cut, kind: freeze, open: \"0 1 3 1 *\", lasts: 1h}\n\
                    tasks:\n  - {name: pack-refs, due: 5h}\n  - {name: full-repack, due: \"30 1 * * *\", mode: report}\n";
        let (config, until) = (config(text), Timestamp(4 * 24 * HOUR));
        for task in ["pack-refs", "full-repack"] {
            let asked = Asked { task, ..asked(Some(-HOUR)) };
            let told = ahead(&asked, &config, Timestamp(0), until);
            let (mut last, mut ran) = (asked.last, Vec::new());
            for now in (0..until.0).step_by(60).map(Timestamp) {
                if let Turn::Now { .. } = turn(&Asked { last, ..asked }, &config, now) {
                    (last, _) = (Some(now), ran.push(now));
                }
            }
            let slots = told.slots.unwrap();
            assert_eq!(slots.iter().map(|slot| slot.at).collect::<Vec<_>>(), ran, "{task}");
            assert!(slots.iter().all(|slot| slot.window.as_deref() == Some("night")), "{slots:?}");
            assert_eq!(slots.iter().filter(|slot| slot.is_frozen).count(), 1, "{slots:?}");
            assert_eq!(told.only_reports, task == "full-repack");
        }
        let off = ahead(&asked(None), &self::config("tasks:\n  - {name: pack-refs, mode: off}\n"), Timestamp(0), until);
        assert_eq!(off.slots, Err("a rule of `tasks` switches it off".to_owned()));
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
