//! All repositories at a glance: is everything in line, what got worse, what runs now.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use alignwatch_model::{
    Severity, Span, Timestamp,
    record::{GONE, Reading},
    words::{agree, count},
};
use alignwatch_store::{PastFinding, RepositoryRow, WhichRuns};
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    alerts::{self, Firing},
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

/// Rules whose alerts are listed.
const ALERTS_SHOWN: usize = 5;

/// New findings that are listed.
const NEW_AT_MOST: usize = 8;

/// Numbers that are compared with those of yesterday, what they are of, and whether it is bad when they rise.
const WORSE: [(&str, &str, bool); 4] = [
    ("alignwatch_branches", "branches that conflict", true),
    ("alignwatch_far_behind_branches", "branches far behind", true),
    ("alignwatch_within_budget_ratio", "within the budget of drift", false),
    ("alignwatch_aligned_ratio", "aligned", false),
];

/// The metric that tells when a backup was last restored and compared, and its labels.
const BACKUP_RESTORED: (&str, &str) = ("alignwatch_backup_verified_timestamp_seconds", r#"{"level":"restored"}"#);

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
    /// Alerts that fire, by their rule.
    alerts: Vec<Firing>,
    n_more_alerts: usize,
    /// Messages that did not arrive, in words; empty where all did.
    undelivered: String,
    /// Whether backups were proven, in words; empty where there is nothing to tell.
    backups: String,
    repositories: Vec<Repository>,
    news: Vec<New>,
    n_more_news: usize,
    /// Repositories that are watched since less than a day: all of theirs would be new.
    n_fresh: usize,
    running: Vec<RunRow>,
    recent: Vec<RunRow>,
    causes: Causes,
    has_more_findings: bool,
    /// Repositories that are watched no longer.
    left: Vec<Left>,
}

/// A repository that is watched no longer: what was known of it is kept.
struct Left {
    name: String,
    path: String,
    address: String,
    swept: Ago,
}

impl Left {
    fn of(row: RepositoryRow, now: Timestamp) -> Left {
        Left {
            name: told::called(&row.path).to_owned(),
            address: format!("/repositories/{}", told::encoded(&row.id)),
            swept: Ago::new(row.swept_at, now),
            path: row.path,
        }
    }
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
    /// Nothing was seen of it for too long; in words.
    unseen: String,
    /// Its numbers that are worse than a day ago, and the way to what is behind them.
    worse: Vec<(String, String)>,
}

/// Something that is worse than a day ago.
struct New {
    mark: Mark,
    summary: Prose,
    /// When it began, where that is known.
    since: Option<Ago>,
    repository: String,
    path: String,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, overview).await
}

