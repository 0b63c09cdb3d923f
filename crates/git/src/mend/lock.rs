//! Moves a lock aside that nobody holds.

use std::path::Path;

use super::{Kept, Outcome, Refusal, Undo, place};

/// The lock as it is. Errors: it is gone, a link, or outside.
pub(super) fn file(common_dir: &Path, path: &str) -> Result<Kept, Refusal> {
    let file = place::file_at(common_dir, path)?;
    file.ok_or_else(|| Refusal::NotNeeded(format!("`{path}` is gone")))
}

/// Moves it, if it is still the same file.
pub(super) fn move_aside(undo: &Undo) -> Result<Outcome, String> {
    let [lock] = &undo.before[..] else { return Err("it was not prepared".to_owned()) };
    let now = match file(&undo.common_dir, &lock.path) {
        Ok(now) => now,
        Err(Refusal::NotNeeded(reason)) => return Ok(Outcome::Noop(reason)),
        Err(Refusal::NotSure(reason)) => return Err(reason),
    };
    if now != *lock {
        return Err(format!("`{}` is another file than the one that was looked at", lock.path));
    }
    let folder = place::quarantine(undo, "before")?;
    let (from, to) = (undo.common_dir.join(&lock.path), folder.join(place::name_of(&lock.path)));
    place::move_to(&from, &to)?;
    let moved = place::file_at(&undo.common_dir, &in_quarantine(undo, lock)).map_err(|refusal| refusal.to_string())?;
    if moved.is_none_or(|moved| moved.inode != lock.inode) {
        place::move_to(&to, &from)?;
        return Err(format!("somebody took `{}` meanwhile; it was left to them", lock.path));
    }
    Ok(Outcome::Effect(format!("it lies in `{}` now", in_quarantine(undo, lock))))
}

/// Moves it back, unless there is another one by now.
pub(super) fn put_back(undo: &Undo) -> Result<Outcome, String> {
    let [lock] = &undo.before[..] else { return Err("it was not prepared".to_owned()) };
    let there = place::file_at(&undo.common_dir, &lock.path).map_err(|refusal| refusal.to_string())?;
    let kept = place::file_at(&undo.common_dir, &in_quarantine(undo, lock)).map_err(|refusal| refusal.to_string())?;
    match (there, kept) {
        (Some(there), _) if there.inode == lock.inode => Ok(Outcome::Noop("it is in its place".to_owned())),
        (Some(_), _) => Err(format!("there is another `{}` by now", lock.path)),
        (None, None) => Err(format!("`{}` is not in the quarantine", lock.path)),
        (None, Some(kept)) => {
            let to = place::inside(&undo.common_dir, &lock.path).map_err(|refusal| refusal.to_string())?;
            place::move_to(&undo.common_dir.join(kept.path), &to)?;
            Ok(Outcome::Effect(format!("`{}` is back", lock.path)))
        }
    }
}

fn in_quarantine(undo: &Undo, lock: &Kept) -> String {
    format!("{}/before/{}", undo.quarantine, place::name_of(&lock.path))
}
