//! Decides: everything alignwatch knows and judges, as values and pure functions.
//!
//! Nothing here reads a clock, a file, the environment or the network. What was
//! seen comes in as a [`Snapshot`] and the time as a [`Timestamp`]; judgement
//! goes out as values. So a test, a replay of last month and a running daemon
//! are the same code, fed from different places.

pub mod access;
pub mod address;
pub mod agenda;
pub mod alert;
pub mod atoms;
pub mod branch;
pub mod calendar;
pub mod checks;
pub mod config;
pub mod escape;
pub mod facts;
pub mod family;
pub mod finding;
pub mod gate;
pub mod host;
pub mod kept;
mod known;
pub mod lease;
pub mod lines;
pub mod look;
pub mod metrics;
pub mod notice;
mod oid;
pub mod quote;
pub mod record;
pub mod recurrence;
mod refname;
pub mod relation;
pub mod remedy;
pub mod report;
pub mod run;
pub mod schedule;
mod severity;
pub mod snapshot;
pub mod task;
mod time;
pub mod trend;
pub mod turn;
pub mod window;
pub mod words;

pub use branch::{Branch, Drift, Landed, Merge, Proof, State, Verdict};
pub use finding::{Evidence, Finding, Threshold};
pub use host::HostSample;
pub use known::Known;
pub use look::{Cost, Look, Looks};
pub use oid::{BadOid, Oid};
pub use refname::RefName;
pub use relation::Relation;
pub use remedy::Remedy;
pub use severity::{Severity, Status};
pub use snapshot::Snapshot;
pub use time::{Span, Timestamp};
