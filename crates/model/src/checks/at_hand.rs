//! What commands to paste can count on here: a remote to ask, and the worktree that a branch is checked out in.

use super::Seen;
use crate::{Known, RefName, facts::worktrees::Place, quote::shell_word, snapshot::Head};

impl Seen<'_> {
    /// The remote to fetch from, as one word of a shell: `origin`, or the first of the others; `None` when there is
    /// none, or it is not known.
    pub(super) fn remote_to_ask(&self) -> Option<String> {
        let remotes = &self.snapshot.facts.remotes.seen()?.all;
        let remote = remotes.iter().find(|one| one.name == "origin").or(remotes.first())?;
        Some(shell_word(remote.name.as_bytes()))
    }

    /// The git command that works where the branch is checked out: here, or in another worktree; `None` when it is
    /// checked out nowhere.
    pub(super) fn git_where_checked_out(&self, branch: &RefName) -> Option<String> {
        let is_head = matches!(&self.snapshot.head, Known::Seen(Head::Branch(name)) if name == branch);
        if is_head && !self.snapshot.repository.is_bare {
            return Some("git".to_owned());
        }
        let worktrees = self.snapshot.facts.worktrees.seen()?;
        let holds = |name: &Known<Option<RefName>>| matches!(name, Known::Seen(Some(name)) if name == branch);
        let held = worktrees.iter().find(|one| holds(&one.branch) && one.place == Known::Seen(Place::Here))?;
        Some(format!("git -C {}", shell_word(held.path.as_bytes())))
    }
}
