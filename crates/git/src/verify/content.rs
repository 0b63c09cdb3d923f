//! Holds a result against what Git itself makes of its two sides.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use alignwatch_model::{
    Oid, RefName, Severity,
    run::{Loss, LossKind},
};

use super::{Doubt, FILE_AT_MOST_BYTES, commits::Commits, lines};
use crate::{
    merge::{PINNED, is_binary, quarantine::Quarantine},
    objects::Objects,
    run::GitAt,
    tree_diff::{self, Side},
};

/// Commits that a loss names. Source: ours.
pub(super) const COMMITS_NAMED: usize = 50;

/// Two commits, and what was made of them.
pub(super) struct Sides {
    pub(super) ours: Oid,
    pub(super) theirs: Oid,
    pub(super) result: Oid,
}

pub(super) struct Content<'a> {
    pub(super) git: &'a GitAt<'a>,
    pub(super) objects: &'a Objects,
    pub(super) commits: &'a Commits<'a>,
    pub(super) sides: &'a Sides,
    /// Paths that later commits of the run changed on purpose.
    pub(super) explained: &'a BTreeSet<Vec<u8>>,
}

/// One path that lost something.
pub(super) struct Lost {
    pub(super) path: Vec<u8>,
    kind: LossKind,
    severity: Severity,
    /// Whose work it was: of our side, of theirs.
    ours: bool,
    theirs: bool,
    /// The result has the other side's version, whole.
    is_whole_side: bool,
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) lost: Vec<Lost>,
    pub(super) unknown: Vec<String>,
}

/// What Git makes of two commits.
struct Merged {
    tree: Oid,
    conflicts: BTreeSet<Vec<u8>>,
    objects: Objects,
    _keep: Quarantine,
}

