//! The journal's file: each line is added under a lock, and read once by whoever keeps a [`Journal`].
//!
//! Another process may put a smaller file in its place ([`super::keeping`]). A reader notices by the file's number;
//! a writer, too, after it got the lock.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::task::Came;

use super::{Record, Said, Step};

/// The journal's name in the data directory.
pub const FILE_NAME: &str = "tasks.jsonl";

/// Bytes at the end of the journal that are read at most. Source: ours; it is kept far smaller.
pub(super) const AT_MOST_BYTES: u64 = 256 << 20;

/// The journal of one data directory. What was read of it is kept, so that each line is read once.
#[derive(Clone, Debug)]
pub struct Journal {
    pub(super) path: PathBuf,
    known: Arc<Mutex<KnownLines>>,
}

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} the journal of tasks `{}`: {source}", path.display())]
pub struct JournalError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// What was read so far.
#[derive(Debug, Default)]
struct KnownLines {
    /// Device and number of the file.
    file: Option<(u64, u64)>,
    /// Bytes of it up to the end of the last whole line.
    upto: u64,
    said: Arc<Said>,
}

impl Journal {
    /// The journal in this directory. Nothing is made before the first line.
    pub fn of(data_dir: &Path) -> Journal {
        Journal { path: data_dir.join(FILE_NAME), known: Arc::default() }
    }

    /// Appends a line, and returns its number when it is on the disk. A record with number 0 gets the next one.
    pub fn write(&self, record: &Record) -> Result<u64, JournalError> {
        self.append(record, |_| None).map_err(|source| self.failed("write", source))
    }

    /// Appends that a task was held, unless the last line about it says the same but for numbers in it.
    ///
    /// A task that is held is asked each minute. Returns the number of the run that says so.
    pub fn write_hold(&self, record: &Record) -> Result<u64, JournalError> {
        let told = |said: &Said| {
            let last = said.newest_of(&record.task, &record.repository_id)?;
            is_same_hold(last, record).then_some(last.id)
        };
        self.append(record, told).map_err(|source| self.failed("write", source))
    }

    fn append(&self, record: &Record, told: impl Fn(&Said) -> Option<u64>) -> io::Result<u64> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new().recursive(true).create(folder)?;
        let mut file = self.locked()?;
        let (said, is_torn) = self.lines(&mut file)?;
        if let Some(id) = told(&said) {
            return Ok(id);
        }
        let newest = said.records.iter().map(|record| record.id).max().unwrap_or(0);
        let id = if record.id == 0 { newest + 1 } else { record.id };
        let mut line = Vec::new();
        if is_torn {
            // A line that was torn must not swallow this one.
            line.push(b'\n');
        }
        line.extend(serde_json::to_vec(&Record { id, ..record.clone() })?);
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(id)
    }

    /// The file that is at the journal's place, under its lock.
    pub(super) fn locked(&self) -> io::Result<File> {
        /// Times that another file may come to its place meanwhile. Source: ours; that happens once a day.
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&self.path)?;
            file.lock()?;
            let (ours, there) = (file.metadata()?, fs::metadata(&self.path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(file);
            }
        }
        Err(io::Error::other("another file comes to its place again and again"))
    }

    /// Reads it. One that is not there says nothing.
    pub fn read(&self) -> Result<Arc<Said>, JournalError> {
        let read = File::open(&self.path).and_then(|mut file| self.lines(&mut file));
        match read {
            Ok((said, false)) => Ok(said),
            Ok((mut said, true)) => {
                Arc::make_mut(&mut said).n_unreadable += 1;
                Ok(said)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arc::default()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    /// All whole lines, and whether there is half a line behind them. Only what is new is read.
    pub(super) fn lines(&self, file: &mut File) -> io::Result<(Arc<Said>, bool)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let about = file.metadata()?;
        let number = Some((about.dev(), about.ino()));
        if known.file != number || about.len() < known.upto {
            *known = KnownLines { file: number, ..KnownLines::default() };
        }
        let mut skips_line = false;
        if known.upto == 0 && AT_MOST_BYTES < about.len() {
            (known.upto, skips_line) = (about.len() - AT_MOST_BYTES, true);
        }
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(known.upto))?;
        file.take(AT_MOST_BYTES).read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let begin = if skips_line { text.iter().position(|&byte| byte == b'\n').map_or(whole, |at| at + 1) } else { 0 };
        if begin < whole {
            Arc::make_mut(&mut known.said).take_in(&text[begin..whole]);
        }
        known.upto += whole as u64;
        Ok((Arc::clone(&known.said), whole < text.len()))
    }

    pub(super) fn failed(&self, act: &'static str, source: io::Error) -> JournalError {
        JournalError { act, path: self.path.clone(), source }
    }
}

