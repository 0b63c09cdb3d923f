//! When runs begin and how long they take: stuck, lost, missed, at the same time, of an odd length.

use super::{
    super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*},
    by_workflow, with_runs,
};
use crate::{
    Finding, Look, Remedy, Severity, Span, Threshold, Timestamp,
    config::WorkflowRule,
    facts::runs::{Brief, Process},
    quote::shell_word,
};

/// A run whose process is there, and of which nothing was heard for long.
pub(in super::super) static STUCK: Check = Check {
    id: "run-stuck",
    title: "Alignment runs that are stuck",
    looks_at: "Runs that were recorded to begin and not to end: the last that was heard of them, and their process",
    why: "A run that hangs aligns nothing, and often holds the lock that stops the next one",
    severity: Severity::Error,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch explain run-stuck` names the run and its process; `ps -f -p PID` and `cat /proc/PID/stack` say what it waits for: often a prompt, the network or a lock",
        mend: "End the process with `kill PID`, and see to what it left half done: `git status`",
        sure: "`alignwatch check --only run-stuck,unfinished-operation` is ok",
        undo: None,
    },
    threshold: None,
    judge: stuck,
};

/// A run that never said how it ended, and whose process is gone.
pub(in super::super) static LOST: Check = Check {
    id: "run-lost",
    title: "Alignment runs that ended without a word",
    looks_at: "Runs that were recorded to begin and not to end, whose process is gone",
    why: "Somebody or something killed it, or the machine went down: branches may be half aligned",
    severity: Severity::Error,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`git status` in each worktree and `git reflog --all --date=iso` around that time; `dmesg` names what the kernel killed",
        mend: "End or take back what is half done, then run the workflow again",
        sure: "The next run of the workflow ends, which also ends this finding",
        undo: None,
    },
    threshold: None,
    judge: lost,
};

/// A run that should have begun and did not.
pub(in super::super) static MISSED: Check = Check {
    id: "run-missed",
    title: "Alignment runs that did not come",
    looks_at: "The last begin of each workflow that `workflows` expects something of",
    why: "A run that never starts reports no failure: branches drift, and everything looks quiet",
    severity: Severity::Error,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "Ask what starts it: `systemctl list-timers`, `crontab -l`, the schedule of the CI. Forges switch schedules off after 60 days without activity",
        mend: "Start it once by hand, then mend what should have started it",
        sure: "`alignwatch check --only run-missed` is ok after the next time it is due",
        undo: None,
    },
    threshold: None,
    judge: missed,
};

/// Two runs at once in one repository.
pub(in super::super) static OVERLAP: Check = Check {
    id: "runs-overlap",
    title: "Alignment runs at the same time",
    looks_at: "Runs under way in this repository",
    why: "Two runs move the same branches under each other: one fails, or work of the other is overwritten",
    severity: Severity::Error,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch explain runs-overlap` names both runs and their processes",
        mend: "Let one come to its end and stop the other; let the workflow ask `alignwatch gate` before it begins",
        sure: "`alignwatch check --only runs-overlap` is ok",
        undo: None,
    },
    threshold: None,
    judge: overlap,
};

/// A run that takes much longer, or much less, than it should.
pub(in super::super) static ODD: Check = Check {
    id: "run-duration",
    title: "Alignment runs that take oddly long or short",
    looks_at: "The last run of each workflow, against `workflows` or against its last runs",
    why: "Too long means that something grew or hangs; too short means that it often did nothing, whatever its exit code said",
    severity: Severity::Warning,
    family: Family::Runs,
    needs: &[Look::Runs],
    git_says: None,
    runbook: Runbook {
        look: "`curl localhost:8750/api/v1/runs` shows the stages of the run and of those before it",
        mend: "Find the stage that differs. When the new duration is right, it becomes the usual one by itself",
        sure: "`alignwatch check --only run-duration` is ok after the next runs",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 10,
        range: (3, 1000),
        unit: "runs",
        source: "alignwatch: as many runs as are needed before their middle says what is usual",
    }),
    judge: odd,
};

/// The least silence after which a run is stuck, where nothing is configured.
///
/// Source: ours; the original requirement gives a whole alignment less.
const SILENCE_AT_LEAST: Span = Span::hours(1);

