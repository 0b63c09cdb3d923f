//! `line-end-noise`, `landed-worktree`: changes in worktrees that no commit holds.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, RefName, Remedy, Severity,
    facts::worktrees::{Changed, Changes},
    quote::shell_word,
};

/// Files that are reported as changed although only the ends of their lines differ, one finding for each worktree.
pub(super) static NOISE: Check = Check {
    id: "line-end-noise",
    title: "Files that look changed and are not",
    looks_at: "Tracked files that `git status` reports, and whether any line of them differs but for its end",
    why: "The tree never gets clean: alignments refuse to begin, and a careless commit rewrites every line of a file",
    severity: Severity::Warning,
    family: Family::Configuration,
    needs: &[Look::Changes],
    git_says: Some("git diff --ignore-cr-at-eol --numstat"),
    runbook: Runbook {
        look: "`git status --short` lists the files; `git diff --ignore-cr-at-eol --stat` does not show them; `git ls-files --eol` shows the ends of lines",
        mend: "Say in `.gitattributes` which files are text (`* text=auto`), then run `git add --renormalize .` and commit; everybody who has a branch merges that commit first",
        sure: "`git status --short` prints nothing after a fresh checkout",
        undo: Some("`git revert <id>` of the commit that renormalized"),
    },
    threshold: None,
    judge: noise,
};

/// Worktrees with changes although the work of their branch has landed.
pub(super) static LANDED_DIRTY: Check = Check {
    id: "landed-worktree",
    title: "Changes in a worktree whose branch has landed",
    looks_at: "Changes to tracked files in each worktree whose branch is merged",
    why: "A clean-up of landed branches would take the worktree along, and with it work that is nowhere else",
    severity: Severity::Warning,
    family: Family::Worktrees,
    needs: &[Look::Changes, Look::Landed],
    git_says: Some("git status --porcelain=v2"),
    runbook: Runbook {
        look: "`git -C <worktree> status` and `git -C <worktree> diff HEAD`",
        mend: "Commit the changes on a new branch: `git -C <worktree> switch -c <name>`, then `git -C <worktree> commit -a`. Or keep them aside with `git -C <worktree> stash push`. Never remove the worktree with `--force`",
        sure: "`git -C <worktree> status --short` prints nothing",
        undo: Some("`git -C <worktree> stash pop`"),
    },
    threshold: None,
    judge: landed_dirty,
};

