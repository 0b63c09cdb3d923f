//! Upkeep that nobody asks for: which tasks are due in a repository, and their runs, one after the other.
//!
//! The same from the command line (`task run --due`, from cron or a timer) and from the daemon. When a task was
//! last asked is what the journal says, so that whoever comes next goes on where the last one stopped.

use std::cell::OnceCell;

use alignwatch_git::repository;
use alignwatch_model::{
    Known, Timestamp,
    config::{Maintenance, OnBattery},
    task::{
        Came, Hold, Plan, Report,
        slots::{Asked, Turn, turn},
    },
};

use crate::{
    ALL,
    conduct::{self, Around, ConductError, Done},
    journal::{Journal, Record, Said, Step},
    task::{Guard, Task},
};

/// The machine, just now.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Five-minute load for each processor, in percent.
    pub load_percent: Known<u32>,
    /// It runs from a battery.
    pub on_battery: Known<bool>,
}

/// What became of a task that was due.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It ran, or was held.
    Ran(Box<Done>),
    /// It only plans here.
    Planned(Box<Plan>),
    /// The machine has no time for it now.
    Waits(Hold),
}

/// When each task is due in the repository of `around`.
pub fn turns(around: &Around<'_>, now: Timestamp) -> Result<Vec<(&'static Task, Turn)>, ConductError> {
    let here = Here::of(around)?;
    let said = here.journal.read()?;
    Ok(ALL.iter().map(|task| (*task, here.turn(task, &said, now))).collect())
}

/// What each task would do that will be due then and acts by itself; nothing is changed.
pub(crate) fn planned(around: &Around<'_>, then: Timestamp) -> Result<Vec<PlannedTask>, ConductError> {
    let here = Here::of(around)?;
    let said = here.journal.read()?;
    let is_due = |task: &&&Task| matches!(here.turn(task, &said, then), Turn::Now { only_reports: false, .. });
    Ok(ALL.iter().filter(is_due).map(|task| (*task, conduct::plan(task, around).map(|(plan, _)| plan))).collect())
}

