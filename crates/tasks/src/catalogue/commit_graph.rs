//! `commit-graph`: adds the commits that are not in it.

use std::time::Duration;

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    snapshot::GitPart,
    task::{Measure, Plan},
    words,
};

use crate::{
    numbers::{self, MISSING_COMMITS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Adds a layer to the commit-graph.
pub(super) static TASK: Task = Task {
    id: "commit-graph",
    title: "Add new commits to the commit-graph",
    why: "Ahead, behind and merge bases are read from it; each commit that is not in it has to be unpacked. It is small and quickly written.",
    guard: Guard::Derived,
    uses: &[GitPart::CommitGraph],
    looks: &[Look::Locks, Look::History],
    usual: "1h",
    opt_in: None,
    undo: "not needed: it says nothing that the commits do not say",
    measure,
    plan,
    prepare: None,
    perform,
};

/// From so many commits on. Source: git, `maintenance.commit-graph.auto`.
const COMMITS: i64 = 100;

/// Commits of which a git writes the filters in a second. Source: measured; a fifth of the least.
const COMMITS_A_SECOND: u64 = 1_000;

/// What it may take. Source: ours; ten times a history of a million commits.
const TIME_AT_MOST: Duration = Duration::from_secs(1_200);

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let layers = seen.snapshot.commit_graph.clone().map(|graph| graph.n_layers as u64);
    vec![numbers::missing_commits(seen), Measure::known("layers", layers, "files")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let reached = draft.reaches(MISSING_COMMITS, COMMITS, "git: maintenance.commit-graph.auto");
    let n = draft.input(MISSING_COMMITS).value.unwrap_or(0).unsigned_abs();
    let draft = draft
        .step("git commit-graph write --reachable --split --changed-paths")
        .step("git commit-graph verify --shallow")
        .costs(n / COMMITS_A_SECOND, n * 100);
    let graph = seen.snapshot.commit_graph.seen();
    if let Some(disabled) = graph.and_then(|graph| graph.disabled.as_ref()) {
        return draft.refuse(format!("git does not use it here: {disabled}"));
    }
    if let Some(damage) = graph.and_then(|graph| graph.damage.as_ref()) {
        return draft.refuse(format!("it is damaged ({damage}); `alignwatch doctor --fix` writes it anew"));
    }
    match reached {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{} are not in it", words::count(n as usize, "commit"))),
        Ok(false) => draft.rest(format!("{} are not in it", words::count(n as usize, "commit"))),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let limits = Limits { time: TIME_AT_MOST, cpu_seconds: TIME_AT_MOST.as_secs(), ..Limits::default() };
    let write = work.git.command("commit-graph").option("write").option("--reachable").option("--split");
    let written = write.option("--changed-paths").option("--no-progress").limits(limits).run();
    written.map_err(|error| error.to_string())?;
    // Git's manual says that it verifies what it wrote; its code does not.
    let verify = work.git.command("commit-graph").option("verify").option("--shallow").option("--no-progress");
    verify.limits(limits).run().map(drop).map_err(|error| error.to_string())
}
