//! Heals what a task left that was killed in the middle of its work.
//!
//! The caller has the lease, so that no git of ours is alive any more. What lies about and is younger than the
//! task is moved aside, never removed, and only while no git of anybody works here.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use alignwatch_model::{Timestamp, snapshot::LockVerdict};

use super::{Net, ObjectSet};
use crate::{locks::LockWatch, mend::place, processes::Processes, run::GitAt};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Locks and unfinished files that were moved into the quarantine, below the Git directory.
    pub moved: Vec<String>,
    /// Files with objects that came back from the net.
    pub n_back: usize,
    /// Objects in use, all of them there.
    pub n_objects: usize,
}

/// Files that are looked at in one folder. Source: ours; a pack folder with more is a finding of its own.
const FILES_AT_MOST: usize = 100_000;

/// Heals after a task that began at `began_at` and whose quarantine and net are called `id`.
///
/// Doing it twice is the same. Errors: somebody works here, or objects are missing even with the net; then the net stays.
pub fn heal(git: &GitAt<'_>, id: &str, began_at: Timestamp, now: Timestamp) -> Result<Healed, String> {
    let opened = git.opened();
    nobody_works(&opened.common_dir)?;
    let net = Net::of(&opened.common_dir, &opened.objects_dir, id)?;
    let mut healed = Healed::default();
    for left in left_behind(&opened.common_dir, &opened.objects_dir, began_at, now) {
        move_aside(&opened.common_dir, &left, id)?;
        healed.moved.push(left);
    }
    healed.n_objects = match ObjectSet::read(git) {
        Ok(set) => set.len(),
        Err(error) if !net.is_spread() => return Err(error.to_string()),
        Err(_) => {
            healed.n_back = net.put_back()?;
            ObjectSet::read(git).map_err(|error| error.to_string())?.len()
        }
    };
    net.take_in()?;
    Ok(healed)
}

/// Errors: who works here. Processes that were just killed get a moment to be gone.
fn nobody_works(common_dir: &Path) -> Result<(), String> {
    let mut waited = Duration::ZERO;
    loop {
        let work = Processes::of_this_machine().at_work(&[common_dir.to_owned()]);
        match work.workers.first() {
            None => return Ok(()),
            Some(worker) if MOMENT <= waited => {
                return Err(format!("process {} ({}) works here", worker.pid, worker.name));
            }
            Some(_) => std::thread::sleep(LOOK_EVERY),
        }
        waited += LOOK_EVERY;
    }
}

/// How long a process may take to be gone after it was killed. Source: ours; a large one gives its memory back.
const MOMENT: Duration = Duration::from_secs(2);

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Locks and unfinished packs that came to be since then, as paths below the Git directory.
fn left_behind(common_dir: &Path, objects_dir: &Path, since: Timestamp, now: Timestamp) -> Vec<String> {
    let locks = LockWatch::first_look(common_dir).second_look(now);
    let locks = locks.seen().into_iter().flatten();
    let ours = locks.filter(|lock| since <= lock.modified_at && lock.verdict != LockVerdict::Live);
    let ours =
        ours.map(|lock| lock.path.clone()).filter(|path| !path.starts_with("worktrees/") && path != "index.lock");
    let is_young =
        |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && since.0 <= about.mtime());
    let folders = ["", "pack", "info", "info/commit-graphs"].map(|folder| objects_dir.join(folder));
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().take(FILES_AT_MOST).flatten());
    let unfinished = files.map(|entry| entry.path()).filter(is_young).filter(|path| is_unfinished(path));
    let below = |path: PathBuf| Some(path.strip_prefix(common_dir).ok()?.to_str()?.to_owned());
    ours.chain(unfinished.filter_map(below)).collect()
}

/// A name that git gives to a file before it is whole. Source: git, `odb_mkstemp`, `repack.c` (`.tmp-<pid>-pack-…`).
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["tmp_", ".tmp-"].iter().any(|begin| name.starts_with(begin)) && !name.ends_with(".lock")
}

fn move_aside(common_dir: &Path, below: &str, id: &str) -> Result<(), String> {
    let from = place::inside(common_dir, below).map_err(|refusal| refusal.to_string())?;
    let folder = place::inside(common_dir, &format!("quarantine/{id}/left")).map_err(|refusal| refusal.to_string())?;
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    match fs::rename(&from, folder.join(place::name_of(below))) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot move `{}`: {error}", from.display())),
    }
}
