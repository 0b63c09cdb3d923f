//! Commands that take a branch away without losing anything.
//!
//! They name the commit that was judged, so that they refuse when the branch
//! has moved since; and what would be reachable from nowhere else is kept under
//! `refs/archive/` first. A branch that is in use gets no command.

use super::Seen;
use crate::{Branch, Oid, Proof, RefName, quote::shell_word, snapshot::Head};

impl Seen<'_> {
    /// The command that removes the branch, or `None` when it should not or cannot be removed by one.
    ///
    /// `proof` is why its work is not lost; with [`Proof::Ancestor`] the base keeps
    /// the commits themselves, otherwise they are archived.
    pub(super) fn removal(&self, branch: &Branch, proof: Option<Proof>) -> Option<String> {
        let oid = branch.tip.seen()?.oid;
        let delete = delete_command(&branch.name, &oid)?;
        if !self.may_go(branch) {
            return None;
        }
        Some(match proof {
            Some(Proof::Ancestor) => delete,
            _ => format!("{} && {delete}", archive_command(&branch.name, &oid)?),
        })
    }

    /// Nobody stands on it: not HEAD, in no worktree, no branch's base. Not known counts as in use.
    fn may_go(&self, branch: &Branch) -> bool {
        let is_head = match &self.snapshot.head {
            crate::Known::Seen(Head::Branch(name) | Head::Unborn(name)) => *name == branch.name,
            crate::Known::Seen(Head::Detached(_)) => false,
            crate::Known::Unknown(_) => true,
        };
        let is_held = self.snapshot.checked_out.seen().is_none_or(|held| held.contains(&branch.name));
        let is_base = |other: &Branch| other.base.as_ref().is_some_and(|base| base.name == branch.name);
        !is_head && !is_held && !self.snapshot.branches.iter().any(is_base)
    }
}

/// The command that brings a removed branch back.
pub(super) fn undo_command(branch: &Branch) -> Option<String> {
    let oid = branch.tip.seen()?.oid;
    match branch.name.remote_parts() {
        Some((remote, short)) => Some(format!("git push {} {oid}:{}", shell_word(remote), at_remote(short))),
        None => Some(format!("git update-ref {} {oid} ''", shell_word(branch.name.as_bytes()))),
    }
}

fn delete_command(name: &RefName, oid: &Oid) -> Option<String> {
    if let Some((remote, short)) = name.remote_parts() {
        let (remote, there) = (shell_word(remote), at_remote(short));
        return Some(format!("git push --force-with-lease={there}:{oid} {remote} :{there}"));
    }
    name.starts_with("refs/heads/").then(|| format!("git update-ref -d {} {oid}", shell_word(name.as_bytes())))
}

fn archive_command(name: &RefName, oid: &Oid) -> Option<String> {
    let rest = name.as_bytes().strip_prefix(b"refs/")?;
    // An empty old value: it refuses to overwrite what was archived before.
    Some(format!("git update-ref {} {oid} ''", shell_word(&[b"refs/archive/", rest].concat())))
}

fn at_remote(short: &[u8]) -> String {
    shell_word(&[b"refs/heads/", short].concat())
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    const ID: &str = "7878787878787878787878787878787878787878";

    fn removal(name: &str, proof: Option<Proof>, change: impl FnOnce(&mut crate::Snapshot)) -> Option<String> {
        let mut snapshot = snapshot([branch(name, 1, 1)]);
        change(&mut snapshot);
        let seen = seen(&super::super::stale::CHECK, &snapshot);
        seen.removal(&snapshot.branches[0], proof)
    }

    #[test]
    fn the_commit_that_was_judged_is_named_so_that_a_moved_branch_stays() {
        let command = removal("refs/heads/x", Some(Proof::Ancestor), |_| {}).unwrap();
        assert_eq!(command, format!("git update-ref -d refs/heads/x {ID}"));
    }

    #[test]
    fn commits_that_nothing_else_reaches_are_archived_first() {
        let command = removal("refs/heads/x", Some(Proof::SquashPatchId), |_| {}).unwrap();
        assert_eq!(
            command,
            format!("git update-ref refs/archive/heads/x {ID} '' && git update-ref -d refs/heads/x {ID}")
        );
    }

    #[test]
    fn a_branch_at_a_remote_is_deleted_there_under_a_lease() {
        let command = removal("refs/remotes/origin/x", Some(Proof::Ancestor), |_| {}).unwrap();
        assert_eq!(command, format!("git push --force-with-lease=refs/heads/x:{ID} origin :refs/heads/x"));
        let undo = undo_command(&branch("refs/remotes/origin/x", 1, 1)).unwrap();
        assert_eq!(undo, format!("git push origin {ID}:refs/heads/x"));
    }

    #[test]
    fn a_branch_in_use_gets_no_command() {
        let held = |snapshot: &mut crate::Snapshot| {
            snapshot.checked_out = crate::Known::Seen(vec!["refs/heads/x".into()]);
        };
        assert_eq!(removal("refs/heads/x", None, held), None);
        let head = |snapshot: &mut crate::Snapshot| {
            snapshot.head = crate::Known::Seen(Head::Branch("refs/heads/x".into()));
        };
        assert_eq!(removal("refs/heads/x", None, head), None);
        let unread = |snapshot: &mut crate::Snapshot| snapshot.checked_out = crate::Known::Unknown("unread".into());
        assert_eq!(removal("refs/heads/x", None, unread), None);
        assert_eq!(removal("refs/pull/1/head", None, |_| {}), None, "not ours to delete");
    }
}
