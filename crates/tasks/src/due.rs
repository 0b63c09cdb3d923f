//! Upkeep that nobody asks for: which tasks are due in a repository, and their runs, one after the other.
//!
//! The same from the command line (`task run --due`, from cron or a timer) and from the daemon. When a task was
//! last asked is what the journal says, so that whoever comes next goes on where the last one stopped.

use std::collections::BTreeMap;

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
    journal::{Journal, Said, Step},
    task::Task,
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
    let opened = repository::open(around.path)?;
    let said = Journal::of(around.data_dir).read()?;
    let (id, path) = (opened.id(), shown(around));
    let last = last_asked(&said, &id);
    let one = |task: &&'static Task| {
        let asked = Asked { task: task.id, usual: task.usual, path: &path, id: &id, last: last.get(task.id).copied() };
        (*task, turn(&asked, around.config, now))
    };
    Ok(ALL.iter().map(one).collect())
}

/// Runs what is due, one after the other. `heard` gets each end as it comes.
///
/// A window that closes ends the work at the next safe step; what is due then stays due.
pub fn run(
    around: &Around<'_>,
    machine: &Machine,
    heard: &mut dyn FnMut(&'static Task, &Ended),
) -> Result<(), ConductError> {
    for (task, _) in turns(around, (around.now)())? {
        // Asked again: the task before took its time.
        let now = (around.now)();
        let due = turns(around, now)?.into_iter().find(|(other, _)| other.id == task.id);
        let Some((_, Turn::Now { until, only_reports, .. })) = due else { continue };
        if around.stop.is_due() {
            return Ok(());
        }
        if let Some(hold) = busy(machine, &around.config.maintenance) {
            heard(task, &Ended::Waits(hold));
            continue;
        }
        let ended = if only_reports {
            Ended::Planned(Box::new(conduct::plan(task, around)?.0))
        } else {
            Ended::Ran(Box::new(in_window(task, around, until.map(|until| until.since(now).0.unsigned_abs()))?))
        };
        heard(task, &ended);
    }
    Ok(())
}

/// A run that ends with its window. One that would not fit is not begun.
fn in_window(task: &Task, around: &Around<'_>, seconds_left: Option<u64>) -> Result<Done, ConductError> {
    let Some(left) = seconds_left else { return conduct::run(task, around, false) };
    let (plan, _) = conduct::plan(task, around)?;
    if plan.acts() && plan.takes_seconds.is_some_and(|takes| left < takes) {
        let takes = plan.takes().unwrap_or_default();
        let reason = format!("it takes about {takes}, and the window closes in {left} s");
        let report = Report::held(Hold { reason, until: None });
        let id = conduct::note(task, around, &report)?;
        return Ok(Done { id, plan: Some(plan), report });
    }
    let stop = around.stop.within(std::time::Duration::from_secs(left));
    conduct::run(task, &Around { stop: &stop, ..*around }, false)
}

/// Why the machine has no time for upkeep. What is not known is no reason.
fn busy(machine: &Machine, rules: &Maintenance) -> Option<Hold> {
    let load = machine.load_percent.seen().filter(|load| rules.load_limit <= **load);
    let load = load.map(|load| format!("the load of the machine is {load} %, and {} % is the limit", rules.load_limit));
    let battery = machine.on_battery.seen().filter(|on| **on && rules.on_battery == OnBattery::Wait);
    let reason = load.or_else(|| battery.map(|_| "the machine runs from a battery".to_owned()))?;
    Some(Hold { reason, until: None })
}

/// When each task was asked the last time in this repository. One that was held was not: it is due still.
fn last_asked(said: &Said, repository_id: &str) -> BTreeMap<String, Timestamp> {
    let mut last = BTreeMap::new();
    for record in
        said.records.iter().filter(|record| record.repository_id == repository_id && record.step == Step::Ended)
    {
        let was_held =
            record.report.as_ref().is_some_and(|report| report.result == Came::Skipped && !is_refusal(report));
        if !was_held {
            last.insert(record.task.clone(), Timestamp(record.at_seconds));
        }
    }
    last
}

/// A refusal stands until somebody mends something; asking each minute would only fill the journal.
fn is_refusal(report: &Report) -> bool {
    report.because.starts_with("refused: ")
}

fn shown(around: &Around<'_>) -> String {
    std::path::absolute(around.path).unwrap_or_else(|_| around.path.to_owned()).display().to_string()
}
