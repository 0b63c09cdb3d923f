//! Sees: the only crate that reads a Git repository, and the only one that starts a process for that.
//!
//! Objects, refs and the commit-graph are read directly, for speed; where the
//! answer is Git's to give, Git is asked, through the one hardened runner.

mod aligners;
mod config_text;
pub mod crossings;
mod files;
pub mod graph;
pub mod harden;
pub mod hazards;
pub mod health;
pub mod hooks;
pub mod inspect;
pub mod landed;
pub mod lines;
pub mod locks;
pub mod markers;
pub mod memory;
pub mod mend;
pub mod merge;
pub mod objects;
mod ownership;
pub mod past;
pub mod past_alignments;
mod processes;
pub mod refs;
pub mod repository;
pub mod run;
mod spread;
pub mod stop;
pub mod tend;
pub mod tree_diff;
pub mod unfinished;
pub mod verify;
pub mod version;
pub mod witness;
pub mod worktrees;
