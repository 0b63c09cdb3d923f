//! What the daemon last saw of a repository, read from the store: it need not run for that.

use std::path::Path;

use alignwatch_model::{Known, Severity, gate::Watched};

use crate::runs::store;

/// Findings that are looked through. Source: ours; critical ones are few.
const FINDINGS_AT_MOST: usize = 1_000;

/// What is kept of the repository with this id, and of one of its branches, by its full name.
///
/// Unknown when no daemon ever looked at it, or the store can't be read.
pub fn watched(data_dir: &Path, repository: &str, branch: Option<&str>) -> Known<Watched> {
    Known::from_result(read(data_dir, repository, branch))
}

fn read(data_dir: &Path, repository: &str, branch: Option<&str>) -> Result<Watched, String> {
    let store = store(data_dir)?.ok_or("no daemon ever ran here")?;
    let told = |error: alignwatch_store::StoreError| error.to_string();
    let row = store.repository(repository).map_err(told)?.ok_or("the daemon does not watch this repository")?;
    let seen_at = row.seen_at.ok_or_else(|| row.reason.clone().unwrap_or_else(|| "it was never seen".to_owned()))?;
    let open = store.findings(Some(repository), false, FINDINGS_AT_MOST).map_err(told)?;
    let critical = open.into_iter().filter(|finding| finding.severity == Severity::Critical.word());
    let branch = branch.map(|name| store.branch(repository, name).map_err(told)).transpose()?.flatten();
    Ok(Watched { swept_at: seen_at, critical: critical.map(|finding| finding.summary).collect(), branch })
}
