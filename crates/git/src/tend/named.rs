//! All that a repository names: refs, HEADs of worktrees, and what only reflogs know.

use std::collections::BTreeSet;

use crate::run::{GitAt, GitError};

/// What a repository names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Full name and id of each ref, by name.
    pub refs: Vec<(Vec<u8>, String)>,
    /// Symbolic refs and what they name; HEAD is one of them, unless it is detached.
    pub symbolic: Vec<(Vec<u8>, Vec<u8>)>,
    /// Ids that no ref names, each with the name that it would get: HEADs of worktrees, older stashes, ends of reflogs.
    pub anchors: Vec<(Vec<u8>, String)>,
}

/// Anchors that one repository has at most. Source: ours; a reflog of a year of rebasing all day.
const ANCHORS_AT_MOST: usize = 100_000;

/// Where anchors are named. Source: ours; below it nothing of anybody else is.
const SPACE: &str = "refs/backup/";

/// Reads it. Errors: a ref is broken, or Git is.
pub fn named(git: &GitAt<'_>) -> Result<Named, GitError> {
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
    let head = git.command("symbolic-ref").option("-q").revision("HEAD").run_allowing(&[1])?;
    if head.code == 0 {
        named.symbolic.push((b"HEAD".to_vec(), head.stdout.trim_ascii_end().to_vec()));
    }
    let ids: BTreeSet<String> = named.refs.iter().map(|(_, id)| id.clone()).collect();
    named.anchors = heads(git)?;
    named.anchors.extend(only_in_reflogs(git)?);
    named.anchors.retain(|(name, id)| name.ends_with(b"/HEAD") || !ids.contains(id));
    named.anchors.sort();
    named.anchors.dedup();
    named.anchors.truncate(ANCHORS_AT_MOST);
    Ok(named)
}

/// Detached HEADs of all worktrees.
fn heads(git: &GitAt<'_>) -> Result<Vec<(Vec<u8>, String)>, GitError> {
    let listed = git.command("worktree").option("list").option("--porcelain").option("-z").run()?.stdout;
    let mut found = Vec::new();
    for (nth, worktree) in split_records(&listed).into_iter().enumerate() {
        let is_detached = worktree.contains(&&b"detached"[..]);
        let head = worktree.iter().find_map(|line| line.strip_prefix(b"HEAD "));
        let id = head.map(|id| String::from_utf8_lossy(id).into_owned());
        if let Some(id) = id.filter(|id| is_detached && id.bytes().any(|byte| byte != b'0')) {
            found.push((format!("{SPACE}worktrees/{nth}/HEAD").into_bytes(), id));
        }
    }
    Ok(found)
}

/// Lines that end in NUL; an empty one ends a record.
fn split_records(listed: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut records = vec![Vec::new()];
    for line in listed.split(|&byte| byte == 0) {
        match line {
            b"" => records.push(Vec::new()),
            line => records.last_mut().into_iter().for_each(|record| record.push(line)),
        }
    }
    records.retain(|record| !record.is_empty());
    records
}

/// Commits that a reflog entry names and no ref reaches.
///
/// `--stdin` is there for a repository without reflogs: git takes a list of nothing for wrong usage otherwise.
fn only_in_reflogs(git: &GitAt<'_>) -> Result<Vec<(Vec<u8>, String)>, GitError> {
    let lines =
        |output: Vec<u8>| -> BTreeSet<String> { String::from_utf8_lossy(&output).lines().map(str::to_owned).collect() };
    let entries = lines(git.command("rev-list").option("--no-walk").option("--reflog").option("--stdin").run()?.stdout);
    let beyond = git.command("rev-list").option("--reflog").option("--not").option("--all").option("--stdin").run()?;
    let beyond = lines(beyond.stdout);
    Ok(entries.intersection(&beyond).map(|id| (format!("{SPACE}reflogs/{id}").into_bytes(), id.clone())).collect())
}
