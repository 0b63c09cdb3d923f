//! Openings of windows that were changed: made longer, ended early, or begun by an alert.
//!
//! They are one file in the data directory, so that a window can be ended when no daemon is there, and all who ask whether one is
//! open know it at once. Who changed what, when and why stays in it for two months.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::{Span, Timestamp, window::Change};

/// How long a change stays after its opening is over. Source: ours; a report on a month tells of it.
const KEPT_FOR: Span = Span::days(60);

/// Changes that are kept at most. Source: ours; one each hour for longer than they are kept.
const CHANGES_AT_MOST: usize = 2_000;

/// The longest file, in bytes. Source: ours; as many changes as there may be, each with a long note.
const BYTES_AT_MOST: u64 = 4 << 20;

/// The changed openings.
#[derive(Clone, Debug)]
pub struct Openings {
    folder: PathBuf,
}

/// Why they can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{}`: {source}", .path.display())]
pub struct OpeningsError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Openings {
    /// Those in this data directory. Nothing is made before the first is changed.
    pub fn of(data_dir: &Path) -> Openings {
        Openings { folder: data_dir.join("windows") }
    }

    /// All that are known, in the order in which they were changed. Errors: the file can't be read.
    pub fn changes(&self) -> Result<Vec<Change>, OpeningsError> {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(self.path())?.take(BYTES_AT_MOST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| self.failed("understand", error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    /// Notes a change; it is on the disk when this returns. One of the same opening that was noted before does not count any more.
    pub fn note(&self, change: &Change, now: Timestamp) -> Result<(), OpeningsError> {
        let _alone = self.lock()?;
        let mut changes = self.changes()?;
        let is_old = |other: &Change| KEPT_FOR < now.since(other.until.max(other.at));
        changes.retain(|other| !is_old(other));
        if CHANGES_AT_MOST <= changes.len() {
            return Err(self.failed("add to", io::Error::other(format!("it has {CHANGES_AT_MOST} changes already"))));
        }
        changes.push(change.clone());
        self.write(&changes)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("changes.json")
    }

    /// Another file takes the place of the one that is there, so that a crash leaves one of the two.
    fn write(&self, changes: &[Change]) -> Result<(), OpeningsError> {
        let draft = self.folder.join("changes.draft");
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(changes)?)?;
            file.sync_all()?;
            fs::rename(&draft, self.path())?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|error| self.failed("write", error))
    }

    /// Held until it is dropped, or this process ends in whatever way.
    fn lock(&self) -> Result<File, OpeningsError> {
        let locked = || -> io::Result<File> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let path = self.folder.join("changes.lock");
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error| self.failed("lock", error))
    }

    fn failed(&self, act: &'static str, source: io::Error) -> OpeningsError {
        OpeningsError { act, path: self.path(), source }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn change(planned: i64, until: i64, at: i64) -> Change {
        let time = Timestamp;
        let (window, who, note) = ("night".to_owned(), "mia".to_owned(), String::new());
        Change { window, planned: time(planned), from: time(planned), until: time(until), who, at: time(at), note }
    }

    #[test]
    fn what_was_changed_is_there_after_a_restart_and_goes_after_two_months() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Openings::of(dir.path()).changes().unwrap(), []);
        let (first, second) = (change(100, 300, 150), change(100, 200, 180));
        for change in [&first, &second] {
            Openings::of(dir.path()).note(change, Timestamp(200)).unwrap();
        }
        assert_eq!(Openings::of(dir.path()).changes().unwrap(), [first, second]);
        let later = change(9_000_000, 9_000_100, 9_000_000);
        Openings::of(dir.path()).note(&later, later.at).unwrap();
        assert_eq!(Openings::of(dir.path()).changes().unwrap(), [later]);
    }

    #[test]
    fn a_file_that_is_damaged_is_told_and_not_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let openings = Openings::of(dir.path());
        openings.note(&change(1, 2, 1), Timestamp(1)).unwrap();
        fs::write(dir.path().join("windows/changes.json"), "[{").unwrap();
        assert!(openings.changes().unwrap_err().to_string().contains("cannot understand"));
        assert!(openings.note(&change(1, 2, 1), Timestamp(1)).is_err());
    }
}
