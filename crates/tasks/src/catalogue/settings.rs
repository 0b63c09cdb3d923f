//! `settings`: settings that upkeep by alignwatch asks for are there, and what somebody chose stays.

use std::collections::BTreeMap;

use alignwatch_git::{repository, run::Entry, tend::Undo};
use alignwatch_model::{
    Known, Look,
    task::{Measure, Plan},
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Sets what is recommended and not set.
pub(super) static TASK: Task = Task {
    id: "settings",
    title: "Set again what upkeep asks for, where nobody chose otherwise",
    why: "Tools, clones and people who tidy up lose settings. Only a setting that is absent is set; one that says something else is somebody's choice, is told, and stays.",
    guard: Guard::Derived,
    uses: &[],
    looks: &[Look::Locks, Look::Worktrees],
    usual: "7d",
    opt_in: Some("it changes how git behaves here for everybody"),
    undo: "`alignwatch task undo ID`: the settings are byte by byte as before",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const ABSENT: &str = "recommended settings that are not set";

/// A setting that is recommended.
struct Recommended {
    /// Its key.
    key: &'static str,
    /// Its value.
    value: &'static str,
    /// Where it is good.
    is_good: fn(&Seen<'_>) -> bool,
    /// Why, as a sentence part.
    why: &'static str,
}

/// All of them. Source: ours, but for those that name one.
const RECOMMENDED: [Recommended; 5] = [
    Recommended {
        key: "fetch.writeCommitGraph",
        value: "true",
        is_good: |_| true,
        why: "drift is measured by the commit-graph (scalar sets it, too)",
    },
    Recommended {
        key: "core.logAllRefUpdates",
        value: "always",
        is_good: |seen| seen.opened.is_bare,
        why: "without reflogs nothing tells where a branch was before somebody pushed over it",
    },
    Recommended {
        key: "gc.worktreePruneExpire",
        value: "never",
        is_good: |seen| seen.snapshot.facts.worktrees.seen().is_some_and(|worktrees| 1 < worktrees.len()),
        why: "a worktree on a disk that is away is not gone",
    },
    Recommended {
        key: "gc.auto",
        value: "0",
        is_good: is_tended,
        why: "alignwatch packs here by itself; a gc in the middle of a fetch is in its way, and it in that of a gc",
    },
    Recommended { key: "maintenance.auto", value: "false", is_good: is_tended, why: "the same" },
];

fn is_tended(seen: &Seen<'_>) -> bool {
    seen.config.is_tended(&seen.snapshot.repository.path)
}

/// What the repository's own settings say by now: the key in lower case, and the value that counts.
///
/// Errors: they can't be read.
fn values(seen: &Seen<'_>) -> Result<BTreeMap<String, String>, String> {
    let opened = repository::open(&seen.opened.path).map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |entry: &Entry| (text(&entry.key), text(entry.value.as_deref().unwrap_or(b"true")));
    Ok(opened.settings().iter().map(one).collect())
}

fn absent(seen: &Seen<'_>) -> Result<Vec<&'static Recommended>, String> {
    let values = values(seen)?;
    let is_absent = |one: &&Recommended| (one.is_good)(seen) && !values.contains_key(&one.key.to_ascii_lowercase());
    Ok(RECOMMENDED.iter().filter(is_absent).collect())
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![Measure::known(ABSENT, Known::from_result(absent(seen).map(|absent| absent.len() as u64)), "settings")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(ABSENT, 1, "alignwatch: each with its reason in the plan");
    if seen.opened.includes_files() {
        return draft.refuse("its settings include other files, which may say otherwise");
    }
    let (absent, values) = (absent(seen).unwrap_or_default(), values(seen).unwrap_or_default());
    for one in &absent {
        draft = draft.step(format!("git config {} {}: {}", one.key, one.value, one.why));
    }
    for one in RECOMMENDED.iter().filter(|one| (one.is_good)(seen)) {
        if let Some(value) = values.get(&one.key.to_ascii_lowercase()).filter(|value| *value != one.value) {
            let words =
                format!("`{}` is `{value}`, which is somebody's choice; `{}` is recommended", one.key, one.value);
            draft = draft.note(words);
        }
    }
    let draft = draft.costs(1, 1 << 20);
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("not set: {}", words::count(absent.len(), "recommended setting"))),
        Ok(false) => draft.rest("what is recommended is set, or somebody chose otherwise"),
    }
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let mut undo = Undo { quarantine: format!("quarantine/{}", work.id), ..Undo::default() };
    undo.copy(&work.git.opened().common_dir, &["config".to_owned()])?;
    Ok(undo)
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    for one in absent(&work.seen)? {
        work.may_go_on()?;
        let call = work.git.command("config").option("--local").option(one.key).option(one.value);
        call.run().map_err(|error| error.to_string())?;
    }
    Ok(())
}
