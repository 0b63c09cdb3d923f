//! Repairs of the data directory: made when it is not there, shut when others can look into it.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use alignwatch_git::mend::Outcome;

use super::journal::Act;
use crate::installation::OF_OTHERS;

/// What only its owner may do: all.
const PRIVATE: u32 = 0o700;

/// What the data directory calls for.
pub(super) fn propose(dir: &Path) -> Option<Act> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Act::MakeDataDir { path: dir.to_owned() }),
        Ok(about) if about.is_dir() => {
            let mode = about.permissions().mode() & 0o7777;
            (mode & OF_OTHERS != 0).then(|| Act::CloseDataDir { path: dir.to_owned(), mode })
        }
        _ => None,
    }
}

/// Makes it. It cannot be journaled before it is there, so that its lines follow the act.
pub(super) fn make(dir: &Path) -> Outcome {
    if dir.is_dir() {
        return Outcome::Noop("it is there".to_owned());
    }
    match DirBuilder::new().recursive(true).mode(PRIVATE).create(dir) {
        Ok(()) => Outcome::Effect("it is there, and only for you".to_owned()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Shuts others out.
pub(super) fn close(dir: &Path) -> Outcome {
    if propose(dir).is_none() {
        return Outcome::Noop("others are shut out".to_owned());
    }
    set_mode(dir, PRIVATE)
}

/// Takes an act of this file back.
pub(super) fn open_again(dir: &Path, mode: u32) -> Outcome {
    match fs::symlink_metadata(dir) {
        Ok(about) if !about.is_dir() => Outcome::Failed("it is not a directory".to_owned()),
        Ok(about) if about.permissions().mode() & 0o7777 == mode => Outcome::Noop(format!("it has mode {mode:04o}")),
        Ok(_) => set_mode(dir, mode),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn set_mode(dir: &Path, mode: u32) -> Outcome {
    let changed = fs::set_permissions(dir, Permissions::from_mode(mode)).and_then(|()| fs::metadata(dir));
    match changed {
        Ok(about) if about.permissions().mode() & 0o7777 == mode => {
            Outcome::Effect(format!("it has mode {mode:04o} now"))
        }
        Ok(about) => Outcome::Failed(format!("it has mode {:04o}", about.permissions().mode() & 0o7777)),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
