//! `alignwatch event`

use std::path::{Path, PathBuf};

use alignwatch_model::run::{Finished, Happened, Op, Operation, Outcome, RunEvent, RunId, Stage, event::Started};
use alignwatch_records::{fresh, tail, wrap};
use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::{Global, import};
use crate::{
    Exit,
    failure::Failure,
    output::Format,
    recording::{self, Reported},
    surroundings,
};

/// Report what happens in an alignment run, from any script
///
/// `start` prints the id of the run; the others take it from --run or from ALIGNWATCH_RUN, which
/// `alignwatch run` sets for its command. `start` reads the refs of the repository, `finish` tells
/// which of them moved, and verifies as `alignwatch run` does that no work was lost. Events go into files in the data directory and need no
/// daemon. An event that is reported twice with the same --id counts once.
///
/// Reporting never breaks a script: it exits 0 even when nothing could be written, unless the
/// command line itself is wrong.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  export ALIGNWATCH_RUN=$(alignwatch event start --workflow nightly)
  alignwatch event stage fetch
  alignwatch event operation refs/heads/x --outcome aligned
  alignwatch event finish --outcome aligned --output align.log")]
pub(crate) struct Event {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Import(import::Import),
    /// A run begins: prints its id
    Start {
        /// The name of the procedure
        #[arg(long, value_name = "NAME")]
        workflow: String,
        /// The repository [default: the one here]
        #[arg(long, value_name = "PATH")]
        repo: Option<PathBuf>,
        /// What branches are aligned with
        #[arg(long, value_name = "REF")]
        base: Option<String>,
        #[command(flatten)]
        more: More,
    },
    /// A stage begins, or ends
    Stage {
        /// Its name, such as preflight, backup, fetch, align, check, push or cleanup
        name: String,
        /// What became of it
        #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(["started", "finished", "failed"]))]
        status: Option<String>,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        more: More,
    },
    /// The run is still alive
    Heartbeat {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        more: More,
    },
    /// One branch was dealt with
    Operation {
        /// The branch, by its full name
        branch: String,
        /// How it ended
        #[arg(long, value_name = "WORD", value_parser = outcomes())]
        outcome: String,
        /// What was done to it
        #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(Op::ALL.map(Op::word)))]
        op: Option<String>,
        /// Its base, by its full name
        #[arg(long, value_name = "REF")]
        base: Option<String>,
        /// Its tip before, as a full id
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// Its tip after, as a full id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        more: More,
    },
    /// The run has ended
    Finish {
        /// How it ended
        #[arg(long, value_name = "WORD", value_parser = outcomes())]
        outcome: String,
        /// The exit code of the procedure
        #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
        exit_code: Option<i32>,
        /// A file with its output, of which the last lines are kept; secrets in them are struck out
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        more: More,
    },
}

/// Which run.
#[derive(Args, Debug)]
struct Of {
    /// The run
    #[arg(long, value_name = "ID", env = "ALIGNWATCH_RUN", value_parser = run_id)]
    run: RunId,
}

/// What any event may carry.
#[derive(Args, Debug)]
struct More {
    /// Makes it harmless to report this event twice [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Say this besides; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).map_err(|error| error.to_string())
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it like name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(Outcome::ALL.map(Outcome::word))
}

/// Writes the event down; whatever goes wrong is told, and breaks nothing.
pub(crate) fn run(global: &Global, asked: &Event) -> Result<Exit, Failure> {
    if let What::Import(asked) = &asked.what {
        return import::run(global, asked);
    }
    let form = global.form("event", &[Format::Human, Format::Json])?;
    wrap::survive_full_files();
    let say = |reason: String| {
        if !global.quiet {
            surroundings::talk(&format!("alignwatch: {reason}\n"));
        }
    };
    let Some(mut event) = event_of(&asked.what, &say) else { return Ok(Exit::Fine) };
    let reported = Reported::of(global, &event);
    if let Ok(reported) = &reported {
        event = reported.with_what_moved(event);
    }
    match &reported {
        Ok(reported) => reported.record(&event, global).unwrap_or_else(say),
        Err(reason) => say(reason.clone()),
    }
    match (form, &event.what) {
        (Format::Json, _) => surroundings::answer(format!("{}\n", event.json()).as_bytes())?,
        (_, Happened::Started(_)) => surroundings::answer(format!("{}\n", event.run).as_bytes())?,
        _ => {}
    }
    Ok(Exit::Fine)
}

/// What is kept of the output in this file; `None` = it has none, or can't be read, and that was said.
fn tail_of(path: &Path, say: &dyn Fn(String)) -> Option<String> {
    let tail = tail::of_file(path).unwrap_or_else(|error| {
        say(format!("cannot read the output in {}: {error}; all else is recorded", path.display()));
        None
    });
    tail.map(|text| recording::kept_output(&text))
}

/// `None` = nothing is reported.
fn event_of(what: &What, say: &dyn Fn(String)) -> Option<RunEvent> {
    let (run, more, happened) = match what {
        What::Import(_) => return None,
        What::Start { workflow, repo, base, more } => {
            (fresh::id(), more, Happened::Started(started(workflow, repo.as_ref(), base.as_ref())))
        }
        What::Stage { name, status, of, more } => {
            let stage = Stage { stage: name.clone(), status: status.clone(), ..Stage::default() };
            (of.run.clone(), more, Happened::Stage(stage))
        }
        What::Heartbeat { of, more } => (of.run.clone(), more, Happened::Heartbeat {}),
        What::Operation { branch, op, outcome, base, before, after, of, more } => {
            let operation = Operation {
                branch: branch.clone(),
                base: base.clone(),
                before: before.clone(),
                after: after.clone(),
                op: op.as_deref().and_then(Op::from_word),
                outcome: Outcome::from_word(outcome).unwrap_or_default(),
                ..Operation::default()
            };
            (of.run.clone(), more, Happened::Operation(operation))
        }
        What::Finish { outcome, exit_code, output, of, more } => {
            let outcome = Outcome::from_word(outcome).unwrap_or_default();
            let because = "it was reported".to_owned();
            let output_tail = output.as_deref().and_then(|path| tail_of(path, say));
            let finished = Finished { outcome, because, exit_code: *exit_code, output_tail, ..Finished::default() };
            (of.run.clone(), more, Happened::Finished(finished))
        }
    };
    let id = more.id.clone().unwrap_or_else(|| fresh::id().to_string());
    let mut event = RunEvent::new(id, run, fresh::now(), happened);
    let said = more.attribute.iter().map(|(name, value)| (name.clone(), recording::redacted(value).into()));
    event.attributes.extend(said);
    Some(event)
}

fn started(workflow: &str, repo: Option<&PathBuf>, base: Option<&String>) -> Started {
    let path = std::path::absolute(repo.map_or_else(|| PathBuf::from("."), Clone::clone)).ok();
    Started {
        workflow: workflow.to_owned(),
        repository_id: path.as_ref().and_then(|path| alignwatch_git::repository::open(path).ok()).map(|one| one.id()),
        repository: path.map(|path| path.display().to_string()),
        base: base.cloned(),
        host: recording::host(),
        traceparent: std::env::var("TRACEPARENT").ok(),
        ..Started::default()
    }
}
