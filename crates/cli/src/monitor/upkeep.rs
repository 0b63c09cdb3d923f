//! Maintenance that is scheduled by the embedding program.

use std::cell::RefCell;

use alignwatch_model::{config::TaskRule, schedule::Cadence, task::slots::Turn};
use alignwatch_tasks::{
    ALL, by_id,
    due::{self, Ended},
};

use super::Monitor;
use crate::{commands::task, failure::Failure, surroundings};

/// A task that runs by itself from now on, whenever [`Monitor::run_due_tasks`] is called.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// The rule, as it stands in the configuration in force.
    pub rule: TaskRule,
    /// Whether it is its turn now, or when it will be: a window that is closed and a freeze hold it.
    pub turn: Turn,
}

impl Scheduled {
    /// The same rule for the configuration file: there, the daemon and `task run --due` go by it as well.
    pub fn yaml(&self) -> String {
        // A text in JSON is one in YAML, whatever is in it.
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let paths: Vec<String> = self.rule.repositories.iter().map(|path| text(path)).collect();
        let (name, due) = (text(&self.rule.name), text(self.rule.due.as_deref().unwrap_or_default()));
        let paths = paths.join(", ");
        format!(
            "maintenance:\n  repositories: [{paths}]\ntasks:\n  - {{name: {name}, due: {due}, repositories: [{paths}]}}\n"
        )
    }
}

impl Monitor {
    /// Schedules a maintenance task for this repository: `due` is a cron pattern of five fields in UTC, or an interval such
    /// as `6h`. It stands before what the configuration file says of it, for as long as this monitor is there; what makes it
    /// last is [`Scheduled::yaml`].
    ///
    /// Nothing runs by that alone. Errors: there is no such task, or `due` is no schedule; the repository can't be read.
    pub fn schedule_maintenance_task(&mut self, name: &str, due: &str) -> Result<Scheduled, Failure> {
        let known = by_id(name).ok_or_else(|| {
            let all: Vec<_> = ALL.iter().map(|task| task.id).collect();
            Failure::usage(format!("there is no task `{name}`")).hint(format!("the tasks are {}", all.join(", ")))
        })?;
        Cadence::parse(due, "UTC").map_err(|error| {
            Failure::usage(format!("cannot schedule `{name}`: `{due}` {error}"))
                .hint("write a cron pattern like `0 2 * * *`, or an interval like `6h`")
        })?;
        let path = self.project.display().to_string();
        // A rule holds patterns, and a path may have what they are made of.
        let repositories = vec![glob::Pattern::escape(&path)];
        let rule = TaskRule { name: name.to_owned(), due: Some(due.to_owned()), repositories, ..TaskRule::default() };
        let mut config = self.config.clone();
        config.tasks.retain(|other| other.name != rule.name || other.repositories != rule.repositories);
        config.tasks.insert(0, rule.clone());
        if !config.is_tended(&path) {
            config.maintenance.repositories.extend(rule.repositories.iter().cloned());
        }
        let now = surroundings::now();
        let turns = task::around(&self.global, &config, &self.project, &|around| due::turns(around, now))?;
        let turn = turns.into_iter().find(|(task, _)| task.id == known.id).map(|(_, turn)| turn);
        self.config = config;
        Ok(Scheduled { rule, turn: turn.unwrap_or(Turn::Never("it is not in the list of tasks".to_owned())) })
    }

    /// Runs what is due in this repository, one after the other, as `task run --due` does: each plans first, is held by
    /// runs, locks, leases and freezes, writes down what takes it back, and measures its effect.
    ///
    /// Errors: the repository or the journal can't be used. That a task failed or was held is an answer.
    pub fn run_due_tasks(&self) -> Result<Vec<(&'static str, Ended)>, Failure> {
        let (machine, ends) = (task::machine(), RefCell::new(Vec::new()));
        task::around(&self.global, &self.config, &self.project, &|around| {
            due::run(around, &machine, &mut |task, ended| ends.borrow_mut().push((task.id, ended.clone())))
        })?;
        Ok(ends.into_inner())
    }
}
