//! Did an alignment lose work? Worked out from object ids alone, branch by branch.
//!
//! "Ancestry is right" and "exit 0" prove nothing: a merge can contain its base and drop half of it. So the content is
//! asked. What Git itself would make of the old tip and the base is made again (in a quarantine), and the new tip is
//! held against it: files that are gone, changes that are back as they were, lines that nobody has any more. Where Git
//! itself would have stopped with a conflict, a person's resolution is respected: only a side that vanished whole is
//! a loss there. Commits that are gone are looked for by patch id, then by author, time and subject (a rebase keeps
//! those), then by content (a squash).
//!
//! Besides branches that moved: merges that made a new branch, what a push overwrote at a remote, tags that are gone or
//! elsewhere, and stashes that were dropped.
//!
//! Nothing is written into the repository. What cannot be read is unknown, with the reason.

mod commits;
mod content;
mod lines;
mod refs;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use alignwatch_model::{
    Oid, Severity, Timestamp,
    run::{Loss, LossKind, Operation, RefMove, Verification, judge::STASHED, verification::Verified},
};

use self::{
    commits::Commits,
    content::{Content, Sides},
};
use crate::{
    markers,
    objects::{Objects, ReadError},
    run::{GitAt, GitError},
    stop::Stop,
    tree_diff::{self, WalkError},
};

/// Changed files that are looked into for markers, for one branch. Source: ours.
const MARKER_FILES_AT_MOST: usize = 5_000;

/// Largest file that is compared line by line.
///
/// Source: ours; larger ones are made by programs, and nobody merges them by hand.
const FILE_AT_MOST_BYTES: u64 = 2 << 20;

/// Largest reflog that is searched.
const REFLOG_AT_MOST_BYTES: u64 = 16 << 20;

/// Why something could not be judged.
#[derive(Debug, thiserror::Error)]
enum Doubt {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error("cannot make the merge again: {0}")]
    Again(String),
    #[error("there was no time to look")]
    NoTime,
}

/// One ref that moved: where it was, where it is, and what it was aligned with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its full name; for a stash that is gone, `refs/stash@{ID}`.
    pub branch: String,
    /// The tip before; `None` = it is new.
    pub before: Option<Oid>,
    /// The tip after; `None` = it was deleted.
    pub after: Option<Oid>,
    /// Where its base is; `None` = it has none, or it is the base itself.
    pub base: Option<Oid>,
    /// When the run began. Only merges that were made since are looked into on a new branch.
    pub since: Timestamp,
}

/// The questions that a run which began at `since` raises: one for each ref that can have lost something, and what cannot be
/// asked.
pub fn questions(operations: &[Operation], moves: &[RefMove], since: Timestamp) -> (Vec<Question>, Vec<String>) {
    let (mut questions, mut unknown) = (Vec::new(), Vec::new());
    let of: BTreeMap<&str, &Operation> = operations.iter().map(|one| (one.branch.as_str(), one)).collect();
    let rest = moves.iter().filter(|one| !of.contains_key(one.name.as_str()) && may_lose(one, &of));
    let rest = rest.map(|one| {
        let local = local_of(&one.name).and_then(|local| of.get(&*local).copied());
        Operation {
            branch: one.name.clone(),
            before: one.before.clone(),
            after: one.after.clone(),
            base: local.and_then(|local| local.base.clone()),
            base_oid: local.and_then(|local| local.base_oid.clone()),
            ..Operation::default()
        }
    });
    for one in operations.iter().cloned().chain(rest).filter(|one| one.before != one.after) {
        match question(&one, since) {
            Some(question) => questions.push(question),
            None => unknown.push(format!("`{}`: its ids cannot be read", one.branch)),
        }
    }
    questions.sort_by(|a, b| a.branch.cmp(&b.branch));
    (questions, unknown)
}

