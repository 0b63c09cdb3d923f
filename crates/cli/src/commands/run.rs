//! `alignwatch run`

use std::{ffi::OsString, path::PathBuf};

use alignwatch_model::run::Exit as CommandExit;
use alignwatch_records::{fresh, wrap};
use clap::Args;

use super::Global;
use crate::{
    Exit,
    failure::Failure,
    output::escape,
    recording::{Recorder, Wanted},
    surroundings,
};

/// Run an alignment command, and record what it did
///
/// The command has the terminal, the streams, signals and Ctrl-C as if it were run alone, and its
/// exit code is passed on. Recorded are its duration, processor time, memory and reads and writes,
/// the refs before and after, operations that it left half done, and what became of each branch.
/// Then it is verified that no work was lost; `alignwatch verify RUN` does that again, later.
///
/// Whatever goes wrong with recording never touches the command: it is one line on standard
/// error, and none with -q. The command gets TRACEPARENT (made, if there is none) and
/// ALIGNWATCH_RUN, so that `alignwatch event stage` in it knows which run it belongs to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch run --workflow nightly -- git machete traverse -y
  alignwatch run --workflow rebase --repo ~/src/a --base main -- ./align-all.sh
  alignwatch run --workflow nightly --keep-output -- ./align-all.sh >> align.log 2>&1
  alignwatch -v run --workflow rebase -- git rebase main    tells the outcome, too")]
pub(crate) struct Run {
    /// The name of the procedure, by which its runs are compared
    #[arg(long, value_name = "NAME")]
    workflow: String,
    /// The repository [default: the one here]
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Measure all branches against this ref
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Keep the last lines of its output, where that goes into a file; secrets in them are struck out
    #[arg(long)]
    keep_output: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command, records it, and ends as the command ended.
pub(crate) fn run(global: &Global, asked: &Run) -> Result<Exit, Failure> {
    wrap::survive_full_files();
    let id = fresh::id();
    let trace = std::env::var("TRACEPARENT").ok().filter(|given| !given.is_empty()).unwrap_or_else(fresh::traceparent);
    let wanted = Wanted {
        workflow: asked.workflow.clone(),
        repository: asked.repo.clone().unwrap_or_else(|| PathBuf::from(".")),
        base: asked.base.clone(),
        command: asked.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        traceparent: trace.clone(),
        run: id.clone(),
    };
    let recorder = Recorder::begin(global, wanted);
    let variables = [("TRACEPARENT", trace), ("ALIGNWATCH_RUN", id.to_string())];
    let code = match wrap::start(&asked.command, &variables, asked.keep_output) {
        Ok(running) => {
            let ended = running.wait();
            recorder.end(&ended);
            wrap::end_alike(&ended.exit)
        }
        Err(error) => {
            let program = asked.command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            surroundings::talk(&format!("alignwatch: {}: {error}\n", escape::terminal(&program)));
            recorder.end(&wrap::Ended {
                exit: CommandExit::NotStarted(error.to_string()),
                duration: std::time::Duration::ZERO,
                usage: Default::default(),
                output_tail: None,
            });
            wrap::code_of_start(&error)
        }
    };
    // Not one of our own exit codes: that of the command, whatever it is.
    std::process::exit(code)
}