/// How many times the usual duration is odd, and how small a part of it. Source: ours.
const ODD_TIMES: f64 = 3.0;
const ODD_PART: f64 = 0.1;

/// Below this usual duration, a short run says nothing.
const SHORT_FROM_SECONDS: f64 = 10.0;

fn rule<'a>(seen: &Seen<'a>, workflow: &str) -> Option<&'a WorkflowRule> {
    seen.config.workflows.iter().find(|rule| rule.name == workflow)
}

/// What a run that ended usually takes, in seconds: the middle of the last ones; `None` when too few are known.
fn usual_seconds(runs: &[&Brief], at_least: usize) -> Option<f64> {
    let mut seconds: Vec<f64> =
        runs.iter().filter(|run| run.ended.is_some()).filter_map(|run| run.ended.as_ref()?.seconds).collect();
    if seconds.len() < at_least {
        return None;
    }
    seconds.sort_by(f64::total_cmp);
    Some(seconds[(seconds.len() - 1) / 2])
}

fn length(seconds: f64) -> Span {
    Span(seconds.round() as i64)
}

fn stuck(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| {
        let by_workflow = by_workflow(runs);
        let under_way = runs.iter().filter(|run| run.is_under_way());
        under_way.filter_map(|run| stuck_run(seen, run, &by_workflow[&*run.workflow])).collect()
    })
}

fn stuck_run(seen: &Seen<'_>, run: &Brief, others: &[&Brief]) -> Option<Finding> {
    let configured = rule(seen, &run.workflow).and_then(|rule| rule.silence);
    let usual = usual_seconds(others, 1).map(|usual| length(ODD_TIMES * usual));
    let (limit, source) = match (configured, usual) {
        (Some(limit), _) => (limit, "configured: workflows.silence"),
        (None, Some(usual)) if SILENCE_AT_LEAST < usual => (usual, "alignwatch: three times what is usual"),
        _ => (SILENCE_AT_LEAST, "alignwatch: an hour"),
    };
    let silent = seen.now.since(run.heard_at);
    if silent <= limit {
        return None;
    }
    let alive = if run.process == Process::Alive { "its process is there" } else { "its process is not known" };
    let summary = format!(
        "A run of `{}` began {} ago and was silent for {silent}; {alive}",
        run.workflow,
        seen.now.since(run.began_at)
    );
    Some(
        seen.finding(Severity::Error, run.run.as_str(), run.workflow.as_str(), summary)
            .of_run(run)
            .fact("silent_seconds", silent.0)
            .against(Threshold { value: limit.0.into(), source: source.to_owned() })
            .so("It aligns nothing, and often holds the lock that stops the next run.")
            .mend(Remedy::reversible(
                "See what it waits for. When it is over and nobody said so, say it",
                [format!("alignwatch event finish --run {} --outcome lost", run.run)],
            )),
    )
}

fn lost(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| {
        let newest = by_workflow(runs).into_values().filter_map(|runs| runs.first().copied());
        let gone = newest.filter(|run| run.ended.is_none() && run.process == Process::Gone);
        gone.map(|run| {
            let summary = format!(
                "A run of `{}` that began {} ago ended without a word",
                run.workflow,
                seen.now.since(run.began_at)
            );
            seen.finding(Severity::Error, run.run.as_str(), run.workflow.as_str(), summary)
                .of_run(run)
                .so("Branches may be half aligned, and nobody was told.")
                .mend(Remedy::reversible(
                    "See what it left behind, then say that it is over",
                    ["git status".to_owned(), format!("alignwatch event finish --run {} --outcome lost", run.run)],
                ))
        })
        .collect()
    })
}

fn missed(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| {
        let by_workflow = by_workflow(runs);
        let expected = seen.config.workflows.iter();
        expected
            .filter_map(|rule| missed_run(seen, rule, by_workflow.get(&*rule.name).and_then(|runs| runs.first())))
            .collect()
    })
}

