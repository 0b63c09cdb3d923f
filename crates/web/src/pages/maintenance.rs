//! Maintenance: when it may run and when nothing may change, and what it did.

use std::sync::Arc;

use alignwatch_model::{
    Span, Timestamp,
    config::WindowRule,
    facts::tasks::Backups,
    task::{Came, Measure, Plan, Report},
    window::{Opening, Purpose, Window},
};
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    chart::{Event, rounded},
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark, Prose},
};
use crate::{Shared, TaskRun};

/// Days that the calendar shows.
const DAYS: i64 = 14;

/// Runs of tasks that are listed.
const SHOWN: usize = 60;

/// Runs of tasks that are marked in charts.
const EVENTS_AT_MOST: usize = 400;

/// Where the calendar's lanes begin and end, and how high each is.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 1188.0;
const LANE: f64 = 26.0;

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage {
    shell: Shell,
    headline: String,
    calendar: Option<Calendar>,
    windows: Vec<WindowRow>,
    /// Tasks and repositories that a plan can be asked for.
    tasks: Vec<(&'static str, &'static str)>,
    places: Vec<(String, String)>,
    /// Of each repository, the one proven longest ago first.
    backups: Vec<BackupsRow>,
    runs: Vec<RunRow>,
    /// Why the history can't be read.
    unread: String,
}

/// Windows over the next days.
#[derive(Template)]
#[template(path = "calendar.svg")]
struct Calendar {
    height: f64,
    bottom: f64,
    days: Vec<(f64, String)>,
    lanes: Vec<Lane>,
    /// Where maintenance meets a freeze.
    n_conflicts: usize,
}

struct Lane {
    y: f64,
    name: String,
    tone: &'static str,
    spans: Vec<Slot>,
}

struct Slot {
    x: f64,
    width: f64,
    told: String,
    /// It meets a freeze: then nothing runs in it.
    is_blocked: bool,
    /// It is not known when it is open.
    is_unknown: bool,
}

struct WindowRow {
    name: String,
    purpose: Mark,
    open: String,
    lasts: String,
    next: String,
    /// Why it is not known when it is open; empty = it is known.
    unknown: String,
    /// Where it can be made longer or ended; empty = it is not open.
    change: String,
    reason: String,
    repositories: String,
}

/// The backups of a repository.
struct BackupsRow {
    repository: String,
    mark: Mark,
    n: String,
    newest: Option<Ago>,
    drill: Option<Ago>,
    /// What to type about it; empty where all is well.
    command: &'static str,
}

/// A run of a task.
struct RunRow {
    id: u64,
    task: String,
    repository: String,
    came: Mark,
    because: Prose,
    at: Ago,
    took: String,
    /// What it goes by, before and after.
    numbers: Vec<(String, String, String)>,
    undo: String,
    /// It can be taken back; how that is typed.
    undo_command: String,
    steps: Vec<String>,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, |shared| {
        let shell = Shell::new(shared, "Maintenance", Section::Maintenance);
        let now = shell.now;
        let rules = &shared.loaded().config.windows;
        let pairs: Vec<(&WindowRule, Window)> =
            rules.iter().filter_map(|rule| Some((rule, rule.window().ok()?))).collect();
        let windows: Vec<Window> = pairs.iter().map(|(_, window)| window.clone()).collect();
        let (runs, unread) = match (shared.asks.tasks)(SHOWN) {
            Ok(runs) => (runs, String::new()),
            Err(reason) => (Vec::new(), reason),
        };
        let rows = shared.read(|store| store.repositories())?;
        let mut backups: Vec<(Option<Timestamp>, BackupsRow)> =
            rows.iter().map(|row| BackupsRow::of(&row.path, (shared.asks.backups)(&row.path), now)).collect();
        backups.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.repository.cmp(&b.1.repository)));
        let is_here = |path: &str| shared.loaded().config.is_tended(path);
        let place = |row: alignwatch_store::RepositoryRow| {
            let note = if is_here(&row.path) { "" } else { " (plans only: not handed over)" };
            (format!("{}{note}", told::called(&row.path)), row.path)
        };
        Ok(MaintenancePage {
            tasks: shared.asks.known_tasks.iter().map(|task| (task.id, task.title)).collect(),
            places: rows.into_iter().map(place).collect(),
            headline: headline(&windows, now),
            calendar: (!windows.is_empty()).then(|| Calendar::of(&windows, now)),
            windows: pairs.iter().map(|(rule, window)| WindowRow::of(rule, window, now)).collect(),
            backups: backups.into_iter().map(|(_, row)| row).collect(),
            runs: runs.into_iter().map(|run| RunRow::of(run, now)).collect(),
            unread,
            shell,
        })
    })
    .await
}

/// What holds now and what comes next, for other pages; empty where no window is configured.
pub(super) fn now_and_next(shared: &Shared, now: Timestamp) -> String {
    let rules = &shared.loaded().config.windows;
    let windows: Vec<Window> = rules.iter().filter_map(|rule| rule.window().ok()).collect();
    if windows.is_empty() { String::new() } else { headline(&windows, now) }
}

