//! `growth`: a repository that grows fast.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, Threshold, Timestamp, facts::storage::Growth};

/// It grew by more than a share of its size in a week, or by more than a gibibyte a day.
pub(super) static CHECK: Check = Check {
    id: "growth",
    title: "Repository grows fast",
    looks_at: "The bytes below `objects/` against those of an earlier look, a week ago or as near to it as there is",
    why: "A writer in a loop fills the disk within hours, and then nothing can be aligned; large files stay in history for ever",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (size, size-pack, size-garbage)"),
    runbook: Runbook {
        look: "`git count-objects -vH`, `ls -lt .git/objects/pack | head`, and `alignwatch check --only big-blobs` for large files",
        mend: "Find the writer first. Loose objects and packs that pile up: `git repack -d -l --geometric=2`. Garbage and temporary files have checks of their own",
        sure: "The next looks, a day apart, show a lower rate",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 20,
        range: (1, 10_000),
        unit: "percent a week",
        source: "alignwatch: doubles within a month; or more than 1 GiB a day",
    }),
    judge,
};

/// Growth that fills a usual disk within weeks, in bytes a day. Source: ours; 11 GB of garbage in 4 hours are on record.
const BYTES_A_DAY: f64 = (1u64 << 30) as f64;

/// Growth that is no matter, whatever its share: small repositories double with their first branch.
const BYTES_AT_LEAST: u64 = 50 << 20;

fn judge(seen: &Seen<'_>) -> Outcome {
    let growth = match &seen.snapshot.facts.storage {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(storage) => &storage.growth,
    };
    match growth {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(Growth::NotYet(reason)) => Outcome { skipped: Some(reason.clone()), ..Outcome::default() },
        Known::Seen(Growth::Since { at, bytes_then, bytes_now }) => {
            Outcome::found(found(seen, *at, *bytes_then, *bytes_now).into_iter().collect())
        }
    }
}

fn found(seen: &Seen<'_>, at: Timestamp, bytes_then: u64, bytes_now: u64) -> Option<Finding> {
    let grown = bytes_now.checked_sub(bytes_then).filter(|&grown| BYTES_AT_LEAST < grown)?;
    let age = seen.now.since(at);
    let days = (age.0 as f64 / 86_400.0).max(1.0);
    let a_day = grown as f64 / days;
    let a_week = 100.0 * 7.0 * a_day / bytes_then.max(1) as f64;
    let (limit, threshold) = seen.threshold();
    let threshold = if limit as f64 <= a_week {
        threshold
    } else if BYTES_A_DAY < a_day {
        Threshold { value: (1u64 << 30).into(), source: "alignwatch: 1 GiB a day".into() }
    } else {
        return None;
    };
    let summary = format!("It grew by {} in {age}, from {} to {}", bytes(grown), bytes(bytes_then), bytes(bytes_now));
    Some(
        seen.finding(Severity::Warning, "", "objects", summary)
            .against(threshold)
            .fact("bytes_now", bytes_now)
            .fact("bytes_then", bytes_then)
            .fact("compared_with", at.rfc3339())
            .fact("percent_a_week", a_week.round())
            .fact("bytes_a_day", a_day.round())
            .fact("source", "objects/, by stat, now and at the earlier look")
            .so("At this rate the disk fills up, and then no alignment can be done.")
            .mend(Remedy::reversible(
                "Find out who writes; the newest files tell.",
                [
                    "git count-objects -vH".to_owned(),
                    "ls -lt \"$(git rev-parse --git-path objects/pack)\" | head".to_owned(),
                ],
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn grown(days: i64, bytes_then: u64, bytes_now: u64) -> Outcome {
        let growth = Growth::Since { at: days_ago(days), bytes_then, bytes_now };
        judged(&CHECK, &stored(|storage| storage.growth = Known::Seen(growth)))
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn slow_growth_shrinking_and_small_repositories_are_fine() {
        assert_eq!(grown(7, 10 * GIB, 11 * GIB), Outcome::default());
        assert_eq!(grown(7, 10 * GIB, GIB), Outcome::default());
        assert_eq!(grown(1, 1 << 20, 40 << 20), Outcome::default(), "small");
    }

    #[test]
    fn fast_growth_is_told_by_share_or_by_size() {
        let by_share = only(grown(14, 10 * GIB, 14 * GIB));
        assert_eq!(told([&by_share]), "[warning] growth: It grew by 4.0 GiB in 14 d, from 10.0 GiB to 14.0 GiB");
        assert_eq!(by_share.threshold.unwrap().value, 20);
        let by_size = only(grown(2, 1000 * GIB, 1003 * GIB));
        assert_eq!(by_size.threshold.unwrap().source, "alignwatch: 1 GiB a day");
    }

    #[test]
    fn at_first_sight_it_is_skipped_with_its_reason() {
        let first = Growth::NotYet("this is the first look".into());
        let outcome = judged(&CHECK, &stored(|storage| storage.growth = Known::Seen(first)));
        assert_eq!(outcome.skipped.unwrap(), "this is the first look");
    }

    #[test]
    fn a_size_that_could_not_be_told_is_unknown() {
        assert!(judged(&CHECK, &stored(|storage| storage.growth = Known::default())).unknown.is_some());
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
    }
}
