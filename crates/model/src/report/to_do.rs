//! Five things to do: what of all that is wrong comes first.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Accounting, AlignmentPart, Health, UpkeepPart,
    held::{Held, HeldFinding, Times},
};
use crate::{Severity, Span, quote::shell_word, words::count};

/// How many. Source: a person remembers and does no more in a week.
const AT_MOST: usize = 5;

/// The part of the period that may be unseen before somebody should care, in percent. Source: ours.
const UNSEEN_PERCENT: i64 = 5;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToDo {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What follows from it, in a sentence.
    pub why: String,
    /// What to type.
    pub commands: Vec<String>,
    /// The repository, where it is about one.
    pub repository: Option<String>,
}

/// What comes first: lost work, then by severity; of one check in one repository only one.
pub(super) fn to_do(
    held: &Held,
    repositories: &[Health],
    alignment: &AlignmentPart,
    maintenance: &UpkeepPart,
    accounting: &Accounting,
    times: &Times,
) -> Vec<ToDo> {
    let lost = lost(alignment);
    let mut all: Vec<ToDo> = lost.into_iter().chain(failed(maintenance)).collect();
    all.extend(unseen(accounting));
    all.extend(repositories.iter().filter_map(promise));
    all.extend(undelivered(held, times));
    all.extend(findings(held, times, &said(alignment)));
    all.sort_by_key(|one| std::cmp::Reverse(one.severity));
    all.truncate(AT_MOST);
    all
}

/// What runs lost. What checks found is told with the findings.
fn lost(alignment: &AlignmentPart) -> Option<ToDo> {
    let first = alignment.lost_by_runs.first()?;
    let n = alignment.lost_by_runs.len();
    let of_run = first.run.iter().map(|run| verify(run));
    Some(ToDo {
        severity: Severity::Critical,
        what: format!("Work was lost: {}{}", first.summary, more(n)),
        why: "Nothing leads to it any more; objects stay for some weeks, and then go.".to_owned(),
        commands: of_run.chain(["git fsck --lost-found --no-reflogs".to_owned()]).collect(),
        repository: None,
    })
}

/// What is typed for what is said of runs already: a finding that names it says the same again.
fn said(alignment: &AlignmentPart) -> BTreeSet<String> {
    alignment.lost_by_runs.iter().filter_map(|lost| lost.run.as_deref()).map(verify).collect()
}

fn verify(run: &str) -> String {
    format!("alignwatch verify {run}")
}

fn failed(maintenance: &UpkeepPart) -> Option<ToDo> {
    let bad: Vec<_> = maintenance.runs.iter().filter(|run| run.is_critical || run.result == "failed").collect();
    let worst = bad.iter().max_by_key(|run| run.is_critical)?;
    Some(ToDo {
        severity: if worst.is_critical { Severity::Critical } else { Severity::Error },
        what: format!("Maintenance failed: {}: {}{}", worst.task, worst.because, more(bad.len())),
        why: "Until it works, the repository is not tended.".to_owned(),
        commands: vec!["alignwatch task history".to_owned(), format!("alignwatch task plan {} --explain", worst.task)],
        repository: Some(worst.repository.clone()),
    })
}

fn unseen(accounting: &Accounting) -> Option<ToDo> {
    let watched = accounting.seen_seconds + accounting.unknown_seconds;
    let is_much = watched * UNSEEN_PERCENT < accounting.unknown_seconds * 100;
    is_much.then(|| ToDo {
        severity: Severity::Warning,
        what: format!("For {} nobody looked", Span(accounting.unknown_seconds)),
        why: "What happened then is not known, and nobody would have been told.".to_owned(),
        commands: vec!["alignwatch doctor".to_owned()],
        repository: None,
    })
}

fn promise(health: &Health) -> Option<ToDo> {
    let promise = health.promise.filter(|promise| promise.error_budget_left_ratio < 0.0)?;
    let percent = |ratio: f64| (ratio * 1000.0).round() / 10.0;
    Some(ToDo {
        severity: Severity::Warning,
        what: format!(
            "The promise is broken: {} % of open branches were within their budget, and {} % should be",
            percent(promise.kept_ratio),
            percent(promise.objective_ratio)
        ),
        why: "Aligning comes before new work until that is so again.".to_owned(),
        commands: vec![format!("alignwatch branches {}", shell_word(health.path.as_bytes()))],
        repository: Some(health.path.clone()),
    })
}

