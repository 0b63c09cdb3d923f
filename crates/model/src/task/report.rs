//! What is told of a maintenance window: before it what is planned, after it what was done.
//!
//! One sentence for who only glances, and one for each thing that is or was more than nothing.

use super::{Came, Decision, Plan, Report};
use crate::{Span, window::Opening, words};

/// A run of a task in a window.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The repository's path.
    pub repository: String,
    /// The task.
    pub task: String,
    /// What came of it.
    pub report: Report,
}

/// What a task would do in a window.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The repository's path.
    pub repository: String,
    /// The task.
    pub task: String,
    /// What it would do; errors: why that is not known.
    pub plan: Result<Plan, String>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In one sentence.
    pub summary: String,
    /// One sentence each, the ones that matter most first.
    pub details: Vec<String>,
}

/// Details of one message. Source: ours; one screen. The journal has all.
const DETAILS_AT_MOST: usize = 40;

/// Steps of one plan that are named. Source: ours.
const STEPS_AT_MOST: usize = 5;

/// What is planned for a window that opens soon.
pub fn before(window: &str, opening: Opening, planned: &[Planned]) -> Told {
    let acts: Vec<_> = planned.iter().filter(|one| one.plan.as_ref().is_ok_and(Plan::acts)).collect();
    let refused = planned.iter().filter(|one| {
        one.plan.as_ref().is_ok_and(|plan| matches!(plan.decision, Decision::Refuse(_))) || one.plan.is_err()
    });
    let seconds: u64 = acts.iter().filter_map(|one| one.plan.as_ref().ok()?.takes_seconds).sum();
    let takes = Span(i64::try_from(seconds).unwrap_or(i64::MAX));
    let summary = match acts.len() {
        0 => format!("Window `{window}` opens at {}: nothing is to be done by its numbers", opening.from),
        n => format!(
            "Window `{window}` opens at {}: {} in {}, about {takes} of the {} until {}",
            opening.from,
            words::count(n, "task"),
            words::count(places(acts.iter().map(|one| one.repository.as_str())), "repository"),
            opening.until.since(opening.from),
            opening.until
        ),
    };
    let details = acts.iter().copied().chain(refused).map(planned_told);
    Told { summary, details: at_most(details) }
}

fn planned_told(one: &Planned) -> String {
    let head = format!("{} {}", one.repository, one.task);
    match &one.plan {
        Err(reason) => format!("{head}: not planned, {reason}"),
        Ok(Plan { decision: Decision::Refuse(reason), .. }) => format!("{head} refuses: {reason}"),
        Ok(plan) => {
            let steps = plan.steps.iter().take(STEPS_AT_MOST).cloned().collect::<Vec<_>>().join(", ");
            let more = plan.steps.len().saturating_sub(STEPS_AT_MOST);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{head}: {} ({steps}{more})", plan.decision.because())
        }
    }
}

/// What was done in a window that closed. `going_on` = what began in it and has not ended, a sentence each.
pub fn after(window: &str, opening: Opening, runs: &[Ran], going_on: &[String]) -> Told {
    let came = |wanted: Came| runs.iter().filter(move |run| run.report.result == wanted);
    let n = |wanted: Came| came(wanted).count();
    let seconds: f64 = runs.iter().map(|run| run.report.took_seconds).sum();
    let won = runs.iter().map(|run| run.report.bytes_won()).fold(0, i64::saturating_add);
    let summary = match runs.len() {
        0 => format!("Window `{window}` closed at {}: nothing was due", opening.until),
        _ => format!(
            "Window `{window}` closed at {}: {} in {}, {} with effect, {} failed, {} held; {} in {}",
            opening.until,
            words::count(runs.len(), "run"),
            words::count(places(runs.iter().map(|run| run.repository.as_str())), "repository"),
            n(Came::Effect),
            n(Came::Failed),
            n(Came::Skipped),
            room(won),
            Span(seconds as i64)
        ),
    };
    let summary = match going_on.len() {
        0 => summary,
        n => format!("{summary}; {} not ended", words::count(n, "run")),
    };
    // What ran and changed nothing is in the journal.
    let told = came(Came::Failed).chain(came(Came::Effect)).chain(came(Came::Skipped));
    let details = told.map(|run| {
        let word = if run.report.is_critical { "lost something" } else { run.report.result.word() };
        format!("{} {} {word}: {} ({:.1} s)", run.repository, run.task, run.report.because, run.report.took_seconds)
    });
    Told { summary, details: at_most(going_on.iter().cloned().chain(details)) }
}

