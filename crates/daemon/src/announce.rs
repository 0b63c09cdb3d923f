//! Messages about maintenance windows, what is planned before one and what was done after it; and about stale branches.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use alignwatch_git::{repository, stop::Stop};
use alignwatch_model::{
    Timestamp,
    alert::{announcement, outbox::Outgoing},
    config::Config,
    record::RecordKind,
    task::{
        report::{self, Planned, Told},
        stale::told as told_stale,
    },
};
use alignwatch_tasks::{
    journal::Journal,
    stale_notices,
    windows::{self, Message},
};

use crate::{runs, serve::now, tend::around};

/// How long planning for one message may take; what was not planned by then is said. Source: ours.
const PATIENCE: Duration = Duration::from_secs(300);

/// Messages that are due now about these repositories and that no channel was given yet.
///
/// One that was decided is in the store. Errors: the store or the journal can't be
/// read: then it is known of no message whether it was sent, and none is.
pub(crate) fn due(paths: &[String], config: &Config, data_dir: &Path, stop: &Stop) -> Result<Vec<Outgoing>, String> {
    let channels = &config.maintenance.report_to;
    let tended: Vec<String> = paths.iter().filter(|path| config.is_tended(path)).cloned().collect();
    if channels.is_empty() || tended.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for message in windows::messages(config, &tended, now()) {
        let mut to = Vec::new();
        for channel in channels {
            let key = format!("{}-{channel}", message.key);
            if !is_sent(data_dir, &key)? {
                to.push((key, channel));
            }
        }
        if to.is_empty() {
            continue;
        }
        let told = told(&message, config, data_dir, stop)?;
        let row =
            |(key, channel): (String, &String)| announcement::of_window(&key, channel, &message.window, &told, now());
        rows.extend(to.into_iter().map(row));
    }
    for path in &tended {
        rows.extend(stale(path, config, data_dir)?);
    }
    Ok(rows)
}

/// Stale branches that the task told of, as long as their time runs, for each channel that was not given that yet: also
/// after a daemon that rested for days.
fn stale(path: &str, config: &Config, data_dir: &Path) -> Result<Vec<Outgoing>, String> {
    // What can't be opened is told of by its inspection.
    let Ok(opened) = repository::open(Path::new(path)) else { return Ok(Vec::new()) };
    let (id, now) = (opened.id(), now());
    let mut rows = Vec::new();
    // A file that can't be read counts as not written by the task, too, which then tells anew. It stops no other message.
    let Ok(notices) = stale_notices(data_dir, &id) else { return Ok(Vec::new()) };
    for notice in &notices {
        let until = Timestamp(notice.at.0.saturating_add(config.cleanup.notice.0));
        if until < now {
            continue;
        }
        let told = told_stale(path, &notice.branches, until);
        for channel in &config.maintenance.report_to {
            let key = format!("stale-{id}-{}-{channel}", notice.at.0);
            if !is_sent(data_dir, &key)? {
                rows.push(announcement::of_stale(&key, channel, path, &told, now));
            }
        }
    }
    Ok(rows)
}

fn is_sent(data_dir: &Path, key: &str) -> Result<bool, String> {
    let Some(store) = runs::store(data_dir)? else { return Ok(false) };
    Ok(store.record(RecordKind::Outgoing, key).map_err(|error| error.to_string())?.is_some())
}

fn told(message: &Message, config: &Config, data_dir: &Path, stop: &Stop) -> Result<Told, String> {
    if message.is_after {
        let said = Journal::of(data_dir).read().map_err(|error| error.to_string())?;
        return Ok(windows::told_after(message, &said));
    }
    let until = Instant::now() + PATIENCE;
    let mut planned = Vec::new();
    for path in &message.paths {
        if until < Instant::now() || stop.is_due() {
            let plan = Err("there was no time for it".to_owned());
            planned.push(Planned { repository: path.clone(), task: "all".to_owned(), plan });
            continue;
        }
        planned.extend(around(Path::new(path), config, data_dir, stop, |around| {
            Ok(windows::planned(around, message.opening))
        })?);
    }
    Ok(report::before(&message.window, message.opening, &planned))
}
