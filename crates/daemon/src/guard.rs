//! Guards the store: copies it once a day, and reads all of it once a day, on a thread of its own.
//!
//! Both read the whole file, which can take long; commits don't wait for that.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_model::{Span, Timestamp};
use alignwatch_store::{Store, open_to_read};

use crate::serve::now;

/// How often the store is copied, and read whole.
const EVERY: Span = Span::days(1);

/// How often the guard looks whether something is due, and tries again what failed.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long one look may take. Source: ours; a store of many gigabytes on a slow disk is read and copied in it.
const LOOK_AT_MOST: Duration = Duration::from_secs(6 * 3600);

/// Ends the thread when it is dropped.
pub(crate) struct Guard {
    last: Arc<Mutex<Last>>,
    /// Closed to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The last look that came to its end.
struct Last {
    ended_at: Instant,
    trouble: Option<String>,
}

impl Guard {
    /// Guards the store in this folder.
    pub(crate) fn start(folder: PathBuf) -> Guard {
        let last = Arc::new(Mutex::new(Last { ended_at: Instant::now(), trouble: None }));
        let (end, is_over) = sync_channel(0);
        let told = Arc::clone(&last);
        let thread = thread::spawn(move || {
            let mut watch = Watch::default();
            while is_over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let trouble = watch.look(&folder, now()).err();
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Last { ended_at: Instant::now(), trouble };
            }
        });
        Guard { last, end: Some(end), thread: Some(thread) }
    }

    /// What is wrong with the file or its copies, as far as it was looked; or that nobody looks any more.
    pub(crate) fn trouble(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        let is_away = is_gone || LOOK_AT_MOST < last.ended_at.elapsed();
        last.trouble.clone().or_else(|| {
            is_away.then(|| "nobody copies and examines the store any more: start alignwatch again".to_owned())
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Watch {
    examined_at: Option<Timestamp>,
    /// What was wrong then.
    damage: Option<String>,
}

impl Watch {
    /// Does what is due. Errors: what is wrong; it is looked at again the next time.
    fn look(&mut self, folder: &Path, now: Timestamp) -> Result<(), String> {
        let cannot = |error| format!("the store could not be examined: {error}");
        let mut store = None;
        if is_due(self.examined_at, now) {
            self.damage = opened(&mut store, folder).and_then(|store| store.examine()).map_err(cannot)?;
            self.examined_at = Some(now);
        }
        if let Some(damage) = &self.damage {
            // It is not copied: good copies would go for bad ones.
            return Err(format!("the store is damaged ({damage}): the next start uses the newest good backup"));
        }
        let store = opened(&mut store, folder).map_err(cannot)?;
        if is_due(store.newest_backup_at(now), now) {
            store.back_up(now).map_err(|error| format!("the store could not be backed up: {error}"))?;
        }
        Ok(())
    }
}

fn opened<'a>(store: &'a mut Option<Store>, folder: &Path) -> Result<&'a Store, alignwatch_store::StoreError> {
    match store {
        Some(store) => Ok(store),
        None => Ok(store.insert(open_to_read(folder)?)),
    }
}

fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| EVERY < now.since(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_copies_any_more_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = Guard::start(folder.path().to_owned());
        assert_eq!(guard.trouble(), None);
        let (end, _) = sync_channel(0);
        let gone = Guard { last: Arc::clone(&guard.last), end: Some(end), thread: Some(thread::spawn(|| {})) };
        while gone.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            thread::yield_now();
        }
        assert!(gone.trouble().is_some_and(|told| told.contains("nobody copies")));
    }

    #[test]
    fn it_is_copied_once_a_day_and_a_damaged_one_is_told_and_not_copied() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(alignwatch_store::open(folder.path()).expect("a store"));
        let copies = || std::fs::read_dir(folder.path().join("backups")).map_or(0, Iterator::count);
        let mut watch = Watch::default();
        let at = |hours: i64| Timestamp(1_700_000_000 + hours * 3600);
        for (hours, expected) in [(0, 1), (1, 1), (23, 1), (25, 2)] {
            assert_eq!(watch.look(folder.path(), at(hours)), Ok(()));
            assert_eq!(copies(), expected, "after {hours} h");
        }
        let file = folder.path().join("store.sqlite");
        let mut bytes = std::fs::read(&file).expect("the file");
        bytes[4096 * 2..4096 * 3].fill(7);
        std::fs::write(&file, bytes).expect("written");
        let told = watch.look(folder.path(), at(50)).expect_err("damage");
        assert!(told.contains("damaged") || told.contains("malformed"), "{told}");
        assert_eq!(copies(), 2);
    }
}
