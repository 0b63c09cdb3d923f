//! `object-check`: git fsck, connectivity often and everything now and then.

use std::{fs, path::PathBuf, time::Duration};

use alignwatch_git::run::Limits;
use alignwatch_model::{
    Look,
    task::{Measure, Plan},
};
use serde::{Deserialize, Serialize};

use crate::{
    numbers,
    task::{Draft, Guard, Seen, Task, Work},
};

/// Checks the objects.
pub(super) static TASK: Task = Task {
    id: "object-check",
    title: "Check that all objects are there, and now and then that each is sound",
    why: "Damage is found while a backup still has what is missing. Each repository has its own day, so that a disk is not read all at once.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[Look::Storage],
    usual: "1d",
    opt_in: None,
    undo: "not needed: it only reads",
    measure,
    plan,
    prepare: None,
    perform,
};

const CONNECTED: &str = "hours since connectivity was checked";
const SOUND: &str = "days since every object was checked";

const NEVER: &str = "it was never checked";

/// Source: ours; a day.
const CONNECTED_HOURS: i64 = 24;

/// Source: GitLab: at most monthly per project.
const SOUND_DAYS: i64 = 30;

/// Days by which repositories differ, so that not all are read on one day.
const SPREAD_DAYS: i64 = 7;

/// What it may take. Source: ours; ten times a repository of 10 GiB on a cold disk.
const TIME_AT_MOST: Duration = Duration::from_secs(4 * 3_600);

/// When it was checked, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Checked {
    connected_at: Option<i64>,
    sound_at: Option<i64>,
}

fn file(seen: &Seen<'_>) -> PathBuf {
    seen.data_dir.join("checked").join(format!("{}.json", seen.opened.id()))
}

/// What can't be read was never checked.
fn checked(seen: &Seen<'_>) -> Checked {
    let text = fs::read(file(seen)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let checked = checked(seen);
    vec![
        Measure::since(CONNECTED, checked.connected_at.map(|at| (seen.now.0 - at) / 3_600), "hours", NEVER),
        Measure::since(SOUND, checked.sound_at.map(|at| (seen.now.0 - at) / 86_400), "days", NEVER),
    ]
}

fn sound_days(seen: &Seen<'_>) -> i64 {
    let sum: i64 = seen.opened.id().bytes().map(i64::from).sum();
    SOUND_DAYS + sum % SPREAD_DAYS
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let sound = draft.reaches(SOUND, sound_days(seen), "GitLab: at most monthly, spread over a week");
    let connected = draft.reaches(CONNECTED, CONNECTED_HOURS, "alignwatch: daily");
    let bytes = numbers::pack_bytes(seen) + numbers::loose_bytes(seen);
    match (sound, connected) {
        // What was never checked is due.
        (Err(_) | Ok(true), _) => {
            draft.step("git fsck --full").costs(numbers::seconds_for(4 * bytes), 0).act("a whole check is due")
        }
        (_, Err(_) | Ok(true)) => {
            let draft = draft.step("git fsck --connectivity-only").costs(numbers::seconds_for(bytes), 0);
            draft.act("a check of connectivity is due")
        }
        _ => draft.step("git fsck --connectivity-only").rest("it was checked lately"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let now = work.seen.now.0;
    let mut checked = checked(&work.seen);
    let is_whole = checked.sound_at.is_none_or(|at| sound_days(&work.seen) <= (now - at) / 86_400);
    let limits = Limits { time: TIME_AT_MOST, cpu_seconds: TIME_AT_MOST.as_secs(), niceness: 15, ..Limits::default() };
    let call = work.git.command("fsck").option("--no-dangling").option("--no-progress").limits(limits);
    let call = if is_whole { call.option("--full") } else { call.option("--connectivity-only") };
    call.run().map_err(|error| format!("{error}; `alignwatch check --all` says what is damaged"))?;
    checked.connected_at = Some(now);
    if is_whole {
        checked.sound_at = Some(now);
    }
    let path = file(&work.seen);
    let written = (|| {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, serde_json::to_vec(&checked)?)
    })();
    written.map_err(|error: std::io::Error| format!("cannot remember that in `{}`: {error}", path.display()))
}
