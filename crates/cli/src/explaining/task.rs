//! A maintenance task: why it acts, rests, waits or refuses here; or what came of one of its runs, by the run's number.

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{
    Known, Severity, Threshold, checks,
    task::{Decision, Hold, Measure, Plan, slots::Turn},
};
use alignwatch_tasks::{
    ALL, Task, by_id,
    conduct::{self, Around, ConductError},
    due,
    journal::{Journal, Told},
};

use super::{Explanation, Kind, World};
use crate::surroundings;

/// Maintenance tasks by their names, and their runs by number; `task:` before it where a check has the same name.
pub(super) static KIND: Kind = Kind { word: "task", names, explain };

fn names(_: &World<'_>) -> Vec<String> {
    ALL.iter().map(|task| named(task)).collect()
}

/// The word by which it is explained.
fn named(task: &Task) -> String {
    if checks::by_id(task.id).is_some() { format!("{PREFIX}{}", task.id) } else { task.id.to_owned() }
}

/// Tells a task from a check of the same name.
const PREFIX: &str = "task:";

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    match subject.parse() {
        Ok(number) => a_run(world, number),
        Err(_) => by_id(subject.strip_prefix(PREFIX).unwrap_or(subject)).map(|task| a_task(world, task)),
    }
}

fn a_task(world: &World<'_>, task: &'static Task) -> Explanation {
    let planned = with_repository(world, |around| {
        let (plan, hold) = conduct::plan(task, around)?;
        let turns = due::turns(around, (around.now)())?;
        Ok((plan, hold, turns.into_iter().find(|(other, _)| other.id == task.id).map(|(_, turn)| turn)))
    });
    let mut told = match planned {
        Ok((plan, hold, turn)) => planned_told(task, &plan, hold.as_ref(), turn.as_ref()),
        Err(reason) => {
            let mut told = Explanation::of(&KIND, named(task), format!("{}: {}", task.id, task.title));
            told.seen.push(format!("What it would do here is not known: {reason}"));
            told
        }
    };
    told.impact = Some(task.why.to_owned());
    told.seen.extend(last_run(world, task));
    if let Some(reason) = task.opt_in {
        told.would_change.push(format!("It runs by itself only where a rule of `tasks` names it: {reason}"));
    }
    told.would_change.push(format!("Another time, or none: `tasks: [{{ name: {}, due: 1d, mode: run }}]`", task.id));
    told.advice.push(format!("To take it back: {}", task.undo));
    told.commands =
        vec![format!("alignwatch task plan {} --explain", task.id), format!("alignwatch task run {}", task.id)];
    told.reversible = Some(!task.undo.starts_with("none"));
    told.related.push(format!("alignwatch task history; docs/TASKS.md#{}", task.id));
    told
}

fn planned_told(task: &Task, plan: &Plan, hold: Option<&Hold>, turn: Option<&Turn>) -> Explanation {
    let word = if plan.acts() && hold.is_some() { "waits" } else { plan.decision.word() };
    let because = hold.filter(|_| plan.acts()).map_or(plan.decision.because(), |hold| hold.reason.as_str());
    let mut told = Explanation::of(&KIND, named(task), format!("{} {word}: {because}", task.id));
    told.seen.push(format!("By its numbers: {}", plan.decision.because()));
    told.seen.extend(hold.map(|hold| {
        let until = hold.until.map(|until| format!(", until {until}")).unwrap_or_default();
        format!("In its way now: {}{until}", hold.reason)
    }));
    told.seen.extend(turn.map(due_told));
    told.seen.extend(plan.steps.iter().map(|step| format!("Its step: {step}")));
    told.seen.extend(plan.notes.iter().cloned());
    told.sources.push(format!("a look at {}", if task.looks.is_empty() { "locks".to_owned() } else { looks(task) }));
    for measure in &plan.inputs {
        told.numbers.insert(measure.name.clone(), number(measure));
    }
    if let Some(limit) = plan.limits.first() {
        told.threshold = Some(Threshold { value: limit.value.into(), source: limit.source.clone() });
    }
    told.would_change = plan
        .limits
        .iter()
        .map(|limit| format!("It acts when `{}` reaches {} ({})", limit.name, limit.value, limit.source))
        .collect();
    if let Decision::Refuse(reason) = &plan.decision {
        told.would_change.push(format!("It refuses as long as this is so, whoever insists: {reason}"));
    }
    told
}

