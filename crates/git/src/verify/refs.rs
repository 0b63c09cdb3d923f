//! Losses by other refs than branches: what a push overwrote, tags that are gone, stashes that were dropped.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use alignwatch_model::{
    Oid, Severity,
    run::{Loss, LossKind, verification::Verified},
};

use super::{Doubt, FILE_AT_MOST_BYTES, Look, Question, commits_lost, content};
use crate::{
    objects::{Mode, ReadError},
    tree_diff::{self, Side},
    worktrees::worktrees,
};

/// Tips of branches in which the content of a dropped stash is looked for, the newest. Source: ours.
const TIPS_AT_MOST: usize = 100;

impl Look<'_> {
    /// What was at the remote, and is not any more. A fetch only learns what others did there.
    pub(super) fn overwritten(
        &self,
        before: Oid,
        after: Oid,
        question: &Question,
        found: &mut Verified,
    ) -> Result<(), Doubt> {
        self.objects.commit(&before)?;
        if self.commits().contains(after, before)? || !self.was_pushed(&question.branch, after)? {
            return Ok(());
        }
        self.judge(before, question, found)
    }

    /// Did a push of this repository bring this ref there? Where there is no reflog: is a local branch there, too?
    fn was_pushed(&self, name: &str, after: Oid) -> Result<bool, Doubt> {
        let hex = after.hex();
        if let Some(log) = self.log_of(name) {
            // `OLD NEW Name <address> seconds zone<TAB>message`; git itself writes the message.
            let to_here = |line: &&[u8]| line.get(hex.len() + 1..).is_some_and(|rest| rest.starts_with(hex.as_bytes()));
            let last = log.split(|&byte| byte == b'\n').rfind(to_here);
            return Ok(last.is_some_and(|line| line.ends_with(b"\tupdate by push")));
        }
        let call = self.git.command("for-each-ref").option_with("--points-at=", hex).option("--format=%(refname)");
        let names = call.run()?.stdout;
        Ok(names.split(|&byte| byte == b'\n').any(|name| name.starts_with(b"refs/heads/")))
    }

    /// A tag that is gone, or elsewhere.
    pub(super) fn tag(&self, before: Oid, after: Option<Oid>, found: &mut Verified) -> Result<(), Doubt> {
        let call = self.git.command("rev-parse").option("--verify").option("--quiet");
        let output = call.revision(format!("{before}^{{commit}}")).run_allowing(&[1])?;
        let commit = Oid::from_hex(output.stdout.trim_ascii()).ok();
        let what = if after.is_some() { "the tag names another object now" } else { "the tag is gone" };
        let told =
            |summary: String| Loss::new(LossKind::TagGone, Severity::Warning, summary, vec![before.hex()], Vec::new());
        let Some(commit) = commit else {
            found.losses.push(told(format!("{what}; it named no commit")));
            return Ok(());
        };
        self.objects.commit(&commit)?;
        found.kept_by = self.commits().held_by(commit)?;
        if let Some(name) = &found.kept_by {
            found.losses.push(told(format!("{what}; {name} still leads to its commit")));
            return Ok(());
        }
        let lost = self.commits().list(&[commit], &[], &["--no-merges", "--not", "--all", "--not"])?;
        found.losses.push(told(format!("{what}, and no ref leads to its commit")));
        found.losses.extend(commits_lost(&lost, self.commits().touched(&lost)?));
        Ok(())
    }

    /// A stash that is gone: was it taken out into a working tree, or into a branch? Asked of what is there now.
    pub(super) fn stash(&self, stash: Oid, found: &mut Verified) -> Result<(), Doubt> {
        let commit = self.objects.commit(&stash)?;
        found.kept_by = self.commits().held_by(stash)?;
        if found.kept_by.is_some() {
            return Ok(());
        }
        let mut held: Vec<(Vec<u8>, Side)> = Vec::new();
        let mut add = |from: Option<Oid>, to: Oid| {
            tree_diff::changes(self.objects, from, Some(to), &mut |path, _, new| held.push((path.to_vec(), new)))
        };
        let head = commit.parents.first().map(|head| self.objects.commit(head)).transpose()?;
        add(head.map(|head| head.tree), commit.tree)?;
        if let Some(untracked) = commit.parents.get(2) {
            add(None, self.objects.commit(untracked)?.tree)?;
        }
        let tips = self.tips()?;
        let mut lost = Vec::new();
        for (path, side) in held {
            if !self.is_in_a_worktree(&path, side)? && !self.is_in_a_tip(&tips, &path, side)? {
                lost.push(content::text(&path));
            }
        }
        if !lost.is_empty() {
            let summary = format!(
                "a stash is gone, and what it held of {} files is in no working tree and on no branch; `git stash store {stash}` brings it back",
                lost.len()
            );
            found.losses.push(Loss::new(LossKind::StashDropped, Severity::Critical, summary, vec![stash.hex()], lost));
        }
        Ok(())
    }

    /// The trees of the newest branches.
    fn tips(&self) -> Result<Vec<Oid>, Doubt> {
        let call = self.git.command("for-each-ref").option("--sort=-committerdate").option("--format=%(tree)");
        let call = call.option_with("--count=", TIPS_AT_MOST.to_string()).path("refs/heads/");
        let trees = call.run()?.stdout;
        Ok(trees.split(|&byte| byte == b'\n').filter_map(|line| Oid::from_hex(line.trim_ascii()).ok()).collect())
    }

    fn is_in_a_tip(&self, trees: &[Oid], path: &[u8], side: Side) -> Result<bool, Doubt> {
        for tree in trees {
            if content::entry(self.objects, *tree, path)? == side {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in_a_worktree(&self, path: &[u8], side: Side) -> Result<bool, Doubt> {
        let places = worktrees(&self.git.opened().common_dir).map_err(|error| Doubt::Again(error.to_string()))?;
        for files in places.iter().filter_map(|place| place.files.as_deref()) {
            if self.is_there(files, path, side)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does the file in this working tree hold this?
    fn is_there(&self, files: &Path, path: &[u8], side: Side) -> Result<bool, Doubt> {
        let file = files.join(std::ffi::OsStr::from_bytes(path));
        let metadata = fs::symlink_metadata(&file).ok();
        let Some((mode, oid)) = side else { return Ok(metadata.is_none()) };
        let Some(metadata) = metadata.filter(|metadata| metadata.len() <= FILE_AT_MOST_BYTES) else { return Ok(false) };
        let there = match (mode, metadata.is_file(), metadata.is_symlink()) {
            (mode, true, _) if Mode::is_file(mode) => fs::read(&file).ok(),
            (mode, _, true) if Mode::is_link(mode) => {
                fs::read_link(&file).ok().map(|to| to.as_os_str().as_bytes().to_vec())
            }
            _ => None,
        };
        match self.objects.blob_up_to(&oid, FILE_AT_MOST_BYTES) {
            Ok(held) => Ok(there.is_some_and(|there| there == held)),
            Err(ReadError::TooLarge(..)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
