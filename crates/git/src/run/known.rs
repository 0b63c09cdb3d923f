//! The git that answered last: a daemon looks at many repositories, and asks its version once.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Git, GitError};
use crate::files::FileIdentity;

/// How long an answer counts. Source: ours; the file may be a wrapper, behind which git can change at any time.
const KNOWN_FOR: Duration = Duration::from_secs(600);

struct Known {
    git: Git,
    file: FileIdentity,
    since: Instant,
}

static LAST: Mutex<Option<Known>> = Mutex::new(None);

/// The git in this file, from memory where it is the same one as before. Errors: as of [`Git::at_program`].
pub(super) fn git(program: &Path) -> Result<Git, GitError> {
    let Some(file) = FileIdentity::of(program) else { return Git::at_program(program) };
    let is_this =
        |known: &&Known| known.git.program() == program && known.file == file && known.since.elapsed() < KNOWN_FOR;
    if let Some(known) = last().as_ref().filter(is_this) {
        return Ok(known.git.clone());
    }
    // Nobody waits for a git that hangs.
    let git = Git::at_program(program)?;
    *last() = Some(Known { git: git.clone(), file, since: Instant::now() });
    Ok(git)
}

fn last() -> MutexGuard<'static, Option<Known>> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_git_is_asked_once_and_again_when_the_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (program, asked) = (folder.path().join("git"), folder.path().join("asked"));
        let install = |version: &str| {
            let new = folder.path().join("new");
            fs::write(&new, format!("#!/bin/sh\necho x >> {}\necho git version {version}\n", asked.display())).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(&new, &program).unwrap();
        };
        let version = || git(&program).unwrap().version().text.clone();
        install("2.47.3");
        assert_eq!((version(), version()), ("2.47.3".to_owned(), "2.47.3".to_owned()));
        assert_eq!(fs::read_to_string(&asked).unwrap(), "x\n");
        install("2.48.0");
        assert_eq!(version(), "2.48.0");
    }
}