fn looks(task: &Task) -> String {
    task.looks.iter().map(|look| look.word().replace('_', " ")).collect::<Vec<_>>().join(", ")
}

fn number(measure: &Measure) -> serde_json::Value {
    match (measure.value, &measure.unknown) {
        (Some(value), _) if measure.unit.is_empty() => value.into(),
        (Some(value), _) => format!("{value} {}", measure.unit).into(),
        (None, Some(reason)) => format!("unknown: {reason}").into(),
        (None, None) => "unknown".into(),
    }
}

/// Whether a task is due, in a sentence.
pub(crate) fn due_told(turn: &Turn) -> String {
    match turn {
        Turn::Now { since, n_missed: 0, only_reports, .. } => {
            format!("It is due since {since}{}", if *only_reports { ", and only reports here" } else { "" })
        }
        Turn::Now { since, n_missed, .. } => {
            format!("It is due since {since}, after {n_missed} times at which nothing ran: that is caught up once")
        }
        Turn::Later { at: Some(at), because } => format!("It is asked again at {at}: {because}"),
        Turn::Later { at: None, because } => format!("When it is asked again can't be told: {because}"),
        Turn::Never(reason) => format!("It is not asked by itself: {reason}"),
    }
}

/// The last run of this task in this repository.
fn last_run(world: &World<'_>, task: &Task) -> Option<String> {
    let snapshot = &world.judgement.as_ref().ok()?.snapshot;
    let Known::Seen(runs) = &snapshot.facts.tasks else { return None };
    let run = runs.iter().find(|run| run.task == task.id)?;
    Some(format!(
        "Run {}, the last one that was not held, ended {} as {}: {}",
        run.id,
        run.at,
        run.result.word(),
        run.because
    ))
}

fn a_run(world: &World<'_>, number: u64) -> Option<Explanation> {
    let said = Journal::of(world.around.data_dir.as_ref()?).read().ok()?;
    let runs = said.runs();
    let run = runs.iter().find(|run| run.record.id == number)?;
    Some(run_told(run))
}

fn run_told(run: &Told<'_>) -> Explanation {
    let record = run.record;
    let summary = format!("run {} of {} is {}: {}", record.id, record.task, run.state(), run.because());
    let mut told = Explanation::of(&KIND, record.id.to_string(), summary);
    told.seen.push(format!("{} in {}, {}", record.task, record.repository, record.at));
    told.seen.extend(run.plan.map(|plan| format!("Planned: {} ({})", plan.decision.because(), plan.steps.join(", "))));
    told.sources.push("the journal of tasks".to_owned());
    if let Some(report) = run.report {
        for (when, measures) in [("before", &report.before), ("after", &report.after)] {
            told.numbers.extend(measures.iter().map(|measure| (format!("{} {when}", measure.name), number(measure))));
        }
        if report.is_critical {
            told.seen.push(format!("{}: something that was in use is lost, or was", Severity::Critical));
        }
    }
    let limit = run.plan.and_then(|plan| plan.limits.first());
    told.threshold = limit.map(|limit| Threshold { value: limit.value.into(), source: limit.source.clone() });
    told.impact = by_id(&record.task).map(|task| task.why.to_owned());
    told.commands = vec!["alignwatch task history".to_owned()];
    told.reversible = Some(run.undo.is_some());
    if run.undo.is_some() && run.undone.is_none() {
        told.commands.push(format!("alignwatch task undo {}", record.id));
    }
    told.related.extend(by_id(&record.task).map(|task| format!("alignwatch explain {}", named(task))));
    told
}

/// Asks something about tasks in the repository. Errors: why that is not possible, as a sentence part.
fn with_repository<T>(
    world: &World<'_>,
    ask: impl FnOnce(&Around<'_>) -> Result<T, ConductError>,
) -> Result<T, String> {
    if let Err(failure) = &world.judgement {
        return Err(failure.message.clone());
    }
    let data_dir = world.around.data_dir.as_ref().ok_or("there is no data directory")?;
    let git: &Git = world.around.git.as_ref().map_err(|error| error.to_string())?;
    let stop = Stop::default();
    let around = Around {
        path: world.path,
        config: &world.around.config,
        data_dir,
        git,
        now: &surroundings::now,
        runs: &|id| alignwatch_daemon::runs::of_repository(data_dir, id),
        stop: &stop,
        tell: &|_| {},
    };
    ask(&around).map_err(|error| error.to_string())
}