fn missed_run(seen: &Seen<'_>, rule: &WorkflowRule, last: Option<&&Brief>) -> Option<Finding> {
    let since = seen.snapshot.facts.expected_since.get(&rule.name).copied();
    let Some(last) = last else { return never_ran(seen, rule, since) };
    // What was due before anybody expected it was not missed.
    let due_at = rule.due_after(since.map_or(last.began_at, |since| since.max(last.began_at)))?;
    let late = seen.now.since(due_at);
    if late <= rule.grace() || last.is_under_way() {
        return None;
    }
    let summary =
        format!("No run of `{}` since {} ago; one was due {late} ago", rule.name, seen.now.since(last.began_at));
    Some(
        seen.finding(Severity::Error, &rule.name, rule.name.as_str(), summary)
            .fact("workflow", rule.name.as_str())
            .fact("last_began_at", last.began_at.rfc3339())
            .fact("due_at", due_at.rfc3339())
            .fact("late_seconds", late.0)
            .against(Threshold {
                value: rule.grace().0.into(),
                source: "configured: workflows.due and workflows.grace".to_owned(),
            })
            .so("Branches drift while everything looks quiet.")
            .mend(Remedy::reversible("Start it once by hand, then mend what should have started it", [])),
    )
}

/// Only a daemon knows since when it is expected: before the first time is over, it is not missed.
fn never_ran(seen: &Seen<'_>, rule: &WorkflowRule, since: Option<Timestamp>) -> Option<Finding> {
    let repository = &seen.snapshot.repository;
    let is_here = |path: &String| [&repository.path, &repository.git_dir].contains(&path);
    // What is only pinged belongs to no repository.
    let is_pinged = repository.path.is_empty() && rule.ping.is_some() && rule.repositories.is_empty();
    let due_at = rule.due_after(since?)?;
    let is_due = rule.grace() < seen.now.since(due_at);
    (is_due && (is_pinged || rule.repositories.iter().any(is_here))).then(|| {
        let here = if repository.path.is_empty() { "" } else { " here" };
        let summary = format!("`{}` should run{here} and never did, as far as is recorded", rule.name);
        seen.finding(Severity::Error, &rule.name, rule.name.as_str(), summary)
            .fact("workflow", rule.name.as_str())
            .fact("due_at", due_at.rfc3339())
            .so("What it should align drifts.")
            .mend(Remedy::reversible(
                "Let whatever starts it do so through alignwatch",
                [format!("alignwatch run --workflow {} -- COMMAND", shell_word(rule.name.as_bytes()))],
            ))
    })
}

fn overlap(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| {
        let under_way: Vec<&Brief> = runs.iter().filter(|run| run.is_under_way()).collect();
        if under_way.len() < 2 {
            return Vec::new();
        }
        let mut names: Vec<_> = under_way.iter().map(|run| run.workflow.as_str()).collect();
        names.sort_unstable();
        let told = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let summary = format!("{} are under way at the same time: {told}", count(under_way.len(), "run"));
        let ids = under_way.iter().map(|run| run.run.as_str().to_owned());
        let finding = seen
            .finding(Severity::Error, &names.join("+"), "runs", summary)
            .names("runs", ids)
            .so("They move the same branches under each other.")
            .mend(Remedy::reversible(
                "Let one come to its end and stop the other. Before a run begins, ask whether it may",
                ["alignwatch gate".to_owned()],
            ));
        vec![finding]
    })
}

fn odd(seen: &Seen<'_>) -> Outcome {
    with_runs(seen, |runs| by_workflow(runs).into_values().filter_map(|runs| odd_run(seen, &runs)).collect())
}