impl Said {
    fn take_in(&mut self, text: &[u8]) {
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(record) => self.records.push(record),
                Err(_) => self.n_unreadable += 1,
            }
        }
    }
}

/// Do both say that nothing was begun, for the same reason but for numbers in it?
///
/// A refusal is none: it stands until its next turn, which the journal has to know of.
fn is_same_hold(last: &Record, now: &Record) -> bool {
    let hold = |record: &Record| {
        let report = record.report.as_ref().filter(|report| report.result == Came::Skipped)?;
        (record.step == Step::Ended).then(|| without_numbers(&report.because))
    };
    hold(last).is_some() && hold(last) == hold(now)
}

/// The text with each number and its unit of time as one sign: `since 59 s` and `since 2 min` are the same.
fn without_numbers(text: &str) -> String {
    const UNITS: [&str; 6] = ["s", "min", "h", "d", "w", "y"];
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let words = text.split(' ').map(|word| word.trim_end_matches([',', ';', ':', ')']));
    let signs = words.map(|word| if is_number(word) || UNITS.contains(&word) { "#" } else { word });
    let mut kept: Vec<&str> = signs.collect();
    kept.dedup_by(|a, b| *a == "#" && *b == "#");
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Told, tests::record};
    use alignwatch_model::task::{Hold, Report};

    #[test]
    fn what_was_written_is_read_and_numbers_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(&dir.path().join("data"));
        assert!(journal.read().unwrap().records.is_empty());
        assert_eq!(journal.write(&record(0, Step::Begun)).unwrap(), 1);
        assert_eq!(journal.write(&record(1, Step::Ended)).unwrap(), 1);
        assert_eq!(Journal::of(&dir.path().join("data")).write(&record(0, Step::Begun)).unwrap(), 2);
        let said = journal.read().unwrap();
        assert_eq!(said.runs().iter().map(Told::state).collect::<Vec<_>>(), ["noop", "interrupted"]);
        assert_eq!(said.interrupted("a").map(|record| record.id).collect::<Vec<_>>(), [2]);
        assert_eq!(said.interrupted("b").count(), 0);
        journal.write(&record(2, Step::Healed)).unwrap();
        assert_eq!(journal.read().unwrap().interrupted("a").count(), 0);
    }

    #[test]
    fn a_torn_line_swallows_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), b"{\"id\": 7, \"at\"").unwrap();
        let journal = Journal::of(dir.path());
        assert_eq!(journal.read().unwrap().n_unreadable, 1);
        journal.write(&record(8, Step::Begun)).unwrap();
        for journal in [journal, Journal::of(dir.path())] {
            let said = journal.read().unwrap();
            assert_eq!((said.records.len(), said.n_unreadable), (1, 1));
        }
    }

    fn held(because: &str) -> Record {
        let report = Report::held(Hold { reason: because.into(), until: None });
        Record { report: Some(report), ..record(0, Step::Ended) }
    }

    #[test]
    fn a_hold_is_written_when_its_reason_changes_and_not_each_time_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(dir.path());
        let ids: Vec<u64> = [
            "the load of the machine is 250 %, and 100 % is the limit",
            "the load of the machine is 120 %, and 100 % is the limit",
            "a run of `nightly` is under way since 59 s",
            "a run of `nightly` is under way since 2 min",
            "a run of `weekly` is under way since 2 min",
        ]
        .map(|because| journal.write_hold(&held(because)).unwrap())
        .to_vec();
        assert_eq!(ids, [1, 1, 2, 2, 3]);
        assert_eq!(
            journal
                .write_hold(&Record { task: "backup".into(), ..held("a run of `weekly` is under way since 2 min") })
                .unwrap(),
            4
        );
        journal.write(&record(0, Step::Ended)).unwrap();
        assert_eq!(
            journal.write_hold(&held("a run of `weekly` is under way since 9 min")).unwrap(),
            6,
            "it ran meanwhile"
        );
        assert_eq!(journal.read().unwrap().records.len(), 6);
    }
}
