//! Sees each worktree: where its files are, what it has checked out, who locked it, what is unmerged in it.
//!
//! Read from files alone; no git is started. A worktree that cannot be read is
//! unknown in that part, and hides no other.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use alignwatch_model::{
    Known, Timestamp,
    facts::worktrees::{Place, Worktree, WorktreeLock},
};

use super::index::index;
use crate::{
    files,
    processes::{Life, Processes},
    repository::Opened,
    worktrees::{WorktreeDir, head_branch, state_line, worktrees},
};

/// Bytes of the reason of a lock that are read.
const REASON_BYTES: u64 = 1 << 10;

/// All worktrees, the main one first; a bare repository has no main one.
pub(crate) fn seen(opened: &Opened) -> Known<Vec<Worktree>> {
    see(opened, &Processes::of_this_machine())
}

fn see(opened: &Opened, processes: &Processes) -> Known<Vec<Worktree>> {
    match worktrees(&opened.common_dir) {
        Err(error) => Known::Unknown(format!("cannot list the worktrees: {error}")),
        Ok(found) => {
            let used = found.iter().filter(|one| one.is_linked || !opened.is_bare);
            Known::Seen(used.map(|one| worktree(opened, one, processes)).collect())
        }
    }
}

fn worktree(opened: &Opened, dir: &WorktreeDir, processes: &Processes) -> Worktree {
    let files = match dir.is_linked {
        true => dir.files.as_deref(),
        false => opened.worktree.as_deref().filter(|_| !opened.is_linked()).or(dir.files.as_deref()),
    };
    let below = dir.git_dir.strip_prefix(&opened.common_dir).unwrap_or(&dir.git_dir);
    let cannot = |what: &str, error: io::Error| format!("cannot read {what} of `{}`: {error}", below.display());
    let (unmerged, index_damage) = index(&dir.git_dir, &opened.object_format);
    Worktree {
        path: files.map(|files| files.display().to_string()).unwrap_or_default(),
        git_dir: below.display().to_string(),
        branch: Known::from_result(head_branch(&dir.git_dir).map_err(|error| cannot("HEAD", error))),
        place: match dir.is_linked {
            true => place(dir),
            false => Known::Seen(Place::Here),
        },
        lock: match lock(&dir.git_dir, processes) {
            Ok(lock) => Known::Seen(lock),
            Err(error) => Known::Unknown(cannot("the lock", error)),
        },
        unmerged,
        index_damage,
        used_at: used_at(&dir.git_dir),
    }
}

/// Does `.git` in its files lead back to its folder?
fn place(dir: &WorktreeDir) -> Known<Place> {
    let Some(files) = &dir.files else {
        return Known::Unknown(format!("`{}` does not say where its files are", dir.git_dir.display()));
    };
    let link = files.join(".git");
    match fs::symlink_metadata(&link) {
        Err(error) if files::is_absent(&error) => return Known::Seen(Place::Gone),
        Err(error) => return Known::Unknown(format!("cannot see `{}`: {error}", link.display())),
        Ok(kind) if !kind.is_file() => return Known::Seen(Place::Foreign),
        Ok(_) => {}
    }
    match state_line(files, ".git") {
        Err(error) => Known::Unknown(format!("cannot read `{}`: {error}", link.display())),
        Ok(line) => {
            Known::Seen(if leads_to(line.as_deref(), files, &dir.git_dir) { Place::Here } else { Place::Foreign })
        }
    }
}

fn leads_to(line: Option<&[u8]>, files: &Path, git_dir: &Path) -> bool {
    let named = line.and_then(|line| line.strip_prefix(b"gitdir:")).map(<[u8]>::trim_ascii);
    let named = named.map(|named| files.join(std::ffi::OsStr::from_bytes(named)));
    match (named.and_then(|named| named.canonicalize().ok()), git_dir.canonicalize()) {
        (Some(named), Ok(git_dir)) => named == git_dir,
        _ => false,
    }
}

/// Errors: what the file `locked` is when it is no file that can be read.
fn lock(git_dir: &Path, processes: &Processes) -> io::Result<Option<WorktreeLock>> {
    let Some(content) = files::read_beginning(&git_dir.join("locked"), REASON_BYTES)? else { return Ok(None) };
    let reason = String::from_utf8_lossy(content.trim_ascii()).into_owned();
    let process = process_in(&reason).map(|pid| {
        let life = match processes.life_of(pid) {
            Life::Git | Life::Other(_) => Known::Seen(true),
            Life::Dead => Known::Seen(false),
            Life::Unknown(reason) => Known::Unknown(reason),
        };
        (pid, life)
    });
    Ok(Some(WorktreeLock { reason, process }))
}

/// The number behind `pid` in a reason such as `claude agent x (pid 12345)`, `PID: 77` or `pid=77`.
fn process_in(reason: &str) -> Option<u32> {
    let lower = reason.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find("pid") {
        let (start, end) = (from + at, from + at + 3);
        let is_word = start == 0 || !lower.as_bytes()[start - 1].is_ascii_alphanumeric();
        let rest = lower[end..].trim_start_matches([' ', ':', '=', '#']);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if let Some(pid) = rest[..digits].parse().ok().filter(|_| is_word) {
            return Some(pid);
        }
        from = end;
    }
    None
}

/// The youngest time of what Git writes there when somebody works.
fn used_at(git_dir: &Path) -> Known<Timestamp> {
    let times = ["HEAD", "index", "logs/HEAD"].iter().filter_map(|name| fs::symlink_metadata(git_dir.join(name)).ok());
    match times.map(|found| found.mtime()).max() {
        Some(at) => Known::Seen(Timestamp(at)),
        None => Known::Unknown(format!("`{}` is empty", git_dir.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{processes::tests::FakeProc, repository::open};

    #[test]
    fn the_process_of_a_lock_is_found_in_the_words_of_its_reason() {
        for (reason, pid) in [
            ("claude agent agent-a0df (pid 12345)", Some(12345)),
            ("PID: 77", Some(77)),
            ("held by pid=9, started today", Some(9)),
            ("rapid 12", None),
            ("on a portable disk", None),
            ("pid", None),
            ("pid 99999999999999999999", None),
        ] {
            assert_eq!(process_in(reason), pid, "{reason}");
        }
    }

    #[test]
    fn a_lock_by_a_dead_process_is_told_from_that_of_a_living_one() {
        let repo = alignwatch_testkit::sketch("main: a\n w: a").worktree().draw();
        repo.git(["worktree", "add", "--quiet", "../w", "w"]);
        repo.git(["worktree", "lock", "--reason", "agent (pid 77)", "../w"]);
        let opened = open(repo.path()).unwrap();
        let alive = |fake: &FakeProc| {
            let all = see(&opened, &fake.processes());
            all.seen().unwrap()[1].lock.seen().unwrap().clone().unwrap().process.unwrap().1
        };
        let fake = FakeProc::new();
        assert_eq!(alive(&fake), Known::Seen(false));
        fake.add(77, "node", "/", 5);
        assert_eq!(alive(&fake), Known::Seen(true));
        let container = FakeProc::new();
        container.see_all(false);
        assert!(alive(&container).reason().is_some());
    }
}
