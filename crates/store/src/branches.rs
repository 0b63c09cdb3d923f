//! The branches of each repository, as they were last seen.

use std::collections::BTreeSet;

use alignwatch_model::kept::KeptBranch;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{Store, StoreError};

/// Puts these branches in the place of those that were known. What did not move costs no write.
pub(crate) fn keep(transaction: &Transaction<'_>, repository: &str, branches: &[KeptBranch]) -> Result<(), StoreError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO branch (repository, name, state, document) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET state = ?3, document = ?4 WHERE document <> ?4",
    )?;
    for branch in branches {
        put.execute(params![repository, branch.name, branch.state.word(), serde_json::to_string(branch)?])?;
    }
    let here: BTreeSet<&str> = branches.iter().map(|branch| &*branch.name).collect();
    let mut known = transaction.prepare_cached("SELECT name FROM branch WHERE repository = ?1")?;
    let names = known.query_map([repository], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut forget = transaction.prepare_cached("DELETE FROM branch WHERE repository = ?1 AND name = ?2")?;
    for name in names.iter().filter(|name| !here.contains(name.as_str())) {
        forget.execute([repository, name])?;
    }
    Ok(())
}

impl Store {
    /// A branch by its full name, as it was last seen.
    pub fn branch(&self, repository: &str, name: &str) -> Result<Option<KeptBranch>, StoreError> {
        let mut row =
            self.connection.prepare_cached("SELECT document FROM branch WHERE repository = ?1 AND name = ?2")?;
        let text = row.query_row([repository, name], |row| row.get::<_, String>(0)).optional()?;
        text.map(|text| Ok(serde_json::from_str(&text)?)).transpose()
    }

    /// The branches of a repository by name: of one state or of all, from after a name on.
    pub fn branches(
        &self,
        repository: &str,
        state: Option<&str>,
        after: &str,
        at_most: usize,
    ) -> Result<Vec<KeptBranch>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT document FROM branch WHERE repository = ?1 AND (?2 IS NULL OR state = ?2) AND ?3 < name
             ORDER BY name LIMIT ?4",
        )?;
        let texts = rows.query_map(params![repository, state, after, at_most as i64], |row| row.get::<_, String>(0))?;
        texts.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
    }
}
