//! The spool: one file a run, one event a line, so that what was reported outlives a crash and needs no daemon.
//!
//! Lines are appended in one write each, by as many processes as like to. The beginning and the end of a run
//! are on disk (file and folder) before they count as accepted. A torn last line, from a crash or a full disk,
//! is left out by readers and closed by the next writer. Whoever has taken in a whole file removes it with
//! [`Spool::remove`].
//!
//! Known gap: a writer that holds a file open while it is removed loses what it then writes; a run that ended is
//! the only one that should be removed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::run::{RunEvent, RunId};

/// The largest event that is taken, in bytes.
///
/// Source: ours; the largest of our own has 2,000 moved refs at about 200 bytes.
pub const EVENT_AT_MOST_BYTES: usize = 1 << 20;

/// The largest file of one run: beyond it only the end of the run is taken.
///
/// Source: ours; a heartbeat each second for a day is 15 MB.
pub const FILE_AT_MOST_BYTES: u64 = 16 << 20;

/// Files that the spool holds at most. Beyond that no new run is taken.
///
/// Source: ours; two hundred runs a day for half a year.
pub const FILES_AT_MOST: usize = 40_000;

/// The runs below one data directory.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// One file of the spool.
#[derive(Clone, Debug)]
pub struct Spooled {
    /// The file.
    pub path: PathBuf,
    /// The run, by the name of the file.
    pub run: RunId,
    /// Its events, in the order in which they were written.
    pub events: Vec<RunEvent>,
    /// Lines that could not be read: torn, damaged, or of another run.
    pub n_unreadable: usize,
    /// How many bytes were read: more may have been written since.
    pub n_bytes: u64,
}

/// Why something could not be spooled or read back.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The system refused.
    #[error("cannot {act} `{}`: {source}", .path.display())]
    Failed {
        /// What was tried.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The event is larger than we take.
    #[error("cannot record an event of {bytes} bytes: the most is {EVENT_AT_MOST_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The run or the spool is full.
    #[error("cannot record more in `{}`: it is full", .path.display())]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
}

impl Spool {
    /// The spool below this data directory. Nothing is made before the first event.
    pub fn open(data_dir: &Path) -> Spool {
        Spool { folder: data_dir.join("spool") }
    }

    /// The folder with one file for each run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a run, which need not be there.
    pub fn path_of(&self, run: &RunId) -> PathBuf {
        self.folder.join(format!("{run}.jsonl"))
    }

    /// Writes an event behind the others of its run. When it begins or ends the run, it is on disk after this.
    pub fn append(&self, event: &RunEvent) -> Result<(), SpoolError> {
        let mut line = event.json();
        line.push('\n');
        if EVENT_AT_MOST_BYTES < line.len() {
            return Err(SpoolError::TooLarge { bytes: line.len() });
        }
        let path = self.path_of(&event.run);
        let is_new = fs::symlink_metadata(&path).is_err();
        if is_new {
            self.make_room()?;
        }
        let failed = |act| move |source| SpoolError::Failed { act, path: path.clone(), source };
        let mut file = open_for_append(&self.path_of(&event.run)).map_err(failed.clone()("open"))?;
        let length = file.metadata().map_err(failed.clone()("look at"))?.len();
        if FILE_AT_MOST_BYTES < length && !event.is_boundary() {
            return Err(SpoolError::Full { path: self.path_of(&event.run) });
        }
        if 0 < length && !ends_a_line(&mut file).map_err(failed.clone()("read"))? {
            line.insert(0, '\n');
        }
        file.write_all(line.as_bytes()).map_err(failed.clone()("write"))?;
        if event.is_boundary() {
            file.sync_all().map_err(failed("sync"))?;
        }
        if is_new && event.is_boundary() { self.sync_folder() } else { Ok(()) }
    }

    /// All runs, by the time of their beginning. A file that cannot be read is an error of its own.
    ///
    /// Errors: the folder is there and cannot be listed.
    pub fn runs(&self) -> Result<impl Iterator<Item = Result<Spooled, SpoolError>> + use<>, SpoolError> {
        let spool = self.clone();
        Ok(self.ids()?.into_iter().map(move |run| spool.read(&run)))
    }

    /// The ids of all runs, sorted: by the time of their beginning.
    pub fn ids(&self) -> Result<Vec<RunId>, SpoolError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed("list", source)),
        };
        let mut ids = Vec::new();
        for entry in entries.take(2 * FILES_AT_MOST) {
            let name = entry.map_err(|source| self.failed("list", source))?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            ids.extend(stem.and_then(|stem| RunId::parse(stem).ok()));
        }
        ids.sort();
        Ok(ids)
    }

    /// The events of one run. Errors: its file is not there or cannot be read.
    pub fn read(&self, run: &RunId) -> Result<Spooled, SpoolError> {
        let path = self.path_of(run);
        let failed = |source| SpoolError::Failed { act: "read", path: path.clone(), source };
        let bytes = read_regular(&path).map_err(failed)?;
        let mut spooled =
            Spooled { path, run: run.clone(), events: Vec::new(), n_unreadable: 0, n_bytes: bytes.len() as u64 };
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<RunEvent>(line) {
                Ok(event) if event.run == *run => spooled.events.push(event),
                _ => spooled.n_unreadable += 1,
            }
        }
        Ok(spooled)
    }

    /// Removes a run that was taken in whole elsewhere, unless more was written since it was read.
    ///
    /// Returns whether it is gone.
    pub fn remove(&self, taken: &Spooled) -> Result<bool, SpoolError> {
        let failed = |source| SpoolError::Failed { act: "remove", path: taken.path.clone(), source };
        match fs::metadata(&taken.path) {
            Ok(metadata) if metadata.len() == taken.n_bytes => {
                fs::remove_file(&taken.path).map_err(failed)?;
                self.sync_folder().map(|()| true)
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(failed(source)),
        }
    }

    fn make_room(&self) -> Result<(), SpoolError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| self.failed("make", source))?;
        let n_files = fs::read_dir(&self.folder).map_err(|source| self.failed("list", source))?.count();
        if FILES_AT_MOST <= n_files { Err(SpoolError::Full { path: self.folder.clone() }) } else { Ok(()) }
    }

    fn sync_folder(&self) -> Result<(), SpoolError> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| self.failed("sync", source))
    }

    fn failed(&self, act: &'static str, source: io::Error) -> SpoolError {
        SpoolError::Failed { act, path: self.folder.clone(), source }
    }
}

