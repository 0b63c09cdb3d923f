//! All that a report is made from, in one go.

use alignwatch_model::{
    Known, Severity, Span, Timestamp,
    alert::{Alert, outbox::Outgoing},
    metrics,
    record::{RECONSTRUCTED, RecordKind},
    report::{Held, HeldCourse, HeldFinding, HeldNote, HeldRepository, Times, kpi},
    run::{Document, RunId},
    trend::Series,
};
use rusqlite::params;
use serde_json::{Map, Value};

use crate::{RepositoryRow, SeriesRow, Store, StoreError, WhichRuns};

/// Findings of one repository, alerts, messages and runs that are read, each. Source: ours; a year of a busy fleet, and some
/// megabytes. What there is more of is named in the report.
const AT_MOST: usize = 10_000;

/// Runs that are read in one go.
const RUNS_A_STEP: usize = 500;

/// How far back a forecast looks, and in how many points.
const YEAR: Span = Span::days(365);
const POINTS: i64 = 200;

impl Store {
    /// All that the report on these times is made from, of the repositories that `is_about` takes, by their paths. What
    /// maintenance did stands elsewhere: it is left unknown.
    pub fn held(&self, times: &Times, is_about: &dyn Fn(&str) -> bool) -> Result<Held, StoreError> {
        let mut left_out = Vec::new();
        let mut repositories = Vec::new();
        for row in self.repositories()?.into_iter().filter(|row| is_about(&row.path)) {
            repositories.push(self.held_repository(row, times, &mut left_out)?);
        }
        let is_of_them = |run: &Document| {
            let id = run.started.as_ref().and_then(|started| started.repository_id.as_deref());
            id.is_none_or(|id| repositories.iter().any(|repository| repository.id == id))
        };
        let runs = self.held_runs(times, &mut left_out)?.into_iter().filter(is_of_them).collect();
        let is_of_path = |alert: &Alert| alert.repository.is_empty() || is_about(&alert.repository);
        let alerts: Vec<Alert> = self.held_records(RecordKind::Alert, &mut left_out)?;
        Ok(Held {
            runs,
            alerts: alerts.into_iter().filter(is_of_path).collect(),
            messages: self.held_records::<Outgoing>(RecordKind::Outgoing, &mut left_out)?,
            notes: self.held_notes(&mut left_out)?,
            tasks: Known::default(),
            machine: self.held_courses("", times, &|metric| metric.starts_with("alignwatch_host_"))?,
            repositories,
            left_out,
        })
    }

    fn held_repository(
        &self,
        row: RepositoryRow,
        times: &Times,
        left_out: &mut Vec<String>,
    ) -> Result<HeldRepository, StoreError> {
        let findings = self.held_findings(&row.id, times.before)?;
        if AT_MOST <= findings.len() {
            left_out.push(format!("findings of {} beyond the newest {AT_MOST}", row.path));
        }
        let mut courses = self.held_courses(&row.id, times, &|name| {
            name == kpi::SWEPT || kpi::ALL.iter().any(|kpi| kpi.metric == name)
        })?;
        let is_sweep = |course: &HeldCourse| course.metric.name == kpi::SWEPT;
        let sweeps = courses.iter().filter(|course| is_sweep(course)).flat_map(|course| &course.measured);
        let sweeps = sweeps.map(|(at, _)| *at).collect();
        courses.retain(|course| !is_sweep(course));
        let place = |course: &HeldCourse| kpi::ALL.iter().position(|kpi| kpi.metric == course.metric.name);
        courses.sort_by_key(place);
        Ok(HeldRepository {
            id: row.id,
            path: row.path,
            status: row.status,
            reason: row.reason,
            first_seen_at: row.first_seen_at,
            swept_at: row.swept_at,
            findings,
            sweeps,
            courses,
        })
    }

