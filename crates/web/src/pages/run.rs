//! One alignment run: its stages over time, what became of each branch, what it used, and whether it lost anything.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    remedy::only_looks,
    run::{Document, Happened, Operation, Run, RunId, verification::Verified},
    words::count,
};
use alignwatch_store::WhichRuns;
use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    chart::rounded,
    runs::{Compared, RunRow, Usual, at, read, verified},
    shell::{Failed, Section, Shell, made},
    told::{self, Mark},
};
use crate::Shared;

/// Characters of output that are shown: what we keep is less, what others report may be more.
const OUTPUT_SHOWN: usize = 16 << 10;

/// Runs of the same workflow from which it is known what is usual.
const USUAL_OF: usize = 60;

/// Branches, and refs, that are listed.
const SHOWN: usize = 500;

/// Where the bars of stages begin and end.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 780.0;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    shell: Shell,
    row: RunRow,
    document: Document,
    stages: Option<Stages>,
    facts: Vec<(&'static str, String)>,
    /// What it took: the number, what is usual for its workflow, and how it compares.
    usual: Vec<Compared>,
    output: String,
    operations: Vec<Dealt>,
    n_more_operations: usize,
    verified: Option<Mark>,
    losses: Vec<LossTold>,
    not_known: Vec<String>,
}

/// Bars of stages, one below the other.
#[derive(Template)]
#[template(path = "stages.svg")]
struct Stages {
    height: f64,
    label: String,
    bars: Vec<Bar>,
}

struct Bar {
    y: f64,
    x: f64,
    width: f64,
    name: String,
    tone: &'static str,
    told: String,
}

/// What became of a branch.
struct Dealt {
    name: String,
    address: String,
    outcome: Mark,
    because: String,
    moved: String,
    behind: String,
}

/// Something that was lost.
struct LossTold {
    mark: Mark,
    branch: String,
    summary: String,
    paths: Vec<String>,
    n_more_paths: usize,
    kept_by: Option<String>,
    /// What for, the command, and whether it only looks: below the last loss of a branch.
    commands: Vec<(&'static str, String, bool)>,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| run(shared, &id)).await
}

fn run(shared: &Shared, id: &str) -> Result<RunPage, Failed> {
    let id = RunId::parse(id).map_err(|error| Failed::not_found(error.to_string()))?;
    let run = shared.read(|store| store.run(&id))?.unwrap_or_default();
    let document = run.document().ok_or_else(|| Failed::not_found(format!("There is no run {id}.")))?;
    let started = document.started.clone().unwrap_or_default();
    let shell = Shell::new(shared, format!("Run of {}", started.workflow), Section::Runs);
    let which = WhichRuns { workflow: Some(&started.workflow), ..WhichRuns::default() };
    let others = read(shared, which, USUAL_OF)?;
    let usual = Usual::of(&others);
    let repository = started.repository_id.unwrap_or_default();
    let operations = document.operations.iter().take(SHOWN).map(|operation| Dealt::of(operation, &repository));
    let verification = document.verification.clone();
    Ok(RunPage {
        row: RunRow::of(&document, &usual, shell.now),
        stages: Stages::of(&run, &document),
        facts: facts(&document),
        usual: usual.compared(&document),
        operations: operations.collect(),
        n_more_operations: document.operations.len().saturating_sub(SHOWN),
        verified: verification.as_ref().map(verified),
        losses: verification.iter().flat_map(|all| &all.branches).flat_map(losses).collect(),
        not_known: verification.iter().flat_map(not_known).collect(),
        output: finished_output(&document),
        shell,
        document,
    })
}

/// The last lines of its output, without what a terminal would act on.
fn finished_output(run: &Document) -> String {
    let text = run.finished.as_ref().and_then(|finished| finished.output_tail.as_deref()).unwrap_or_default();
    without_sequences(text)
        .chars()
        .take(OUTPUT_SHOWN)
        .filter(|&one| one == '\n' || one == '\t' || !one.is_control())
        .collect()
}

/// A text without what sets colours and moves cursors. Source: ECMA-48, control sequences (`ESC [ … final byte`).
fn without_sequences(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\x1b[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|one: char| !('\x20'..='\x3f').contains(&one));
        // The final byte goes, too; anything else is text of a sequence that was cut.
        let rest = end.map_or("", |end| &part[end..]);
        plain.push_str(rest.strip_prefix(|one: char| ('\x40'..='\x7e').contains(&one)).unwrap_or(rest));
    }
    plain
}