/// What holds now, and what comes next.
fn headline(windows: &[Window], now: Timestamp) -> String {
    let open = |purpose: Purpose| {
        let open = windows.iter().filter(|window| window.purpose == purpose);
        open.filter_map(|window| Some((window, window.open_at(now)?))).max_by_key(|(_, opening)| opening.until)
    };
    let next = windows.iter().filter_map(|window| Some((window.next_after(now)?, window)));
    let next = next.min_by_key(|(opening, _)| opening.from).map(|(opening, window)| {
        let what = if window.purpose == Purpose::Freeze { "freeze" } else { "window" };
        format!(" The next {what}, {}, begins at {}.", window.name, opening.from)
    });
    let now_told = match (open(Purpose::Freeze), open(Purpose::Maintenance)) {
        (Some((window, opening)), _) => format!("Nothing may change until {}: {}.", opening.until, window.name),
        (None, Some((window, opening))) => format!("Maintenance may run until {}: {}.", opening.until, window.name),
        (None, None) if windows.iter().any(|window| window.doubt().is_some()) => {
            "No window is known to be open now.".to_owned()
        }
        (None, None) if windows.iter().all(|window| window.purpose == Purpose::Freeze) => {
            "Maintenance may run at any time: no window says otherwise.".to_owned()
        }
        (None, None) => "No window is open now.".to_owned(),
    };
    let unknown: Vec<&str> =
        windows.iter().filter(|window| window.doubt().is_some()).map(|window| window.name.as_str()).collect();
    let unknown = match unknown[..] {
        [] => String::new(),
        _ => format!(" Of {} it is not known: what it goes by cannot be read.", unknown.join(", ")),
    };
    now_told + &next.unwrap_or_default() + &unknown
}

/// What tasks did in a repository, for charts: those that changed something, or should have.
pub(super) fn events(shared: &Shared, path: &str) -> Vec<Event> {
    // What can't be read is told on the page of its own.
    let runs = (shared.asks.tasks)(EVENTS_AT_MOST).unwrap_or_default();
    let event = |run: TaskRun| {
        let report = run.report.filter(|report| matches!(report.result, Came::Effect | Came::Failed))?;
        let mark = Mark { shape: "square", ..came(&report) };
        Some(Event { at: run.at, mark, told: format!("{}: {}, {}", run.at, run.task, report.because) })
    };
    runs.into_iter().filter(|run| run.repository == path).filter_map(event).collect()
}

impl Calendar {
    fn of(windows: &[Window], now: Timestamp) -> Calendar {
        let from = Timestamp(now.0.div_euclid(86_400) * 86_400);
        let until = Timestamp(from.0 + Span::days(DAYS).0);
        let x = |at: i64| {
            let part = (at - from.0) as f64 / (until.0 - from.0) as f64;
            rounded(LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT))
        };
        let freezes: Vec<Opening> = windows
            .iter()
            .filter(|window| window.purpose == Purpose::Freeze)
            .flat_map(|window| window.openings(from, until))
            .collect();
        let mut n_conflicts = 0;
        let mut lanes = Vec::new();
        for (n, window) in windows.iter().enumerate() {
            let is_freeze = window.purpose == Purpose::Freeze;
            let mut spans = Vec::new();
            if let Some(why) = window.doubt() {
                let told = format!("{}: unknown: {why}", window.name);
                spans.push(Slot { x: LEFT, width: rounded(RIGHT - LEFT), told, is_blocked: false, is_unknown: true });
            }
            for opening in window.openings(from, until) {
                let is_blocked = !is_freeze && freezes.iter().any(|freeze| freeze.meets(&opening));
                n_conflicts += usize::from(is_blocked);
                let told = format!(
                    "{}: {} to {}{}",
                    window.name,
                    opening.from,
                    opening.until,
                    if is_blocked { ", in a freeze" } else { "" }
                );
                let (begin, end) = (x(opening.from.0), x(opening.until.0));
                spans.push(Slot {
                    x: begin,
                    width: rounded((end - begin).max(2.0)),
                    told,
                    is_blocked,
                    is_unknown: false,
                });
            }
            let y = 6.0 + n as f64 * LANE;
            let tone = if is_freeze { "info" } else { "ok" };
            lanes.push(Lane { y, name: told::tail(&window.name, 26), tone, spans });
        }
        let bottom = 6.0 + windows.len() as f64 * LANE;
        let day = |n: i64| {
            let at = from.0 + n * 86_400;
            (x(at), Timestamp(at).rfc3339().chars().skip(5).take(5).collect())
        };
        Calendar { height: bottom + 22.0, bottom, days: (0..DAYS).map(day).collect(), lanes, n_conflicts }
    }
}