impl Content<'_> {
    /// Compares path by path.
    pub(super) fn compare(&self) -> Result<Outcome, Doubt> {
        let mut outcome = Outcome::default();
        let merged = merge(self.git, self.sides.ours, self.sides.theirs)?;
        let result = self.tree(self.sides.result)?;
        let mut differ = Vec::new();
        tree_diff::changes(&merged.objects, Some(merged.tree), Some(result), &mut |path, merged, now| {
            differ.push((path.to_vec(), merged, now));
        })?;
        if differ.is_empty() {
            return Ok(outcome);
        }
        let base = self.commits.merge_base(self.sides.ours, self.sides.theirs)?;
        let base = base.map(|base| self.tree(base)).transpose()?;
        let (ours, theirs) = (self.tree(self.sides.ours)?, self.tree(self.sides.theirs)?);
        let moved_to = self.new_contents(&differ);
        for (path, in_merge, now) in differ {
            let at = |tree: Oid| entry(self.objects, tree, &path);
            let versions = Versions {
                base: base.map(at).transpose()?.flatten(),
                ours: at(ours)?,
                theirs: at(theirs)?,
                merged: in_merge,
                now,
                is_conflict: merged.conflicts.contains(&path),
                is_explained: self.explained.contains(&path),
            };
            match self.judge(&merged, &versions, &moved_to) {
                Ok(Some((kind, severity))) => outcome.lost.push(versions.lost(path, kind, severity)),
                Ok(None) => {}
                Err(doubt) => outcome.unknown.push(format!("`{}`: {doubt}", text(&path))),
            }
        }
        Ok(outcome)
    }

    fn tree(&self, commit: Oid) -> Result<Oid, Doubt> {
        Ok(self.objects.commit(&commit)?.tree)
    }

    /// Ids and lines of files that the result has and the merge has not: things may have moved there.
    fn new_contents(&self, differ: &[(Vec<u8>, Side, Side)]) -> Moved {
        let mut moved = Moved::default();
        let new = differ.iter().filter(|(_, merged, _)| merged.is_none());
        for (_, oid) in new.filter_map(|(_, _, now)| *now) {
            moved.ids.insert(oid);
            if let Ok(text) = self.objects.blob_up_to(&oid, FILE_AT_MOST_BYTES) {
                moved.lines.extend(lines::lines(&text).map(<[u8]>::to_vec));
            }
        }
        moved
    }

    fn judge(&self, merged: &Merged, at: &Versions, moved: &Moved) -> Result<Option<(LossKind, Severity)>, Doubt> {
        let mild = if at.is_explained { Severity::Warning } else { Severity::Critical };
        let Some(in_merge) = at.merged else {
            // Git's merge removes the file, and it is there as it was before somebody removed it.
            let is_back = at.now == at.base && at.base.is_some() && !at.is_conflict;
            return Ok(is_back.then_some((LossKind::ChangesReverted, Severity::Critical)));
        };
        let Some(now) = at.now else {
            let is_kept = at.is_conflict || moved.ids.contains(&in_merge.1) || self.lives_on(in_merge, moved)?;
            return Ok((!is_kept).then_some((LossKind::FilesDeleted, mild)));
        };
        if !at.is_conflict && (at.now == at.base || at.now == at.ours || at.now == at.theirs) {
            return Ok(Some((LossKind::ChangesReverted, Severity::Critical)));
        }
        if !in_merge.0.is_file() || !now.0.is_file() {
            return Ok(None);
        }
        if !at.is_conflict && in_merge.0 != now.0 && !at.is_explained {
            return Ok(Some((LossKind::ModesChanged, Severity::Error)));
        }
        let base = at.base.map(|(_, oid)| self.objects.blob_up_to(&oid, FILE_AT_MOST_BYTES)).transpose()?;
        let (made, now) = (
            merged.objects.blob_up_to(&in_merge.1, FILE_AT_MOST_BYTES)?,
            self.objects.blob_up_to(&now.1, FILE_AT_MOST_BYTES)?,
        );
        if is_binary(&made) || is_binary(&now) {
            return Ok(None);
        }
        let lacks = lines::compare(&base.unwrap_or_default(), &made, &now, &moved.lines);
        if lacks.is_nothing() {
            return Ok(None);
        }
        let severity = if lacks.n_dropped == 0 && at.is_explained { Severity::Warning } else { Severity::Critical };
        Ok(Some((LossKind::LinesLost, severity)))
    }

    /// Most of the lines of a file that is gone stand in a new one: it was moved and edited.
    fn lives_on(&self, gone: (crate::objects::Mode, Oid), moved: &Moved) -> Result<bool, Doubt> {
        if moved.lines.is_empty() || !gone.0.is_file() {
            return Ok(false);
        }
        let text = self.objects.blob_up_to(&gone.1, FILE_AT_MOST_BYTES)?;
        let all: Vec<&[u8]> = lines::lines(&text).filter(|line| !line.is_empty()).collect();
        let n_there = all.iter().filter(|line| moved.lines.contains(**line)).count();
        Ok(!all.is_empty() && all.len() <= 2 * n_there)
    }

    /// The losses that these paths amount to, with the commits whose work it was.
    pub(super) fn losses(&self, lost: Vec<Lost>, by: &[Oid]) -> Result<Vec<Loss>, Doubt> {
        let mut losses = Vec::new();
        let mut groups: BTreeMap<(LossKind, Severity, bool, bool), Vec<Lost>> = BTreeMap::new();
        let is_whole = self.is_whole_side()?;
        for one in lost {
            let kind = if is_whole && one.is_whole_side { LossKind::SideDropped } else { one.kind };
            groups.entry((kind, one.severity, one.ours, one.theirs)).or_default().push(one);
        }
        for ((kind, severity, ours, theirs), group) in groups {
            let paths: BTreeSet<Vec<u8>> = group.into_iter().map(|one| one.path).collect();
            let whose = match (ours, theirs) {
                (true, false) => "of the branch",
                (false, true) => "of the other side",
                _ => "of both sides",
            };
            let mut commits = by.to_vec();
            commits.extend(self.authors_of(&paths, ours, theirs)?);
            commits.truncate(COMMITS_NAMED);
            let n = paths.len();
            let summary = match kind {
                LossKind::SideDropped => format!("one side was kept whole: what {n} files had {whose} is gone"),
                LossKind::FilesDeleted => format!("{n} files {whose} are gone that Git's own merge keeps"),
                LossKind::ChangesReverted => format!("changes {whose} in {n} files are as they were before"),
                LossKind::ModesChanged => {
                    format!("{n} files are executable, or not, otherwise than Git's own merge has them")
                }
                _ => format!("lines {whose} in {n} files are gone that Git's own merge keeps"),
            };
            let paths = paths.iter().map(|path| text(path)).collect();
            losses.push(Loss::new(kind, severity, summary, commits.iter().map(Oid::hex).collect(), paths));
        }
        Ok(losses)
    }

    /// Is the result, as a whole, one of its sides?
    fn is_whole_side(&self) -> Result<bool, Doubt> {
        let result = self.tree(self.sides.result)?;
        Ok(result == self.tree(self.sides.ours)? || result == self.tree(self.sides.theirs)?)
    }

    /// Commits of the sides that changed these paths.
    fn authors_of(&self, paths: &BTreeSet<Vec<u8>>, ours: bool, theirs: bool) -> Result<Vec<Oid>, Doubt> {
        let of = |one: Oid, other: Oid| self.commits.list(&[one], &[other], &["--no-merges"]);
        let mut commits = Vec::new();
        if ours {
            commits.extend(of(self.sides.ours, self.sides.theirs)?);
        }
        if theirs {
            commits.extend(of(self.sides.theirs, self.sides.ours)?);
        }
        self.commits.lost(&commits, paths)
    }
}

