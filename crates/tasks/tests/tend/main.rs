//! Tasks on real repositories: what they do, what holds them, what they survive. Git itself is the witness.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they are not in a test function")]

mod backups;
mod cleanup;
mod due;
mod handed_over;
mod held;
mod objects;
mod remotes;
mod upkeep;
mod world;
