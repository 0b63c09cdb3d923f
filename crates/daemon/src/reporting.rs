//! What a report is made from, gathered from the store and the journal of tasks: for the command, and for what is sent by
//! itself.

use std::path::Path;

use alignwatch_model::{
    Known, Timestamp,
    config::Config,
    report::{Held, HeldTask, Letter, Times, letter, report},
};
use alignwatch_tasks::journal::{Journal, Told};

use crate::runs::store;

/// All that the report on these times is made from, of the repositories that `is_about` takes. Errors: no daemon ever ran
/// here, or the store can't be read, as a sentence part.
pub fn held(data_dir: &Path, times: &Times, is_about: &dyn Fn(&str) -> bool) -> Result<Held, String> {
    let store = store(data_dir)?.ok_or("no daemon ever ran here, so that nothing is known of the time before")?;
    let held = store.held(times, is_about).map_err(|error| error.to_string())?;
    Ok(Held { tasks: tasks(data_dir, is_about), ..held })
}

fn tasks(data_dir: &Path, is_about: &dyn Fn(&str) -> bool) -> Known<Vec<HeldTask>> {
    let held = |run: Told<'_>| HeldTask {
        id: run.record.id,
        at: Timestamp(run.record.at_seconds),
        task: run.record.task.clone(),
        repository: run.record.repository.clone(),
        report: run.report.cloned(),
        is_healed: run.is_healed,
    };
    match Journal::of(data_dir).read() {
        Ok(said) => Known::Seen(said.runs().into_iter().map(held).filter(|task| is_about(&task.repository)).collect()),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

/// The report with this name, written as a letter. Errors: it is not configured any more, or the store can't be read.
pub(crate) fn write(
    data_dir: &Path,
    config: &Config,
    name: &str,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<Letter, String> {
    let entry = config.reports.iter().find(|entry| entry.name == name).ok_or("it is not configured")?;
    let times = Times::of(entry.period.into(), due_at, &config.store, now);
    let held = held(data_dir, &times, &|path| entry.is_about(path))?;
    Ok(letter::letter(&report(&held, config, times), name))
}
