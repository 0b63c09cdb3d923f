//! One inspection, with the machine sampled while it runs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{expected, runs};
use alignwatch_git::{
    graph::Recent,
    inspect::{self, InspectError, Listener, Wanted},
    repository,
};
use alignwatch_host::Sampler;
use alignwatch_model::{Known, Look, Snapshot, Timestamp, config::Config, facts::tasks::Backups, look::Looked};
use alignwatch_tasks::{
    backup::{self, Shelf},
    journal::Journal,
};

/// How long a program waits for the paths of conflicts that are certain anyway; they are remembered, so that the
/// next look has more of them.
pub const PATIENCE_OF_PROGRAMS: Duration = Duration::from_secs(120);

/// The same for people, who look again when they want more.
///
/// Source: Nielsen, Usability Engineering (1993): ten seconds keep a person's attention; this is a part of the work.
pub const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(3);

/// Inspects the repository at `path`; samples the machine meanwhile, where that is wanted. What `recent` holds of large
/// histories is not read anew.
///
/// Errors: [`InspectError`].
pub fn look(
    path: &Path,
    config: &Config,
    now: Timestamp,
    data_dir: Option<&Path>,
    wanted: &Wanted,
    listener: Listener<'_>,
    recent: &Recent,
) -> Result<Snapshot, InspectError> {
    let sampler = wanted.looks.contains(&Look::Host).then(Sampler::start);
    let mut snapshot = inspect::inspect_again(path, config, now, data_dir, wanted, listener, recent)?;
    if let Some(sampler) = sampler {
        let began = Instant::now();
        snapshot.host = Known::Seen(sampler.finish(&places(&snapshot, data_dir)));
        snapshot.looks.note(Look::Host, Looked::Took(began.elapsed().as_secs_f64()));
    }
    if wanted.looks.contains(&Look::Runs) {
        note_runs(&mut snapshot, data_dir);
        snapshot.facts.backups = Known::from_result(backups(path, config, data_dir));
    }
    Ok(snapshot)
}

fn note_runs(snapshot: &mut Snapshot, data_dir: Option<&Path>) {
    let began = Instant::now();
    let looked = match data_dir {
        Some(data_dir) => {
            (snapshot.facts.runs, snapshot.facts.unread_runs) = runs::as_seen(data_dir, &snapshot.repository.id);
            snapshot.facts.expected_since = expected::since(data_dir);
            let said = Journal::of(data_dir).read().map_err(|error| error.to_string());
            let id = &snapshot.repository.id;
            snapshot.facts.tasks = Known::from_result(said.as_ref().map(|said| said.last_of(id)));
            snapshot.facts.task_ends = Known::from_result(said.as_ref().map(|said| said.ends_of(id)));
            Looked::Took(began.elapsed().as_secs_f64())
        }
        None => Looked::Not("there is no data directory, so no run is recorded".to_owned()),
    };
    snapshot.looks.note(Look::Runs, looked);
}

/// The backups of the repository at `path`.
fn backups(path: &Path, config: &Config, data_dir: Option<&Path>) -> Result<Backups, String> {
    let root = backup::root(config, data_dir).ok_or("there is no folder for backups")?;
    let opened = repository::open(path).map_err(|error| error.to_string())?;
    Shelf::of(&root, &opened).glance().map_err(|error| error.to_string())
}

/// The file systems that matter: where the repository is, and where we remember.
fn places<'a>(snapshot: &'a Snapshot, data_dir: Option<&'a Path>) -> Vec<(&'static str, &'a Path)> {
    let repository = ("repository", Path::new(&snapshot.repository.git_dir));
    std::iter::once(repository).chain(data_dir.map(|dir| ("data", dir))).collect()
}
