//! What will be in each other's way in the days to come: windows, freezes, tasks and alignment runs of one repository.
//!
//! Arithmetic on a given time, like windows themselves, so that the answer of `window check`, of a change of the
//! configuration and of a test are the same. For each conflict the next time is looked for at which there is none.

use serde::Serialize;

use crate::{
    Span, Timestamp,
    config::Config,
    schedule::Cadence,
    task::slots::windows_of,
    window::{Opening, Purpose, Window},
};

/// Two things that are in each other's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Which kind.
    pub kind: Kind,
    /// What, as a sentence without a final period.
    pub text: String,
    /// When, the first time.
    pub at: Timestamp,
    /// How often in the days that were looked at.
    pub n_times: usize,
    /// The next time at which it would not be.
    pub free_at: Option<Timestamp>,
    /// All these times, for those who draw them.
    #[serde(skip)]
    pub times: Vec<Timestamp>,
}

/// What meets what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A maintenance window and a freeze.
    WindowInFreeze,
    /// Two maintenance windows.
    WindowMeetsWindow,
    /// A task that is due outside of every window.
    TaskOutsideWindow,
    /// A task that is due in a freeze.
    TaskInFreeze,
    /// Two tasks on one repository.
    TaskMeetsTask,
    /// A task and an alignment run that is expected.
    TaskMeetsRun,
    /// More tasks than fit into a window.
    TooMuchForWindow,
}

/// A task that is known to the detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// When it is due, where no rule says otherwise.
    pub usual: String,
    /// How long it takes.
    pub takes: Span,
}

/// How long an alignment run takes, where nothing is known of it. Source: ours.
const RUN_TAKES: Span = Span::minutes(30);

/// Slots of one task that are looked at. A task of every minute has 1,440 a day.
const SLOTS_AT_MOST: usize = 5_000;

/// Conflicts of one repository from `from` on for so many days, the most serious kind first.
pub fn conflicts(config: &Config, path: &str, jobs: &[Job], from: Timestamp, days: i64) -> Vec<Conflict> {
    let until = Timestamp(from.0.saturating_add(Span::days(days.clamp(1, 366)).0));
    let all = Calendar::of(config, path, jobs, from, until);
    let mut found = Vec::new();
    all.windows_in_freezes(&mut found);
    all.windows_that_meet(&mut found);
    all.tasks_and_windows(&mut found);
    all.tasks_that_meet(&mut found);
    all.tasks_and_runs(&mut found);
    all.windows_too_short(&mut found);
    found.sort_by_key(|conflict| (conflict.kind, conflict.at));
    found
}

/// A named span of time.
struct Named {
    name: String,
    openings: Vec<Opening>,
}

/// All that happens to one repository in some days.
struct Calendar {
    windows: Vec<Named>,
    freezes: Vec<Named>,
    /// Only those with fixed times: what is due so long after the last time moves out of the way by itself.
    tasks: Vec<Named>,
    runs: Vec<Named>,
    /// How long all tasks take together.
    all_take: Span,
}

impl Calendar {
    fn of(config: &Config, path: &str, jobs: &[Job], from: Timestamp, until: Timestamp) -> Calendar {
        let named = |window: Window| Named { openings: window.openings(from, until), name: window.name };
        let of = |purpose| windows_of(config, path, purpose).into_iter().map(named).collect();
        let task = |job: &Job| {
            let rule = config.task_rule(&job.name, path);
            let text = rule.and_then(|rule| rule.due.as_deref()).unwrap_or(&job.usual);
            let zone = rule.and_then(|rule| rule.zone.as_deref());
            slots(&job.name, text, zone, job.takes, from, until)
        };
        let run = |rule: &crate::config::WorkflowRule| {
            let takes = rule.longest.unwrap_or(RUN_TAKES);
            slots(&rule.name, rule.due.as_deref()?, rule.zone.as_deref(), takes, from, until)
        };
        let is_about = |rule: &&crate::config::WorkflowRule| {
            rule.repositories.is_empty() || rule.repositories.iter().any(|other| other == path)
        };
        Calendar {
            windows: of(Purpose::Maintenance),
            freezes: of(Purpose::Freeze),
            tasks: jobs.iter().filter_map(task).collect(),
            runs: config.workflows.iter().filter(is_about).filter_map(run).collect(),
            all_take: Span(jobs.iter().map(|job| job.takes.0).sum()),
        }
    }