fn facts(run: &Document) -> Vec<(&'static str, String)> {
    let started = run.started.clone().unwrap_or_default();
    let finished = run.finished.clone().unwrap_or_default();
    let usage = &finished.usage;
    let in_kernel = usage.system_cpu_seconds.map(told::seconds);
    let ended = match (finished.exit_code, finished.signal) {
        (_, Some(signal)) => Some(format!("signal {signal}")),
        (Some(code), None) => Some(format!("exit code {code}")),
        (None, None) => None,
    };
    let refs = match (finished.n_refs_before, finished.n_refs_after) {
        (Some(before), Some(after)) if before != after => {
            format!("{}; {before} before, {after} after", count(finished.n_moved as usize, "ref"))
        }
        _ => count(finished.n_moved as usize, "ref"),
    };
    let left: Vec<String> = finished
        .left_behind
        .iter()
        .map(|left| {
            format!(
                "{}{}",
                left.operation,
                left.branch.as_ref().map_or(String::new(), |branch| format!(" on {branch}"))
            )
        })
        .collect();
    let facts = [
        ("Id", Some(run.run.to_string())),
        ("Repository", started.repository),
        ("Base", started.base),
        ("Command", Some(started.command.join(" ")).filter(|command| !command.is_empty())),
        ("Host", started.host.map(|host| started.pid.map_or(host.clone(), |pid| format!("{host}, process {pid}")))),
        ("Began", at(run.began_at).map(|at| at.rfc3339())),
        ("Ended", at(run.ended_at).map(|at| at.rfc3339())),
        ("Ended with", ended),
        ("Processor time in the kernel", in_kernel),
        ("Moved", run.finished.as_ref().map(|_| refs)),
        ("Left half done", Some(left.join(", ")).filter(|left| !left.is_empty())),
        ("Events", Some(run.n_events.to_string())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

impl Dealt {
    fn of(operation: &Operation, repository: &str) -> Dealt {
        let short =
            |oid: &Option<String>| oid.as_deref().map_or("nothing".to_owned(), |oid| oid.chars().take(9).collect());
        let op = operation.op.map(|op| format!("{}: ", op.word().replace('_', " "))).unwrap_or_default();
        let moved = match operation.before == operation.after {
            true => "did not move".to_owned(),
            false => format!("{op}{} → {}", short(&operation.before), short(&operation.after)),
        };
        let number = |n: Option<u32>| told::number(n);
        Dealt {
            name: told::short(&operation.branch).to_owned(),
            address: if repository.is_empty() {
                String::new()
            } else {
                told::branch_path(repository, &operation.branch)
            },
            outcome: told::outcome(Some(operation.outcome)),
            because: operation.because.clone(),
            moved,
            behind: format!("{} → {}", number(operation.behind_before), number(operation.behind_after)),
        }
    }
}

fn losses(verified: &Verified) -> Vec<LossTold> {
    let told = |loss: &alignwatch_model::run::Loss| LossTold {
        mark: told::health(loss.severity.word()),
        branch: told::short(&verified.branch).to_owned(),
        summary: loss.summary.clone(),
        n_more_paths: (loss.n_paths as usize).saturating_sub(loss.paths.len()),
        paths: loss.paths.clone(),
        kept_by: verified.kept_by.clone(),
        commands: Vec::new(),
    };
    let mut losses: Vec<LossTold> = verified.losses.iter().map(told).collect();
    if let Some(last) = losses.last_mut() {
        let commands = verified.rescue().into_iter();
        last.commands = commands.map(|(what, command)| (what, command.clone(), only_looks(&command))).collect();
    }
    losses
}

fn not_known(all: &alignwatch_model::run::Verification) -> Vec<String> {
    let of_branches = all
        .branches
        .iter()
        .flat_map(|one| one.unknown.iter().map(|reason| format!("{}: {reason}", told::short(&one.branch))));
    all.unknown.iter().cloned().chain(of_branches).collect()
}

impl Stages {
    /// `None` where no stage was told.
    fn of(run: &Run, document: &Document) -> Option<Stages> {
        let began = document.began_at?.0;
        let ended = document.ended_at.or(document.heard_at)?.0;
        let mut spans = Vec::<(String, i64, i64, &'static str)>::new();
        let mut open = BTreeMap::<String, usize>::new();
        for event in run.events() {
            let Happened::Stage(stage) = &event.what else { continue };
            let lasted = stage.duration_seconds.map_or(0, |seconds| (seconds * 1000.0) as i64);
            let tone = match stage.status.as_deref() {
                Some("failed") => "error",
                Some("started") => "info",
                _ => "ok",
            };
            match (tone, open.remove(&stage.stage)) {
                ("info", _) => {
                    open.insert(stage.stage.clone(), spans.len());
                    // Until its end is told, it lasts.
                    spans.push((stage.stage.clone(), event.at.0, ended, tone));
                }
                (_, Some(begun)) => (spans[begun].2, spans[begun].3) = (event.at.0, tone),
                (_, None) => spans.push((stage.stage.clone(), event.at.0 - lasted, event.at.0, tone)),
            }
        }
        let x = |at: i64| LEFT + (at - began) as f64 / (ended - began).max(1) as f64 * (RIGHT - LEFT);
        let bar = |(n, (name, from, to, tone)): (usize, (String, i64, i64, &'static str))| Bar {
            y: 4.0 + n as f64 * 24.0,
            x: rounded(x(from).clamp(LEFT, RIGHT)),
            width: rounded((x(to) - x(from)).clamp(3.0, RIGHT - LEFT)),
            told: told::seconds((to - from).max(0) as f64 / 1000.0),
            name,
            tone,
        };
        let bars: Vec<Bar> = spans.into_iter().enumerate().map(bar).collect();
        let label = bars.iter().map(|bar| format!("{} {}", bar.name, bar.told)).collect::<Vec<_>>().join(", ");
        (!bars.is_empty()).then_some(Stages { height: bars.len() as f64 * 24.0 + 4.0, label, bars })
    }
}

impl RunPage {
    /// Runs from which on something is usual.
    fn usual_from(&self) -> usize {
        Usual::RUNS_AT_LEAST
    }

    /// The name of its workflow, as a part of an address.
    fn workflow(&self) -> String {
        told::encoded(&self.row.workflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_shown_without_what_a_terminal_would_obey() {
        let told = |text: &str| without_sequences(text);
        assert_eq!(told("a \x1b[1;31mred\x1b[0m b\x1b[2K"), "a red b");
        assert_eq!(told("[31m is text"), "[31m is text");
        assert_eq!(told("\x1b[31"), "", "one that was cut is none");
        assert_eq!(told("\x1b[31\u{e9}t\u{e9}"), "\u{e9}t\u{e9}");
    }
}
