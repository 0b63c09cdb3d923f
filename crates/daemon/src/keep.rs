//! Keeps commits, on a thread of its own; between them it tends the store, a little at a time.
//!
//! A store that can't be written (a full disk, a file system that became read-only) is tried again with each commit:
//! what could not be kept comes back with the next one.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_model::{config::Retention, record::Commit, turn::Event};
use alignwatch_store::{Store, StoreError, Tended};

use crate::{guard::Guard, serve::now};

/// How often the store is looked through for what is old.
const TEND_EVERY: Duration = Duration::from_secs(3600);

/// The pause between two steps of that, so that a commit and the disk get their turn.
const TEND_PAUSE: Duration = Duration::from_millis(100);

/// Who keeps.
pub(crate) struct Keeper {
    folder: PathBuf,
    /// None while it can't be written.
    store: Option<Store>,
    retention: Retention,
    guard: Guard,
    tend_at: Instant,
    /// Why the store does not get as small as it should.
    tend_trouble: Option<String>,
}

impl Keeper {
    /// Keeps in this folder; without a store, it tries to open it with the first commit.
    pub(crate) fn new(folder: PathBuf, store: Option<Store>, retention: Retention) -> Keeper {
        let guard = Guard::start(folder.clone());
        Keeper { folder, store, retention, guard, tend_at: Instant::now(), tend_trouble: None }
    }

    /// Starts the thread. It ends when `commits` does.
    pub(crate) fn start(mut self, commits: Receiver<Box<Commit>>, inbox: SyncSender<Event>) -> JoinHandle<()> {
        thread::spawn(move || {
            loop {
                match commits.recv_timeout(self.tend_at.saturating_duration_since(Instant::now())) {
                    // When the loop is gone there is nobody to tell.
                    Ok(commit) => drop(inbox.send(self.keep(commit))),
                    Err(RecvTimeoutError::Timeout) => self.tend(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        })
    }

    fn keep(&mut self, commit: Box<Commit>) -> Event {
        match self.try_to_keep(&commit) {
            Ok(()) => Event::Kept(self.guard.trouble().or_else(|| self.tend_trouble.clone())),
            Err(error) => Event::NotKept(commit, error.to_string()),
        }
    }

    fn try_to_keep(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(alignwatch_store::open(&self.folder)?.0),
        };
        store.commit(commit)
    }

    /// One step, and when the next one is.
    fn tend(&mut self) {
        let Some(store) = &mut self.store else {
            self.tend_at = Instant::now() + TEND_EVERY;
            return;
        };
        let (pause, trouble) = match store.tend(&self.retention, now()) {
            Ok(Tended::Some) => (TEND_PAUSE, self.tend_trouble.take()),
            Ok(Tended::All) => (TEND_EVERY, None),
            Ok(Tended::StillTooLarge { size_bytes }) => (TEND_EVERY, Some(self.too_large(size_bytes))),
            // A full disk is told by the next commit, too.
            Err(error) => (TEND_EVERY, Some(format!("what is old could not be rolled up: {error}"))),
        };
        (self.tend_at, self.tend_trouble) = (Instant::now() + pause, trouble);
    }

    fn too_large(&self, size_bytes: u64) -> String {
        let (mib, limit) = (size_bytes >> 20, alignwatch_model::config::size_text(self.retention.size));
        format!("the store holds {mib} MiB, more than `store.size` ({limit}), and nothing that is left may go")
    }
}
