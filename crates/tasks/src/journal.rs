//! The journal of tasks: what was about to be done, what takes it back, and what came of it.
//!
//! One file in the data directory, one JSON object a line, only ever appended to, and on the disk before the next
//! step begins. A run whose first line has no second was ended half-way. A line that can't be read is counted
//! and blinds nobody else. Several processes write it, each line under a lock. When it gets large, what nobody
//! needs any more goes into a second file ([`Journal::keep_small`]); what takes a run back stays.

mod file;
mod keeping;
mod trend;

use std::collections::{BTreeMap, BTreeSet};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Timestamp,
    facts::tasks::{LastRun, TaskEnd},
    task::{Came, Plan, Report},
};
use serde::{Deserialize, Serialize};

pub use file::{FILE_NAME, Journal, JournalError};
pub use keeping::{LARGE, OLD_FILE_NAME};
pub use trend::{Trend, Week};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is about to act.
    Begun,
    /// It is over. Without a line before it, nothing was begun.
    Ended,
    /// It was only planned, as `mode: report` wants it; its report says what it would have done.
    Planned,
    /// It had been ended half-way, and what it left was put right.
    Healed,
    /// It is about to be taken back.
    UndoBegun,
    /// It was taken back, or not.
    UndoEnded,
}

/// All that a journal says.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// Taking it back began and never ended: it can be taken back again.
    pub is_half_undone: bool,
    /// What takes it back, when there is something.
    pub undo: Option<&'a Undo>,
}

impl Said {
    /// The runs, the oldest first.
    pub fn runs(&self) -> Vec<Told<'_>> {
        let mut told: BTreeMap<u64, Told<'_>> = BTreeMap::new();
        for record in &self.records {
            let run = told.entry(record.id).or_insert(Told {
                record,
                plan: None,
                report: None,
                is_healed: false,
                undone: None,
                is_half_undone: false,
                undo: None,
            });
            run.record = record;
            run.plan = record.plan.as_ref().or(run.plan);
            run.undo = record.undo.as_ref().or(run.undo);
            match record.step {
                Step::UndoBegun => run.is_half_undone = true,
                Step::UndoEnded => {
                    run.is_half_undone = false;
                    run.undone = record.report.as_ref().or(run.undone);
                }
                _ => run.report = record.report.as_ref().or(run.report),
            }
            run.is_healed |= record.step == Step::Healed;
        }
        told.into_values().collect()
    }

    /// The last end of each task in this repository.
    pub fn last_of(&self, repository_id: &str) -> Vec<LastRun> {
        let mut last: BTreeMap<String, LastRun> = BTreeMap::new();
        let ends =
            self.records.iter().filter(|record| record.repository_id == repository_id && record.step == Step::Ended);
        for (record, report) in ends.filter_map(|record| Some((record, record.report.as_ref()?))) {
            // What was held says nothing about what was tried before.
            if report.result == Came::Skipped {
                continue;
            }
            let at = Timestamp(record.at_seconds);
            let is_well = matches!(report.result, Came::Effect | Came::Noop);
            let before = last.get(&record.task).and_then(|run| run.succeeded_at);
            let n_before = last.get(&record.task).map_or(0, |run| run.n_without_effect);
            let run = LastRun {
                task: record.task.clone(),
                id: record.id,
                at,
                result: report.result,
                because: report.because.clone(),
                is_critical: report.is_critical,
                took_seconds: report.took_seconds,
                bytes_won: report.bytes_won(),
                succeeded_at: if is_well { Some(at) } else { before },
                n_without_effect: match report.result {
                    Came::Noop if self.began(record.id).is_some() => n_before.saturating_add(1),
                    // One that failed tells of itself.
                    Came::Failed => n_before,
                    _ => 0,
                },
            };
            last.insert(record.task.clone(), run);
        }
        last.into_values().collect()
    }

    /// All ends in this repository, with those of taking runs back.
    pub fn ends_of(&self, repository_id: &str) -> Vec<TaskEnd> {
        let mut ends = Vec::new();
        for run in self.runs().iter().filter(|run| run.record.repository_id == repository_id) {
            let proofs = run.plan.map(|plan| plan.proofs.clone()).unwrap_or_default();
            let end = |report: &Report, is_undo| TaskEnd {
                id: run.record.id,
                task: run.record.task.clone(),
                is_undo,
                result: report.result,
                took_seconds: report.took_seconds,
                proofs: proofs.clone(),
            };
            // What was only planned did not run.
            ends.extend(run.report.filter(|_| run.record.step != Step::Planned).map(|report| end(report, false)));
            ends.extend(run.undone.map(|report| end(report, true)));
        }
        ends
    }

    /// The last line about this task in this repository.
    pub fn newest_of(&self, task: &str, repository_id: &str) -> Option<&Record> {
        self.records.iter().rfind(|record| record.task == task && record.repository_id == repository_id)
    }

    /// When the run with this number began to act, in seconds since 1970.
    pub fn began(&self, id: u64) -> Option<i64> {
        let begun = self.records.iter().find(|record| record.id == id && record.step == Step::Begun);
        begun.map(|record| record.at_seconds)
    }

    /// First lines of runs on this repository that have no second.
    pub fn interrupted<'a>(&'a self, repository_id: &'a str) -> impl Iterator<Item = &'a Record> {
        let over = self.over();
        let begun = self.records.iter().filter(|record| record.step == Step::Begun);
        begun.filter(move |record| record.repository_id == repository_id && !over.contains(&record.id))
    }

    /// When the last taking back of this run began that has no end, and the quarantine of the run.
    pub fn undo_interrupted(&self, id: u64) -> Option<(Timestamp, &str)> {
        let mut of_it = self.records.iter().filter(|record| record.id == id);
        let quarantine = of_it.clone().find_map(|record| record.quarantine.as_deref())?;
        let last = of_it.rfind(|record| matches!(record.step, Step::UndoBegun | Step::UndoEnded))?;
        (last.step == Step::UndoBegun).then_some((Timestamp(last.at_seconds), quarantine))
    }

    /// Numbers of runs that came to an end, or whose rests were put right. That one is taken back puts nothing right: the
    /// next run still has to heal what was left of it.
    fn over(&self) -> BTreeSet<u64> {
        let is_over = |record: &&Record| matches!(record.step, Step::Ended | Step::Planned | Step::Healed);
        self.records.iter().filter(is_over).map(|record| record.id).collect()
    }
}

