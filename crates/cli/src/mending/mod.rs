//! `doctor --fix`: what can be repaired and taken back, one by one, each journaled before it is done.
//!
//! The repairs are a closed list of values ([`Act`]), never text from a finding. Of each the
//! undo information is on the disk before anything is done, and what it did is
//! measured by looking again. What is not known is no reason to act.

mod data_dir;
pub mod journal;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use alignwatch_git::{
    mend::{self, Outcome, Refusal, Repair},
    repository,
    run::Git,
};
use alignwatch_model::{Look, Snapshot, config::Config};

use self::journal::{Act, Ended, Journal, JournalError, Record, Step};
use crate::{
    Exit,
    commands::Global,
    failure::Failure,
    inspecting::{self, Question},
    installation::Around,
    surroundings,
};

/// A repair that could be made.
#[derive(Clone, Debug)]
pub(crate) enum Planned {
    /// Of the data directory.
    DataDir(Act),
    /// Of a repository.
    Repository {
        /// The path that was asked about.
        path: PathBuf,
        /// What.
        repair: Repair,
    },
}

/// What came of a repair.
pub(crate) struct Mended {
    /// Its number in the journal, when it got that far.
    pub(crate) id: Option<u64>,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

impl Planned {
    /// What it does, as a sentence part.
    pub(crate) fn title(&self) -> String {
        match self {
            Planned::DataDir(act) => title(act),
            Planned::Repository { repair, .. } => repair.title(),
        }
    }

    /// How it is taken back, as a sentence part.
    pub(crate) fn way_back(&self) -> &'static str {
        match self {
            Planned::DataDir(Act::MakeDataDir { .. }) => {
                "the directory is removed while it holds nothing but the journal"
            }
            Planned::DataDir(_) => "the mode is set as it was",
            Planned::Repository { repair, .. } => repair.way_back(),
        }
    }

    /// The repository that it is about.
    pub(crate) fn repository(&self) -> Option<&Path> {
        match self {
            Planned::DataDir(_) => None,
            Planned::Repository { path, .. } => Some(path),
        }
    }
}

fn title(act: &Act) -> String {
    match act {
        Act::Repository { undo } => undo.repair.title(),
        Act::MakeDataDir { path } => format!("make the data directory `{}`", path.display()),
        Act::CloseDataDir { path, .. } => format!("shut others out of the data directory `{}`", path.display()),
    }
}

/// What the data directory and these repositories call for.
pub(crate) fn plan(around: &Around, seen: &[(PathBuf, &Snapshot)]) -> Vec<Planned> {
    let data_dir = around.data_dir.as_deref().and_then(data_dir::propose).map(Planned::DataDir);
    let of_repository = |(path, snapshot): &(PathBuf, &Snapshot)| {
        let path = path.clone();
        let repairs = mend::propose(snapshot, &around.config).into_iter();
        repairs.map(move |repair| Planned::Repository { path: path.clone(), repair }).collect::<Vec<_>>()
    };
    data_dir.into_iter().chain(seen.iter().flat_map(of_repository)).collect()
}

/// Makes one repair. Errors: it could not be journaled, or the repository not be read.
pub(crate) fn mend(global: &Global, around: &Around, planned: &Planned) -> Result<Mended, Failure> {
    let data_dir = around.data_dir.as_deref().ok_or_else(|| Failure::could_not(NO_DATA_DIR).hint(NAME_ONE))?;
    match planned {
        Planned::DataDir(act @ Act::MakeDataDir { path }) => make_data_dir(act, path),
        Planned::DataDir(act @ Act::CloseDataDir { path, .. }) => {
            journaled(data_dir, None, act.clone(), || data_dir::close(path))
        }
        Planned::DataDir(_) => Err(Failure::could_not("cannot repair this: it is not about the data directory")),
        Planned::Repository { path, repair } => mend_repository(global, &around.config, data_dir, path, repair),
    }
}

const NO_DATA_DIR: &str = "cannot repair anything: there is no data directory to journal it in";