fn changes<'a>(seen: &Seen<'a>) -> Result<&'a [Changes], Outcome> {
    match &seen.snapshot.facts.changes {
        Known::Seen(changes) => Ok(changes),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn noise(seen: &Seen<'_>) -> Outcome {
    let changes = match changes(seen) {
        Ok(changes) => changes,
        Err(outcome) => return outcome,
    };
    let noisy = changes.iter().filter_map(|one| Some((one, one.changed.seen()?)));
    let noisy = noisy.filter(|(_, changed)| !changed.only_line_ends.is_empty());
    Outcome {
        findings: noisy.map(|(one, changed)| noisy_tree(seen, one, changed)).collect(),
        unknown: unjudged("worktree", changes.iter().filter_map(|one| one.changed.reason())),
        skipped: None,
    }
}

fn noisy_tree(seen: &Seen<'_>, one: &Changes, changed: &Changed) -> Finding {
    let files = &changed.only_line_ends;
    let summary = format!(
        "{} in {} {} changed and {} not, but for the ends of lines, such as {}",
        count(files.len(), "file"),
        one.path,
        agree(files.len(), "looks", "look"),
        agree(files.len(), "is", "are"),
        files[0]
    );
    seen.finding(Severity::Warning, &one.path, one.path.as_str(), summary)
        .names("files", files.iter().cloned())
        .fact("n_changed", changed.n_paths)
        .fact("source", "git diff --numstat --ignore-cr-at-eol")
        .so("The tree never gets clean, so an alignment refuses to begin there.")
        .mend(Remedy::reversible(
            "Look at the ends of lines first. Then say in .gitattributes which files are text, renormalize with git add \
             --renormalize, and commit; undo by reverting that commit.",
            [format!("git -C {} ls-files --eol --modified", shell_word(one.path.as_bytes()))],
        ))
}

fn landed_dirty(seen: &Seen<'_>) -> Outcome {
    let changes = match changes(seen) {
        Ok(changes) => changes,
        Err(outcome) => return outcome,
    };
    let mut findings = Vec::new();
    let mut reasons = Vec::new();
    for one in changes {
        let Some(branch) = one.branch.as_ref().filter(|branch| has_landed(seen, branch)) else { continue };
        match &one.changed {
            Known::Seen(changed) if changed.n_paths > 0 => findings.push(dirty(seen, one, branch, changed)),
            Known::Seen(_) => {}
            Known::Unknown(reason) => reasons.push(reason.as_str()),
        }
    }
    Outcome { findings, unknown: unjudged("worktree", reasons), skipped: None }
}

fn has_landed(seen: &Seen<'_>, branch: &RefName) -> bool {
    use crate::{Landed, State};
    let is_line = seen.snapshot.lines.iter().any(|line| line.name == *branch);
    seen.snapshot
        .branch(branch)
        .is_some_and(|branch| !is_line && (branch.state() == State::Merged || matches!(branch.landed, Landed::Yes(_))))
}

fn dirty(seen: &Seen<'_>, one: &Changes, branch: &RefName, changed: &Changed) -> Finding {
    let summary = format!(
        "{} in {} {} changed and not committed, and its branch {} has landed",
        count(changed.n_paths, "file"),
        one.path,
        agree(changed.n_paths, "is", "are"),
        quoted(branch)
    );
    let path = shell_word(one.path.as_bytes());
    seen.finding(Severity::Warning, &one.path, one.path.as_str(), summary)
        .fact("branch", branch.text())
        .fact("n_changed", changed.n_paths)
        .fact("source", "git status --porcelain=v2")
        .so("Whoever cleans up what has landed loses these changes.")
        .mend(Remedy::reversible(
            format!("Keep them aside, or commit them on a new branch. Undo: git -C {path} stash pop"),
            [format!("git -C {path} stash push --message 'left in a landed branch'")],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Landed, Proof, Snapshot};

    fn with(changed: Known<Changed>) -> Snapshot {
        let mut landed = branch("refs/heads/x", 2, 1);
        landed.landed = Landed::Yes(Proof::Ancestor);
        let mut snapshot = snapshot([landed]);
        snapshot.facts.changes = Known::Seen(vec![Changes {
            path: "/work tree".into(),
            branch: Some("refs/heads/x".into()),
            head: None,
            changed,
        }]);
        snapshot
    }

    fn changed(n_paths: usize, noise: &[&str]) -> Snapshot {
        let only_line_ends = noise.iter().map(|path| (*path).to_owned()).collect();
        with(Known::Seen(Changed { n_paths, only_line_ends }))
    }

    #[test]
    fn a_clean_tree_is_fine_and_an_unread_one_unknown() {
        for check in [&NOISE, &LANDED_DIRTY] {
            assert_eq!(judged(check, &changed(0, &[])), Outcome::default(), "{}", check.id);
            assert!(judged(check, &with(Known::Unknown("git failed".into()))).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn noise_is_told_by_worktree() {
        assert_eq!(
            told(&judged(&NOISE, &changed(3, &["a", "b"])).findings),
            "[warning] line-end-noise:/work tree: 2 files in /work tree look changed and are not, but for the ends of lines, such as a"
        );
    }

    #[test]
    fn changes_count_only_where_the_branch_has_landed() {
        let finding = only(judged(&LANDED_DIRTY, &changed(1, &[])));
        assert_eq!(
            told([&finding]),
            "[warning] landed-worktree:/work tree: 1 file in /work tree is changed and not committed, and its branch `x` has landed"
        );
        assert!(finding.remedy.commands[0].starts_with("git -C '/work tree' stash push"));
        let mut open = changed(1, &[]);
        open.branches[0].landed = Landed::No;
        assert_eq!(judged(&LANDED_DIRTY, &open), Outcome::default());
    }
}
