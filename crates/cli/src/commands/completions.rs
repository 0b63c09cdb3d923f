//! `alignwatch completions`

use clap::Args;
use clap_complete::Shell;

use crate::{Exit, failure::Failure, surroundings};

/// Print the completions of a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch completions bash > ~/.local/share/bash-completion/completions/alignwatch
  alignwatch completions zsh  > ~/.zfunc/_alignwatch
  alignwatch completions fish > ~/.config/fish/completions/alignwatch.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(asked: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut crate::command(), "alignwatch", &mut script);
    surroundings::answer(&script)?;
    Ok(Exit::Fine)
}
