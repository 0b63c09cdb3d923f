//! The alignment runs that are recorded of a repository: in the spool, and in the store.

use std::{collections::BTreeMap, path::Path};

use alignwatch_host::{is_alive_since, machine};
use alignwatch_model::{
    Known,
    facts::runs::{Brief, Process, RUNS_AT_MOST, Runs},
    run::{Document, Run, RunEvent, RunId, event::Started},
};
use alignwatch_records::Spool;
use alignwatch_store::{StoreError, WhichRuns};

/// The newest runs of the repository with this id; those that belong to none where it is empty. Unknown when the records can't be read.
pub fn of_repository(data_dir: &Path, repository: &str) -> Runs {
    as_seen(data_dir, repository).0
}

/// The same, and why some runs could not be read, which may be of any repository; `None` = all could.
pub fn as_seen(data_dir: &Path, repository: &str) -> (Runs, Option<String>) {
    match read(data_dir, repository) {
        Ok(recorded) => (Known::Seen(recorded.documents.iter().filter_map(brief).collect()), recorded.unread),
        Err(reason) => (Known::Unknown(reason), None),
    }
}

/// The newest runs.
struct Recorded {
    documents: Vec<Document>,
    unread: Option<String>,
}

/// A run by its id, from wherever it is recorded; `None` = nowhere.
///
/// Errors: the reason why the records can't be read.
pub fn one(data_dir: &Path, id: &RunId) -> Result<Option<Run>, String> {
    one_in(data_dir, store(data_dir)?.as_ref(), id)
}

/// The same with a store that is open already.
pub(crate) fn one_in(
    data_dir: &Path,
    store: Option<&alignwatch_store::Store>,
    id: &RunId,
) -> Result<Option<Run>, String> {
    let mut events: Vec<RunEvent> = Vec::new();
    if Spool::open(data_dir).path_of(id).exists() {
        events.extend(Spool::open(data_dir).read(id).map_err(|error| error.to_string())?.events);
    }
    if let Some(store) = store {
        let kept = store.run(id).map_err(|error| error.to_string())?;
        events.extend(kept.iter().flat_map(Run::events).cloned());
    }
    Ok((!events.is_empty()).then(|| Run::of(events)))
}

/// The newest runs of the repository with this id in full, the newest first.
///
/// Errors: the reason why the records can't be read.
pub fn documents(data_dir: &Path, repository: &str) -> Result<Vec<Document>, String> {
    read(data_dir, repository).map(|recorded| recorded.documents)
}

fn read(data_dir: &Path, repository: &str) -> Result<Recorded, String> {
    let mut unread = Vec::new();
    let mut documents = BTreeMap::new();
    if let Some(store) = store(data_dir)? {
        let which = WhichRuns { repository: Some(repository), ..WhichRuns::default() };
        for text in store.runs(which, RUNS_AT_MOST).map_err(|error| error.to_string())? {
            let document: Document = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            documents.insert(document.run.clone(), document);
        }
    }
    let spool = Spool::open(data_dir);
    for id in spool.ids().map_err(|error| error.to_string())?.into_iter().rev().take(RUNS_AT_MOST) {
        // What is spooled is newer than what was kept of it. One file that can't be read hides no other run.
        let spooled = match spool.read(&id) {
            Ok(spooled) => spooled,
            // Taken in and removed since it was listed: the store has it.
            Err(_) if !spool.path_of(&id).exists() => continue,
            Err(error) => {
                unread.push(error.to_string());
                continue;
            }
        };
        let document = Run::of(spooled.events).document();
        let is_of_it = |document: &Document| {
            let id = |started: &Started| started.repository_id.as_deref().unwrap_or_default() == repository;
            document.started.as_ref().is_some_and(id)
        };
        documents.extend(document.filter(is_of_it).map(|document| (id, document)));
    }
    let told = |first: &String| match unread.len() {
        1 => first.clone(),
        n => format!("{first}; and {} more", n - 1),
    };
    let unread = unread.first().map(told);
    Ok(Recorded { documents: documents.into_values().rev().take(RUNS_AT_MOST).collect(), unread })
}

/// A reader of the store; `None` = no daemon ever kept anything.
pub(crate) fn store(data_dir: &Path) -> Result<Option<alignwatch_store::Store>, String> {
    let folder = data_dir.join("store");
    if !folder.exists() {
        return Ok(None);
    }
    match alignwatch_store::open_to_read(&folder) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn brief(document: &Document) -> Option<Brief> {
    let brief = Brief::of(document)?;
    let process = if brief.ended.is_none() { process(document, &brief) } else { Process::Unknown };
    Some(Brief { process, ..brief })
}

fn process(document: &Document, brief: &Brief) -> Process {
    let started = document.started.as_ref();
    let is_here = started.is_some_and(|started| started.host.is_some() && started.host == machine());
    let pid = started.and_then(|started| started.pid).filter(|_| is_here);
    match pid.and_then(|pid| is_alive_since(pid, brief.began_at)) {
        Some(true) => Process::Alive,
        Some(false) => Process::Gone,
        None => Process::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_spool_that_cannot_be_read_hides_no_other_and_is_told() {
        let data = tempfile::tempdir().unwrap();
        let spool = Spool::open(data.path());
        let run = RunId::from_parts(1, [1; 10]);
        let started = Started { workflow: "nightly".into(), repository_id: Some("r".into()), ..Started::default() };
        let event = alignwatch_model::run::Happened::Started(started);
        spool.append(&RunEvent::new("a", run, alignwatch_model::run::Moment(1), event)).unwrap();
        assert_eq!(as_seen(data.path(), "r").1, None);
        // What is no file can't be read, whoever asks.
        std::fs::create_dir(spool.path_of(&RunId::from_parts(2, [2; 10]))).unwrap();
        let (runs, unread) = as_seen(data.path(), "r");
        assert_eq!(runs.seen().unwrap().len(), 1);
        assert!(unread.unwrap().contains("cannot read"));
    }
}
