//! Mends: a closed list of repairs that can be taken back, performed through the hardened runner.
//!
//! A repair is a value of [`Repair`], never text from a finding. Each goes through the
//! same steps, and who calls writes the undo information down between them:
//!
//! 1. [`propose`]: which repairs a snapshot calls for;
//! 2. [`prepare`]: looks again, refuses what is not as it was, and says what would take it back;
//! 3. [`perform`]: acts; nothing is deleted, what goes lies in the quarantine of the repair;
//! 4. [`take_back`]: restores what was before, also when 3 was ended half-way.
//!
//! The quarantine is `quarantine/<id>` in the Git directory: on the same file system, so
//! that moving is one step, and never in the way of a command of Git.
//!
//! Accepted: between the last look and the move a process of Git can take a lock of the same
//! name. The move then takes a file with another identity, which is noticed and put back.

mod commit_graph;
mod lock;
pub(crate) mod place;

use std::path::{Path, PathBuf};

use alignwatch_model::{
    Snapshot, Timestamp, checks,
    config::Config,
    snapshot::{CommitGraph, LockVerdict},
};
use serde::{Deserialize, Serialize};

use crate::{repository, run::GitAt};

/// Something that can be mended, and the mending taken back. The list is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "repair")]
pub enum Repair {
    /// Writes the commit-graph that is absent or stale.
    WriteCommitGraph,
    /// Moves a damaged commit-graph aside and writes it again.
    ReplaceCommitGraph,
    /// Moves a lock aside that nobody holds.
    MoveLock {
        /// Its path below the common Git directory.
        path: String,
    },
}

/// A repair and what it takes to take it back. Written down before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// What is done.
    pub repair: Repair,
    /// The common directory of the repository.
    pub common_dir: PathBuf,
    /// Where that is put which goes, below the common directory.
    pub quarantine: String,
    /// The files that are replaced or moved, as they are before.
    pub before: Vec<Kept>,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its path below the common directory.
    pub path: String,
    /// Its inode: the same file keeps it when it is moved.
    pub inode: u64,
    /// Its size.
    pub size_bytes: u64,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, and this is what was measured afterwards.
    Effect(String),
    /// There was nothing to do.
    Noop(String),
    /// It was tried and did not work.
    Failed(String),
}

/// Why a repair is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What it is for is not there any more.
    #[error("{0}")]
    NotNeeded(String),
    /// It cannot be told whether it is safe.
    #[error("{0}")]
    NotSure(String),
}

/// The repairs that this snapshot calls for.
pub fn propose(snapshot: &Snapshot, config: &Config) -> Vec<Repair> {
    let graph = snapshot.commit_graph.seen().and_then(|graph| of_commit_graph(graph, config));
    let locks = snapshot.locks.seen().into_iter().flatten().filter(|lock| lock.verdict == LockVerdict::Stale);
    let locks = locks.map(|lock| Repair::MoveLock { path: lock.path.clone() });
    locks.chain(graph).collect()
}

fn of_commit_graph(graph: &CommitGraph, config: &Config) -> Option<Repair> {
    const CHECK: &str = "commit-graph";
    let default = checks::by_id(CHECK).and_then(|check| check.threshold.as_ref()).map(|spec| spec.default);
    let limit = config.thresholds.get(CHECK).copied().or(default)?;
    match graph {
        CommitGraph { damage: Some(_), .. } => Some(Repair::ReplaceCommitGraph),
        CommitGraph { disabled: Some(_), .. } => None,
        _ => (limit <= i64::from(graph.n_missing)).then_some(Repair::WriteCommitGraph),
    }
}

/// Looks at the files again and says what takes the repair back; `id` names its quarantine.
///
/// `fresh` is a snapshot that was taken just now. Nothing is changed. Errors: [`Refusal`].
pub fn prepare(fresh: &Snapshot, config: &Config, repair: &Repair, id: &str) -> Result<Undo, Refusal> {
    if !propose(fresh, config).contains(repair) {
        return Err(no_longer(fresh, repair));
    }
    let common_dir = PathBuf::from(&fresh.repository.git_dir);
    let before = match repair {
        Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => commit_graph::files(&common_dir)?,
        Repair::MoveLock { path } => vec![lock::file(&common_dir, path)?],
    };
    Ok(Undo { repair: repair.clone(), quarantine: format!("quarantine/{id}"), common_dir, before })
}

