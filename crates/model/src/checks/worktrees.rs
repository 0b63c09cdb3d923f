//! `worktree-gone`, `worktree-locked`, `worktree-sprawl`, `worktree-twice`, `unmerged-index`: what worktrees leave behind.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Finding, Known, Look, RefName, Remedy, Severity,
    facts::worktrees::{Place, Worktree, WorktreeLock},
    quote::shell_word,
};

/// Linked worktrees whose files are gone or elsewhere, as one finding for each kind.
pub(super) static GONE: Check = Check {
    id: "worktree-gone",
    title: "Worktrees whose files are gone or moved",
    looks_at: "Each linked worktree: whether its folder is there, and whether the `.git` in it leads back here",
    why: "Its branch counts as checked out and cannot be aligned, and pruning a worktree that only moved loses what is staged in it",
    severity: Severity::Warning,
    family: Family::Worktrees,
    needs: &[Look::Worktrees],
    git_says: Some("git worktree list --porcelain"),
    runbook: Runbook {
        look: "`git worktree list --verbose` shows `prunable` with the reason",
        mend: "Moved: run `git worktree repair <new path>`. Gone for good: look what would go with `git worktree prune --dry-run --verbose`, then `git worktree prune`",
        sure: "`git worktree list` no longer says `prunable`",
        undo: Some(
            "A repair is undone by `git worktree repair <old path>`. A pruned worktree is added again with `git worktree add <path> <branch>`; what was staged in it is lost",
        ),
    },
    threshold: None,
    judge: gone,
};

/// Worktrees that a process locked which is dead, as one finding.
pub(super) static LOCKED: Check = Check {
    id: "worktree-locked",
    title: "Worktrees locked by a process that is dead",
    looks_at: "The reason of each worktree lock, and whether the process that it names is alive",
    why: "A locked worktree is never pruned: its branch stays checked out for ever and cannot be aligned",
    severity: Severity::Warning,
    family: Family::Worktrees,
    needs: &[Look::Worktrees],
    git_says: Some("git worktree list --porcelain"),
    runbook: Runbook {
        look: "`git worktree list --verbose` shows the reason of each lock; `ps -p <number>` shows whether its process lives",
        mend: "Run `git worktree unlock <path>` once you are sure that the process is dead, then look at the worktree before you remove it",
        sure: "`git worktree list --verbose` no longer says `locked` for it",
        undo: Some("`git worktree lock --reason <text> <path>`"),
    },
    threshold: None,
    judge: locked,
};

/// More worktrees than people can keep in mind.
pub(super) static SPRAWL: Check = Check {
    id: "worktree-sprawl",
    title: "Too many worktrees",
    looks_at: "The number of linked worktrees",
    why: "Each holds a branch that cannot be aligned elsewhere, and keeps its commits from being cleaned up",
    severity: Severity::Warning,
    family: Family::Worktrees,
    needs: &[Look::Worktrees],
    git_says: Some("git worktree list"),
    runbook: Runbook {
        look: "`git worktree list` shows all; `git -C <path> status` shows what is not committed",
        mend: "Run `git worktree remove <path>` for those that are done: it refuses where something is not committed. Never force it",
        sure: "`git worktree list | wc -l` is below the limit",
        undo: Some("`git worktree add <path> <branch>` brings a worktree back; its branch was not touched"),
    },
    threshold: Some(ThresholdSpec {
        default: 20,
        range: (1, 10_000),
        unit: "worktrees",
        source: "ours; a public report of agents that left 109 worktrees behind began at about 20",
    }),
    judge: sprawl,
};

