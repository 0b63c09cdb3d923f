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
        mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel},
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

/// How long one repository may take. Source: ours; a disk that answers does so in milliseconds, also when it has to wake up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Repositories whose disks hang at most: each keeps a thread. Beyond that nothing is looked at but by sweeps.
const HUNG_AT_MOST: usize = 256;

/// Looks at these repositories until `stop`. A file system that hangs stops nobody else.
pub(crate) fn start(watching: Arc<Watching>, inbox: SyncSender<Event>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut last: BTreeMap<PathBuf, u64> = BTreeMap::new();
        let mut eyes = Eyes::with(fingerprint, PATIENCE);
        while !stop.load(Ordering::Relaxed) {
            let paths: BTreeSet<PathBuf> = watching.paths().into_iter().collect();
            last.retain(|path, _| paths.contains(path));
            for path in paths {
                let Some(now) = eyes.look(&path) else { continue };
                let moved = Event::RefsMoved(path.to_string_lossy().into_owned());
                match last.entry(path) {
                    // What is new is looked at anyway; what is gone by now may have been there when that was done.
                    Entry::Vacant(new) => {
                        new.insert(now);
                        if now == 0 {
                            // A full inbox is no loss: it is swept like others.
                            let _ = inbox.try_send(moved);
                        }
                    }
                    // Likewise: it is told the next time, since the last look is kept as it was.
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

/// Looks at repositories one after the other, and leaves one behind that does not answer.
struct Eyes {
    look: fn(&Path) -> u64,
    patience: Duration,
    eye: Eye,
    hung: BTreeMap<PathBuf, Eye>,
}

/// A thread that looks where it is told. It ends when nobody tells it any more.
struct Eye {
    where_to: Sender<PathBuf>,
    seen: Receiver<u64>,
}

impl Eye {
    fn opened(look: fn(&Path) -> u64) -> Eye {
        let (where_to, wanted) = channel::<PathBuf>();
        let (tell, seen) = channel();
        thread::spawn(move || wanted.iter().map(|path| look(&path)).try_for_each(|found| tell.send(found)));
        Eye { where_to, seen }
    }
}

impl Eyes {
    fn with(look: fn(&Path) -> u64, patience: Duration) -> Eyes {
        Eyes { look, patience, eye: Eye::opened(look), hung: BTreeMap::new() }
    }

    /// What is seen there; `None` = it hangs.
    fn look(&mut self, path: &Path) -> Option<u64> {
        if let Some(eye) = self.hung.get(path) {
            let answer = eye.seen.try_recv();
            if answer == Err(TryRecvError::Empty) {
                return None;
            }
            self.hung.remove(path);
        }
        if HUNG_AT_MOST <= self.hung.len() {
            return None;
        }
        // A thread that is gone is replaced below, like one that hangs.
        let _ = self.eye.where_to.send(path.to_owned());
        if let Ok(found) = self.eye.seen.recv_timeout(self.patience) {
            return Some(found);
        }
        let eye = std::mem::replace(&mut self.eye, Eye::opened(self.look));
        self.hung.insert(path.to_owned(), eye);
        None
    }
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
    fn a_disk_that_hangs_keeps_nobody_else_from_being_looked_at() {
        static IS_MENDED: AtomicBool = AtomicBool::new(false);
        let look = |path: &Path| {
            while path.starts_with("/hangs") && !IS_MENDED.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            1
        };
        let mut eyes = Eyes::with(look, Duration::from_millis(20));
        assert_eq!(eyes.look(Path::new("/hangs")), None);
        eyes.patience = Duration::from_secs(60);
        assert_eq!((eyes.look(Path::new("/other")), eyes.look(Path::new("/hangs"))), (Some(1), None));
        IS_MENDED.store(true, Ordering::Relaxed);
        while eyes.look(Path::new("/hangs")).is_none() {
            thread::yield_now();
        }
        assert_eq!(eyes.hung.len(), 0);
    }

    #[test]
    fn what_is_no_repository_has_no_fingerprint() {
        assert_eq!(fingerprint(Path::new("/nonexistent")), 0);
    }
}