    /// What is open, and what ended since a time; the newest first.
    fn held_findings(&self, repository: &str, since: Timestamp) -> Result<Vec<HeldFinding>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT check_id, severity, summary, document, began_at, ended_at FROM finding
             WHERE repository = ?1 AND (ended_at IS NULL OR ?2 <= ended_at)
             ORDER BY ended_at IS NOT NULL, began_at DESC LIMIT ?3",
        )?;
        let rows = rows.query_map(params![repository, since.0, AT_MOST as i64], |row| {
            let document: String = row.get(3)?;
            let document: Value = serde_json::from_str(&document).unwrap_or_default();
            let severity: String = row.get(1)?;
            let texts = document["remedy"]["commands"].as_array().into_iter().flatten();
            Ok(HeldFinding {
                check: row.get(0)?,
                severity: serde_json::from_value(severity.into()).unwrap_or(Severity::Error),
                summary: row.get(2)?,
                impact: document["impact"].as_str().unwrap_or_default().to_owned(),
                commands: texts.filter_map(|command| command.as_str().map(str::to_owned)).collect(),
                began_at: Timestamp(row.get(4)?),
                ended_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn held_courses(
        &self,
        repository: &str,
        times: &Times,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<HeldCourse>, StoreError> {
        let mut courses: Vec<HeldCourse> = Vec::new();
        for row in self.series(None, Some(repository))?.into_iter().filter(|row| is_wanted(&row.metric)) {
            let Some(metric) = metrics::by_name(&row.metric) else { continue };
            let (label, is_rebuilt) = label(&row);
            let is_reported = |kpi: &kpi::Kpi| kpi.metric != metric.name || kpi.is_of(&label);
            if !kpi::ALL.iter().all(is_reported) {
                continue;
            }
            let same = courses.iter().position(|other| other.metric.name == metric.name && other.label == label);
            let place = same.unwrap_or_else(|| {
                let (measured, rebuilt, year) = (Vec::new(), Vec::new(), Series::default());
                courses.push(HeldCourse { metric, label: label.clone(), measured, rebuilt, year });
                courses.len() - 1
            });
            let points = self.points(row.id, times.before, times.until, times.step.0)?;
            let points = points.into_iter().map(|point| (point.at, point.sum / point.n as f64)).collect();
            match is_rebuilt {
                true => courses[place].rebuilt = points,
                false => courses[place].measured = points,
            }
            if metric.limit.is_some() {
                let year = self.year(row.id, times.until)?.into_iter();
                // What was measured counts more than what was rebuilt of the same time.
                let known = courses[place].year.points().iter().copied();
                courses[place].year = match is_rebuilt {
                    true => Series::new(year.chain(known)),
                    false => Series::new(known.collect::<Vec<_>>().into_iter().chain(year)),
                };
            }
        }
        Ok(courses)
    }

    fn year(&self, series: i64, until: Timestamp) -> Result<Vec<(Timestamp, f64)>, StoreError> {
        let from = Timestamp(until.0.saturating_sub(YEAR.0));
        let points = self.points(series, from, until, YEAR.0 / POINTS)?;
        Ok(points.into_iter().map(|point| (point.at, point.sum / point.n as f64)).collect())
    }

    /// Runs that began in the period or the one before.
    fn held_runs(&self, times: &Times, left_out: &mut Vec<String>) -> Result<Vec<Document>, StoreError> {
        let mut runs: Vec<Document> = Vec::new();
        let mut before: Option<RunId> = None;
        loop {
            let which = WhichRuns { before: before.as_ref(), ..WhichRuns::default() };
            let texts = self.runs(which, RUNS_A_STEP)?;
            let is_last = texts.len() < RUNS_A_STEP;
            let documents = texts.iter().filter_map(|text| serde_json::from_str::<Document>(text).ok());
            runs.extend(documents);
            let Some(last) = runs.last() else { break };
            let is_older = last.began_at.is_some_and(|at| at.0 < times.before.0.saturating_mul(1_000));
            if is_last || is_older || before.as_ref() == Some(&last.run) {
                break;
            }
            if AT_MOST <= runs.len() {
                left_out.push(format!("alignment runs beyond the newest {AT_MOST}"));
                break;
            }
            before = Some(last.run.clone());
        }
        Ok(runs)
    }

    fn held_records<T: serde::de::DeserializeOwned>(
        &self,
        kind: RecordKind,
        left_out: &mut Vec<String>,
    ) -> Result<Vec<T>, StoreError> {
        let records = self.records(kind, AT_MOST)?;
        if AT_MOST <= records.len() {
            left_out.push(format!("records of the kind `{}` beyond the newest {AT_MOST}", kind.word()));
        }
        let read = |document: Option<String>| serde_json::from_str(&document?).ok();
        Ok(records.into_iter().filter_map(|record| read(record.document)).collect())
    }

    fn held_notes(&self, left_out: &mut Vec<String>) -> Result<Vec<HeldNote>, StoreError> {
        let notes: Vec<Value> = self.held_records(RecordKind::Audit, left_out)?;
        let note = |note: Value| {
            Some(HeldNote {
                at: Timestamp::parse(note["at"].as_str()?)?,
                what: note["what"].as_str()?.to_owned(),
                of: note["of"].as_str()?.to_owned(),
            })
        };
        Ok(notes.into_iter().filter_map(note).collect())
    }
}

/// The value of its label, and whether it was rebuilt from history.
fn label(row: &SeriesRow) -> (String, bool) {
    let mut labels: Map<String, Value> = serde_json::from_str(&row.labels).unwrap_or_default();
    let is_rebuilt = labels.remove(RECONSTRUCTED).is_some();
    let value = labels.values().next().and_then(Value::as_str).unwrap_or_default();
    let short = value.strip_prefix("refs/heads/").unwrap_or(value);
    (short.to_owned(), is_rebuilt)
}
