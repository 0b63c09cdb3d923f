//! The journal of tasks: what was about to be done, what takes it back, and what came of it.
//!
//! One file in the data directory, one JSON object a line, only ever appended to, and on the disk before the next
//! step begins. A run whose first line has no second was ended half-way. A line that can't be read is counted
//! and blinds nobody else. Several processes write it, each line under a lock.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alignwatch_git::tend::Undo;
use alignwatch_model::task::{Came, Plan, Report};
use serde::{Deserialize, Serialize};

/// The journal's name in the data directory.
pub const FILE_NAME: &str = "tasks.jsonl";

/// Bytes of the journal that are read. Source: ours; some years of a hundred repositories.
const AT_MOST_BYTES: u64 = 256 << 20;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the run, from 1.
    pub id: u64,
    /// When, in RFC 3339.
    pub at: String,
    /// When, in seconds since 1970.
    pub at_seconds: i64,
    /// Where the run stands.
    pub step: Step,
    /// The task.
    pub task: String,
    /// The repository's path.
    pub repository: String,
    /// Its id.
    pub repository_id: String,
    /// The name of its quarantine, and of the net; in the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// What it was about to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is about to act.
    Begun,
    /// It is over. Without a line before it, nothing was begun.
    Ended,
    /// It had been ended half-way, and what it left was put right.
    Healed,
    /// It is about to be taken back.
    UndoBegun,
    /// It was taken back, or not.
    UndoEnded,
}

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} the journal of tasks `{}`: {source}", path.display())]
pub struct JournalError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// All that a journal says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its lines, the oldest first.
    pub records: Vec<Record>,
    /// Lines that could not be read.
    pub n_unreadable: usize,
}

/// A run as the journal tells it.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Its last line that says what it is.
    pub record: &'a Record,
    /// What it was about to do.
    pub plan: Option<&'a Plan>,
    /// What came of it; `None` = it goes on, or was ended half-way.
    pub report: Option<&'a Report>,
    /// It was ended half-way, and put right since.
    pub is_healed: bool,
    /// What came of taking it back, when that was tried.
    pub undone: Option<&'a Report>,
    /// What takes it back, when there is something.
    pub undo: Option<&'a Undo>,
}

/// The journal of one data directory.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal in this directory. Nothing is made before the first line.
    pub fn of(data_dir: &Path) -> Journal {
        Journal { path: data_dir.join(FILE_NAME) }
    }

    /// Appends a line, and returns its number when it is on the disk. A record with number 0 gets the next one.
    pub fn write(&self, record: &Record) -> Result<u64, JournalError> {
        self.append(record).map_err(|source| self.failed("write", source))
    }

    fn append(&self, record: &Record) -> io::Result<u64> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new().recursive(true).create(folder)?;
        let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&self.path)?;
        file.lock()?;
        let text = all_of(&mut file)?;
        let newest = parse(&text).records.iter().map(|record| record.id).max().unwrap_or(0);
        let id = if record.id == 0 { newest + 1 } else { record.id };
        let mut line = Vec::new();
        if text.last().is_some_and(|&byte| byte != b'\n') {
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

    /// Reads it. One that is not there says nothing.
    pub fn read(&self) -> Result<Said, JournalError> {
        match File::open(&self.path).and_then(|mut file| all_of(&mut file)) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Said::default()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn failed(&self, act: &'static str, source: io::Error) -> JournalError {
        JournalError { act, path: self.path.clone(), source }
    }
}

fn all_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(AT_MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
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

impl Said {
    /// The runs, the oldest first.
    pub fn runs(&self) -> Vec<Told<'_>> {
        let mut told: std::collections::BTreeMap<u64, Told<'_>> = std::collections::BTreeMap::new();
        for record in &self.records {
            let run = told.entry(record.id).or_insert(Told {
                record,
                plan: None,
                report: None,
                is_healed: false,
                undone: None,
                undo: None,
            });
            run.record = record;
            run.plan = record.plan.as_ref().or(run.plan);
            run.undo = record.undo.as_ref().or(run.undo);
            match record.step {
                Step::UndoBegun => {}
                Step::UndoEnded => run.undone = record.report.as_ref().or(run.undone),
                _ => run.report = record.report.as_ref().or(run.report),
            }
            run.is_healed |= record.step == Step::Healed;
        }
        told.into_values().collect()
    }

    /// First lines of runs on this repository that have no second.
    pub fn interrupted<'a>(&'a self, repository_id: &'a str) -> impl Iterator<Item = &'a Record> {
        let is_over = |id: u64| self.records.iter().any(|record| record.id == id && record.step != Step::Begun);
        let begun = self.records.iter().filter(|record| record.step == Step::Begun);
        begun.filter(move |record| record.repository_id == repository_id && !is_over(record.id))
    }
}

impl Told<'_> {
    /// Where it stands, in one word.
    pub fn state(&self) -> &'static str {
        if self.undone.is_some_and(|undone| undone.result != Came::Failed) {
            return "undone";
        }
        match (self.report, self.is_healed) {
            (Some(report), _) => report.result.word(),
            (None, true) => "interrupted, healed",
            (None, false) => "interrupted",
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
            at_seconds: 1,
            step,
            task: "pack-refs".into(),
            repository: "/srv/a.git".into(),
            repository_id: "a".into(),
            quarantine: None,
            plan: None,
            undo: None,
            report: (step == Step::Ended).then(|| Report::of_nothing(Came::Noop, "few")),
        }
    }

    #[test]
    fn what_was_written_is_read_and_numbers_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(&dir.path().join("data"));
        assert!(journal.read().unwrap().records.is_empty());
        assert_eq!(journal.write(&record(0, Step::Begun)).unwrap(), 1);
        assert_eq!(journal.write(&record(1, Step::Ended)).unwrap(), 1);
        assert_eq!(journal.write(&record(0, Step::Begun)).unwrap(), 2);
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
        journal.write(&record(8, Step::Begun)).unwrap();
        let said = journal.read().unwrap();
        assert_eq!((said.records.len(), said.n_unreadable), (1, 1));
    }
}