/// `1.2 GiB won`, in words.
pub fn room(won_bytes: i64) -> String {
    let bytes = words::bytes(won_bytes.unsigned_abs());
    match won_bytes {
        0 => "no room won".to_owned(),
        1.. => format!("{bytes} won"),
        _ => format!("{bytes} more taken"),
    }
}

fn places<'a>(paths: impl Iterator<Item = &'a str>) -> usize {
    paths.collect::<std::collections::BTreeSet<_>>().len()
}

fn at_most(details: impl Iterator<Item = String>) -> Vec<String> {
    let all: Vec<String> = details.collect();
    let more = all.len().saturating_sub(DETAILS_AT_MOST);
    let more = (0 < more).then(|| format!("and {more} more: `alignwatch task history`"));
    all.into_iter().take(DETAILS_AT_MOST).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, task::Measure};

    const NIGHT: Opening = Opening { from: Timestamp(3_600), until: Timestamp(3 * 3_600) };

    fn ran(repository: &str, task: &str, result: Came, sizes: [i64; 2]) -> Ran {
        let size = |bytes| vec![Measure::of("size", bytes, "bytes")];
        let report = Report {
            before: size(sizes[0]),
            after: size(sizes[1]),
            took_seconds: 30.0,
            ..Report::of_nothing(result, "because")
        };
        Ran { repository: repository.into(), task: task.into(), report }
    }

    #[test]
    fn after_a_window_it_is_told_what_was_done_and_what_it_won() {
        let runs = [
            ran("/srv/a", "full-repack", Came::Effect, [3 << 20, 1 << 20]),
            ran("/srv/a", "pack-refs", Came::Noop, [5, 5]),
            ran("/srv/b", "backup", Came::Failed, [0, 0]),
        ];
        let told = after("night", NIGHT, &runs, &[]);
        assert_eq!(
            told.summary,
            "Window `night` closed at 1970-01-01T03:00:00Z: 3 runs in 2 repositories, 1 with effect, 1 failed, 0 held; \
             2.0 MiB won in 90 s"
        );
        assert_eq!(
            told.details,
            ["/srv/b backup failed: because (30.0 s)", "/srv/a full-repack effect: because (30.0 s)"]
        );
        assert_eq!(
            after("night", NIGHT, &[], &[]).summary,
            "Window `night` closed at 1970-01-01T03:00:00Z: nothing was due"
        );
        let many: Vec<Ran> = (0..99).map(|nth| ran("/srv/a", &format!("t{nth}"), Came::Effect, [0, 0])).collect();
        let told = after("night", NIGHT, &many, &[]);
        assert_eq!(told.details.last().unwrap(), "and 59 more: `alignwatch task history`");
    }

    #[test]
    fn before_a_window_it_is_told_what_is_planned_and_what_is_refused() {
        let plan = |decision| Plan {
            task: "t".into(),
            inputs: Vec::new(),
            limits: Vec::new(),
            decision,
            steps: (0..7).map(|nth| format!("step {nth}")).collect(),
            notes: Vec::new(),
            proofs: std::collections::BTreeMap::new(),
            takes_seconds: Some(90),
            disk_bytes: 0,
            disk_at: None,
            undo: String::new(),
        };
        let one = |task: &str, plan| Planned { repository: "/srv/a".into(), task: task.into(), plan };
        let planned = [
            one("full-repack", Ok(plan(Decision::Act("5 packs".into())))),
            one("pack-refs", Ok(plan(Decision::Rest("few".into())))),
            one("backup", Ok(plan(Decision::Refuse("no room".into())))),
            one("prefetch", Err("it can't be opened".into())),
        ];
        let told = before("night", NIGHT, &planned);
        assert_eq!(
            told.summary,
            "Window `night` opens at 1970-01-01T01:00:00Z: 1 task in 1 repository, about 90 s of the 2 h until \
             1970-01-01T03:00:00Z"
        );
        assert_eq!(
            told.details,
            [
                "/srv/a full-repack: 5 packs (step 0, step 1, step 2, step 3, step 4 and 2 more)",
                "/srv/a backup refuses: no room",
                "/srv/a prefetch: not planned, it can't be opened",
            ]
        );
        assert!(before("night", NIGHT, &[]).summary.ends_with("nothing is to be done by its numbers"));
    }
}
