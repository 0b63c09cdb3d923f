//! `alignwatch verify`

use std::path::{Path, PathBuf};

use alignwatch_daemon::{aftermath, runs};
use alignwatch_git::{repository, stop::Stop};
use alignwatch_model::{
    Severity,
    run::{RunId, Verification},
};
use clap::Args;

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape, layout::count},
    recording::{self, verifying},
    surroundings,
};

/// Tell whether an alignment run lost work
///
/// Also told: what a push overwrote at a remote, merges that made a new branch, tags that are gone,
/// and stashes that were dropped; a stash that was taken out is looked for in the working tree as it
/// is now. For each branch that the run moved: does it contain its base, is every commit of its own
/// still there, was a side of a merge dropped, were files deleted, changes reverted or lines
/// lost that Git's own merge keeps, were conflict markers committed, and does anything lead to
/// the tip before. The answer comes from object ids, so it is the same at any later time;
/// where objects are gone it is unknown.
///
/// Exit code 3 when work was lost, 1 when it could not be told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch verify last                                         the newest run here
  alignwatch verify 01JGFJJZ00ZZZZZZZZZZZZZZZZ
  alignwatch verify --json 01JGFJJZ00ZZZZZZZZZZZZZZZZ ~/src/a    for programs")]
pub(crate) struct Verify {
    /// The run, as `alignwatch -v run` and `alignwatch event start` tell it; `last` is the newest of the repository
    #[arg(value_name = "RUN", value_parser = which)]
    run: Which,
    /// The repository [default: the one of the run; for `last` the one here]
    path: Option<PathBuf>,
}

/// Which run is meant.
#[derive(Clone, Debug)]
enum Which {
    Last,
    One(RunId),
}

fn which(text: &str) -> Result<Which, String> {
    match text {
        "last" => Ok(Which::Last),
        id => RunId::parse(id).map(Which::One).map_err(|error| error.to_string()),
    }
}

/// The newest run of the repository that is named, or that is here.
fn last(asked: &Verify, data_dir: &Path) -> Result<RunId, Failure> {
    let path = asked.path.clone().unwrap_or_else(|| PathBuf::from("."));
    let opened = repository::open(&path).map_err(|error| Failure::caused_by(&error))?;
    let recorded = runs::documents(data_dir, &opened.id()).map_err(Failure::could_not)?;
    let newest = recorded.into_iter().next().map(|document| document.run);
    newest.ok_or_else(|| Failure::could_not(format!("no run of `{}` is recorded", path.display())))
}

/// Reads the record, and asks the repository.
pub(crate) fn run(global: &Global, asked: &Verify) -> Result<Exit, Failure> {
    let form = global.form("verify", &[Format::Human, Format::Json])?;
    let config = recording::config(global).map_err(Failure::could_not)?;
    let data_dir =
        configuring::data_dir(&config).ok_or_else(|| Failure::could_not("cannot find runs: no data directory"))?;
    let hint = "`--data-dir` says where runs are recorded";
    let id = match &asked.run {
        Which::Last => last(asked, &data_dir)?,
        Which::One(id) => id.clone(),
    };
    let run = runs::one(&data_dir, &id).map_err(|reason| Failure::could_not(reason).hint(hint))?;
    let run = run.ok_or_else(|| Failure::could_not(format!("there is no run {id}")).hint(hint))?;
    let path = asked.path.clone().or_else(|| run.started()?.repository.as_ref().map(PathBuf::from));
    let path = path.ok_or_else(|| Failure::usage("cannot tell which repository the run was in: name it"))?;
    let operations: Vec<_> = run.operations().into_iter().cloned().collect();
    let finished = run.finished();
    let moves = finished.map(|finished| finished.moves.clone()).unwrap_or_default();
    let stop = Stop::new(None, surroundings::interruptions());
    let mut found = aftermath::verified(&path, &id, &operations, &moves, &stop);
    match finished {
        None => found.unknown.push("the end of the run is not recorded".to_owned()),
        Some(finished) if moves.len() < finished.n_moved as usize => {
            found.unknown.push(format!("{} refs moved, and {} are recorded", finished.n_moved, moves.len()));
        }
        Some(_) => {}
    }
    let text = match form {
        Format::Json => escape::json(&found.document(&id)),
        _ => human(&found),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(exit(&found))
}

fn human(found: &Verification) -> String {
    let told = verifying::told(found) + &verifying::unknown(found);
    if told.is_empty() {
        format!("ok: {} moved, and nothing was lost\n", count(found.branches.len(), "branch"))
    } else {
        told
    }
}

fn exit(found: &Verification) -> Exit {
    match found.worst() {
        Some(severity) if Severity::Error <= severity => Exit::Findings,
        _ if found.has_unknown() => Exit::CouldNot,
        _ => Exit::Fine,
    }
}
