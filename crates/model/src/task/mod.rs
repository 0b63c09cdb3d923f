//! Maintenance: what a task would do, and what it did.
//!
//! A task makes a [`Plan`] from what was seen, and performs it step by step. Whether it did anything is measured, by
//! the same numbers before and after; how a git ended says nothing about that. So a [`Report`] has one of four
//! results, and "done" is not among them.

pub mod cleanup;
pub mod conflicts;
mod numbers;
pub mod report;
pub mod retention;
pub mod slots;
pub mod stale;
mod wish;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use numbers::{Limit, Measure};
pub use wish::TaskWish;

use crate::{Span, Timestamp, words};

/// In [`Plan::proofs`]: the work is in no base.
pub const UNPROVEN: &str = "none";

/// In [`Plan::proofs`]: what goes was in the archive.
pub const ARCHIVED: &str = "archived";

/// What a task would do now, and why. A dry run ends with it; a real one begins with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The task, by its id.
    pub task: String,
    /// What it goes by.
    pub inputs: Vec<Measure>,
    /// What that is compared with.
    pub limits: Vec<Limit>,
    /// Whether it acts.
    pub decision: Decision,
    /// What it does, one act each, in order.
    pub steps: Vec<String>,
    /// What it leaves alone, and why.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Branches that it takes away, by the proof that their work is in the base; [`UNPROVEN`] = it is not, [`ARCHIVED`] = they are
    /// in the archive already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proofs: BTreeMap<String, u32>,
    /// How long it should take, in seconds; `None` = nothing is known to go by.
    pub takes_seconds: Option<u64>,
    /// Room on the disk that it needs besides what is used already.
    pub disk_bytes: u64,
    /// The folder on whose file system that room has to be; `None` = the repository's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_at: Option<String>,
    /// How it is taken back, as a sentence part.
    pub undo: String,
}

/// Whether a task acts, with the reason as a sentence part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision", content = "because")]
pub enum Decision {
    /// The numbers say so.
    Act(String),
    /// There is nothing to do.
    Rest(String),
    /// It must not: something is not known, or would be dangerous here.
    Refuse(String),
}

/// What came of a run of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// The numbers are others than before.
    Effect,
    /// It ran, or there was nothing to run for, and the numbers are the same.
    Noop,
    /// Something held it, and nothing was begun.
    Skipped,
    /// It was tried and did not work.
    Failed,
}

/// What a run of a task did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What came of it.
    pub result: Came,
    /// In words: what changed, what held it, or what went wrong.
    pub because: String,
    /// The numbers before; none when nothing was begun.
    pub before: Vec<Measure>,
    /// The numbers after.
    pub after: Vec<Measure>,
    /// Objects that were reachable before and are there after; `None` = this task touches no objects.
    pub objects_kept: Option<u64>,
    /// It must not act here, and does not only wait: a refusal stands until somebody mends something.
    #[serde(default)]
    pub is_refused: bool,
    /// It lost something: whoever reads this must be woken.
    pub is_critical: bool,
    /// When it is worth trying again, where that is known.
    pub again_at: Option<i64>,
    /// How long it took, in seconds.
    pub took_seconds: f64,
}

/// Why a task waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// In a sentence part: `a run of \`nightly\` is under way since 3 min`.
    pub reason: String,
    /// When it ends by itself, where that is known.
    #[serde(skip)]
    pub until: Option<Timestamp>,
}

impl Plan {
    /// Does it act?
    pub fn acts(&self) -> bool {
        matches!(self.decision, Decision::Act(_))
    }

    /// How long it should take.
    pub fn takes(&self) -> Option<Span> {
        self.takes_seconds.and_then(|seconds| i64::try_from(seconds).ok()).map(Span)
    }
}

impl Decision {
    /// The word, as in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Decision::Act(_) => "act",
            Decision::Rest(_) => "rest",
            Decision::Refuse(_) => "refuse",
        }
    }

    /// The same, and the numbers that it was made by behind its reason. A refusal is not made by numbers.
    #[must_use]
    pub fn by(self, limits: &[Limit], inputs: &[Measure]) -> Decision {
        let beside = |limit: &Limit| Some(limit.beside(inputs.iter().find(|input| input.name == limit.name)?));
        let numbers: Vec<String> = limits.iter().filter_map(beside).collect();
        let with =
            |because: String| if numbers.is_empty() { because } else { format!("{because}; {}", numbers.join("; ")) };
        match self {
            Decision::Act(because) => Decision::Act(with(because)),
            Decision::Rest(because) => Decision::Rest(with(because)),
            Decision::Refuse(because) => Decision::Refuse(because),
        }
    }

    /// Why.
    pub fn because(&self) -> &str {
        match self {
            Decision::Act(because) | Decision::Rest(because) | Decision::Refuse(because) => because,
        }
    }
}

impl Came {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Came::Effect => "effect",
            Came::Noop => "noop",
            Came::Skipped => "skipped",
            Came::Failed => "failed",
        }
    }
}

impl Report {
    /// Nothing was begun.
    pub fn of_nothing(result: Came, because: impl Into<String>) -> Report {
        Report {
            result,
            because: because.into(),
            before: Vec::new(),
            after: Vec::new(),
            objects_kept: None,
            is_refused: false,
            is_critical: false,
            again_at: None,
            took_seconds: 0.0,
        }
    }

