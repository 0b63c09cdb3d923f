//! Keeps the journal small: what nobody needs any more goes into a second file, which the next time is replaced.
//!
//! What stays: runs that have no end, all that takes a run back or names its quarantine as long as that may be used,
//! the last line of each kind about each task, the newest runs, and what can't be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use alignwatch_model::{Span, Timestamp};

use super::{Journal, JournalError, Record, Said, Step, file::AT_MOST_BYTES};

/// Where what was taken out of the journal lies until more is taken out.
pub const OLD_FILE_NAME: &str = "tasks.old.jsonl";

/// Bytes from which on the journal is made smaller. Source: ours; about 5,000 runs with their plans.
pub const LARGE: u64 = 8 << 20;

/// Bytes from which on it is made smaller more often than daily.
const HUGE: u64 = 128 << 20;

/// How often it is made smaller at most.
const EVERY: Span = Span::days(1);

/// The newest runs stay, so many. Source: ours; a month of twenty tasks that are asked three times a day.
const RUNS: usize = 2_000;

/// How much longer what takes a run back stays than it may be used, so that its quarantine is removed first.
const MARGIN: Span = Span::days(30);

impl Journal {
    /// Makes it smaller when it is large, at most daily. What takes a run back stays for `undo_for`, and a little longer.
    ///
    /// Returns whether it did. A crash at any point leaves the one file or the other, each whole.
    pub fn keep_small(&self, undo_for: Span, now: Timestamp) -> Result<bool, JournalError> {
        match fs::metadata(&self.path) {
            Ok(about) if LARGE < about.len() && (HUGE < about.len() || !self.was_lately(now)) => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed("look at", error)),
        }
        self.make_small(undo_for, now).map(|()| true).map_err(|error| self.failed("shorten", error))
    }

    /// Bytes of the journal; 0 where there is none.
    pub fn size_bytes(&self) -> Result<u64, JournalError> {
        match fs::metadata(&self.path) {
            Ok(about) => Ok(about.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.failed("look at", error)),
        }
    }

    fn was_lately(&self, now: Timestamp) -> bool {
        let about = fs::metadata(self.path.with_file_name(OLD_FILE_NAME));
        about.is_ok_and(|about| now.since(Timestamp(about.ctime())) < EVERY)
    }

    pub(super) fn make_small(&self, undo_for: Span, now: Timestamp) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let mut file = self.locked()?;
        // What is too large to be read as a whole is not shortened by what is known of its end.
        if AT_MOST_BYTES < file.metadata()?.len() {
            return Err(io::Error::other(format!("it is larger than {AT_MOST_BYTES} bytes: move it aside")));
        }
        let (said, _) = self.lines(&mut file)?;
        let stay = Stay::of(&said, undo_for, now);
        let mut text = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut text)?;
        let draft = self.path.with_extension("draft");
        let _ = fs::remove_file(&draft);
        let mut small = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
        small.write_all(&stay.lines(&text))?;
        small.sync_all()?;
        let old = self.path.with_file_name(OLD_FILE_NAME);
        let _ = fs::remove_file(&old);
        fs::hard_link(&self.path, &old).or_else(|_| fs::copy(&self.path, &old).map(drop))?;
        fs::rename(&draft, &self.path)?;
        File::open(folder)?.sync_all()
    }
}

/// What stays.
struct Stay {
    runs: BTreeSet<u64>,
    /// Positions of single lines.
    records: BTreeSet<usize>,
}

impl Stay {
    fn of(said: &Said, undo_for: Span, now: Timestamp) -> Stay {
        let over = said.over();
        let least = Span(undo_for.0.saturating_add(MARGIN.0));
        let is_of_use = |record: &Record| {
            record.step == Step::Begun
                && (!over.contains(&record.id)
                    || (record.quarantine.is_some() || record.undo.is_some())
                        && now.since(Timestamp(record.at_seconds)) < least)
        };
        let mut runs: BTreeSet<u64> =
            said.records.iter().filter(|record| is_of_use(record)).map(|record| record.id).collect();
        let ids: BTreeSet<u64> = said.records.iter().map(|record| record.id).collect();
        runs.extend(ids.iter().rev().take(RUNS));
        let mut last = BTreeMap::new();
        for (at, record) in said.records.iter().enumerate() {
            let result = record.report.as_ref().map(|report| report.result);
            last.insert((&record.repository_id, &record.task, record.step, result), at);
        }
        Stay { runs, records: last.into_values().collect() }
    }

