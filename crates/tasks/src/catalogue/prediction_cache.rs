//! `prediction-cache`: what was worked out for repositories that nobody looks at any more is forgotten.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use alignwatch_model::{
    Known, Span, Timestamp,
    task::{Measure, Plan},
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Removes old folders of what is remembered.
pub(super) static TASK: Task = Task {
    id: "prediction-cache",
    title: "Forget what was worked out for repositories that nobody looks at",
    why: "Predicted merges, proofs and graphs are remembered by object ids. For a repository that was moved or given up they only take room. What is in use keeps itself small.",
    guard: Guard::Outside,
    uses: &[],
    looks: &[],
    usual: "7d",
    opt_in: None,
    undo: "not needed: what was worked out can be worked out again, which takes time; how fast objects of a repository came is measured anew when it is looked at again",
    measure,
    plan,
    prepare: None,
    perform,
};

const N: &str = "folders in which nothing was written for 90 days";
const BYTES: &str = "size of these";

/// Source: ours; a release cycle. A repository that moves has something new to remember each day.
const UNUSED_FOR: Span = Span::days(90);

/// Folders that one run removes. Source: ours.
const AT_MOST: usize = 10_000;

/// Where the memory of each repository lies, below the data directory.
const FOLDER: &str = "remembered";

/// A folder of one repository, and what it takes.
struct Old {
    path: PathBuf,
    bytes: u64,
}

/// Folders of other repositories that are old. Errors: it can't be told, as a sentence part.
fn old(seen: &Seen<'_>) -> Result<Vec<Old>, String> {
    let folder = seen.data_dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read `{}`: {error}", folder.display())),
    };
    let ours = seen.opened.id();
    let mut found = Vec::new();
    for entry in entries.flatten().take(AT_MOST) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_id = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_id || !is_folder || name == ours {
            continue;
        }
        let (bytes, newest) = weighed(&entry.path())?;
        if UNUSED_FOR < seen.now.since(newest) {
            found.push(Old { path: entry.path(), bytes });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Bytes of all files below, and when one was written last; the folder itself counts as one.
fn weighed(folder: &Path) -> Result<(u64, Timestamp), String> {
    let cannot = |error: std::io::Error| format!("cannot look at `{}`: {error}", folder.display());
    let mut newest = written_at(&fs::metadata(folder).map_err(cannot)?);
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let about = entry.metadata().map_err(cannot)?;
        let (more, at) = if about.is_dir() { weighed(&entry.path())? } else { (about.len(), written_at(&about)) };
        (bytes, newest) = (bytes + more, newest.max(at));
    }
    Ok((bytes, newest))
}

fn written_at(about: &fs::Metadata) -> Timestamp {
    let since = about.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    // A time that can't be read is no reason to remove anything.
    Timestamp(since.map_or(i64::MAX, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let old = old(seen);
    let count = |of: fn(&[Old]) -> u64| Known::from_result(old.as_deref().map(of).map_err(Clone::clone));
    vec![
        Measure::known(N, count(|old| old.len() as u64), "folders"),
        Measure::known(BYTES, count(|old| old.iter().map(|old| old.bytes).sum()), "bytes"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(N, 1, "alignwatch: what nobody looks at");
    let old = old(seen).unwrap_or_default();
    let draft = old
        .iter()
        .take(100)
        .fold(draft, |draft, old| draft.step(format!("remove `{}`", old.path.display())))
        .costs(1, 0);
    match any {
        Err(reason) => draft.refuse(reason),
        Ok(true) => draft.act(format!("{} may go", words::count(old.len(), "folder"))),
        Ok(false) => draft.rest("what is remembered is in use"),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    for old in old(&work.seen)? {
        work.may_go_on()?;
        fs::remove_dir_all(&old.path).map_err(|error| format!("cannot remove `{}`: {error}", old.path.display()))?;
    }
    Ok(())
}
