//! What was seen of a repository besides its branches, one file a family.
//!
//! Facts only: numbers and names as they are. What is too much or wrong is for
//! the checks to say. What can fail on its own is [`Known`] on its own.

pub mod collisions;
pub mod contents;
pub mod history;
pub mod integrity;
pub mod past;
pub mod place;
pub mod pool;
pub mod refs;
pub mod runs;
pub mod settings;
pub mod shape;
pub mod speed;
pub mod storage;
pub mod tasks;
pub mod worktrees;

use std::collections::BTreeMap;

use crate::{Known, Timestamp};

pub use collisions::Collisions;
pub use pool::Pool;
pub use shape::Shape;
pub use speed::Speed;
pub use storage::Storage;

/// All families.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The files below `objects/` and what else takes up space.
    pub storage: Known<Storage>,
    /// What makes Git fast.
    pub speed: Known<Speed>,
    /// Paths that are the same on some file systems.
    pub collisions: Known<Collisions>,
    /// Who borrows objects from here.
    pub pool: Known<Pool>,
    /// The shape of all history.
    pub shape: Known<Shape>,
    /// What `git fsck --full` said.
    pub objects: Known<integrity::ObjectCheck>,
    /// What `git fsck --connectivity-only` said.
    pub connectivity: Known<integrity::ObjectCheck>,
    /// Whether the files of packs are what they were when they were written.
    pub pack_bytes: Known<integrity::PackBytes>,
    /// What is odd about the files of refs.
    pub ref_files: Known<integrity::RefFiles>,
    /// Whether the objects that reflogs lead to are there.
    pub reflogs: Known<integrity::Reflogs>,
    /// `extensions.*` of the repository, in lower case, with their values.
    pub extensions: Known<Vec<(String, String)>>,
    /// Refs besides branches.
    pub refs: Known<refs::RefFacts>,
    /// Settings of the repository and of whoever runs us.
    pub settings: Known<settings::Settings>,
    /// The remotes that are configured.
    pub remotes: Known<settings::Remotes>,
    /// What the remotes answered when they were asked.
    pub remote_answers: Known<Vec<settings::RemoteAnswer>>,
    /// The worktrees, the main one first.
    pub worktrees: Known<Vec<worktrees::Worktree>>,
    /// Changes in the worktrees that no commit holds.
    pub changes: Known<Vec<worktrees::Changes>>,
    /// Whether lines were rewritten.
    pub rewrites: Known<history::Rewrites>,
    /// Merges on the lines that kept one side whole.
    pub dropped_sides: Known<history::DroppedSides>,
    /// Whether dates of commits can be right.
    pub dates: Known<history::Dates>,
    /// The past year.
    pub past: Known<past::Past>,
    /// What the lines hold at their tips.
    pub contents: Known<Vec<contents::Contents>>,
    /// The alignment runs that are recorded of it.
    pub runs: runs::Runs,
    /// Why some runs could not be read, which may be of any repository; `None` = all could.
    pub unread_runs: Option<String>,
    /// Since when each workflow is expected to run, by its name; those that are missing were never expected by a daemon.
    pub expected_since: BTreeMap<String, Timestamp>,
    /// How its maintenance tasks ended the last time.
    pub tasks: Known<Vec<tasks::LastRun>>,
    /// All ends of maintenance tasks that its journal remembers.
    pub task_ends: Known<Vec<tasks::TaskEnd>>,
    /// Its backups.
    pub backups: Known<tasks::Backups>,
    /// The place it lies in.
    pub site: Known<place::Site>,
}
