//! All repositories at a glance: is everything in line, what got worse, what runs now.

use std::sync::Arc;

use alignwatch_model::{
    Severity, Span, Timestamp,
    record::GONE,
    words::{agree, count},
};
use alignwatch_store::{PastFinding, RepositoryRow, WhichRuns};
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    alerts::{self, Row},
    causes::Causes,
    chart::Spark,
    course::{Course, courses},
    maintenance,
    runs::{RunRow, Usual, is_under_way, read},
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark, Prose},
};
use crate::{Shared, trends::promises};

/// Findings that are read at most.
const FINDINGS_AT_MOST: usize = 1_000;

/// Alerts that are listed.
const ALERTS_SHOWN: usize = 5;

/// New findings that are listed.
const NEW_AT_MOST: usize = 8;

/// Runs that are looked through for those under way.
const RUNS_AT_MOST: usize = 50;

/// Runs that are listed.
const RUNS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    mark: Mark,
    headline: String,
    /// What may be done now and what comes next; empty where no window is configured.
    maintenance: String,
    alerts: Vec<Row>,
    n_more_alerts: usize,
    repositories: Vec<Repository>,
    news: Vec<New>,
    n_more_news: usize,
    /// Repositories that are watched since less than a day: all of theirs would be new.
    n_fresh: usize,
    running: Vec<RunRow>,
    recent: Vec<RunRow>,
    causes: Causes,
    has_more_findings: bool,
}

/// A row of the table.
struct Repository {
    row: RepositoryRow,
    name: String,
    path: String,
    health: Mark,
    swept: Ago,
    aligned: Option<f64>,
    aligned_told: String,
    objective: Option<f64>,
    budget: Option<(String, &'static str)>,
    open: String,
    conflicting: String,
    spark: Option<Spark>,
    n_findings: usize,
}

/// Something that is wrong since less than a day.
struct New {
    mark: Mark,
    summary: Prose,
    since: Ago,
    repository: String,
    path: String,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, overview).await
}

fn overview(shared: &Shared) -> Result<Overview, Failed> {
    let shell = Shell::new(shared, "Overview", Section::Overview);
    let now = shell.now;
    let rows = shared.read(|store| store.repositories())?;
    let findings = shared.read(|store| store.findings(None, false, FINDINGS_AT_MOST))?;
    let runs = read(shared, WhichRuns::default(), RUNS_AT_MOST)?;
    let usual = Usual::of(&runs);
    let (running, recent): (Vec<_>, Vec<_>) = runs.iter().partition(|run| is_under_way(run, now));
    let (news, n_more_news, n_fresh) = news(&rows, &findings, now);
    let (mark, headline) = headline(&rows);
    let (alerts, n_alerts) = alerts::firing(shared, ALERTS_SHOWN);
    let mut repositories = Vec::new();
    for row in rows {
        let n_findings = findings.iter().filter(|finding| finding.repository == row.id).count();
        repositories.push(repository(shared, row, n_findings, now)?);
    }
    repositories.sort_by_key(|repository| std::cmp::Reverse(concern(&repository.row.status)));
    Ok(Overview {
        mark,
        headline,
        n_more_alerts: n_alerts - alerts.len(),
        alerts,
        maintenance: maintenance::now_and_next(shared, now),
        repositories,
        news,
        n_more_news,
        n_fresh,
        running: running.into_iter().map(|run| RunRow::of(run, &usual, now)).collect(),
        recent: recent.into_iter().take(RUNS_SHOWN).map(|run| RunRow::of(run, &usual, now)).collect(),
        has_more_findings: FINDINGS_AT_MOST <= findings.len(),
        causes: Causes::of(findings, true, now),
        shell,
    })
}

/// Worse is more.
fn concern(status: &str) -> usize {
    ["ok", "skipped", "info", "warning", "unknown", "error", GONE, "critical"]
        .iter()
        .position(|word| *word == status)
        .unwrap_or(usize::MAX)
}

