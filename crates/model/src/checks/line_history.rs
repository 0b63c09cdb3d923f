//! `base-rewritten`, `odd-dates`: whether the history of the lines can be relied on.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity, Span,
    facts::history::{Dates, Rewrite},
    quote::shell_word,
};

/// Lines whose earlier tip is no part of them any more.
pub(super) static REWRITTEN: Check = Check {
    id: "base-rewritten",
    title: "A base was rewritten",
    looks_at: "The tip of each line at earlier looks, and the reflogs of the line and its remote: whether the line still contains them",
    why: "Branches that stand on the old history bring back, when they are aligned, what was taken out, and conflict with what was changed",
    severity: Severity::Critical,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git merge-base --is-ancestor <old> <line>"),
    runbook: Runbook {
        look: "`git log --oneline <new>..<old>` shows what was taken out; `git reflog show <line>` shows when, and `git branch --all --contains <old>` who stands on it",
        mend: "Stop aligning by merges. If it was a mistake, restore the old tip in agreement with everybody. Otherwise move each branch over with `git rebase --onto <line> <old> <branch>`",
        sure: "`git branch --all --no-merged <line> --contains <old>` prints nothing",
        undo: Some("`git reset --hard <branch>@{1}` on a branch that was moved over"),
    },
    threshold: Some(ThresholdSpec {
        default: 14,
        range: (1, 365),
        unit: "days",
        source: "ours; as long as Git surely keeps what was left (gc.pruneExpire)",
    }),
    judge: rewritten,
};

/// Commits whose dates cannot be right, as one finding for each kind.
pub(super) static ODD_DATES: Check = Check {
    id: "odd-dates",
    title: "Commit dates that cannot be right",
    looks_at: "Committer dates of all commits that branches reach, against their parents and the clock",
    why: "Ages of branches are wrong, and Git walks more history than it must; some versions then even find a wrong merge base",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git log --format='%H %ct %P'"),
    runbook: Runbook {
        look: "`git log -1 --format=fuller <id>` shows the dates of the commit that the finding names",
        mend: "Set the clock of the machine that made them. The commits stay as they are: rewriting them would do more harm. `git commit-graph write --reachable` lets Git find its way in spite of them",
        sure: "`alignwatch check --only odd-dates` no longer grows",
        undo: None,
    },
    threshold: None,
    judge: odd_dates,
};

