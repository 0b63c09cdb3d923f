//! From a recorded run to what it lost.

use std::{path::Path, time::Instant};

use alignwatch_git::{
    repository::open,
    run::Git,
    stop::Stop,
    verify::{questions, verify},
};
use alignwatch_model::run::{Happened, Operation, RefMove, RunEvent, RunId, Stage, Verification};
use alignwatch_records::fresh;

use crate::output::escape;

/// Verifies what these operations and moves did in the repository at this path.
pub(crate) fn verified(path: &Path, operations: &[Operation], moves: &[RefMove], stop: &Stop) -> Verification {
    let (asked, unknown) = questions(operations, moves);
    let failed = |reason: String| Verification { unknown: vec![reason], ..Verification::default() };
    if asked.is_empty() {
        return Verification { unknown, ..Verification::default() };
    }
    let opened = match open(path) {
        Ok(opened) => opened,
        Err(error) => return failed(error.to_string()),
    };
    let git = match Git::find() {
        Ok(git) => git,
        Err(error) => return failed(error.to_string()),
    };
    let mut found = match git.at(&opened) {
        Ok(at) => verify(&at, &asked, stop),
        Err(error) => return failed(error.to_string()),
    };
    found.unknown.extend(unknown);
    found
}

/// The event that records a verification.
pub(crate) fn event(run: &RunId, began: Instant, found: &Verification) -> RunEvent {
    let stage = Stage {
        stage: "verify".to_owned(),
        status: Some("finished".to_owned()),
        duration_seconds: Some(began.elapsed().as_secs_f64()),
        verification: Some(found.clone()),
        ..Stage::default()
    };
    RunEvent::new(fresh::id().to_string(), run.clone(), fresh::now(), Happened::Stage(stage))
}

/// The losses in words, the gravest first; empty when there are none.
pub(crate) fn told(found: &Verification) -> String {
    /// Commits and paths that are named on one line.
    const NAMED: usize = 5;
    let mut text = String::new();
    for (branch, loss) in found.losses() {
        text.push_str(&format!(
            "{}: `{}`: {}\n",
            loss.severity.word(),
            escape::terminal(&branch.branch),
            escape::terminal(&loss.summary)
        ));
        let some = |what: &str, all: &[String], n: usize| {
            let named: Vec<_> = all.iter().take(NAMED).map(|one| escape::terminal(one)).collect();
            let more = n.saturating_sub(named.len());
            let more = if 0 < more { format!(" (+ {more} more)") } else { String::new() };
            if named.is_empty() { String::new() } else { format!("  {what}: {}{more}\n", named.join(" ")) }
        };
        text.push_str(&some("paths", &loss.paths, loss.n_paths as usize));
        text.push_str(&some("commits", &loss.commits, loss.commits.len()));
        if let Some(before) = &branch.before {
            text.push_str(&format!("  the tip before: {before}\n"));
        }
        for (what, command) in branch.rescue() {
            text.push_str(&format!("  {what}:\n    $ {}\n", escape::terminal(&command)));
        }
    }
    text
}

/// What could not be judged, in words.
pub(crate) fn unknown(found: &Verification) -> String {
    let of_branches = found
        .branches
        .iter()
        .flat_map(|branch| branch.unknown.iter().map(|reason| format!("unknown: `{}`: {reason}", branch.branch)));
    let all = found.unknown.iter().map(|reason| format!("unknown: {reason}")).chain(of_branches);
    all.map(|line| format!("{}\n", escape::terminal(&line))).collect()
}
