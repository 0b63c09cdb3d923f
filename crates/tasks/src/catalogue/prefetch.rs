//! `prefetch`: brings what is new into a place that nobody looks at.

use alignwatch_git::tend::{Undo, Way};
use alignwatch_model::task::{Measure, Plan};

use crate::{
    remotes::{self, Known, LOOKS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Prefetches from all remotes.
pub(super) static TASK: Task = Task {
    id: "prefetch",
    title: "Bring what is new at the remotes into refs/prefetch/",
    why: "The next fetch or pull has little to bring. No branch and no tracking ref moves; refs/prefetch/ is nobody's branch. As git's own task of this name.",
    guard: Guard::Refs,
    uses: &[],
    looks: LOOKS,
    usual: "1h",
    opt_in: Some("it goes to whatever address the repository names, with the keys of whoever runs alignwatch"),
    undo: "`alignwatch task undo ID`, or delete refs/prefetch/",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const WHAT: &str = "prefetch";
const AGE: &str = "minutes since the last prefetch";
const MOVED: &str = "refs that the last prefetch changed";

/// From so many minutes on. Source: ours; half of an hour, which is how often git prefetches.
const OLD: i64 = 30;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![remotes::minutes(seen, AGE, WHAT), remotes::changed(seen, MOVED, WHAT)]
}

fn plan(seen: &Seen<'_>, draft: Draft) -> Plan {
    remotes::plan(seen, draft, AGE, OLD, "git: maintenance.prefetch.schedule, hourly", "prefetch from")
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let changes = remotes::ask(work, WHAT, Way::Prefetch, &|_, _| Ok(()))?;
    Ok(remotes::undo_of(work, changes))
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    remotes::change(work, "alignwatch: prefetch")?;
    let told = Known::learnt(&work.seen, WHAT)?;
    remotes::settle(&work.seen, &told)
}
