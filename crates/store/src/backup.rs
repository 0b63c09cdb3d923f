//! Copies of the store. A copy counts only when it was opened and found whole.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use alignwatch_model::Timestamp;
use rusqlite::{Connection, OpenFlags};

use crate::{Store, StoreError, open::io_error};

/// Copies that are kept, the newest. Source: ours; a week of daily ones.
pub const BACKUPS_KEPT: usize = 7;

/// A copy that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
}

impl Store {
    /// Copies the whole store beside it and checks the copy; then drops the oldest ones beyond [`BACKUPS_KEPT`].
    ///
    /// Errors: the copy can't be written, or is not whole; then nothing else was changed.
    pub fn back_up(&self, now: Timestamp) -> Result<Backup, StoreError> {
        let folder = backups(&self.folder);
        fs::create_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
        let path = folder.join(format!("store-{:012}.sqlite", now.0));
        let draft = path.with_extension("draft");
        // Left behind by a process that was killed.
        let _ = fs::remove_file(&draft);
        self.connection.execute("VACUUM INTO ?1", [draft.to_string_lossy()])?;
        check(&draft).map_err(|damage| StoreError::Damaged { path: draft.clone(), damage })?;
        let synced = File::open(&draft).and_then(|file| file.sync_all());
        synced.map_err(|source| io_error(&draft, source))?;
        fs::rename(&draft, &path).map_err(|source| io_error(&path, source))?;
        let named = File::open(&folder).and_then(|folder| folder.sync_all());
        named.map_err(|source| io_error(&folder, source))?;
        for old in listed(&self.folder).into_iter().skip(BACKUPS_KEPT) {
            // One too many does no harm.
            let _ = fs::remove_file(old);
        }
        let size_bytes = fs::metadata(&path).map_err(|source| io_error(&path, source))?.len();
        Ok(Backup { path, size_bytes })
    }
}

impl Store {
    /// When the newest copy was made, by its name. One that claims to be from later than `now` does not count.
    pub fn newest_backup_at(&self, now: Timestamp) -> Option<Timestamp> {
        let made_at = |path: PathBuf| path.file_stem()?.to_str()?.strip_prefix("store-")?.parse().ok().map(Timestamp);
        listed(&self.folder).into_iter().filter_map(made_at).find(|at| *at <= now)
    }
}

/// The newest copy that is whole.
pub(crate) fn newest_good(folder: &Path) -> Option<PathBuf> {
    listed(folder).into_iter().find(|path| check(path).is_ok())
}

fn backups(folder: &Path) -> PathBuf {
    folder.join("backups")
}

/// All copies, the newest first: their names sort by time.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(backups(folder)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "sqlite"));
    paths.sort_by(|a, b| b.cmp(a));
    paths
}

/// Opens the copy and reads all of it. Errors: what is wrong.
fn check(path: &Path) -> Result<(), String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let said = Connection::open_with_flags(path, flags)
        .and_then(|copy| copy.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0)));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(said),
        Err(error) => Err(error.to_string()),
    }
}
