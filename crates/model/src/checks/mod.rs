//! The checks: pure rules over a snapshot, one file each, one list.
//!
//! To add a check, write its file and add one line to [`ALL`]. Its
//! documentation, the configuration of its threshold, `check --list` and
//! docs/CHECKS.md follow from that line.

mod at_hand;
mod backup_unproven;
mod base_behind_remote;
mod budget_soon_exceeded;
mod changes;
mod commit_graph;
mod conflict_markers;
mod conflicting;
mod contents;
mod criss_cross;
mod dangerous_config;
mod diverging_lines;
mod draft;
mod dropped_sides;
pub mod facts;
mod families;
mod far_behind;
mod forbidden_merged;
mod git_bugs;
mod growth;
mod heads;
mod host;
mod incomplete_packs;
mod landed;
mod left_behind;
mod line_history;
mod litter;
mod loose_objects;
mod missing_base;
mod missing_objects;
mod names;
#[cfg(test)]
mod nothing_seen;
mod object_check;
mod object_pool;
mod old_backups;
mod over_budget;
mod pack_bytes;
mod packs;
mod path_collisions;
mod ref_files;
mod ref_store;
mod reflog_objects;
mod remotes;
mod removal;
mod repository_format;
mod runs;
#[cfg(test)]
pub(crate) mod sample;
mod scope;
mod settings;
mod shallow_or_partial;
mod shape;
mod site;
mod speed;
mod stale;
mod stale_lock;
mod task_failed;
mod task_without_effect;
mod unfinished_operation;
mod unrelated;
mod unsure_base;
mod upkeep;
mod upstream_gone;
mod worktrees;

use std::fmt;

use crate::{Cost, Finding, Look, Severity, Snapshot, Status, Threshold, Timestamp, config::Config};

/// Every check, cheap families first.
pub const ALL: &[&Check] = &[
    &missing_objects::CHECK,
    &object_check::FULL,
    &object_check::CONNECTIVITY,
    &pack_bytes::CHECK,
    &incomplete_packs::CHECK,
    &ref_files::BROKEN,
    &ref_files::PACKED,
    &ref_files::SYMBOLIC,
    &worktrees::INDEX,
    &reflog_objects::CHECK,
    &repository_format::CHECK,
    &shallow_or_partial::CHECK,
    &git_bugs::CHECK,
    &dangerous_config::CHECK,
    &stale_lock::CHECK,
    &unfinished_operation::CHECK,
    &object_pool::CHECK,
    &loose_objects::MANY,
    &loose_objects::STALE,
    &loose_objects::DUPLICATE,
    &packs::COUNT,
    &packs::KEPT,
    &packs::CRUFT,
    &packs::REPACK_AGE,
    &litter::GARBAGE,
    &litter::TEMPORARY,
    &litter::RECORDS,
    &growth::CHECK,
    &shape::SHAPE,
    &shape::BIG_BLOBS,
    &commit_graph::CHECK,
    &speed::GRAPH,
    &speed::PACK_INDEX,
    &speed::BITMAPS,
    &speed::INDEX,
    &ref_store::LOOSE,
    &ref_store::COUNT,
    &ref_store::BACKEND,
    &upkeep::BLOCKED,
    &upkeep::NOBODY,
    &task_failed::CHECK,
    &task_without_effect::CHECK,
    &backup_unproven::CHECK,
    &base_behind_remote::CHECK,
    &forbidden_merged::CHECK,
    &diverging_lines::CHECK,
    &missing_base::CHECK,
    &unsure_base::CHECK,
    &conflicting::CHECK,
    &conflict_markers::CHECK,
    &path_collisions::CHECK,
    &over_budget::CHECK,
    &budget_soon_exceeded::CHECK,
    &far_behind::CHECK,
    &stale::CHECK,
    &old_backups::CHECK,
    &landed::STILL_HERE,
    &landed::CONTINUED,
    &landed::REVERTED,
    &families::RETRIES,
    &families::IDENTICAL,
    &unrelated::CHECK,
    &criss_cross::CHECK,
    &upstream_gone::CHECK,
    &names::HOSTILE,
    &names::AMBIGUOUS,
    &host::CPU,
    &host::MEMORY,
    &host::LOAD,
    &host::DISK,
    &host::INODES,
    &worktrees::UNMERGED,
    &settings::SAFE_DIRECTORY,
    &settings::NO_UNDO_NET,
    &settings::UNPROTECTED,
    &contents::EMBEDDED_BARE,
    &changes::NOISE,
    &line_history::REWRITTEN,
    &dropped_sides::CHECK,
    &line_history::ODD_DATES,
    &heads::HEAD,
    &heads::NO_UPSTREAM,
    &left_behind::LEFT_BEHIND,
    &left_behind::BLOCKED,
    &worktrees::GONE,
    &worktrees::LOCKED,
    &worktrees::SPRAWL,
    &worktrees::TWICE,
    &changes::LANDED_DIRTY,
    &settings::REWRITTEN_URLS,
    &remotes::FETCH_AGE,
    &remotes::UNREACHABLE,
    &remotes::DEFAULT_MOVED,
    &contents::SUBMODULES,
    &contents::LFS_OBJECTS,
    &site::ROOM,
    &site::ACCESS,
    &site::CLOCK,
    &site::FILE_SYSTEM,
    &site::OLD_GIT,
    &runs::WORK_LOST,
    &runs::STUCK,
    &runs::LOST,
    &runs::MISSED,
    &runs::OVERLAP,
    &runs::FAILED,
    &runs::ODD,
];

