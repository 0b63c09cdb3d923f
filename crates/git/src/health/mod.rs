//! Collects facts about the health of a repository, one file a family.
//!
//! Facts only, no judgement. Everything is bounded, nothing is written and no
//! lock is taken. What cannot be read is unknown and hides nothing else.

mod chunks;
pub mod collisions;
mod forest;
mod growth;
pub mod pool;
pub mod shape;
pub mod speed;
pub mod storage;
