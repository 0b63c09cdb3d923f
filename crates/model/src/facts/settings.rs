//! What was seen of the settings that decide what can be undone, who is let in, and where pushes go.

use crate::{Known, Timestamp};

/// Settings of the repository and of whoever runs us.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The values of `safe.directory` that are in force for whoever runs us.
    pub safe_directories: Known<Vec<String>>,
    /// `safe.bareRepository` of whoever runs us.
    pub safe_bare_repository: Known<Option<String>>,
    /// `core.logAllRefUpdates` as it counts here; `None` = Git's default.
    pub log_ref_updates: Known<Option<String>>,
    /// Why this looks like a repository that takes pushes, as a sentence part; `None` = it does not.
    pub takes_pushes: Option<String>,
    /// `receive.denyNonFastForwards` is on.
    pub denies_rewinds: Known<bool>,
    /// `receive.denyDeletes` is on.
    pub denies_deletes: Known<bool>,
}

/// The remotes that are configured, and when they were last asked.
#[derive(Clone, Debug)]
pub struct Remotes {
    /// Each remote with at least an address, by name.
    pub all: Vec<Remote>,
    /// When something was last fetched; `None` = there is no trace of it.
    pub fetched_at: Known<Option<Timestamp>>,
}

/// A remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name, as text.
    pub name: String,
    /// The address as it is written down, secrets removed.
    pub url: String,
    /// Where a fetch really goes, by the repository's own settings, secrets removed.
    pub fetch_url: String,
    /// Where a push really goes, by the repository's own settings, secrets removed.
    pub push_url: String,
    /// Its default branch as it was when somebody last asked (`refs/remotes/<name>/HEAD`).
    pub default: Option<String>,
}

/// What a remote answered when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAnswer {
    /// Its name, as text.
    pub name: String,
    /// What it answered; unknown where it can only be asked with somebody's own keys or passwords.
    pub answer: Known<Answer>,
}

/// An answer, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there; the full name of its default branch, where it says one.
    Default(Option<String>),
    /// It did not answer, in the words of Git, secrets removed.
    Failed(String),
}