/// Can something be lost by this move, which no operation tells of?
fn may_lose(one: &RefMove, of: &BTreeMap<&str, &Operation>) -> bool {
    let (was, is) = (one.before.is_some(), one.after.is_some());
    // What came over with a push is asked of the local branch; that a remote deleted a branch is no act of a run.
    let as_local = local_of(&one.name)
        .and_then(|local| of.get(&*local).copied())
        .is_some_and(|local| (&local.before, &local.after) == (&one.before, &one.after));
    match one.name.as_str() {
        name if name.starts_with("refs/heads/") => true,
        name if name.starts_with("refs/remotes/") => was && is && !as_local && !name.ends_with("/HEAD"),
        name if name.starts_with("refs/tags/") => was,
        name => name.starts_with(STASHED) && was && !is,
    }
}

/// The local branch that a remote-tracking one belongs to, by its name.
fn local_of(name: &str) -> Option<String> {
    let (_, branch) = name.strip_prefix("refs/remotes/")?.split_once('/')?;
    Some(format!("refs/heads/{branch}"))
}

fn question(one: &Operation, since: Timestamp) -> Option<Question> {
    let id = |text: &Option<String>| match text {
        Some(text) => Oid::from_hex(text.as_bytes()).ok().map(Some),
        None => Some(None),
    };
    let is_base = one.base.as_ref() == Some(&one.branch);
    let base = if is_base { None } else { id(&one.base_oid)? };
    Some(Question { branch: one.branch.clone(), before: id(&one.before)?, after: id(&one.after)?, base, since })
}

/// Answers all questions; what there is no time for is unknown.
pub fn verify(git: &GitAt<'_>, questions: &[Question], stop: &Stop) -> Verification {
    let opened = git.opened();
    let mut found = Verification::default();
    let objects = match Objects::open(&opened.objects_dir, &opened.object_format) {
        Ok(objects) => objects,
        Err(error) => {
            found.unknown.push(error.to_string());
            return found;
        }
    };
    let look = Look { git, objects: &objects, stop };
    found.branches = questions.iter().map(|question| look.at(question)).collect();
    found
}

struct Look<'a> {
    git: &'a GitAt<'a>,
    objects: &'a Objects,
    stop: &'a Stop,
}

