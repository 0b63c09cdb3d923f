//! Asks: the command line `alignwatch`, as a library: to be embedded ([`Monitor`]), and so that its words can be tested.
//!
//! The only crate that prints and knows exit codes. A command turns arguments
//! into questions for `alignwatch-git` and the checks of `alignwatch-model`, and
//! their answers into one of the documents of [`output`]. Answers go to standard
//! output; talk, progress and errors go to standard error.
//!
//! To add a command: one file in `commands/` and one line in its list.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

mod asking;
pub mod bundle;
mod commands;
mod configuring;
pub mod exit;
pub mod explaining;
pub mod failure;
mod inspecting;
pub mod installation;
mod judging;
pub mod mending;
pub mod monitor;
pub mod output;
mod recording;
pub mod report;
mod surroundings;
mod tasking;
mod top;

pub use exit::Exit;
pub use monitor::Monitor;

/// Runs one command line, prints its answer and says how it ended.
///
/// A panic is our own bug: it is told in two lines and ends in [`Exit::OwnBug`].
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    exit::guarded(|| match parse(&arguments) {
        Ok(cli) => commands::run(cli),
        Err(error) => told_by_clap(&error),
    })
}

/// The whole command line, for completions, manual pages and generated documents.
pub fn command() -> clap::Command {
    commands::Cli::command()
}

fn parse(arguments: &[OsString]) -> Result<commands::Cli, clap::Error> {
    let matches = command().color(surroundings::clap_colour(arguments)).try_get_matches_from(arguments)?;
    commands::Cli::from_arg_matches(&matches)
}

/// Help and version are answers; anything else is wrong usage.
fn told_by_clap(error: &clap::Error) -> Exit {
    // A closed pipe is the only way to fail here, and it is no error.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Fine }
}
