//! What tasks need that change a repository: one at a time, a net below, and an independent count afterwards.
//!
//! * [`Lease`]: who may change it; held by this process and every git it started, also when this process is killed.
//! * [`ObjectSet`]: all that refs, reflogs, HEADs, indexes and stashes of all worktrees reach, read without the
//!   indexes that tasks write.
//! * [`Net`]: second names of all packs and loose objects, so that nothing is gone before it was counted again.

mod heal;
mod lease;
mod net;
mod object_set;
mod room;

pub use heal::{Healed, heal};
pub use lease::{Lease, LeaseError};
pub use net::Net;
pub use object_set::{ObjectSet, SetError};
pub use room::free_bytes;
