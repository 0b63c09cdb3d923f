//! Sees what an alignment run could change: all refs, and what is half done in every worktree.
//!
//! Quick, since somebody's command waits for it: files alone, no object is read. Only a repository that keeps its
//! refs in tables needs a git.

use std::{collections::BTreeMap, path::Path};

use alignwatch_model::{
    Known, Oid, Timestamp,
    run::{Moved, Op, RefMove, Seen, StateLeft},
};

use crate::{
    files,
    health::index,
    objects::Objects,
    refs::{Refs, read_files, read_refs},
    repository::{Opened, RefBackend},
    run::{Git, GitAt},
    stop::Stop,
    unfinished::unfinished,
    worktrees::worktrees,
};

/// Largest state of an imerge that is read. Source: ours; one for 1,000 merges has 100 KiB.
const IMERGE_BYTES: u64 = 4 << 20;

/// Bytes of the reflog of stashes that are read. Source: ours; a stash has some hundred.
const STASHES_BYTES: u64 = 16 << 20;

/// What is there now.
pub fn witness(opened: &Opened) -> Known<Seen> {
    let refs = match opened.ref_backend {
        RefBackend::Files => read_files(opened),
        RefBackend::Reftable => match Git::find().and_then(|git| git.at(opened).map(|at| read_refs(opened, &at))) {
            Ok(refs) => refs,
            Err(error) => return Known::Unknown(error.to_string()),
        },
    };
    match refs {
        Ok(refs) => seen(opened, &refs),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

fn seen(opened: &Opened, refs: &Refs) -> Known<Seen> {
    let places = match worktrees(&opened.common_dir) {
        Ok(places) => places,
        Err(error) => return Known::Unknown(format!("cannot list the worktrees: {error}")),
    };
    let half_done = match unfinished(&opened.common_dir) {
        Known::Seen(found) => found,
        Known::Unknown(reason) => return Known::Unknown(reason),
    };
    let unmerged = |worktree: &str| {
        let place = places.iter().find(|place| {
            let files = place.files.as_ref().unwrap_or(&place.git_dir);
            if worktree.is_empty() {
                !place.is_linked
            } else {
                place.is_linked && files.display().to_string() == worktree
            }
        })?;
        index::unmerged(&place.git_dir, &opened.object_format).seen().map(|unmerged| unmerged.n_paths as u32)
    };
    let mut left: Vec<StateLeft> = half_done
        .into_iter()
        .map(|one| StateLeft {
            operation: one.operation.to_owned(),
            n_unmerged: unmerged(&one.worktree),
            place: one.worktree,
            branch: one.branch.map(|name| name.text().into_owned()),
            mark: one.began_at.map_or_else(String::new, Timestamp::rfc3339),
            was_there: false,
        })
        .collect();
    left.extend(imerges(refs));
    let stashes = match stashes(&opened.common_dir) {
        Ok(stashes) => stashes,
        Err(error) => return Known::Unknown(format!("the stashes can't be read: {error}")),
    };
    let log_bytes = |dir: &Path| std::fs::metadata(dir.join("logs/HEAD")).map_or(0, |metadata| metadata.len());
    Known::Seen(Seen {
        refs: refs.all.iter().map(|one| (one.name.text().into_owned(), one.oid.hex())).collect(),
        half_done: left,
        head_log_bytes: places.iter().map(|place| log_bytes(&place.git_dir)).sum(),
        stashes,
    })
}

/// The ids of all stashes: each is a line of one reflog, `OLD NEW …`; its message may be in any encoding.
fn stashes(common_dir: &Path) -> std::io::Result<Vec<String>> {
    let log = files::read(&common_dir.join("logs/refs/stash"), STASHES_BYTES)?.unwrap_or_default();
    let new = |line: &[u8]| Some(String::from_utf8_lossy(line.split(|&byte| byte == b' ').nth(1)?).into_owned());
    Ok(log.split(|&byte| byte == b'\n').filter_map(new).collect())
}

/// Incremental merges that are under way: git-imerge keeps the state of each in a blob at this ref.
fn imerges(refs: &Refs) -> Vec<StateLeft> {
    let state = |one: &crate::refs::Ref| {
        let name = one.name.as_bytes().strip_prefix(b"refs/imerge/")?.strip_suffix(b"/state")?;
        Some(StateLeft {
            operation: "imerge".to_owned(),
            place: String::from_utf8_lossy(name).into_owned(),
            mark: one.oid.hex(),
            ..StateLeft::default()
        })
    };
    refs.under(b"refs/imerge/").filter_map(state).collect()
}

/// Looks into the states of imerges: how many merges are blocked by a conflict.
pub fn look_into_imerges(opened: &Opened, seen: &mut Seen) {
    let Ok(objects) = Objects::open(&opened.objects_dir, &opened.object_format) else { return };
    for state in seen.half_done.iter_mut().filter(|state| state.operation == "imerge") {
        let text =
            Oid::from_hex(state.mark.as_bytes()).ok().and_then(|oid| objects.blob_up_to(&oid, IMERGE_BYTES).ok());
        state.n_unmerged = text.map(|text| n_blockers(&text));
    }
}

/// The pairs in `"blockers": [[1, 2], …]`. Source: git-imerge 1.2, `MergeState.save`.
fn n_blockers(state: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(state);
    let Some((_, rest)) = text.split_once("\"blockers\"") else { return 0 };
    let mut depth = 0_u32;
    let mut pairs = 0;
    for sign in rest.chars() {
        match sign {
            '[' => {
                depth += 1;
                pairs += u32::from(depth == 2);
            }
            ']' if depth <= 1 => break,
            ']' => depth -= 1,
            _ => {}
        }
    }
    pairs
}

/// How branches that moved stand to their bases now, and how their old tips do.
///
/// `base_of` names the base of a branch and where it is. What cannot be counted, or not in time, is left out.
pub fn drift(
    git: &GitAt<'_>,
    moves: &[RefMove],
    base_of: &dyn Fn(&str) -> Option<(String, Oid)>,
    stop: &Stop,
) -> BTreeMap<String, Moved> {
    let mut drift = BTreeMap::new();
    for one in moves.iter().filter(|one| one.name.starts_with("refs/heads/")) {
        if stop.is_due() {
            break;
        }
        let Some((base, base_oid)) = base_of(&one.name) else { continue };
        let behind = |tip: &Option<String>| lacks(git, base_oid, tip.as_deref()?);
        let (behind_before, behind_after) = (behind(&one.before), behind(&one.after));
        let op = done(git, one, moves, &base, behind_before.zip(behind_after));
        drift.insert(one.name.clone(), Moved { base, base_oid: base_oid.hex(), behind_before, behind_after, op });
    }
    drift
}

/// Commits of the base that this tip lacks.
fn lacks(git: &GitAt<'_>, base: Oid, tip: &str) -> Option<u32> {
    let counted = git.command("rev-list").option("--count").revision(base.hex()).revision(format!("^{tip}")).run();
    std::str::from_utf8(&counted.ok()?.stdout).ok()?.trim().parse().ok()
}

/// What a move was; `None` where it cannot be counted. A base that moved in the run, too, counts as it was.
fn done(git: &GitAt<'_>, one: &RefMove, moves: &[RefMove], base: &str, behind: Option<(u32, u32)>) -> Option<Op> {
    let (before, after) = (one.before.as_deref()?, one.after.as_deref()?);
    let (n_left, n_new) = apart(git, before, after)?;
    if one.name == base {
        return Some(if n_left == 0 { Op::FastForward } else { Op::Rewrite });
    }
    let old_base = moves.iter().find(|other| other.name == base).and_then(|other| other.before.as_deref());
    let (behind_before, behind_after) = match old_base.map(|oid| Oid::from_hex(oid.as_bytes())) {
        None => behind?,
        Some(Ok(old_base)) => (lacks(git, old_base, before)?, lacks(git, old_base, after)?),
        Some(Err(_)) => return None,
    };
    Some(Op::of_move(n_left, n_new, behind_before.saturating_sub(behind_after)))
}

/// Commits that only the first reaches, and those that only the second does.
fn apart(git: &GitAt<'_>, first: &str, second: &str) -> Option<(u32, u32)> {
    let counted = git.command("rev-list").option("--count").option("--left-right");
    let counted = counted.revision(format!("{first}...{second}")).run().ok()?;
    let (left, right) = std::str::from_utf8(&counted.stdout).ok()?.trim().split_once('\t')?;
    Some((left.parse().ok()?, right.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::open;
    use alignwatch_testkit::{git_output, sketch};

    #[test]
    fn a_stopped_rebase_is_seen_with_its_branch_and_its_conflicts() {
        let repo = sketch("main: a(f=1) b(f=2)\n x: a c(f=3)").worktree().draw();
        let before = witness(&open(repo.path()).unwrap());
        assert_eq!(before.seen().unwrap().refs.len(), 2);
        assert!(!git_output(repo.path(), ["rebase", "main", "x"]).status.success());
        let after = witness(&open(repo.path()).unwrap());
        let [left] = &after.seen().unwrap().half_done[..] else { panic!("{after:?}") };
        let told = (left.operation.as_str(), left.branch.as_deref(), left.n_unmerged);
        assert_eq!(told, ("rebase", Some("refs/heads/x"), Some(1)));
        assert!(before.seen().unwrap().head_log_bytes < after.seen().unwrap().head_log_bytes);
    }

    #[test]
    fn the_drift_of_a_moved_branch_is_that_of_git() {
        let repo = sketch("main: a b c\n x: a d\n y: c e").draw();
        let opened = open(repo.path()).unwrap();
        let git = Git::find().unwrap();
        let git = git.at(&opened).unwrap();
        let moves = [RefMove {
            name: "refs/heads/x".into(),
            before: Some(repo.oid("d").hex()),
            after: Some(repo.oid("e").hex()),
        }];
        let base_of = |_: &str| Some(("refs/heads/main".to_owned(), repo.oid("c")));
        let drift = drift(&git, &moves, &base_of, &Stop::default());
        let x = &drift["refs/heads/x"];
        assert_eq!((x.behind_before, x.behind_after, x.op), (Some(2), Some(0), Some(Op::Rebase)));
    }

    #[test]
    fn a_base_that_moves_in_the_run_counts_as_it_was() {
        let repo = sketch("main: a b c\n x: a d\n y: d e<c n").draw();
        let opened = open(repo.path()).unwrap();
        let git = Git::find().unwrap();
        let git = git.at(&opened).unwrap();
        let moved = |name: &str, before: &str, after: &str| RefMove {
            name: format!("refs/heads/{name}"),
            before: Some(repo.oid(before).hex()),
            after: Some(repo.oid(after).hex()),
        };
        let base_of = |_: &str| Some(("refs/heads/main".to_owned(), repo.oid("n")));
        let op = |moves: &[RefMove], name: &str| drift(&git, moves, &base_of, &Stop::default())[name].op;
        let both = [moved("x", "d", "n"), moved("main", "c", "n")];
        assert_eq!(op(&both, "refs/heads/x"), Some(Op::Merge), "main followed it");
        assert_eq!(op(&both, "refs/heads/main"), Some(Op::FastForward));
        let reset = [moved("x", "n", "c"), moved("main", "n", "c")];
        assert_eq!(op(&reset, "refs/heads/main"), Some(Op::Rewrite));
    }

    #[test]
    fn blockers_of_an_imerge_are_counted() {
        assert_eq!(n_blockers(br#"{"blockers": [[1, 2], [3, 1]], "x": [[1]]}"#), 2);
        assert_eq!(n_blockers(br#"{"blockers": []}"#), 0);
        assert_eq!(n_blockers(b"nonsense"), 0);
    }
}
