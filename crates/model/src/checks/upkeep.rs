//! `gc-blocked`, `no-upkeep`: is anybody keeping the repository tidy?

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec};
use crate::{Finding, Known, Look, Remedy, Severity, Span, facts::Speed};

/// Git's automatic upkeep failed and waits.
pub(super) static BLOCKED: Check = Check {
    id: "gc-blocked",
    title: "Git's automatic upkeep is stopped by an error",
    looks_at: "`gc.log`, which Git writes when its upkeep fails in the background; as long as it is young, Git does not try again",
    why: "Nothing is packed any more, so each alignment makes the next one slower; and the cause can be a damaged object",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Speed],
    git_says: Some("git gc --auto (it refuses, and shows the file)"),
    runbook: Runbook {
        look: "`cat .git/gc.log`; `git fsck --connectivity-only` when it speaks of a missing or bad object",
        mend: "Mend what it names, then move `gc.log` aside; `git gc --auto` tries again",
        sure: "`git gc --auto` says nothing, and there is no `gc.log`",
        undo: Some("Move `gc.log` back"),
    },
    threshold: Some(ThresholdSpec { default: 24, range: (1, 8760), unit: "hours", source: "git: gc.logExpiry" }),
    judge: blocked,
};

/// Upkeep is turned off and nothing stands in its place.
pub(super) static NOBODY: Check = Check {
    id: "no-upkeep",
    title: "Nobody keeps it tidy",
    looks_at: "gc.auto, maintenance.auto, maintenance.strategy and schedules in the repository's own configuration; where `maintenance.repositories` names it, alignwatch does it",
    why: "Loose objects, packs and refs pile up with every fetch and alignment, until everything is slow",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Speed, Look::Storage],
    git_says: Some("git config --get-regexp '^(gc|maintenance)\\.'"),
    runbook: Runbook {
        look: "`git config --show-origin --get-regexp '^(gc|maintenance)\\.'`; `git config --global --get-all maintenance.repo` lists what is registered for a schedule; `git count-objects -v` shows what piled up",
        mend: "Either let Git do it by itself: `git config --unset gc.auto`, `git config --unset maintenance.auto`; or on a schedule: `git maintenance register`",
        sure: "`git count-objects -v` shows small numbers a week later",
        undo: Some("`git config gc.auto 0`, `git config maintenance.auto false`; `git maintenance unregister`"),
    },
    threshold: None,
    judge: nobody,
};

fn speed<'a>(seen: &Seen<'a>) -> Result<&'a Speed, String> {
    match &seen.snapshot.facts.speed {
        Known::Seen(speed) => Ok(speed),
        Known::Unknown(reason) => Err(reason.clone()),
    }
}

fn blocked(seen: &Seen<'_>) -> Outcome {
    let log = match speed(seen).map(|speed| &speed.gc_log) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(Known::Unknown(reason)) => return Outcome::unknown(format!("gc.log: {reason}")),
        Ok(Known::Seen(None)) => return Outcome::default(),
        Ok(Known::Seen(Some(log))) => log,
    };
    let (hours, threshold) = seen.threshold();
    let age = seen.now.since(log.modified_at);
    if Span::hours(hours) <= age {
        return Outcome::default();
    }
    let word = |name: &str| crate::quote::shell_word(format!("{}/{name}", seen.snapshot.repository.git_dir).as_bytes());
    let finding = seen
        .finding(Severity::Warning, "", "gc.log", format!("Automatic upkeep failed {age} ago: {}", log.first_line))
        .against(threshold)
        .fact("written_at", log.modified_at.rfc3339())
        .fact("first_line", log.first_line.as_str())
        .fact("source", "gc.log")
        .so("Git does not try again for a day, and nothing is packed meanwhile.")
        .mend(Remedy::reversible(
            format!("Mend what it says, then move it aside. Undo: mv -n {} {}", word("gc.log.seen"), word("gc.log")),
            [format!("mv -n {} {}", word("gc.log"), word("gc.log.seen"))],
        ));
    Outcome::found(vec![finding])
}

