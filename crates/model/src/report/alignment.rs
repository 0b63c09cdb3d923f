//! What was aligned, lost, or nearly lost.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::held::{Held, HeldFinding, Times};
use crate::{
    Severity, Timestamp,
    run::{
        Document, Outcome,
        times::{Durations, durations, success_ratio},
    },
};

/// Branches that are named; the rest is counted.
const NAMED: usize = 50;

/// Checks whose findings tell that work is gone, or nearly.
const OF_LOSS: [&str; 3] = [DROPPED_SIDE, "missing-objects", "incomplete-packs"];

/// The check whose findings are in the history, so that the work can be had again.
const DROPPED_SIDE: &str = "dropped-side";

/// What alignment runs did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlignmentPart {
    /// Runs that began in the period.
    pub n_runs: usize,
    /// Runs that began in the one before.
    pub n_runs_before: usize,
    /// How they ended, by the word of their outcome; `under_way` has none yet.
    pub by_outcome: BTreeMap<&'static str, usize>,
    /// Runs that aligned something or had nothing to do, of those that ended and were judged; `null` without any.
    pub success_ratio: Option<f64>,
    /// The same of the period before.
    pub success_ratio_before: Option<f64>,
    /// How long runs took, the middle one; `null` without any.
    pub duration_median_seconds: Option<f64>,
    /// How long all of them took, with the shortest and the longest; `null` without any.
    pub duration: Option<Durations>,
    /// Alignments of branches, the last first.
    pub aligned: Vec<Aligned>,
    /// Alignments that are not listed.
    pub n_more_aligned: usize,
    /// How many branches these are: one that is aligned each night counts once.
    pub n_branches_aligned: usize,
    /// Work that nothing leads to any more.
    pub lost: Vec<Lost>,
    /// Losses that are not listed.
    pub n_more_lost: usize,
    /// Work that was left out and can be had again, and what was taken back.
    pub nearly_lost: Vec<Lost>,
    /// The same, not listed.
    pub n_more_nearly_lost: usize,
    /// Runs that moved something and were not verified: of them nothing is known.
    pub n_unverified: usize,
    /// All branches that were aligned, for people: the last first.
    #[serde(skip)]
    pub branches: Vec<AlignedBranch>,
    /// All that runs lost, of what is told as lost: the gravest first.
    #[serde(skip)]
    pub lost_by_runs: Vec<Lost>,
}

/// A branch that was aligned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aligned {
    /// Its full name.
    pub branch: String,
    /// The base that it contains now, when that was said.
    pub base: Option<String>,
    /// The workflow that did it.
    pub workflow: String,
    /// The run.
    pub run: String,
    /// When the run ended.
    pub at: Timestamp,
}

/// A branch of a repository and how often it was aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct AlignedBranch {
    /// The path of its repository, where a run said it; else its id, else empty.
    pub repository: String,
    /// The last time.
    pub last: Aligned,
    /// The workflows that did it.
    pub workflows: BTreeSet<String>,
    /// How often.
    pub n_times: usize,
}

/// Work that was lost, or nearly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lost {
    /// The branch, where it is about one; full name.
    pub branch: Option<String>,
    /// How grave.
    pub severity: Severity,
    /// In one sentence.
    pub summary: String,
    /// What still leads to it.
    pub kept_by: Option<String>,
    /// The run, where one did it.
    pub run: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What alignment runs did in the period.
pub(super) fn part(held: &Held, times: &Times) -> AlignmentPart {
    let of = |is_in: &dyn Fn(Timestamp) -> bool| -> Vec<&Document> {
        held.runs.iter().filter(|run| began(run).is_some_and(is_in)).collect()
    };
    let (runs, before) = (of(&|at| times.holds(at)), of(&|at| times.held_before(at)));
    let mut by_outcome = BTreeMap::new();
    for run in &runs {
        *by_outcome.entry(run.outcome.map_or("under_way", Outcome::word)).or_default() += 1;
    }
    let aligned: Vec<Aligned> = runs.iter().flat_map(|run| aligned(run)).collect();
    let branches = branches(&runs);
    let (aligned, n_more_aligned) = named(aligned);
    let mut lost: Vec<Lost> = runs.iter().flat_map(|run| losses(run)).collect();
    lost.extend(found(held, times));
    lost.extend(taken_back(&runs));
    lost.sort_by_key(|lost| (std::cmp::Reverse(lost.severity), std::cmp::Reverse(lost.at)));
    let (gone, kept): (Vec<_>, Vec<_>) = lost.into_iter().partition(|lost| lost.kept_by.is_none());
    let lost_by_runs = gone.iter().filter(|lost| lost.run.is_some()).cloned().collect();
    let ((lost, n_more_lost), (nearly_lost, n_more_nearly_lost)) = (named(gone), named(kept));
    let durations = durations(&runs);
    AlignmentPart {
        n_runs: runs.len(),
        n_runs_before: before.len(),
        by_outcome,
        success_ratio: success_ratio(&runs),
        success_ratio_before: success_ratio(&before),
        duration_median_seconds: durations.get(durations.len() / 2).copied(),
        duration: Durations::of(&durations),
        aligned,
        n_more_aligned,
        n_branches_aligned: branches.len(),
        lost,
        n_more_lost,
        nearly_lost,
        n_more_nearly_lost,
        n_unverified: runs.iter().filter(|run| is_unverified(run)).count(),
        branches,
        lost_by_runs,
    }
}

