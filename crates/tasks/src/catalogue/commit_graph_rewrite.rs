//! `commit-graph-rewrite`: the commit-graph as one file again, with all that makes it fast.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    snapshot::GitPart,
    task::{Measure, Plan},
};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Writes the commit-graph anew.
pub(super) static TASK: Task = Task {
    id: "commit-graph-rewrite",
    title: "Write the commit-graph anew, with changed paths and corrected dates",
    why: "With changed-path filters `git log PATH` skips most commits; with corrected dates merge bases are found sooner. It reads all commits once.",
    guard: Guard::Derived,
    uses: &[GitPart::CommitGraph],
    looks: &[Look::Locks, Look::History, Look::Speed],
    usual: "7d",
    opt_in: None,
    undo: "not needed: it says nothing that the commits do not say",
    measure,
    plan,
    prepare: None,
    perform,
};

const POOR: &str = "layers without filters or dates";
const LAYERS: &str = "layers";

/// From so many layers on. Source: ours; Git keeps chains logarithmically short.
const MANY: i64 = 10;

/// What it may take. Source: ours; ten times a history of a million commits.
const TIME_AT_MOST: Duration = Duration::from_secs(2_400);

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let layers = numbers::speed(seen)
        .and_then(|speed| speed.commit_graph.seen().ok_or("the commit-graph could not be read"))
        .map(|graph| &graph.layers);
    let is_poor =
        |layer: &&alignwatch_model::facts::speed::GraphLayer| !layer.has_changed_paths || !layer.has_corrected_dates;
    vec![
        numbers::measure(POOR, layers.map(|layers| layers.iter().filter(is_poor).count() as u64), "layers"),
        numbers::measure(LAYERS, layers.map(|layers| layers.len() as u64), "layers"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let poor = draft.reaches(POOR, 1, "Gitaly: rewrites what lacks Bloom filters or generation data");
    let many = draft.reaches(LAYERS, MANY, "alignwatch: Git keeps chains logarithmically short");
    let n = seen.snapshot.commit_graph.seen().map_or(0, |graph| u64::from(graph.n_covered + graph.n_missing));
    let draft = draft
        .step("git commit-graph write --reachable --split=replace --changed-paths")
        .step("git commit-graph verify")
        .costs(1 + n / 1_000, n * 120);
    if let Some(disabled) = seen.snapshot.commit_graph.seen().and_then(|graph| graph.disabled.as_ref()) {
        return draft.refuse(format!("git does not use it here: {disabled}"));
    }
    match (poor, many) {
        (Err(reason), _) | (_, Err(reason)) => draft.refuse(reason),
        (Ok(true), _) => draft.act("layers lack filters or dates"),
        (_, Ok(true)) => draft.act("it has many layers"),
        _ => draft.rest("it is as it should be, or there is none yet"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits { time: TIME_AT_MOST, cpu_seconds: TIME_AT_MOST.as_secs(), niceness: 10, ..Limits::default() };
    let write = work.git.command("commit-graph").option("write").option("--reachable").option("--split=replace");
    let written = write.option("--changed-paths").option("--no-progress").limits(limits).run();
    written.map_err(|error| error.to_string())?;
    let verify = work.git.command("commit-graph").option("verify").option("--no-progress");
    verify.limits(limits).run().map(drop).map_err(|error| error.to_string())
}
