//! Keeps what one step of the daemon wants kept, in one transaction.

use alignwatch_model::record::{Commit, FindingRow, Sweep, SweepOutcome};
use rusqlite::{Transaction, TransactionBehavior, params};

use crate::{Store, StoreError, branches, past, records, runs, series};

impl Store {
    /// Keeps all of it, or nothing. When this returns, it is on the disk.
    ///
    /// Errors: [`StoreError`], such as a full disk; then nothing of it was kept.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let kept = self.try_commit(commit);
        if kept.is_err() {
            self.names.forget();
            self.recent.forget();
        }
        kept
    }

    fn try_commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for sweep in &commit.sweeps {
            keep(&transaction, sweep)?;
        }
        series::add(&transaction, &mut self.names, &commit.readings)?;
        past::add(&transaction, &mut self.names, &commit.past)?;
        runs::add(&transaction, &mut self.recent, &commit.events)?;
        records::put(&transaction, &commit.records)?;
        Ok(transaction.commit()?)
    }
}

fn keep(transaction: &Transaction<'_>, sweep: &Sweep) -> Result<(), StoreError> {
    match &sweep.outcome {
        SweepOutcome::Gone(reason) | SweepOutcome::Failed(reason) => {
            transaction
                .prepare_cached(
                    "INSERT INTO repository (id, path, first_seen_at, swept_at, seconds, status, reason)
                     VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET
                        path = ?2, swept_at = ?3, seconds = ?4, status = ?5, reason = ?6",
                )?
                .execute(params![
                    sweep.repository,
                    sweep.path,
                    sweep.at.0,
                    sweep.seconds,
                    sweep.outcome.health(),
                    reason
                ])?;
        }
        SweepOutcome::Seen { document, branches, findings, settled, .. } => {
            // Before it was seen for the first time, only its path was known.
            transaction
                .prepare_cached("DELETE FROM repository WHERE id = ?1 AND id = path AND seen_at IS NULL")?
                .execute([&sweep.path])?;
            transaction
                .prepare_cached(
                    "INSERT INTO repository (id, path, first_seen_at, swept_at, seconds, status, seen_at, document)
                     VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?3, ?6)
                     ON CONFLICT DO UPDATE SET path = ?2, swept_at = ?3, seconds = ?4, status = ?5, reason = NULL,
                        seen_at = ?3, document = ?6",
                )?
                .execute(params![
                    sweep.repository,
                    sweep.path,
                    sweep.at.0,
                    sweep.seconds,
                    sweep.outcome.health(),
                    document
                ])?;
            branches::keep(transaction, &sweep.repository, branches)?;
            for finding in findings {
                go_on_or_begin(transaction, sweep, finding)?;
            }
            end_others(transaction, sweep, findings, settled)?;
        }
    }
    Ok(())
}

fn go_on_or_begin(transaction: &Transaction<'_>, sweep: &Sweep, finding: &FindingRow) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO finding (repository, key, began_at, seen_at, check_id, severity, summary, document)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (repository, key) WHERE ended_at IS NULL
             DO UPDATE SET seen_at = ?3, severity = ?5, summary = ?6, document = ?7",
        )?
        .execute(params![
            sweep.repository,
            finding.key,
            sweep.at.0,
            finding.check,
            finding.severity.word(),
            finding.summary,
            finding.document
        ])?;
    Ok(())
}

/// Ends the open findings that were not found again, of checks that would have found them.
fn end_others(
    transaction: &Transaction<'_>,
    sweep: &Sweep,
    findings: &[FindingRow],
    settled: &[&'static str],
) -> Result<(), StoreError> {
    let mut open =
        transaction.prepare_cached("SELECT key, check_id FROM finding WHERE repository = ?1 AND ended_at IS NULL")?;
    let rows = open.query_map([&sweep.repository], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    let mut end = transaction
        .prepare_cached("UPDATE finding SET ended_at = ?3 WHERE repository = ?1 AND key = ?2 AND ended_at IS NULL")?;
    for (key, check) in rows {
        let is_over = settled.contains(&&*check) && !findings.iter().any(|finding| finding.key == key);
        if is_over {
            end.execute(params![sweep.repository, key, sweep.at.0])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alignwatch_model::{Timestamp, record::Reading};

    use super::*;

    fn numbers(at: i64, n: i64) -> Commit {
        let reading = |series: i64| Reading {
            repository: "r".into(),
            metric: "m",
            labels: series.to_string(),
            at: Timestamp(at),
            value: at as f64,
        };
        Commit { readings: (0..n).map(reading).collect(), ..Commit::default() }
    }

    #[test]
    fn a_full_disk_refuses_a_commit_whole_and_takes_it_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::open(folder.path()).unwrap().0;
        store.commit(&numbers(1, 3)).unwrap();
        let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        // SQLite's own way to say that there is no room: SQLITE_FULL, as when the file system has none.
        store.connection.pragma_update(None, "max_page_count", pages).unwrap();
        let error = store.commit(&numbers(2, 5000)).unwrap_err();
        assert!(error.may_pass() && error.to_string().contains("full"), "{error}");
        assert_eq!(store.series(None, None).unwrap().len(), 3);
        store.connection.pragma_update(None, "max_page_count", 1 << 30).unwrap();
        store.commit(&numbers(2, 5000)).unwrap();
        let series = store.series(None, None).unwrap();
        assert_eq!(series.len(), 5000);
        let points = |id| store.points(id, Timestamp(0), Timestamp(10), 1).unwrap().len();
        assert_eq!((points(series[0].id), points(series[4000].id)), (2, 1));
    }
}
