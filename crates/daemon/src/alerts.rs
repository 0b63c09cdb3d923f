//! What is known of alerts, read from the store: the daemon need not run for that.

use std::{collections::BTreeMap, path::Path};

use alignwatch_model::{
    Severity, Span, Timestamp,
    alert::{
        Alert, Book, Policy,
        backtest::{Past, PastFinding},
        outbox::Outgoing,
        rule::{Of, Rule},
    },
    config::Config,
    metrics,
    record::{RECONSTRUCTED, Reading, RecordKind},
    turn::Alerting,
};
use alignwatch_store::{Store, StoreError};

use crate::runs::store;

/// Alerts as they were last kept, and what the configuration says of them now.
///
/// Errors: no daemon ever ran here, or the store can't be read.
pub fn alerting(data_dir: &Path, config: &Config, now: Timestamp) -> Result<Alerting, String> {
    let store = store(data_dir)?.ok_or("no daemon ever ran here, so that nothing is known of alerts")?;
    let policy = Policy::of(config);
    let records = store.open_records().map_err(|error| error.to_string())?;
    let (book, _) = Book::of_records(&records, &policy, now);
    Ok(Alerting::of(book.only_read(), policy, now))
}

/// Messages that were decided, the newest first. Errors: the store can't be read.
pub fn messages(data_dir: &Path, at_most: usize) -> Result<Vec<Outgoing>, String> {
    let Some(store) = store(data_dir)? else { return Ok(Vec::new()) };
    let records = store.records(RecordKind::Outgoing, at_most).map_err(|error| error.to_string())?;
    let read = |document: Option<String>| serde_json::from_str(&document?).ok();
    Ok(records.into_iter().filter_map(|record| read(record.document)).collect())
}

/// What is known of the past that this rule looks at, by repository, since a time. Errors: the store can't be read, or
/// there is none.
pub fn pasts(data_dir: &Path, rule: &Rule, from: Timestamp, to: Timestamp) -> Result<Vec<Past>, String> {
    let store = store(data_dir)?.ok_or("no daemon ever ran here, so that no past is known")?;
    let told = |error: StoreError| error.to_string();
    let mut pasts = Vec::new();
    for row in store.repositories().map_err(told)? {
        let (reconstructed, readings) = readings(&store, rule, &row.id, from, to).map_err(told)?;
        let findings = findings(&store, rule, &row.id).map_err(told)?;
        pasts.push(Past { path: row.path, watched_since: Some(row.first_seen_at), readings, reconstructed, findings });
    }
    Ok(pasts)
}

/// Seconds between two numbers of a replay: numbers of five minutes are kept for longest besides those of hours and days.
pub const STEP: Span = Span::minutes(5);

/// Numbers that history tells, then those that were measured; the same series has the same labels in both.
type Readings = (Vec<Reading>, Vec<Reading>);

fn readings(store: &Store, rule: &Rule, id: &str, from: Timestamp, to: Timestamp) -> Result<Readings, StoreError> {
    let Some(metric) = rule.of.metric().and_then(metrics::by_name) else { return Ok(Readings::default()) };
    let mut readings = Readings::default();
    let of_machine = store.series(Some(metric.name), Some(""))?;
    for series in store.series(Some(metric.name), Some(id))?.into_iter().chain(of_machine) {
        let (labels, is_reconstructed) = without_mark(&series.labels);
        let points = store.points(series.id, from, to, STEP.0)?.into_iter().map(|point| Reading {
            repository: series.repository.clone(),
            metric: metric.name,
            labels: labels.clone(),
            at: point.at,
            value: point.last,
        });
        if is_reconstructed { readings.0.extend(points) } else { readings.1.extend(points) }
    }
    for all in [&mut readings.0, &mut readings.1] {
        all.sort_by_key(|reading| reading.at);
    }
    Ok(readings)
}

/// The labels of a series without the one that says that history tells it; was it there?
fn without_mark(labels: &str) -> (String, bool) {
    let mut all: BTreeMap<String, String> = serde_json::from_str(labels).unwrap_or_default();
    match all.remove(RECONSTRUCTED) {
        Some(_) => (serde_json::to_string(&all).unwrap_or_default(), true),
        None => (labels.to_owned(), false),
    }
}

fn findings(store: &Store, rule: &Rule, id: &str) -> Result<Vec<PastFinding>, StoreError> {
    /// Source: ours; a year of one that comes and goes every hour.
    const AT_MOST: usize = 10_000;
    let Of::Findings { checks, .. } = &rule.of else { return Ok(Vec::new()) };
    let rows = store.findings_of(id, checks, AT_MOST)?;
    Ok(rows
        .into_iter()
        .map(|row| PastFinding {
            severity: serde_json::from_value(row.severity.into()).unwrap_or(Severity::Info),
            subject: subject(&row.document),
            evidence: evidence(&row.document),
            check: row.check,
            key: row.key,
            summary: row.summary,
            began_at: row.began_at,
            ended_at: row.ended_at,
        })
        .collect())
}

fn evidence(document: &str) -> serde_json::Map<String, serde_json::Value> {
    let finding: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    finding["evidence"].as_object().cloned().unwrap_or_default()
}

fn subject(document: &str) -> String {
    let finding: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    finding["subject"].as_str().unwrap_or_default().to_owned()
}

/// An alert that is over, by its id. Errors: the store can't be read.
pub fn past(data_dir: &Path, id: &str) -> Result<Option<Alert>, String> {
    let Some(store) = store(data_dir)? else { return Ok(None) };
    let record = store.record(RecordKind::Alert, id).map_err(|error| error.to_string())?;
    Ok(record.and_then(|record| serde_json::from_str(&record.document?).ok()))
}
