//! `alignwatch top`

use std::io::{self, IsTerminal};

use clap::Args;

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::Format,
    surroundings,
    top::{live, source::Source},
};

/// Show live what branches, runs, alerts and tasks do
///
/// Reads the daemon every two seconds, or what it last kept where none answers. Fits on 80 columns and
/// 24 lines, over ssh as well; the last line names the keys. Changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch top
  NO_COLOR=1 alignwatch top             without colour: words and symbols say the same")]
pub(crate) struct Top {}

/// Shows until somebody quits.
pub(crate) fn run(global: &Global, _: &Top) -> Result<Exit, Failure> {
    global.form("top", &[Format::Human])?;
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage("cannot show anything live: this is no terminal")
            .hint("`alignwatch branches` and `alignwatch alert list` answer once"));
    }
    let config = configuring::configure(global)?;
    let data_dir = configuring::data_dir(&config);
    let look = surroundings::screen(global);
    live::run(Source { config, data_dir }, &look)
        .map_err(|error| Failure::could_not(format!("cannot use the terminal: {error}")))?;
    Ok(Exit::Fine)
}