#[derive(Default)]
struct Moved {
    ids: HashSet<Oid>,
    lines: HashSet<Vec<u8>>,
}

struct Versions {
    base: Side,
    ours: Side,
    theirs: Side,
    merged: Side,
    now: Side,
    is_conflict: bool,
    is_explained: bool,
}

impl Versions {
    fn lost(&self, path: Vec<u8>, kind: LossKind, severity: Severity) -> Lost {
        // A side that has what is there now lost nothing.
        let ours = self.ours != self.base && self.now != self.ours;
        let theirs = self.theirs != self.base && self.now != self.theirs;
        let is_whole_side = self.now == self.ours || self.now == self.theirs;
        Lost { path, kind, severity, ours, theirs, is_whole_side }
    }
}

/// Would merging this commit into the other change nothing there?
pub(super) fn adds_nothing(git: &GitAt<'_>, objects: &Objects, tip: Oid, into: Oid) -> Result<bool, Doubt> {
    let merged = merge(git, into, tip)?;
    Ok(merged.conflicts.is_empty() && merged.tree == objects.commit(&into)?.tree)
}

/// Lets Git merge two commits in a folder of our own. Conflicts are written in diff3 style.
fn merge(git: &GitAt<'_>, ours: Oid, theirs: Oid) -> Result<Merged, Doubt> {
    let again = |error: &dyn std::fmt::Display| Doubt::Again(error.to_string());
    let opened = git.opened();
    let quarantine = Quarantine::new(&ours).map_err(|error| again(&error))?;
    quarantine.borrow(&opened.objects_dir).map_err(|error| again(&error))?;
    let call = git.command("merge-tree").option("--write-tree").option("-z").option("--name-only");
    let call = call.option("--no-messages").option("--allow-unrelated-histories");
    let pinned = PINNED.into_iter().filter(|(key, _)| *key != "merge.conflictStyle");
    let call = pinned.fold(call, |call, (key, value)| call.pin(key, value)).pin("merge.conflictStyle", "diff3");
    let call = call.object_directory(quarantine.folder()).attribute_source(ours);
    let output = call.revision(ours.hex()).revision(theirs.hex()).run_allowing(&[1])?;
    let mut words = output.stdout.split(|&byte| byte == 0);
    let tree = words.next().and_then(|word| Oid::from_hex(word.trim_ascii()).ok());
    let tree = tree.ok_or_else(|| Doubt::Again("git named no tree".to_owned()))?;
    let conflicts = words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    let objects = Objects::open(quarantine.folder(), &opened.object_format)?;
    Ok(Merged { tree, conflicts, objects, _keep: quarantine })
}

/// What a tree holds at a path.
pub(super) fn entry(objects: &Objects, root: Oid, path: &[u8]) -> Result<Side, Doubt> {
    let mut tree = root;
    let mut parts = path.split(|&byte| byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let Some(found) = objects.tree(&tree)?.find(part).map(|entry| (entry.mode, entry.oid)) else { return Ok(None) };
        match (parts.peek().is_some(), found.0.is_tree()) {
            (true, true) => tree = found.1,
            (false, false) => return Ok(Some(found)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// A path as text.
pub(super) fn text(path: &[u8]) -> String {
    RefName::new(path).text().into_owned()
}
