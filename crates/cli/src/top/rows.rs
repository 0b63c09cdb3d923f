//! The lists of the live view as rows of text. Foreign text is made harmless here, at the door.

use alignwatch_daemon::board::Board;
use alignwatch_model::{Severity, Span, Status, Timestamp, branch::State, kept::KeptBranch, run::Outcome};

use super::view::Tab;
use crate::output::{escape::terminal, style::concern};

/// One row, and what is said of it when it is chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// For its colour and its symbol.
    pub(crate) status: Status,
    /// As many as [`head`] names; harmless.
    pub(crate) cells: Vec<String>,
    /// More of it, in sentences; harmless.
    pub(crate) detail: String,
}

impl Row {
    /// Does a text in small letters stand in it?
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.cells.iter().chain([&self.detail]).any(|cell| cell.to_lowercase().contains(text))
    }
}

/// The names of the columns, each with its width; 0 = what is left.
pub(crate) fn head(tab: Tab) -> &'static [(&'static str, u16)] {
    match tab {
        Tab::Branches => &[("Branch", 0), ("State", 12), ("Behind", 7), ("Ahead", 6), ("Idle", 6), ("Repository", 16)],
        Tab::Runs => {
            &[("Workflow", 0), ("Outcome", 12), ("Began", 8), ("Took", 8), ("Branches", 8), ("Repository", 16)]
        }
        Tab::Alerts => &[("Alert", 0), ("Severity", 9), ("Since", 7), ("Held by", 12)],
        Tab::Tasks => &[("Task", 18), ("Came to", 10), ("Ago", 7), ("Repository", 14), ("Because", 0)],
    }
}

/// The rows of a list, the urgent or newest first.
pub(crate) fn rows(board: &Board, tab: Tab, now: Timestamp) -> Vec<Row> {
    match tab {
        Tab::Branches => branches(board, now),
        Tab::Runs => board.runs.iter().map(|run| run_row(run, now)).collect(),
        Tab::Alerts => board.alerts.iter().map(|alert| alert_row(alert, now)).collect(),
        Tab::Tasks => board.tasks.iter().map(|task| task_row(task, now)).collect(),
    }
}

fn text(text: &str) -> String {
    terminal(text).into_owned()
}

fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/remotes/")).unwrap_or(name)
}

/// The last part of a path.
pub(crate) fn called(path: &str) -> String {
    let path = path.trim_end_matches('/').trim_end_matches("/.git");
    text(path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path))
}

fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "?".to_owned(), |at| Span(now.since(at).0.max(0)).to_string())
}

fn number(n: Option<u32>) -> String {
    n.map_or_else(|| "?".to_owned(), |n| n.to_string())
}

fn branches(board: &Board, now: Timestamp) -> Vec<Row> {
    let mut all: Vec<&(String, KeptBranch)> = board.branches.iter().collect();
    all.sort_by_key(|(_, branch)| (branch.state.concern(), std::cmp::Reverse(branch.behind)));
    all.into_iter().map(|(path, branch)| branch_row(path, branch, now)).collect()
}

fn branch_row(path: &str, branch: &KeptBranch, now: Timestamp) -> Row {
    let base = branch.base.as_deref().map(short).unwrap_or("?");
    let mut detail = match branch.state {
        State::Conflicting => {
            let paths: Vec<&str> = branch.conflicts.iter().flatten().take(3).map(|at| at.path.as_str()).collect();
            let n = branch.n_conflicts.map_or_else(|| "?".to_owned(), |n| n.to_string());
            let paths = if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
            format!("conflicts with {base} in {n} places{paths}")
        }
        State::Unknown => branch.reason.clone().unwrap_or_else(|| "not known why".to_owned()),
        _ => format!("measured against {base}"),
    };
    if let Some(subject) = &branch.subject {
        detail.push_str(&format!(" · {subject}"));
    }
    Row {
        status: concern(branch.state),
        cells: vec![
            text(short(&branch.name)),
            branch.state.word().replace('_', " "),
            number(branch.behind),
            number(branch.ahead),
            branch.idle_age(now).map_or_else(|| "?".to_owned(), |age| age.to_string()),
            called(path),
        ],
        detail: text(&detail),
    }
}

fn run_row(run: &alignwatch_model::run::Document, now: Timestamp) -> Row {
    let started = run.started.as_ref();
    let moment = |at: Option<alignwatch_model::run::Moment>| at.map(|at| Timestamp(at.0.div_euclid(1_000)));
    let finished = run.finished.as_ref();
    let took = finished.and_then(|finished| finished.duration_seconds).map(|seconds| Span(seconds.round() as i64));
    let stage = run.stages.last().map(|stage| format!(" · last stage {}", stage.stage)).unwrap_or_default();
    let because = finished.map_or("no end was reported", |finished| finished.because.as_str());
    let status = match run.outcome {
        None => Status::Info,
        Some(Outcome::Aligned | Outcome::NoOp | Outcome::Skipped) => Status::Ok,
        Some(Outcome::Unknown | Outcome::Lost) => Status::Unknown,
        Some(Outcome::RolledBack | Outcome::Aborted | Outcome::Blocked) => Status::Warning,
        Some(Outcome::Conflict | Outcome::Failed | Outcome::TimedOut) => Status::Error,
    };
    Row {
        status,
        cells: vec![
            text(started.map_or("?", |started| started.workflow.as_str())),
            run.outcome.map_or("under way", Outcome::word).replace('_', " "),
            ago(moment(run.began_at), now),
            took.map_or_else(|| "?".to_owned(), |took| took.to_string()),
            run.operations.len().to_string(),
            started.and_then(|started| started.repository.as_deref()).map(called).unwrap_or_default(),
        ],
        detail: text(&format!("{}: {because}{stage}", run.run)),
    }
}

fn alert_row(alert: &alignwatch_model::alert::Alert, now: Timestamp) -> Row {
    let held = match &alert.ack {
        Some(ack) => text(&ack.who),
        None => String::new(),
    };
    let status = match alert.severity {
        Severity::Critical => Status::Critical,
        Severity::Error => Status::Error,
        Severity::Warning => Status::Warning,
        Severity::Info => Status::Info,
    };
    let command = alert.commands.first().map(|command| format!(" · $ {command}")).unwrap_or_default();
    Row {
        status,
        cells: vec![text(&alert.summary), alert.severity.word().to_owned(), ago(alert.starts_at, now), held],
        detail: text(&format!("{} in {}{command}", alert.rule, alert.repository)),
    }
}

fn task_row(task: &alignwatch_daemon::board::BoardTask, now: Timestamp) -> Row {
    let status = match task.result.as_str() {
        "effect" => Status::Ok,
        "failed" => Status::Error,
        "noop" | "skipped" => Status::Skipped,
        _ => Status::Info,
    };
    Row {
        status,
        cells: vec![
            text(&task.task),
            text(&task.result),
            ago(Some(task.at), now),
            called(&task.repository),
            text(&task.because),
        ],
        detail: text(&format!("run {}: {}", task.id, task.because)),
    }
}
