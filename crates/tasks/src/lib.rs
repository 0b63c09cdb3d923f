//! Tends: maintenance tasks. Each plans first, and what it did is measured.
//!
//! A task is one file in `catalogue/` and one line in its list. It says which numbers it goes by, what it would
//! do, and how it does it. All the rest is the same for every task and lives in [`conduct`]: one at a time, what
//! makes it wait, the journal, the net below, the independent count of objects, the measuring.
//!
//! Promises: nothing is begun that was not planned; what takes a step back is on the disk before the step; a
//! run that changed nothing is never called done; a number that could not be read is no reason to act.

pub mod ahead;
mod archiving;
pub mod backup;
mod catalogue;
pub mod conduct;
pub mod due;
mod holds;
pub mod journal;
mod numbers;
mod remotes;
mod slots;
mod task;
pub mod windows;

pub use catalogue::{ALL, StaleNotice, by_id, stale_notices};
pub use task::{Guard, Seen, Task, Work};
