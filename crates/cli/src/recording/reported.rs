//! A run that a script reports: what moved in it is told at its end, and verified, as after `alignwatch run`.
//!
//! The refs are read when it begins and kept in a file. Whoever reports waits for that no longer than a command does.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use alignwatch_daemon::{
    aftermath::{self, Place},
    runs,
};
use alignwatch_git::stop::Stop;
use alignwatch_model::{
    Known, Severity,
    config::Config,
    run::{Exit, Finished, Happened, Run, RunEvent, event::MOVES_AT_MOST},
};
use alignwatch_records::{Sights, Spool};

use super::{AFTER_AT_MOST, BEFORE_AT_MOST, VERIFY_AT_MOST, config, verifying, within};
use crate::{commands::Global, configuring, surroundings};

/// Where it is recorded, and what is known of it.
pub(crate) struct Reported {
    config: Config,
    data_dir: PathBuf,
    /// Its events so far, where this one ends it.
    run: Option<Run>,
}

impl Reported {
    /// The run of this event. Errors: it can't be recorded, and why.
    pub(crate) fn of(global: &Global, event: &RunEvent) -> Result<Reported, String> {
        let config = config(global)?;
        let data_dir = configuring::data_dir(&config).ok_or("cannot record: there is no data directory and no home")?;
        let is_end = matches!(event.what, Happened::Finished(_));
        // One of which nothing can be read is recorded all the same.
        let run = is_end.then(|| runs::one(&data_dir, &event.run).ok().flatten()).flatten();
        // `alignwatch run` looks itself, and its command may report to it.
        let run = run.filter(|run| run.started().is_some_and(|started| started.pid.is_none()));
        Ok(Reported { config, data_dir, run })
    }

    /// The same event; one that ends a run with what moved since it began.
    pub(crate) fn with_what_moved(&self, mut event: RunEvent) -> RunEvent {
        if let (Happened::Finished(finished), Some(run)) = (&mut event.what, self.run.clone()) {
            let (config, data_dir, code) =
                (self.config.clone(), self.data_dir.clone(), finished.exit_code.unwrap_or(0));
            if let Some(Some(seen)) = within(AFTER_AT_MOST, move || seen(&run, &config, data_dir, code)) {
                *finished = Finished {
                    outcome: finished.outcome,
                    because: std::mem::take(&mut finished.because),
                    exit_code: finished.exit_code,
                    output_tail: finished.output_tail.take(),
                    ..seen
                };
            }
        }
        event
    }

    /// Writes the event down, with what belongs to it: the refs at a beginning, the verification after an end. Errors: it
    /// could not be written.
    pub(crate) fn record(&self, event: &RunEvent, global: &Global) -> Result<(), String> {
        let spool = Spool::open(&self.data_dir);
        match &event.what {
            Happened::Started(started) => {
                let path = started.repository.clone().map(PathBuf::from);
                let seen = path.and_then(|path| within(BEFORE_AT_MOST, move || aftermath::sight(&path)));
                spool.append(event).map_err(|error| error.to_string())?;
                match seen {
                    Some(Known::Seen(seen)) => {
                        let kept = Sights::of(&self.data_dir).keep(&event.run, &seen);
                        kept.map_err(|error| format!("what moves in this run will not be known: {error}"))
                    }
                    // It is no repository, or too slow: what is reported counts.
                    Some(Known::Unknown(_)) | None => Ok(()),
                }
            }
            Happened::Finished(finished) => {
                spool.append(event).map_err(|error| error.to_string())?;
                // One that could not be used in time is for the daemon, which can take longer.
                if finished.n_refs_before.is_some() {
                    Sights::of(&self.data_dir).remove(&event.run);
                }
                self.verify(event, finished, &spool, global)
            }
            _ => spool.append(event).map_err(|error| error.to_string()),
        }
    }

    fn verify(&self, event: &RunEvent, finished: &Finished, spool: &Spool, global: &Global) -> Result<(), String> {
        let Some(path) = self.run.as_ref().and_then(|run| run.started()?.repository.clone()) else { return Ok(()) };
        let (began, stop) = (Instant::now(), Stop::new(Some(VERIFY_AT_MOST), Arc::new(AtomicBool::new(false))));
        let (run, operations, moves) = (event.run.clone(), finished.operations.clone(), finished.moves.clone());
        let verify = move || aftermath::verified(&PathBuf::from(path), &run, &operations, &moves, &stop);
        let found = within(VERIFY_AT_MOST + AFTER_AT_MOST, verify);
        let found = found.ok_or("this run is not verified: it took too long")?;
        if found.branches.is_empty() && !found.has_unknown() {
            return Ok(());
        }
        let written = spool.append(&aftermath::event(&event.run, began, &found));
        if found.worst().is_some_and(|worst| Severity::Error <= worst) && !global.quiet {
            let told = verifying::told(&found);
            surroundings::talk(&format!(
                "alignwatch: this run lost work\n{told}see: alignwatch verify {}\n",
                event.run
            ));
        }
        written.map_err(|error| error.to_string())
    }
}

/// What moved in a run; `None` = it can't be known.
fn seen(run: &Run, config: &Config, data_dir: PathBuf, code: i32) -> Option<Finished> {
    let started = run.started()?;
    let path = PathBuf::from(started.repository.as_ref()?);
    let before = Sights::of(&data_dir).read(run.id()?);
    let nobody = || Known::Unknown("nobody looked when it began".to_owned());
    let before = before.map_or_else(nobody, Known::Seen);
    let place = Place { path: &path, base: started.base.as_deref(), config: Some(config), data_dir: Some(&data_dir) };
    let (judged, after) = aftermath::look(&place, &before, &Exit::Code(code));
    let n_refs = |seen: &Known<alignwatch_model::run::Seen>| seen.seen().map(|seen| seen.refs.len() as u32);
    Some(Finished {
        n_refs_before: n_refs(&before),
        n_refs_after: n_refs(&after),
        operations: aftermath::operations(&place, run, &judged, &after),
        n_moved: judged.moves.len() as u32,
        moves: judged.moves.into_iter().take(MOVES_AT_MOST).collect(),
        left_behind: judged.left_behind,
        ..Finished::default()
    })
}
