//! Tends a repository: its due tasks, one after the other, on a thread of their own.

use std::path::Path;

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{
    config::Config,
    task::{Came, Hold, Plan, TaskWish},
};
use alignwatch_tasks::{
    by_id,
    conduct::{self, Around, ConductError},
    due::{self, Ended, Machine},
};

use crate::{runs, serve::now};

/// Runs what is due in the repository at this path, and says whether anything is different. What came of it is in the
/// journal of tasks.
///
/// Errors: the repository, git or the journal can't be used, as a sentence part.
pub(crate) fn tend(path: &Path, config: &Config, data_dir: &Path, stop: &Stop) -> Result<bool, String> {
    let machine = Machine { load_percent: alignwatch_host::load_percent(), on_battery: alignwatch_host::on_battery() };
    let mut has_effect = false;
    let mut hear = |_, ended: &Ended| {
        has_effect |= matches!(ended, Ended::Ran(done) if done.report.result == Came::Effect);
    };
    around(path, config, data_dir, stop, |around| due::run(around, &machine, &mut hear))?;
    Ok(has_effect)
}

/// What came of a wish.
pub(crate) enum Acted {
    /// What the task would do, and what is in its way.
    Planned(Box<Plan>, Option<Hold>),
    /// It ran, or was taken back: is anything different?
    Changed(bool),
}

/// Does what somebody wants about maintenance. Errors: likewise; or the task or the run is not known.
pub(crate) fn act(wish: &TaskWish, config: &Config, data_dir: &Path, stop: &Stop) -> Result<Acted, String> {
    let path = Path::new(wish.repository());
    let known = |task: &str| by_id(task).ok_or_else(|| format!("there is no task `{task}`"));
    match wish {
        TaskWish::Plan { task, .. } => {
            let task = known(task)?;
            let (plan, hold) = around(path, config, data_dir, stop, |around| conduct::plan(task, around))?;
            Ok(Acted::Planned(Box::new(plan), hold))
        }
        TaskWish::Run { task, .. } => {
            let task = known(task)?;
            let done = around(path, config, data_dir, stop, |around| conduct::run(task, around, false))?;
            Ok(Acted::Changed(done.report.result == Came::Effect))
        }
        TaskWish::Undo { id, .. } => {
            let git = Git::find().map_err(|error| error.to_string())?;
            let report = conduct::undo(*id, data_dir, &git, &now).map_err(|error| error.to_string())?;
            Ok(Acted::Changed(report.result == Came::Effect))
        }
    }
}

/// Does something with what tasks need around them. Errors: likewise.
pub(crate) fn around<T>(
    path: &Path,
    config: &Config,
    data_dir: &Path,
    stop: &Stop,
    act: impl FnOnce(&Around<'_>) -> Result<T, ConductError>,
) -> Result<T, String> {
    let git = Git::find().map_err(|error| error.to_string())?;
    let around = Around {
        path,
        config,
        data_dir,
        git: &git,
        now: &now,
        runs: &|id| runs::of_repository(data_dir, id),
        stop,
        tell: &|_| {},
    };
    act(&around).map_err(|error| error.to_string())
}