impl WindowRow {
    fn of(rule: &WindowRule, window: &Window, now: Timestamp) -> WindowRow {
        let next = window.open_at(now).map(|opening| format!("open until {}", opening.until));
        let next = next.or_else(|| window.next_after(now).map(|opening| opening.from.rfc3339()));
        WindowRow {
            name: window.name.clone(),
            purpose: match window.purpose {
                Purpose::Maintenance => Mark { tone: "ok", shape: "disc", word: "maintenance" },
                Purpose::Freeze => Mark { tone: "info", shape: "frame", word: "freeze" },
                Purpose::Hours => Mark { tone: "info", shape: "disc", word: "hours" },
            },
            open: rule.zone.as_ref().map_or(rule.open.clone(), |zone| format!("{} {zone}", rule.open)),
            lasts: rule.lasts.map_or(String::new(), |span| span.to_string()),
            next: match window.doubt() {
                Some(_) => String::new(),
                None => next.unwrap_or_else(|| "never again".to_owned()),
            },
            unknown: window.doubt().unwrap_or_default().to_owned(),
            change: match window.on_now(now) {
                Some(_) => super::window::place(&window.name),
                None => String::new(),
            },
            reason: window.reason.clone(),
            repositories: if rule.repositories.is_empty() { "all".to_owned() } else { rule.repositories.join(", ") },
        }
    }
}

impl BackupsRow {
    /// The row, and when one was last proven.
    fn of(path: &str, backups: Result<Backups, String>, now: Timestamp) -> (Option<Timestamp>, BackupsRow) {
        let repository = told::called(path).to_owned();
        let unknown = told::health("unknown");
        let backups = match backups {
            Ok(backups) => backups,
            Err(reason) => {
                let row = BackupsRow { repository, mark: unknown, n: reason, newest: None, drill: None, command: "" };
                return (None, row);
            }
        };
        let (mark, command) = match backups {
            Backups { n: 0, .. } => {
                (Mark { tone: "unknown", shape: "dash", word: "no backup" }, "alignwatch backup create")
            }
            Backups { is_bad: true, .. } => {
                (Mark { word: "the newest is bad", ..told::health("error") }, "alignwatch backup create --full")
            }
            Backups { proven_at: None, .. } => {
                (Mark { word: "never restored", ..told::health("warning") }, "alignwatch backup verify --drill")
            }
            Backups { proven_at: Some(_), .. } => (Mark { word: "restored and compared", ..told::health("ok") }, ""),
        };
        let ago = |at: Option<Timestamp>| at.map(|at| Ago::new(at, now));
        let (newest, drill) = (ago(backups.newest_at), ago(backups.proven_at));
        (backups.proven_at, BackupsRow { repository, mark, n: backups.n.to_string(), newest, drill, command })
    }
}

impl RunRow {
    fn of(run: TaskRun, now: Timestamp) -> RunRow {
        let came = match (&run.report, run.is_healed) {
            _ if run.state == "undone" => Mark { tone: "behind", shape: "frame", word: "taken back" },
            (Some(report), _) => came(report),
            (None, true) => Mark { tone: "warning", shape: "frame", word: "interrupted, healed" },
            (None, false) => Mark { tone: "info", shape: "half", word: "under way, or interrupted" },
        };
        let plan = run.plan.as_ref();
        let because = run.report.as_ref().map(|report| report.because.as_str());
        RunRow {
            id: run.id,
            came,
            because: Prose::new(because.or_else(|| Some(plan?.decision.because())).unwrap_or_default()),
            at: Ago::new(run.at, now),
            took: run
                .report
                .as_ref()
                .filter(|report| 0.0 < report.took_seconds)
                .map_or(String::new(), |report| told::seconds(report.took_seconds)),
            numbers: run.report.as_ref().map(numbers).unwrap_or_default(),
            undo: plan.map(|plan: &Plan| plan.undo.clone()).unwrap_or_default(),
            steps: plan.map(|plan| plan.steps.clone()).unwrap_or_default(),
            undo_command: if run.can_be_undone { format!("alignwatch task undo {}", run.id) } else { String::new() },
            repository: told::called(&run.repository).to_owned(),
            task: run.task,
        }
    }
}

fn came(report: &Report) -> Mark {
    match report.result {
        _ if report.is_critical => Mark { tone: "critical", shape: "square", word: "lost something" },
        Came::Effect => Mark { tone: "ok", shape: "disc", word: "effect" },
        Came::Noop => Mark { tone: "behind", shape: "dash", word: "nothing different" },
        Came::Skipped => Mark { tone: "behind", shape: "ring", word: "skipped" },
        Came::Failed => Mark { tone: "error", shape: "triangle", word: "failed" },
    }
}

/// Each number before and after.
fn numbers(report: &Report) -> Vec<(String, String, String)> {
    let told = |measure: Option<&Measure>| match measure {
        Some(Measure { value: Some(value), unit, .. }) if unit == "bytes" => {
            alignwatch_model::words::bytes(value.unsigned_abs())
        }
        Some(Measure { value: Some(value), unit, .. }) => format!("{value} {unit}"),
        _ => "?".to_owned(),
    };
    let after = |name: &str| report.after.iter().find(|measure| measure.name == name);
    report.before.iter().map(|before| (before.name.clone(), told(Some(before)), told(after(&before.name)))).collect()
}
