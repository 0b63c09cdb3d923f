//! Files below a Git directory that a stranger may have laid out: no link is followed, nothing is overwritten.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Component, Path, PathBuf},
};

use super::{Kept, Refusal, Undo, cannot};

/// The path `below` the directory, when no part of it is a link and none leads out.
///
/// Parts that are not there are fine. Errors: [`Refusal::NotSure`].
pub(crate) fn inside(common_dir: &Path, below: &str) -> Result<PathBuf, Refusal> {
    let mut path = common_dir.to_owned();
    for part in Path::new(below).components() {
        let Component::Normal(name) = part else {
            return Err(Refusal::NotSure(format!("`{below}` leads out of the Git directory")));
        };
        path.push(name);
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => {
                return Err(Refusal::NotSure(format!("`{}` is a link", path.display())));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Refusal::NotSure(cannot("look at", &path, error)));
            }
            _ => {}
        }
    }
    Ok(path)
}

/// The regular file at this path below the directory; `None` when there is none.
pub(crate) fn file_at(common_dir: &Path, below: &str) -> Result<Option<Kept>, Refusal> {
    let path = inside(common_dir, below)?;
    match fs::symlink_metadata(&path) {
        Ok(about) if about.is_file() => {
            Ok(Some(Kept { path: below.to_owned(), inode: about.ino(), size_bytes: about.size() }))
        }
        Ok(_) => Err(Refusal::NotSure(format!("`{}` is no file", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::NotSure(cannot("look at", &path, error))),
    }
}

/// The folder of the repair's quarantine with this name in it, made when it is not there.
pub(super) fn quarantine(undo: &Undo, name: &str) -> Result<PathBuf, String> {
    let below = format!("{}/{name}", undo.quarantine);
    let folder = inside(&undo.common_dir, &below).map_err(|refusal| refusal.to_string())?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| cannot("make the quarantine", &folder, error))?;
    Ok(folder)
}

/// The name in a quarantine of what was at this path.
pub(crate) fn name_of(below: &str) -> String {
    below.replace('/', "-")
}

/// Lets a second name stand for the file, unless there is something of this name already.
pub(crate) fn link(from: &Path, to: &Path) -> Result<(), String> {
    fs::hard_link(from, to).map_err(|error| cannot("put back or keep", to, error))
}

/// Moves a file to a name that is free, and has both folders written to the disk.
pub(crate) fn move_to(from: &Path, to: &Path) -> Result<(), String> {
    link(from, to)?;
    fs::remove_file(from).map_err(|error| cannot("move", from, error))?;
    [from, to].into_iter().filter_map(Path::parent).try_for_each(sync)
}

/// Has a folder written to the disk.
pub(crate) fn sync(folder: &Path) -> Result<(), String> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot("write", folder, error))
}

/// A folder of the quarantine that is not there yet: `undone`, `undone-2`, …
pub(super) fn fresh_folder(undo: &Undo, name: &str) -> Result<PathBuf, String> {
    /// Who takes the same repair back more often has another problem.
    const AT_MOST: u32 = 1_000;
    for at in 1..AT_MOST {
        let name = if at == 1 { name.to_owned() } else { format!("{name}-{at}") };
        let folder = quarantine(undo, &name)?;
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
            return Ok(folder);
        }
    }
    Err("there are too many attempts in the quarantine".to_owned())
}