fn rewritten(seen: &Seen<'_>) -> Outcome {
    let rewrites = match &seen.snapshot.facts.rewrites {
        Known::Seen(rewrites) => rewrites,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let (limit, _) = seen.threshold();
    let is_new = |one: &&Rewrite| seen.now.since(one.at) <= Span(limit.saturating_mul(86_400));
    Outcome {
        findings: rewrites.found.iter().filter(is_new).map(|one| rewrite(seen, one)).collect(),
        unknown: unjudged("line", rewrites.unread.iter().map(|(_, reason)| &**reason)),
        skipped: None,
    }
}

fn rewrite(seen: &Seen<'_>, one: &Rewrite) -> Finding {
    // What was never seen by others, and nobody stands on, was put right before it counted.
    let severity = if one.was_public || one.n_branches > 0 { Severity::Critical } else { Severity::Info };
    let old = one.old.hex();
    let summary = format!(
        "{} was rewritten {} ago: it no longer contains {}, on which {} {}",
        quoted(&one.line),
        seen.now.since(one.at),
        &old[..12.min(old.len())],
        count(one.n_branches, "branch"),
        agree(one.n_branches, "stands", "stand")
    );
    let (_, threshold) = seen.threshold();
    let finding = seen
        .finding(severity, &one.line.text(), quoted(&one.line), summary)
        .fact("line", one.line.text())
        .fact("base", one.line.text())
        .fact("old", old.as_str())
        .fact("at", one.at.rfc3339())
        .fact("n_branches", one.n_branches)
        .fact("source", one.because.as_str())
        .against(threshold)
        .so("Who merges now brings back what was taken out of the base.")
        .mend(Remedy::reversible(
            "Freeze alignments with this base and ask who rewrote it. The first command shows what was taken out, the \
             second who stands on it. Move those branches over with git rebase --onto <line> <old> <branch>; undo with \
             git reset --keep <branch>@{1}.",
            [
                format!("git log --oneline {}..{old}", shell_word(one.line.as_bytes())),
                format!("git branch --all --contains {old}"),
            ],
        ));
    match &one.new {
        Some(new) => finding.fact("new", new.hex()),
        None => finding,
    }
}

fn odd_dates(seen: &Seen<'_>) -> Outcome {
    let dates = match &seen.snapshot.facts.dates {
        Known::Seen(dates) => dates,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let mut findings = Vec::new();
    findings.extend(in_future(seen, dates));
    findings.extend(before_parent(seen, dates));
    Outcome::found(findings)
}

fn in_future(seen: &Seen<'_>, dates: &Dates) -> Option<Finding> {
    let (oid, at) = dates.latest.filter(|_| dates.n_in_future > 0)?;
    let summary = format!(
        "{} {} more than a day in the future, up to {}",
        count(dates.n_in_future, "commit"),
        agree(dates.n_in_future, "is", "are"),
        at.rfc3339()
    );
    let finding = seen
        .finding(Severity::Warning, "future", oid.hex(), summary)
        .fact("n_commits", dates.n_in_future)
        .fact("commit", oid.hex())
        .fact("source", "git log --format='%H %ct'")
        .so("Ages are wrong: such a branch never gets stale, and its last change seems to be to come.")
        .mend(Remedy::reversible(
            "Set the clock of the machine that made it, or of this one. The commit itself stays as it is.",
            [format!("git log -1 --format=fuller {}", oid.hex())],
        ));
    Some(finding)
}

/// Told, and no more: it is history, nobody can mend it, and our numbers do not depend on it.
fn before_parent(seen: &Seen<'_>, dates: &Dates) -> Option<Finding> {
    let (oid, seconds) = dates.furthest.filter(|_| dates.n_before_parent > 0)?;
    let summary = format!(
        "{} {} older than {} parent, by up to {}",
        count(dates.n_before_parent, "commit"),
        agree(dates.n_before_parent, "is", "are"),
        agree(dates.n_before_parent, "its", "their"),
        Span(seconds)
    );
    let finding = seen
        .finding(Severity::Info, "skew", oid.hex(), summary)
        .fact("n_commits", dates.n_before_parent)
        .fact("n_looked_at", dates.n_commits)
        .fact("commit", oid.hex())
        .fact("seconds", seconds)
        .fact("source", "git log --format='%H %ct %P'")
        .so("Git walks more history than it must, and git 2.55.0 can even find a wrong merge base.")
        .mend(Remedy::reversible(
            "Nothing can be done about the past. A commit-graph lets Git find its way in spite of it.",
            ["git commit-graph write --reachable".to_owned()],
        ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::history::Rewrites};

    fn with(rewrites: Rewrites, dates: Dates) -> Snapshot {
        let mut snapshot = snapshot([]);
        (snapshot.facts.rewrites, snapshot.facts.dates) = (Known::Seen(rewrites), Known::Seen(dates));
        snapshot
    }

    fn rewrite_of(days: i64, n_branches: usize, was_public: bool) -> Rewrites {
        let found = vec![Rewrite {
            line: "refs/heads/main".into(),
            old: oid(9),
            new: Some(oid(1)),
            at: days_ago(days),
            because: "the reflog".into(),
            n_branches,
            was_public,
        }];
        Rewrites { found, unread: Vec::new() }
    }

    #[test]
    fn an_honest_history_is_fine_and_an_unread_one_unknown() {
        let well = with(Rewrites { found: Vec::new(), unread: Vec::new() }, Dates::default());
        for check in [&REWRITTEN, &ODD_DATES] {
            assert_eq!(judged(check, &well), Outcome::default(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
        let unread = Rewrites { found: Vec::new(), unread: vec![("refs/heads/main".into(), "a folder".into())] };
        assert!(judged(&REWRITTEN, &with(unread, Dates::default())).unknown.is_some());
    }

    #[test]
    fn a_rewrite_that_others_saw_is_critical_for_two_weeks() {
        let tell =
            |days, n, public| told(&judged(&REWRITTEN, &with(rewrite_of(days, n, public), Dates::default())).findings);
        assert_eq!(
            tell(3, 2, false),
            "[critical] base-rewritten:refs/heads/main: `main` was rewritten 3 d ago: it no longer contains 090909090909, on which 2 branches stand"
        );
        assert!(tell(3, 0, true).starts_with("[critical]"));
        assert!(tell(3, 0, false).starts_with("[info]"), "amended before anybody saw it");
        assert_eq!(tell(15, 2, true), "");
    }

    #[test]
    fn dates_that_cannot_be_right_are_told_by_kind() {
        let dates = Dates {
            n_commits: 100,
            n_before_parent: 2,
            furthest: Some((oid(3), 7200)),
            n_in_future: 1,
            latest: Some((oid(4), days_ago(-9))),
        };
        let none = Rewrites { found: Vec::new(), unread: Vec::new() };
        assert_eq!(
            told(&judged(&ODD_DATES, &with(none, dates)).findings),
            "[warning] odd-dates:future: 1 commit is more than a day in the future, up to 2023-11-23T22:13:20Z\n\
             [info] odd-dates:skew: 2 commits are older than their parent, by up to 2 h"
        );
    }
}
