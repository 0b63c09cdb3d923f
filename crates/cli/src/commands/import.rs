//! `alignwatch event import`

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use alignwatch_git::{
    past_alignments::{PastAlignment, past_alignments},
    repository,
    witness::witness,
};
use alignwatch_model::{
    Span,
    config::parse_length,
    run::{Finished, Happened, Moment, Op, Operation, Outcome, RunEvent, RunId, event::Started},
};
use alignwatch_records::Spool;
use clap::Args;
use sha2::{Digest, Sha256};

use super::Global;
use crate::{Exit, configuring, failure::Failure, recording, surroundings};

/// Take in runs of the past: from a file of events, or from what Git remembers
///
/// A file has one event a line, as docs/schema/event-1.schema.json says. It is taken whole or not
/// at all. With --reflog, each merge, rebase and pull that the logs of this clone's branches tell
/// of becomes a run; they are marked as reconstructed. What was taken in before is left out.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "reflog", conflicts_with = "reflog")]
    file: Option<PathBuf>,
    /// From the logs of the branches of this repository [default: the one here]
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = ".")]
    reflog: Option<PathBuf>,
    /// From the logs: not what is older
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = length)]
    since: Span,
}

/// Lines of a file at most. Source: ours; a year of a busy fleet, and still read in seconds.
const LINES_AT_MOST: usize = 200_000;

/// Runs that are made of logs at most, the newest. Source: ours; a person aligns a dozen branches a day.
const RUNS_AT_MOST: usize = 5_000;

fn length(text: &str) -> Result<Span, String> {
    parse_length(text).ok_or_else(|| "write it like 90d".to_owned())
}

/// Takes them in.
pub(crate) fn run(global: &Global, asked: &Import) -> Result<Exit, Failure> {
    let config = recording::config(global).map_err(Failure::could_not)?;
    let data_dir = configuring::data_dir(&config)
        .ok_or_else(|| Failure::could_not("cannot record: there is no data directory"))?;
    let events = match (&asked.file, &asked.reflog) {
        (Some(file), _) => of_file(file)?,
        (None, Some(path)) => of_logs(path, asked.since)?,
        (None, None) => Vec::new(),
    };
    let (n_runs, n_new) = take_in(&Spool::open(&data_dir), events)?;
    surroundings::answer(format!("{n_new} events of {n_runs} runs taken in\n").as_bytes())?;
    Ok(Exit::Fine)
}

fn of_file(file: &Path) -> Result<Vec<RunEvent>, Failure> {
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let failed = |error| Failure::could_not(format!("cannot read `{}`: {error}", file.display()));
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut events = Vec::new();
    for (index, line) in BufReader::new(source).lines().enumerate() {
        let place = format!("{}:{}", file.display(), index + 1);
        if LINES_AT_MOST <= index {
            return Err(Failure::usage(format!(
                "cannot import more than {LINES_AT_MOST} lines at once: split the file"
            )));
        }
        let line = line.map_err(|error| Failure::could_not(format!("cannot read {place}: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let event = serde_json::from_str(&line).map_err(|error| {
            Failure::usage(format!("cannot import {place}: {error}; nothing was imported"))
                .hint("docs/schema/event-1.schema.json says what a line must have")
        })?;
        events.push(event);
    }
    Ok(events)
}

fn of_logs(path: &Path, since: Span) -> Result<Vec<RunEvent>, Failure> {
    let opened = repository::open(path).map_err(|error| Failure::caused_by(&error))?;
    let seen = witness(&opened);
    let refs = seen.seen().map(|seen| &seen.refs);
    let refs = refs.ok_or_else(|| Failure::could_not("cannot read the branches of the repository"))?;
    let found = past_alignments(&opened, refs.keys().map(String::as_str)).map_err(Failure::could_not)?;
    let now = surroundings::now();
    let recent: Vec<PastAlignment> = found.into_iter().filter(|one| now.since(one.at) <= since).collect();
    let newest = recent.len().saturating_sub(RUNS_AT_MOST);
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    Ok(recent[newest..].iter().flat_map(|one| events_of(one, &whole, &opened.id())).collect())
}

/// Begin and end of one run. Its id follows from what was done, so that it is the same each time.
fn events_of(past: &PastAlignment, path: &str, repository: &str) -> [RunEvent; 2] {
    let what = format!("{repository} {} {} {}", past.branch, past.before.hex(), past.after.hex());
    let hash: [u8; 32] = Sha256::digest(what.as_bytes()).into();
    let mut part = [0; 10];
    part.copy_from_slice(&hash[..10]);
    let at = Moment(past.at.0.saturating_mul(1000));
    let run = RunId::from_parts(at.0.unsigned_abs(), part);
    let operation = Operation {
        branch: past.branch.clone(),
        before: Some(past.before.hex()),
        after: Some(past.after.hex()),
        op: if past.message.ends_with(": Fast-forward") { Some(Op::FastForward) } else { Op::from_word(past.what) },
        outcome: Outcome::Aligned,
        because: format!("its log says: {}", past.message),
        ..Operation::default()
    };
    let started = Started {
        workflow: format!("{} by hand", past.what),
        repository: Some(path.to_owned()),
        repository_id: Some(repository.to_owned()),
        command: vec!["git".to_owned(), past.what.to_owned()],
        ..Started::default()
    };
    let finished = Finished {
        outcome: operation.outcome,
        because: operation.because.clone(),
        operations: vec![operation],
        ..Finished::default()
    };
    let event = |name: &str, what: Happened| {
        let mut event = RunEvent::new(format!("{run}-{name}"), run.clone(), at, what);
        event.attributes.insert("reconstructed".to_owned(), true.into());
        event
    };
    [event("started", Happened::Started(started)), event("finished", Happened::Finished(finished))]
}

/// Writes those down that are not there yet. Returns how many runs there are, and how many events are new.
fn take_in(spool: &Spool, events: Vec<RunEvent>) -> Result<(usize, usize), Failure> {
    let runs: BTreeSet<RunId> = events.iter().map(|event| event.run.clone()).collect();
    let mut known: BTreeSet<(RunId, String)> = BTreeSet::new();
    for run in runs.iter().filter(|run| spool.path_of(run).exists()) {
        let spooled = spool.read(run).map_err(|error| Failure::caused_by(&error))?;
        known.extend(spooled.events.into_iter().map(|event| (run.clone(), event.id)));
    }
    let new: Vec<RunEvent> =
        events.into_iter().filter(|event| known.insert((event.run.clone(), event.id.clone()))).collect();
    for event in &new {
        spool.append(event).map_err(|error| Failure::caused_by(&error))?;
    }
    Ok((runs.len(), new.len()))
}
