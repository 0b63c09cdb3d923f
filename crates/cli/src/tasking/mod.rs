//! What commands say about tasks: plans, ends, history; for people and for programs.

use alignwatch_model::{
    Timestamp,
    task::{Came, Hold, Measure, Plan, Report, report::room, slots::Turn},
};
use alignwatch_tasks::{
    Task,
    conduct::Done,
    due::Ended,
    journal::{Said, Told},
};
use serde_json::{Value, json};

use crate::{
    explaining::due_told,
    output::{
        Format, escape,
        layout::{pad, wrap},
        style::Screen,
    },
};

/// What a task would do in a repository.
pub(crate) struct Row {
    /// The repository, as it was named.
    pub(crate) repository: String,
    /// The task.
    pub(crate) task: &'static Task,
    /// What it would do.
    pub(crate) plan: Plan,
    /// What is in its way now.
    pub(crate) hold: Option<Hold>,
}

impl Row {
    /// One word for what it would do.
    fn word(&self) -> &'static str {
        if self.plan.acts() && self.hold.is_some() { "wait" } else { self.plan.decision.word() }
    }
}

/// Columns before a text that goes on below itself.
const INDENT: usize = 12;

/// All tasks, with their last end anywhere.
pub(crate) fn list(form: Format, tasks: &[&Task], said: &Said, screen: &Screen) -> String {
    let runs = said.runs();
    let last = |task: &Task| runs.iter().rfind(|run| run.record.task == task.id);
    if form == Format::Json {
        let one = |task: &&Task| {
            json!({
                "task": task.id, "title": task.title, "why": task.why, "usual": task.usual, "undo": task.undo,
                "needs_a_rule": task.opt_in,
                "last": last(task).map(run_json),
            })
        };
        return escape::json(
            &json!({ "schema": "alignwatch.tasks/1", "tasks": tasks.iter().map(one).collect::<Vec<_>>() }),
        );
    }
    let longest = tasks.iter().map(|task| task.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for task in tasks {
        let last = last(task).map(|run| format!(", last {} {}", run.state(), run.record.at)).unwrap_or_default();
        text.push_str(&format!("{}  {}\n", pad(task.id, longest), escape::terminal(task.title)));
        let by_itself = if task.opt_in.is_some() { " where a rule asks for it" } else { "" };
        let words = format!("asked every {}{by_itself}{}", task.usual, escape::terminal(&last));
        text.push_str(&format!("{}  {words}\n", " ".repeat(longest)));
        if 0 < screen.verbose {
            paragraph(&mut text, screen, longest + 2, task.why);
        }
    }
    text
}

/// A task in a repository: whether it is due, and what it would do.
pub(crate) struct TurnRow {
    /// The repository, as it was named.
    pub(crate) repository: String,
    /// The task.
    pub(crate) task: &'static Task,
    /// Whether it is to be asked now.
    pub(crate) turn: Turn,
    /// What it would do, and what is in its way; `None` = it is not asked by itself.
    pub(crate) plan: Option<(Plan, Option<Hold>)>,
}

impl TurnRow {
    /// One word for where it stands.
    fn word(&self) -> &'static str {
        match (&self.turn, &self.plan) {
            (Turn::Never(_), _) => "never",
            (Turn::Later { .. }, _) => "later",
            (Turn::Now { .. }, Some((plan, Some(_)))) if plan.acts() => "held",
            (Turn::Now { .. }, _) => "due",
        }
    }
}

/// Which tasks are due where, and why, or why not.
pub(crate) fn turns(form: Format, rows: &[TurnRow], screen: &Screen) -> String {
    if form == Format::Json {
        let one = |row: &TurnRow| {
            let (plan, hold) = row.plan.as_ref().map(|(plan, hold)| (plan, hold.as_ref())).unzip();
            json!({
                "repository": row.repository, "task": row.task.id, "state": row.word(), "turn": due_told(&row.turn),
                "plan": plan, "waits_for": hold.flatten().map(|hold| &hold.reason),
            })
        };
        let rows: Vec<Value> = rows.iter().map(one).collect();
        return escape::json(&json!({ "schema": "alignwatch.task_turns/1", "tasks": rows }));
    }
    let mut text = String::new();
    let mut repository = "";
    for row in rows {
        heading(&mut text, &mut repository, &row.repository);
        text.push_str(&format!("  {}  {}\n", pad(row.word(), 6), row.task.id));
        line(&mut text, screen, "turn", &due_told(&row.turn));
        let Some((plan, hold)) = &row.plan else { continue };
        line(&mut text, screen, "would", &format!("{}: {}", plan.decision.word(), plan.decision.because()));
        if let Some(hold) = hold {
            line(&mut text, screen, "waits", &hold.reason);
        }
    }
    text
}

