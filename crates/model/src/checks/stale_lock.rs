//! `stale-lock`: lock files that nobody holds, and locks of which that cannot be told.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity, Span, Threshold,
    quote::shell_word,
    snapshot::{Lock, LockVerdict},
};

/// One finding for each stale lock, and one for the old locks that cannot be judged from here.
///
/// A live lock is fine: it is there for somebody's work. A lock that is not
/// understood is never called stale, and never well.
pub(super) static CHECK: Check = Check {
    id: "stale-lock",
    title: "Stale locks",
    looks_at: "Lock files in the git directory, its worktrees, refs and logs, and the processes at work there",
    why: "Git refuses to write while a lock is there; `git maintenance` even does nothing and reports success",
    severity: Severity::Error,
    family: Family::Locks,
    needs: &[Look::Locks],
    git_says: None,
    runbook: Runbook {
        look: "`ls -lt` in the git directory, and `ps -ef | grep git` on every machine that shares it",
        mend: "Make sure that no Git command runs here, then move the lock into a folder `quarantine`, as the finding shows. A lock of unknown state stays",
        sure: "The command that failed works again, and `alignwatch check --only stale-lock` is ok",
        undo: Some("Move the file back from `quarantine`"),
    },
    threshold: None,
    judge,
};

/// When a lock that cannot be judged is worth a word.
///
/// Source: a quarter of an hour is Gitaly's limit for the short-lived locks; Git itself waits a second at most.
const WORTH_A_WORD: Span = Span::minutes(15);

fn judge(seen: &Seen<'_>) -> Outcome {
    let locks = match &seen.snapshot.locks {
        Known::Seen(locks) => locks,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let age = |lock: &Lock| seen.now.since(lock.modified_at);
    let stale = locks.iter().filter(|lock| lock.verdict == LockVerdict::Stale);
    let unknown = locks.iter().filter(|lock| lock.verdict == LockVerdict::Unknown && WORTH_A_WORD < age(lock));
    Outcome {
        findings: stale.map(|lock| found(seen, lock)).collect(),
        unknown: unjudged("lock", unknown.map(|lock| &*lock.because)),
        skipped: None,
    }
}

fn found(seen: &Seen<'_>, lock: &Lock) -> Finding {
    let age = seen.now.since(lock.modified_at);
    let severity = if is_gc_pid(lock) { Severity::Warning } else { Severity::Error };
    let summary = format!("{} is there for {age} and nobody holds it: {}", lock.path, lock.because);
    let finding = seen
        .finding(severity, &lock.path, lock.path.as_str(), summary)
        .fact("path", lock.path.as_str())
        .fact("age_seconds", age.0)
        .fact("modified_at", lock.modified_at.rfc3339())
        .fact("because", lock.because.as_str())
        .so(impact(lock))
        .mend(remedy(seen, lock));
    match lock.limit {
        Some((limit, source)) => finding
            .fact("limit_seconds", limit.0)
            .against(Threshold { value: limit.0.into(), source: format!("{limit}: {source}") }),
        None => finding,
    }
}

fn is_gc_pid(lock: &Lock) -> bool {
    lock.path == "gc.pid"
}

fn impact(lock: &Lock) -> &'static str {
    match &*lock.path {
        "objects/maintenance.lock" => {
            "Maintenance does nothing and reports success, so every later alignment gets slower."
        }
        "gc.pid" | "gc.pid.lock" => "git gc refuses to run, so every later alignment gets slower.",
        path if path.ends_with("index.lock") => "No commit, merge or rebase can run in this worktree.",
        _ => "Writes that need this file fail, so an alignment stops half-way.",
    }
}

fn remedy(seen: &Seen<'_>, lock: &Lock) -> Remedy {
    let git_dir = &seen.snapshot.repository.git_dir;
    let quarantine = format!("{git_dir}/quarantine");
    let (from, to) = (format!("{git_dir}/{}", lock.path), format!("{quarantine}/{}", lock.path.replace('/', "-")));
    let (from, to) = (shell_word(from.as_bytes()), shell_word(to.as_bytes()));
    let text = format!(
        "Make sure that no Git command runs here, on no machine that shares this folder. Then move the lock aside; \
         undo: mv -n {to} {from}"
    );
    Remedy::reversible(text, [format!("mkdir -p {} && mv -n {from} {to}", shell_word(quarantine.as_bytes()))])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, Timestamp, snapshot::LockKind};

    fn locked(path: &str, hours: i64, verdict: LockVerdict) -> Snapshot {
        let mut snapshot = snapshot([]);
        let modified_at = Timestamp(NOW.0 - hours * 3600);
        let because = "no process works here".into();
        let limit = Some((Span::hours(1), "somebody"));
        snapshot.locks = Known::Seen(vec![Lock {
            path: path.into(),
            kind: LockKind::default(),
            modified_at,
            verdict,
            because,
            limit,
        }]);
        snapshot
    }

    #[test]
    fn a_stale_lock_is_an_error_with_a_command_that_moves_it_aside() {
        let finding = only(judged(&CHECK, &locked("refs/heads/x.lock", 5, LockVerdict::Stale)));
        assert_eq!(
            told([&finding]),
            "[error] stale-lock:refs/heads/x.lock: refs/heads/x.lock is there for 5 h and nobody holds it: no process works here"
        );
        assert_eq!(finding.threshold.as_ref().unwrap().source, "60 min: somebody");
        assert_eq!(
            finding.remedy.commands,
            [
                "mkdir -p /repo/.git/quarantine && mv -n /repo/.git/refs/heads/x.lock /repo/.git/quarantine/refs-heads-x.lock"
            ]
        );
    }

    #[test]
    fn a_live_lock_is_fine() {
        assert_eq!(judged(&CHECK, &locked("index.lock", 50, LockVerdict::Live)), Outcome::default());
    }

    #[test]
    fn a_lock_that_cannot_be_judged_is_unknown_once_it_is_old() {
        let outcome = judged(&CHECK, &locked("index.lock", 5, LockVerdict::Unknown));
        assert!(outcome.findings.is_empty());
        assert_eq!(outcome.unknown.unwrap(), "1 lock could not be judged: no process works here (1)");
        assert_eq!(judged(&CHECK, &locked("index.lock", 0, LockVerdict::Unknown)), Outcome::default());
    }

    #[test]
    fn locks_that_could_not_be_looked_for_are_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.locks = Known::Unknown("permission denied".into());
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
    }
}
