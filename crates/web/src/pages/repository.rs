//! A repository at a glance: how it is, what is wrong and what to do, where its branches stand, what its numbers did.

use std::sync::Arc;

use alignwatch_model::{
    Known, Span, Timestamp,
    branch::State as BranchState,
    words::{agree, count, thousands},
};
use alignwatch_store::WhichRuns;
use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    causes::Causes,
    chart::{Charted, Event, Spark},
    course::{Course, Which, courses},
    head::{Head, Tab},
    maintenance,
    map::Map,
    runs::{by_day, read},
    shell::{Failed, Section, Shell, made},
    told::{self, Mark},
    views::{MostlyBy, PATHS_SHOWN, View},
};
use crate::{
    Shared,
    trends::{Promise, promises},
};

/// Findings that are read at most; the rest is counted.
const FINDINGS_AT_MOST: usize = 500;

/// Runs that are marked in charts at most.
const RUNS_AT_MOST: usize = 400;

/// How far back charts go.
const CHARTED: Span = Span::days(365);

/// The numbers that charts show, the ones about alignment first, and what they are called.
const CHARTS: [(Which, &str); 8] = [
    (("alignwatch_within_budget_ratio", ""), "Within budget of drift"),
    (("alignwatch_aligned_ratio", ""), "In budget and mergeable"),
    (("alignwatch_open_branches", ""), "Open branches"),
    (("alignwatch_branches", "conflicting"), "Conflicting branches"),
    (("alignwatch_far_behind_branches", ""), "Branches far behind"),
    (("alignwatch_time_to_align_seconds", "50"), "Time to align, median"),
    (("alignwatch_landings", "*"), "Merges a week"),
    ((BASE_MOVES, "*"), "Moves of the base a week"),
];

/// How often a line moved within a week.
const BASE_MOVES: &str = "alignwatch_base_moves";

/// A week is busy when the base moved so many times as often as usual. Source: ours; as many branches drift in that week
/// as in two others.
const BUSY_FROM: f64 = 2.0;

/// Busy weeks that are marked, the busiest first.
const BUSY_AT_MOST: usize = 6;

/// Charts of numbers that each line has.
const CHARTS_AT_MOST: usize = 12;

#[derive(Template)]
#[template(path = "repository.html")]
struct RepositoryPage {
    shell: Shell,
    head: Head,
    view: Arc<View>,
    headline: String,
    cards: Vec<Card>,
    states: Vec<Segment>,
    causes: Causes,
    map: Map,
    charts: Vec<Charted>,
    /// Runs are marked in them.
    has_runs: bool,
    /// Numbers of which there is no course yet.
    young: Vec<String>,
}

/// A number that sums something up.
struct Card {
    name: &'static str,
    /// What it counts.
    help: &'static str,
    value: String,
    /// Beside it, smaller.
    note: String,
    /// The class of its colour; empty when it is neither good nor bad.
    tone: &'static str,
    spark: Option<Spark>,
    path: String,
}

/// A part of the bar of states.
struct Segment {
    mark: Mark,
    meaning: &'static str,
    n: String,
    path: String,
    /// Where it begins and how long it is, of 1000.
    x: f64,
    width: f64,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| repository(shared, &id)).await
}

fn repository(shared: &Shared, id: &str) -> Result<RepositoryPage, Failed> {
    let view = shared.view(id)?;
    let shell = Shell::new(shared, told::called(&view.row.path), Section::None);
    let findings = shared.read(|store| store.findings(Some(id), false, FINDINGS_AT_MOST))?;
    let n_findings = findings.len();
    let mut courses = courses(shared, id, &CHARTS.map(|(which, _)| which), CHARTED)?;
    courses.truncate(CHARTS_AT_MOST);
    let objective = objective(shared, id, &courses)?;
    let states = segments(&view);
    let which = WhichRuns { repository: Some(id), ..WhichRuns::default() };
    let mut events = by_day(&read(shared, which, RUNS_AT_MOST)?, shell.now);
    events.extend(maintenance::events(shared, &view.row.path));
    events.extend(courses.iter().filter(|course| course.metric.name == BASE_MOVES).flat_map(busy_weeks));
    let (charts, young): (Vec<_>, Vec<_>) = courses.iter().partition(|course| 1 < course.series.points().len());
    Ok(RepositoryPage {
        head: Head::of(&view, Tab::Summary, shell.now),
        headline: headline(&view, n_findings),
        cards: cards(&view, &courses, objective.as_ref()),
        states,
        causes: Causes::of(findings, false, shell.now),
        map: Map::of(id, &view.branches, shell.now),
        young: young.iter().map(|course| title(course)).collect(),
        charts: charts.into_iter().map(|course| charted(course, objective.as_ref(), &events)).collect(),
        has_runs: !events.is_empty(),
        shell,
        view,
    })
}