    /// Bytes on the disk that were given back, by its numbers; below 0, it took some. What is not known counts nothing.
    pub fn bytes_won(&self) -> i64 {
        let after = |name: &str| self.after.iter().find(|measure| measure.name == name)?.value;
        let of_disk = self.before.iter().filter(|measure| measure.unit == "bytes");
        let won = of_disk.filter_map(|before| Some(before.value?.saturating_sub(after(&before.name)?)));
        won.fold(0, i64::saturating_add)
    }

    /// It must not: a refusal stands until somebody mends something.
    pub fn refused(reason: &str) -> Report {
        Report { is_refused: true, ..Report::of_nothing(Came::Skipped, format!("refused: {reason}")) }
    }

    /// Was it refused, and not held for a while?
    pub fn is_refusal(&self) -> bool {
        self.result == Came::Skipped && self.is_refused
    }

    /// What a plan would have done that nobody lets act.
    pub fn only_planned(plan: &Plan) -> Report {
        let because = plan.decision.because();
        let words = match &plan.decision {
            Decision::Act(_) => format!("it would act: {because}"),
            Decision::Rest(_) => format!("it would rest: {because}"),
            Decision::Refuse(_) => format!("it would refuse: {because}"),
        };
        Report { before: plan.inputs.clone(), ..Report::of_nothing(Came::Skipped, format!("only reported; {words}")) }
    }

    /// It waits for something.
    pub fn held(hold: Hold) -> Report {
        Report { again_at: hold.until.map(|until| until.0), ..Report::of_nothing(Came::Skipped, hold.reason) }
    }
}

/// Judges a run that went through, by its numbers before and after, and by what its plan would be now.
///
/// Numbers that are the same are no effect, however well all commands ended. Numbers that can't be read afterwards
/// are no success either.
pub fn judge(before: &[Measure], after: &[Measure], plan_after: &Decision) -> (Came, String) {
    if let Some(unread) = after.iter().find(|measure| measure.value.is_none()) {
        let reason = unread.unknown.as_deref().unwrap_or("it could not be read");
        return (Came::Failed, format!("it ran, and {} can't be told: {reason}", unread.name));
    }
    let changed: Vec<String> = after.iter().filter_map(|now| now.change(before)).collect();
    if changed.is_empty() {
        return (Came::Noop, "it ran, and nothing is different".to_owned());
    }
    let open = match plan_after {
        Decision::Act(because) => format!("; still due: {because}"),
        Decision::Refuse(because) => format!("; not known whether that is all: {because}"),
        Decision::Rest(_) => String::new(),
    };
    (Came::Effect, format!("{}{open}", changed.join(", ")))
}

/// `needs 1.2 GiB, and 300.0 MiB are free`, when a plan needs more than there is.
pub fn lacks_room(needed_bytes: u64, free_bytes: u64) -> Option<String> {
    /// Part of what is free that is left to others, in percent. Source: ours; Gitaly and git look at nothing.
    const LEFT_PERCENT: u64 = 5;
    let usable = free_bytes - free_bytes / 100 * LEFT_PERCENT;
    (usable < needed_bytes).then(|| {
        format!(
            "it needs {} on the disk, and {} are free ({LEFT_PERCENT} % of them are left to others)",
            words::bytes(needed_bytes),
            words::bytes(free_bytes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(value: i64) -> Vec<Measure> {
        vec![Measure::of("loose objects", value, "objects")]
    }

    #[test]
    fn the_same_numbers_are_no_effect() {
        let rest = Decision::Rest("fine".into());
        assert_eq!(judge(&loose(7), &loose(7), &rest).0, Came::Noop);
        assert_eq!(judge(&loose(7), &loose(1), &rest), (Came::Effect, "loose objects 7 → 1".to_owned()));
    }

    #[test]
    fn what_cannot_be_measured_afterwards_is_no_success() {
        let unread = vec![Measure::unknown("loose objects", "objects", "the disk is gone")];
        let (came, words) = judge(&loose(7), &unread, &Decision::Rest(String::new()));
        assert_eq!((came, words.as_str()), (Came::Failed, "it ran, and loose objects can't be told: the disk is gone"));
    }

    #[test]
    fn what_is_still_due_is_told_with_the_effect() {
        let (came, words) = judge(&loose(900), &loose(400), &Decision::Act("400 are more than 100".into()));
        assert_eq!((came, words.as_str()), (Came::Effect, "loose objects 900 → 400; still due: 400 are more than 100"));
    }

    #[test]
    fn room_that_was_made_is_what_the_numbers_say() {
        let of = |bytes| vec![Measure::of("size", bytes, "bytes"), Measure::of("packs", bytes, "packs")];
        let report = Report { before: of(900), after: of(400), ..Report::of_nothing(Came::Effect, "") };
        assert_eq!(report.bytes_won(), 500);
        let unread = vec![Measure::unknown("size", "bytes", "the disk is gone")];
        assert_eq!(Report { after: unread, ..report }.bytes_won(), 0);
    }

    #[test]
    fn room_that_others_need_is_left_to_them() {
        assert_eq!(lacks_room(90, 100), None);
        assert!(lacks_room(96, 100).unwrap().contains("96 bytes"));
        assert!(lacks_room(1, 0).is_some());
    }
}