    fn windows_in_freezes(&self, found: &mut Vec<Conflict>) {
        for window in &self.windows {
            for freeze in &self.freezes {
                let text = format!("the window `{}` opens while the freeze `{}` is on", window.name, freeze.name);
                let free = |opening: &Opening| !freeze.openings.iter().any(|other| other.meets(opening));
                let free_at = |after: Timestamp| first(&window.openings, after, free);
                meetings(found, Kind::WindowInFreeze, text, window, freeze, free_at);
            }
        }
    }

    fn windows_that_meet(&self, found: &mut Vec<Conflict>) {
        for (nth, window) in self.windows.iter().enumerate() {
            for other in &self.windows[nth + 1..] {
                let text = format!("the windows `{}` and `{}` are open at the same time", window.name, other.name);
                let free = |opening: &Opening| !other.openings.iter().any(|one| one.meets(opening));
                let free_at = |after: Timestamp| first(&window.openings, after, free);
                meetings(found, Kind::WindowMeetsWindow, text, window, other, free_at);
            }
        }
    }

    fn tasks_and_windows(&self, found: &mut Vec<Conflict>) {
        for task in &self.tasks {
            let in_freeze = |slot: &&Opening| self.is_frozen(slot);
            let text = format!("`{}` is due while a freeze is on: it waits until that is over", task.name);
            self.told(found, Kind::TaskInFreeze, text, task, in_freeze);
            let outside = |slot: &&Opening| !self.windows.is_empty() && !self.is_in_window(slot.from);
            let text = format!("`{}` is due when no window is open: it waits for the next", task.name);
            self.told(found, Kind::TaskOutsideWindow, text, task, outside);
        }
    }

    fn told(
        &self,
        found: &mut Vec<Conflict>,
        kind: Kind,
        text: String,
        task: &Named,
        is_bad: impl Fn(&&Opening) -> bool,
    ) {
        let bad: Vec<&Opening> = task.openings.iter().filter(is_bad).collect();
        if let Some(slot) = bad.first() {
            let free_at = self.free_slot(task, slot);
            let times: Vec<Timestamp> = bad.iter().map(|slot| slot.from).collect();
            found.push(Conflict { kind, text, at: slot.from, n_times: times.len(), free_at, times });
        }
    }

    fn tasks_that_meet(&self, found: &mut Vec<Conflict>) {
        for (nth, task) in self.tasks.iter().enumerate() {
            for other in &self.tasks[nth + 1..] {
                let text =
                    format!("`{}` and `{}` are due at the same time: one waits for the other", task.name, other.name);
                let free_at = |after: Timestamp| {
                    let slot = other.openings.iter().find(|slot| after <= slot.until)?;
                    self.free_slot(other, slot)
                };
                meetings(found, Kind::TaskMeetsTask, text, task, other, free_at);
            }
        }
    }

    fn tasks_and_runs(&self, found: &mut Vec<Conflict>) {
        for task in &self.tasks {
            for run in &self.runs {
                let text =
                    format!("`{}` is due while a run of `{}` is expected: it waits for its end", task.name, run.name);
                let free_at = |after: Timestamp| {
                    let slot = task.openings.iter().find(|slot| after <= slot.until)?;
                    self.free_slot(task, slot)
                };
                meetings(found, Kind::TaskMeetsRun, text, task, run, free_at);
            }
        }
    }

