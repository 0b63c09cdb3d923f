//! Did a run lose anything? What was found, branch by branch, in a form that can be stored and compared.
//!
//! Worked out from object ids alone, so that the same question later has the same answer, as long as the objects
//! are there; once they are gone, it is unknown.

use serde::{Deserialize, Serialize};

use super::{Outcome, RunId};
use crate::{
    Severity,
    quote::{shell_ref, shell_word},
    refname::RefName,
};

/// The schema of [`Verification`].
pub const SCHEMA: &str = "alignwatch.verification/1";

/// The identity of the finding that a loss becomes.
pub const CHECK: &str = "work-lost";

/// What was found about all refs that a run moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// One for each branch, by name; also for what a push overwrote, and for tags and stashes that are gone.
    pub branches: Vec<Verified>,
    /// What could not be judged at all, as sentence parts.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// One branch that moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// Full name.
    pub branch: String,
    /// The tip before.
    pub before: Option<String>,
    /// The tip after.
    pub after: Option<String>,
    /// Does it contain its base now? `None` = not known, or it has none.
    #[serde(default)]
    pub contains_base: Option<bool>,
    /// Commits of its own before the run.
    #[serde(default)]
    pub n_own: Option<u32>,
    /// What still leads to the tip before: a ref, a reflog, or the new tip itself. `None` = nothing does.
    #[serde(default)]
    pub kept_by: Option<String>,
    /// What was lost.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// What could not be judged, as sentence parts.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// One kind of loss on one branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Which kind.
    pub kind: LossKind,
    /// How grave.
    pub severity: Severity,
    /// In one sentence, without a final period.
    pub summary: String,
    /// Commits whose work it is, or that did it; full ids.
    #[serde(default)]
    pub commits: Vec<String>,
    /// Paths as text, at most [`PATHS_AT_MOST`].
    #[serde(default)]
    pub paths: Vec<String>,
    /// How many paths in all.
    #[serde(default)]
    pub n_paths: u32,
}

/// Paths that a loss names.
///
/// Source: ours; enough to see the pattern, and the rest is counted.
pub const PATHS_AT_MOST: usize = 20;

/// The ways of losing work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Commits of the branch are gone, and so is what they changed.
    CommitsLost,
    /// One side of a merge was kept whole.
    SideDropped,
    /// Files are gone that Git's own merge keeps.
    FilesDeleted,
    /// Files are as they were before somebody changed them.
    ChangesReverted,
    /// Lines are gone that Git's own merge keeps.
    LinesLost,
    /// Conflict markers were committed.
    MarkersCommitted,
    /// Files are executable, or not, otherwise than Git's own merge has them.
    ModesChanged,
    /// A stash was dropped, and what it held is nowhere.
    StashDropped,
    /// A tag is gone, or names something else.
    TagGone,
    /// Nothing leads to the tip before any more.
    TipNotKept,
}

impl LossKind {
    /// All of them.
    pub const ALL: [LossKind; 10] = [
        LossKind::CommitsLost,
        LossKind::SideDropped,
        LossKind::FilesDeleted,
        LossKind::ChangesReverted,
        LossKind::LinesLost,
        LossKind::MarkersCommitted,
        LossKind::ModesChanged,
        LossKind::StashDropped,
        LossKind::TagGone,
        LossKind::TipNotKept,
    ];

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            LossKind::CommitsLost => "commits_lost",
            LossKind::SideDropped => "side_dropped",
            LossKind::FilesDeleted => "files_deleted",
            LossKind::ChangesReverted => "changes_reverted",
            LossKind::LinesLost => "lines_lost",
            LossKind::MarkersCommitted => "markers_committed",
            LossKind::ModesChanged => "modes_changed",
            LossKind::StashDropped => "stash_dropped",
            LossKind::TagGone => "tag_gone",
            LossKind::TipNotKept => "tip_not_kept",
        }
    }
}

impl Loss {
    /// A loss whose paths are counted and cut to what is named.
    pub fn new(
        kind: LossKind,
        severity: Severity,
        summary: impl Into<String>,
        commits: Vec<String>,
        mut paths: Vec<String>,
    ) -> Loss {
        paths.sort();
        paths.dedup();
        let n_paths = paths.len() as u32;
        paths.truncate(PATHS_AT_MOST);
        Loss { kind, severity, summary: summary.into(), commits, paths, n_paths }
    }

    /// Work is gone; what is only a danger to it is less.
    fn is_grave(&self) -> bool {
        Severity::Error <= self.severity
    }
}

impl Verified {
    /// How to see what was lost and to get it back: what for, and the command, in the order to type. Empty where nothing
    /// was lost, or the tip before is not known.
    pub fn rescue(&self) -> Vec<(&'static str, String)> {
        /// Paths that a command names.
        const NAMED: usize = 8;
        let (Some(before), false) = (&self.before, self.losses.is_empty()) else { return Vec::new() };
        let name = RefName::from(self.branch.as_str());
        let before = shell_word(before.as_bytes());
        let mut commands = Vec::new();
        if let Some(after) = self.after.as_ref().map(|after| shell_word(after.as_bytes())) {
            if self.losses.iter().any(|loss| loss.kind == LossKind::CommitsLost) {
                commands.push(("See the commits that are gone", format!("git log --oneline {after}..{before}")));
            }
            let mut paths: Vec<&str> = self.losses.iter().flat_map(|loss| &loss.paths).map(String::as_str).collect();
            paths.sort_unstable();
            paths.dedup();
            let named: Vec<String> = paths.iter().take(NAMED).map(|path| shell_word(path.as_bytes())).collect();
            if !named.is_empty() {
                commands.push(("See what changed there", format!("git diff {before} {after} -- {}", named.join(" "))));
            }
        }
        let short = name.short();
        let beside = [b"rescue/", short.as_bytes()].concat();
        commands.push(("Keep the tip before as a branch", format!("git branch {} {before}", shell_word(&beside))));
        if let (Some(after), true) = (&self.after, name.starts_with("refs/heads/")) {
            commands.push((
                "Put the branch back, if nobody moved it since; not while it is checked out",
                format!("git update-ref {} {before} {}", shell_ref(&name), shell_word(after.as_bytes())),
            ));
        }
        commands
    }
}

