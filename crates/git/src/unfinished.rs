//! Finds merges, rebases and the like that were begun and not ended, in every worktree.
//!
//! Facts only, from the state files that Git leaves; no git is started and
//! nothing is touched. State belongs to a worktree, not to the repository.
//! What tools for many branches leave besides is in `aligners`.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use alignwatch_model::{Known, Oid, RefName, Timestamp, snapshot::Unfinished};

use crate::{
    aligners, files,
    processes::Processes,
    refs::Refs,
    worktrees::{WorktreeDir, head_branch, left_branches, state_line, worktrees},
};

/// Everything unfinished in all worktrees of the repository with this common folder.
///
/// Unknown when a worktree cannot be read.
pub fn unfinished(common_dir: &Path) -> Known<Vec<Unfinished>> {
    let found = worktrees(common_dir).and_then(|worktrees| {
        let found = worktrees.iter().map(in_worktree).collect::<io::Result<Vec<_>>>()?;
        found.into_iter().flatten().map(|one| with_tool(common_dir, &worktrees, one)).collect()
    });
    match found {
        Ok(found) => Known::Seen(found),
        Err(error) => Known::Unknown(format!("cannot read the state of a worktree: {error}")),
    }
}

/// The same, with what tools do that align many branches: incremental merges, and processes that are at work now.
pub(crate) fn under_way(common_dir: &Path, refs: &Refs) -> Known<Vec<Unfinished>> {
    unfinished(common_dir).map(|mut found| {
        found.extend(aligners::imerges(refs));
        let places = worktrees(common_dir).unwrap_or_default();
        let files = places.into_iter().filter_map(|place| place.files);
        let places: Vec<_> = files.chain([common_dir.to_owned()]).collect();
        found.extend(aligners::at_work(&Processes::of_this_machine(), &places));
        found
    })
}

/// Names the tool that did it, where that shows.
fn with_tool(common_dir: &Path, worktrees: &[WorktreeDir], one: Unfinished) -> io::Result<Unfinished> {
    if one.operation != "rebase" && one.operation != "merge" {
        return Ok(one);
    }
    let place = worktrees.iter().find(|worktree| named(worktree) == one.worktree);
    let by = place.filter(|_| one.operation == "rebase").and_then(|place| aligners::of_rebase(&place.git_dir));
    let listed_by = match &one.branch {
        Some(branch) if by.is_none() => aligners::listing(common_dir, branch)?,
        _ => None,
    };
    Ok(Unfinished { by, listed_by, ..one })
}

/// How a worktree is called here: nothing for the main one.
fn named(worktree: &WorktreeDir) -> String {
    let place = worktree.files.as_ref().unwrap_or(&worktree.git_dir);
    if worktree.is_linked { place.display().to_string() } else { String::new() }
}

/// An operation, and the file that is written when it begins and not later.
type Sign = (&'static str, &'static str);

/// Signs of which the first that is there holds. A stopped rebase leaves those of a cherry-pick, too.
///
/// Source: wt-status.c of Git, `wt_status_get_state`.
const SIGNS: [Sign; 7] = [
    ("merge", "MERGE_HEAD"),
    ("am", "rebase-apply/applying"),
    ("rebase", "rebase-apply/head-name"),
    ("rebase", "rebase-merge/head-name"),
    ("cherry-pick", "CHERRY_PICK_HEAD"),
    ("revert", "REVERT_HEAD"),
    ("sequencer", "sequencer/head"),
];

/// Bisecting may go on beside any of them.
const BISECT: Sign = ("bisect", "BISECT_START");

/// User work that was stashed away: by rebase (both kinds) and by merge.
const STASHES: [&str; 3] = ["rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH"];

fn in_worktree(worktree: &WorktreeDir) -> io::Result<Vec<Unfinished>> {
    let mut found = Vec::new();
    for sign in SIGNS {
        if let Some(began_at) = began_at(&worktree.git_dir, sign.1)? {
            found.push(described(worktree, sign.0, began_at)?);
            break;
        }
    }
    let autostash = autostash(&worktree.git_dir)?;
    match (found.first_mut(), autostash) {
        (Some(operation), stash) => operation.autostash = stash.map(|(oid, _)| oid),
        (None, Some((oid, began_at))) => {
            let leftover = described(worktree, "autostash", began_at)?;
            found.push(Unfinished { autostash: Some(oid), ..leftover });
        }
        (None, None) => {}
    }
    if let Some(began_at) = began_at(&worktree.git_dir, BISECT.1)? {
        found.push(described(worktree, BISECT.0, began_at)?);
    }
    Ok(found)
}

fn described(worktree: &WorktreeDir, operation: &'static str, began_at: Timestamp) -> io::Result<Unfinished> {
    Ok(Unfinished {
        operation,
        worktree: named(worktree),
        branch: branch_of(&worktree.git_dir)?,
        began_at: Some(began_at),
        ..Unfinished::default()
    })
}

/// The branch that was left for the operation, or the one that HEAD is on. `None` where only git can tell.
fn branch_of(git_dir: &Path) -> io::Result<Option<RefName>> {
    match left_branches(git_dir)?.into_iter().next() {
        Some(left) => Ok(Some(left)),
        None => Ok(head_branch(git_dir).unwrap_or(None)),
    }
}

