//! `alignwatch branches`

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use alignwatch_model::{Look, State, words::count};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::{Global, forms, length::length_or_none};
use crate::{
    Exit, configuring,
    failure::Failure,
    inspecting::{self, Question},
    output::{Format, human, json, markdown},
    report::{BranchesReport, Selection, Sort},
    surroundings,
};

/// Show every branch against its base
///
/// For each branch: its state, commits ahead of and behind its base, how long it
/// is idle, whether it would merge and in which files not, and the proof when its
/// work has already landed. Without configuration, each branch is measured against
/// the nearest of the primary lines; the screen says which and how they were found.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch branches                             the urgent ones first
  alignwatch branches --state squash_merged,merged --limit 0
  alignwatch branches --at src/main.rs --limit 0  all that conflict at one file
  alignwatch branches --base origin/release-2 --sort behind
  alignwatch branches --json | jq '.branches[] | select(.state == \"conflicting\") | .ref'

States, first that holds:
  unknown        could not be judged; the reason stands beside it
  unrelated      no common commit with its base
  aligned        contains its base, whatever is ahead
  merged         an ancestor of the base, by a merge
  behind         on the base's own line: nothing of its own
  continued      landed, and then went on
  reverted       landed, and then the base took it back
  squash_merged  landed as other commits (squash, rebase, cherry-pick), by proof
  conflicting    both sides moved, and a merge conflicts
  diverged       both sides moved, and a merge is clean")]
pub(crate) struct Branches {
    /// The repository
    #[arg(default_value = ".", hide_default_value = true)]
    path: PathBuf,
    /// Answer in this form
    #[arg(long, value_name = "FORMAT", value_parser = forms(&FORMS))]
    format: Option<Format>,
    /// Measure all branches against this ref
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Show only these states
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = state())]
    state: Vec<State>,
    /// Show only those that conflict at this path
    #[arg(long, value_name = "PATH", conflicts_with = "no_predict")]
    at: Option<String>,
    /// Show in this order
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    sort: Sort,
    /// Show at most so many; 0 = all [default: what fits the terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Let Git take so long to list the files of conflicts that are certain; 0 = verdicts only [default: 3s for people,
    /// 2m for programs]
    #[arg(long, value_name = "LENGTH", value_parser = length_or_none)]
    paths_within: Option<Duration>,
    /// Do not predict merges: faster, but then conflicts are not known
    #[arg(long)]
    no_predict: bool,
}

/// The forms in which it can answer.
const FORMS: [Format; 3] = [Format::Human, Format::Json, Format::Markdown];

/// Inspects and prints.
pub(crate) fn run(global: &Global, asked: &Branches) -> Result<Exit, Failure> {
    let form = global.form("branches", &FORMS)?;
    let started = Instant::now();
    let config = configuring::configure(global)?;
    let question = Question {
        path: &asked.path,
        config: &config,
        base: asked.base.as_deref(),
        looks: Look::with_required([if asked.no_predict { Look::History } else { Look::Merges }]),
        budget: None,
        is_awaited: form == Format::Human,
        paths_within: asked.paths_within,
    };
    let snapshot = inspecting::inspect(global, &question)?;
    let selection =
        Selection { states: asked.state.clone(), path: asked.at.clone(), sort: asked.sort, limit: asked.limit };
    let report = BranchesReport { snapshot, elapsed: started.elapsed(), selection };
    let answer = match form {
        Format::Json => json::branches(&report),
        Format::Markdown => markdown::branches(&report),
        _ => human::branches(&report, &surroundings::screen(global)),
    };
    surroundings::answer(answer.as_bytes())?;
    let n_unlisted = report.n_unlisted();
    if asked.at.is_some() && 0 < n_unlisted && form == Format::Human {
        let them = count(n_unlisted, "branch");
        surroundings::talk(&format!("the paths of {them} that conflict are not known yet: add --paths-within 5m\n"));
    }
    Ok(Exit::Fine)
}

/// States by their word; clap suggests the nearest for a wrong one.
fn state() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::word))
        .map(|word| State::ALL.into_iter().find(|state| state.word() == word).expect("the word is one of the list"))
}
