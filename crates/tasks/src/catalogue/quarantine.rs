//! `quarantine`: what tasks moved aside long ago goes.

use std::fs;

use alignwatch_model::{
    Timestamp,
    task::{Measure, Plan},
    words,
};

use crate::{
    journal::{Journal, Step},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Removes old quarantines of finished runs.
pub(super) static TASK: Task = Task {
    id: "quarantine",
    title: "Remove what tasks moved aside long ago",
    why: "What a task moved or copied stays so that the task can be undone. After `cleanup.archive_for` nobody missed it. What the journal does not know as finished stays.",
    guard: Guard::Derived,
    uses: &[],
    looks: &[],
    usual: "7d",
    opt_in: None,
    undo: "none: runs that are older than `cleanup.archive_for` can be undone no more",
    measure,
    plan,
    prepare: None,
    perform,
};

const N: &str = "old quarantines";

/// Quarantines that one run removes. Source: ours.
const AT_MOST: usize = 10_000;

/// Names of folders of runs that ended long ago. What is no folder of a finished run is nobody's to remove.
fn old(seen: &Seen<'_>) -> Result<Vec<String>, String> {
    let said = Journal::of(seen.data_dir).read().map_err(|error| error.to_string())?;
    let limit = seen.config.cleanup.archive_for;
    let is_over = |id: u64| said.records.iter().any(|record| record.id == id && record.step == Step::Ended);
    let ours =
        said.records.iter().filter(|record| record.step == Step::Begun && record.repository_id == seen.opened.id());
    let ended = ours.filter(|record| is_over(record.id) && limit < seen.now.since(Timestamp(record.at_seconds)));
    let names = ended.filter_map(|record| record.quarantine.clone()).filter(|name| is_plain(name));
    let is_folder = |name: &String| {
        fs::symlink_metadata(seen.opened.common_dir.join("quarantine").join(name)).is_ok_and(|about| about.is_dir())
    };
    Ok(names.filter(is_folder).take(AT_MOST).collect())
}

fn is_plain(name: &str) -> bool {
    name.starts_with("task-") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let n = old(seen).map(|names| names.len() as u64);
    vec![Measure::known(N, alignwatch_model::Known::from_result(n), "folders")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(N, 1, "the configuration: cleanup.archive_for");
    let old = old(seen).unwrap_or_default();
    let draft =
        old.iter().take(100).fold(draft, |draft, name| draft.step(format!("remove quarantine/{name}"))).costs(1, 0);
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{} are old", words::count(old.len(), "quarantine"))),
        Ok(false) => draft.rest("none is old"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    for name in old(&work.seen)? {
        work.may_go_on()?;
        let folder = work.git.opened().common_dir.join("quarantine").join(&name);
        fs::remove_dir_all(&folder).map_err(|error| format!("cannot remove `{}`: {error}", folder.display()))?;
    }
    Ok(())
}
