//! What is kept as a document: alerts, silences, what was told, messages, and who did what.

use alignwatch_model::{
    Timestamp,
    record::{Record, RecordKind},
};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::{Store, StoreError};

pub(crate) fn put(transaction: &Transaction<'_>, records: &[Record]) -> Result<(), StoreError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO record (kind, key, at, is_open, document) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET at = ?3, is_open = ?4, document = ?5",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM record WHERE kind = ?1 AND key = ?2")?;
    for record in records {
        let kind = record.kind.word();
        match &record.document {
            Some(document) => put.execute(params![kind, record.key, record.at.0, record.is_open, document])?,
            None => remove.execute(params![kind, record.key])?,
        };
    }
    Ok(())
}

/// Drops what no longer matters and last changed before a time.
pub(crate) fn drop_old(transaction: &Transaction<'_>, before: i64, at_most: i64) -> Result<usize, StoreError> {
    let mut drop = transaction.prepare_cached(
        "DELETE FROM record WHERE (kind, key) IN (
            SELECT kind, key FROM record WHERE NOT is_open AND at < ?1 ORDER BY at LIMIT ?2)",
    )?;
    Ok(drop.execute(params![before, at_most])?)
}

impl Store {
    /// All that still matters, by kind and key: what the daemon begins with.
    pub fn open_records(&self) -> Result<Vec<Record>, StoreError> {
        let mut rows = self
            .connection
            .prepare_cached("SELECT kind, key, at, is_open, document FROM record WHERE is_open ORDER BY kind, key")?;
        let rows = rows.query_map([], record)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Records of a kind, those that changed last first; also those that no longer matter.
    pub fn records(&self, kind: RecordKind, at_most: usize) -> Result<Vec<Record>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT kind, key, at, is_open, document FROM record WHERE kind = ?1 ORDER BY at DESC, key DESC LIMIT ?2",
        )?;
        let rows = rows.query_map(params![kind.word(), at_most as i64], record)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// One record.
    pub fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError> {
        let mut row = self
            .connection
            .prepare_cached("SELECT kind, key, at, is_open, document FROM record WHERE kind = ?1 AND key = ?2")?;
        Ok(row.query_row(params![kind.word(), key], record).optional()?.flatten())
    }
}

/// `None`: a kind that a later version keeps.
fn record(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let word: String = row.get(0)?;
    let Some(kind) = RecordKind::ALL.into_iter().find(|kind| kind.word() == word) else { return Ok(None) };
    Ok(Some(Record {
        kind,
        key: row.get(1)?,
        at: Timestamp(row.get(2)?),
        is_open: row.get(3)?,
        document: Some(row.get(4)?),
    }))
}
