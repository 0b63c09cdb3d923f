//! A new, empty repository of ours, to try something in or to restore into.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    repository::{self, OpenError, Opened},
    run::{Git, GitError},
};

/// A repository that goes away when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    opened: Opened,
    // Dropped last.
    _folder: TempDir,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The system refuses.
    #[error("cannot make a folder in `{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Git can't make it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Scratch {
    /// An empty bare repository in a new folder within this one.
    pub fn within(git: &Git, folder: &Path, object_format: &str) -> Result<Scratch, ScratchError> {
        let failed = |source| ScratchError::Io { path: folder.to_owned(), source };
        let made = tempfile::Builder::new().prefix("scratch-").tempdir_in(folder).map_err(failed)?;
        let opened = init(git, &made.path().join("git"), object_format)?;
        Ok(Scratch { opened, _folder: made })
    }

    /// The repository.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

/// Makes an empty bare repository in this folder, without hooks and templates.
pub fn init(git: &Git, folder: &Path, object_format: &str) -> Result<Opened, ScratchError> {
    let failed = |source| ScratchError::Io { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let call = git.outside("init").option("--bare").option("--quiet").option("--template=");
    call.option_with("--object-format=", object_format).place(&folder).run()?;
    Ok(repository::open(&folder)?)
}
