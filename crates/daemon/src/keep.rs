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
        let mut backed_up_at = store.newest_backup_at(now()).unwrap_or_default();
        for commit in commits {
            let event = match store.commit(&commit) {
                Ok(()) => Event::Kept(back_up_when_due(&store, &mut backed_up_at).err()),
                Err(error) => Event::NotKept(commit, error.to_string()),
            };
            // When the loop is gone there is nobody to tell.
            let _ = inbox.send(event);
        }
    })
}

/// Copies the store once a day. Errors: why it could not be; it is tried again with the next commit.
fn back_up_when_due(store: &Store, backed_up_at: &mut Timestamp) -> Result<(), String> {
    let at = now();
    if at.since(*backed_up_at) <= BACK_UP_EVERY {
        return Ok(());
    }
    store.back_up(at).map_err(|error| format!("the store could not be backed up: {error}"))?;
    *backed_up_at = at;
    Ok(())
}