/// The weeks in which a line moved much more often than in its median week.
fn busy_weeks(course: &Course) -> Vec<Event> {
    let mut weeks: Vec<(Timestamp, f64)> = course.series.points().to_vec();
    weeks.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(&(_, usual)) = weeks.get(weeks.len() / 2) else { return Vec::new() };
    let mut busy: Vec<(Timestamp, f64)> = Vec::new();
    for week in weeks.into_iter().filter(|(_, moves)| usual.max(1.0) * BUSY_FROM <= *moves) {
        // Points closer than a week count the same moves.
        if busy.len() < BUSY_AT_MOST && busy.iter().all(|(at, _)| 7 * 86_400 <= (at.0 - week.0.0).abs()) {
            busy.push(week);
        }
    }
    let event = |(at, moves): (Timestamp, f64)| {
        let date: String = at.rfc3339().chars().take(10).collect();
        let told = format!("week before {date}: {} moved {moves:.0} times, usually {usual:.0}", course.of);
        Event { at, mark: Mark { tone: "info", shape: "dash", word: "busy week" }, told }
    };
    busy.into_iter().map(event).collect()
}

/// The promise about drift, and what became of it.
fn objective(shared: &Shared, id: &str, all: &[Course]) -> Result<Option<Promise>, Failed> {
    const PROMISED: &str = "alignwatch_within_budget_ratio";
    const OBJECTIVE: &str = "alignwatch_aligned_objective_ratio";
    let objective = courses(shared, id, &[(OBJECTIVE, "")], Span::days(28))?;
    let now = crate::now();
    let known = objective.iter().chain(all).filter(|course| [PROMISED, OBJECTIVE].contains(&course.metric.name));
    let series = known.map(|course| (course.metric.name, course.series.clone())).collect();
    Ok(promises(&series, now).into_iter().find(|promise| promise.metric == PROMISED))
}

/// How its branches are, by the states that the bar and the table count as well.
fn headline(view: &View, n_findings: usize) -> String {
    let n = |state: BranchState| view.branches.iter().filter(|branch| branch.state == state).count();
    let n_unsettled = view.branches.iter().filter(|branch| !branch.state.is_settled()).count();
    let all = count(view.branches.len(), "branch");
    if n_unsettled == 0 {
        let beside = match n_findings {
            0 => String::new(),
            n => format!("; {} beside that", count(n, "finding")),
        };
        return format!("{all}, and all of them are in line{beside}.");
    }
    let (n_conflicting, n_clean) = (n(BranchState::Conflicting), n(BranchState::Diverged));
    let n_unknown = n(BranchState::Unknown);
    let parts = [
        (n_conflicting, agree(n_conflicting, "conflicts with its base", "conflict with their base")),
        (
            n_clean,
            agree(n_clean, "went its own way and would merge cleanly", "went their own way and would merge cleanly"),
        ),
        (n_unknown, "could not be judged"),
    ];
    let mut told: Vec<String> =
        parts.iter().filter(|(n, _)| 0 < *n).map(|(n, what)| format!("{} {what}", thousands(*n))).collect();
    match n_unsettled - n_conflicting - n_clean - n_unknown {
        0 => {}
        n => told.push(format!("{} landed in part, or share nothing with the lines", thousands(n))),
    }
    if n_conflicting == 0 {
        told.insert(0, "none conflicts".to_owned());
    }
    format!("{all}: {}.", told.join(", "))
}