fn odd_run(seen: &Seen<'_>, runs: &[&Brief]) -> Option<Finding> {
    let last = runs.first().filter(|run| run.ended.is_some() || run.is_under_way())?;
    let rule = rule(seen, &last.workflow);
    let n_needed = usize::try_from(seen.threshold().0).unwrap_or(usize::MAX);
    let usual = usual_seconds(&runs[1..], n_needed);
    let seconds = last.seconds(seen.now);
    let longest = rule.and_then(|rule| rule.longest).map(|span| (span.0 as f64, "configured: workflows.longest"));
    let longest = longest.or(usual.map(|usual| (ODD_TIMES * usual.max(1.0), "alignwatch: three times what is usual")));
    let shortest = rule.and_then(|rule| rule.shortest).map(|span| (span.0 as f64, "configured: workflows.shortest"));
    let shortest = shortest.or_else(|| {
        let usual = usual.filter(|&usual| SHORT_FROM_SECONDS < usual)?;
        Some((ODD_PART * usual, "alignwatch: a tenth of what is usual"))
    });
    let (word, (limit, source)) = match (longest, shortest) {
        (Some(limit), _) if limit.0 < seconds => ("long", limit),
        (_, Some(limit)) if last.ended.is_some() && seconds < limit.0 => ("short", limit),
        _ => return None,
    };
    let verb = if last.ended.is_some() { "took" } else { "has taken" };
    let usually = usual.map(|usual| format!("; usual is {}", length(usual))).unwrap_or_default();
    let summary =
        format!("The last run of `{}` {verb} {}, which is too {word}{usually}", last.workflow, length(seconds));
    Some(
        seen.finding(Severity::Warning, &format!("{}:{word}", last.workflow), last.workflow.as_str(), summary)
            .of_run(last)
            .fact("duration_seconds", seconds)
            .fact("usual_seconds", usual)
            .against(Threshold { value: limit.into(), source: source.to_owned() })
            .so(match word {
                "long" => "Something grew or hangs.",
                _ => "It often means that nothing was done, whatever the exit code said.",
            })
            .mend(Remedy::reversible("Compare its stages with those of the runs before it", [])),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Snapshot,
        checks::sample::{NOW, judged, only},
        run::Outcome as Ended,
    };

    #[test]
    fn a_silent_run_is_stuck_after_an_hour_or_what_is_configured() {
        let finding = only(judged(&STUCK, &with(vec![run(1, 3)])));
        assert_eq!(
            finding.summary,
            "A run of `nightly` began 3 h ago and was silent for 3 h; its process is not known"
        );
        assert_eq!(judged(&STUCK, &with(vec![run(1, 1)])), Outcome::default());
        let talking = Brief { heard_at: NOW, ..run(1, 3) };
        assert_eq!(judged(&STUCK, &with(vec![talking])), Outcome::default());
        let impatient = "workflows: [{name: nightly, silence: 10m}]";
        assert_eq!(configured(&STUCK, &with(vec![run(1, 1)]), impatient).len(), 1);
        // One that usually takes four hours is given twelve.
        let slow = vec![run(2, 5), ended(1, 30, Ended::Aligned, 4 * HOUR)];
        assert_eq!(judged(&STUCK, &with(slow)), Outcome::default());
    }

    #[test]
    fn a_run_whose_process_is_gone_is_lost_and_not_stuck() {
        let gone = with(vec![Brief { process: Process::Gone, ..run(1, 3) }]);
        assert_eq!(judged(&STUCK, &gone), Outcome::default());
        assert_eq!(only(judged(&LOST, &gone)).summary, "A run of `nightly` that began 3 h ago ended without a word");
        let later = with(vec![ended(2, 1, Ended::Aligned, 60), Brief { process: Process::Gone, ..run(1, 3) }]);
        assert_eq!(judged(&LOST, &later), Outcome::default(), "a later run that ended says more");
    }

    #[test]
    fn a_run_that_did_not_come_is_missed_after_the_grace() {
        let daily = "workflows: [{name: nightly, due: 1d}]";
        assert_eq!(configured(&MISSED, &with(vec![ended(1, 24, Ended::Aligned, 60)]), daily), [""; 0]);
        assert_eq!(
            configured(&MISSED, &with(vec![ended(1, 27, Ended::Aligned, 60)]), daily),
            ["No run of `nightly` since 27 h ago; one was due 3 h ago"]
        );
        assert_eq!(
            configured(&MISSED, &expected(26, vec![ended(1, 90, Ended::Aligned, 60)]), daily),
            [""; 0],
            "nobody expected it before, and the first day has just gone by"
        );
        assert_eq!(
            configured(&MISSED, &expected(30, vec![ended(1, 90, Ended::Aligned, 60)]), daily),
            ["No run of `nightly` since 3 d ago; one was due 6 h ago"]
        );
        assert_eq!(configured(&MISSED, &with(vec![run(1, 27)]), daily), [""; 0], "one is under way");
        assert_eq!(configured(&MISSED, &with(Vec::new()), daily), [""; 0], "it may belong elsewhere");
        let here = "workflows: [{name: nightly, due: 1d, repositories: [/repo]}]";
        assert_eq!(configured(&MISSED, &with(Vec::new()), here), [""; 0], "nobody knows since when");
        assert_eq!(configured(&MISSED, &expected(26, Vec::new()), here), [""; 0], "it is not late yet");
        assert_eq!(
            configured(&MISSED, &expected(27, Vec::new()), here),
            ["`nightly` should run here and never did, as far as is recorded"]
        );
        let mut nowhere = expected(27, Vec::new());
        nowhere.repository.path = String::new();
        let pinged = "workflows: [{name: nightly, due: 1d, ping: 8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10}]";
        assert_eq!(
            configured(&MISSED, &nowhere, pinged),
            ["`nightly` should run and never did, as far as is recorded"]
        );
        assert_eq!(configured(&MISSED, &nowhere, here), [""; 0], "that is missed where it belongs");
    }

    /// With these runs, of which one is expected since so many hours.
    fn expected(hours_ago: i64, runs: Vec<Brief>) -> Snapshot {
        let mut snapshot = with(runs);
        snapshot.facts.expected_since.insert("nightly".into(), Timestamp(NOW.0 - hours_ago * HOUR));
        snapshot
    }

    #[test]
    fn a_fixed_time_is_missed_by_the_clock_of_its_zone() {
        // NOW is 2023-11-14 22:13:20 UTC.
        let at_nine = "workflows: [{name: nightly, due: \"0 21 * * *\", zone: UTC}]";
        let yesterday = with(vec![ended(1, 25, Ended::Aligned, 60)]);
        assert_eq!(
            configured(&MISSED, &yesterday, at_nine),
            ["No run of `nightly` since 25 h ago; one was due 73 min ago"]
        );
        assert_eq!(configured(&MISSED, &with(vec![ended(1, 1, Ended::Aligned, 60)]), at_nine), [""; 0]);
    }

    #[test]
    fn two_runs_at_once_are_told_as_one_cause() {
        let other = Brief { workflow: "weekly".into(), ..run(2, 1) };
        let finding = only(judged(&OVERLAP, &with(vec![run(1, 1), other.clone()])));
        assert_eq!(finding.summary, "2 runs are under way at the same time: `nightly`, `weekly`");
        assert_eq!(finding.key, "runs-overlap:nightly+weekly");
        let gone = Brief { process: Process::Gone, ..other };
        assert_eq!(judged(&OVERLAP, &with(vec![run(1, 1), gone])), Outcome::default());
    }

    #[test]
    fn a_duration_is_odd_against_what_is_usual_or_configured() {
        let usual: Vec<Brief> =
            (2..13).map(|number| ended(number, i64::from(number) * 24, Ended::Aligned, 600)).collect();
        let after = |last: Brief| with(std::iter::once(last).chain(usual.clone()).collect());
        let told =
            |snapshot: &Snapshot| judged(&ODD, snapshot).findings.into_iter().map(|f| f.summary).collect::<Vec<_>>();
        assert_eq!(
            told(&after(ended(1, 5, Ended::Aligned, 2000))),
            ["The last run of `nightly` took 33 min, which is too long; usual is 10 min"]
        );
        assert_eq!(
            told(&after(ended(1, 5, Ended::Aligned, 20))),
            ["The last run of `nightly` took 20 s, which is too short; usual is 10 min"]
        );
        assert_eq!(
            told(&after(run(1, 5))),
            ["The last run of `nightly` has taken 5 h, which is too long; usual is 10 min"]
        );
        assert_eq!(told(&after(ended(1, 5, Ended::Aligned, 900))), [""; 0]);
        assert_eq!(told(&with(vec![ended(1, 5, Ended::Aligned, 20), usual[0].clone()])), [""; 0], "too few to know");
        let strict = "workflows: [{name: nightly, longest: 1m}]";
        assert_eq!(configured(&ODD, &with(vec![ended(1, 5, Ended::Aligned, 90)]), strict).len(), 1);
    }
}
