//! Alignment runs: a timeline of each workflow, and the runs one by one.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    Span, Timestamp,
    run::{Document, Outcome, Usage},
    words::{bytes, count},
};
use alignwatch_store::WhichRuns;
use askama::Template;
use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{
    chart::{Event, rounded, time_ticks},
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark},
};
use crate::Shared;

/// Runs that are read at most. Source: ours; a month of runs every two hours.
const RUNS_AT_MOST: usize = 400;

/// A run of which nothing was heard for so long is not called under way. Source: ours; what is due is for the checks.
const SILENT_AFTER: Span = Span::hours(1);

/// Runs in the list.
const SHOWN: usize = 100;

/// Workflows in the timeline.
const LANES_AT_MOST: usize = 12;

/// Where the lanes of the timeline begin and end, and how high each is.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 1188.0;
const LANE: f64 = 26.0;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    workflow: String,
    repository: String,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    shell: Shell,
    asked: Which,
    timeline: Option<Timeline>,
    runs: Vec<RunRow>,
    workflows: Vec<String>,
    has_more: bool,
}

/// A run in a list.
pub(super) struct RunRow {
    pub(super) address: String,
    pub(super) workflow: String,
    pub(super) repository: String,
    pub(super) repository_address: String,
    pub(super) outcome: Mark,
    pub(super) because: String,
    pub(super) began: Option<Ago>,
    pub(super) heard: Option<Ago>,
    pub(super) took: String,
    /// Against what is usual for the workflow.
    pub(super) against_usual: String,
    /// Its branches by outcome.
    pub(super) operations: Vec<(Mark, usize)>,
    /// Did it lose anything?
    pub(super) verified: Option<Mark>,
}

/// Runs as marks on a lane for each workflow.
#[derive(Template)]
#[template(path = "timeline.svg")]
struct Timeline {
    height: f64,
    bottom: f64,
    columns: Vec<(f64, String)>,
    lanes: Vec<Lane>,
}

struct Lane {
    y: f64,
    name: String,
    spots: Vec<Spot>,
}

struct Spot {
    x: f64,
    /// How long it took, on the same scale.
    width: f64,
    mark: Mark,
    told: String,
    address: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| runs(shared, asked)).await
}

fn runs(shared: &Shared, asked: Which) -> Result<RunsPage, Failed> {
    let shell = Shell::new(shared, "Runs", Section::Runs);
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (workflow, repository) = (some(&asked.workflow), some(&asked.repository));
    let which = WhichRuns { workflow: workflow.as_deref(), repository: repository.as_deref(), before: None };
    let all = read(shared, which, RUNS_AT_MOST)?;
    let usual = Usual::of(&all);
    let mut workflows: Vec<String> = read_workflows(shared)?;
    workflows.sort();
    Ok(RunsPage {
        timeline: (!all.is_empty()).then(|| Timeline::of(&all, shell.now)),
        has_more: SHOWN < all.len(),
        runs: all.iter().take(SHOWN).map(|run| RunRow::of(run, &usual, shell.now)).collect(),
        workflows,
        asked,
        shell,
    })
}

/// Documents of runs, the newest first. One that can't be read hides no other.
pub(super) fn read(shared: &Shared, which: WhichRuns<'_>, at_most: usize) -> Result<Vec<Document>, Failed> {
    let texts = shared.read(|store| store.runs(which, at_most))?;
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}

fn read_workflows(shared: &Shared) -> Result<Vec<String>, Failed> {
    let all = read(shared, WhichRuns::default(), RUNS_AT_MOST)?;
    let names: std::collections::BTreeSet<String> = all.iter().map(workflow).map(str::to_owned).collect();
    Ok(names.into_iter().filter(|name| !name.is_empty()).collect())
}

fn workflow(run: &Document) -> &str {
    run.started.as_ref().map_or("", |started| &started.workflow)
}

/// How it ended; one of which nothing was heard for long is not called under way.
fn outcome(run: &Document, now: Timestamp) -> Mark {
    match run.outcome.is_none() && !is_under_way(run, now) {
        true => Mark { tone: "unknown", shape: "ring", word: "not heard of" },
        false => told::outcome(run.outcome),
    }
}

/// It has not ended, and something was heard of it lately.
pub(super) fn is_under_way(run: &Document, now: Timestamp) -> bool {
    run.outcome.is_none() && at(run.heard_at).is_some_and(|at| now.since(at) <= SILENT_AFTER)
}