fn cards(view: &View, courses: &[Course], promise: Option<&Promise>) -> Vec<Card> {
    let course = |which: Which| courses.iter().find(|course| course.metric.name == which.0 && (course.of == which.1));
    let branches = format!("/repositories/{}/branches", told::encoded(&view.row.id));
    let mut cards = Vec::new();
    if let Some(course) = course(("alignwatch_aligned_ratio", "")) {
        let objective = promise.map(|promise| promise.objective_ratio);
        let note = objective.map_or(String::new(), |part| format!("objective {}", course.unit().told(part)));
        let is_short = matches!((course.latest(), objective), (Some(now), Some(least)) if now < least);
        cards.push(Card::of(
            "In budget and mergeable",
            course,
            note,
            if is_short { "error" } else { "ok" },
            String::new(),
        ));
    }
    if let Some(promise) = promise {
        cards.push(error_budget(promise));
    }
    let n = |state: BranchState| view.branches.iter().filter(|branch| branch.state == state).count();
    let conflicting = n(BranchState::Conflicting);
    if let Some(course) = course(("alignwatch_branches", "conflicting")) {
        let tone = if conflicting == 0 { "ok" } else { "conflicting" };
        let share = format!("of {}", count(view.branches.len(), "branch"));
        cards.push(Card::of("Conflicting", course, share, tone, format!("{branches}?state=conflicting")));
    }
    for (name, which, path) in [
        ("Open branches", ("alignwatch_open_branches", ""), branches.clone()),
        ("Far behind", ("alignwatch_far_behind_branches", ""), format!("{branches}?sort=behind")),
        ("Time to align, median", ("alignwatch_time_to_align_seconds", "50"), String::new()),
    ] {
        if let Some(course) = course(which) {
            let note = if let Known::Seen(trend) = alignwatch_model::trend::trend(&course.series) {
                trend.told(course.unit())
            } else {
                String::new()
            };
            cards.push(Card::of(name, course, note, "", path));
        }
    }
    cards
}

fn error_budget(promise: &Promise) -> Card {
    let percent = alignwatch_model::trend::words::Unit::of("ratio");
    let (value, tone) = match promise.error_budget_left_ratio {
        left if left < 0.0 => ("spent".to_owned(), "error"),
        left if left < 0.1 => (percent.told(left), "warning"),
        left => (percent.told(left), "ok"),
    };
    let note = format!(
        "{} in budget over {}, {} promised",
        percent.told(promise.kept_ratio),
        alignwatch_model::trend::words::long(Span(promise.seen_seconds)),
        percent.told(promise.objective_ratio)
    );
    Card {
        name: "Error budget left",
        help: "What is left of the time for which the objective may be missed",
        value,
        note,
        tone,
        spark: None,
        path: String::new(),
    }
}

impl Card {
    fn of(name: &'static str, course: &Course, note: String, tone: &'static str, path: String) -> Card {
        let spark = (1 < course.series.points().len()).then(|| Spark::of(course));
        Card { name, help: course.metric.help, value: course.latest_told(), note, tone, spark, path }
    }
}

fn segments(view: &View) -> Vec<Segment> {
    let all = view.branches.len().max(1) as f64;
    let mut x = 0.0;
    let mut segments = Vec::new();
    for (state, n) in view.by_state() {
        let width = n as f64 / all * 1000.0;
        let path = format!("/repositories/{}/branches?state={}", told::encoded(&view.row.id), state.word());
        segments.push(Segment {
            mark: told::state(state),
            meaning: told::meaning(state),
            n: thousands(n),
            path,
            x,
            width,
        });
        x += width;
    }
    segments
}

/// What a course is called, with the line it is of.
fn title(course: &Course) -> String {
    let named = CHARTS.iter().find(|((metric, _), _)| *metric == course.metric.name);
    let name = named.map_or(course.metric.help, |(_, name)| name);
    let is_told = named.is_some_and(|((_, label), _)| *label == "*");
    if is_told { format!("{name}: {}", course.of) } else { name.to_owned() }
}

fn charted(course: &Course, promise: Option<&Promise>, events: &[Event]) -> Charted {
    let is_promised = promise.is_some_and(|promise| promise.metric == course.metric.name)
        || course.metric.name == "alignwatch_aligned_ratio";
    let objective = promise.map(|promise| promise.objective_ratio).filter(|_| is_promised);
    Charted::of(title(course), course, objective, events)
}

impl RepositoryPage {
    fn branches(&self) -> String {
        format!("/repositories/{}/branches", told::encoded(&self.view.row.id))
    }

    /// Paths in conflict, with how many branches conflict there, and the commit that brought most of that.
    fn paths(&self) -> Vec<(&str, usize, Option<&MostlyBy>)> {
        let by = |path: &str| self.view.mostly_by.iter().find(|by| by.path == path);
        let shown = self.view.conflict_paths.iter().take(PATHS_SHOWN);
        shown.map(|(path, n)| (path.as_str(), *n, by(path))).collect()
    }

    fn has_conflicts(&self) -> bool {
        self.view.branches.iter().any(|branch| branch.state == BranchState::Conflicting)
    }

    fn thousands(&self, n: &usize) -> String {
        thousands(*n)
    }

    /// Branches that conflict at a path.
    fn branches_at(&self, path: &str) -> String {
        format!("/repositories/{}/branches?path={}", told::encoded(&self.view.row.id), told::encoded(path))
    }
}
