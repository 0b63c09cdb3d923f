//! `unfinished-operation`: merges, rebases and the like that were begun and not ended.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, Span, quote::shell_word, snapshot::Unfinished};

/// One finding for each operation that stands half-done in a worktree.
///
/// Young ones are only worth knowing: somebody is at work. An old one that
/// stashed user work away is critical: aborting it the wrong way loses that work.
pub(super) static CHECK: Check = Check {
    id: "unfinished-operation",
    title: "Unfinished merges and rebases",
    looks_at: "State of merge, rebase, am, cherry-pick, revert and bisect in every worktree",
    why: "No alignment can start in that worktree, and the branch is not where its name points",
    severity: Severity::Critical,
    family: Family::Locks,
    needs: &[Look::Unfinished],
    git_says: Some("git status"),
    runbook: Runbook {
        look: "`git status` in that worktree says what was begun; ask the person who did it",
        mend: "`git rebase --continue` (or `merge`, `cherry-pick`, `revert`, `am`) ends it; `--abort` goes back to the state before. Store an autostash first: `git stash store <id>`",
        sure: "`git status` names no operation",
        undo: Some("After `--abort`, the half-done commits are in `git reflog HEAD`"),
    },
    threshold: Some(ThresholdSpec {
        default: 24,
        range: (1, 8760),
        unit: "hours",
        source: "alignwatch: a working day and the night after it",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.unfinished {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(unfinished) => Outcome::found(unfinished.iter().map(|operation| found(seen, operation)).collect()),
    }
}

fn found(seen: &Seen<'_>, unfinished: &Unfinished) -> Finding {
    let (_, threshold) = seen.threshold();
    let age = unfinished.began_at.map(|began| seen.now.since(began));
    let branch = unfinished.branch.as_ref().map(|name| format!(" of {}", quoted(name))).unwrap_or_default();
    let worktree = if unfinished.worktree.is_empty() { "the main worktree" } else { &unfinished.worktree };
    let since = age.map_or("at a time that is not known".into(), |age| format!("{age} ago"));
    let stash = if unfinished.autostash.is_some() { " and holds stashed work" } else { "" };
    let summary = format!("A {}{branch} in {worktree} began {since}{stash}", unfinished.operation);
    let cause = format!("{}:{}", unfinished.operation, unfinished.worktree);
    seen.finding(severity(seen, unfinished, age), cause.trim_end_matches(':'), worktree, summary)
        .fact("operation", unfinished.operation)
        .fact("worktree", worktree)
        .fact("branch", unfinished.branch.as_ref().map(|name| name.text().into_owned()))
        .fact("age_seconds", age.map(|age| age.0))
        .fact("autostash", unfinished.autostash.map(|oid| oid.hex()))
        .against(threshold)
        .so("Nothing can be aligned in this worktree until it is ended, and its branch is not at the commit that is worked on.")
        .mend(remedy(unfinished))
}

/// An age that is not known counts as old: it may be.
fn severity(seen: &Seen<'_>, unfinished: &Unfinished, age: Option<Span>) -> Severity {
    let (limit_hours, _) = seen.threshold();
    let is_old = age.is_none_or(|age| Span::hours(limit_hours) < age);
    match (is_old, unfinished.autostash) {
        (false, _) => Severity::Info,
        (true, None) => Severity::Warning,
        (true, Some(_)) => Severity::Critical,
    }
}

fn remedy(unfinished: &Unfinished) -> Remedy {
    let git = match unfinished.worktree.as_str() {
        "" => "git".to_owned(),
        worktree => format!("git -C {}", shell_word(worktree.as_bytes())),
    };
    let keep = unfinished.autostash.map(|oid| format!("{git} stash store -m 'kept by hand' {oid}"));
    let mut commands: Vec<_> = keep.into_iter().collect();
    commands.push(format!("{git} status"));
    let text = format!(
        "Ask whoever began it; then end it with {}, or give it up with {}, which throws away what was resolved so far.{}",
        ending(unfinished.operation),
        giving_up(unfinished.operation),
        if unfinished.autostash.is_some() {
            " The first command keeps the stashed work in the stash list."
        } else {
            ""
        },
    );
    Remedy::reversible(text, commands)
}

fn ending(operation: &str) -> String {
    match operation {
        "bisect" => "git bisect reset".into(),
        "sequencer" => "git cherry-pick --continue or git revert --continue".into(),
        "autostash" => "git stash list and git stash pop".into(),
        other => format!("git {other} --continue"),
    }
}

fn giving_up(operation: &str) -> String {
    match operation {
        "bisect" => "git bisect reset".into(),
        "sequencer" => "git cherry-pick --abort or git revert --abort".into(),
        "autostash" => "git stash drop".into(),
        other => format!("git {other} --abort"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Oid, Snapshot, Timestamp};

    fn rebase(hours: Option<i64>, autostash: Option<Oid>) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.unfinished = Known::Seen(vec![Unfinished {
            operation: "rebase",
            worktree: "/work tree".into(),
            branch: Some("refs/heads/x".into()),
            began_at: hours.map(|hours| Timestamp(NOW.0 - hours * 3600)),
            autostash,
        }]);
        snapshot
    }

    #[test]
    fn nothing_unfinished_is_fine() {
        assert_eq!(judged(&CHECK, &snapshot([])), Outcome::default());
    }

    #[test]
    fn age_and_stashed_work_decide_how_bad_it_is() {
        let severity = |hours, autostash| only(judged(&CHECK, &rebase(hours, autostash))).severity;
        assert_eq!(severity(Some(24), None), Severity::Info);
        assert_eq!(severity(Some(24), Some(oid(7))), Severity::Info);
        assert_eq!(severity(Some(25), None), Severity::Warning);
        assert_eq!(severity(None, None), Severity::Warning);
        assert_eq!(severity(Some(25), Some(oid(7))), Severity::Critical);
    }

    #[test]
    fn stashed_work_is_kept_before_anything_else() {
        let finding = only(judged(&CHECK, &rebase(Some(50), Some(oid(7)))));
        assert_eq!(
            told([&finding]),
            "[critical] unfinished-operation:rebase:/work tree: A rebase of `x` in /work tree began 2 d ago and holds stashed work"
        );
        let store = format!("git -C '/work tree' stash store -m 'kept by hand' {}", oid(7));
        assert_eq!(finding.remedy.commands, [store, "git -C '/work tree' status".into()]);
    }

    #[test]
    fn a_state_that_could_not_be_read_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.unfinished = Known::Unknown("permission denied".into());
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
    }
}
