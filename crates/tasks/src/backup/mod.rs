//! Backups: everything that a repository names, in a folder of its own that proves itself.
//!
//! ```text
//! <shelf>/<repository>-<id>/
//!   20261128T090000Z-full/           one backup; it comes to be at once, by a rename, or not at all
//!     SHA256SUMS                     what `sha256sum -c` reads
//!     manifest.json                  all refs and anchors, how many objects and which, what is not covered
//!     objects.bundle                 what `git clone` reads
//!     beside/                        config, hooks, reflogs: what is no object (with `.age`, as the bundle, where encrypted)
//!   verified.jsonl                   when each was looked at, how closely, and what came of it
//! ```
//!
//! A backup is whole, or adds to another (`needs`). Its list of refs is always whole, so that it also tells of
//! refs that went away. Only who made a backup may read it.

mod create;
mod crypt;
mod manifest;
mod restore;
mod seal;
mod shelf;
mod verify;

pub use create::{Kind, create};
pub use crypt::Keys;
pub use manifest::{Anchor, Found, Manifest, Named};
pub use restore::{Restored, restore_alone, restore_ref, restore_whole};
pub use shelf::{Kept, Shelf, Verification};
pub use verify::{Level, verify};

use std::{
    io,
    path::{Path, PathBuf},
};

use alignwatch_git::{
    repository::OpenError,
    run::GitError,
    tend::{BundleError, NamedError, ScratchError, SetError},
};

use alignwatch_model::{config::Config, words::count};

/// Why a backup can't be made, proven or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system refuses.
    #[error("cannot {act} `{}`: {source}", path.display())]
    Io {
        /// What.
        act: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Git could not do its part.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It can't be told what the repository names.
    #[error(transparent)]
    Named(#[from] NamedError),
    /// Objects could not be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Objects could not be counted.
    #[error(transparent)]
    Set(#[from] SetError),
    /// There is no place to try it in.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A repository can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A ref of this name is there.
    #[error("`{0}` is there already, and is left alone")]
    Taken(String),
    /// So many refs are others than in the manifest; the first of them.
    #[error("`{1}` is another than in the manifest ({n})", n = count(*(.0), "ref"))]
    OtherRefs(usize, String),
    /// It must not be, or is not as it should be.
    #[error("{0}")]
    Not(String),
}

/// The folder with the shelves of all repositories; `None` = there is no place for it.
pub fn root(config: &Config, data_dir: Option<&Path>) -> Option<PathBuf> {
    let named = config.backup.folder.as_ref().map(PathBuf::from);
    named.or_else(|| data_dir.map(|data_dir| data_dir.join("backups")))
}

pub(crate) fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { act, path, source }
}