/// Branches that two or more worktrees have checked out, as one finding.
pub(super) static TWICE: Check = Check {
    id: "worktree-twice",
    title: "A branch in several worktrees",
    looks_at: "HEAD of each worktree",
    why: "A commit or alignment in one makes the other look as if it took everything back; committing there does so",
    severity: Severity::Warning,
    family: Family::Worktrees,
    needs: &[Look::Worktrees],
    git_says: Some("git worktree list --porcelain"),
    runbook: Runbook {
        look: "`git worktree list` shows the branch of each worktree",
        mend: "Run `git switch --detach` in all but one of them, after `git status` there; never use `--force` or `--ignore-other-worktrees`",
        sure: "`git worktree list` shows each branch once",
        undo: Some("`git switch <branch>` in the worktree"),
    },
    threshold: None,
    judge: twice,
};

/// Paths of an index that a merge left open although no merge is under way.
pub(super) static UNMERGED: Check = Check {
    id: "unmerged-index",
    title: "Paths left unmerged",
    looks_at: "The index of each worktree, and whether an operation is under way there",
    why: "Git refuses to commit, merge or switch until they are resolved, and nothing says how they came to be",
    severity: Severity::Warning,
    family: Family::Locks,
    needs: &[Look::Worktrees, Look::Unfinished],
    git_says: Some("git ls-files --unmerged"),
    runbook: Runbook {
        look: "`git ls-files --unmerged` lists the paths with their three sides; `git status` explains",
        mend: "Edit the files and run `git add <path>`; or, to take the committed state of a path and lose the edits to it, `git checkout HEAD -- <path>`",
        sure: "`git ls-files --unmerged` prints nothing",
        undo: Some(
            "`git checkout --merge -- <path>` brings the conflict of a path back, as long as it was not committed",
        ),
    },
    threshold: None,
    judge: unmerged,
};

/// Indexes that Git gives up on.
pub(super) static INDEX: Check = Check {
    id: "index-readable",
    title: "The index is damaged",
    looks_at: "The entries of the index of each worktree, by rules of our own; an index that is split in two files is not followed. Its checksum is compared by `object-check`",
    why: "Without it Git can tell neither what is staged nor what changed, and no alignment can run there",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Worktrees],
    git_says: Some("git ls-files --stage (its exit code)"),
    runbook: Runbook {
        look: "`git ls-files --stage` gives up on it; `ls -l .git/index` shows its size",
        mend: "Move it aside and run `git read-tree HEAD`: it is made anew from the last commit. What was staged and not committed is not in it; the contents are still objects: `git fsck --lost-found`",
        sure: "`git ls-files --stage` and `git status` end with 0",
        undo: Some("Move the file back from `.git/quarantine`"),
    },
    threshold: None,
    judge: index,
};

fn worktrees<'a>(seen: &Seen<'a>) -> Result<&'a [Worktree], Outcome> {
    match &seen.snapshot.facts.worktrees {
        Known::Seen(all) => Ok(all),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn linked<'a>(seen: &Seen<'a>) -> Result<Vec<&'a Worktree>, Outcome> {
    Ok(worktrees(seen)?.iter().filter(|worktree| !worktree.git_dir.is_empty()).collect())
}

/// How people call it: by its files, or its folder where these are not written down.
fn called(worktree: &Worktree) -> &str {
    if worktree.path.is_empty() { &worktree.git_dir } else { &worktree.path }
}

fn gone(seen: &Seen<'_>) -> Outcome {
    let linked = match linked(seen) {
        Ok(linked) => linked,
        Err(outcome) => return outcome,
    };
    let at = |place| linked.iter().copied().filter(move |one| one.place == Known::Seen(place)).collect::<Vec<_>>();
    let (gone, foreign) = (at(Place::Gone), at(Place::Foreign));
    let mut findings = Vec::new();
    findings.extend((!gone.is_empty()).then(|| not_there(seen, &gone)));
    findings.extend((!foreign.is_empty()).then(|| elsewhere(seen, &foreign)));
    Outcome {
        findings,
        unknown: unjudged("worktree", linked.iter().filter_map(|one| one.place.reason())),
        skipped: None,
    }
}