    fn windows_too_short(&self, found: &mut Vec<Conflict>) {
        for window in &self.windows {
            let short: Vec<&Opening> =
                window.openings.iter().filter(|opening| opening.until.since(opening.from) < self.all_take).collect();
            if let Some(opening) = short.first() {
                let text = format!(
                    "all tasks together take about {}, and the window `{}` is open for {}: not all run in one",
                    self.all_take,
                    window.name,
                    opening.until.since(opening.from)
                );
                found.push(Conflict {
                    kind: Kind::TooMuchForWindow,
                    text,
                    at: opening.from,
                    n_times: short.len(),
                    free_at: self.long_enough(opening.from),
                    times: short.iter().map(|opening| opening.from).collect(),
                });
            }
        }
    }

    /// The next time at which a window is open for long enough for all tasks, with no freeze in it.
    fn long_enough(&self, after: Timestamp) -> Option<Timestamp> {
        let frozen =
            |opening: &Opening| self.freezes.iter().flat_map(|freeze| &freeze.openings).any(|one| one.meets(opening));
        let openings = self.windows.iter().flat_map(|window| &window.openings);
        let fits =
            openings.filter(|one| after < one.from && self.all_take <= one.until.since(one.from) && !frozen(one));
        fits.map(|opening| opening.from).min()
    }

    fn is_frozen(&self, slot: &Opening) -> bool {
        self.freezes.iter().flat_map(|freeze| &freeze.openings).any(|freeze| freeze.holds(slot.from))
    }

    fn is_in_window(&self, at: Timestamp) -> bool {
        self.windows.iter().flat_map(|window| &window.openings).any(|window| window.holds(at))
    }

    /// The first time after a slot at which its task meets nothing: in a window where there are some, out of freezes,
    /// and beside no other task or run.
    fn free_slot(&self, task: &Named, slot: &Opening) -> Option<Timestamp> {
        let lasts = slot.until.since(slot.from);
        let others: Vec<&Opening> = [&self.tasks, &self.runs]
            .into_iter()
            .flatten()
            .filter(|other| other.name != task.name)
            .chain(&self.freezes)
            .flat_map(|other| &other.openings)
            .collect();
        // It can only get free where something ends, or where a window begins.
        let ends = others.iter().map(|other| other.until);
        let begins = self.windows.iter().flat_map(|window| &window.openings).map(|window| window.from);
        let mut candidates: Vec<Timestamp> = ends.chain(begins).filter(|at| slot.from < *at).collect();
        candidates.sort();
        candidates.into_iter().find(|&from| {
            let wish = Opening { from, until: Timestamp(from.0.saturating_add(lasts.0)) };
            let fits =
                self.windows.is_empty() || self.is_in_window(from) && self.is_in_window(Timestamp(wish.until.0 - 1));
            fits && !others.iter().any(|other| other.meets(&wish))
        })
    }
}

/// Times at which something with fixed times is under way; `None` = it has none.
fn slots(name: &str, due: &str, zone: Option<&str>, takes: Span, from: Timestamp, until: Timestamp) -> Option<Named> {
    let Ok(Cadence::At(schedule)) = Cadence::parse(due, zone.unwrap_or("UTC")) else { return None };
    let all = std::iter::successors(schedule.after(from), |&at| schedule.after(at)).take_while(|at| *at < until);
    let slot = |from: Timestamp| Opening { from, until: Timestamp(from.0.saturating_add(takes.0.max(1))) };
    Some(Named { name: name.to_owned(), openings: all.take(SLOTS_AT_MOST).map(slot).collect() })
}

fn first(openings: &[Opening], after: Timestamp, is_free: impl Fn(&Opening) -> bool) -> Option<Timestamp> {
    openings.iter().filter(|opening| after < opening.from).find(|opening| is_free(opening)).map(|opening| opening.from)
}

