//! Records: runs a command untouched, and keeps what is reported of alignment runs in files.
//!
//! [`Spool`] is the source of truth while no daemon is there: a file a run, an event a line. [`wrap`] starts
//! the command that somebody wants to be watched, and measures it. Together with `git` this is the only place
//! that starts a process, and it starts nothing but that one command.

pub mod fresh;
pub mod leases;
pub mod spool;
pub mod wrap;

pub use leases::{Granted, LeaseError, Leases};
pub use spool::{Spool, SpoolError, Spooled};