fn not_there(seen: &Seen<'_>, gone: &[&Worktree]) -> Finding {
    let is_locked = |one: &&&Worktree| matches!(one.lock, Known::Seen(Some(_)));
    let n_locked = gone.iter().filter(is_locked).count();
    let summary = format!("The files of {} are gone, such as {}", count(gone.len(), "worktree"), called(gone[0]));
    seen.finding(Severity::Warning, "gone", called(gone[0]), summary)
        .names("worktrees", gone.iter().map(|one| called(one)))
        .fact("n_locked", n_locked)
        .fact("source", "git worktree list --porcelain")
        .so("Its branch counts as checked out, so it can be neither aligned nor deleted.")
        .mend(Remedy::reversible(
            "If the files were moved, name the new place: git worktree repair <path>. If they are on a disk that is away, \
             wait for it. Otherwise see what would go, and then prune; what was staged there goes with it.",
            ["git worktree prune --dry-run --verbose".to_owned()],
        ))
}

fn elsewhere(seen: &Seen<'_>, foreign: &[&Worktree]) -> Finding {
    let summary = format!(
        "{} {} not where {} should be, such as {}: the `.git` there leads elsewhere",
        count(foreign.len(), "worktree"),
        agree(foreign.len(), "is", "are"),
        agree(foreign.len(), "it", "they"),
        called(foreign[0])
    );
    seen.finding(Severity::Warning, "moved", called(foreign[0]), summary)
        .names("worktrees", foreign.iter().map(|one| called(one)))
        .fact("source", "the file `gitdir` of the worktree, and `.git` at that path")
        .so("Git works in the wrong place, and `git worktree prune` can throw a worktree away that is in use.")
        .mend(Remedy::reversible(
            "Look which repository owns that folder. If it is this one, repair it; undo by naming the old path again.",
            [format!("git worktree repair {}", shell_word(foreign[0].path.as_bytes()))],
        ))
}

fn locked(seen: &Seen<'_>) -> Outcome {
    let linked = match linked(seen) {
        Ok(linked) => linked,
        Err(outcome) => return outcome,
    };
    let mut dead: Vec<(&Worktree, &WorktreeLock, u32)> = Vec::new();
    let mut reasons = Vec::new();
    for worktree in linked {
        match &worktree.lock {
            Known::Unknown(reason) => reasons.push(reason.as_str()),
            Known::Seen(Some(lock @ WorktreeLock { process: Some((pid, is_alive)), .. })) => match is_alive {
                Known::Seen(false) => dead.push((worktree, lock, *pid)),
                Known::Seen(true) => {}
                Known::Unknown(reason) => reasons.push(reason.as_str()),
            },
            Known::Seen(_) => {}
        }
    }
    Outcome {
        findings: (!dead.is_empty()).then(|| held_by_dead(seen, &dead)).into_iter().collect(),
        unknown: unjudged("worktree lock", reasons),
        skipped: None,
    }
}

fn held_by_dead(seen: &Seen<'_>, dead: &[(&Worktree, &WorktreeLock, u32)]) -> Finding {
    let (first, _, pid) = dead[0];
    let summary = format!(
        "{} {} locked by a process that is dead, such as {} by process {pid}",
        count(dead.len(), "worktree"),
        agree(dead.len(), "is", "are"),
        called(first)
    );
    let told = dead.iter().map(|(worktree, lock, _)| format!("{}: {}", called(worktree), lock.reason));
    let path = shell_word(first.path.as_bytes());
    seen.finding(Severity::Warning, "", called(first), summary)
        .names("worktrees", told)
        .fact("source", "the file `locked` of the worktree, and /proc")
        .so("Nobody works there, and yet its branch stays checked out and is never cleaned up.")
        .mend(Remedy::reversible(
            format!(
                "Make sure that the process is dead. Then unlock it, and look at what is not committed before you remove it. \
                 Undo: git worktree lock {path}"
            ),
            [format!("git worktree unlock {path}")],
        ))
}

