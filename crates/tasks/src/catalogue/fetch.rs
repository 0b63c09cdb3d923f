//! `fetch`: asks the remotes what is new, and moves tracking refs.

use alignwatch_git::tend::{self, Undo, Way};
use alignwatch_model::task::{Measure, Plan};

use crate::{
    remotes::{self, Known, LOOKS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Fetches from all remotes.
pub(super) static TASK: Task = Task {
    id: "fetch",
    title: "Fetch from all remotes",
    why: "Drift is measured against what was fetched last. Git runs beside the repository, without its settings, hooks and submodules, with the keys and helpers of whoever runs alignwatch; nothing is pruned.",
    guard: Guard::Refs,
    uses: &[],
    looks: LOOKS,
    usual: "1h",
    opt_in: Some("it moves tracking refs, by which `git push --force-with-lease` judges what you have seen"),
    undo: "`alignwatch task undo ID`: tracking refs and tags are where they were",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const WHAT: &str = "fetch";
const AGE: &str = "minutes since the last fetch";
const MOVED: &str = "refs that the last fetch of this task changed";

/// From so many minutes on. Source: ours; half of an hour, which is how often git prefetches.
const OLD: i64 = 30;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let age = match remotes::named(seen).map(|remotes| &remotes.fetched_at) {
        Ok(alignwatch_model::Known::Seen(at)) => {
            Measure::since(AGE, at.map(|at| seen.now.since(at).0 / 60), "minutes", "nothing was ever fetched")
        }
        Ok(alignwatch_model::Known::Unknown(reason)) => Measure::unknown(AGE, "minutes", reason),
        Err(reason) => Measure::unknown(AGE, "minutes", reason),
    };
    vec![age, remotes::changed(seen, MOVED, WHAT)]
}

fn plan(seen: &Seen<'_>, draft: Draft) -> Plan {
    remotes::plan(seen, draft, AGE, OLD, "alignwatch: half of an hour", "fetch from")
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let changes = remotes::ask(work, WHAT, Way::Fetch, &|_, _| Ok(()))?;
    Ok(remotes::undo_of(work, changes))
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    remotes::change(work, "alignwatch: fetch")?;
    let told = Known::learnt(&work.seen, WHAT)?;
    // Who asks when was fetched last means all remotes.
    if told.failed.is_empty() {
        tend::note_fetched(work.git)?;
    }
    remotes::settle(&work.seen, &told)
}
