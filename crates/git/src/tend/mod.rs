//! What tasks need that change a repository: one at a time, a net below, and an independent count afterwards.
//!
//! * [`Lease`]: who may change it; held by this process and every git it started, also when this process is killed.
//! * [`ObjectSet`]: all that refs, reflogs, HEADs, indexes, stashes and half-done merges and rebases of all worktrees
//!   reach, read without the indexes that tasks write.
//! * [`Net`]: second names of all packs and loose objects, so that nothing is gone before it was counted again.

mod bundle;
mod fetch;
mod half_done;
mod heal;
mod lease;
pub mod linked_worktrees;
mod moved;
mod named;
mod net;
mod object_set;
mod room;
mod scratch;
mod sections;
mod undo;

pub use bundle::{
    BundleError, Header as BundleHeader, header as bundle_header, unpack as unpack_bundle, write as write_bundle,
};
pub use fetch::{FETCH_HEAD, Fetched, Remote, Way, default_of_remote, fetch, note_fetched, remotes};
pub use half_done::half_done_ids;
pub use heal::{Healed, heal};
pub use lease::{Lease, LeaseError};
pub use moved::{entry_at, moved_at, only_in_old_entries, only_in_reflog_of};
pub use named::{Named, NamedError, named};
pub use net::Net;
pub use object_set::{ObjectSet, SetError, commits_there, half_done_tips, objects_there};
pub use room::free_bytes;
pub use scratch::{Scratch, ScratchError, init};
pub use undo::{RefUndo, TakenBack, Undo};
