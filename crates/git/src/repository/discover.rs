//! Where the repository is: upwards from a path, as Git looks.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use alignwatch_model::Oid;

use super::{OpenError, SMALL_FILE_BYTES, canonical, unreadable};
use crate::files;

/// Where discovery ended.
pub(super) struct Found {
    /// The folder of this worktree or repository, links resolved.
    pub(super) git_dir: PathBuf,
    /// The way it was reached, when a `.git` was.
    pub(super) dot_git: Option<PathBuf>,
    /// The folder that holds `.git`.
    pub(super) worktree: Option<PathBuf>,
    /// The `.git` file, when it was one.
    pub(super) git_file: Option<PathBuf>,
}

pub(super) fn discover(given: &Path, start: &Path) -> Result<Found, OpenError> {
    if start.is_file() {
        let parent = start.parent().unwrap_or(start);
        let is_git_file = start.file_name() == Some(OsStr::new(".git"));
        let found = if is_git_file { at_dot_git(parent)? } else { None };
        return found.ok_or_else(|| OpenError::NotARepository { path: given.to_owned() });
    }
    let mut embedded = None;
    let device = device_of(start)?;
    for folder in start.ancestors() {
        if device_of(folder)? != device {
            break;
        }
        if let Some(found) = at_dot_git(folder)? {
            return Ok(found);
        }
        if embedded.is_none() && is_git_dir(folder) {
            if folder == start || is_meant(folder) {
                return Ok(bare(folder));
            }
            embedded = Some(folder);
        }
    }
    embedded.map(bare).ok_or_else(|| OpenError::NotARepository { path: given.to_owned() })
}

/// The repository that `.git` in this folder is or names.
fn at_dot_git(folder: &Path) -> Result<Option<Found>, OpenError> {
    let dot_git = folder.join(".git");
    let kind = match fs::metadata(&dot_git) {
        Ok(kind) => kind,
        Err(error) if files::is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(&dot_git, &error)),
    };
    if kind.is_dir() {
        // An empty `.git` folder is nothing: Git looks further up.
        return is_git_dir(&dot_git).then(|| at_folder(folder, &dot_git)).transpose();
    }
    let git_dir = follow_git_file(&dot_git)?;
    Ok(Some(Found { git_dir, worktree: Some(folder.into()), git_file: Some(dot_git.clone()), dot_git: Some(dot_git) }))
}

fn at_folder(folder: &Path, dot_git: &Path) -> Result<Found, OpenError> {
    let git_dir = canonical(dot_git).map_err(|error| unreadable(dot_git, &error))?;
    Ok(Found { git_dir, worktree: Some(folder.into()), git_file: None, dot_git: Some(dot_git.into()) })
}

/// A repository found as the folder itself; the main worktree's when it is called `.git`.
fn bare(folder: &Path) -> Found {
    let worktree = folder.parent().filter(|_| folder.file_name() == Some(OsStr::new(".git")));
    Found { git_dir: folder.into(), dot_git: None, worktree: worktree.map(Path::to_owned), git_file: None }
}

/// A folder inside of `.git` was given, so its repository is meant. Source: setup.c of Git, `is_implicit_bare_repo`.
fn is_meant(folder: &Path) -> bool {
    let text = folder.as_os_str().as_bytes();
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    folder.file_name() == Some(OsStr::new(".git")) || holds(b"/.git/worktrees/") || holds(b"/.git/modules/")
}

fn follow_git_file(file: &Path) -> Result<PathBuf, OpenError> {
    let bad = |cause: &str| OpenError::BadGitFile { path: file.to_owned(), cause: cause.to_owned() };
    let content = files::read(file, SMALL_FILE_BYTES).map_err(|error| bad(&error.to_string()))?;
    let content = content.ok_or_else(|| bad("it is gone"))?;
    let named = content.strip_prefix(b"gitdir: ").ok_or_else(|| bad("it does not begin with `gitdir: `"))?;
    let named = trim_line_ends(named);
    if named.is_empty() {
        return Err(bad("it names no folder"));
    }
    let git_dir = file.parent().unwrap_or(Path::new("/")).join(Path::new(OsStr::from_bytes(named)));
    if !is_git_dir(&git_dir) {
        return Err(bad(&format!("`{}` is not a repository", git_dir.display())));
    }
    canonical(&git_dir).map_err(|error| bad(&error.to_string()))
}

pub(super) fn trim_line_ends(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

/// What Git takes for a repository: a proper HEAD, and the folders objects and refs. Source: setup.c, `is_git_directory`.
fn is_git_dir(folder: &Path) -> bool {
    has_proper_head(folder)
        && common_dir_of(folder).is_ok_and(|common| common.join("objects").is_dir() && common.join("refs").is_dir())
}

/// Source: path.c of Git, `validate_headref`.
fn has_proper_head(folder: &Path) -> bool {
    let head = folder.join("HEAD");
    if let Ok(target) = fs::read_link(&head) {
        return target.as_os_str().as_bytes().starts_with(b"refs/");
    }
    let Ok(Some(content)) = files::read_beginning(&head, 255) else { return false };
    match content.strip_prefix(b"ref:") {
        Some(target) => target.trim_ascii_start().starts_with(b"refs/"),
        None => [64, 40].iter().any(|&len| content.get(..len).is_some_and(|hex| Oid::from_hex(hex).is_ok())),
    }
}

/// The folder shared by all worktrees: named in `commondir`, or this one.
pub(super) fn common_dir_of(git_dir: &Path) -> io::Result<PathBuf> {
    let Some(content) = files::read(&git_dir.join("commondir"), SMALL_FILE_BYTES)? else { return Ok(git_dir.into()) };
    let named = Path::new(OsStr::from_bytes(trim_line_ends(&content)));
    canonical(&git_dir.join(named))
}

fn device_of(folder: &Path) -> Result<u64, OpenError> {
    fs::metadata(folder).map(|kind| kind.dev()).map_err(|error| unreadable(folder, &error))
}