impl Told<'_> {
    /// Where it stands, in one word.
    pub fn state(&self) -> &'static str {
        if self.is_half_undone {
            return "half undone";
        }
        if self.undone.is_some_and(|undone| undone.result != Came::Failed) {
            return "undone";
        }
        match (self.report, self.is_healed) {
            (Some(_), _) if self.record.step == Step::Planned => "planned",
            (Some(report), _) => report.result.word(),
            (None, true) => "interrupted, healed",
            (None, false) => "interrupted",
        }
    }

    /// What came of it, in words.
    pub fn because(&self) -> String {
        if self.is_half_undone {
            return format!(
                "taking it back was ended half-way, or goes on: `alignwatch task undo {}` ends it",
                self.record.id
            );
        }
        match (self.undone, self.report, self.is_healed) {
            (Some(undone), Some(report), _) => format!("{}; taken back: {}", report.because, undone.because),
            (Some(undone), None, _) => format!("it was ended half-way; taken back: {}", undone.because),
            (None, Some(report), _) => report.because.clone(),
            (None, None, true) => {
                format!("it was ended half-way, and what it left was put right at {}", self.record.at)
            }
            (None, None, false) => "it goes on, or was ended half-way: the next run puts right what it left".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn record(id: u64, step: Step) -> Record {
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
    fn a_run_that_was_ended_half_way_is_healed_also_after_it_was_taken_back() {
        let mut records = vec![record(1, Step::Begun), record(1, Step::UndoBegun), record(1, Step::UndoEnded)];
        records[2].report = Some(Report::of_nothing(Came::Effect, "all is as it was"));
        let mut said = Said { records, n_unreadable: 0 };
        assert_eq!(said.interrupted("a").count(), 1);
        assert_eq!(said.runs()[0].state(), "undone");
        said.records.push(record(1, Step::Healed));
        assert_eq!(said.interrupted("a").count(), 0);
        assert_eq!(said.runs()[0].state(), "undone");
    }

    #[test]
    fn each_end_is_told_once_and_its_taking_back_beside_it() {
        let mut records = vec![record(1, Step::Begun), record(1, Step::Ended), record(1, Step::UndoEnded)];
        records[2].report = Some(Report::of_nothing(Came::Effect, "all is as it was"));
        records.push(Record { report: Some(Report::of_nothing(Came::Skipped, "")), ..record(2, Step::Planned) });
        let said = Said { records, n_unreadable: 0 };
        let ends: Vec<_> = said.ends_of("a").iter().map(|end| (end.id, end.is_undo, end.result)).collect();
        assert_eq!(ends, [(1, false, Came::Noop), (1, true, Came::Effect)], "what was only planned is no end");
        assert!(said.ends_of("b").is_empty());
    }

    #[test]
    fn a_run_that_was_healed_does_not_go_on() {
        let said = Said { records: vec![record(1, Step::Begun), record(1, Step::Healed)], n_unreadable: 0 };
        let runs = said.runs();
        assert_eq!(runs[0].state(), "interrupted, healed");
        assert_eq!(runs[0].because(), "it was ended half-way, and what it left was put right at 2026-11-28T09:00:00Z");
        let open = Said { records: vec![record(1, Step::Begun)], n_unreadable: 0 };
        assert!(open.runs()[0].because().starts_with("it goes on, or"));
    }
}