/// Names the repository, once for all rows of it that follow each other.
fn heading<'a>(text: &mut String, last: &mut &'a str, repository: &'a str) {
    if *last != repository {
        *last = repository;
        text.push_str(&format!("{}\n", escape::terminal(repository)));
    }
}

/// Plans for people; with all numbers when somebody wants an explanation.
pub(crate) fn plans(rows: &[Row], screen: &Screen, explain: bool) -> String {
    let mut text = String::new();
    let mut repository = "";
    for row in rows {
        heading(&mut text, &mut repository, &row.repository);
        plan(&mut text, row, screen, explain);
    }
    if rows.is_empty() {
        text.push_str("nothing is due\n");
    }
    text
}

fn plan(text: &mut String, row: &Row, screen: &Screen, explain: bool) {
    let because = row.plan.decision.because();
    text.push_str(&format!("  {}  {}\n", pad(row.word(), 6), row.task.id));
    line(text, screen, "because", because);
    if let Some(hold) = &row.hold {
        let until = hold.until.map(|until| format!(", until {until}")).unwrap_or_default();
        line(text, screen, "waits", &format!("{}{until}", hold.reason));
    }
    if explain {
        for measure in &row.plan.inputs {
            line(text, screen, "number", &number(measure, &row.plan));
        }
    }
    if explain {
        row.plan.notes.iter().for_each(|note| line(text, screen, "leaves", note));
    }
    if row.plan.acts() || explain {
        row.plan.steps.iter().for_each(|step| line(text, screen, "step", step));
        let takes =
            row.plan.takes().map(|takes| format!("about {takes}")).unwrap_or_else(|| "an unknown time".to_owned());
        let room = alignwatch_model::words::bytes(row.plan.disk_bytes);
        line(text, screen, "costs", &format!("{takes}, {room} of room meanwhile"));
        line(text, screen, "undo", &row.plan.undo);
    }
}

fn number(measure: &Measure, plan: &Plan) -> String {
    let unknown = measure.unknown.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let limits = plan.limits.iter().filter(|limit| limit.name == measure.name);
    let limits: Vec<String> = limits.map(|limit| format!("; acts from {} on: {}", limit.value, limit.source)).collect();
    format!("{} {}{unknown}{}", measure.name, measure.told(), limits.concat())
}

fn line(text: &mut String, screen: &Screen, label: &str, words: &str) {
    let words = escape::terminal(words);
    let room = screen.width.saturating_sub(INDENT + 2).max(20);
    for (at, part) in wrap(&words, room).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        text.push_str(&format!("    {}{part}\n", pad(label, INDENT - 2)));
    }
}

fn paragraph(text: &mut String, screen: &Screen, indent: usize, words: &str) {
    for part in wrap(&escape::terminal(words), screen.width.saturating_sub(indent).max(20)) {
        text.push_str(&format!("{}{part}\n", " ".repeat(indent)));
    }
}

/// How a run ended, for people.
pub(crate) fn ended(row: &Row, done: &Done) -> String {
    let report = &done.report;
    let kept = report.objects_kept.map(|n| format!("; all {n} objects in use are there")).unwrap_or_default();
    let alarm = if report.is_critical { "CRITICAL: " } else { "" };
    let text = format!(
        "{} {}: {alarm}{}{kept} ({:.1} s, run {})",
        row.task.id,
        report.result.word(),
        report.because,
        report.took_seconds,
        done.id
    );
    format!("{}\n", escape::terminal(&text))
}

