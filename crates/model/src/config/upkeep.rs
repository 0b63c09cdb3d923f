//! The part of the configuration that says which tasks run where, when, and beside what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config,
    alerting::of_channel,
    amount, any_names_path, parse_length,
    rules::Mistake,
    schema::{CadenceText, ChannelName, LengthText, PathText, SizeText, WorkflowText, ZoneText},
};
use crate::Span;

/// Upkeep that nobody has to ask for: `alignwatch task run --due`, from cron, a timer or the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Maintenance {
    /// The repositories that are tended without being named on the command line.
    ///
    /// Unit: paths from the root; `*` and `?` stand for parts of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (none).
    /// Reason: nothing is changed in a repository that you did not hand over.
    /// Example: `[/srv/git/*.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// The channels that are told half an hour before a maintenance window what is planned, after it what was done, and
    /// which stale branches will be archived.
    ///
    /// Unit: names of channels.
    /// Range: names that stand in `channels`.
    /// Default: [] (nobody; `alignwatch task history` has it all).
    /// Reason: who wants to read that each morning is yours to say; a pager does not.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", extend("uniqueItems" = true))]
    pub report_to: Vec<String>,
    /// The load of the machine from which on tasks wait: the five-minute average for each processor.
    ///
    /// Unit: percent.
    /// Range: 1 to 10000.
    /// Default: 100.
    /// Reason: ours. Above it, work waits for a processor already.
    /// Example: `70`
    #[schemars(with = "u32", range(min = 1, max = 10000))]
    pub load_limit: u32,
    /// What tasks do while the machine runs from a battery.
    ///
    /// Unit: one word.
    /// Range: wait, run.
    /// Default: wait.
    /// Reason: upkeep can wait for the mains.
    /// Example: `run`
    pub on_battery: OnBattery,
    /// How many tasks that read or write all objects may run on this machine at once, in different repositories.
    ///
    /// Unit: tasks.
    /// Range: 1 to 64.
    /// Default: 1.
    /// Reason: ours. Two repacks at once take twice the memory, and each is slower than both one after the other.
    /// Example: `2`
    #[schemars(with = "u32", range(min = 1, max = 64))]
    pub heavy_at_once: u32,
    /// The memory in which git looks for differences while it packs, for all its threads together.
    ///
    /// Unit: a size.
    /// Range: 16 MiB to 1 TiB.
    /// Default: 1 GiB.
    /// Reason: ours. Git itself knows no bound, and takes as much as ten of the largest files need in each thread.
    /// Example: `256 MiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "16 MiB", "x-most" = "1 TiB"))]
    pub pack_memory: u64,
}

impl Default for Maintenance {
    fn default() -> Maintenance {
        Maintenance {
            repositories: Vec::new(),
            report_to: Vec::new(),
            load_limit: 100,
            on_battery: OnBattery::Wait,
            heavy_at_once: 1,
            pack_memory: 1 << 30,
        }
    }
}

/// What tasks do while the machine runs from a battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBattery {
    /// They wait.
    #[default]
    Wait,
    /// They run all the same.
    Run,
}

/// When one task runs by itself, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct TaskRule {
    /// The task, as `alignwatch task list` names it.
    ///
    /// Unit: a name.
    /// Range: one name, not empty.
    /// Default: none.
    /// Reason: each task has its own reason to run.
    /// Example: `geometric-repack`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// What it does by itself.
    ///
    /// Unit: one word.
    /// Range: act, report, off.
    /// Default: act.
    /// Reason: where a repository is handed over, its tasks are meant to run.
    /// Example: `report`
    pub mode: TaskMode,
    /// When it is asked: so long after the last time, or at the fixed times of a cron pattern of five fields.
    ///
    /// Unit: a length of time, or minute, hour, day of the month, month, day of the week.
    /// Range: 1m to 365d, or a pattern that is due some day, as in crontab(5).
    /// Default: none (as `alignwatch task list` shows).
    /// Reason: being asked is cheap; a task acts only when its numbers say so.
    /// Example: `0 3 * * *`
    #[schemars(with = "CadenceText")]
    pub due: Option<String>,
    /// The time zone of a cron pattern in `due`.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere, and without a night that has an hour twice.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
    /// Up to how much later it runs, by an amount that is the same for a repository each time.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1d.
    /// Default: none (0s).
    /// Reason: a hundred repositories that are tended at the same minute keep a machine busy for the wrong reason.
    /// Example: `30m`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1d"))]
    pub spread: Option<Span>,
    /// The repositories that the rule is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: most tasks are good for all.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
}

/// What a task does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskMode {
    /// It plans, and acts when its numbers say so.
    #[default]
    Act,
    /// It only plans.
    Report,
    /// Nothing.
    Off,
}

impl TaskRule {
    /// Is it about the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        self.repositories.is_empty() || any_names_path(&self.repositories, path)
    }
}

impl Config {
    /// Was the repository at this path handed over to be tended?
    pub fn is_tended(&self, path: &str) -> bool {
        any_names_path(&self.maintenance.repositories, path)
    }

    /// The first rule for this task in the repository at this path.
    pub fn task_rule(&self, task: &str, path: &str) -> Option<&TaskRule> {
        self.tasks.iter().find(|rule| rule.name == task && rule.is_about(path))
    }
}

/// Rules of tasks that do not go together.
pub(super) fn mistakes(config: &Config) -> impl Iterator<Item = Mistake> + use<'_> {
    let channels = config.maintenance.report_to.iter().enumerate();
    let unknown = channels
        .filter_map(|(at, name)| of_channel(&config.channels.names(), format!("maintenance.report_to[{at}]"), name));
    let zones = config.tasks.iter().enumerate().filter_map(|(index, rule)| {
        let is_interval = rule.due.as_ref().is_some_and(|due| parse_length(due).is_some());
        (rule.zone.is_some() && is_interval).then(|| Mistake {
            path: format!("tasks[{index}].zone"),
            problem: "a zone means nothing for an interval".to_owned(),
            fix: "take it out, or write a pattern as `due`".to_owned(),
            also_at: None,
        })
    });
    unknown.chain(zones)
}