fn overview(shared: &Shared) -> Result<Overview, Failed> {
    let shell = Shell::new(shared, "Overview", Section::Overview);
    let now = shell.now;
    let (rows, left) = shared.repositories()?;
    let is_watched: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let findings = shared.read(|store| store.findings(None, false, FINDINGS_AT_MOST))?;
    let has_more_findings = FINDINGS_AT_MOST <= findings.len();
    let is_of_them = |one: &PastFinding| one.repository.is_empty() || is_watched.contains(one.repository.as_str());
    let findings: Vec<PastFinding> = findings.into_iter().filter(is_of_them).collect();
    let runs = read(shared, WhichRuns::default(), RUNS_AT_MOST)?;
    let usual = Usual::of(&runs);
    let (running, recent): (Vec<_>, Vec<_>) = runs.iter().partition(|run| is_under_way(run, now));
    let (mark, headline) = headline(&rows);
    let (alerts, n_more_alerts) = alerts::firing(shared, ALERTS_SHOWN);
    let mut repositories = Vec::new();
    for row in rows.clone() {
        let n_findings = findings.iter().filter(|finding| finding.repository == row.id).count();
        repositories.push(repository(shared, row, n_findings, now)?);
    }
    repositories.sort_by_key(|repository| std::cmp::Reverse(concern(&repository.row.status)));
    let (news, n_more_news, n_fresh) = news(&rows, &repositories, &findings, now);
    Ok(Overview {
        mark,
        headline,
        n_more_alerts,
        alerts,
        undelivered: undelivered(alerts::undelivered(shared)),
        backups: backups(shared, &rows, now),
        maintenance: maintenance::now_and_next(shared, now),
        repositories,
        news,
        n_more_news,
        n_fresh,
        running: running.into_iter().map(|run| RunRow::of(run, &usual, now)).collect(),
        recent: recent.into_iter().take(RUNS_SHOWN).map(|run| RunRow::of(run, &usual, now)).collect(),
        has_more_findings,
        left: left.into_iter().map(|row| Left::of(row, now)).collect(),
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

/// Messages that did not arrive, in words.
fn undelivered((n_dead, n_tried_again): (usize, usize)) -> String {
    let dead = format!("{} could not be delivered", count(n_dead, "message"));
    let again = format!(
        "{} did not arrive yet and {} tried again",
        count(n_tried_again, "message"),
        agree(n_tried_again, "is", "are")
    );
    let parts: Vec<String> =
        [(n_dead, dead), (n_tried_again, again)].into_iter().filter(|(n, _)| 0 < *n).map(|(_, text)| text).collect();
    parts.join("; ")
}

/// When backups were last restored and compared, in words. A repository without a number has no backup that was.
fn backups(shared: &Shared, rows: &[RepositoryRow], now: Timestamp) -> String {
    let readings = Arc::clone(&shared.readings.read().unwrap_or_else(PoisonError::into_inner));
    // Of those that were not looked at since the start, nothing is known.
    let is_known = |row: &&RepositoryRow| readings.iter().any(|one| one.repository == row.id);
    let rows: Vec<&RepositoryRow> = rows.iter().filter(is_known).collect();
    if rows.is_empty() {
        return String::new();
    }
    let proven_at = |id: &str| {
        let is_its = |one: &&Reading| (one.metric, one.labels.as_str()) == BACKUP_RESTORED && one.repository == id;
        readings.iter().find(is_its).map(|one| Timestamp(one.value as i64))
    };
    let proven: Vec<_> = rows.iter().filter_map(|row| Some((proven_at(&row.id)?, told::called(&row.path)))).collect();
    let Some((oldest, name)) = proven.iter().min() else {
        let is_tended = rows.iter().any(|row| shared.loaded().config.is_tended(&row.path));
        return if is_tended { "no backup was ever restored and compared".to_owned() } else { String::new() };
    };
    let age = now.since(*oldest);
    match proven.len() {
        1 if rows.len() == 1 => format!("a backup was last restored and compared {age} ago"),
        n if n == rows.len() => {
            format!("a backup of each was restored and compared, that of {name} {age} ago, the others since")
        }
        n => format!(
            "{n} of {} that were looked at have a backup that was restored and compared, the oldest proof {age} ago ({name})",
            count(rows.len(), "repository")
        ),
    }
}

fn news(
    rows: &[RepositoryRow],
    repositories: &[Repository],
    findings: &[PastFinding],
    now: Timestamp,
) -> (Vec<New>, usize, usize) {
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
        since: Some(Ago::new(finding.began_at, now)),
        repository: rows
            .iter()
            .find(|row| row.id == finding.repository)
            .map_or(String::new(), |row| told::called(&row.path).to_owned()),
        path: format!("/repositories/{}#{}", told::encoded(&finding.repository), finding.check),
    };
    let moved = repositories.iter().flat_map(|one| one.worse.iter().map(move |worse| New::of(one, worse)));
    let mut shown: Vec<New> = moved.chain(new.iter().map(told)).collect();
    let n_more = shown.len().saturating_sub(NEW_AT_MOST);
    shown.truncate(NEW_AT_MOST);
    (shown, n_more, fresh.len())
}

impl New {
    fn of(repository: &Repository, (told, path): &(String, String)) -> New {
        let (mark, summary) = (told::health("warning"), Prose::new(told.as_str()));
        New { mark, summary, since: None, repository: repository.name.clone(), path: path.clone() }
    }
}

/// A number that is worse than a day ago, in words: `403 branches conflict, 12 more than yesterday`.
fn worse(course: &Course) -> Option<String> {
    let (_, words, rise_is_bad) = WORSE.iter().find(|(metric, ..)| *metric == course.metric.name)?;
    let (now, before) = (course.latest()?, course.yesterday?);
    let by = if *rise_is_bad { now - before } else { before - now };
    let least = if course.metric.unit == "ratio" { 0.01 } else { 1.0 };
    let told = |value: f64| course.unit().told(value);
    (least <= by).then(|| format!("{}: {} yesterday, {} now", words, told(before), told(now)))
}

/// Nothing was seen of it for longer than two looks should take, as in `/readyz`; in words.
fn unseen(row: &RepositoryRow, interval: Span, now: Timestamp) -> String {
    match row.seen_at {
        None => "nothing was ever seen of it".to_owned(),
        Some(at) if 2 * interval.0.max(row.seconds as i64) < now.since(at).0 => {
            format!("nothing was seen of it for {}", now.since(at))
        }
        Some(_) => String::new(),
    }
}

fn repository(shared: &Shared, row: RepositoryRow, n_findings: usize, now: Timestamp) -> Result<Repository, Failed> {
    let wanted = [
        ("alignwatch_far_behind_branches", ""),
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
    let path = format!("/repositories/{}", told::encoded(&row.id));
    let way = |course: &Course| match course.metric.name {
        "alignwatch_branches" => format!("{path}/branches?state=conflicting"),
        "alignwatch_far_behind_branches" => format!("{path}/branches?sort=behind"),
        _ => format!("{path}#h-charts"),
    };
    Ok(Repository {
        name: told::called(&row.path).to_owned(),
        worse: courses.iter().filter_map(|course| Some((worse(course)?, way(course)))).collect(),
        unseen: unseen(&row, shared.loaded().config.serve.interval, now),
        path,
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

#[cfg(test)]
mod tests {
    use alignwatch_model::{metrics, trend::Series};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn course(metric: &str, yesterday: Option<f64>, last: Option<f64>) -> Course {
        Course {
            metric: metrics::by_name(metric).unwrap(),
            of: String::new(),
            series: Series::new([]),
            n_rebuilt: 0,
            last,
            yesterday,
            from: NOW,
            to: NOW,
            step: 1,
        }
    }

    #[test]
    fn a_number_is_worse_only_where_both_days_are_known() {
        let conflicts = |yesterday, last| worse(&course("alignwatch_branches", yesterday, last));
        assert_eq!(conflicts(Some(3.0), Some(5.0)).as_deref(), Some("branches that conflict: 3 yesterday, 5 now"));
        assert_eq!(conflicts(Some(5.0), Some(3.0)), None);
        assert_eq!(conflicts(None, Some(3.0)), None);
        let kept = |yesterday, last| worse(&course("alignwatch_within_budget_ratio", Some(yesterday), Some(last)));
        assert_eq!(kept(0.95, 0.9).as_deref(), Some("within the budget of drift: 95 % yesterday, 90 % now"));
        assert_eq!(kept(0.95, 0.949), None, "nobody sees that");
        assert_eq!(worse(&course("alignwatch_open_branches", Some(1.0), Some(9.0))), None, "more work is not worse");
    }

    #[test]
    fn what_was_not_seen_for_two_looks_is_told() {
        let row = |seen_at| RepositoryRow {
            id: "a".into(),
            path: "/a".into(),
            first_seen_at: Timestamp(0),
            swept_at: NOW,
            seconds: 1.0,
            status: "ok".into(),
            reason: None,
            seen_at,
        };
        let told = |ago: i64| unseen(&row(Some(Timestamp(NOW.0 - ago))), Span::minutes(5), NOW);
        assert_eq!((told(600), told(7_200)), (String::new(), "nothing was seen of it for 2 h".to_owned()));
        assert_eq!(unseen(&row(None), Span::minutes(5), NOW), "nothing was ever seen of it");
    }

    #[test]
    fn messages_that_did_not_arrive_are_counted_apart() {
        assert_eq!(undelivered((0, 0)), "");
        assert_eq!(undelivered((1, 0)), "1 message could not be delivered");
        assert_eq!(
            undelivered((2, 3)),
            "2 messages could not be delivered; 3 messages did not arrive yet and are tried again"
        );
    }
}