    /// The lines that stay, as they are.
    fn lines(&self, text: &[u8]) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut at = 0;
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let stays = match serde_json::from_slice::<Record>(line) {
                Ok(record) => {
                    at += 1;
                    self.runs.contains(&record.id) || self.records.contains(&(at - 1))
                }
                Err(_) => true,
            };
            if stays {
                kept.extend(line);
                kept.push(b'\n');
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::record;
    use alignwatch_git::tend::{RefUndo, Undo};
    use alignwatch_model::task::{Came, Report};

    const DAY: i64 = 86_400;

    /// Runs of a year, three a day; each thirtieth moved a ref.
    fn year(journal: &Journal) {
        let mut text = Vec::new();
        let mut line = |record: &Record| {
            text.extend(serde_json::to_vec(record).unwrap());
            text.push(b'\n');
        };
        for id in 1..=3_000_u64 {
            let at_seconds = (id as i64) * DAY / 3;
            let refs = vec![RefUndo { name: format!("refs/heads/{id}"), before: Some("a".repeat(40)), after: None }];
            let undo = (id % 30 == 0).then(|| Undo { refs, ..Undo::default() });
            let quarantine = undo.as_ref().map(|_| format!("task-{id}"));
            line(&Record { undo, quarantine, at_seconds, ..record(id, Step::Begun) });
            if id != 7 {
                let report = Some(Report::of_nothing(Came::Effect, "x".repeat(3_000)));
                line(&Record { report, at_seconds, ..record(id, Step::Ended) });
            }
        }
        line(&Record { task: "rare".into(), ..record(5, Step::Ended) });
        text.extend(b"half a li\n");
        fs::write(&journal.path, text).unwrap();
    }

    #[test]
    fn a_large_journal_gets_small_and_loses_nothing_that_takes_a_run_back() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(dir.path());
        assert!(!journal.keep_small(Span::days(180), Timestamp(0)).unwrap(), "there is none");
        year(&journal);
        let before = journal.read().unwrap();
        let size = fs::metadata(&journal.path).unwrap().len();
        let now = Timestamp(1_000 * DAY);
        assert!(journal.keep_small(Span::days(500), now).unwrap());
        assert!(fs::metadata(&journal.path).unwrap().len() < size * 3 / 4);
        let after = journal.read().unwrap();
        assert_eq!(*after, *Journal::of(dir.path()).read().unwrap(), "what is remembered is what is there");
        let undoable = |said: &Said| -> Vec<u64> {
            said.runs().iter().filter(|run| run.undo.is_some()).map(|run| run.record.id).collect()
        };
        let kept = undoable(&after);
        assert!(undoable(&before).iter().filter(|id| 1_410 < **id).all(|id| kept.contains(id)), "{kept:?}");
        assert!(!kept.contains(&30), "a run that could be taken back no more for long");
        assert!(after.interrupted("a").any(|record| record.id == 7), "a run without an end");
        assert!(after.newest_of("rare", "a").is_some() && after.n_unreadable == 1);
        assert_eq!(journal.write(&record(0, Step::Begun)).unwrap(), 3_001, "numbers go on");
        let old = fs::metadata(dir.path().join(OLD_FILE_NAME)).unwrap();
        assert_eq!(old.len(), size, "all of it lies there once more");
    }

    #[test]
    fn who_waits_for_the_lock_meanwhile_writes_into_the_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::of(dir.path());
        journal.write(&record(0, Step::Begun)).unwrap();
        let held = journal.locked().unwrap();
        let (says, hears) = std::sync::mpsc::channel();
        let other = std::thread::spawn({
            let other = Journal::of(dir.path());
            move || {
                says.send(()).unwrap();
                other.write(&record(0, Step::Begun)).unwrap()
            }
        });
        hears.recv().unwrap();
        // It waits by now, most likely; when it does not yet, there is nothing to go wrong.
        std::thread::sleep(std::time::Duration::from_millis(100));
        let draft = dir.path().join("draft");
        fs::copy(&journal.path, &draft).unwrap();
        fs::rename(&draft, &journal.path).unwrap();
        drop(held);
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(journal.read().unwrap().records.len(), 2);
    }
}
