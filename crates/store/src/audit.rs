//! Looks whether there is a store in a folder and who writes it, and changes nothing.
//!
//! Accepted gap: to see whether the writer's lock is held, a shared lock is taken for a moment. A daemon that starts
//! in that moment is told that the store is in use, and has to be started again.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use alignwatch_model::Timestamp;

use crate::open::lock_in;

/// The one who writes the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Who, as it says of itself: `process 4711`.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
}

/// Who writes the store in this folder now; `None` = nobody.
///
/// Errors: its lock is there and can't be looked at.
pub fn writer(folder: &Path) -> io::Result<Option<Writer>> {
    let mut file = match File::open(lock_in(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let since = seconds(file.metadata()?.modified()?);
    let mut who = String::new();
    // Whoever it is, it has the lock.
    let _ = (&mut file).take(100).read_to_string(&mut who);
    let who = if who.trim().is_empty() { "another process" } else { who.trim() };
    Ok(Some(Writer { who: who.to_owned(), since }))
}

/// Is there a store in this folder?
///
/// Errors: it can't be seen whether there is one.
pub fn holds_one(folder: &Path) -> io::Result<bool> {
    fs::exists(crate::open::file_in(folder))
}

fn seconds(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_is_seen_while_it_writes_and_not_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(writer(folder.path()).unwrap(), None);
        let (store, _) = crate::open(folder.path()).unwrap();
        let seen = writer(folder.path()).unwrap().unwrap();
        assert_eq!(seen.who, format!("process {}", std::process::id()));
        assert_eq!(store.examine().unwrap(), None);
        drop(store);
        assert_eq!(writer(folder.path()).unwrap(), None);
    }
}
