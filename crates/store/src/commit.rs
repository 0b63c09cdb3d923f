//! Keeps what one step of the daemon wants kept, in one transaction.

use alignwatch_model::{
    Status,
    record::{Commit, FindingRow, Sweep, SweepOutcome},
};
use rusqlite::{Transaction, TransactionBehavior, params};

use crate::{Store, StoreError, branches, runs, series};

impl Store {
    /// Keeps all of it, or nothing. When this returns, it is on the disk.
    ///
    /// Errors: [`StoreError`], such as a full disk; then nothing of it was kept.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for sweep in &commit.sweeps {
            keep(&transaction, sweep)?;
        }
        series::add(&transaction, &commit.readings)?;
        runs::add(&transaction, &commit.events)?;
        Ok(transaction.commit()?)
    }
}

fn keep(transaction: &Transaction<'_>, sweep: &Sweep) -> Result<(), StoreError> {
    match &sweep.outcome {
        SweepOutcome::Failed(reason) => {
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
                    Status::Unknown.word(),
                    reason
                ])?;
        }
        SweepOutcome::Seen { status, document, branches, findings, settled } => {
            transaction
                .prepare_cached(
                    "INSERT INTO repository (id, path, first_seen_at, swept_at, seconds, status, seen_at, document)
                     VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?3, ?6)
                     ON CONFLICT DO UPDATE SET path = ?2, swept_at = ?3, seconds = ?4, status = ?5, reason = NULL,
                        seen_at = ?3, document = ?6",
                )?
                .execute(params![sweep.repository, sweep.path, sweep.at.0, sweep.seconds, status.word(), document])?;
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
