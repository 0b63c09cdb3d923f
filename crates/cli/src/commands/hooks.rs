//! `alignwatch hooks`

use std::path::{Path, PathBuf};

use alignwatch_git::{
    hooks::{self, Hook, HookError, Whose},
    objects::Objects,
    repository,
    witness::witness,
};
use alignwatch_model::{
    Oid,
    run::{Finished, Happened, Op, Operation, Outcome, RunEvent, event::Started},
};
use alignwatch_records::{Spool, fresh};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape},
    recording, surroundings,
};

/// Let Git report merges and rebases that are made by hand
///
/// Two hooks, `post-merge` and `post-rewrite`, that write one line into a file of alignwatch
/// after the fact, in a few milliseconds, and can fail nothing. A hook that is there already runs
/// first, as before, and its exit code counts. Commands under `alignwatch run` are recorded by
/// that and not twice.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch hooks install       in the repository here
  alignwatch hooks status ~/src/a
  alignwatch hooks remove        puts back what was there")]
pub(crate) struct Hooks {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put the hooks beside those that are there
    Install {
        /// The repository [default: the one here]
        path: Option<PathBuf>,
    },
    /// Take them away again
    Remove {
        /// The repository [default: the one here]
        path: Option<PathBuf>,
    },
    /// Show what is there
    Status {
        /// The repository [default: the one here]
        path: Option<PathBuf>,
    },
    /// What a hook calls
    #[command(hide = true)]
    Report {
        /// Its event
        event: String,
        /// Its arguments
        arguments: Vec<String>,
    },
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    hooks: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    event: &'static str,
    path: String,
    state: &'static str,
}

/// Installs, removes, shows or reports.
pub(crate) fn run(global: &Global, asked: &Hooks) -> Result<Exit, Failure> {
    let form = global.form("hooks", &[Format::Human, Format::Json])?;
    let here = |path: &Option<PathBuf>| path.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = match &asked.what {
        What::Report { event, arguments } => {
            // Whatever goes wrong here is nobody's business: somebody merges.
            let _ = report(global, event, arguments.first().map(String::as_str));
            return Ok(Exit::Fine);
        }
        What::Status { path } => hooks::hooks(&open(&here(path))?),
        What::Remove { path } => hooks::remove(&open(&here(path))?),
        What::Install { path } => {
            let program = std::env::current_exe().map_err(|error| Failure::could_not(error.to_string()))?;
            hooks::install(&open(&here(path))?, &program)
        }
    };
    let found = found.map_err(|error| in_words(&error))?;
    let text = match form {
        Format::Json => {
            escape::json(&Document { schema: "alignwatch.hooks/1", hooks: found.iter().map(shown).collect() })
        }
        _ => found.iter().map(human).collect(),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn open(path: &Path) -> Result<repository::Opened, Failure> {
    repository::open(path).map_err(|error| Failure::caused_by(&error))
}

fn in_words(error: &HookError) -> Failure {
    let failure = Failure::caused_by(error);
    match error {
        HookError::Tracked(_) => failure.hint(
            "add a line to the hook there yourself: alignwatch hooks report post-merge \"$@\" </dev/null >/dev/null 2>&1 || :",
        ),
        HookError::OfAll(_) => failure.hint("git config core.hooksPath .git/hooks gives this repository its own"),
        HookError::Joined(_) => failure.hint("take both parts over into one script by hand"),
        HookError::Io { .. } => failure,
    }
}

fn shown(hook: &Hook) -> Shown {
    let state = match hook.whose {
        Whose::Nobody => "absent",
        Whose::Ours => "installed",
        Whose::OursAndAnother => "installed_before_another",
        Whose::AnotherAndOurs => "installed_behind_another",
        Whose::Another => "another",
    };
    Shown { event: hook.name, path: hook.path.display().to_string(), state }
}

fn human(hook: &Hook) -> String {
    let state = match hook.whose {
        Whose::Nobody => "not installed",
        Whose::Ours => "installed",
        Whose::OursAndAnother => "installed; that of another tool runs with it",
        Whose::AnotherAndOurs => "installed; the hook of another tool runs it",
        Whose::Another => "not installed; there is another one",
    };
    format!("{:<13} {state}  ({})\n", hook.name, escape::terminal(&hook.path.display().to_string()))
}

/// Writes down a merge or rebase that somebody made by hand: a run that began and ended with it.
fn report(global: &Global, event: &str, argument: Option<&str>) -> Option<()> {
    let is_wrapped = std::env::var_os("ALIGNWATCH_RUN").is_some();
    let what = match (event, argument) {
        ("post-merge", _) => "merge",
        ("post-rewrite", Some("rebase")) => "rebase",
        _ => return None,
    };
    let config = recording::config(global).ok()?;
    let spool = Spool::open(&configuring::data_dir(&config).filter(|_| !is_wrapped)?);
    let opened = repository::open(Path::new(".")).ok()?;
    let (branch, after) = branch_here(&opened)?;
    let op = if what == "rebase" { Some(Op::Rebase) } else { kind_of_merge(&opened, &after) };
    let before = std::fs::read_to_string(opened.git_dir.join("ORIG_HEAD")).ok().map(|text| text.trim().to_owned());
    let operation = Operation {
        branch,
        before,
        after: Some(after),
        op,
        outcome: Outcome::Aligned,
        because: format!("git {what} went through, by hand"),
        ..Operation::default()
    };
    let started = Started {
        workflow: format!("{what} by hand"),
        repository: std::path::absolute(".").ok().map(|path| path.display().to_string()),
        repository_id: Some(opened.id()),
        command: vec!["git".to_owned(), what.to_owned()],
        host: recording::host(),
        ..Started::default()
    };
    let finished = Finished {
        outcome: operation.outcome,
        because: operation.because.clone(),
        operations: vec![operation],
        ..Finished::default()
    };
    let run = fresh::id();
    for what in [Happened::Started(started), Happened::Finished(finished)] {
        spool.append(&RunEvent::new(fresh::id().to_string(), run.clone(), fresh::now(), what)).ok()?;
    }
    Some(())
}

/// Git says nothing of whether a merge made a commit.
fn kind_of_merge(opened: &repository::Opened, after: &str) -> Option<Op> {
    let objects = Objects::open(&opened.objects_dir, &opened.object_format).ok()?;
    let commit = objects.commit(&Oid::from_hex(after.as_bytes()).ok()?).ok()?;
    Some(if commit.parents.len() < 2 { Op::FastForward } else { Op::Merge })
}

/// The branch that is checked out, and its commit; `None` on a detached HEAD.
fn branch_here(opened: &repository::Opened) -> Option<(String, String)> {
    let head = std::fs::read_to_string(opened.git_dir.join("HEAD")).ok()?;
    let branch = head.strip_prefix("ref: ")?.trim().to_owned();
    let oid = witness(opened).seen()?.refs.get(&branch)?.clone();
    Some((branch, oid))
}