/// What the runs of each day came to, the worst of them: for charts.
pub(super) fn by_day(runs: &[Document], now: Timestamp) -> Vec<Event> {
    let mut days = BTreeMap::<i64, Vec<&Document>>::new();
    for run in runs {
        days.entry(at(run.began_at).unwrap_or_default().0.div_euclid(86_400)).or_default().push(run);
    }
    let event = |runs: Vec<&Document>| {
        let worst = runs.iter().max_by_key(|run| run.outcome)?;
        let mark = outcome(worst, now);
        let began = at(worst.began_at)?;
        let date: String = began.rfc3339().chars().take(10).collect();
        Some(Event { at: began, mark, told: format!("{date}: {}, the worst: {}", count(runs.len(), "run"), mark.word) })
    };
    days.into_values().filter_map(event).collect()
}

/// When, in seconds.
pub(super) fn at(moment: Option<alignwatch_model::run::Moment>) -> Option<Timestamp> {
    moment.map(|moment| Timestamp(moment.0.div_euclid(1000)))
}

fn took(run: &Document) -> Option<f64> {
    let told = run.finished.as_ref().and_then(|finished| finished.duration_seconds);
    told.or_else(|| Some((run.ended_at?.0 - run.began_at?.0) as f64 / 1000.0))
}

/// A number that a run takes.
struct Takes {
    name: &'static str,
    /// As it is read from a run.
    read: fn(&Document) -> Option<f64>,
    /// As people read it.
    told: fn(f64) -> String,
}

/// The numbers that are compared with what is usual, the time first.
const TAKES: [Takes; 5] = [
    Takes { name: "Time", read: took, told: told::seconds },
    Takes { name: "Processor time", read: cpu_seconds, told: told::seconds },
    Takes { name: "Memory, at most", read: |run| Some(used(run)?.peak_rss_bytes? as f64), told: size },
    Takes { name: "Read from disks", read: |run| Some(used(run)?.read_bytes? as f64), told: size },
    Takes { name: "Written to disks", read: |run| Some(used(run)?.written_bytes? as f64), told: size },
];

fn used(run: &Document) -> Option<&Usage> {
    run.finished.as_ref().map(|finished| &finished.usage)
}

fn cpu_seconds(run: &Document) -> Option<f64> {
    let usage = used(run)?;
    match (usage.user_cpu_seconds, usage.system_cpu_seconds) {
        (Some(user), Some(system)) => Some(user + system),
        (user, system) => user.or(system),
    }
}

fn size(n_bytes: f64) -> String {
    bytes(n_bytes.max(0.0) as u64)
}

/// A number of a run beside what is usual for its workflow.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) now: String,
    /// Empty where nothing is usual yet.
    pub(super) usual: String,
    pub(super) told: String,
    pub(super) is_odd: bool,
}

/// What the runs of each workflow usually take, in the order of [`TAKES`]; `None` = nothing is usual yet.
pub(super) struct Usual(BTreeMap<String, [Option<f64>; TAKES.len()]>);

impl Usual {
    /// Runs from which on something is usual.
    pub(super) const RUNS_AT_LEAST: usize = 5;

    /// The median of those that did something.
    pub(super) fn of(runs: &[Document]) -> Usual {
        let mut all = BTreeMap::<String, [Vec<f64>; TAKES.len()]>::new();
        let is_whole = |run: &&Document| matches!(run.outcome, Some(Outcome::Aligned | Outcome::NoOp));
        for run in runs.iter().filter(is_whole) {
            let numbers = all.entry(workflow(run).to_owned()).or_default();
            for (numbers, takes) in std::iter::zip(numbers, TAKES) {
                numbers.extend((takes.read)(run));
            }
        }
        let median = |mut numbers: Vec<f64>| {
            numbers.sort_by(f64::total_cmp);
            (Usual::RUNS_AT_LEAST <= numbers.len()).then(|| numbers[numbers.len() / 2])
        };
        Usual(all.into_iter().map(|(name, numbers)| (name, numbers.map(median))).collect())
    }

    /// Each number of a run that is known, beside the usual one.
    pub(super) fn compared(&self, run: &Document) -> Vec<Compared> {
        let usual = self.0.get(workflow(run)).copied().unwrap_or_default();
        let compared = |(takes, usual): (Takes, Option<f64>)| {
            let now = (takes.read)(run)?;
            let share = usual.filter(|usual| 0.0 < *usual).map(|usual| now / usual);
            Some(Compared {
                name: takes.name,
                now: (takes.told)(now),
                usual: usual.map_or(String::new(), takes.told),
                told: share.map_or(String::new(), against),
                is_odd: share.is_some_and(|share| 2.0 <= share),
            })
        };
        std::iter::zip(TAKES, usual).filter_map(compared).collect()
    }