/// What to type then.
const NAME_ONE: &str = "name one: --data-dir DIR";

/// The only act that is journaled after it is done: its journal lies inside.
fn make_data_dir(act: &Act, path: &Path) -> Result<Mended, Failure> {
    let outcome = data_dir::make(path);
    if matches!(outcome, Outcome::Failed(_)) {
        return Ok(Mended { id: None, outcome });
    }
    journaled(path, None, act.clone(), || outcome)
}

fn mend_repository(
    global: &Global,
    config: &Config,
    data_dir: &Path,
    path: &Path,
    repair: &Repair,
) -> Result<Mended, Failure> {
    let fresh = look_again(global, config, path)?;
    let opened = repository::open(path).map_err(|error| Failure::caused_by(&error))?;
    let git = Git::find().map_err(|error| Failure::caused_by(&error))?;
    let git = git.at(&opened).map_err(|error| Failure::caused_by(&error))?;
    let undo = match mend::prepare(&fresh, config, repair, &mend::quarantine_id(surroundings::now())) {
        Ok(undo) => undo,
        Err(Refusal::NotNeeded(reason)) => return Ok(Mended { id: None, outcome: Outcome::Noop(reason) }),
        Err(Refusal::NotSure(reason)) => {
            let outcome = Outcome::Failed(format!("left as it is: {reason}"));
            return Ok(Mended { id: None, outcome });
        }
    };
    let act = Act::Repository { undo: undo.clone() };
    journaled(data_dir, Some(&fresh.repository.path), act, || {
        let done = mend::perform(&git, &undo);
        if matches!(done, Outcome::Effect(_)) {
            measured(done, look_again(global, config, path), config, repair)
        } else {
            done
        }
    })
}

/// What a repair came to, by the look after it. Done means measured: what could not be looked at is not done.
fn measured(done: Outcome, after: Result<Snapshot, Failure>, config: &Config, repair: &Repair) -> Outcome {
    let unmeasured = |reason: &str| Outcome::Failed(format!("it was done, and could not be measured: {reason}"));
    match after {
        Err(failure) => unmeasured(&failure.message),
        Ok(after) if mend::propose(&after, config).contains(repair) => {
            Outcome::Failed("it was done, and what it is for is still there".to_owned())
        }
        Ok(after) => repair.unknown_in(&after).map_or(done, unmeasured),
    }
}

/// The parts of a repository that repairs are about, as they are now.
fn look_again(global: &Global, config: &Config, path: &Path) -> Result<Snapshot, Failure> {
    let looks: BTreeSet<Look> = Look::with_required([Look::Locks, Look::History]);
    let question = Question { path, config, base: None, looks, budget: None, is_awaited: false, paths_within: None };
    inspecting::inspect(global, &question)
}

/// Writes down what is about to be done, does it, and writes down what came of it.
fn journaled(
    data_dir: &Path,
    repository: Option<&str>,
    act: Act,
    perform: impl FnOnce() -> Outcome,
) -> Result<Mended, Failure> {
    let mut journal = Journal::open(data_dir).map_err(in_words)?;
    let id = journal.next_id();
    let first = Record {
        id,
        at: surroundings::now().rfc3339(),
        step: Step::Begun,
        what: title(&act),
        repository: repository.map(str::to_owned),
        act: Some(act),
        outcome: None,
        words: None,
    };
    journal.write(&first).map_err(not_journaled)?;
    let outcome = perform();
    journal.write(&ended(&first, Step::Ended, &outcome)).map_err(not_journaled)?;
    Ok(Mended { id: Some(id), outcome })
}

fn ended(first: &Record, step: Step, outcome: &Outcome) -> Record {
    let (kind, words) = match outcome {
        Outcome::Effect(words) => (Ended::Effect, words),
        Outcome::Noop(words) => (Ended::Noop, words),
        Outcome::Failed(words) => (Ended::Failed, words),
    };
    Record {
        at: surroundings::now().rfc3339(),
        step,
        act: None,
        outcome: Some(kind),
        words: Some(words.clone()),
        ..first.clone()
    }
}

