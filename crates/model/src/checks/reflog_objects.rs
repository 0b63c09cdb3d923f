//! `reflog-objects`: reflog entries whose objects are gone.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, facts::integrity::Reflogs, quote::shell_word};

/// Entries that nothing can be taken back with.
pub(super) static CHECK: Check = Check {
    id: "reflog-objects",
    title: "Reflog entries to missing objects",
    looks_at: "Every id in the reflogs of the repository and its worktrees: is the object there? Not in partial clones, where objects are missing on purpose",
    why: "What alignment did cannot be taken back by such an entry, and `git gc` and `git fsck` stop or complain",
    severity: Severity::Warning,
    family: Family::Integrity,
    needs: &[Look::Reflogs],
    git_says: Some("git fsck (invalid reflog entry)"),
    runbook: Runbook {
        look: "`git fsck --connectivity-only` names each entry; `git reflog show <ref>` shows what was done",
        mend: "Take the objects from another clone, or let `git reflog expire --stale-fix --expire=never --expire-unreachable=never --all` drop the entries; copy `.git/logs` before",
        sure: "`git fsck --connectivity-only` prints no `invalid reflog entry`",
        undo: Some("Copy the logs back from `.git/quarantine`"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    if seen.snapshot.repository.is_partial {
        let reason = "objects of a partial clone are missing on purpose";
        return Outcome { skipped: Some(reason.into()), ..Outcome::default() };
    }
    match &seen.snapshot.facts.reflogs {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(logs) => Outcome {
            findings: found(seen, logs).into_iter().collect(),
            unknown: unjudged("log", logs.unread.iter().map(|(_, reason)| reason.as_str())),
            skipped: None,
        },
    }
}

fn found(seen: &Seen<'_>, logs: &Reflogs) -> Option<Finding> {
    let first = logs.gaps.first()?;
    let n: usize = logs.gaps.iter().map(|gap| gap.n_entries).sum();
    let summary = format!(
        "{} {} to objects that are not there, such as {} of {}",
        count(n, "reflog entry"),
        agree(n, "leads", "lead"),
        first.n_entries,
        first.name.text()
    );
    let git_dir = &seen.snapshot.repository.git_dir;
    let word = |text: String| shell_word(text.as_bytes());
    let copy = word(format!("{git_dir}/quarantine/logs-{}", seen.snapshot.seen_at.0));
    let logs_dir = word(format!("{git_dir}/logs"));
    Some(
        seen.finding(Severity::Warning, "", "reflogs", summary)
            .names("logs", logs.gaps.iter().map(|gap| format!("{}: {} ({})", gap.name, gap.n_entries, gap.example)))
            .fact("n_entries", logs.n_entries)
            .fact("source", "logs/, each id looked up")
            .so("Nothing can be taken back by these entries, and upkeep of the repository can stop at them.")
            .mend(Remedy::reversible(
                format!("Keep a copy of the logs, then drop these entries alone. Undo: cp -a -- {copy}/. {logs_dir}/"),
                [
                    format!("mkdir -p -- {copy}"),
                    format!("cp -a -- {logs_dir}/. {copy}/"),
                    "git reflog expire --stale-fix --expire=never --expire-unreachable=never --all".to_owned(),
                ],
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::integrity::ReflogGap};

    fn with(logs: Reflogs) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.reflogs = Known::Seen(logs);
        snapshot
    }

    fn gap() -> Vec<ReflogGap> {
        vec![ReflogGap { name: "refs/heads/x".into(), n_entries: 3, example: oid(7) }]
    }

    #[test]
    fn logs_without_gaps_are_fine_and_unread_ones_unknown() {
        assert_eq!(judged(&CHECK, &with(Reflogs::default())), Outcome::default());
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
        let unread = vec![("HEAD".to_owned(), "it is a folder".to_owned())];
        assert!(judged(&CHECK, &with(Reflogs { unread, ..Reflogs::default() })).unknown.is_some());
    }

    #[test]
    fn gaps_are_one_finding_and_none_in_a_partial_clone() {
        let mut seen = with(Reflogs { n_entries: 9, gaps: gap(), unread: Vec::new() });
        assert_eq!(
            told([&only(judged(&CHECK, &seen))]),
            "[warning] reflog-objects: 3 reflog entries lead to objects that are not there, such as 3 of refs/heads/x"
        );
        seen.repository.is_partial = true;
        assert!(judged(&CHECK, &seen).skipped.is_some());
    }
}