fn sprawl(seen: &Seen<'_>) -> Outcome {
    let linked = match linked(seen) {
        Ok(linked) => linked,
        Err(outcome) => return outcome,
    };
    let (limit, threshold) = seen.threshold();
    if linked.len() as i64 <= limit {
        return Outcome::default();
    }
    let mut oldest: Vec<&Worktree> = linked.clone();
    oldest.sort_by_key(|one| one.used_at.seen().copied());
    let summary = format!("There are {} (limit {limit})", count(linked.len(), "linked worktree"));
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", "worktrees", summary)
            .names("longest_unused", oldest.iter().map(|one| called(one)))
            .fact("source", "git worktree list")
            .against(threshold)
            .so("Every one of their branches is taken: it can only be aligned in its own worktree.")
            .mend(Remedy::reversible(
                "Remove those that are done, the longest unused first: git worktree remove <path> refuses where something \
                 is not committed; never force it.",
                ["git worktree list".to_owned()],
            )),
    ])
}

fn twice(seen: &Seen<'_>) -> Outcome {
    let all = match worktrees(seen) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    let mut by_branch = BTreeMap::<&RefName, Vec<&Worktree>>::new();
    for worktree in all {
        if let Known::Seen(Some(branch)) = &worktree.branch {
            by_branch.entry(branch).or_default().push(worktree);
        }
    }
    let shared: Vec<_> = by_branch.into_iter().filter(|(_, worktrees)| worktrees.len() > 1).collect();
    Outcome {
        findings: (!shared.is_empty()).then(|| in_several(seen, &shared)).into_iter().collect(),
        unknown: unjudged("worktree", all.iter().filter_map(|one| one.branch.reason())),
        skipped: None,
    }
}

fn in_several(seen: &Seen<'_>, shared: &[(&RefName, Vec<&Worktree>)]) -> Finding {
    let (branch, worktrees) = &shared[0];
    let summary = format!(
        "{} {} checked out in several worktrees, such as {} in {}",
        count(shared.len(), "branch"),
        agree(shared.len(), "is", "are"),
        quoted(branch),
        worktrees.iter().map(|one| called(one)).collect::<Vec<_>>().join(" and ")
    );
    let told = shared
        .iter()
        .flat_map(|(branch, worktrees)| worktrees.iter().map(move |one| format!("{}: {}", branch.text(), called(one))));
    let last = worktrees.last().map(|one| shell_word(one.path.as_bytes())).unwrap_or_default();
    seen.finding(Severity::Warning, "", quoted(branch), summary)
        .names("worktrees", told)
        .fact("source", "git worktree list --porcelain")
        .so("An alignment in one of them changes the branch under the other, whose next commit takes the alignment back.")
        .mend(Remedy::reversible(
            format!(
                "Keep it in one worktree. Look at git status in the other, then detach that one: its files stay as they are. \
                 Undo: git -C {last} switch --ignore-other-worktrees {}",
                shell_word(branch.short().as_bytes())
            ),
            [format!("git -C {last} switch --detach")],
        ))
}

