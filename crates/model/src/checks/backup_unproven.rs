//! `backup-unproven`: backups that nobody restored lately, or ever; and a repository that is tended and has none.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec};
use crate::{Finding, Known, Look, Remedy, Severity, Span, config::TaskMode, facts::tasks::Backups, words};

/// No backup was proven lately.
pub(super) static CHECK: Check = Check {
    id: "backup-unproven",
    title: "Backups that were not restored lately",
    looks_at: "The backups that `alignwatch backup` made of this repository, and when one of them was last restored into a scratch place and compared",
    why: "A backup that was never restored is a hope: damaged and cut ones pass `git bundle verify`",
    severity: Severity::Error,
    family: Family::Storage,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch backup list` shows each backup with the last look at it; `alignwatch task history` why the task `restore-drill` did not run or what it found",
        mend: "`alignwatch backup verify --drill`. When the newest is bad, `alignwatch backup create --full` makes another, and the drill proves it",
        sure: "`alignwatch backup list` shows a drill of today",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 14,
        range: (1, 3650),
        unit: "days",
        source: "ours; two of the weekly drills of `backup.drill_every`",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.facts.backups {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(backups) => Outcome::found(problem(seen, backups).into_iter().collect()),
    }
}

fn problem(seen: &Seen<'_>, backups: &Backups) -> Option<Finding> {
    let (days, _) = seen.threshold();
    let age = backups.proven_at.map(|at| seen.now.since(at));
    let n = words::count(backups.n, "backup");
    match age {
        _ if backups.n == 0 && !is_meant(seen) => None,
        _ if backups.n == 0 => {
            let words = "It is tended, and there is no backup of it".to_owned();
            Some(found(seen, backups, Severity::Warning, words, "alignwatch backup create"))
        }
        _ if backups.is_bad => {
            let words = format!("The last look at a backup found that it is bad ({n})");
            Some(found(seen, backups, Severity::Error, words, "alignwatch backup create --full"))
        }
        None => {
            let words = format!("There are {n}, and none was ever restored and compared")
                .replace("There are 1 ", "There is 1 ");
            Some(found(seen, backups, Severity::Warning, words, "alignwatch backup verify --drill"))
        }
        Some(age) if Span::days(days) < age => {
            let words = format!("A backup was last restored and compared {age} ago ({n})");
            Some(found(seen, backups, Severity::Warning, words, "alignwatch backup verify --drill"))
        }
        Some(_) => None,
    }
}

/// Is it handed over, and its task for backups on?
fn is_meant(seen: &Seen<'_>) -> bool {
    let path = &seen.snapshot.repository.path;
    let is_off = seen.config.task_rule("backup", path).is_some_and(|rule| rule.mode != TaskMode::Act);
    seen.config.is_tended(path) && !is_off
}

fn found(seen: &Seen<'_>, backups: &Backups, severity: Severity, words: String, command: &str) -> Finding {
    let (_, threshold) = seen.threshold();
    seen.finding(severity, "", "backups", words)
        .fact("n_backups", backups.n)
        .fact("newest_at", backups.newest_at.map(|at| at.rfc3339()))
        .fact("proven_at", backups.proven_at.map(|at| at.rfc3339()))
        .fact("source", "alignwatch backup list")
        .against(threshold)
        .so("What is pushed nowhere exists once, as far as anybody knows.")
        .mend(Remedy::reversible(
            "Restore one into a scratch place and compare; nothing here is changed.",
            [command.to_owned()],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Timestamp;

    fn told_of(backups: Backups) -> String {
        let mut snapshot = snapshot([]);
        snapshot.facts.backups = Known::Seen(backups);
        told(&judged(&CHECK, &snapshot).findings)
    }

    fn days_ago(days: i64) -> Option<Timestamp> {
        Some(Timestamp(NOW.0 - Span::days(days).0))
    }

    #[test]
    fn a_backup_is_told_of_when_no_drill_proved_it_lately() {
        let some = Backups { n: 3, newest_at: days_ago(1), ..Backups::default() };
        assert_eq!(
            told_of(some),
            "[warning] backup-unproven: There are 3 backups, and none was ever restored and compared"
        );
        assert_eq!(
            told_of(Backups { proven_at: days_ago(15), ..some }),
            "[warning] backup-unproven: A backup was last restored and compared 15 d ago (3 backups)"
        );
        assert_eq!(told_of(Backups { proven_at: days_ago(14), ..some }), "");
        assert!(told_of(Backups { proven_at: days_ago(1), is_bad: true, ..some }).starts_with("[error]"));
    }

    #[test]
    fn a_repository_without_backups_is_told_of_only_where_it_is_tended() {
        assert_eq!(told_of(Backups::default()), "");
        let mut snapshot = snapshot([]);
        snapshot.facts.backups = Known::Seen(Backups::default());
        let handed_over = |text: &str| crate::config::Config::from_yaml(text, "f").unwrap().0;
        let judged = |config: &crate::config::Config| {
            let seen = Seen { snapshot: &snapshot, config, now: NOW, check: &CHECK };
            told(&judge(&seen).findings)
        };
        let tended = "maintenance: {repositories: [\"/**\"]}\n";
        assert!(judged(&handed_over(tended)).contains("there is no backup of it"));
        assert_eq!(judged(&handed_over(&format!("{tended}tasks:\n  - {{name: backup, mode: off}}\n"))), "");
    }

    #[test]
    fn backups_that_cannot_be_seen_are_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.facts.backups = Known::Unknown("the disk is gone".into());
        assert_eq!(judged(&CHECK, &snapshot).unknown.as_deref(), Some("the disk is gone"));
    }
}
