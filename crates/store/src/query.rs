//! Questions to the store.

use alignwatch_model::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::{Store, StoreError};

/// A repository and its last sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct RepositoryRow {
    /// Its id.
    pub id: String,
    /// Its path, as text.
    pub path: String,
    /// When it was looked at for the first time.
    pub first_seen_at: Timestamp,
    /// When it was looked at last.
    pub swept_at: Timestamp,
    /// How long that took.
    pub seconds: f64,
    /// Its health then; `unknown` when nothing could be seen, `gone` when there is no repository any more.
    pub status: String,
    /// Why nothing could be seen.
    pub reason: Option<String>,
    /// When something was last seen.
    pub seen_at: Option<Timestamp>,
}

/// A finding with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct PastFinding {
    /// The repository.
    pub repository: String,
    /// Its key.
    pub key: String,
    /// The check.
    pub check: String,
    /// How bad it was last.
    pub severity: String,
    /// In one sentence.
    pub summary: String,
    /// All of it, as JSON.
    pub document: String,
    /// Since when.
    pub began_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// Its number.
    pub id: i64,
    /// The repository; empty for the machine.
    pub repository: String,
    /// The metric.
    pub metric: String,
    /// Its labels, as a JSON object.
    pub labels: String,
}

const REPOSITORY: &str = "SELECT id, path, first_seen_at, swept_at, seconds, status, reason, seen_at FROM repository";

impl Store {
    /// All repositories, by path.
    pub fn repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        let mut rows = self.connection.prepare_cached(&format!("{REPOSITORY} ORDER BY path, id"))?;
        let rows = rows.query_map([], repository)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The repository with this id.
    pub fn repository(&self, id: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let mut row = self.connection.prepare_cached(&format!("{REPOSITORY} WHERE id = ?1"))?;
        Ok(row.query_row([id], repository).optional()?)
    }

    /// All that was last seen of a repository, as JSON.
    pub fn document(&self, id: &str) -> Result<Option<String>, StoreError> {
        let mut row = self.connection.prepare_cached("SELECT document FROM repository WHERE id = ?1")?;
        Ok(row.query_row([id], |row| row.get(0)).optional()?.flatten())
    }

    /// Findings, the newest first: of one repository or of all, only open ones or also those that are over.
    pub fn findings(
        &self,
        repository: Option<&str>,
        also_ended: bool,
        at_most: usize,
    ) -> Result<Vec<PastFinding>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT repository, key, check_id, severity, summary, document, began_at, seen_at, ended_at FROM finding
             WHERE (?1 IS NULL OR repository = ?1) AND (?2 OR ended_at IS NULL)
             ORDER BY began_at DESC, repository, key LIMIT ?3",
        )?;
        let rows = rows.query_map(params![repository, also_ended, at_most as i64], finding)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All findings of some checks in a repository, the last ones first, at most so many. Errors: [`StoreError`].
    pub fn findings_of(
        &self,
        repository: &str,
        checks: &[String],
        at_most: usize,
    ) -> Result<Vec<PastFinding>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT repository, key, check_id, severity, summary, document, began_at, seen_at, ended_at FROM finding
             WHERE repository = ?1 AND check_id IN (SELECT value FROM json_each(?2)) ORDER BY began_at DESC, key LIMIT ?3",
        )?;
        let checks = serde_json::Value::from(checks).to_string();
        let rows = rows.query_map(params![repository, checks, at_most as i64], finding)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The series of a metric: of one repository or of all.
    pub fn series(&self, metric: Option<&str>, repository: Option<&str>) -> Result<Vec<SeriesRow>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT id, repository, metric, labels FROM series
             WHERE (?1 IS NULL OR metric = ?1) AND (?2 IS NULL OR repository = ?2)
             ORDER BY metric, repository, labels",
        )?;
        let rows = rows.query_map(params![metric, repository], |row| {
            Ok(SeriesRow { id: row.get(0)?, repository: row.get(1)?, metric: row.get(2)?, labels: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn repository(row: &Row<'_>) -> rusqlite::Result<RepositoryRow> {
    Ok(RepositoryRow {
        id: row.get(0)?,
        path: row.get(1)?,
        first_seen_at: Timestamp(row.get(2)?),
        swept_at: Timestamp(row.get(3)?),
        seconds: row.get(4)?,
        status: row.get(5)?,
        reason: row.get(6)?,
        seen_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
    })
}

fn finding(row: &Row<'_>) -> rusqlite::Result<PastFinding> {
    Ok(PastFinding {
        repository: row.get(0)?,
        key: row.get(1)?,
        check: row.get(2)?,
        severity: row.get(3)?,
        summary: row.get(4)?,
        document: row.get(5)?,
        began_at: Timestamp(row.get(6)?),
        seen_at: Timestamp(row.get(7)?),
        ended_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
    })
}
