//! An engine that keeps everything in memory, as plainly as it can be said: what the functions of the store mean.

use std::collections::{BTreeMap, BTreeSet};

use alignwatch_model::{
    Timestamp,
    config::Retention,
    kept::KeptBranch,
    record::{Commit, FindingRow, Reading, Record, RecordKind, Sweep, SweepOutcome},
    run::{Happened, Run, RunEvent, RunId},
};
use alignwatch_store::{Engine, PastFinding, Point, RepositoryRow, SeriesRow, StoreError, Tended, WhichRuns};

/// All that was committed.
#[derive(Default)]
pub(crate) struct Memory {
    repositories: BTreeMap<String, (RepositoryRow, Option<String>)>,
    branches: BTreeMap<String, Vec<KeptBranch>>,
    findings: Vec<PastFinding>,
    /// By metric, repository and labels.
    series: BTreeMap<(String, String, String), BTreeMap<i64, f64>>,
    runs: BTreeMap<RunId, Vec<RunEvent>>,
    /// By the word of the kind, and by key.
    records: BTreeMap<(&'static str, String), Record>,
}

impl Memory {
    fn sweep(&mut self, sweep: &Sweep) {
        if matches!(sweep.outcome, SweepOutcome::Seen { .. }) {
            let is_placeholder = |row: &RepositoryRow| row.id == row.path && row.seen_at.is_none();
            self.repositories.retain(|_, (row, _)| row.path != sweep.path || !is_placeholder(row));
        }
        let before = self.repositories.remove(&sweep.repository);
        let mut row = RepositoryRow {
            id: sweep.repository.clone(),
            path: sweep.path.clone(),
            first_seen_at: before.as_ref().map_or(sweep.at, |(row, _)| row.first_seen_at),
            swept_at: sweep.at,
            seconds: sweep.seconds,
            status: sweep.outcome.health().to_owned(),
            reason: None,
            seen_at: before.as_ref().and_then(|(row, _)| row.seen_at),
        };
        let mut kept = before.and_then(|(_, document)| document);
        match &sweep.outcome {
            SweepOutcome::Gone(reason) | SweepOutcome::Failed(reason) => row.reason = Some(reason.clone()),
            SweepOutcome::Seen { document, branches, findings, settled, .. } => {
                (row.seen_at, kept) = (Some(sweep.at), Some(document.clone()));
                self.branches.insert(sweep.repository.clone(), branches.clone());
                findings.iter().for_each(|finding| self.found(sweep, finding));
                self.end_others(sweep, findings, settled);
            }
        }
        self.repositories.insert(sweep.repository.clone(), (row, kept));
    }

    fn found(&mut self, sweep: &Sweep, finding: &FindingRow) {
        let mut open = self.findings.iter_mut().filter(|past| past.ended_at.is_none());
        let known = open.find(|past| past.repository == sweep.repository && past.key == finding.key);
        let began_at = known.as_ref().map_or(sweep.at, |past| past.began_at);
        let check = known.as_ref().map_or(finding.check, |past| &past.check).to_owned();
        let row = PastFinding {
            repository: sweep.repository.clone(),
            key: finding.key.clone(),
            check,
            severity: finding.severity.word().to_owned(),
            summary: finding.summary.clone(),
            document: finding.document.clone(),
            began_at,
            seen_at: sweep.at,
            ended_at: None,
        };
        match known {
            Some(known) => *known = row,
            None => self.findings.push(row),
        }
    }

    fn end_others(&mut self, sweep: &Sweep, findings: &[FindingRow], settled: &[&'static str]) {
        let open = self.findings.iter_mut().filter(|past| past.ended_at.is_none());
        for past in open.filter(|past| past.repository == sweep.repository) {
            let is_here = findings.iter().any(|finding| finding.key == past.key);
            past.ended_at = (settled.contains(&&*past.check) && !is_here).then_some(sweep.at);
        }
    }

    fn read(&mut self, reading: &Reading) {
        if reading.value.is_finite() {
            self.series.entry(name_of(reading)).or_default().insert(reading.at.0, reading.value);
        }
    }

    fn report(&mut self, events: &[RunEvent]) {
        for event in events {
            let known = self.runs.entry(event.run.clone()).or_default();
            let mut run = Run::of(known.drain(..));
            run.apply(event.clone());
            known.extend(run.events().into_iter().cloned());
        }
        // Of its heartbeats only the last one is kept.
        let is_heartbeat = |event: &RunEvent| matches!(event.what, Happened::Heartbeat {});
        for id in events.iter().map(|event| &event.run) {
            let known = self.runs.get_mut(id).unwrap();
            let last = known.iter().rfind(|event| is_heartbeat(event)).map(|event| event.id.clone());
            known.retain(|event| !is_heartbeat(event) || Some(&event.id) == last.as_ref());
        }
    }
}

/// Metric, repository and labels.
fn name_of(reading: &Reading) -> (String, String, String) {
    (reading.metric.to_owned(), reading.repository.clone(), reading.labels.clone())
}

impl Engine for Memory {
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        commit.sweeps.iter().for_each(|sweep| self.sweep(sweep));
        commit.readings.iter().for_each(|reading| self.read(reading));
        let is_new = |reading: &&Reading| !self.series.contains_key(&name_of(reading));
        let past: Vec<Reading> = commit.past.iter().filter(is_new).cloned().collect();
        past.iter().for_each(|reading| self.read(reading));
        self.report(&commit.events);
        for record in &commit.records {
            let key = (record.kind.word(), record.key.clone());
            match record.document {
                Some(_) => drop(self.records.insert(key, record.clone())),
                None => drop(self.records.remove(&key)),
            }
        }
        Ok(())
    }

