//! Remembers: the only crate that knows SQL.
//!
//! One file, one writer. What [`Store::commit`] has acknowledged survives a power cut; what it refused left
//! no trace. Any number of readers may look on meanwhile, and a reader never waits for the writer.
//!
//! * [`mod@open`] finds the file well, mends it from the newest verified backup, or says why it can't be used.
//! * [`mod@commit`] is one transaction: a sweep with its findings and numbers, whole or not at all.
//! * [`mod@series`] keeps numbers: the newest as rows, older ones as compressed chunks with sums beside them.
//! * [`mod@branches`] keeps the branches of each repository as they were last seen.
//! * [`mod@runs`] keeps what is reported of alignment runs, and what it amounts to.
//! * [`mod@query`] are the questions that a page, a report or a trend asks.
//! * [`mod@backup`] copies the whole file, checks the copy, and keeps the newest few.

mod backup;
mod branches;
mod commit;
mod open;
mod query;
mod runs;
mod schema;
mod series;

pub use backup::{BACKUPS_KEPT, Backup};
pub use open::{Mended, StoreError, open, open_to_read};
pub use query::{PastFinding, Point, RepositoryRow, SeriesRow};
pub use runs::WhichRuns;

/// The file, opened.
#[derive(Debug)]
pub struct Store {
    connection: rusqlite::Connection,
    /// Held as long as we may write; released with the process, however it ends.
    _owner: Option<std::fs::File>,
    folder: std::path::PathBuf,
}
