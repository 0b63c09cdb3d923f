//! `alignwatch gate`

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use alignwatch_daemon::watched::watched;
use alignwatch_git::{repository, witness::witness};
use alignwatch_model::{
    Known, Look, RefName, Snapshot, Timestamp, checks,
    config::{Config, parse_length},
    gate::{self, Answer, Asked, Cause, Facts},
    lease::Lease,
    run::RunId,
};
use alignwatch_records::{Granted, Leases};
use clap::{Args, builder::PossibleValuesParser};
use serde::Serialize;

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    inspecting::{self, Question},
    output::{Format, escape},
    recording, surroundings,
};

/// Ask whether an alignment may start now
///
/// Looks at this moment for freezes, runs under way, leases of others, locks, half-done
/// operations and room on the disk; and, where a daemon watches the repository, at its health and
/// at the predicted merge of the branch. What can't be known is told, and stops nobody, unless
/// --strict is given: that the monitor is away never stops an alignment. `gate.backups` in the
/// configuration names what needs a fresh backup that was found good; there, unknown is not fresh.
/// `gate.forbid` names bases, branches and workflows that must not be aligned, or only in a window.
///
/// Exit code 0 = go, 4 = not now.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch gate && git machete traverse -y
  alignwatch gate --branch topic --lease 30m || exit 0    keep others off this branch meanwhile
  alignwatch gate --give-back 7                           the lease with this number is over
  alignwatch gate --json                                  for programs")]
pub(crate) struct Gate {
    /// The repository [default: the one here]
    path: Option<PathBuf>,
    /// The branch that is to be aligned, short or full [default: any]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The workflow that is to align; within `alignwatch run` it is known [default: any]
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Also stop where something can't be known
    #[arg(long)]
    strict: bool,
    /// This is no reason to stop; may be given several times
    #[arg(long, value_name = "CAUSE", value_parser = PossibleValuesParser::new(Cause::ALL.map(Cause::word)))]
    ignore: Vec<String>,
    /// When the way is free, keep others off for so long: takes or renews a lease
    #[arg(long, value_name = "TIME", value_parser = lease_time)]
    lease: Option<i64>,
    /// Who takes the lease [default: user, machine and parent process]
    #[arg(long, value_name = "NAME", requires = "lease")]
    holder: Option<String>,
    /// Give the lease with this number back, and ask nothing
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["lease", "branch", "strict", "workflow"])]
    give_back: Option<u64>,
}

/// The longest lease, in seconds. Source: ours; whoever needs more renews it, and is alive then.
const LEASE_AT_MOST: i64 = 86_400;

fn lease_time(text: &str) -> Result<i64, String> {
    let seconds = parse_length(text).map(|span| span.0).ok_or("write it like 30m or 2h")?;
    if (1..=LEASE_AT_MOST).contains(&seconds) { Ok(seconds) } else { Err("a lease lasts 1s to 1d".to_owned()) }
}

/// The document: `alignwatch.gate/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    repository: &'a str,
    branch: Option<&'a str>,
    answer: &'static str,
    obstacles: &'a [gate::Obstacle],
    doubts: &'a [String],
    until: Option<Timestamp>,
    lease: Option<LeaseTaken>,
}

#[derive(Serialize)]
struct LeaseTaken {
    token: u64,
    holder: String,
    until: Timestamp,
}