/// Never follows a link and never waits for a pipe: somebody else may have put one there.
fn open_for_append(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let mut options = OpenOptions::new();
    let options = options.create(true).append(true).read(true).mode(0o600).custom_flags(flags.bits() as i32);
    only_regular(options.open(path)?)
}

fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let file = only_regular(OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?)?;
    let mut bytes = Vec::new();
    // The end of a run may lie behind the bound.
    file.take(FILE_AT_MOST_BYTES + 2 * EVENT_AT_MOST_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn only_regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use alignwatch_model::run::{Finished, Happened, event::Started};

    use super::*;
    use crate::fresh;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&folder.path().join("data"));
        (folder, spool)
    }

    fn event(run: &RunId, what: Happened) -> RunEvent {
        RunEvent::new(fresh::id().to_string(), run.clone(), fresh::now(), what)
    }

    fn beat(run: &RunId) -> RunEvent {
        event(run, Happened::Heartbeat {})
    }

    #[test]
    fn what_is_written_is_read_back_and_only_this_user_may_read_it() {
        let (_folder, spool) = spool();
        assert_eq!(spool.ids().unwrap(), [], "no folder is no run");
        let run = fresh::id();
        let told = [
            event(&run, Happened::Started(Started::default())),
            beat(&run),
            event(&run, Happened::Finished(Finished::default())),
        ];
        told.iter().for_each(|event| spool.append(event).unwrap());
        let read = spool.runs().unwrap().next().unwrap().unwrap();
        assert_eq!((read.events.as_slice(), read.n_unreadable), (&told[..], 0));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&read.path), mode(spool.folder())), (0o600, 0o700));
    }

    #[test]
    fn a_torn_line_costs_itself_alone() {
        let (_folder, spool) = spool();
        let run = fresh::id();
        spool.append(&beat(&run)).unwrap();
        let path = spool.path_of(&run);
        let length = fs::metadata(&path).unwrap().len();
        spool.append(&beat(&run)).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length + 20).unwrap();
        spool.append(&beat(&run)).unwrap();
        let read = spool.read(&run).unwrap();
        assert_eq!((read.events.len(), read.n_unreadable), (2, 1));
    }

    #[test]
    fn what_is_no_file_of_ours_is_neither_followed_nor_waited_for() {
        let (folder, spool) = spool();
        let run = fresh::id();
        fs::create_dir_all(spool.folder()).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, spool.path_of(&run)).unwrap();
        assert!(spool.append(&beat(&run)).is_err());
        assert_eq!(fs::read(&elsewhere).unwrap(), b"");
        let other = fresh::id();
        fs::create_dir(spool.path_of(&other)).unwrap();
        assert!(spool.append(&beat(&other)).is_err());
        assert_eq!(spool.runs().unwrap().filter(Result::is_err).count(), 2);
    }

    #[test]
    fn an_endless_run_is_bounded_and_can_still_end() {
        let (_folder, spool) = spool();
        let run = fresh::id();
        spool.append(&beat(&run)).unwrap();
        let file = OpenOptions::new().append(true).open(spool.path_of(&run)).unwrap();
        file.set_len(FILE_AT_MOST_BYTES + 1).unwrap();
        assert!(matches!(spool.append(&beat(&run)), Err(SpoolError::Full { .. })));
        let end = event(&run, Happened::Finished(Finished::default()));
        spool.append(&end).unwrap();
        assert_eq!(spool.read(&run).unwrap().events.last(), Some(&end));
        let mut large = beat(&run);
        large.attributes.insert("text".into(), "x".repeat(EVENT_AT_MOST_BYTES).into());
        assert!(matches!(spool.append(&large), Err(SpoolError::TooLarge { .. })));
    }

    #[test]
    fn only_what_was_read_is_removed() {
        let (_folder, spool) = spool();
        let run = fresh::id();
        spool.append(&beat(&run)).unwrap();
        let taken = spool.read(&run).unwrap();
        spool.append(&beat(&run)).unwrap();
        assert!(!spool.remove(&taken).unwrap(), "more was written meanwhile");
        assert!(spool.remove(&spool.read(&run).unwrap()).unwrap());
        assert!(spool.remove(&taken).unwrap(), "it is gone already");
        assert_eq!(spool.ids().unwrap(), []);
    }

    #[test]
    fn many_writers_do_not_tear_each_other() {
        let (_folder, spool) = spool();
        let run = fresh::id();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..25).for_each(|_| spool.append(&beat(&run)).unwrap()));
            }
        });
        let read = spool.read(&run).unwrap();
        assert_eq!((read.events.len(), read.n_unreadable), (200, 0));
    }
}