/// When this file was written; `None` when it is not there.
fn began_at(git_dir: &Path, file: &str) -> io::Result<Option<Timestamp>> {
    match fs::symlink_metadata(git_dir.join(file)) {
        Ok(metadata) => Ok(Some(Timestamp(metadata.mtime()))),
        Err(error) if files::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn autostash(git_dir: &Path) -> io::Result<Option<(Oid, Timestamp)>> {
    for file in STASHES {
        let oid = state_line(git_dir, file)?.and_then(|line| Oid::from_hex(&line).ok());
        if let (Some(oid), Some(began_at)) = (oid, began_at(git_dir, file)?) {
            return Ok(Some((oid, began_at)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alignwatch_testkit::{Repo, git_output, sketch};

    /// Two lines that conflict at `f`, and a file that is not committed when asked for.
    fn conflicting() -> Repo {
        sketch(
            "main: a(f=1, g=1) b(f=2)
             x:    a c(f=3) d(h=1)",
        )
        .worktree()
        .draw()
    }

    fn stops(repo: &Repo, args: &[&str]) {
        let output = git_output(repo.path(), args);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn seen(repo: &Repo) -> Vec<Unfinished> {
        unfinished(&repo.git_dir()).seen().unwrap().clone()
    }

    fn told(repo: &Repo) -> Vec<String> {
        let told = |one: Unfinished| {
            let branch = one.branch.map_or("-".into(), |name| name.short().to_string());
            let stash = if one.autostash.is_some() { " with stash" } else { "" };
            format!("{} {branch}{stash}", one.operation)
        };
        seen(repo).into_iter().map(told).collect()
    }

    #[test]
    fn a_repository_at_rest_has_nothing_unfinished() {
        assert_eq!(told(&conflicting()), [""; 0]);
        assert_eq!(told(&sketch("main: a").draw()), [""; 0], "bare");
    }

    #[test]
    fn what_git_leaves_half_done_is_named_as_git_names_it() {
        let cases: [(&[&str], &str, &str); 7] = [
            (&["merge", "x"], "merge main", "merge"),
            (&["rebase", "x"], "rebase main", "rebase"),
            (&["rebase", "--apply", "x"], "rebase main", "rebase"),
            (&["cherry-pick", "x~1"], "cherry-pick main", "cherry-pick"),
            (&["cherry-pick", "x~1", "x"], "cherry-pick main", "cherry-pick"),
            (&["revert", "x~1"], "revert main", "revert"),
            (&["rebase", "--interactive", "x"], "rebase main", "rebase"),
        ];
        for (args, expected, operation) in cases {
            let repo = conflicting();
            stops(&repo, args);
            assert_eq!(told(&repo), [expected], "{args:?}");
            repo.git([operation, "--abort"]);
            assert_eq!(told(&repo), [""; 0], "after {operation} --abort");
        }
    }

    #[test]
    fn work_that_was_stashed_away_is_seen() {
        for args in [
            &["rebase", "--autostash", "x"][..],
            &["rebase", "--apply", "--autostash", "x"],
            &["merge", "--autostash", "x"],
        ] {
            let repo = conflicting();
            fs::write(repo.path().join("g"), "not committed").unwrap();
            stops(&repo, args);
            let [operation] = &seen(&repo)[..] else { panic!("{args:?}: {:?}", seen(&repo)) };
            let stash = operation.autostash.unwrap().hex();
            let kept = repo.git(["diff", "--name-only", &format!("{stash}^"), &stash]);
            assert_eq!(kept, "g", "{args:?}");
        }
    }

    #[test]
    fn am_and_bisect_are_told_apart_from_the_rest() {
        let repo = conflicting();
        let patch = repo.room().join("patch");
        fs::write(&patch, repo.git(["format-patch", "--stdout", "-1", "x~1"])).unwrap();
        stops(&repo, &["am", patch.to_str().unwrap()]);
        assert_eq!(told(&repo), ["am main"]);
        repo.git(["am", "--abort"]);
        repo.git(["bisect", "start", "x", "x~2"]);
        assert_eq!(told(&repo), ["bisect main"]);
    }

    #[test]
    fn a_sequence_between_two_picks_is_still_unfinished() {
        let repo = conflicting();
        stops(&repo, &["cherry-pick", "x~1", "x"]);
        fs::remove_file(repo.git_dir().join("CHERRY_PICK_HEAD")).unwrap();
        assert_eq!(told(&repo), ["sequencer main"]);
    }

    #[test]
    fn state_belongs_to_its_worktree() {
        let repo = conflicting();
        let place = repo.room().join("linked");
        repo.git(["worktree", "add", "--quiet", place.to_str().unwrap(), "x"]);
        assert!(!git_output(&place, ["rebase", "main"]).status.success());
        let [operation] = &seen(&repo)[..] else { panic!("{:?}", seen(&repo)) };
        assert_eq!(operation.worktree, place.display().to_string());
        assert_eq!(operation.branch, Some("refs/heads/x".into()));
        let began = fs::metadata(repo.git_dir().join("worktrees/linked/rebase-merge/head-name")).unwrap().mtime();
        assert_eq!(operation.began_at, Some(Timestamp(began)));
    }

    #[test]
    fn a_state_that_cannot_be_read_is_unknown() {
        let repo = conflicting();
        let git_dir = repo.git_dir();
        fs::create_dir(git_dir.join("MERGE_AUTOSTASH")).unwrap();
        assert!(unfinished(&git_dir).reason().is_some(), "a folder in place of a file");
    }
}
