//! May this repository be read by this user?
//!
//! Git refuses a repository that belongs to somebody else, since its configuration
//! could run programs. It does so only while it searches for a repository itself;
//! with an explicit `--git-dir`, as we call it, it asks nothing. So we ask, by Git's
//! own rules: the git folder, the working tree and the `.git` file must belong to
//! the effective user; for root under sudo, to the user who called sudo, or root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::repository::{OpenError, Opened};

/// Errors: [`OpenError::DubiousOwnership`], and [`OpenError::Unreadable`] when an owner cannot be seen.
pub(crate) fn check(opened: &Opened, git_file: Option<&Path>) -> Result<(), OpenError> {
    let parts = [git_file, opened.worktree.as_deref(), Some(opened.git_dir.as_path())];
    for part in parts.into_iter().flatten() {
        if !is_ours(part)? {
            let allow = opened.worktree.as_ref().unwrap_or(&opened.git_dir).clone();
            return Err(OpenError::DubiousOwnership { owned: part.to_owned(), allow });
        }
    }
    Ok(())
}

/// Source: compat/posix.h of Git, `is_path_owned_by_current_uid`.
fn is_ours(part: &Path) -> Result<bool, OpenError> {
    let unreadable = |error: std::io::Error| OpenError::Unreadable { path: part.into(), cause: error.to_string() };
    let owner = std::fs::symlink_metadata(part).map_err(unreadable)?.uid();
    let user = rustix::process::geteuid().as_raw();
    Ok(owner == user || (user == 0 && Some(owner) == sudo_user()))
}

/// Who called sudo, if we run under it.
fn sudo_user() -> Option<u32> {
    std::env::var("SUDO_UID").ok()?.parse().ok()
}
