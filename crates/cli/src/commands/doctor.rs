//! `alignwatch doctor`

use std::path::{Path, PathBuf};

use alignwatch_git::health::pool::Borrowing;
use alignwatch_git::mend::Outcome;
use alignwatch_model::Severity;
use clap::{Args, Subcommand};

use super::{Global, bundle};
use crate::{
    Exit,
    failure::Failure,
    installation::{self, Around},
    judging::{self, Asked},
    mending::{self, Planned, journal},
    output::{Format, escape, human, json},
    report::{CheckReport, DoctorReport},
    surroundings,
};

/// Look whether this installation and repositories are well, and repair what can be taken back
///
/// First the installation: version, Git and its known bugs, configuration, data directory
/// and what is remembered there, clock, disk, limits. Then the repositories, by the same
/// checks as `check`, grouped by what they are about. Only looks, unless --fix is given.
///
/// --fix knows a short list of repairs: make or close the data directory, write an absent,
/// stale or damaged commit-graph, move a lock aside that nobody holds. It lists them, asks for
/// each (or takes --yes), writes down what takes it back before it acts, and measures the
/// effect by looking again. Off a terminal and without --yes it only lists.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  alignwatch doctor                     the installation, and the repository here
  alignwatch doctor -v ~/src/*          all that was looked at, in several repositories
  alignwatch doctor --remotes           ask the remotes, too
  alignwatch doctor --fix               list what can be repaired, and ask for each
  alignwatch doctor --journal           what was repaired
  alignwatch doctor --undo 3            take repair 3 back
  alignwatch doctor bundle              one file for a support request, redacted

Exit code 3 when there are findings of severity error or worse, 1 when a repair failed."
)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    /// Repositories [default: the one here, if there is one]
    path: Vec<PathBuf>,
    /// Ask the remotes, too: the only look that uses the network
    #[arg(long)]
    remotes: bool,
    /// Repair what can be taken back, one by one, after asking
    #[arg(long, conflicts_with_all = ["journal", "undo"])]
    fix: bool,
    /// Do not ask
    #[arg(long, requires = "fix")]
    yes: bool,
    /// List the repairs that were made
    #[arg(long, conflicts_with = "undo")]
    journal: bool,
    /// Take this repair back; --journal lists them
    #[arg(long, value_name = "ID")]
    undo: Option<u64>,
}

/// Commands below `doctor`.
#[derive(Debug, Subcommand)]
enum DoctorCommand {
    Bundle(bundle::Bundle),
}

/// The forms in which it can answer.
const FORMS: [Format; 2] = [Format::Human, Format::Json];

/// Looks, lists or repairs.
pub(crate) fn run(global: &Global, asked: &Doctor) -> Result<Exit, Failure> {
    if let Some(DoctorCommand::Bundle(asked)) = &asked.command {
        return bundle::run(global, asked);
    }
    let form = global.form("doctor", &FORMS)?;
    let around = Around::of(global);
    if let Some(id) = asked.undo {
        return undo(&around, id);
    }
    if asked.journal {
        return list_journal(global, form, &around);
    }
    let report = report(global, &around, &asked.path, asked.remotes, form == Format::Human);
    if asked.fix {
        return fix(global, &around, &report, asked.yes);
    }
    let answer = match form {
        Format::Json => json::doctor(&report),
        _ => human::doctor(&report, &surroundings::screen(global)),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(report.exit())
}

/// Examines the installation and judges the repositories.
pub(crate) fn report(
    global: &Global,
    around: &Around,
    paths: &[PathBuf],
    network: bool,
    is_awaited: bool,
) -> DoctorReport {
    let here = [PathBuf::from(".")];
    let is_named = !paths.is_empty();
    let no_repository = (!is_named).then(|| not_here(&here[0])).flatten();
    let paths = if is_named { paths } else { &here[..usize::from(no_repository.is_none())] };
    let borrowing = Borrowing::among(paths);
    let asked = Asked { network, is_awaited, borrowing: Some(&borrowing), ..Asked::default() };
    let repositories = paths.iter().map(|path| judging::check_one(global, &around.config, asked, path)).collect();
    DoctorReport {
        seen_at: around.now,
        installation: installation::examine(around),
        checked: CheckReport { repositories, fail_on: Some(Severity::Error), limit: None },
        no_repository,
    }
}

/// Why there is nothing to look at here, when nobody named a repository.
fn not_here(path: &Path) -> Option<String> {
    match alignwatch_git::repository::open(path) {
        Err(alignwatch_git::repository::OpenError::NotARepository { .. }) => {
            Some("no repository is here; name one to have it looked at: alignwatch doctor PATH".to_owned())
        }
        _ => None,
    }
}

fn list_journal(global: &Global, form: Format, around: &Around) -> Result<Exit, Failure> {
    let said = match &around.data_dir {
        Some(dir) => journal::read(dir).map_err(mending::not_read)?,
        None => journal::Said::default(),
    };
    let answer = match form {
        Format::Json => json::journal(&said),
        _ => human::journal(&said, &surroundings::screen(global)),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}

fn undo(around: &Around, id: u64) -> Result<Exit, Failure> {
    let (what, outcome) = mending::undo(around, id)?;
    say(&format!("repair {id}, {what}: {}\n", told(&outcome)))?;
    if matches!(outcome, Outcome::Failed(_)) {
        say(
            "nothing was taken back; mend what it says and try again: `alignwatch doctor --journal` lists the repairs\n",
        )?;
    }
    Ok(if matches!(outcome, Outcome::Failed(_)) { Exit::CouldNot } else { Exit::Fine })
}

/// Lists what could be repaired, then repairs what is agreed to.
fn fix(global: &Global, around: &Around, report: &DoctorReport, is_agreed: bool) -> Result<Exit, Failure> {
    let seen: Vec<_> = report
        .checked
        .repositories
        .iter()
        .filter_map(|checked| Some((PathBuf::from(&checked.path), &checked.judgement.as_ref().ok()?.snapshot)))
        .collect();
    let plans = mending::plan(around, &seen);
    if plans.is_empty() {
        say("nothing to repair that could be taken back\n")?;
        return Ok(Exit::Fine);
    }
    for (at, planned) in plans.iter().enumerate() {
        say(&in_list(at + 1, planned))?;
    }
    if !is_agreed && !surroundings::is_conversation() {
        say("nothing was changed: --yes makes these repairs, on a terminal each is asked for\n")?;
        return Ok(Exit::Fine);
    }
    let mut exit = Exit::Fine;
    for (at, planned) in plans.iter().enumerate() {
        if !is_agreed && !surroundings::asks(&format!("{}. {}? [y/N] ", at + 1, shown(&planned.title()))) {
            say(&format!("{}. left as it is\n", at + 1))?;
            continue;
        }
        let mended = mending::mend(global, around, planned)?;
        let undo = match (mended.id, &mended.outcome) {
            (Some(id), Outcome::Effect(_)) => format!("; undo: alignwatch doctor --undo {id}"),
            _ => String::new(),
        };
        say(&format!("{}. {}{undo}\n", at + 1, told(&mended.outcome)))?;
        if matches!(mended.outcome, Outcome::Failed(_)) {
            exit = Exit::CouldNot;
        }
    }
    Ok(exit)
}

fn in_list(number: usize, planned: &Planned) -> String {
    let place = planned.repository().map(|path| format!(" in {}", path.display())).unwrap_or_default();
    format!("{number}. {}{}\n   undo: {}\n", shown(&planned.title()), shown(&place), planned.way_back())
}

fn told(outcome: &Outcome) -> String {
    let (kind, words) = match outcome {
        Outcome::Effect(words) => ("done", words),
        Outcome::Noop(words) => ("nothing to do", words),
        Outcome::Failed(words) => ("failed", words),
    };
    format!("{kind}: {}", shown(words))
}

fn shown(text: &str) -> String {
    escape::terminal(text).into_owned()
}

fn say(text: &str) -> Result<(), Failure> {
    surroundings::answer(text.as_bytes())
}
