//! Maintenance: when it may run and when nothing may change, and what it did.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    Span, Timestamp,
    config::WindowRule,
    facts::tasks::Backups,
    task::{
        Came, Measure, Plan, Report,
        slots::{Ahead, TaskAhead},
    },
    window::{Opening, Purpose, Window},
};
use alignwatch_store::RepositoryRow;
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;

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

/// Repositories whose tasks are shown. Source: ours; looking two weeks ahead takes a few milliseconds for each.
const AHEAD_SHOWN: usize = 12;

/// Times of tasks that lie so close to each other are one mark of the calendar. Source: ours; six points of a picture.
const TOGETHER: Span = Span::minutes(120);

/// Tasks that a mark names.
const NAMED: usize = 8;

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
    /// What is in each other's way.
    conflicts: Vec<ConflictRow>,
    /// What is due in repositories that are tended.
    due: Vec<DueIn>,
    /// Those that are tended and not shown.
    n_more_due: usize,
    /// Why that can't be told.
    untold: String,
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
    /// Something is in its way, such as a freeze.
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

/// Two things that are in each other's way.
struct ConflictRow {
    repository: String,
    text: String,
    first: String,
    n_times: usize,
    /// The next time at which they would not be.
    free: String,
}

/// What is due in a repository that is tended.
struct DueIn {
    repository: String,
    /// What comes next, in words.
    next: String,
    rows: Vec<DueRow>,
}

/// When a task is asked.
struct DueRow {
    task: String,
    due: String,
    last: Option<Ago>,
    /// When it is asked next, and in which window.
    next: String,
    window: String,
    /// A freeze holds it then.
    is_frozen: bool,
    /// Why it never is.
    never: String,
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
        let (rows, _) = shared.repositories()?;
        let mut backups: Vec<(Option<Timestamp>, BackupsRow)> = rows
            .iter()
            .map(|row| Ok(BackupsRow::of(&row.path, seen_backups(shared, &row.id)?, now)))
            .collect::<Result<_, Failed>>()?;
        backups.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.repository.cmp(&b.1.repository)));
        let is_here = |path: &str| shared.loaded().config.is_tended(path);
        let n_tended = rows.iter().filter(|row| is_here(&row.path)).count();
        let upcoming = Upcoming::of(shared, rows.iter().filter(|row| is_here(&row.path)));
        let place = |row: RepositoryRow| {
            let note = if is_here(&row.path) { "" } else { " (plans only: not handed over)" };
            (format!("{}{note}", told::called(&row.path)), row.path)
        };
        let has_lanes = !windows.is_empty() || !upcoming.tended().is_empty();
        Ok(MaintenancePage {
            tasks: shared.asks.known_tasks.iter().map(|task| (task.id, task.title)).collect(),
            places: rows.into_iter().map(place).collect(),
            headline: headline(&windows, now),
            calendar: has_lanes.then(|| Calendar::of(&windows, upcoming.tended(), now)),
            conflicts: upcoming.conflicts(),
            due: upcoming.tended().iter().map(|(name, ahead)| DueIn::of(name, ahead, now)).collect(),
            n_more_due: n_tended.saturating_sub(AHEAD_SHOWN),
            untold: upcoming.untold,
            windows: pairs.iter().map(|(rule, window)| WindowRow::of(rule, window, now)).collect(),
            backups: backups.into_iter().map(|(_, row)| row).collect(),
            runs: runs.into_iter().map(|run| RunRow::of(run, now)).collect(),
            unread,
            shell,
        })
    })
    .await
}

/// What the last look saw of the backups of the repository with this id: nothing is opened for a page.
fn seen_backups(shared: &Shared, id: &str) -> Result<Result<Backups, String>, Failed> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Document {
        backups: Kept,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Kept {
        seen: Option<Backups>,
        unknown: Option<String>,
    }
    let document = shared.read(|store| store.document(id))?;
    let kept = document.and_then(|text| serde_json::from_str::<Document>(&text).ok()).unwrap_or_default().backups;
    Ok(kept.seen.ok_or_else(|| kept.unknown.unwrap_or_else(|| "no look told of them yet".to_owned())))
}

/// What maintenance there will be.
struct Upcoming {
    /// By the names of repositories. Where none is tended, one that stands for any, and has no tasks.
    ahead: Vec<(String, Ahead)>,
    is_any: bool,
    /// Why that can't be told; empty = it can.
    untold: String,
}

impl Upcoming {
    fn of<'a>(shared: &Shared, tended: impl Iterator<Item = &'a RepositoryRow>) -> Upcoming {
        let rows: Vec<&RepositoryRow> = tended.take(AHEAD_SHOWN).collect();
        let mut places: Vec<(String, String)> = rows.iter().map(|row| (row.path.clone(), row.id.clone())).collect();
        let mut names: Vec<String> = rows.iter().map(|row| told::called(&row.path).to_owned()).collect();
        let is_any = rows.is_empty();
        if is_any {
            places.push((String::new(), String::new()));
            names.push("any repository".to_owned());
        }
        match (shared.asks.ahead)(&shared.loaded().config, &places, DAYS) {
            Ok(ahead) => Upcoming { ahead: names.into_iter().zip(ahead).collect(), is_any, untold: String::new() },
            Err(untold) => Upcoming { ahead: Vec::new(), is_any, untold },
        }
    }

    fn tended(&self) -> &[(String, Ahead)] {
        if self.is_any { &[] } else { &self.ahead }
    }

    fn conflicts(&self) -> Vec<ConflictRow> {
        let of_one = |(name, ahead): &(String, Ahead)| -> Vec<ConflictRow> {
            let told = |conflict: &alignwatch_model::task::conflicts::Conflict| ConflictRow {
                repository: name.clone(),
                text: conflict.text.clone(),
                first: conflict.at.rfc3339(),
                n_times: conflict.n_times,
                free: conflict.free_at.map(Timestamp::rfc3339).unwrap_or_default(),
            };
            ahead.conflicts.iter().map(told).collect()
        };
        self.ahead.iter().flat_map(of_one).collect()
    }
}

