//! The worktrees of a repository, and the branches that they hold.
//!
//! Read from the repository's own folder alone: a worktree on a disk that is
//! away just now still holds its branch. No git is started.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{Known, RefName};

use crate::files;

/// Largest of the small state files (HEAD, head-name and the like) that are read. A name of a ref has at most 4 KiB.
const STATE_FILE_BYTES: u64 = 8 << 10;

/// Worktrees that are looked at. Source: ours; the largest sprawl on record had 109.
const WORKTREES_AT_MOST: usize = 10_000;

/// The folder in which one worktree keeps its HEAD, index and unfinished operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeDir {
    /// That folder: the common folder itself for the main worktree.
    pub git_dir: PathBuf,
    /// It is a linked worktree, not the main one (which a bare repository does not use).
    pub is_linked: bool,
    /// Where the files are, as far as that is written down.
    pub files: Option<PathBuf>,
}

/// The main worktree and the linked ones, by name.
///
/// Errors: the folder of the linked ones is there and cannot be listed.
pub fn worktrees(common_dir: &Path) -> io::Result<Vec<WorktreeDir>> {
    let is_dot_git = common_dir.file_name() == Some(OsStr::new(".git"));
    let files = if is_dot_git { common_dir.parent().map(Path::to_owned) } else { None };
    let mut found = vec![WorktreeDir { git_dir: common_dir.to_owned(), is_linked: false, files }];
    let entries = match fs::read_dir(common_dir.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries.take(WORKTREES_AT_MOST) {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(linked(entry.path()));
        }
    }
    found[1..].sort_by(|a, b| a.git_dir.cmp(&b.git_dir));
    Ok(found)
}

/// `gitdir` names the `.git` file of the worktree, since 2.48 perhaps relative to this folder.
fn linked(git_dir: PathBuf) -> WorktreeDir {
    let dot_git = state_line(&git_dir, "gitdir").ok().flatten().map(|line| git_dir.join(OsStr::from_bytes(&line)));
    let files = dot_git.and_then(|path| Some(path.parent()?.to_owned()));
    WorktreeDir { git_dir, is_linked: true, files }
}

/// The branches that must not be moved or deleted: those that a HEAD is on, and those that an
/// unfinished rebase or bisect left and will come back to.
///
/// Unknown when any worktree cannot be read: a branch that may be in use is in use.
pub fn checked_out(common_dir: &Path) -> Known<Vec<RefName>> {
    let held = worktrees(common_dir).and_then(|worktrees| {
        let mut held = Vec::new();
        for worktree in &worktrees {
            held.extend(head_branch(&worktree.git_dir)?);
            held.extend(left_branches(&worktree.git_dir)?);
        }
        Ok(held)
    });
    match held {
        Ok(mut held) => {
            held.sort();
            held.dedup();
            Known::Seen(held)
        }
        Err(error) => Known::Unknown(format!("cannot read which branches are checked out: {error}")),
    }
}

/// The branch that HEAD of this worktree is on. Errors also when only git can tell (reftable).
pub(crate) fn head_branch(git_dir: &Path) -> io::Result<Option<RefName>> {
    let Some(line) = state_line(git_dir, "HEAD")? else { return Ok(None) };
    match line.strip_prefix(b"ref:").map(<[u8]>::trim_ascii_start) {
        Some(b"refs/heads/.invalid") => Err(io::Error::other("HEAD is in a table that only git reads")),
        Some(name) => Ok(Some(RefName::new(name))),
        None => Ok(None),
    }
}

/// The branches that unfinished operations work on while HEAD is detached.
pub(crate) fn left_branches(git_dir: &Path) -> io::Result<Vec<RefName>> {
    let mut left = Vec::new();
    for file in ["rebase-merge/head-name", "rebase-apply/head-name"] {
        left.extend(state_line(git_dir, file)?.filter(|name| name.starts_with(b"refs/")).map(RefName::new));
    }
    // A short name, or an id when bisecting began on a detached HEAD: then it names no branch, and protects none.
    left.extend(state_line(git_dir, "BISECT_START")?.map(|name| RefName::new([b"refs/heads/", &name[..]].concat())));
    Ok(left)
}

/// The first line of a small file in this folder; `None` when there is none.
pub(crate) fn state_line(git_dir: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let content = files::read_beginning(&git_dir.join(name), STATE_FILE_BYTES)?;
    let first_line =
        |content: Vec<u8>| content.split(|&byte| byte == b'\n').next().map(|line| line.trim_ascii_end().to_vec());
    Ok(content.and_then(first_line).filter(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alignwatch_testkit::{git, git_output, sketch};

    fn held(common_dir: &Path) -> Vec<String> {
        checked_out(common_dir).seen().unwrap().iter().map(|name| name.short().to_string()).collect()
    }

    #[test]
    fn every_worktree_holds_its_branch_also_when_its_files_are_away() {
        let repo = sketch("main: a b\n x: a c\n y: a d\n z: a").worktree().draw();
        repo.git(["worktree", "add", "--quiet", "../x tree", "x"]);
        repo.git(["worktree", "add", "--quiet", "../y", "y"]);
        repo.git(["worktree", "add", "--quiet", "--detach", "../z", "z"]);
        fs::remove_dir_all(repo.room().join("y")).unwrap();
        assert_eq!(held(&repo.git_dir()), ["main", "x", "y"]);
        let found = worktrees(&repo.git_dir()).unwrap();
        let listed = repo.git(["worktree", "list", "--porcelain"]);
        for worktree in &found {
            let files = worktree.files.as_ref().unwrap();
            assert!(listed.contains(&format!("worktree {}", files.display())), "{files:?} in {listed}");
        }
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_branch_that_is_being_rebased_or_bisected_is_held_though_head_is_detached() {
        let repo = sketch("main: a(f=1) b(f=2)\n x: a c(f=3)\n y: a d e").worktree().draw();
        repo.git(["worktree", "add", "--quiet", "../x", "x"]);
        repo.git(["worktree", "add", "--quiet", "../y", "y"]);
        assert!(!git_output(repo.room().join("x"), ["rebase", "main"]).status.success());
        git(repo.room().join("y"), ["bisect", "start", "y", "y~2"]);
        assert_eq!(held(&repo.git_dir()), ["main", "x", "y"]);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_not_free() {
        let repo = sketch("main: a").worktree().draw();
        fs::write(repo.git_dir().join("worktrees"), "in the way").unwrap();
        assert_eq!(held(&repo.git_dir()), ["main"], "a file of this name is no folder of worktrees");
        fs::write(repo.git_dir().join("HEAD"), "ref: refs/heads/.invalid\n").unwrap();
        assert!(checked_out(&repo.git_dir()).reason().unwrap().contains("only git reads"));
    }
}
