//! Sees that the refs of a repository moved, without asking Git and without hooks: by the times of a few files and
//! folders.
//!
//! A file that is written in place keeps its folder's time, but Git writes refs by renaming, which changes it. A move
//! that is missed all the same (a file system with coarse times, a network) is seen at the next sweep.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use alignwatch_model::turn::Event;

use crate::watching::Watching;

/// Folders below `refs` that are looked at. Source: ours; more than any honest repository has.
const FOLDERS_AT_MOST: usize = 10_000;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Names below one folder of refs that are looked at: a stranger's folder may hold any number.
const NAMES_AT_MOST: usize = 100_000;

/// Looks at these repositories until `stop`, on a thread of its own: a file system that hangs stops nobody else.
pub(crate) fn start(watching: Arc<Watching>, inbox: SyncSender<Event>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut last: BTreeMap<PathBuf, u64> = BTreeMap::new();
        while !stop.load(Ordering::Relaxed) {
            let paths: BTreeSet<PathBuf> = watching.paths().into_iter().collect();
            last.retain(|path, _| paths.contains(path));
            for path in paths {
                let now = fingerprint(&path);
                let moved = Event::RefsMoved(path.to_string_lossy().into_owned());
                match last.entry(path) {
                    // What is new is looked at anyway.
                    Entry::Vacant(new) => drop(new.insert(now)),
                    // A full inbox is no loss: it is told the next time, since the last look is kept as it was.
                    Entry::Occupied(mut last) if *last.get() != now && inbox.try_send(moved).is_ok() => {
                        last.insert(now);
                    }
                    Entry::Occupied(_) => {}
                }
            }
            thread::sleep(EVERY);
        }
    })
}

/// What stays the same as long as no ref moves. 0 for a repository that can't be looked at.
pub(crate) fn fingerprint(path: &Path) -> u64 {
    let Some(git_dir) = git_dir(path) else { return 0 };
    let mut hash = Hash::new();
    for file in ["HEAD", "packed-refs", "reftable/tables.list"] {
        hash.add(fs::symlink_metadata(git_dir.join(file)));
    }
    let mut folders = vec![git_dir.join("refs")];
    let mut n_left = FOLDERS_AT_MOST;
    while let Some(folder) = folders.pop().filter(|_| 0 < n_left) {
        n_left -= 1;
        hash.add(fs::symlink_metadata(&folder));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten().take(NAMES_AT_MOST);
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(inner.take(n_left).map(|entry| entry.path()));
    }
    hash.0
}

/// The folder that holds the refs: a bare repository itself, or its `.git`. A worktree's is found by its sweeps.
fn git_dir(path: &Path) -> Option<PathBuf> {
    [path.join(".git"), path.to_owned()].into_iter().find(|folder| folder.join("HEAD").is_file())
}

/// FNV-1a over what `stat` says.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, metadata: io::Result<fs::Metadata>) {
        let words = metadata.map_or([0; 4], |data| {
            [data.ino(), data.size(), data.mtime().unsigned_abs(), data.mtime_nsec().unsigned_abs()]
        });
        for byte in words.into_iter().flat_map(u64::to_le_bytes) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;

    #[test]
    fn a_ref_that_moves_comes_or_goes_is_seen_and_a_look_is_not() {
        let repo = sketch("main: a b c\n feature/x: a d").draw();
        let path = repo.path();
        let mut last = fingerprint(path);
        assert_ne!(last, 0);
        let mut moved = |args: &[&str]| {
            repo.git(args.iter().copied());
            let now = fingerprint(path);
            std::mem::replace(&mut last, now) != now
        };
        assert!(!moved(&["log", "--oneline", "main"]));
        assert!(moved(&["update-ref", "refs/heads/feature/x", "main"]));
        assert!(moved(&["update-ref", "refs/heads/new/deep/one", "main"]));
        assert!(moved(&["pack-refs", "--all"]));
        assert!(moved(&["update-ref", "-d", "refs/heads/new/deep/one"]));
        assert!(moved(&["symbolic-ref", "HEAD", "refs/heads/feature/x"]));
    }

    #[test]
    fn what_is_no_repository_has_no_fingerprint() {
        assert_eq!(fingerprint(Path::new("/nonexistent")), 0);
    }
}
