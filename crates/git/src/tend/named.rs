//! All that a repository names: refs, HEADs of worktrees, and what only reflogs know.

use std::collections::BTreeSet;

use alignwatch_model::RefName;

use super::{SetError, half_done_tips, moved::ends};
use crate::{
    refs::{RefsError, symbolic_files},
    repository::RefBackend,
    run::{GitAt, GitError},
};

/// What a repository names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Full name and id of each ref, by name.
    pub refs: Vec<(Vec<u8>, String)>,
    /// Symbolic refs and what is written in them; the HEAD of the main worktree is one of them, unless it is detached.
    pub symbolic: Vec<(Vec<u8>, Vec<u8>)>,
    /// The commit that the HEAD of the main worktree is on, where it is detached.
    pub detached: Option<String>,
    /// Ids that no ref names, each with the name that it would get: HEADs of worktrees, older stashes, ends of reflogs,
    /// what a half-done merge or rebase needs.
    pub anchors: Vec<(Vec<u8>, String)>,
}

/// Why it can't be told what a repository names.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// Refs can't be read.
    #[error(transparent)]
    Refs(#[from] RefsError),
    /// Git can't tell.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What half-done work needs can't be told.
    #[error(transparent)]
    HalfDone(#[from] SetError),
    /// There is more than we name.
    #[error("cannot name all that only reflogs know: {0} commits, and {ANCHORS_AT_MOST} are the most")]
    TooMany(usize),
}

/// Anchors that one repository has at most. Source: ours; a reflog of a year of rebasing all day.
const ANCHORS_AT_MOST: usize = 100_000;

/// Where anchors are named. Source: ours; below it nothing of anybody else is.
const SPACE: &str = "refs/backup/";

/// Reads it. Errors: a ref is broken, or Git is.
pub fn named(git: &GitAt<'_>) -> Result<Named, NamedError> {
    let format = "--format=%(objectname) %(refname) %(symref)";
    let listed = git.command("for-each-ref").option(format).run()?.stdout;
    let mut named = Named::default();
    for line in listed.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (id, name, target) = (words.next(), words.next(), words.next());
        let (Some(id), Some(name)) = (id, name) else { continue };
        match target.filter(|target| !target.is_empty()) {
            Some(target) => named.symbolic.push((name.to_vec(), target.to_vec())),
            None => named.refs.push((name.to_vec(), String::from_utf8_lossy(id).into_owned())),
        }
    }
    if git.opened().ref_backend == RefBackend::Files {
        // Git passes over those that name nothing, and of a row of them it tells only the end.
        let pair = |(name, target): (RefName, RefName)| (name.as_bytes().to_vec(), target.as_bytes().to_vec());
        named.symbolic = symbolic_files(git.opened())?.into_iter().map(pair).collect();
    }
    match head(git)? {
        Head::On(target) => named.symbolic.push((b"HEAD".to_vec(), target)),
        Head::At(id) => named.detached = Some(id),
        Head::Nowhere => {}
    }
    let ids: BTreeSet<String> = named.refs.iter().map(|(_, id)| id.clone()).collect();
    named.anchors = heads(git)?;
    named.anchors.extend(only_in_reflogs(git)?);
    let half_done = half_done_tips(git)?.into_iter();
    named.anchors.extend(half_done.map(|id| (format!("{SPACE}half-done/{id}").into_bytes(), id)));
    named.anchors.retain(|(name, id)| name.ends_with(b"/HEAD") || !ids.contains(id));
    named.anchors.sort();
    named.anchors.dedup();
    if ANCHORS_AT_MOST < named.anchors.len() {
        // Which of them may be left out is nobody's guess.
        return Err(NamedError::TooMany(named.anchors.len()));
    }
    Ok(named)
}

/// What HEAD says.
enum Head {
    On(Vec<u8>),
    At(String),
    Nowhere,
}

/// The HEAD of the main worktree, whichever was opened.
fn head(git: &GitAt<'_>) -> Result<Head, GitError> {
    let name = if git.opened().is_linked() { "main-worktree/HEAD" } else { "HEAD" };
    let on = git.command("symbolic-ref").option("-q").revision(name).run_allowing(&[1])?;
    if on.code == 0 {
        return Ok(Head::On(on.stdout.trim_ascii_end().to_vec()));
    }
    let at = git.command("rev-parse").option("-q").option("--verify").revision(name).run_allowing(&[1])?;
    let id = String::from_utf8_lossy(at.stdout.trim_ascii_end()).into_owned();
    Ok(if at.code == 0 { Head::At(id) } else { Head::Nowhere })
}

/// Detached HEADs of all worktrees.
fn heads(git: &GitAt<'_>) -> Result<Vec<(Vec<u8>, String)>, GitError> {
    let list = git.command("worktree").option("list").option("--porcelain");
    // Before, a folder whose name holds the end of a line takes several, none of which says where a HEAD is.
    let (list, end) = if git.git().version().worktrees_with_nul() { (list.option("-z"), 0) } else { (list, b'\n') };
    let listed = list.run()?.stdout;
    let mut found = Vec::new();
    for (nth, worktree) in split_records(&listed, end).into_iter().enumerate() {
        let is_detached = worktree.contains(&&b"detached"[..]);
        let head = worktree.iter().find_map(|line| line.strip_prefix(b"HEAD "));
        let id = head.map(|id| String::from_utf8_lossy(id).into_owned());
        if let Some(id) = id.filter(|id| is_detached && id.bytes().any(|byte| byte != b'0')) {
            found.push((format!("{SPACE}worktrees/{nth}/HEAD").into_bytes(), id));
        }
    }
    Ok(found)
}

/// Lines with this end; an empty one ends a record.
fn split_records(listed: &[u8], end: u8) -> Vec<Vec<&[u8]>> {
    let mut records = vec![Vec::new()];
    for line in listed.split(|&byte| byte == end) {
        match line {
            b"" => records.push(Vec::new()),
            line => records.last_mut().into_iter().for_each(|record| record.push(line)),
        }
    }
    records.retain(|record| !record.is_empty());
    records
}

/// Commits that reflogs reach and no ref does, by their ends: all others are reached from these.
///
/// `--stdin` is there for a repository without reflogs: git takes a list of nothing for wrong usage otherwise.
fn only_in_reflogs(git: &GitAt<'_>) -> Result<Vec<(Vec<u8>, String)>, GitError> {
    let call = git.command("rev-list").option("--parents").option("--reflog").option("--stdin").option("--not");
    let ends = ends(&call.option("--all").run()?.stdout);
    Ok(ends.into_iter().map(|id| (format!("{SPACE}reflogs/{id}").into_bytes(), id)).collect())
}
