//! Tends a repository: its due tasks, one after the other, on a thread of their own.

use std::path::Path;

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{config::Config, task::Came};
use alignwatch_tasks::{
    conduct::Around,
    due::{self, Ended, Machine},
};

use crate::{runs, serve::now};

/// Runs what is due in the repository at this path, and says whether anything is different. What came of it is in the
/// journal of tasks.
///
/// Errors: the repository, git or the journal can't be used, as a sentence part.
pub(crate) fn tend(path: &Path, config: &Config, data_dir: &Path, stop: &Stop) -> Result<bool, String> {
    let git = Git::find().map_err(|error| error.to_string())?;
    let machine = Machine { load_percent: alignwatch_host::load_percent(), on_battery: alignwatch_host::on_battery() };
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
    let mut has_effect = false;
    let mut hear = |_, ended: &Ended| {
        has_effect |= matches!(ended, Ended::Ran(done) if done.report.result == Came::Effect);
    };
    due::run(&around, &machine, &mut hear).map_err(|error| error.to_string())?;
    Ok(has_effect)
}