/// Adds one conflict for all times that two of them meet. Both are in order of time.
fn meetings(
    found: &mut Vec<Conflict>,
    kind: Kind,
    text: String,
    one: &Named,
    other: &Named,
    free_at: impl Fn(Timestamp) -> Option<Timestamp>,
) {
    let meeting = |opening: &Opening| {
        other.openings.iter().find(|other| other.meets(opening)).map(|other| other.from.max(opening.from))
    };
    let times: Vec<Timestamp> = one.openings.iter().filter_map(meeting).collect();
    if let Some(&at) = times.first() {
        found.push(Conflict { kind, text, at, n_times: times.len(), free_at: free_at(at), times });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn job(name: &str, usual: &str, minutes: i64) -> Job {
        Job { name: name.into(), usual: usual.into(), takes: Span::minutes(minutes) }
    }

    fn told(text: &str, jobs: &[Job]) -> Vec<String> {
        let config = Config::from_yaml(text, "f").unwrap().0;
        let found = conflicts(&config, "/srv/a.git", jobs, Timestamp(20_000 * DAY), 7);
        let hour = |at: Timestamp| format!("{}:{:02}", (at.0 % DAY) / 3_600, at.0 % 3_600 / 60);
        let one = |found: &Conflict| {
            format!("{:?} at {} ×{} free {:?}", found.kind, hour(found.at), found.n_times, found.free_at.map(hour))
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn tasks_that_are_due_together_are_told_with_the_next_free_slot() {
        let jobs = [job("a", "0 3 * * *", 30), job("b", "10 3 * * *", 30), job("c", "6h", 30)];
        assert_eq!(told("", &jobs), ["TaskMeetsTask at 3:10 ×7 free Some(\"3:30\")"]);
        assert_eq!(told("", &[job("a", "0 3 * * *", 30), job("b", "30 3 * * *", 30)]), [""; 0]);
    }

    #[test]
    fn windows_freezes_tasks_and_runs_are_held_against_each_other() {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 1h}\n  \
                    - {name: late, open: \"30 1 * * *\", lasts: 1h}\n  \
                    - {name: cut, kind: freeze, open: \"0 0 * * *\", lasts: 90m}\n\
                    workflows:\n  - {name: align, due: \"0 4 * * *\", longest: 1h}\n";
        assert_eq!(
            told(text, &[job("a", "0 1 * * *", 20), job("b", "30 4 * * *", 20)]),
            [
                "WindowInFreeze at 1:00 ×7 free None",
                "WindowMeetsWindow at 1:30 ×7 free None",
                "TaskOutsideWindow at 4:30 ×7 free Some(\"1:30\")",
                "TaskInFreeze at 1:00 ×7 free Some(\"1:30\")",
                "TaskMeetsRun at 4:30 ×7 free Some(\"1:30\")",
            ]
        );
    }

    #[test]
    fn a_window_that_is_too_short_for_all_is_told() {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 30m}\n";
        assert_eq!(told(text, &[job("a", "1d", 20), job("b", "1d", 20)]), ["TooMuchForWindow at 1:00 ×7 free None"]);
    }

    #[test]
    fn the_next_window_that_is_long_enough_for_all_and_not_frozen_is_named() {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 30m}\n  \
                    - {name: noon, open: \"0 12 * * *\", lasts: 1h}\n  - {name: eve, open: \"0 20 * * *\", lasts: 1h}\n  \
                    - {name: cut, kind: freeze, open: \"30 12 * * *\", lasts: 10m}\n";
        let found = told(text, &[job("a", "1d", 20), job("b", "1d", 20)]);
        assert!(found.contains(&"TooMuchForWindow at 1:00 ×7 free Some(\"20:00\")".to_owned()), "{found:?}");
    }

    #[test]
    fn a_window_elsewhere_is_in_nobodys_way() {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 1h, repositories: [/home/*]}\n";
        assert_eq!(told(text, &[job("a", "0 4 * * *", 20)]), [""; 0]);
    }
}