/// Looks, asks, and says go or not now.
pub(crate) fn run(global: &Global, asked: &Gate) -> Result<Exit, Failure> {
    let form = global.form("gate", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let now = surroundings::now();
    let snapshot = look(global, asked, &config)?;
    let refs = refs(asked);
    let branch = asked.branch.as_deref().map(|name| full_name(name, &refs));
    let tip = tip(branch.as_deref(), &refs);
    let data_dir = configuring::data_dir(&config);
    let leases = data_dir.as_ref().map(|data_dir| Leases::of(data_dir, &snapshot.repository.id));
    if let Some(token) = asked.give_back {
        return give_back(leases.as_ref(), token, now);
    }
    let nowhere = || Known::Unknown("there is no data directory".to_owned());
    let held = leases
        .as_ref()
        .map_or_else(nowhere_leases, |leases| Known::from_result(leases.held(now).map_err(|error| error.to_string())));
    let seen = data_dir
        .as_ref()
        .map_or_else(nowhere, |data_dir| watched(data_dir, &snapshot.repository.id, branch.as_deref()));
    let holder = asked.holder.clone().unwrap_or_else(holder);
    let run = std::env::var("ALIGNWATCH_RUN").ok().and_then(|text| RunId::parse(&text).ok());
    let ignored: Vec<Cause> = asked.ignore.iter().filter_map(|word| Cause::from_word(word)).collect();
    let question = Asked {
        branch: branch.as_deref(),
        workflow: asked.workflow.as_deref(),
        run: run.as_ref(),
        holder: &holder,
        ignored: &ignored,
    };
    let facts = Facts { snapshot: &snapshot, tip: &tip, leases: &held, watched: &seen, config: &config };
    let mut answer = gate::answer(&question, &facts, now);
    answer.doubts.extend(no_such_branch(branch.as_deref(), &refs));
    let may_go = |answer: &Answer| answer.obstacles.is_empty() && (!asked.strict || answer.doubts.is_empty());
    let mut taken = None;
    if let Some(seconds) = asked.lease.filter(|_| may_go(&answer)) {
        let wish = Lease { holder, branch: branch.clone(), until: Timestamp(now.0 + seconds), token: 0 };
        taken = take(leases.as_ref(), &wish, now, &mut answer);
    }
    let is_go = may_go(&answer);
    let document = Document {
        schema: "alignwatch.gate/1",
        repository: &snapshot.repository.path,
        branch: branch.as_deref(),
        answer: if is_go { "go" } else { "not_now" },
        obstacles: &answer.obstacles,
        doubts: &answer.doubts,
        until: answer.until(),
        lease: taken.map(|lease| LeaseTaken { token: lease.token, holder: lease.holder, until: lease.until }),
    };
    let text = match form {
        Format::Json => escape::json(&document),
        _ => human(&document, is_go),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(if is_go { Exit::Fine } else { Exit::NotNow })
}

/// Only what is seen in milliseconds: no history, no merges.
fn look(global: &Global, asked: &Gate, config: &Config) -> Result<Snapshot, Failure> {
    let of_room = checks::ALL.iter().filter(|check| gate::OF_ROOM.contains(&check.id));
    let mut looks: BTreeSet<Look> = of_room.flat_map(|check| check.needs.iter().copied()).collect();
    looks.extend([Look::Locks, Look::Unfinished, Look::Runs]);
    let path = asked.path.clone().unwrap_or_else(|| PathBuf::from("."));
    let looks = Look::with_required(looks);
    let question =
        Question { path: &path, config, base: None, looks, budget: None, is_awaited: true, paths_within: None };
    inspecting::inspect(global, &question)
}

/// Full names and ids of all refs, now.
fn refs(asked: &Gate) -> Known<BTreeMap<String, String>> {
    let path = asked.path.clone().unwrap_or_else(|| PathBuf::from("."));
    match repository::open(&path).map(|opened| witness(&opened)) {
        Ok(Known::Seen(seen)) => Known::Seen(seen.refs),
        Ok(Known::Unknown(reason)) => Known::Unknown(reason),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

/// `topic` as `refs/heads/topic`, unless it is a full name or one of another space that is there.
fn full_name(name: &str, refs: &Known<BTreeMap<String, String>>) -> String {
    let candidates = [name.to_owned(), format!("refs/heads/{name}"), format!("refs/remotes/{name}")];
    let is_there = |full: &&String| refs.seen().is_some_and(|refs| refs.contains_key(*full));
    candidates.iter().find(is_there).unwrap_or(&candidates[usize::from(!name.starts_with("refs/"))]).clone()
}

/// A slip in a name must not look like a branch with which all is well.
fn no_such_branch(branch: Option<&str>, refs: &Known<BTreeMap<String, String>>) -> Option<String> {
    let (branch, refs) = (branch?, refs.seen()?);
    (!refs.contains_key(branch)).then(|| format!("there is no branch `{}` here", RefName::new(branch).short().text()))
}

fn tip(branch: Option<&str>, refs: &Known<BTreeMap<String, String>>) -> Known<String> {
    match (branch, refs) {
        (_, Known::Unknown(reason)) => Known::Unknown(reason.clone()),
        (Some(branch), Known::Seen(refs)) => {
            Known::from_result(refs.get(branch).cloned().ok_or("it is not there".to_owned()))
        }
        (None, Known::Seen(_)) => Known::Unknown("no branch was named".to_owned()),
    }
}

fn nowhere_leases() -> Known<Vec<Lease>> {
    Known::Unknown("there is no data directory".to_owned())
}

/// Who asks, where they do not say: whoever asks again from the same shell or script is the same.
fn holder() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let machine = recording::host().unwrap_or_else(|| "this machine".to_owned());
    format!("{user}@{machine}:{}", std::os::unix::process::parent_id())
}

/// Takes the lease; somebody who was faster is an obstacle, and a failure a doubt.
fn take(leases: Option<&Leases>, wish: &Lease, now: Timestamp, answer: &mut Answer) -> Option<Lease> {
    match leases.map(|leases| leases.take(wish, now)) {
        Some(Ok(Granted::Yes(lease))) => Some(lease),
        Some(Ok(Granted::No(other))) => {
            let text = format!("{} was faster and has a lease", other.holder);
            let until = Some(other.until);
            answer.obstacles.push(gate::Obstacle { cause: Cause::Lease, text, until, commands: Vec::new() });
            None
        }
        Some(Err(error)) => {
            answer.doubts.push(format!("no lease was taken: {error}"));
            None
        }
        None => {
            answer.doubts.push("no lease was taken: there is no data directory".to_owned());
            None
        }
    }
}

fn give_back(leases: Option<&Leases>, token: u64, now: Timestamp) -> Result<Exit, Failure> {
    let leases = leases.ok_or_else(|| Failure::could_not("there is no data directory, so there are no leases"))?;
    let was_there = leases.give_back(token, now).map_err(|error| Failure::caused_by(&error))?;
    let text = if was_there { format!("lease {token} is given back\n") } else { format!("lease {token} was over\n") };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn human(document: &Document<'_>, is_go: bool) -> String {
    let mut text = String::new();
    let until = document.until.map(|until| format!(", until {until}")).unwrap_or_default();
    text.push_str(&if is_go { "go\n".to_owned() } else { format!("not now{until}\n") });
    for obstacle in document.obstacles {
        text.push_str(&format!("  stop   {}\n", escape::terminal(&obstacle.text)));
        for command in &obstacle.commands {
            text.push_str(&format!("         {}\n", escape::terminal(command)));
        }
    }
    for doubt in document.doubts {
        text.push_str(&format!("  ?      {}\n", escape::terminal(doubt)));
    }
    if let Some(lease) = &document.lease {
        text.push_str(&format!("  lease  number {} until {}\n", lease.token, lease.until));
    }
    text
}