/// What became of all that was due.
pub(crate) fn due(form: Format, all: &[(String, &'static Task, Ended)]) -> String {
    if form == Format::Json {
        let one = |(repository, task, ended): &(String, &'static Task, Ended)| {
            let (word, id, report, plan) = match ended {
                Ended::Ran(done) => (done.report.result.word(), Some(done.id), Some(&done.report), done.plan.as_ref()),
                Ended::Planned(plan) => (plan.decision.word(), None, None, Some(&**plan)),
                Ended::Waits(_) => ("skipped", None, None, None),
            };
            let reason = if let Ended::Waits(hold) = ended { Some(&hold.reason) } else { None };
            json!({
                "repository": repository, "task": task.id, "result": word, "id": id, "report": report, "plan": plan,
                "waits_for": reason,
            })
        };
        return escape::json(
            &json!({ "schema": "alignwatch.task_due/1", "tasks": all.iter().map(one).collect::<Vec<_>>() }),
        );
    }
    let mut text = String::new();
    for (repository, task, ended) in all {
        let told = match ended {
            Ended::Ran(done) => format!("{}: {} (run {})", done.report.result.word(), done.report.because, done.id),
            Ended::Planned(plan) => format!("would {}: {}", plan.decision.word(), plan.decision.because()),
            Ended::Waits(hold) => format!("waits: {}", hold.reason),
        };
        text.push_str(&format!("{}\n", escape::terminal(&format!("{repository}  {}  {told}", task.id))));
    }
    if all.is_empty() {
        text.push_str("nothing is due\n");
    }
    text
}

/// How taking back ended.
pub(crate) fn undone(form: Format, id: u64, report: &Report) -> String {
    if form == Format::Json {
        return escape::json(&json!({ "schema": "alignwatch.task_undo/1", "id": id, "report": report }));
    }
    let word = if report.result == Came::Effect { "taken back" } else { report.result.word() };
    format!("run {id} {word}: {}\n", escape::terminal(&report.because))
}

/// The runs of the past, the newest last.
pub(crate) fn history(form: Format, said: &Said, limit: usize, screen: &Screen) -> String {
    let runs = said.runs();
    let newest = &runs[runs.len().saturating_sub(limit)..];
    if form == Format::Json {
        return escape::json(&json!({
            "schema": "alignwatch.task_history/1", "n_unreadable_lines": said.n_unreadable,
            "runs": newest.iter().map(run_json).collect::<Vec<_>>(),
        }));
    }
    let mut text = String::new();
    for run in newest {
        let head = format!(
            "{:>4}  {}  {}  {}  {}",
            run.record.id,
            run.record.at,
            pad(run.state(), 8),
            run.record.task,
            run.record.repository
        );
        text.push_str(&format!("{}\n", escape::terminal(&head)));
        paragraph(&mut text, screen, 6, &run.because());
        if run.state() == "planned" {
            would(&mut text, screen, run);
        }
    }
    if runs.is_empty() {
        text.push_str("no task was run yet\n");
    }
    if 0 < said.n_unreadable {
        text.push_str(&format!("{} lines of the journal could not be read\n", said.n_unreadable));
    }
    text
}

/// Weeks that a trend goes back. Source: ours; two months, as far as the journal of a busy machine reaches.
const WEEKS: usize = 8;

/// What each task brought, week by week.
pub(crate) fn trend(form: Format, said: &Said, now: Timestamp) -> String {
    let trends = said.trends(WEEKS, now);
    if form == Format::Json {
        return escape::json(&json!({ "schema": "alignwatch.task_trend/1", "n_weeks": WEEKS, "tasks": trends }));
    }
    if trends.is_empty() {
        return format!("no task ran in the last {WEEKS} weeks\n");
    }
    let longest = trends.iter().map(|trend| trend.task.len()).max().unwrap_or(0);
    let mut text = format!("The last {WEEKS} weeks, the newest on the right: runs with effect of each week\n");
    for trend in &trends {
        let total = trend.total();
        let weeks: Vec<String> = trend.weeks.iter().map(|week| format!("{:>3}", week.n_effects)).collect();
        text.push_str(&format!(
            "{}  {}   {} of {} runs with effect, {} failed; {}, {:.0} s\n",
            pad(&escape::terminal(&trend.task), longest),
            weeks.join(""),
            total.n_effects,
            total.n_runs,
            total.n_failed,
            room(total.won_bytes),
            total.took_seconds,
        ));
    }
    text
}

/// The steps that were only planned.
fn would(text: &mut String, screen: &Screen, run: &Told<'_>) {
    /// Steps that are shown without `-v`. Source: ours; one screen.
    const SHOWN: usize = 20;
    let steps = run.plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    let shown = if 0 < screen.verbose { steps.len() } else { steps.len().min(SHOWN) };
    steps[..shown].iter().for_each(|step| paragraph(text, screen, 8, &format!("would {step}")));
    if shown < steps.len() {
        paragraph(text, screen, 8, &format!("and {} more; -v shows all", steps.len() - shown));
    }
}

fn run_json(run: &Told<'_>) -> Value {
    json!({
        "id": run.record.id, "at": run.record.at, "task": run.record.task, "repository": run.record.repository,
        "repository_id": run.record.repository_id, "state": run.state(), "plan": run.plan, "report": run.report,
    })
}

/// Plans for programs.
pub(crate) fn plans_json(rows: &[Row]) -> String {
    escape::json(&json!({ "schema": "alignwatch.task_plan/1", "plans": rows.iter().map(row_json).collect::<Vec<_>>() }))
}

fn row_json(row: &Row) -> Value {
    json!({
        "repository": row.repository, "task": row.task.id, "would": row.word(), "plan": row.plan,
        "hold": row.hold.as_ref().map(|hold| json!({ "reason": hold.reason, "until": hold.until })),
    })
}

/// Ends of runs for programs.
pub(crate) fn runs_json(done: &[(Row, Done)]) -> String {
    let one = |(row, done): &(Row, Done)| {
        json!({
            "repository": row.repository, "task": row.task.id, "id": done.id, "plan": done.plan, "report": done.report,
        })
    };
    escape::json(&json!({ "schema": "alignwatch.task_run/1", "runs": done.iter().map(one).collect::<Vec<_>>() }))
}
