//! Collects facts about the health of a repository, one file a family.
//!
//! Facts only, no judgement. Everything is bounded, nothing is written and no
//! lock is taken. What cannot be read is unknown and hides nothing else.

pub(crate) mod changes;
mod chunks;
pub mod collisions;
pub(crate) mod contents;
pub(crate) mod dropped_sides;
mod forest;
pub mod fsck;
mod growth;
pub(crate) mod history;
pub(crate) mod index;
pub mod pack_bytes;
pub mod pool;
pub(crate) mod ref_files;
pub(crate) mod reflogs;
pub(crate) mod refs;
pub(crate) mod remotes;
pub(crate) mod settings;
pub mod shape;
pub(crate) mod site;
pub mod speed;
pub mod storage;
pub(crate) mod stored_state;
pub(crate) mod worktrees;