impl DueIn {
    fn of(repository: &str, ahead: &Ahead, now: Timestamp) -> DueIn {
        let first = |task: &TaskAhead| task.slots.as_ref().ok().and_then(|slots| slots.first()).map(|slot| slot.at);
        let mut tasks: Vec<&TaskAhead> = ahead.tasks.iter().collect();
        tasks.sort_by_key(|task| (first(task).is_none(), first(task), task.slots.is_err()));
        let next = tasks.first().and_then(|task| Some((first(task)?, task)));
        DueIn {
            repository: repository.to_owned(),
            next: match next {
                Some((at, task)) if at <= now => format!("{} is due now", task.task),
                Some((at, task)) => format!("next: {} at {at}", task.task),
                None => format!("nothing within {DAYS} days"),
            },
            rows: tasks.into_iter().map(|task| DueRow::of(task, now)).collect(),
        }
    }
}

impl DueRow {
    fn of(task: &TaskAhead, now: Timestamp) -> DueRow {
        let (next, never) = match &task.slots {
            Ok(slots) => (slots.first(), String::new()),
            Err(reason) => (None, reason.clone()),
        };
        let told = match next {
            Some(slot) if slot.at <= now => "now".to_owned(),
            Some(slot) => slot.at.rfc3339(),
            None if never.is_empty() => format!("not within {DAYS} days"),
            None => "never".to_owned(),
        };
        DueRow {
            task: task.task.clone(),
            due: format!("{}{}", task.due, if task.only_reports { ", plans only" } else { "" }),
            last: task.last.map(|at| Ago::new(at, now)),
            next: told,
            window: match next {
                Some(slot) => slot.window.clone().unwrap_or_else(|| "at any time".to_owned()),
                None => String::new(),
            },
            is_frozen: next.is_some_and(|slot| slot.is_frozen),
            never,
        }
    }
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
    fn of(windows: &[Window], tended: &[(String, Ahead)], now: Timestamp) -> Calendar {
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
        for (name, ahead) in tended {
            let y = 6.0 + lanes.len() as f64 * LANE;
            let spans = marks(ahead).into_iter().map(|(at, mark)| mark.slot(x(at.0), x(at.0 + TOGETHER.0)));
            let name = told::tail(&format!("tasks: {name}"), 26);
            lanes.push(Lane { y, name, tone: "behind", spans: spans.collect() });
        }
        let bottom = 6.0 + lanes.len() as f64 * LANE;
        let day = |n: i64| {
            let at = from.0 + n * 86_400;
            (x(at), Timestamp(at).rfc3339().chars().skip(5).take(5).collect())
        };
        Calendar { height: bottom + 22.0, bottom, days: (0..DAYS).map(day).collect(), lanes }
    }
}

/// Tasks that are asked close to each other.
#[derive(Default)]
struct MarkAt<'a> {
    tasks: Vec<(Timestamp, &'a str)>,
    is_blocked: bool,
}

/// All times at which tasks are asked, in marks of a length that can be seen.
fn marks(ahead: &Ahead) -> BTreeMap<Timestamp, MarkAt<'_>> {
    let place = |at: Timestamp| Timestamp(at.0.div_euclid(TOGETHER.0) * TOGETHER.0);
    let mut marks = BTreeMap::<Timestamp, MarkAt<'_>>::new();
    for task in &ahead.tasks {
        for slot in task.slots.iter().flatten() {
            let mark = marks.entry(place(slot.at)).or_default();
            mark.tasks.push((slot.at, &task.task));
            mark.is_blocked |= slot.is_frozen;
        }
    }
    for at in ahead.conflicts.iter().flat_map(|conflict| &conflict.times) {
        if let Some(mark) = marks.get_mut(&place(*at)) {
            mark.is_blocked = true;
        }
    }
    marks.values_mut().for_each(|mark| mark.tasks.sort_unstable());
    marks
}

impl MarkAt<'_> {
    fn slot(&self, begin: f64, end: f64) -> Slot {
        let told = self.tasks.iter().take(NAMED).map(|(at, task)| format!("{task} at {at}"));
        let told: Vec<String> = told.collect();
        let more = match self.tasks.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let blocked = if self.is_blocked { "; something is in the way: see below" } else { "" };
        Slot {
            x: begin,
            width: rounded((end - begin).max(2.0)),
            told: format!("{}{more}{blocked}", told.join(", ")),
            is_blocked: self.is_blocked,
            is_unknown: false,
        }
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