/// How all of it is, in one sentence.
pub(super) fn headline(rows: &[RepositoryRow]) -> (Mark, String) {
    let worst = rows.iter().map(|row| row.status.as_str()).max_by_key(|status| concern(status)).unwrap_or("unknown");
    let n = |words: &[&str]| rows.iter().filter(|row| words.contains(&row.status.as_str())).count();
    let n_ill = n(&["error", "critical"]);
    let (n_warned, n_unknown, n_gone) = (n(&["warning"]), n(&["unknown"]), n(&[GONE]));
    let parts: Vec<String> = [
        (n_ill, agree(n_ill, "has errors", "have errors")),
        (n_gone, agree(n_gone, "is gone", "are gone")),
        (n_unknown, agree(n_unknown, "could not be seen", "could not be seen")),
        (n_warned, agree(n_warned, "has warnings", "have warnings")),
    ]
    .iter()
    .filter(|(n, _)| 0 < *n)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let all = count(rows.len(), "repository");
    let text = match (rows.len(), parts.is_empty()) {
        (0, _) => "Nothing was looked at yet. The first look is under way.".to_owned(),
        (_, true) => format!("All is well: {all} watched, and nothing needs you."),
        (1, false) => format!("The repository that is watched {}.", parts[0].trim_start_matches("1 ")),
        _ => format!("Of {all}, {}.", parts.join(", ")),
    };
    (told::health(worst), text)
}

fn news(rows: &[RepositoryRow], findings: &[PastFinding], now: Timestamp) -> (Vec<New>, usize, usize) {
    let is_fresh = |row: &&RepositoryRow| now.since(row.first_seen_at) < Span::days(1);
    let fresh: Vec<&str> = rows.iter().filter(is_fresh).map(|row| row.id.as_str()).collect();
    let is_new = |finding: &&PastFinding| {
        now.since(finding.began_at) < Span::days(1)
            && !fresh.contains(&finding.repository.as_str())
            && finding.severity != Severity::Info.word()
    };
    let new: Vec<&PastFinding> = findings.iter().filter(is_new).collect();
    let told = |finding: &&PastFinding| New {
        mark: told::health(&finding.severity),
        summary: Prose::new(finding.summary.as_str()),
        since: Ago::new(finding.began_at, now),
        repository: rows
            .iter()
            .find(|row| row.id == finding.repository)
            .map_or(String::new(), |row| told::called(&row.path).to_owned()),
        path: format!("/repositories/{}#{}", told::encoded(&finding.repository), finding.check),
    };
    let shown: Vec<New> = new.iter().take(NEW_AT_MOST).map(told).collect();
    let n_more = new.len() - shown.len();
    (shown, n_more, fresh.len())
}

fn repository(shared: &Shared, row: RepositoryRow, n_findings: usize, now: Timestamp) -> Result<Repository, Failed> {
    let wanted = [
        ("alignwatch_aligned_ratio", ""),
        ("alignwatch_aligned_objective_ratio", ""),
        ("alignwatch_within_budget_ratio", ""),
        ("alignwatch_open_branches", ""),
        ("alignwatch_branches", "conflicting"),
    ];
    let courses = courses(shared, &row.id, &wanted, Span::days(90))?;
    let of = |name: &str| courses.iter().find(|course| course.metric.name == name);
    let told = |name: &str| of(name).map_or_else(|| "?".to_owned(), Course::latest_told);
    let series = courses.iter().map(|course| (course.metric.name, course.series.clone())).collect();
    let promise = promises(&series, now).into_iter().find(|promise| promise.metric == "alignwatch_within_budget_ratio");
    let budget = promise.map(|promise| match promise.error_budget_left_ratio {
        left if left < 0.0 => ("spent".to_owned(), "error"),
        left => (format!("{:.0} %", left * 100.0), if left < 0.1 { "warning" } else { "ok" }),
    });
    Ok(Repository {
        name: told::called(&row.path).to_owned(),
        path: format!("/repositories/{}", told::encoded(&row.id)),
        health: told::health(&row.status),
        swept: Ago::new(row.swept_at, now),
        aligned: of("alignwatch_aligned_ratio").and_then(Course::latest),
        aligned_told: told("alignwatch_aligned_ratio"),
        objective: of("alignwatch_aligned_objective_ratio").and_then(Course::latest),
        budget,
        open: told("alignwatch_open_branches"),
        conflicting: told("alignwatch_branches"),
        spark: of("alignwatch_open_branches").filter(|course| 1 < course.series.points().len()).map(Spark::of),
        n_findings,
        row,
    })
}

impl Repository {
    /// How long its bar is, of 100.
    fn bar(&self) -> f64 {
        self.aligned.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0
    }

    fn mark_at(&self) -> f64 {
        self.objective.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0
    }

    fn tone(&self) -> &'static str {
        match (self.aligned, self.objective) {
            (Some(aligned), Some(least)) if aligned < least => "error",
            (Some(_), _) => "ok",
            (None, _) => "unknown",
        }
    }
}