impl Verification {
    /// All losses with their branch, the gravest first.
    pub fn losses(&self) -> Vec<(&Verified, &Loss)> {
        let mut losses: Vec<_> =
            self.branches.iter().flat_map(|branch| branch.losses.iter().map(move |loss| (branch, loss))).collect();
        losses.sort_by_key(|(_, loss)| std::cmp::Reverse(loss.severity));
        losses
    }

    /// The gravest loss; `None` = none was found, which is not the same as none there is.
    pub fn worst(&self) -> Option<Severity> {
        self.losses().first().map(|(_, loss)| loss.severity)
    }

    /// Why a run can't have ended so, as a sentence part; `None` = no loss speaks against it.
    pub fn disproves(&self, outcome: Outcome) -> Option<String> {
        let lost = self.losses().into_iter().find(|(_, loss)| loss.is_grave());
        let lost = lost.map(|(branch, loss)| format!("`{}` lost work: {}", branch.branch, loss.summary));
        lost.filter(|_| outcome.is_well())
    }

    /// The same for one branch in a run: an aligned one contains its base, too.
    pub fn disproves_of(&self, branch: &str, outcome: Outcome) -> Option<String> {
        let found = self.branches.iter().find(|one| one.branch == branch)?;
        let lost = found.losses.iter().find(|loss| loss.is_grave());
        let lost = lost.map(|loss| format!("it lost work: {}", loss.summary)).filter(|_| outcome.is_well());
        let is_away = outcome == Outcome::Aligned && found.contains_base == Some(false);
        lost.or_else(|| is_away.then(|| "it does not contain its base".to_owned()))
    }

    /// Something could not be judged.
    pub fn has_unknown(&self) -> bool {
        !self.unknown.is_empty() || self.branches.iter().any(|branch| !branch.unknown.is_empty())
    }
}

/// The answer of `alignwatch verify` in JSON, schema `alignwatch.verification/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document<'a> {
    /// `alignwatch.verification/1`.
    pub schema: &'static str,
    /// The run.
    pub run: &'a RunId,
    /// `ok`, the gravest severity, or `unknown` when something could not be judged and nothing was found.
    pub status: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub found: &'a Verification,
}

impl Verification {
    /// All of it for JSON.
    pub fn document<'a>(&'a self, run: &'a RunId) -> Document<'a> {
        let status = match self.worst() {
            Some(severity) => severity.word(),
            None if self.has_unknown() => "unknown",
            None => "ok",
        };
        Document { schema: SCHEMA, run, status, found: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for kind in LossKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.word()));
        }
    }

    #[test]
    fn what_was_lost_can_be_seen_and_fetched_back_by_commands_that_hostile_names_do_not_change() {
        let (before, after) = (Some("1".repeat(40)), Some("2".repeat(40)));
        let paths = vec!["a b".to_owned(), "$(touch x)".to_owned()];
        let losses = vec![Loss::new(LossKind::CommitsLost, Severity::Critical, "1 commit", Vec::new(), paths)];
        let branch = "refs/heads/x;reboot".to_owned();
        let lost = Verified { branch, before, after, losses, ..Verified::default() };
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let commands: Vec<String> = lost.rescue().into_iter().map(|(_, command)| command).collect();
        assert_eq!(
            commands,
            [
                format!("git log --oneline {two}..{one}"),
                format!("git diff {one} {two} -- '$(touch x)' 'a b'"),
                format!("git branch 'rescue/x;reboot' {one}"),
                format!("git update-ref 'refs/heads/x;reboot' {one} {two}"),
            ]
        );
        assert_eq!(Verified { losses: Vec::new(), ..lost.clone() }.rescue(), [], "nothing was lost");
        assert_eq!(Verified { before: None, ..lost }.rescue(), [], "nobody knows where it was");
    }

    #[test]
    fn a_verification_that_could_not_look_is_not_ok() {
        let run = RunId::from_parts(1, [1; 10]);
        let status = |found: &Verification| found.document(&run).status;
        let mut found = Verification::default();
        assert_eq!(status(&found), "ok");
        found.unknown.push("the objects are gone".into());
        assert_eq!(status(&found), "unknown");
        let paths = (0..50).map(|number| format!("f{number:02}")).collect();
        let loss = Loss::new(LossKind::FilesDeleted, Severity::Critical, "50 files are gone", Vec::new(), paths);
        assert_eq!((loss.paths.len(), loss.n_paths), (PATHS_AT_MOST, 50));
        found.branches.push(Verified { losses: vec![loss], ..Verified::default() });
        assert_eq!(status(&found), "critical");
    }
}