fn nobody(seen: &Seen<'_>) -> Outcome {
    let upkeep = match speed(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(speed) => &speed.upkeep,
    };
    let mut off = Vec::new();
    if let Some(number) = upkeep.gc_auto.filter(|&number| number <= 0) {
        off.push(("gc.auto", format!("gc.auto={number}")));
    }
    if upkeep.maintenance_auto == Some(false) {
        off.push(("maintenance.auto", "maintenance.auto=false".to_owned()));
    }
    let has_strategy = upkeep.strategy.as_deref().is_some_and(|strategy| strategy != "none");
    let is_tended = seen.config.is_tended(&seen.snapshot.repository.path);
    if off.is_empty() || has_strategy || upkeep.has_schedule || is_tended {
        return Outcome::default();
    }
    let set: Vec<&str> = off.iter().map(|(_, set)| set.as_str()).collect();
    let summary = format!("Automatic upkeep is turned off ({}) and no schedule is set here", set.join(", "));
    let finding = seen
        .finding(Severity::Warning, "", "config", summary)
        .fact("settings", set)
        .fact(
            "source",
            "the repository's own configuration; whether a schedule of the user names it cannot be seen from here",
        )
        .so("Loose objects, packs and refs pile up with every fetch and alignment.")
        .mend(Remedy::reversible(
            "Let Git do it again, or put it on a schedule (git maintenance register). Undo: set them again.",
            off.iter().map(|(key, _)| format!("git config --unset-all {key}")),
        ));
    Outcome::found(vec![with_piles(seen, finding)])
}

/// What has piled up so far.
fn with_piles(seen: &Seen<'_>, finding: Finding) -> Finding {
    let storage = seen.snapshot.facts.storage.seen();
    let n_loose = storage.and_then(|storage| storage.loose.seen()).map(|loose| loose.n);
    let n_packs = storage.and_then(|storage| storage.packs.seen()).map(Vec::len);
    finding.fact("n_loose", n_loose).fact("n_packs", n_packs)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Timestamp,
        facts::speed::{GcLog, Upkeep},
    };

    fn logged(hours_ago: i64) -> Outcome {
        let log = GcLog { modified_at: Timestamp(NOW.0 - 3600 * hours_ago), first_line: "fatal: bad object".into() };
        judged(&BLOCKED, &sped(|speed| speed.gc_log = Known::Seen(Some(log))))
    }

    #[test]
    fn a_young_gc_log_is_told_and_an_old_one_stops_nothing() {
        assert_eq!(logged(24), Outcome::default());
        assert_eq!(judged(&BLOCKED, &sped(|_| {})), Outcome::default());
        let finding = only(logged(3));
        assert_eq!(told([&finding]), "[warning] gc-blocked: Automatic upkeep failed 3 h ago: fatal: bad object");
        assert_eq!(finding.remedy.commands, ["mv -n /repo/.git/gc.log /repo/.git/gc.log.seen"]);
    }

    #[test]
    fn upkeep_that_is_on_or_scheduled_is_fine() {
        let off = Upkeep { maintenance_auto: Some(false), ..Upkeep::default() };
        for upkeep in [
            Upkeep { gc_auto: Some(100), maintenance_auto: Some(true), ..Upkeep::default() },
            Upkeep { strategy: Some("incremental".into()), ..off.clone() },
            Upkeep { has_schedule: true, ..off },
        ] {
            assert_eq!(judged(&NOBODY, &sped(|speed| speed.upkeep = upkeep)), Outcome::default());
        }
    }

    #[test]
    fn upkeep_that_is_off_is_told_with_the_settings_that_do_it() {
        let upkeep = Upkeep {
            gc_auto: Some(0),
            maintenance_auto: Some(false),
            strategy: Some("none".into()),
            has_schedule: false,
        };
        let finding = only(judged(&NOBODY, &sped(|speed| speed.upkeep = upkeep)));
        assert_eq!(
            told([&finding]),
            "[warning] no-upkeep: Automatic upkeep is turned off (gc.auto=0, maintenance.auto=false) and no schedule is set here"
        );
        assert_eq!(finding.remedy.commands[1], "git config --unset-all maintenance.auto");
    }

    #[test]
    fn what_could_not_be_read_is_unknown() {
        let unread = sped(|speed| speed.gc_log = Known::Unknown("it is a folder".into()));
        assert_eq!(judged(&BLOCKED, &unread), Outcome::unknown("gc.log: it is a folder"));
        assert!(judged(&NOBODY, &snapshot([])).unknown.is_some());
    }
}
