//! The journal of repairs: what was about to be done, with all that takes it back, and what came of it.
//!
//! One file in the data directory, one JSON object a line, only ever appended to, and on the
//! disk before the next step begins. A repair whose first line has no second was ended
//! half-way; it can be taken back like any other. A line that cannot be read is counted and
//! blinds nobody else.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alignwatch_git::mend;
use serde::{Deserialize, Serialize};

/// The journal's name in the data directory.
pub const FILE_NAME: &str = "repairs.jsonl";

/// Bytes of the journal that are read. Source: ours; fifty thousand repairs.
const AT_MOST_BYTES: u64 = 64 << 20;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the repair, from 1.
    pub id: u64,
    /// When, in RFC 3339.
    pub at: String,
    /// Where the repair stands.
    pub step: Step,
    /// What is done, as a sentence part.
    pub what: String,
    /// The repository, where it is about one.
    pub repository: Option<String>,
    /// What takes it back; stands in the first line of a repair.
    pub act: Option<Act>,
    /// What came of it; stands in the line of an end.
    pub outcome: Option<Ended>,
    /// The outcome in words.
    pub words: Option<String>,
}

/// Where a repair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is about to be done.
    Begun,
    /// It is over.
    Ended,
    /// It is about to be taken back.
    UndoBegun,
    /// It was taken back, or not.
    UndoEnded,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It was done, and measured.
    Effect,
    /// There was nothing to do.
    Noop,
    /// It did not work.
    Failed,
}

/// What was done, with all that takes it back. The list is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Act {
    /// A repair of a repository.
    Repository {
        /// How to take it back.
        undo: mend::Undo,
    },
    /// The data directory was made.
    MakeDataDir {
        /// Where.
        path: PathBuf,
    },
    /// Others were shut out of the data directory.
    CloseDataDir {
        /// Where it is.
        path: PathBuf,
        /// Its mode before.
        mode: u32,
    },
}

/// A journal that is open for writing; nobody else writes meanwhile.
pub struct Journal {
    file: File,
    next_id: u64,
}

/// Why the journal cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else repairs.
    #[error("another `alignwatch doctor` is at work: it holds `{}`", path.display())]
    Busy {
        /// The journal.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot write the journal `{}`", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// All that a journal says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its lines, the oldest first.
    pub records: Vec<Record>,
    /// Lines that could not be read.
    pub n_unreadable: usize,
}

impl Journal {
    /// Opens the journal in this directory, which is there; makes it when it is not.
    pub fn open(data_dir: &Path) -> Result<Journal, JournalError> {
        let path = data_dir.join(FILE_NAME);
        let failed = |source| JournalError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).read(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut text = Vec::new();
        (&mut file).take(AT_MOST_BYTES).read_to_end(&mut text).map_err(failed)?;
        if text.last().is_some_and(|&byte| byte != b'\n') {
            // A line that was torn must not swallow the next.
            file.write_all(b"\n").map_err(failed)?;
        }
        File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        let newest = parse(&text).records.iter().map(|record| record.id).max().unwrap_or(0);
        Ok(Journal { file, next_id: newest + 1 })
    }

    /// The number of the next repair.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Appends a line, and returns when it is on the disk.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_all()?;
        self.next_id = self.next_id.max(record.id + 1);
        Ok(())
    }
}

/// Reads the journal in this directory. One that is not there says nothing.
pub fn read(data_dir: &Path) -> io::Result<Said> {
    let mut text = Vec::new();
    match fs::File::open(data_dir.join(FILE_NAME)) {
        Ok(file) => file.take(AT_MOST_BYTES).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Said::default()),
        Err(error) => return Err(error),
    };
    Ok(parse(&text))
}

fn parse(text: &[u8]) -> Said {
    let mut said = Said::default();
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(record) => said.records.push(record),
            Err(_) => said.n_unreadable += 1,
        }
    }
    said
}

/// A repair as the journal tells it.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Its first line.
    pub begun: &'a Record,
    /// Its end; `None` = it was ended half-way.
    pub ended: Option<&'a Record>,
    /// The last attempt to take it back.
    pub undone: Option<&'a Record>,
}

impl Said {
    /// The repairs, the oldest first.
    pub fn repairs(&self) -> Vec<Told<'_>> {
        let begun = self.records.iter().filter(|record| record.step == Step::Begun);
        let last = |id: u64, step: Step| self.records.iter().rfind(|record| record.id == id && record.step == step);
        begun
            .map(|begun| Told { begun, ended: last(begun.id, Step::Ended), undone: last(begun.id, Step::UndoEnded) })
            .collect()
    }
}

impl Told<'_> {
    /// Where it stands, in one word.
    pub fn state(&self) -> &'static str {
        let came_of = |record: &Record| record.outcome;
        match (self.undone.and_then(came_of), self.ended.and_then(came_of)) {
            (Some(Ended::Effect | Ended::Noop), _) => "undone",
            (_, None) => "interrupted",
            (_, Some(Ended::Effect)) => "effect",
            (_, Some(Ended::Noop)) => "noop",
            (_, Some(Ended::Failed)) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: u64, step: Step) -> Record {
        Record {
            id,
            at: "2026-11-28T09:00:00Z".into(),
            step,
            what: "make the data directory".into(),
            repository: None,
            act: Some(Act::CloseDataDir { path: "/home/me/x".into(), mode: 0o755 }),
            outcome: (step == Step::Ended).then_some(Ended::Effect),
            words: None,
        }
    }

    #[test]
    fn what_was_written_is_read_and_numbers_go_on() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().records.is_empty());
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.write(&record(1, Step::Begun)).unwrap();
        assert!(matches!(Journal::open(dir.path()), Err(JournalError::Busy { .. })), "two must not write at once");
        drop(journal);
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.next_id(), 2);
        journal.write(&record(1, Step::Ended)).unwrap();
        journal.write(&record(2, Step::Begun)).unwrap();
        let said = read(dir.path()).unwrap();
        assert_eq!(said.repairs().iter().map(Told::state).collect::<Vec<_>>(), ["effect", "interrupted"]);
    }

    #[test]
    fn a_torn_line_swallows_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), b"{\"id\": 7, \"at\"").unwrap();
        Journal::open(dir.path()).unwrap().write(&record(8, Step::Begun)).unwrap();
        let said = read(dir.path()).unwrap();
        assert_eq!((said.records.len(), said.n_unreadable), (1, 1));
    }
}