    /// In words; empty where nothing is usual yet.
    pub(super) fn told(&self, run: &Document) -> String {
        let usual = self.0.get(workflow(run)).and_then(|usual| usual[0]);
        let (Some(usual), Some(took)) = (usual, took(run)) else { return String::new() };
        match took / usual.max(0.001) {
            share if share < 0.5 => format!("faster than usual ({})", told::seconds(usual)),
            share if share < 2.0 => "as usual".to_owned(),
            share => format!("{share:.0} times as long as usual ({})", told::seconds(usual)),
        }
    }
}

/// A share of what is usual, in words.
fn against(share: f64) -> String {
    match share {
        ..0.5 => "less than half".to_owned(),
        ..2.0 => "as usual".to_owned(),
        _ => format!("{share:.0} times as much"),
    }
}

impl RunRow {
    pub(super) fn of(run: &Document, usual: &Usual, now: Timestamp) -> RunRow {
        let ago = |moment| at(moment).map(|at| Ago::new(at, now));
        let started = run.started.clone().unwrap_or_default();
        let id = started.repository_id.unwrap_or_default();
        RunRow {
            address: format!("/runs/{}", run.run),
            repository: started.repository.as_deref().map_or("", told::called).to_owned(),
            repository_address: if id.is_empty() { id } else { format!("/repositories/{}", told::encoded(&id)) },
            workflow: started.workflow,
            outcome: outcome(run, now),
            because: run.finished.as_ref().map(|finished| finished.because.clone()).unwrap_or_default(),
            began: ago(run.began_at),
            heard: ago(run.heard_at).filter(|_| run.outcome.is_none()),
            took: took(run).map_or(String::new(), told::seconds),
            against_usual: usual.told(run),
            operations: operations(run),
            verified: run.verification.as_ref().map(verified),
        }
    }
}

/// How many branches ended how, the most first.
fn operations(run: &Document) -> Vec<(Mark, usize)> {
    let mut counts = BTreeMap::<Outcome, usize>::new();
    for operation in &run.operations {
        *counts.entry(operation.outcome).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(outcome, n)| (told::outcome(Some(outcome)), n)).collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

/// Whether work was lost.
pub(super) fn verified(verification: &alignwatch_model::run::Verification) -> Mark {
    match verification.worst() {
        Some(severity) => Mark { word: "work lost", ..told::health(severity.word()) },
        None if verification.has_unknown() => Mark { tone: "unknown", shape: "ring", word: "not known" },
        None => Mark { tone: "ok", shape: "disc", word: "nothing lost" },
    }
}

impl Timeline {
    /// The workflows that ran last, from the first run to now.
    fn of(runs: &[Document], now: Timestamp) -> Timeline {
        let first = runs.iter().filter_map(|run| at(run.began_at)).min().unwrap_or(now);
        let from = first.min(Timestamp(now.0 - Span::hours(6).0));
        let x = |at: f64| LEFT + (at - from.0 as f64) / (now.0 - from.0).max(1) as f64 * (RIGHT - LEFT);
        let mut names: Vec<&str> = Vec::new();
        for run in runs {
            if !names.contains(&workflow(run)) && names.len() < LANES_AT_MOST {
                names.push(workflow(run));
            }
        }
        let lane = |(n, name): (usize, &&str)| Lane {
            y: 18.0 + n as f64 * LANE,
            name: if name.is_empty() { "(no name)".to_owned() } else { told::tail(name, 26) },
            // The newest lie on top.
            spots: runs
                .iter()
                .rev()
                .filter(|run| workflow(run) == *name)
                .filter_map(|run| spot(run, &x, now))
                .collect(),
        };
        let bottom = 18.0 + names.len() as f64 * LANE;
        Timeline {
            height: bottom + 26.0,
            bottom,
            columns: time_ticks(from.0, now.0).into_iter().map(|(at, text)| (rounded(x(at as f64)), text)).collect(),
            lanes: names.iter().enumerate().map(lane).collect(),
        }
    }
}

fn spot(run: &Document, x: &impl Fn(f64) -> f64, now: Timestamp) -> Option<Spot> {
    let began = at(run.began_at)?;
    // What is under way is known to last until it was last heard of.
    let seconds = took(run).unwrap_or_else(|| at(run.heard_at).unwrap_or(now).since(began).0 as f64);
    let (from, to) = (x(began.0 as f64), x(began.0 as f64 + seconds));
    let mark = outcome(run, now);
    let n = match run.operations.len() {
        0 => String::new(),
        n => format!(", {}", count(n, "branch")),
    };
    Some(Spot {
        x: rounded(from),
        width: rounded((to - from).max(0.0)),
        mark,
        told: format!("{} {}: {}, {}{n}", workflow(run), began.rfc3339(), mark.word, told::seconds(seconds)),
        address: format!("/runs/{}", run.run),
    })
}