fn unmerged(seen: &Seen<'_>) -> Outcome {
    let all = match worktrees(seen) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    let busy = match &seen.snapshot.unfinished {
        Known::Seen(unfinished) => unfinished,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let is_busy = |worktree: &Worktree| {
        let name = if worktree.git_dir.is_empty() { "" } else { called(worktree) };
        busy.iter().any(|one| one.worktree == name && one.operation != "bisect" && one.operation != "autostash")
    };
    let left = all.iter().filter_map(|one| Some((one, one.unmerged.seen()?)));
    let left = left.filter(|(one, unmerged)| unmerged.n_paths > 0 && !is_busy(one));
    let findings = left.map(|(one, unmerged)| {
        let place = if called(one).is_empty() { "the working tree" } else { called(one) };
        let summary = format!(
            "{} in {place} {} unmerged though no merge is under way, such as {}",
            count(unmerged.n_paths, "file"),
            agree(unmerged.n_paths, "is", "are"),
            unmerged.examples.first().map_or("", |path| path)
        );
        seen.finding(Severity::Warning, called(one), place, summary)
            .fact("paths", unmerged.examples.clone())
            .fact("n_paths", unmerged.n_paths)
            .fact("source", "git ls-files --unmerged")
            .so("Nothing can be committed or aligned there until they are resolved.")
            .mend(Remedy::reversible(
                "Edit the files, then git add them. Undo before the commit: git checkout --merge -- <path>",
                [format!("git -C {} status", shell_word(if one.path.is_empty() { b"." } else { one.path.as_bytes() }))],
            ))
    });
    Outcome {
        findings: findings.collect(),
        unknown: unjudged("index", all.iter().filter_map(|one| one.unmerged.reason())),
        skipped: None,
    }
}

fn index(seen: &Seen<'_>) -> Outcome {
    let all = match worktrees(seen) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    let damaged = all.iter().filter_map(|one| Some((one, one.index_damage.seen()?.as_deref()?)));
    Outcome {
        findings: damaged.map(|(one, what)| unreadable(seen, one, what)).collect(),
        unknown: unjudged("index", all.iter().filter_map(|one| one.index_damage.reason())),
        skipped: None,
    }
}

fn unreadable(seen: &Seen<'_>, one: &Worktree, what: &str) -> Finding {
    let git_dir = &seen.snapshot.repository.git_dir;
    let word = |text: &str| shell_word(text.as_bytes());
    let own = if one.git_dir.is_empty() { git_dir.clone() } else { format!("{git_dir}/{}", one.git_dir) };
    let aside = format!("{own}/quarantine-{}", seen.snapshot.seen_at.0);
    let place = if one.path.is_empty() { "." } else { &one.path };
    seen.finding(Severity::Error, called(one), called(one), format!("The index of {} is damaged: {what}", called(one)))
        .fact("source", "git ls-files --stage; the index, read here")
        .so("Git can do nothing with the files there, so nothing can be aligned.")
        .mend(Remedy::reversible(
            "Move it aside and make it anew from the last commit; files stay as they are. What was staged and not committed \
             is not in it: git fsck --lost-found shows such contents. Undo: move the file back.",
            [
                format!("mkdir -p -- {}", word(&aside)),
                format!("mv -n -- {} {}/", word(&format!("{own}/index")), word(&aside)),
                format!("git -C {} read-tree HEAD", word(place)),
            ],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::worktrees::Unmerged, snapshot::Unfinished};

    fn worktree(name: &str, branch: &str) -> Worktree {
        Worktree {
            path: format!("/{name}"),
            git_dir: if name == "main" { String::new() } else { format!("worktrees/{name}") },
            branch: Known::Seen(Some(branch.into())),
            place: Known::Seen(Place::Here),
            lock: Known::Seen(None),
            unmerged: Known::Seen(Unmerged::default()),
            index_damage: Known::Seen(None),
            used_at: Known::Seen(days_ago(1)),
        }
    }

    fn with(worktrees: Vec<Worktree>) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.worktrees = Known::Seen(worktrees);
        snapshot
    }

    fn two(change: impl FnOnce(&mut Worktree)) -> Snapshot {
        let mut second = worktree("w", "refs/heads/x");
        change(&mut second);
        with(vec![worktree("main", "refs/heads/main"), second])
    }

    const ALL: [&Check; 6] = [&GONE, &LOCKED, &SPRAWL, &TWICE, &UNMERGED, &INDEX];

    #[test]
    fn worktrees_in_order_are_fine() {
        for check in ALL {
            assert_eq!(judged(check, &two(|_| {})), Outcome::default(), "{}", check.id);
        }
    }

    #[test]
    fn worktrees_that_could_not_be_read_are_unknown() {
        for check in ALL {
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
        let unread = two(|one| {
            let reason = || "permission denied".to_owned();
            (one.place, one.lock) = (Known::Unknown(reason()), Known::Unknown(reason()));
            (one.branch, one.unmerged) = (Known::Unknown(reason()), Known::Unknown(reason()));
            one.index_damage = Known::Unknown(reason());
        });
        for check in [&GONE, &LOCKED, &TWICE, &UNMERGED, &INDEX] {
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn a_damaged_index_is_moved_aside_and_made_anew() {
        let finding = only(judged(&INDEX, &two(|one| one.index_damage = Known::Seen(Some("it is cut off".into())))));
        assert_eq!(told([&finding]), "[error] index-readable:/w: The index of /w is damaged: it is cut off");
        assert_eq!(finding.remedy.commands[2], "git -C /w read-tree HEAD");
    }

    #[test]
    fn gone_and_moved_are_told_apart() {
        assert_eq!(
            told(&judged(&GONE, &two(|one| one.place = Known::Seen(Place::Gone))).findings),
            "[warning] worktree-gone:gone: The files of 1 worktree are gone, such as /w"
        );
        assert_eq!(
            told(&judged(&GONE, &two(|one| one.place = Known::Seen(Place::Foreign))).findings),
            "[warning] worktree-gone:moved: 1 worktree is not where it should be, such as /w: the `.git` there leads elsewhere"
        );
    }

    #[test]
    fn only_a_dead_process_makes_a_lock_wrong() {
        let by = |process| {
            two(|one| one.lock = Known::Seen(Some(WorktreeLock { reason: "agent (pid 77)".into(), process })))
        };
        let dead = only(judged(&LOCKED, &by(Some((77, Known::Seen(false))))));
        assert_eq!(
            told([&dead]),
            "[warning] worktree-locked: 1 worktree is locked by a process that is dead, such as /w by process 77"
        );
        assert_eq!(dead.remedy.commands, ["git worktree unlock /w"]);
        assert_eq!(judged(&LOCKED, &by(Some((77, Known::Seen(true))))), Outcome::default());
        assert_eq!(judged(&LOCKED, &by(None)), Outcome::default(), "a person's lock stays");
        assert!(judged(&LOCKED, &by(Some((77, Known::Unknown("a container".into()))))).unknown.is_some());
    }

    #[test]
    fn sprawl_begins_beyond_the_limit() {
        let many =
            |n: usize| with((0..n).map(|at| worktree(&format!("w{at}"), &format!("refs/heads/b{at}"))).collect());
        assert_eq!(judged(&SPRAWL, &many(20)), Outcome::default());
        assert_eq!(
            told(&judged(&SPRAWL, &many(21)).findings),
            "[warning] worktree-sprawl: There are 21 linked worktrees (limit 20)"
        );
    }

    #[test]
    fn a_branch_in_two_worktrees_is_named() {
        let finding = only(judged(&TWICE, &two(|one| one.branch = Known::Seen(Some("refs/heads/main".into())))));
        assert_eq!(
            told([&finding]),
            "[warning] worktree-twice: 1 branch is checked out in several worktrees, such as `main` in /main and /w"
        );
        assert_eq!(finding.remedy.commands, ["git -C /w switch --detach"]);
    }

    #[test]
    fn unmerged_paths_are_wrong_only_where_no_merge_is_under_way() {
        let mut left = two(|one| one.unmerged = Known::Seen(Unmerged { n_paths: 2, examples: vec!["a".into()] }));
        assert_eq!(
            told(&judged(&UNMERGED, &left).findings),
            "[warning] unmerged-index:/w: 2 files in /w are unmerged though no merge is under way, such as a"
        );
        left.unfinished =
            Known::Seen(vec![Unfinished { operation: "merge", worktree: "/w".into(), ..Unfinished::default() }]);
        assert_eq!(judged(&UNMERGED, &left), Outcome::default());
    }
}
