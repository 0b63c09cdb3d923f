//! Tasks on real repositories: what they do, what holds them, what they survive. Git itself is the witness.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they are not in a test function")]

#[path = "../../examples/histories.rs"]
#[expect(dead_code, reason = "its main is for the long run")]
mod histories;
#[path = "../../examples/kills.rs"]
#[expect(dead_code, reason = "its main is for the long run")]
mod kills;
#[path = "../../examples/rounds.rs"]
#[expect(dead_code, reason = "its main is for the long run")]
mod rounds;

mod backups;
mod cleanup;
mod due;
mod handed_over;
mod held;
mod objects;
mod old_git;
mod proofs;
mod remotes;
mod upkeep;
mod world;