fn undelivered(held: &Held, times: &Times) -> Option<ToDo> {
    use crate::alert::outbox::State;
    let is_dead =
        |row: &&crate::alert::outbox::Outgoing| matches!(row.state, State::Dead(_)) && row.decided_at < times.until;
    let n_dead = held.messages.iter().filter(is_dead).count();
    (0 < n_dead).then(|| ToDo {
        severity: Severity::Error,
        what: format!("{} could not be delivered", count(n_dead, "message")),
        why: "Whoever should have heard of it has not.".to_owned(),
        commands: vec!["alignwatch alert dead".to_owned()],
        repository: None,
    })
}

/// What is open, one for each check and repository: the worst of them, with how many more.
fn findings(held: &Held, times: &Times, said: &BTreeSet<String>) -> Vec<ToDo> {
    let mut groups = BTreeMap::<(&str, &str), Vec<&HeldFinding>>::new();
    for repository in &held.repositories {
        let is_open = |finding: &&HeldFinding| {
            finding.began_at < times.until
                && finding.ended_at.is_none_or(|at| times.until <= at)
                && finding.severity != Severity::Info
                && !finding.commands.iter().any(|command| said.contains(command))
        };
        for finding in repository.findings.iter().filter(is_open) {
            groups.entry((&repository.path, &finding.check)).or_default().push(finding);
        }
    }
    let told = |((path, _), mut group): ((&str, &str), Vec<&HeldFinding>)| {
        group.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.began_at));
        let worst = group.first()?;
        let todo = ToDo {
            severity: worst.severity,
            what: format!("{}{}", worst.summary, more(group.len())),
            why: worst.impact.clone(),
            commands: worst.commands.clone(),
            repository: Some(path.to_owned()),
        };
        Some((group.len(), todo))
    };
    let mut all: Vec<_> = groups.into_iter().filter_map(told).collect();
    all.sort_by_key(|(n, todo)| std::cmp::Reverse((todo.severity, *n)));
    all.into_iter().map(|(_, todo)| todo).take(AT_MOST).collect()
}

fn more(n: usize) -> String {
    if n <= 1 { String::new() } else { format!(" (and {} more like it)", n - 1) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{HeldRepository, report, sample},
        *,
    };
    use crate::run::verification;

    fn of_run(run: &str, summary: &str) -> HeldFinding {
        HeldFinding {
            check: verification::CHECK.into(),
            severity: Severity::Critical,
            summary: summary.into(),
            impact: "It is found again only as long as Git keeps the old objects.".into(),
            commands: vec![verify(run)],
            began_at: sample::hours_ago(40),
            ended_at: None,
        }
    }

    #[test]
    fn what_a_run_lost_is_said_once_and_what_others_lost_is_said_too() {
        let mut held = sample::held();
        let lossy = held.runs.iter().find(|run| run.verification.is_some()).unwrap().run.to_string();
        held.repositories[0].findings.push(of_run(&lossy, "a run of `nightly` lost work"));
        let other = HeldRepository {
            path: "/srv/git/other.git".into(),
            findings: vec![of_run("of-long-ago", "a run of `weekly` lost work")],
            ..held.repositories[0].clone()
        };
        held.repositories.push(other);
        let told = report(&held, &sample::config(), sample::times()).to_do;
        let lost: Vec<_> =
            told.iter().filter(|one| one.what.contains("ost")).map(|one| one.repository.as_deref()).collect();
        assert_eq!(lost, [None, Some("/srv/git/other.git")], "{told:#?}");
    }

    #[test]
    fn what_checks_found_is_not_counted_as_lost_by_runs() {
        let mut held = sample::held();
        let found = HeldFinding { check: "missing-objects".into(), ..of_run("none", "an object is missing") };
        held.repositories[0].findings.extend(vec![found; 60]);
        let report = report(&held, &sample::config(), sample::times());
        assert_eq!(report.alignment.lost.len() + report.alignment.n_more_lost, 61);
        let first = report.to_do.iter().find(|one| one.what.starts_with("Work was lost")).unwrap();
        assert!(!first.what.contains("more like it"), "{}", first.what);
    }
}