/// What is not known is no reason to act.
fn no_longer(fresh: &Snapshot, repair: &Repair) -> Refusal {
    let unknown = match repair {
        Repair::MoveLock { path } => {
            let lock = fresh.locks.seen().and_then(|locks| locks.iter().find(|lock| lock.path == *path));
            lock.map(|lock| lock.because.as_str()).or(fresh.locks.reason())
        }
        _ => fresh.commit_graph.reason(),
    };
    match unknown {
        Some(reason) => Refusal::NotSure(reason.to_owned()),
        None => Refusal::NotNeeded("there is nothing to do any more".to_owned()),
    }
}

/// Does it. The undo information must be on the disk by now.
pub fn perform(git: &GitAt<'_>, undo: &Undo) -> Outcome {
    if git.opened().common_dir != undo.common_dir {
        return Outcome::Failed("it was prepared for another repository".to_owned());
    }
    let done = match &undo.repair {
        Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => commit_graph::write(git, undo),
        Repair::MoveLock { .. } => lock::move_aside(undo),
    };
    done.unwrap_or_else(Outcome::Failed)
}

/// Restores what was before. Doing it twice, or after an act that was ended half-way, is the same.
///
/// What the journal says is not believed: somebody else may have written it. The directory must be a repository's,
/// and only what repairs touch is touched.
pub fn take_back(undo: &Undo) -> Outcome {
    if let Err(reason) = undo.is_of_a_repair() {
        return Outcome::Failed(format!("the journal was not written by a repair: {reason}"));
    }
    let done = match &undo.repair {
        Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => commit_graph::restore(undo),
        Repair::MoveLock { .. } => lock::put_back(undo),
    };
    done.unwrap_or_else(Outcome::Failed)
}

impl Undo {
    /// Is it what [`prepare`] writes? Errors: why not.
    fn is_of_a_repair(&self) -> Result<(), String> {
        let opened = repository::open(&self.common_dir).map_err(|error| error.to_string())?;
        if opened.common_dir != self.common_dir {
            return Err(format!("`{}` is not the Git directory of a repository", self.common_dir.display()));
        }
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !self.quarantine.strip_prefix("quarantine/").is_some_and(is_id) {
            return Err(format!("`{}` is no quarantine", self.quarantine));
        }
        match self.before.iter().find(|kept| !self.repair.touches(&kept.path)) {
            Some(kept) => Err(format!("it would touch `{}`", kept.path)),
            None => Ok(()),
        }
    }
}

impl Repair {
    /// Why the snapshot does not tell whether the repair is needed; `None` = it tells.
    pub fn unknown_in<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a str> {
        match self {
            Repair::MoveLock { .. } => snapshot.locks.reason(),
            Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => snapshot.commit_graph.reason(),
        }
    }

    /// Does this repair have to do with the file at this path below the common directory?
    fn touches(&self, path: &str) -> bool {
        match self {
            Repair::MoveLock { path: lock } => {
                path == lock && (path.ends_with(".lock") || path == "gc.pid" || path == "packed-refs.new")
            }
            Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => {
                let layer = path.strip_prefix("objects/info/commit-graphs/");
                path == "objects/info/commit-graph" || layer.is_some_and(|name| !name.contains('/'))
            }
        }
    }

    /// What it does, as a sentence part.
    pub fn title(&self) -> String {
        match self {
            Repair::WriteCommitGraph => "write the commit-graph".to_owned(),
            Repair::ReplaceCommitGraph => "move the damaged commit-graph aside and write it again".to_owned(),
            Repair::MoveLock { path } => format!("move the lock `{path}` aside, which nobody holds"),
        }
    }

    /// How it is taken back, as a sentence part.
    pub fn way_back(&self) -> &'static str {
        match self {
            Repair::WriteCommitGraph => "what is written is moved aside, and what was there comes back",
            Repair::ReplaceCommitGraph => "what is written is moved aside, and the damaged one comes back",
            Repair::MoveLock { .. } => "the lock is moved back, unless there is another by then",
        }
    }

    /// The check whose finding it mends.
    pub fn check(&self) -> &'static str {
        match self {
            Repair::WriteCommitGraph | Repair::ReplaceCommitGraph => "commit-graph",
            Repair::MoveLock { .. } => "stale-lock",
        }
    }
}

/// The name for a quarantine: the time, and the process that made it.
pub fn quarantine_id(now: Timestamp) -> String {
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{time}-{}", std::process::id())
}

fn cannot(what: &str, path: &Path, cause: impl std::fmt::Display) -> String {
    format!("cannot {what} `{}`: {cause}", path.display())
}
