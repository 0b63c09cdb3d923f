//! What an engine of the store does, whatever it writes to.
//!
//! [`Store`] is the one in SQLite. `tests/conformance` says what these functions mean: it holds an engine against a plain
//! one that keeps everything in memory, after the same commits. A further engine (PostgreSQL) has to pass it, too.
//! How an engine is opened, copied and mended is its own affair.

use alignwatch_model::{
    Timestamp,
    config::Retention,
    kept::KeptBranch,
    record::{Commit, Record, RecordKind},
    run::{Run, RunId},
};

use crate::{PastFinding, Point, RepositoryRow, SeriesRow, Store, StoreError, Tended, WhichRuns};

/// An engine of the store. Each function says what the one of the same name of [`Store`] says.
#[expect(missing_docs, reason = "said once, where it is done")]
pub trait Engine {
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError>;
    fn tend(&mut self, retention: &Retention, now: Timestamp) -> Result<Tended, StoreError>;

    fn repositories(&self) -> Result<Vec<RepositoryRow>, StoreError>;
    fn repository(&self, id: &str) -> Result<Option<RepositoryRow>, StoreError>;
    fn document(&self, id: &str) -> Result<Option<String>, StoreError>;
    fn branches(
        &self,
        repository: &str,
        state: Option<&str>,
        after: &str,
        at_most: usize,
    ) -> Result<Vec<KeptBranch>, StoreError>;
    fn findings(
        &self,
        repository: Option<&str>,
        also_ended: bool,
        at_most: usize,
    ) -> Result<Vec<PastFinding>, StoreError>;
    fn series(&self, metric: Option<&str>, repository: Option<&str>) -> Result<Vec<SeriesRow>, StoreError>;
    fn points(&self, series: i64, from: Timestamp, to: Timestamp, step: i64) -> Result<Vec<Point>, StoreError>;
    fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError>;
    fn runs(&self, which: WhichRuns<'_>, at_most: usize) -> Result<Vec<String>, StoreError>;
    fn open_records(&self) -> Result<Vec<Record>, StoreError>;
    fn records(&self, kind: RecordKind, at_most: usize) -> Result<Vec<Record>, StoreError>;
}

impl Engine for Store {
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        Store::commit(self, commit)
    }

    fn tend(&mut self, retention: &Retention, now: Timestamp) -> Result<Tended, StoreError> {
        Store::tend(self, retention, now)
    }

    fn repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        Store::repositories(self)
    }

    fn repository(&self, id: &str) -> Result<Option<RepositoryRow>, StoreError> {
        Store::repository(self, id)
    }

    fn document(&self, id: &str) -> Result<Option<String>, StoreError> {
        Store::document(self, id)
    }

    fn branches(
        &self,
        repository: &str,
        state: Option<&str>,
        after: &str,
        at_most: usize,
    ) -> Result<Vec<KeptBranch>, StoreError> {
        Store::branches(self, repository, state, after, at_most)
    }

    fn findings(
        &self,
        repository: Option<&str>,
        also_ended: bool,
        at_most: usize,
    ) -> Result<Vec<PastFinding>, StoreError> {
        Store::findings(self, repository, also_ended, at_most)
    }

    fn series(&self, metric: Option<&str>, repository: Option<&str>) -> Result<Vec<SeriesRow>, StoreError> {
        Store::series(self, metric, repository)
    }

    fn points(&self, series: i64, from: Timestamp, to: Timestamp, step: i64) -> Result<Vec<Point>, StoreError> {
        Store::points(self, series, from, to, step)
    }

    fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        Store::run(self, id)
    }

    fn runs(&self, which: WhichRuns<'_>, at_most: usize) -> Result<Vec<String>, StoreError> {
        Store::runs(self, which, at_most)
    }

    fn open_records(&self) -> Result<Vec<Record>, StoreError> {
        Store::open_records(self)
    }

    fn records(&self, kind: RecordKind, at_most: usize) -> Result<Vec<Record>, StoreError> {
        Store::records(self, kind, at_most)
    }
}
