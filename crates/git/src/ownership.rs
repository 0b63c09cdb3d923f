//! May this repository be read by this user?
//!
//! Git refuses a repository that belongs to somebody else, since its configuration
//! could run programs. It does so only while it searches for a repository itself;
//! with an explicit `--git-dir`, as we call it, it asks nothing. So we ask, by Git's
//! own rules: the git folder, the folder with `.git` and the `.git` file must belong to
//! the effective user; for root under sudo, to the user who called sudo, or root.
//! What the operator allows by `safe.directory` is allowed here, too: read through git
//! from system and user settings alone, never from the repository.
//!
//! Nothing the repository says counts here, `core.worktree` neither.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::repository::OpenError;
use crate::run::{Git, GitError};

/// What discovery found, and nothing that the repository says of itself.
pub(crate) struct Parts<'a> {
    /// The folder with HEAD.
    pub(crate) git_dir: &'a Path,
    /// The folder with `.git`, when it was found through one.
    pub(crate) worktree: Option<&'a Path>,
    /// `.git`, when it is a file.
    pub(crate) git_file: Option<&'a Path>,
}

/// Errors: [`OpenError::DubiousOwnership`], and [`OpenError::Unreadable`] when an owner cannot be seen.
pub(crate) fn check(parts: &Parts<'_>) -> Result<(), OpenError> {
    let owned = [parts.git_file, parts.worktree, Some(parts.git_dir)];
    for part in owned.into_iter().flatten() {
        if !is_ours(part)? {
            let allow = parts.worktree.unwrap_or(parts.git_dir);
            // When the settings cannot be read, nothing is allowed.
            let is_allowed = operator_settings().is_ok_and(|values| allows(&values, allow, home().as_deref()));
            let refused = || OpenError::DubiousOwnership { owned: part.to_owned(), allow: allow.to_owned() };
            return if is_allowed { Ok(()) } else { Err(refused()) };
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

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// All values of `safe.directory` of the system and the user, in their order.
fn operator_settings() -> Result<Vec<Vec<u8>>, GitError> {
    let git = Git::find()?;
    let call = git.for_operator("config").option("-z").option("--show-scope").option("--get-all");
    // Exit code 1: there is none.
    let list = call.option("safe.directory").run_allowing(&[1])?;
    let mut words = list.stdout.split(|&byte| byte == 0);
    let mut values = Vec::new();
    while let (Some(scope), Some(value)) = (words.next(), words.next()) {
        if scope == b"system" || scope == b"global" {
            values.push(value.to_vec());
        }
    }
    Ok(values)
}

/// Source: setup.c of Git, `safe_directory_cb`: an empty value takes back all before it.
fn allows(values: &[Vec<u8>], wanted: &Path, home: Option<&Path>) -> bool {
    values.iter().fold(false, |allowed, value| match value.as_slice() {
        b"" => false,
        b"*" => true,
        value => allowed || is_meant(value, wanted, home),
    })
}

fn is_meant(value: &[u8], wanted: &Path, home: Option<&Path>) -> bool {
    let Some(path) = expand(value, home) else { return false };
    if path.file_name().is_some_and(|last| last == "*") {
        let above = path.parent().and_then(|above| std::fs::canonicalize(above).ok());
        return above.is_some_and(|above| wanted != above && wanted.starts_with(above));
    }
    // `.` is the current folder.
    std::fs::canonicalize(path).is_ok_and(|path| path == wanted)
}

/// An absolute path, `~/…`, or `.`; `None` for what Git does not take either, or means by another user's home.
fn expand(value: &[u8], home: Option<&Path>) -> Option<PathBuf> {
    if let Some(rest) = value.strip_prefix(b"~/") {
        return home.map(|home| home.join(std::ffi::OsStr::from_bytes(rest)));
    }
    let path = PathBuf::from(std::ffi::OsString::from_vec(value.to_vec()));
    (path.is_absolute() || value == b".").then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_read_as_git_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let repository = root.join("a/b");
        std::fs::create_dir_all(&repository).unwrap();
        let text = |path: &Path, rest: &str| format!("{}{rest}", path.display());
        let allowed = |values: &[&str]| {
            let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
            allows(&values, &repository, Some(&root))
        };
        assert!(allowed(&[&text(&repository, "")]));
        assert!(allowed(&[&text(&repository, "/")]));
        assert!(allowed(&["*"]));
        assert!(allowed(&[&text(&root, "/*")]));
        assert!(allowed(&["~/a/b"]));
        assert!(allowed(&["~/a/../a/b"]));
        assert!(!allowed(&[]));
        assert!(!allowed(&["*", ""]));
        assert!(!allowed(&[&text(&repository, "/*")]));
        assert!(!allowed(&[&text(&root, "/a")]));
        assert!(!allowed(&[&text(&root, "/a*")]));
        assert!(!allowed(&["a/b", "~other/a/b", "."]));
    }
}