fn named<T>(mut all: Vec<T>) -> (Vec<T>, usize) {
    let n_more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    (all, n_more)
}

fn began(run: &Document) -> Option<Timestamp> {
    run.began_at.map(|at| Timestamp(at.0.div_euclid(1_000)))
}

fn ended(run: &Document) -> Timestamp {
    let at = run.ended_at.or(run.heard_at).unwrap_or_default();
    Timestamp(at.0.div_euclid(1_000))
}

fn aligned(run: &Document) -> impl Iterator<Item = Aligned> + use<'_> {
    let operations = run.operations.iter().filter(|operation| operation.outcome == Outcome::Aligned);
    operations.map(|operation| Aligned {
        branch: operation.branch.clone(),
        base: operation.base.clone(),
        workflow: run.started.as_ref().map_or(String::new(), |started| started.workflow.clone()),
        run: run.run.to_string(),
        at: ended(run),
    })
}

/// The branches that these runs aligned, each of its repository; the last first.
fn branches(runs: &[&Document]) -> Vec<AlignedBranch> {
    let mut branches = BTreeMap::<(String, String), AlignedBranch>::new();
    for run in runs {
        let started = run.started.as_ref();
        let repository = started.and_then(|started| started.repository.clone().or(started.repository_id.clone()));
        for one in aligned(run) {
            let key = (repository.clone().unwrap_or_default(), one.branch.clone());
            let branch = branches.entry(key).or_insert_with_key(|(repository, _)| AlignedBranch {
                repository: repository.clone(),
                last: one.clone(),
                workflows: BTreeSet::new(),
                n_times: 0,
            });
            branch.n_times += 1;
            branch.workflows.insert(one.workflow.clone());
            if branch.last.at < one.at {
                branch.last = one;
            }
        }
    }
    let mut branches: Vec<AlignedBranch> = branches.into_values().collect();
    branches.sort_by_key(|branch| std::cmp::Reverse(branch.last.at));
    branches
}

/// What the verification of a run found.
fn losses(run: &Document) -> impl Iterator<Item = Lost> + use<'_> {
    let branches = run.verification.iter().flat_map(|verification| &verification.branches);
    branches.flat_map(move |branch| {
        branch.losses.iter().map(move |loss| Lost {
            branch: Some(branch.branch.clone()),
            severity: loss.severity,
            summary: loss.summary.clone(),
            kept_by: branch.kept_by.clone(),
            run: Some(run.run.to_string()),
            at: ended(run),
        })
    })
}

/// Branches that runs took back: the work is there, and is not in line.
fn taken_back<'a>(runs: &'a [&'a Document]) -> impl Iterator<Item = Lost> + 'a {
    runs.iter().flat_map(|run| {
        let taken = run.operations.iter().filter(|operation| operation.outcome == Outcome::RolledBack);
        taken.map(move |operation| Lost {
            branch: Some(operation.branch.clone()),
            severity: Severity::Info,
            summary: format!("`{}` was taken back to where it was", operation.branch),
            kept_by: Some("the branch itself".to_owned()),
            run: Some(run.run.to_string()),
            at: ended(run),
        })
    })
}

/// What checks found of work that is gone from a line, but is in its history.
fn found<'a>(held: &'a Held, times: &'a Times) -> impl Iterator<Item = Lost> + 'a {
    let findings = held.repositories.iter().flat_map(|repository| &repository.findings);
    let is_new = |finding: &&HeldFinding| times.holds(finding.began_at) && is_loss(finding);
    findings.filter(is_new).map(|finding| Lost {
        branch: None,
        severity: finding.severity,
        summary: finding.summary.clone(),
        kept_by: (finding.check == DROPPED_SIDE).then(|| "the history".to_owned()),
        run: None,
        at: finding.began_at,
    })
}

/// What is only not known (an object that a partial clone may fetch) is no loss.
fn is_loss(finding: &HeldFinding) -> bool {
    let is_certain = Severity::Error <= finding.severity || finding.check == DROPPED_SIDE;
    is_certain && OF_LOSS.contains(&finding.check.as_str())
}

fn is_unverified(run: &Document) -> bool {
    let has_moved = run.finished.as_ref().is_some_and(|finished| 0 < finished.n_moved);
    has_moved && run.verification.is_none()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::checks;

    #[test]
    fn what_tells_of_losses_are_checks() {
        assert!(OF_LOSS.iter().all(|id| checks::by_id(id).is_some()));
        let finding = |check, severity| sample::finding(check, severity, 1, None, "x");
        assert!(is_loss(&finding(DROPPED_SIDE, Severity::Warning)));
        assert!(!is_loss(&finding("missing-objects", Severity::Warning)), "in a partial clone");
    }
}