/// Those whose findings come and go as time goes by, though nothing changes: by a clock that is wrong they are wrong.
pub const BY_CLOCK: &[&Check] = &[
    &stale_lock::CHECK,
    &unfinished_operation::CHECK,
    &litter::GARBAGE,
    &litter::TEMPORARY,
    &litter::RECORDS,
    &packs::KEPT,
    &packs::REPACK_AGE,
    &growth::CHECK,
    &upkeep::BLOCKED,
    &backup_unproven::CHECK,
    &over_budget::CHECK,
    &budget_soon_exceeded::CHECK,
    &stale::CHECK,
    &old_backups::CHECK,
    &line_history::ODD_DATES,
    &remotes::FETCH_AGE,
    &runs::STUCK,
    &runs::MISSED,
    &runs::ODD,
];

/// Which hosts of remotes were asked, each with whether it answered.
pub fn hosts_asked(snapshot: &Snapshot) -> Vec<(String, bool)> {
    remotes::hosts_asked(snapshot)
}

/// A rule over a snapshot, with all that people should know about it.
pub struct Check {
    /// Its name in configuration, JSON and documents: `far-behind`.
    pub id: &'static str,
    /// Plain words, for people: `Branches far behind their base`.
    pub title: &'static str,
    /// What it looks at.
    pub looks_at: &'static str,
    /// Why it matters to alignment.
    pub why: &'static str,
    /// The gravest severity it gives.
    pub severity: Severity,
    /// What it is about.
    pub family: Family,
    /// The parts of an inspection that it judges.
    pub needs: &'static [Look],
    /// The command of Git (or of the system) that answers the same, where there is one; tests compare them.
    pub git_says: Option<&'static str>,
    /// The procedure that belongs to it.
    pub runbook: Runbook,
    /// The number it compares with, when it does.
    pub threshold: Option<ThresholdSpec>,
    /// The rule.
    pub judge: fn(&Seen<'_>) -> Outcome,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Is everything there, and undamaged?
    Integrity,
    /// How much is stored, in which shape?
    Storage,
    /// What makes Git fast, and is it there?
    Speed,
    /// Locks and operations that were not ended.
    Locks,
    /// Settings that are dangerous or in the way.
    Configuration,
    /// Names and refs.
    Refs,
    /// Branches against their base.
    Branches,
    /// Worktrees.
    Worktrees,
    /// Remotes.
    Remotes,
    /// Submodules.
    Submodules,
    /// Large files.
    Lfs,
    /// The machine.
    Host,
    /// Alignment runs.
    Runs,
}

/// What a person does about the findings of a check, in whole sentences; commands stand in backticks.
#[derive(Clone, Copy, Debug)]
pub struct Runbook {
    /// How to look closer.
    pub look: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// How to be sure that it is mended.
    pub sure: &'static str,
    /// How to take the mending back; `None` = it cannot be, or there is nothing to take back.
    pub undo: Option<&'static str>,
}

/// The default number of a check.
pub struct ThresholdSpec {
    /// The default.
    pub default: i64,
    /// Least and greatest value that make sense.
    pub range: (i64, i64),
    /// What is counted: `commits`, `days`, `percent`.
    pub unit: &'static str,
    /// Where the default comes from: a tool, a paper, or our own proposal.
    pub source: &'static str,
}

/// What a check may look at.
pub struct Seen<'a> {
    /// What was seen of the repository.
    pub snapshot: &'a Snapshot,
    /// The configuration in force.
    pub config: &'a Config,
    /// The time of judgement.
    pub now: Timestamp,
    /// The check that is asking, for its threshold.
    pub check: &'static Check,
}

/// What a check says.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// What is wrong, by cause.
    pub findings: Vec<Finding>,
    /// A part that could not be judged, with the reason. Then the check is not `ok`.
    pub unknown: Option<String>,
    /// It did not look, for this reason.
    pub skipped: Option<String>,
}