/// Takes a repair back by its number.
pub(crate) fn undo(around: &Around, id: u64) -> Result<(String, Outcome), Failure> {
    let data_dir = around.data_dir.as_deref().ok_or_else(|| Failure::could_not(NO_DATA_DIR).hint(NAME_ONE))?;
    let said = journal::read(data_dir).map_err(not_read)?;
    let first = said.records.iter().find(|record| record.id == id && record.step == Step::Begun);
    let Some((first, act)) = first.and_then(|first| Some((first, first.act.as_ref()?))) else {
        let failure = Failure::usage(format!("there is no repair {id}"));
        return Err(failure.hint("`alignwatch doctor --journal` lists them"));
    };
    let mut journal = Journal::open(data_dir).map_err(in_words)?;
    let begun = Record { at: surroundings::now().rfc3339(), step: Step::UndoBegun, act: None, ..first.clone() };
    journal.write(&begun).map_err(not_journaled)?;
    let outcome = take_back(act, data_dir);
    if data_dir.exists() {
        journal.write(&ended(first, Step::UndoEnded, &outcome)).map_err(not_journaled)?;
    }
    Ok((title(act), outcome))
}

fn take_back(act: &Act, data_dir: &Path) -> Outcome {
    match act {
        Act::Repository { undo } => mend::take_back(undo),
        // The journal lies in the data directory; it has no say over other places.
        Act::CloseDataDir { path, .. } | Act::MakeDataDir { path } if path != data_dir => {
            Outcome::Failed("the journal names another data directory".to_owned())
        }
        Act::CloseDataDir { mode, .. } if 0o777 < *mode => {
            Outcome::Failed(format!("{mode:o} is no mode of a directory"))
        }
        Act::CloseDataDir { path, mode } => data_dir::open_again(path, *mode),
        Act::MakeDataDir { path } => remove_if_unused(path),
    }
}

/// Removes the data directory that holds nothing but the journal.
fn remove_if_unused(dir: &Path) -> Outcome {
    let others = |entry: io::Result<fs::DirEntry>| entry.map_or(true, |entry| entry.file_name() != journal::FILE_NAME);
    match fs::read_dir(dir).map(|mut entries| entries.any(others)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Noop("it is gone".to_owned()),
        Err(error) => Outcome::Failed(error.to_string()),
        Ok(true) => Outcome::Failed("it holds more than the journal by now".to_owned()),
        Ok(false) => match fs::remove_file(dir.join(journal::FILE_NAME)).and_then(|()| fs::remove_dir(dir)) {
            Ok(()) => Outcome::Effect("it is removed, with its journal".to_owned()),
            Err(error) => Outcome::Failed(error.to_string()),
        },
    }
}

fn in_words(error: JournalError) -> Failure {
    let busy = matches!(error, JournalError::Busy { .. });
    let failure = Failure::caused_by(&error);
    if busy { Failure { exit: Exit::NotNow, ..failure } } else { failure.hint("nothing was changed") }
}

fn not_journaled(error: io::Error) -> Failure {
    Failure::could_not(format!("cannot write the journal of repairs: {error}"))
        .hint("`alignwatch doctor -v` tells how much room is left and who may write there")
}

pub(crate) fn not_read(error: io::Error) -> Failure {
    Failure::could_not(format!("cannot read the journal of repairs: {error}"))
        .hint("`alignwatch doctor -v` tells what is wrong with the data directory that holds it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_looked_at_afterwards_is_not_done() {
        let done = Outcome::Effect("written".to_owned());
        let after = Err(Failure::could_not("the disk is gone"));
        let outcome = measured(done, after, &Config::default(), &Repair::WriteCommitGraph);
        assert_eq!(outcome, Outcome::Failed("it was done, and could not be measured: the disk is gone".to_owned()));
    }
}
