//! Writes the commit-graph, after the one that is there was kept.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use super::{Kept, Outcome, Refusal, Repair, Undo, cannot, place};
use crate::run::{GitAt, Limits};

/// The graph in one file.
const SINGLE: &str = "objects/info/commit-graph";

/// The graph in layers, one file each, and the list of them.
const LAYERS: &str = "objects/info/commit-graphs";

/// Whoever holds one of these is writing.
const LOCKS: [&str; 2] = ["objects/info/commit-graph.lock", "objects/info/commit-graphs/commit-graph-chain.lock"];

/// Layers of a graph. Git merges them long before.
const FILES_AT_MOST: usize = 1_000;

/// What writing may take. Source: ours; ten times a history of a million commits.
const TIME_AT_MOST: Duration = Duration::from_secs(600);

/// The files of the graph as they are. Errors: one is a link or no file, or somebody is writing.
pub(super) fn files(common_dir: &Path) -> Result<Vec<Kept>, Refusal> {
    for lock in LOCKS {
        if place::file_at(common_dir, lock)?.is_some() {
            return Err(Refusal::NotSure(format!(
                "`{lock}` is there: somebody is writing, or was ended while writing"
            )));
        }
    }
    listing(common_dir)
}

fn listing(common_dir: &Path) -> Result<Vec<Kept>, Refusal> {
    let mut files: Vec<Kept> = place::file_at(common_dir, SINGLE)?.into_iter().collect();
    let folder = place::inside(common_dir, LAYERS)?;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(Refusal::NotSure(cannot("read", &folder, error))),
    };
    for entry in entries {
        let name = entry.map_err(|error| Refusal::NotSure(cannot("read", &folder, error)))?.file_name();
        let Some(name) = name.to_str() else {
            return Err(Refusal::NotSure(format!("a name in `{}` is not text", folder.display())));
        };
        files.extend(place::file_at(common_dir, &format!("{LAYERS}/{name}"))?);
        if FILES_AT_MOST < files.len() {
            return Err(Refusal::NotSure(format!(
                "there are more than {FILES_AT_MOST} files in `{}`",
                folder.display()
            )));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Keeps what is there, lets Git write, and measures by the files whether it did.
pub(super) fn write(git: &GitAt<'_>, undo: &Undo) -> Result<Outcome, String> {
    let before = files(&undo.common_dir).map_err(|refusal| refusal.to_string())?;
    if before != undo.before {
        return Err("the commit-graph changed since it was looked at".to_owned());
    }
    if let Err(reason) = keep(undo) {
        let restored = restore(undo)?;
        return Ok(Outcome::Failed(format!("{reason}; {}", told(&restored))));
    }
    let limits = Limits { time: TIME_AT_MOST, cpu_seconds: TIME_AT_MOST.as_secs(), ..Limits::default() };
    let call = git.command("commit-graph").option("write").option("--reachable").option("--split");
    let written = call.option("--changed-paths").option("--no-progress").limits(limits).run();
    if let Err(error) = written {
        // Half of it would be worse than what was there.
        let restored = restore(undo)?;
        return Ok(Outcome::Failed(format!("{error}; {}", told(&restored))));
    }
    let after = listing(&undo.common_dir).map_err(|refusal| refusal.to_string())?;
    let total: u64 = after.iter().map(|file| file.size_bytes).sum();
    Ok(if names_and_sizes(&after) == names_and_sizes(&undo.before) && undo.repair == Repair::WriteCommitGraph {
        Outcome::Noop("Git wrote nothing new".to_owned())
    } else if after.is_empty() {
        Outcome::Failed("Git wrote no commit-graph here".to_owned())
    } else {
        Outcome::Effect(format!("the commit-graph has {total} bytes in {} now", n_files(after.len())))
    })
}

fn n_files(n: usize) -> String {
    alignwatch_model::words::count(n, "file")
}

fn told(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Effect(words) | Outcome::Noop(words) | Outcome::Failed(words) => words,
    }
}

fn names_and_sizes(files: &[Kept]) -> Vec<(&str, u64)> {
    files.iter().map(|file| (file.path.as_str(), file.size_bytes)).collect()
}

/// A damaged graph is moved; a good one gets a second name in the quarantine, and works on while Git writes.
fn keep(undo: &Undo) -> Result<(), String> {
    let folder = place::quarantine(undo, "before")?;
    for file in &undo.before {
        let from = undo.common_dir.join(&file.path);
        place::link(&from, &folder.join(place::name_of(&file.path)))?;
    }
    place::sync(&folder)?;
    if undo.repair == Repair::ReplaceCommitGraph {
        undo.before.iter().try_for_each(|file| take_out(undo, file))?;
    }
    Ok(())
}

/// Takes away the name of a file that has another in the quarantine, unless another file has it by now.
fn take_out(undo: &Undo, file: &Kept) -> Result<(), String> {
    let path = undo.common_dir.join(&file.path);
    let taken = place::quarantine(undo, "taken")?.join(place::name_of(&file.path));
    fs::rename(&path, &taken).map_err(|error| cannot("move", &path, error))?;
    let about = fs::symlink_metadata(&taken).map_err(|error| cannot("look at", &taken, error))?;
    if about.ino() != file.inode {
        place::move_to(&taken, &path)?;
        return Err(format!("somebody wrote `{}` meanwhile; it was left to them", file.path));
    }
    fs::remove_file(&taken).map_err(|error| cannot("move", &taken, error))
}

/// Moves aside what is there now, and puts back what was there before.
pub(super) fn restore(undo: &Undo) -> Result<Outcome, String> {
    let now = files(&undo.common_dir).map_err(|refusal| refusal.to_string())?;
    if now == undo.before {
        return Ok(Outcome::Noop("all is as it was".to_owned()));
    }
    let kept = undo.common_dir.join(&undo.quarantine).join("before");
    let wanted: Vec<_> = undo.before.iter().map(|file| (file, kept.join(place::name_of(&file.path)))).collect();
    let is_there = |(file, from): &&(&Kept, _)| now.contains(file) || fs::symlink_metadata(from).is_ok();
    if let Some((file, _)) = wanted.iter().find(|one| !is_there(one)) {
        return Err(format!("`{}` is not in the quarantine", file.path));
    }
    let aside = place::fresh_folder(undo, "undone")?;
    for file in now.iter().filter(|file| !undo.before.contains(file)) {
        place::move_to(&undo.common_dir.join(&file.path), &aside.join(place::name_of(&file.path)))?;
    }
    for (file, from) in wanted.iter().filter(|(file, _)| !now.contains(file)) {
        let path = place::inside(&undo.common_dir, &file.path).map_err(|refusal| refusal.to_string())?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| cannot("make", folder, error))?;
        }
        place::link(from, &path)?;
    }
    Ok(Outcome::Effect(format!("{} as before", n_files(undo.before.len()))))
}
