//! `alignwatch explain`

use std::path::PathBuf;

use alignwatch_model::Timestamp;
use clap::Args;

use super::Global;
use crate::{
    Exit,
    explaining::{self, World},
    failure::Failure,
    installation::{self, Around},
    judging::{self, Asked},
    output::{Format, human, json},
    surroundings,
};

/// Tell why something is as it is
///
/// A subject is the key of a finding, the id of a check, a key of the configuration (a
/// threshold, for example), an examination of `doctor`, an alert, a message, a channel, a rule, a maintenance task, the
/// number of one of its runs, or a branch (by its full name, where it is called like something else). The answer tells what was
/// seen and by what, the numbers, the threshold and where it comes from, what would change
/// the verdict, what it means for alignment, and what to do.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch explain feature/login          why the branch is in its state, and its base
  alignwatch explain commit-graph:stale     a finding, by the key that `check -v` shows
  alignwatch explain far-behind             a check, and what it says here
  alignwatch explain thresholds.far-behind  where the number comes from
  alignwatch explain data-dir               a part of the installation
  alignwatch explain pack-refs              why a maintenance task acts, rests, waits or refuses
  alignwatch explain task:loose-objects     the same, where a check has this name
  alignwatch explain 12                     what came of run 12 of a task, and why
  alignwatch explain 65f2a1-0001 --to team  why a channel was told of an alert, or was not
  alignwatch explain 65f2a1-0001 --at 2026-11-28T03:00Z  the same, as it was then
  alignwatch explain team                   why a channel hears what it hears, or nothing
  alignwatch explain rule:conflict          why a rule fires, or does not")]
pub(crate) struct Explain {
    /// What to explain
    subject: String,
    /// The repository
    #[arg(default_value = ".", hide_default_value = true)]
    path: PathBuf,
    /// Of an alert, only what concerns this channel
    #[arg(long, value_name = "CHANNEL")]
    to: Option<String>,
    /// Of an alert, as it was at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// Measure all branches against this ref
    #[arg(long, value_name = "REF")]
    base: Option<String>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write it like 2026-11-28T03:00:00Z".to_owned())
}

/// Looks, and explains.
pub(crate) fn run(global: &Global, asked: &Explain) -> Result<Exit, Failure> {
    let form = global.form("explain", &[Format::Human, Format::Json])?;
    let around = Around::of(global);
    if let Some(channel) = &asked.to {
        super::notify::named(&around.config, channel)?;
    }
    let how = Asked { base: asked.base.as_deref(), is_awaited: form == Format::Human, ..Asked::default() };
    let checked = judging::check_one(global, &around.config, how, &asked.path);
    let installation = installation::examine(&around);
    let world = World {
        around: &around,
        installation: &installation,
        path: &asked.path,
        to: asked.to.as_deref(),
        at: asked.at,
        judgement: checked.judgement.as_ref(),
    };
    let explanation = explaining::explain(&world, &asked.subject)?;
    let answer = match form {
        Format::Json => json::explain(&explanation),
        _ => human::explain(&explanation, &surroundings::screen(global)),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}
