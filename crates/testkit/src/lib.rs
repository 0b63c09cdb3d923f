//! Pretends: real repositories for tests and benchmarks, always the same ones.
//!
//! * [`sketch()`] draws a small repository from a few lines of text.
//! * [`generate()`] makes a large one from parameters, and tells what is true of it.
//! * [`git()`] asks the real git, with an environment that no machine can disturb:
//!   the oracle that our own answers are compared with.
//!
//! ```
//! use alignwatch_testkit::sketch;
//!
//! let repo = sketch("main: a b c d
//!                    feature: b x y").draw();
//! assert_eq!(repo.git(["rev-list", "--count", "main..feature"]), "2");
//! assert_eq!(repo.git(["merge-base", "main", "feature"]), repo.oid("b").hex());
//! ```
//!
//! What is wrong in a test's own set-up ends the test with a panic that says so:
//! nothing here returns an error that a test would have to unwrap. Not for use
//! outside of tests and benchmarks.

mod generate;
mod git;
mod repo;
mod sketch;

pub use generate::{
    BranchTruth, Fate, FeatureShares, LandedShares, LongLine, Markers, Quantiles, Shape, Truth, generate,
};
pub use git::{git, git_command, git_output, git_version};
pub use repo::Repo;
pub use sketch::{CommitGraph, START, STEP, Sketch, SketchError, sketch};
