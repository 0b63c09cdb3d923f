//! Keeps commits, on a thread of its own, and backs the store up once a day.

use std::{
    sync::mpsc::{Receiver, SyncSender},
    thread::{self, JoinHandle},
};

use alignwatch_model::{Span, Timestamp, record::Commit, turn::Event};
use alignwatch_store::Store;

use crate::serve::now;

/// How often the store is copied.
const BACK_UP_EVERY: Span = Span::days(1);

/// Starts the thread. It ends when `commits` does.
pub(crate) fn start(mut store: Store, commits: Receiver<Box<Commit>>, inbox: SyncSender<Event>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut backed_up_at = store.newest_backup_at().unwrap_or_default();
        for commit in commits {
            let kept = store.commit(&commit);
            let at = now();
            if kept.is_ok() && BACK_UP_EVERY < at.since(backed_up_at) {
                backed_up_at = back_up(&store, at);
            }
            let event = match kept {
                Ok(()) => Event::Kept,
                Err(error) => Event::NotKept(commit, error.to_string()),
            };
            // When the loop is gone there is nobody to tell.
            let _ = inbox.send(event);
        }
    })
}

/// Copies the store. One that fails is tried again with the next day's: the store itself is well.
fn back_up(store: &Store, at: Timestamp) -> Timestamp {
    let _ = store.back_up(at);
    at
}
