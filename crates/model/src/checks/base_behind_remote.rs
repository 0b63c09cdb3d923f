//! `base-behind-remote`: a primary line that lacks commits of its counterpart at the remote.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Branch, Finding, Look, RefName, Remedy, Severity, quote::shell_ref, snapshot::Line};

/// Local lines that are behind their remote counterpart, one finding for each line.
///
/// Every number measured against such a line is a number of the past, so it is an error.
pub(super) static CHECK: Check = Check {
    id: "base-behind-remote",
    title: "Base behind its remote",
    looks_at: "Commits that each local primary line lacks of its tracking ref",
    why: "Drift, merges and clean-up are judged against a base that the team has left behind",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git rev-list --count base..remote"),
    runbook: Runbook {
        look: "`git log --oneline <base>..<remote>/<base>` shows what is missing",
        mend: "`git fetch <remote> <base>:<base>`, or `git pull --ff-only` where the base is checked out",
        sure: "`git rev-list --count <base>..<remote>/<base>` is 0",
        undo: Some("`git update-ref refs/heads/<base> <old id>`; the old id is in `git reflog <base>`"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    if seen.snapshot.lines.is_empty() && !seen.snapshot.branches.is_empty() {
        return Outcome::unknown("no primary line was found");
    }
    let findings = seen.snapshot.lines.iter().filter_map(|line| found(seen, line)).collect();
    let uncompared = seen.snapshot.lines.iter().filter_map(|line| uncompared(seen, line));
    Outcome { findings, unknown: unjudged("line", uncompared), skipped: None }
}

/// Why it is not known whether the line lacks something of its tracking ref: how far the two are apart is not.
fn uncompared<'a>(seen: &Seen<'a>, line: &Line) -> Option<&'a str> {
    let is_its_copy = |branch: &&Branch| {
        let remote = branch.name.remote_parts();
        remote.is_some_and(|(_, there)| RefName::new([b"refs/heads/", there].concat()) == line.name)
    };
    let copy = seen.snapshot.branches.iter().filter(|_| line.behind_remote.is_none()).find(is_its_copy)?;
    copy.drift.reason().filter(|_| copy.base.as_ref().is_some_and(|base| base.name == line.name))
}

fn found(seen: &Seen<'_>, line: &Line) -> Option<Finding> {
    let (remote, n_behind) = line.behind_remote.as_ref().filter(|(_, n)| *n > 0)?;
    let summary =
        format!("{} is {} behind {}", quoted(&line.name), count(*n_behind as usize, "commit"), quoted(remote),);
    let source = format!("git rev-list --count {}..{}", shell_ref(&line.name), shell_ref(remote));
    Some(
        seen.finding(Severity::Error, &line.name.text(), line.name.short().text(), summary)
            .fact("behind_commits", *n_behind)
            .fact("remote", remote.text())
            .fact("source", source)
            .so("All drift shown here is too small, and what is aligned now must be aligned again.")
            .mend(remedy(seen, line, remote)),
    )
}

fn remedy(seen: &Seen<'_>, line: &Line, remote: &RefName) -> Remedy {
    let (ours, theirs) = (shell_ref(&line.name), shell_ref(remote));
    let command = match seen.git_where_checked_out(&line.name) {
        Some(git) => format!("{git} merge --ff-only {theirs}"),
        None => format!("git fetch . {theirs}:{ours}"),
    };
    let text = format!(
        "Move the line forward. The command refuses when the line has commits of its own. \
         Undo: git update-ref {ours} {} (git reset --keep {} where it is checked out)",
        line.oid, line.oid,
    );
    Remedy::reversible(text, [command])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Known, Snapshot, snapshot::Head};

    fn behind(n: u32) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.lines[0].behind_remote = Some(("refs/remotes/origin/main".into(), n));
        snapshot
    }

    #[test]
    fn a_line_that_holds_all_of_its_remote_is_fine() {
        assert_eq!(judged(&CHECK, &behind(0)), Outcome::default());
        assert_eq!(judged(&CHECK, &snapshot([])), Outcome::default());
    }

    #[test]
    fn a_line_behind_its_remote_is_an_error_with_a_command_that_only_moves_forward() {
        let finding = only(judged(&CHECK, &behind(3)));
        assert_eq!(
            told([&finding]),
            "[error] base-behind-remote:refs/heads/main: `main` is 3 commits behind `origin/main`"
        );
        assert_eq!(finding.remedy.commands, ["git merge --ff-only refs/remotes/origin/main"]);
        let mut elsewhere = behind(3);
        elsewhere.head = Known::Seen(Head::Branch("refs/heads/x".into()));
        let finding = only(judged(&CHECK, &elsewhere));
        assert_eq!(finding.remedy.commands, ["git fetch . refs/remotes/origin/main:refs/heads/main"]);
    }

    #[test]
    fn a_line_whose_distance_to_its_remote_is_not_known_is_not_fine() {
        let mut remote = branch("refs/remotes/origin/main", 0, 0);
        remote.drift = Known::Unknown("the history is cut off".into());
        let judged = judged(&CHECK, &snapshot([branch("refs/heads/main", 0, 0), remote]));
        assert_eq!(judged.unknown.as_deref(), Some("1 line could not be judged: the history is cut off (1)"));
    }

    #[test]
    fn without_a_line_it_is_unknown() {
        let mut none = snapshot([branch("refs/heads/x", 1, 1)]);
        none.lines.clear();
        assert!(judged(&CHECK, &none).unknown.is_some());
        none.branches.clear();
        assert_eq!(judged(&CHECK, &none), Outcome::default(), "an empty repository has no base to lag behind");
    }
}