/// A task, and what it would do, or why that is not known.
pub(crate) type PlannedTask = (&'static Task, Result<Plan, ConductError>);

/// Runs what is due, one after the other. `heard` gets each end as it comes.
///
/// A window that closes ends the work at the next safe step; what is due then stays due.
pub fn run(
    around: &Around<'_>,
    machine: &Machine,
    heard: &mut dyn FnMut(&'static Task, &Ended),
) -> Result<(), ConductError> {
    let here = Here::of(around)?;
    for task in ALL {
        // Asked now, and not for all at once: the task before took its time.
        let now = (around.now)();
        let Turn::Now { until, only_reports, .. } = here.turn(task, &*here.journal.read()?, now) else { continue };
        if around.stop.is_due() {
            return Ok(());
        }
        let left = until.map(|until| until.since(now).0.unsigned_abs());
        heard(task, &here.ask(task, machine, left, only_reports)?);
    }
    Ok(())
}

/// A repository whose tasks are asked, with the journal that says when each was asked the last time.
struct Here<'a> {
    around: &'a Around<'a>,
    journal: Journal,
    path: String,
    id: String,
    /// What holds all tasks that write here, once that was asked.
    held: OnceCell<Option<Hold>>,
}

impl<'a> Here<'a> {
    fn of(around: &'a Around<'a>) -> Result<Here<'a>, ConductError> {
        let id = repository::open(around.path)?.id();
        Ok(Here {
            around,
            journal: Journal::of(around.data_dir),
            path: conduct::place(around.path),
            id,
            held: OnceCell::new(),
        })
    }

    fn turn(&self, task: &Task, said: &Said, now: Timestamp) -> Turn {
        let last = last_asked(said, task.id, &self.id);
        let Task { id: task, usual, opt_in, .. } = *task;
        let asked = Asked { task, usual, opt_in, path: &self.path, id: &self.id, last };
        turn(&asked, self.around.config, now)
    }

    fn ask(
        &self,
        task: &'static Task,
        machine: &Machine,
        seconds_left: Option<u64>,
        only_reports: bool,
    ) -> Result<Ended, ConductError> {
        if let Some(hold) = busy(machine, &self.around.config.maintenance) {
            let report = Report::held(hold.clone());
            conduct::note(task, self.around, Step::Ended, None, &report, &self.journal)?;
            return Ok(Ended::Waits(hold));
        }
        if only_reports {
            let (plan, _) = conduct::plan(task, self.around)?;
            let report = Report::only_planned(&plan);
            conduct::note(task, self.around, Step::Planned, Some(&plan), &report, &self.journal)?;
            return Ok(Ended::Planned(Box::new(plan)));
        }
        if let Some(hold) = self.held(task)? {
            let report = Report::held(hold);
            let id = conduct::note(task, self.around, Step::Ended, None, &report, &self.journal)?;
            return Ok(Ended::Ran(Box::new(Done { id, plan: None, report })));
        }
        Ok(Ended::Ran(Box::new(self.in_window(task, seconds_left)?)))
    }

    /// What holds this task and all others that write here. It is asked once for all of them: a lock that stands for a day
    /// would otherwise cost a look for each of twenty tasks each minute.
    fn held(&self, task: &Task) -> Result<Option<Hold>, ConductError> {
        if matches!(task.guard, Guard::Outside | Guard::Locks) {
            return Ok(None);
        }
        if let Some(held) = self.held.get() {
            return Ok(held.clone());
        }
        let held = conduct::held_now(self.around, &self.journal)?;
        Ok(self.held.get_or_init(|| held).clone())
    }

    /// A run that ends with its window. One that would not fit is not begun.
    fn in_window(&self, task: &Task, seconds_left: Option<u64>) -> Result<Done, ConductError> {
        let around = self.around;
        let Some(left) = seconds_left else { return conduct::run_in(task, around, false, &self.journal) };
        let (plan, _) = conduct::plan(task, around)?;
        if plan.acts() && plan.takes_seconds.is_some_and(|takes| left < takes) {
            let takes = plan.takes().unwrap_or_default();
            let reason = format!("it takes about {takes}, and the window closes in {left} s");
            let report = Report::held(Hold { reason, until: None });
            let id = conduct::note(task, around, Step::Ended, Some(&plan), &report, &self.journal)?;
            return Ok(Done { id, plan: Some(plan), report });
        }
        let stop = around.stop.within(std::time::Duration::from_secs(left));
        conduct::run_in(task, &Around { stop: &stop, ..*around }, false, &self.journal)
    }
}

/// Why the machine has no time for upkeep. What is not known is no reason.
fn busy(machine: &Machine, rules: &Maintenance) -> Option<Hold> {
    let load = machine.load_percent.seen().filter(|load| rules.load_limit <= **load);
    let load = load.map(|load| format!("the load of the machine is {load} %, and {} % is the limit", rules.load_limit));
    let battery = machine.on_battery.seen().filter(|on| **on && rules.on_battery == OnBattery::Wait);
    let reason = load.or_else(|| battery.map(|_| "the machine runs from a battery".to_owned()))?;
    Some(Hold { reason, until: None })
}

/// When a task was asked the last time in this repository. One that was held was not: it is due still.
///
/// A refusal counts: it stands until somebody mends something, and asking each minute would only fill the journal.
pub(crate) fn last_asked(said: &Said, task: &str, repository_id: &str) -> Option<Timestamp> {
    let was_asked = |record: &&Record| match (record.step, &record.report) {
        (Step::Planned, _) => true,
        (Step::Ended, Some(report)) => report.result != Came::Skipped || report.is_refusal(),
        (Step::Ended, None) => true,
        _ => false,
    };
    let of_it = |record: &&Record| record.task == task && record.repository_id == repository_id;
    said.records.iter().rev().filter(of_it).find(was_asked).map(|record| Timestamp(record.at_seconds))
}
