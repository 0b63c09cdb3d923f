//! What is there before a command runs.

use std::path::PathBuf;

use alignwatch_daemon::aftermath::Place;
use alignwatch_git::{repository::open, witness::witness};
use alignwatch_model::{
    Known,
    config::Config,
    run::{Happened, RunEvent, Seen, event::Started},
};
use alignwatch_records::{Spool, fresh};

use super::{Wanted, config, host, redacted_words};
use crate::{commands::Global, configuring};

/// See above.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    /// The configuration; the reason when there is none.
    pub(crate) config: Result<Config, String>,
    /// Where it is recorded.
    pub(crate) data_dir: Option<PathBuf>,
    /// The repository's path, made absolute.
    pub(crate) path: PathBuf,
    /// Its id, when it could be opened.
    pub(crate) repository_id: Option<String>,
    /// What was seen of it.
    pub(crate) seen: Known<Seen>,
}

impl Before {
    /// Looks.
    pub(crate) fn look(global: &Global, wanted: &Wanted) -> Before {
        let path = std::path::absolute(&wanted.repository).unwrap_or_else(|_| wanted.repository.clone());
        let (repository_id, seen) = match open(&path) {
            Ok(opened) => (Some(opened.id()), witness(&opened)),
            Err(error) => (None, Known::Unknown(error.to_string())),
        };
        let config = config(global);
        let data_dir = config.as_ref().ok().and_then(configuring::data_dir);
        Before { config, data_dir, path, repository_id, seen }
    }

    /// Where the run is.
    pub(crate) fn place<'a>(&'a self, base: Option<&'a str>) -> Place<'a> {
        Place { path: &self.path, base, config: self.config.as_ref().ok(), data_dir: self.data_dir.as_deref() }
    }

    /// Where it is recorded. Errors: nowhere, with the reason.
    pub(crate) fn spool(&self) -> Result<Spool, String> {
        self.config.as_ref().map_err(Clone::clone)?;
        let folder = self.data_dir.as_ref().ok_or("cannot record: there is no data directory and no home")?;
        Ok(Spool::open(folder))
    }

    /// Writes down that the run began.
    pub(crate) fn write_down(&self, wanted: &Wanted) -> Result<(), String> {
        let started = Started {
            workflow: wanted.workflow.clone(),
            repository: Some(self.path.display().to_string()),
            repository_id: self.repository_id.clone(),
            base: wanted.base.clone(),
            command: redacted_words(&wanted.command),
            host: host(),
            pid: Some(std::process::id()),
            traceparent: Some(wanted.traceparent.clone()),
            ..Started::default()
        };
        let id = fresh::id().to_string();
        let event = RunEvent::new(id, wanted.run.clone(), fresh::now(), Happened::Started(started));
        self.spool()?.append(&event).map_err(|error| error.to_string())
    }
}
