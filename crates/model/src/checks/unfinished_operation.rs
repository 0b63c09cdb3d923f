//! `unfinished-operation`: merges, rebases and the like that were begun and not ended.

use std::collections::BTreeSet;

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, Span, quote::shell_word, snapshot::Unfinished};

/// One finding for each operation that stands half-done in a worktree.
///
/// Young ones are only worth knowing: somebody is at work. An old one that
/// stashed user work away is critical: aborting it the wrong way loses that work.
pub(super) static CHECK: Check = Check {
    id: "unfinished-operation",
    title: "Unfinished merges and rebases",
    looks_at: "State of merge, rebase, am, cherry-pick, revert and bisect in every worktree; what git-machete, git-branchless, git-imerge and Graphite left of an alignment, and their processes",
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
        Known::Seen(unfinished) => {
            let mut findings: Vec<Finding> = unfinished.iter().map(|operation| found(seen, operation)).collect();
            // Several processes of one tool are one finding.
            let mut keys = BTreeSet::new();
            findings.retain(|finding| keys.insert(finding.key.clone()));
            Outcome::found(findings)
        }
    }
}

fn found(seen: &Seen<'_>, unfinished: &Unfinished) -> Finding {
    let (_, threshold) = seen.threshold();
    let age = unfinished.began_at.map(|began| seen.now.since(began));
    let branch = unfinished.branch.as_ref().map(|name| format!(" of {}", quoted(name))).unwrap_or_default();
    let worktree = if unfinished.worktree.is_empty() { "the main worktree" } else { &unfinished.worktree };
    let since = age.map_or("at a time that is not known".into(), |age| format!("{age} ago"));
    let stash = if unfinished.autostash.is_some() { " and holds stashed work" } else { "" };
    let summary = match (unfinished.process, &unfinished.name) {
        (Some(pid), _) => {
            format!("{} works here as process {pid}; it began {since}", unfinished.by.unwrap_or("A tool"))
        }
        (None, Some(name)) => format!("The {} `{name}`{branch} is not finished", unfinished.operation),
        (None, None) => {
            let by = unfinished.by.map(|tool| format!(" by {tool}")).unwrap_or_default();
            format!("A {}{branch}{by} in {worktree} began {since}{stash}", unfinished.operation)
        }
    };
    let place = unfinished.name.as_ref().unwrap_or(&unfinished.worktree);
    let cause = match unfinished.by.filter(|_| unfinished.process.is_some()) {
        Some(tool) => format!("process:{tool}"),
        None => format!("{}:{place}", unfinished.operation),
    };
    seen.finding(severity(seen, unfinished, age), cause.trim_end_matches(':'), worktree, summary)
        .fact("operation", unfinished.operation)
        .fact("worktree", worktree)
        .fact("branch", unfinished.branch.as_ref().map(|name| name.text().into_owned()))
        .fact("age_seconds", age.map(|age| age.0))
        .fact("autostash", unfinished.autostash.map(|oid| oid.hex()))
        .fact("by", unfinished.by)
        .fact("listed_by", unfinished.listed_by)
        .fact("process", unfinished.process)
        .against(threshold)
        .so("Nothing can be aligned in this worktree until it is ended, and its branch is not at the commit that is worked on.")
        .mend(remedy(unfinished))
}

/// An age that is not known counts as old: it may be.
fn severity(seen: &Seen<'_>, unfinished: &Unfinished, age: Option<Span>) -> Severity {
    let (limit_hours, _) = seen.threshold();
    // When an imerge began is not written down; it is kept in refs, and nothing of it gets lost.
    if unfinished.name.is_some() {
        return Severity::Info;
    }
    let is_old = age.is_none_or(|age| Span::hours(limit_hours) < age);
    match (is_old, unfinished.autostash) {
        (false, _) => Severity::Info,
        (true, None) => Severity::Warning,
        (true, Some(_)) => Severity::Critical,
    }
}

fn remedy(unfinished: &Unfinished) -> Remedy {
    if let Some(pid) = unfinished.process {
        let text =
            "Let it come to its end. Where it waits for an answer, the terminal it was started in shows the question.";
        return Remedy::reversible(text, [format!("ps -o pid,etime,args -p {pid}")]);
    }
    if let Some(name) = &unfinished.name {
        let text = "Ask whoever began it; then go on with `git imerge continue`, or give it up with `git imerge remove`, which throws away what was merged so far.";
        return Remedy::reversible(
            text,
            [format!("git for-each-ref {}", shell_word(format!("refs/imerge/{name}").as_bytes()))],
        );
    }
    let git = match unfinished.worktree.as_str() {
        "" => "git".to_owned(),
        worktree => format!("git -C {}", shell_word(worktree.as_bytes())),
    };
    let keep = unfinished.autostash.map(|oid| format!("{git} stash store -m 'kept by hand' {oid}"));
    let mut commands: Vec<_> = keep.into_iter().collect();
    commands.push(format!("{git} status"));
    let text = format!(
        "Ask whoever began it; then end it with {}, or give it up with {}, which throws away what was resolved so far.{}",
        going_on(unfinished),
        giving_up(unfinished.operation),
        if unfinished.autostash.is_some() {
            " The first command keeps the stashed work in the stash list."
        } else {
            ""
        },
    );
    Remedy::reversible(text, commands)
}

/// How it goes on: a tool that has more to do wants to hear of it itself.
fn going_on(unfinished: &Unfinished) -> String {
    match (unfinished.by, unfinished.listed_by) {
        (Some("Graphite"), _) => "gt continue".to_owned(),
        (None, Some("git-machete")) => {
            format!("{} and, where a traverse stopped, git machete traverse", ending(unfinished.operation))
        }
        _ => ending(unfinished.operation),
    }
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
            ..Unfinished::default()
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
    fn what_tools_do_is_told_with_their_names_and_how_it_goes_on() {
        let of = |unfinished: Unfinished| {
            let mut snapshot = snapshot([]);
            snapshot.unfinished = Known::Seen(vec![unfinished]);
            let finding = only(judged(&CHECK, &snapshot));
            (told([&finding]), finding.remedy.text)
        };
        let began_at = Some(Timestamp(NOW.0 - 60));
        let base =
            Unfinished { operation: "rebase", branch: Some("refs/heads/x".into()), began_at, ..Unfinished::default() };
        let (said, how) = of(Unfinished { by: Some("Graphite"), ..base.clone() });
        assert!(said.contains("A rebase of `x` by Graphite in the main worktree began 60 s ago"), "{said}");
        assert!(how.contains("gt continue"), "{how}");
        let (_, how) = of(Unfinished { listed_by: Some("git-machete"), ..base.clone() });
        assert!(how.contains("git rebase --continue and, where a traverse stopped, git machete traverse"), "{how}");
        let process = Unfinished {
            operation: "alignment",
            by: Some("git-machete"),
            process: Some(7),
            began_at,
            ..Unfinished::default()
        };
        let (said, _) = of(process);
        assert_eq!(
            said,
            "[info] unfinished-operation:process:git-machete: git-machete works here as process 7; it began 60 s ago"
        );
        let imerge =
            Unfinished { operation: "imerge", name: Some("x".into()), by: Some("git-imerge"), ..Unfinished::default() };
        assert_eq!(of(imerge).0, "[info] unfinished-operation:imerge:x: The imerge `x` is not finished");
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