impl Look<'_> {
    fn at(&self, question: &Question) -> Verified {
        let mut found = Verified {
            branch: question.branch.clone(),
            before: question.before.map(|oid| oid.hex()),
            after: question.after.map(|oid| oid.hex()),
            ..Verified::default()
        };
        let judged = match (question.branch.as_str(), question.before, question.after) {
            (name, Some(before), _) if name.starts_with(STASHED) => self.stash(before, &mut found),
            (name, Some(before), after) if name.starts_with("refs/tags/") => self.tag(before, after, &mut found),
            (name, Some(before), Some(after)) if name.starts_with("refs/remotes/") => {
                self.overwritten(before, after, question, &mut found)
            }
            (_, Some(before), _) => self.judge(before, question, &mut found),
            (_, None, Some(after)) => self.created(after, question, &mut found),
            (_, None, None) => Ok(()),
        };
        if let Err(doubt) = judged {
            found.unknown.push(doubt.to_string());
        }
        found.losses.sort_by_key(|loss| (std::cmp::Reverse(loss.severity), loss.kind));
        found
    }

    fn commits(&self) -> Commits<'_> {
        Commits { git: self.git, objects: self.objects }
    }

    fn in_time(&self) -> Result<(), Doubt> {
        if self.stop.is_due() { Err(Doubt::NoTime) } else { Ok(()) }
    }

    fn judge(&self, before: Oid, question: &Question, found: &mut Verified) -> Result<(), Doubt> {
        self.in_time()?;
        let commits = self.commits();
        // A missing commit would make every other answer wrong.
        self.objects.commit(&before)?;
        let Some(after) = question.after else { return self.deleted(&commits, before, question, found) };
        self.objects.commit(&after)?;
        let contained_before = question.base.map(|base| commits.contains(before, base)).transpose()?;
        found.contains_base = question.base.map(|base| commits.contains(after, base)).transpose()?;
        found.kept_by = self.kept_by(&commits, question, before, after)?;
        if found.kept_by.is_none() {
            found.losses.push(not_kept(before));
        }
        let own = commits.list(&[before], &[question.base.unwrap_or(after)], &["--no-merges"])?;
        found.n_own = Some(own.len() as u32);
        found.losses.extend(self.markers(before, after, question.base)?);
        self.in_time()?;
        let without: Vec<Oid> = [Some(after), question.base].into_iter().flatten().collect();
        let gone = commits.list(&[before], &without, &["--no-merges"])?;
        let without: Vec<Oid> = [Some(before), question.base].into_iter().flatten().collect();
        let fresh = commits.list(&[after], &without, &[])?;
        let matched = commits.matched(&gone, &fresh)?;
        let was_aligned = contained_before == Some(false) && found.contains_base == Some(true);
        let mut lost_paths = BTreeSet::new();
        self.merges(&commits, &fresh, found, &mut lost_paths)?;
        let unmatched: Vec<Oid> = gone.iter().copied().filter(|oid| !matched.old.contains(oid)).collect();
        if was_aligned || !unmatched.is_empty() {
            self.in_time()?;
            let extra: Vec<Oid> = fresh.iter().copied().filter(|oid| !matched.new.contains(oid)).collect();
            let touched = commits.touched(&extra)?;
            // What the base has can only be missing in a branch that took the base in.
            let theirs = match question.base.filter(|_| found.contains_base == Some(true)) {
                Some(base) => Some(base),
                None => commits.merge_base(before, after)?,
            };
            if let Some(theirs) = theirs {
                let sides = Sides { ours: before, theirs, result: after };
                self.content(&commits, &sides, &touched, &[], found, &mut lost_paths)?;
            } else {
                found.unknown.push("the two tips share no history, so their content was not compared".to_owned());
            }
        }
        let lost = commits.lost(&unmatched, &lost_paths)?;
        found.losses.extend(commits_lost(&lost, commits.touched(&lost)?));
        Ok(())
    }

    /// A new branch has nothing of its own to lose; the merges that made it can have dropped a side.
    fn created(&self, after: Oid, question: &Question, found: &mut Verified) -> Result<(), Doubt> {
        self.in_time()?;
        let commits = self.commits();
        self.objects.commit(&after)?;
        found.contains_base = question.base.map(|base| commits.contains(after, base)).transpose()?;
        let without: Vec<Oid> = question.base.into_iter().collect();
        let mut fresh = Vec::new();
        for oid in commits.list(&[after], &without, &["--merges"])? {
            if question.since <= self.objects.commit(&oid)?.committed_at {
                fresh.push(oid);
            }
        }
        self.merges(&commits, &fresh, found, &mut BTreeSet::new())
    }

    /// Holds the merges among these commits against what Git makes of their sides.
    fn merges(
        &self,
        commits: &Commits<'_>,
        fresh: &[Oid],
        found: &mut Verified,
        lost_paths: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), Doubt> {
        let (merges, of_many) = commits.merges(fresh)?;
        for merge in merges {
            self.in_time()?;
            let sides = Sides { ours: merge.parents[0], theirs: merge.parents[1], result: merge.oid };
            let by = vec![merge.oid];
            self.content(commits, &sides, &BTreeSet::new(), &by, found, lost_paths)?;
        }
        let many = |oid: &Oid| format!("{oid} merges more than two lines, which was not made again");
        found.unknown.extend(of_many.iter().map(many));
        Ok(())
    }

    /// Holds a result against what Git makes of its two sides, and adds what is lost and not told yet.
    fn content(
        &self,
        commits: &Commits<'_>,
        sides: &Sides,
        explained: &BTreeSet<Vec<u8>>,
        by: &[Oid],
        found: &mut Verified,
        lost_paths: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), Doubt> {
        let content = Content { git: self.git, objects: self.objects, commits, sides, explained };
        let outcome = content.compare()?;
        found.unknown.extend(outcome.unknown);
        let new = outcome.lost.into_iter().filter(|one| !lost_paths.contains(&one.path)).collect::<Vec<_>>();
        lost_paths.extend(new.iter().map(|one| one.path.clone()));
        found.losses.extend(content.losses(new, by)?);
        Ok(())
    }

    fn deleted(
        &self,
        commits: &Commits<'_>,
        before: Oid,
        question: &Question,
        found: &mut Verified,
    ) -> Result<(), Doubt> {
        found.kept_by = commits.held_by(before)?;
        if found.kept_by.is_some() {
            return Ok(());
        }
        let own = commits.list(&[before], &question.base.into_iter().collect::<Vec<_>>(), &["--no-merges"])?;
        found.n_own = Some(own.len() as u32);
        let there = match question.base {
            Some(base) => commits.list(&[base], &[before], &["--no-merges"])?,
            None => Vec::new(),
        };
        let matched = commits.matched(&own, &there)?;
        let lost: Vec<Oid> = own.into_iter().filter(|oid| !matched.old.contains(oid)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        if let Some(base) = question.base
            && content::adds_nothing(self.git, self.objects, before, base)?
        {
            return Ok(());
        }
        found.losses.push(not_kept(before));
        found.losses.extend(commits_lost(&lost, commits.touched(&lost)?));
        Ok(())
    }

    /// What still leads to the tip before.
    fn kept_by(
        &self,
        commits: &Commits<'_>,
        question: &Question,
        before: Oid,
        after: Oid,
    ) -> Result<Option<String>, Doubt> {
        if commits.contains(after, before)? {
            return Ok(Some(question.branch.clone()));
        }
        if let Some(name) = commits.held_by(before)? {
            return Ok(Some(name));
        }
        let hex = before.hex();
        let in_log =
            |name: &str| self.log_of(name).is_some_and(|text| memchr::memmem::find(&text, hex.as_bytes()).is_some());
        let logs = [question.branch.as_str(), "HEAD"];
        Ok(logs.into_iter().find(|name| in_log(name)).map(|name| format!("the reflog of {name}")))
    }

    /// The reflog of a ref, where it has one in a file of its own.
    fn log_of(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.git.opened().common_dir.join("logs").join(name);
        fs::metadata(&path).ok().filter(|metadata| metadata.len() <= REFLOG_AT_MOST_BYTES)?;
        fs::read(&path).ok()
    }

    /// Files that have conflict markers now, and had none on either side before.
    fn markers(&self, before: Oid, after: Oid, base: Option<Oid>) -> Result<Option<Loss>, Doubt> {
        let tree = |oid: &Oid| self.objects.commit(oid).map(|commit| commit.tree);
        let mut changed = Vec::new();
        tree_diff::changes(self.objects, Some(tree(&before)?), Some(tree(&after)?), &mut |path, old, new| {
            if let Some((mode, oid)) = new.filter(|(mode, _)| mode.is_file())
                && changed.len() < MARKER_FILES_AT_MOST
            {
                changed.push((path.to_vec(), old, (mode, oid)));
            }
        })?;
        let marked = |oid: &Oid| {
            let text = self.objects.blob_up_to(oid, FILE_AT_MOST_BYTES);
            text.is_ok_and(|text| markers::first_triple(&text).is_some())
        };
        let mut paths = Vec::new();
        for (path, old, (_, oid)) in changed {
            if !marked(&oid) || old.is_some_and(|(_, old)| marked(&old)) {
                continue;
            }
            let at_base = base.map(|base| content::entry(self.objects, tree(&base)?, &path)).transpose()?.flatten();
            if !at_base.is_some_and(|(_, at_base)| at_base == oid || marked(&at_base)) {
                paths.push(content::text(&path));
            }
        }
        let summary = format!("conflict markers were committed in {} files", paths.len());
        let by = vec![after.hex()];
        let loss = Loss::new(LossKind::MarkersCommitted, Severity::Critical, summary, by, paths);
        Ok((0 < loss.n_paths).then_some(loss))
    }
}

fn not_kept(before: Oid) -> Loss {
    let summary = "no ref and no reflog leads to the tip before: gc will remove it";
    Loss::new(LossKind::TipNotKept, Severity::Warning, summary, vec![before.hex()], Vec::new())
}

fn commits_lost(lost: &[Oid], paths: BTreeSet<Vec<u8>>) -> Option<Loss> {
    let summary = format!("{} commits of the branch are gone, and so is what they changed", lost.len());
    let paths = paths.iter().map(|path| content::text(path)).collect();
    let ids = lost.iter().take(content::COMMITS_NAMED).map(Oid::hex).collect();
    (!lost.is_empty()).then(|| Loss::new(LossKind::CommitsLost, Severity::Critical, summary, ids, paths))
}
