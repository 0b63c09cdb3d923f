//! The commands: one file each, whose doc comment is its help, and one list.

use std::path::PathBuf;

use clap::{
    ArgAction, Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{Exit, failure::Failure, output::Format, surroundings};

pub(crate) mod alert;
pub(crate) mod backup;
pub(crate) mod branches;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod explain;
pub(crate) mod gate;
pub(crate) mod hooks;
pub(crate) mod import;
mod length;
pub(crate) mod man;
pub(crate) mod notify;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod verify;
pub(crate) mod window;

/// Watches over the work of keeping many Git branches in line with their base
///
/// Reads repositories and never changes them, unless `doctor --fix` or `task run` is told to. Needs no configuration and no network.
#[derive(Debug, Parser)]
#[command(
    name = "alignwatch",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = FIRST_STEPS,
    after_long_help = FIRST_STEPS_AND_EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
Examples:
  alignwatch check                     what is wrong in this repository, and what to type
  alignwatch branches                  every branch against its base, the urgent ones first
  alignwatch check --json ~/src/*      several repositories, for programs";

const FIRST_STEPS_AND_EXIT_CODES: &str = "\
Examples:
  alignwatch check                     what is wrong in this repository, and what to type
  alignwatch branches                  every branch against its base, the urgent ones first
  alignwatch check --json ~/src/*      several repositories, for programs

Exit codes:
  0   fine
  1   could not do it
  2   wrong usage or configuration
  3   findings at or above --fail-on (default: error)
  4   not now (gate, task run)
  70  a bug in alignwatch";

/// Options of all commands.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Global {
    /// Use this configuration file [env: ALIGNWATCH_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Remember facts between runs in this directory [env: ALIGNWATCH_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Answer in this form
    #[arg(long, global = true, value_name = "FORMAT", value_parser = forms(&[Format::Human, Format::Json]))]
    pub(crate) format: Option<Format>,
    /// Answer in JSON: short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Colour the answer; `auto` looks at the terminal and NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: Colour,
    /// Show more: all evidence, thresholds with their source, impact
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Be silent on standard error, apart from errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Another program asks, through the library: its signals and streams are its own.
    #[arg(skip)]
    pub(crate) is_embedded: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The list of commands. The doc comment of each is its help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Branches(branches::Branches),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    Config(config::ConfigArgs),
    Completions(completions::Completions),
    Run(run::Run),
    Event(event::Event),
    Verify(verify::Verify),
    Gate(gate::Gate),
    Hooks(hooks::Hooks),
    Serve(serve::Serve),
    Task(task::TaskArgs),
    Alert(alert::AlertArgs),
    Rules(rules::RulesArgs),
    Notify(notify::NotifyArgs),
    Backup(backup::Backup),
    Window(window::WindowArgs),
    Report(report::Report),
    Top(top::Top),
    Token(token::TokenArgs),
    Man(man::Man),
}

/// Runs the command, prints its answer or why there is none.
pub(crate) fn run(cli: Cli) -> Exit {
    let Cli { global, command } = cli;
    let is_daemon = matches!(command, Command::Serve(_) | Command::Top(_));
    let ended = match command {
        Command::Check(check) => check::run(&global, &check),
        Command::Branches(branches) => branches::run(&global, &branches),
        Command::Explain(explain) => explain::run(&global, &explain),
        Command::Doctor(doctor) => doctor::run(&global, &doctor),
        Command::Config(config) => config::run(&global, &config),
        Command::Completions(completions) => completions::run(&completions),
        Command::Run(run) => run::run(&global, &run),
        Command::Event(event) => event::run(&global, &event),
        Command::Verify(verify) => verify::run(&global, &verify),
        Command::Gate(gate) => gate::run(&global, &gate),
        Command::Hooks(hooks) => hooks::run(&global, &hooks),
        Command::Serve(serve) => serve::run(&global, &serve),
        Command::Backup(backup) => backup::run(&global, &backup),
        Command::Window(window) => window::run(&global, &window),
        Command::Task(task) => task::run(&global, &task),
        Command::Alert(alert) => alert::run(&global, &alert),
        Command::Rules(rules) => rules::run(&global, &rules),
        Command::Notify(notify) => notify::run(&global, &notify),
        Command::Report(report) => report::run(&global, &report),
        Command::Top(top) => top::run(&global, &top),
        Command::Token(token) => token::run(&global, &token),
        Command::Man(man) => man::run(&man),
    };
    let exit = ended.unwrap_or_else(|failure| {
        surroundings::talk(&failure.told());
        failure.exit
    });
    // For the daemon and the live view, an interruption is the usual end.
    if !surroundings::was_interrupted() || is_daemon {
        return exit;
    }
    surroundings::talk("interrupted: what was not looked at by then is shown as skipped or unknown\n");
    Exit::CouldNot
}

impl Global {
    /// The form of the answer, when it is one of those that the command has.
    pub(crate) fn form(&self, command: &str, has: &[Format]) -> Result<Format, Failure> {
        let form = if self.json { Format::Json } else { self.format.unwrap_or_default() };
        if has.contains(&form) {
            return Ok(form);
        }
        let words: Vec<_> = has.iter().map(|form| form.word()).collect();
        Err(Failure::usage(format!("cannot answer `{command}` as {}: it speaks {}", form.word(), words.join(", "))))
    }
}

/// Accepts these forms; clap lists them and suggests the nearest for a wrong one.
///
/// A command with more forms than `human` and `json` declares `--format` again
/// with its own list; the value is always read from [`Global`].
pub(crate) fn forms(has: &'static [Format]) -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(has.iter().filter_map(ValueEnum::to_possible_value))
        .map(|word| Format::from_str(&word, false).expect("the word is one of the list"))
}
