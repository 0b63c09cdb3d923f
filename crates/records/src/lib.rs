//! Records: runs a command untouched, and keeps what is reported of alignment runs in files.
//!
//! [`Spool`] is the source of truth while no daemon is there: a file a run, an event a line. [`wrap`] starts
//! the command that somebody wants to be watched, and measures it. It starts nothing
//! but that one command; who else starts programs stands in docs/ARCHITECTURE.md.

pub mod fresh;
pub mod leases;
pub mod openings;
pub mod sights;
pub mod spool;
pub mod tail;
pub mod wrap;

pub use leases::{Granted, LeaseError, Leases};
pub use openings::{Openings, OpeningsError};
pub use sights::Sights;
pub use spool::{Spool, SpoolError, Spooled};