    /// Numbers stay as they are: rolled up, they answer the same in spans of a day.
    fn tend(&mut self, retention: &Retention, now: Timestamp) -> Result<Tended, StoreError> {
        let heard_at = |events: &[RunEvent]| events.iter().map(|event| event.at.0).max();
        let runs_from = (now.0 - retention.runs.0) * 1000;
        let findings_from = Timestamp(now.0 - retention.findings.0);
        self.runs.retain(|_, events| heard_at(events).is_some_and(|at| runs_from <= at));
        self.records.retain(|_, record| record.is_open || findings_from <= record.at);
        self.findings.retain(|past| past.ended_at.is_none_or(|at| findings_from <= at));
        Ok(Tended::All)
    }

    fn repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        let mut rows: Vec<_> = self.repositories.values().map(|(row, _)| row.clone()).collect();
        rows.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        Ok(rows)
    }

    fn repository(&self, id: &str) -> Result<Option<RepositoryRow>, StoreError> {
        Ok(self.repositories.get(id).map(|(row, _)| row.clone()))
    }

    fn document(&self, id: &str) -> Result<Option<String>, StoreError> {
        Ok(self.repositories.get(id).and_then(|(_, document)| document.clone()))
    }

    fn branches(
        &self,
        repository: &str,
        state: Option<&str>,
        after: &str,
        at_most: usize,
    ) -> Result<Vec<KeptBranch>, StoreError> {
        let mut branches = self.branches.get(repository).cloned().unwrap_or_default();
        branches.retain(|branch| state.is_none_or(|state| branch.state.word() == state) && after < &*branch.name);
        branches.sort_by(|a, b| a.name.cmp(&b.name));
        branches.truncate(at_most);
        Ok(branches)
    }

    fn findings(
        &self,
        repository: Option<&str>,
        also_ended: bool,
        at_most: usize,
    ) -> Result<Vec<PastFinding>, StoreError> {
        let mut rows = self.findings.clone();
        rows.retain(|past| repository.is_none_or(|repository| past.repository == repository));
        rows.retain(|past| also_ended || past.ended_at.is_none());
        rows.sort_by(|a, b| (b.began_at, &a.repository, &a.key).cmp(&(a.began_at, &b.repository, &b.key)));
        rows.truncate(at_most);
        Ok(rows)
    }

    fn series(&self, metric: Option<&str>, repository: Option<&str>) -> Result<Vec<SeriesRow>, StoreError> {
        let row = |(number, (metric, repository, labels)): (usize, &(String, String, String))| SeriesRow {
            id: number as i64,
            repository: repository.clone(),
            metric: metric.clone(),
            labels: labels.clone(),
        };
        let mut rows: Vec<_> = self.series.keys().enumerate().map(row).collect();
        rows.retain(|row| metric.is_none_or(|metric| row.metric == metric));
        rows.retain(|row| repository.is_none_or(|repository| row.repository == repository));
        Ok(rows)
    }

    fn points(&self, series: i64, from: Timestamp, to: Timestamp, step: i64) -> Result<Vec<Point>, StoreError> {
        let Some(numbers) = self.series.values().nth(series as usize) else { return Ok(Vec::new()) };
        let mut spans = BTreeMap::<i64, Vec<f64>>::new();
        for (at, value) in numbers.range(from.0..to.0) {
            spans.entry(from.0 + (at - from.0).div_euclid(step) * step).or_default().push(*value);
        }
        let point = |(at, values): (i64, Vec<f64>)| Point {
            at: Timestamp(at),
            n: values.len() as u64,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sum: values.iter().sum(),
            first: values[0],
            last: values[values.len() - 1],
        };
        Ok(spans.into_iter().map(point).collect())
    }

    fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        Ok(self.runs.get(id).map(|events| Run::of(events.iter().cloned())))
    }

    fn runs(&self, which: WhichRuns<'_>, at_most: usize) -> Result<Vec<String>, StoreError> {
        let mut documents = Vec::new();
        let ids: BTreeSet<&RunId> =
            self.runs.keys().filter(|id| which.before.is_none_or(|before| *id < before)).collect();
        for id in ids.into_iter().rev() {
            let Some(document) = Run::of(self.runs[id].iter().cloned()).document() else { continue };
            let started = document.started.clone().unwrap_or_default();
            let is_here = which.repository.is_none_or(|id| started.repository_id.as_deref().unwrap_or_default() == id);
            if is_here && which.workflow.is_none_or(|workflow| started.workflow == workflow) {
                documents.push(serde_json::to_string(&document)?);
            }
        }
        documents.truncate(at_most);
        Ok(documents)
    }

    fn open_records(&self) -> Result<Vec<Record>, StoreError> {
        Ok(self.records.values().filter(|record| record.is_open).cloned().collect())
    }

    fn records(&self, kind: RecordKind, at_most: usize) -> Result<Vec<Record>, StoreError> {
        let mut records: Vec<_> = self.records.values().filter(|record| record.kind == kind).cloned().collect();
        records.sort_by(|a, b| (b.at, &b.key).cmp(&(a.at, &a.key)));
        records.truncate(at_most);
        Ok(records)
    }
}