/// One check's result.
pub struct Judged {
    /// The check.
    pub check: &'static Check,
    /// Its status.
    pub status: Status,
    /// Why it is unknown or skipped.
    pub reason: Option<String>,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Family {
    /// All of them, in the order of documents.
    pub const ALL: [Family; 13] = [
        Family::Integrity,
        Family::Storage,
        Family::Speed,
        Family::Locks,
        Family::Configuration,
        Family::Refs,
        Family::Branches,
        Family::Worktrees,
        Family::Remotes,
        Family::Submodules,
        Family::Lfs,
        Family::Host,
        Family::Runs,
    ];
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Integrity => "integrity",
            Family::Storage => "storage and shape",
            Family::Speed => "speed",
            Family::Locks => "locks and unfinished work",
            Family::Configuration => "configuration",
            Family::Refs => "refs",
            Family::Branches => "branches",
            Family::Worktrees => "worktrees",
            Family::Remotes => "remotes",
            Family::Submodules => "submodules",
            Family::Lfs => "large files (LFS)",
            Family::Host => "host",
            Family::Runs => "alignment runs",
        })
    }
}

impl Check {
    /// What it costs: as much as the dearest look that it needs.
    pub fn cost(&self) -> Cost {
        Look::with_required(self.needs.iter().copied()).into_iter().map(Look::cost).max().unwrap_or(Cost::Cheap)
    }
}

impl Seen<'_> {
    /// The number to compare with: configured, or the check's default, and who says so.
    ///
    /// Panics when the check declares no threshold: that is our own broken promise.
    pub fn threshold(&self) -> (i64, Threshold) {
        let spec = self.check.threshold.as_ref().expect("a check that asks for its threshold declares one");
        match self.config.thresholds.get(self.check.id) {
            Some(&value) => {
                (value, Threshold { value: value.into(), source: format!("configured: thresholds.{}", self.check.id) })
            }
            None => (spec.default, Threshold { value: spec.default.into(), source: spec.source.to_owned() }),
        }
    }
}

impl Outcome {
    /// These findings, or `ok` when there are none.
    pub fn found(findings: Vec<Finding>) -> Outcome {
        Outcome { findings, ..Outcome::default() }
    }

    /// It could not look.
    pub fn unknown(reason: impl Into<String>) -> Outcome {
        Outcome { unknown: Some(reason.into()), ..Outcome::default() }
    }

    fn status(&self) -> Status {
        let worst = self.findings.iter().map(|finding| finding.severity.into()).fold(Status::Ok, Status::worst);
        if self.skipped.is_some() {
            Status::Skipped
        } else if self.unknown.is_some() {
            worst.worst(Status::Unknown)
        } else {
            worst
        }
    }
}

/// Judges a snapshot by the checks that `wanted` allows, in the order of the list.
pub fn judge(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    wanted: impl Fn(&Check) -> Result<(), String>,
) -> Vec<Judged> {
    let judge_one = |check: &'static Check| {
        let outcome = match wanted(check).and_then(|()| is_seen(check, snapshot)) {
            Ok(()) => (check.judge)(&Seen { snapshot, config, now, check }),
            Err(reason) => Outcome { skipped: Some(reason), ..Outcome::default() },
        };
        Judged {
            check,
            status: outcome.status(),
            reason: outcome.skipped.or(outcome.unknown),
            findings: outcome.findings,
        }
    };
    ALL.iter().copied().map(judge_one).collect()
}

/// Is the check made, where nobody names checks? Errors: the reason why not.
///
/// The configuration may leave it out; and one that costs much, or asks other machines, is made only where
/// that price is paid, or where the configuration names it.
pub fn is_made(check: &Check, config: &Config, pays: impl Fn(Cost) -> bool) -> Result<(), String> {
    config.checks.wants(check.id)?;
    let is_named = config.checks.only.iter().any(|id| id == check.id);
    match check.cost().only_when_asked() {
        Some(reason) if !is_named && !pays(check.cost()) => Err(reason.to_owned()),
        _ => Ok(()),
    }
}

/// Was all that the check needs looked at? If not, why.
fn is_seen(check: &Check, snapshot: &Snapshot) -> Result<(), String> {
    match check.needs.iter().find_map(|&look| snapshot.looks.missing(look)) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(()),
    }
}

/// The number that the check with this id compares with: configured, or its default.
///
/// Panics when there is no such check, or it declares no threshold: that is our own broken promise.
pub(crate) fn threshold_of(id: &str, config: &Config) -> i64 {
    let spec = by_id(id).and_then(|check| check.threshold.as_ref()).expect("the check declares a threshold");
    config.thresholds.get(id).copied().unwrap_or(spec.default)
}

/// The check with this id.
pub fn by_id(id: &str) -> Option<&'static Check> {
    ALL.iter().copied().find(|check| check.id == id)
}
