//! Remembers: the only crate that knows SQL.
//!
//! One file, one writer. What [`Store::commit`] has acknowledged survives a power cut; what it refused left
//! no trace. Any number of readers may look on meanwhile, and a reader never waits for the writer.
//!
//! * [`mod@open`] finds the file well, mends it from the newest verified backup, or says why it can't be used.
//! * [`mod@audit`] looks whether it is there and who writes it, and changes nothing.
//! * [`mod@commit`] is one transaction: a sweep with its findings and numbers, whole or not at all.
//! * [`mod@branches`] keeps the branches of each repository as they were last seen.
//! * [`mod@runs`] keeps what is reported of alignment runs, and what it amounts to.
//! * [`mod@series`] takes numbers in: the newest lie in a log, older ones in compressed chunks ([`mod@chunk`],
//!   [`mod@pack`]) with sums beside them.
//! * [`mod@past`] takes in, once, what was before the first look.
//! * [`mod@age`] rolls up what is old and drops what is too old, a little at a time.
//! * [`mod@held`] is all that a report is made from.
//! * [`mod@query`] and [`mod@points`] are the questions that a page, a report or a trend asks.
//! * [`mod@engine`] is what a second engine beside SQLite has to do.
//! * [`mod@backup`] copies the whole file, checks the copy, and keeps the newest few.

mod age;
mod audit;
mod backup;
mod branches;
mod chunk;
mod commit;
mod engine;
mod held;
mod open;
mod pack;
mod past;
mod point;
mod points;
mod query;
mod records;
mod runs;
mod schema;
mod series;

pub use age::Tended;
pub use audit::{Writer, holds_one, writer};
pub use backup::{BACKUPS_KEPT, Backup};
pub use engine::Engine;
pub use open::{Mended, StoreError, is_there, open, open_to_read};
pub use point::Point;
pub use query::{PastFinding, RepositoryRow, SeriesRow};
pub use runs::WhichRuns;

/// The file, opened.
#[derive(Debug)]
pub struct Store {
    connection: rusqlite::Connection,
    /// Of series that were written lately.
    names: series::Names,
    /// Runs that were written lately.
    recent: runs::Recent,
    /// Held as long as we may write; released with the process, however it ends.
    _owner: Option<std::fs::File>,
    folder: std::path::PathBuf,
    is_frozen: bool,
}

impl Drop for Store {
    /// Writes the log back into the file, so that the file alone is all of it: it can then be read where nothing can be
    /// written, and copied by people who know nothing of logs.
    fn drop(&mut self) {
        if self._owner.is_some() {
            // What is not written back now is, with the next start.
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}
