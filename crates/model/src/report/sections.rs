//! A report as a person reads it: sections with sentences and tables, before it is known on what they are written.
//!
//! Nothing is escaped here: whoever writes it on paper, a page or a message makes each text harmless there.

use super::{AlertsPart, AlignedBranch, AlignmentPart, Health, Lost, Number, Report, UpkeepPart};
use crate::{
    Span, Timestamp,
    words::{bytes, count, thousands},
};

/// Rows of a table that people read.
const ROWS: usize = 20;

/// A part of a report.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// A word of ours: how links name it.
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) parts: Vec<Part>,
}

/// Something in a section.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// A heading below that of the section.
    Heading(String),
    /// Sentences; foreign names stand between backticks.
    Text(String),
    /// Sentences, one below the other, the order of which counts or does not.
    List {
        items: Vec<Item>,
        is_numbered: bool,
    },
    Table {
        head: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
    },
}

/// A line of a list, with what is typed for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) mark: Option<Mark>,
    pub(super) text: String,
    /// Beside it, smaller.
    pub(super) note: String,
    pub(super) commands: Vec<String>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// The class of its colour; empty = none.
    pub(super) tone: &'static str,
    pub(super) is_number: bool,
}

/// A word that has a colour.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) word: String,
    pub(super) tone: &'static str,
}

/// All of it, in the order in which it is read.
pub(super) fn sections(report: &Report) -> Vec<Section> {
    vec![
        to_do(report),
        health(report),
        numbers(report),
        alignment(&report.alignment),
        alerts(&report.alerts),
        maintenance(&report.maintenance),
        forecast(report),
        accounting(report),
    ]
}

/// `Week to 2026-11-28`.
pub(super) fn title(report: &Report) -> String {
    let mut word = report.period.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{word} to {}", day(report.until))
}

/// The day of a time.
pub(super) fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

/// A time to the minute.
pub(super) fn minute(at: Timestamp) -> String {
    at.rfc3339().chars().take(16).collect::<String>().replace('T', " ")
}

/// The class of the colour of a severity or status.
pub(super) fn tone(word: &str) -> &'static str {
    match word {
        "critical" => "critical",
        "error" | "failed" | "worse" => "error",
        "warning" | "interrupted" => "warning",
        "ok" | "effect" | "better" => "ok",
        "info" => "info",
        _ => "unknown",
    }
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ..Cell::default() }
}

fn toned(word: &str) -> Cell {
    Cell { text: word.to_owned(), tone: tone(word), is_number: false }
}

fn figure(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), is_number: true, ..Cell::default() }
}

fn sentence(text: impl Into<String>) -> Part {
    Part::Text(text.into())
}

fn section(id: &'static str, title: &str, parts: Vec<Part>) -> Section {
    Section { id, title: title.to_owned(), parts }
}

/// The last part of a path, by which people call a repository.
fn called(path: &str) -> &str {
    let path = path.trim_end_matches('/').trim_end_matches("/.git");
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}

fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/remotes/")).unwrap_or(name)
}

fn to_do(report: &Report) -> Section {
    if report.to_do.is_empty() {
        return section("to-do", "To do", vec![sentence("Nothing needs anybody.")]);
    }
    let items = report.to_do.iter().map(|one| Item {
        mark: Some(Mark { word: one.severity.word().to_owned(), tone: tone(one.severity.word()) }),
        text: one.what.clone(),
        note: match &one.repository {
            Some(path) if 1 < report.repositories.len() => format!("{} In {}.", one.why, called(path)),
            _ => one.why.clone(),
        },
        commands: one.commands.iter().take(2).cloned().collect(),
    });
    let title = format!("{} to do", count(report.to_do.len(), "thing"));
    section("to-do", &title, vec![Part::List { items: items.collect(), is_numbered: true }])
}

fn health(report: &Report) -> Section {
    let row = |one: &Health| {
        let open = one.open;
        let kept = one.promise.map(|promise| format!("{:.1} %", promise.kept_ratio * 100.0));
        let left = one.promise.map(|promise| match promise.error_budget_left_ratio {
            left if left < 0.0 => "spent".to_owned(),
            left => format!("{:.0} %", left * 100.0),
        });
        vec![
            text(called(&one.path)),
            toned(&one.status),
            figure(thousands(open.critical + open.error)),
            figure(thousands(open.warning)),
            figure(format!("+{} −{}", one.n_new, one.n_over)),
            figure(kept.unwrap_or_else(|| "?".to_owned())),
            figure(left.unwrap_or_else(|| "?".to_owned())),
        ]
    };
    let head = vec!["Repository", "Health", "Errors", "Warnings", "New, over", "Within budget", "Error budget left"];
    let mut parts = vec![Part::Table { head, rows: report.repositories.iter().take(ROWS).map(row).collect() }];
    parts.extend(more(report.repositories.len(), "repository"));
    let blind = report.repositories.iter().filter_map(|one| Some((one, one.reason.as_ref()?)));
    parts.extend(
        blind.take(ROWS).map(|(one, why)| sentence(format!("{} could not be seen: {why}.", called(&one.path)))),
    );
    section("health", "Health", parts)
}

fn more(n: usize, noun: &str) -> Option<Part> {
    (ROWS < n).then(|| sentence(format!("And {} more.", count(n - ROWS, noun))))
}

fn numbers(report: &Report) -> Section {
    let has_many = 1 < report.repositories.len();
    let mut parts = Vec::new();
    let mut has_rebuilt = false;
    for one in report.repositories.iter().filter(|one| !one.numbers.is_empty()).take(ROWS) {
        if has_many {
            parts.push(Part::Heading(called(&one.path).to_owned()));
        }
        let head = vec!["Number", "Now", "Before", "Change", ""];
        parts.push(Part::Table { head, rows: one.numbers.iter().map(number).collect() });
        has_rebuilt |= one.numbers.iter().any(|number| number.is_before_rebuilt);
    }
    if parts.is_empty() {
        parts.push(sentence("Nothing was measured in the period."));
    }
    if has_rebuilt {
        parts.push(sentence("~ was not measured: it was rebuilt from history."));
    }
    section("numbers", "Numbers against the period before", parts)
}

fn number(number: &Number) -> Vec<Cell> {
    let mark = if number.is_before_rebuilt { "~" } else { "" };
    let verdict = match number.verdict {
        "better" | "worse" => toned(number.verdict),
        "unknown" => text("not known"),
        _ => Cell::default(),
    };
    vec![
        text(number.title.as_str()),
        figure(number.told.value.as_str()),
        figure(format!("{mark}{}", number.told.before)),
        figure(number.told.change.as_str()),
        verdict,
    ]
}

fn alignment(part: &AlignmentPart) -> Section {
    let mut parts = vec![sentence(runs_told(part))];
    if !part.aligned.is_empty() {
        let (n, n_times) = (part.n_branches_aligned, part.aligned.len() + part.n_more_aligned);
        let times = if n == n_times { String::new() } else { format!(", {}", count(n_times, "time")) };
        parts.push(Part::Heading(format!("Aligned: {}{times}", count(n, "branch"))));
        // Of a branch that is aligned each night the last time is told.
        let has_many = part.branches.iter().any(|branch| branch.repository != part.branches[0].repository);
        let row = |branch: &AlignedBranch| {
            let workflows: Vec<&str> = branch.workflows.iter().map(String::as_str).collect();
            let cells = [
                text(short(&branch.last.branch)),
                text(branch.last.base.as_deref().map(short).unwrap_or("?")),
                text(workflows.join(", ")),
                text(minute(branch.last.at)),
                figure(thousands(branch.n_times)),
            ];
            has_many.then(|| text(called(&branch.repository))).into_iter().chain(cells).collect()
        };
        let head = has_many.then_some("Repository").into_iter().chain(["Branch", "With", "By", "Last", "Times"]);
        let rows = part.branches.iter().take(ROWS).map(row).collect();
        parts.push(Part::Table { head: head.collect(), rows });
        parts.extend(more(part.branches.len(), "branch"));
    }
    parts.extend(losses("Lost", &part.lost, part.n_more_lost));
    parts.extend(losses("Nearly lost", &part.nearly_lost, part.n_more_nearly_lost));
    if part.lost.is_empty() && part.nearly_lost.is_empty() {
        parts.push(sentence(match part.n_unverified {
            0 => "Nothing was lost.".to_owned(),
            n => format!(
                "No loss was seen; {} moved something and {} not verified, so that of them it is not known.",
                count(n, "run"),
                crate::words::agree(n, "was", "were")
            ),
        }));
    }
    section("alignment", "Aligned, lost, nearly lost", parts)
}

fn runs_told(part: &AlignmentPart) -> String {
    if part.n_runs == 0 {
        return format!("No alignment run was reported ({} in the period before).", part.n_runs_before);
    }
    let outcomes: Vec<String> =
        part.by_outcome.iter().map(|(word, n)| format!("{n} {}", word.replace('_', " "))).collect();
    let success = |ratio: Option<f64>| ratio.map_or_else(|| "?".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0));
    let took = match part.duration_median_seconds {
        Some(seconds) => format!(" Half of them took less than {}.", Span(seconds.ceil() as i64)),
        None => String::new(),
    };
    format!(
        "{} (before: {}): {}. Success: {} (before: {}).{took}",
        count(part.n_runs, "run"),
        part.n_runs_before,
        outcomes.join(", "),
        success(part.success_ratio),
        success(part.success_ratio_before)
    )
}

fn losses(title: &str, lost: &[Lost], n_more: usize) -> Vec<Part> {
    if lost.is_empty() {
        return Vec::new();
    }
    let item = |one: &Lost| Item {
        mark: Some(Mark { word: one.severity.word().to_owned(), tone: tone(one.severity.word()) }),
        text: match &one.branch {
            Some(branch) => format!("`{}`: {}", short(branch), one.summary),
            None => one.summary.clone(),
        },
        note: match &one.kept_by {
            Some(kept_by) => format!("{}; kept by {kept_by}", minute(one.at)),
            None => minute(one.at),
        },
        commands: Vec::new(),
    };
    let n_all = lost.len() + n_more;
    vec![
        Part::Heading(format!("{title}: {n_all}")),
        Part::List { items: lost.iter().take(ROWS).map(item).collect(), is_numbered: false },
    ]
}

fn alerts(part: &AlertsPart) -> Section {
    let after = |seconds: Option<i64>| seconds.map_or_else(|| "?".to_owned(), |seconds| Span(seconds).to_string());
    let told = part.messages;
    let mut text_of = format!(
        "{} fired (before: {}), {} still {}.",
        count(part.n_fired, "alert"),
        part.n_fired_before,
        part.n_firing,
        crate::words::agree(part.n_firing, "does", "do")
    );
    if let Some(noise) = part.noise_ratio {
        text_of.push_str(&format!(
            " Noise: {:.0} % came and went within ten minutes with nobody taking them on, or flapped. Taken on after {}, \
             over after {} (medians).",
            noise * 100.0,
            after(part.taken_on_after_median_seconds),
            after(part.over_after_median_seconds)
        ));
    }
    let mut parts = vec![sentence(text_of)];
    if 0 < told.n_decided {
        let messages = count(told.n_decided, "message");
        parts.push(sentence(format!(
            "{messages}: {} delivered, {} waiting, {} given up.",
            told.n_delivered, told.n_waiting, told.n_dead
        )));
    }
    if !part.rules.is_empty() {
        let row = |rule: &super::RuleNoise| {
            vec![
                text(rule.rule.as_str()),
                figure(thousands(rule.n_fired)),
                figure(thousands(rule.n_noise)),
                figure(thousands(rule.n_taken_on)),
                figure(Span(rule.firing_seconds).to_string()),
            ]
        };
        let head = vec!["Rule", "Fired", "Noise", "Taken on", "Firing for"];
        parts.push(Part::Table { head, rows: part.rules.iter().take(ROWS).map(row).collect() });
    }
    section("alerts", "Alerts and noise", parts)
}

fn maintenance(part: &UpkeepPart) -> Section {
    let Some(n_runs) = part.n_runs else {
        return section("maintenance", "Maintenance", vec![sentence("What maintenance did is not known.")]);
    };
    let results: Vec<String> = part.by_result.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let freed = match part.freed_bytes {
        0 => String::new(),
        n if n < 0 => format!(" Repositories grew by {} while it ran.", bytes(n.unsigned_abs())),
        n => format!(" It freed {}.", bytes(n.unsigned_abs())),
    };
    let mut parts = vec![sentence(match n_runs {
        0 => "No task ran.".to_owned(),
        n => format!("{}: {}.{freed}", count(n, "run"), results.join(", ")),
    })];
    if !part.runs.is_empty() {
        let row = |run: &super::TaskDone| {
            vec![
                figure(run.id.to_string()),
                text(minute(run.at)),
                text(run.task.as_str()),
                text(called(&run.repository)),
                toned(run.result),
                text(run.because.as_str()),
            ]
        };
        let head = vec!["Run", "At", "Task", "Repository", "Came to", "What changed"];
        parts.push(Part::Table { head, rows: part.runs.iter().take(ROWS).map(row).collect() });
        parts.extend(more(part.runs.len() + part.n_more_runs, "run"));
    }
    section("maintenance", "Maintenance and its effects", parts)
}

fn forecast(report: &Report) -> Section {
    let mut rows = Vec::new();
    for one in &report.repositories {
        for foretold in &one.forecasts {
            rows.push(vec![text(called(&one.path)), text(foretold.title.as_str()), text(foretold.told.as_str())]);
        }
    }
    let parts = match rows.is_empty() {
        true => vec![sentence("No number with a limit was measured.")],
        false => {
            let n = rows.len();
            rows.truncate(ROWS);
            let head = vec!["Repository", "Number", "Forecast"];
            [Part::Table { head, rows }].into_iter().chain(more(n, "forecast")).collect()
        }
    };
    section("forecast", "Forecast", parts)
}

fn accounting(report: &Report) -> Section {
    let items = report.accounting.stated.iter().map(|text| Item {
        mark: None,
        text: text.clone(),
        note: String::new(),
        commands: Vec::new(),
    });
    let mut parts = vec![Part::List { items: items.collect(), is_numbered: false }];
    let mut gaps = Vec::new();
    for seen in &report.accounting.repositories {
        for gap in &seen.gaps {
            let lasted = gap.until.since(gap.from).to_string();
            gaps.push(vec![text(called(&seen.path)), text(minute(gap.from)), text(minute(gap.until)), figure(lasted)]);
        }
    }
    if !gaps.is_empty() {
        let n = gaps.len();
        gaps.truncate(ROWS);
        parts.push(Part::Heading("When nobody looked".to_owned()));
        parts.push(Part::Table { head: vec!["Repository", "From", "Until", "For"], rows: gaps });
        parts.extend(more(n, "gap"));
    }
    section("accounting", "How it was counted", parts)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{report, sample},
        *,
    };
    use crate::run::{Document, RunId};

    /// What is said of branches that were aligned: the heading, the rows, and what stands below them.
    fn aligned(runs: Vec<Document>) -> (String, Vec<Vec<String>>, Option<String>) {
        let held = super::super::Held { runs, ..sample::held() };
        let mut parts =
            alignment(&report(&held, &sample::config(), sample::times()).alignment).parts.into_iter().skip(1);
        let (Some(Part::Heading(heading)), Some(Part::Table { rows, .. })) = (parts.next(), parts.next()) else {
            panic!("a heading and a table")
        };
        let rows = rows.into_iter().map(|row| row.into_iter().map(|cell| cell.text).collect()).collect();
        let below = parts.find_map(|part| match part {
            Part::Text(text) => Some(text).filter(|text| text.starts_with("And")),
            _ => None,
        });
        (heading, rows, below)
    }

    fn run(number: u8, workflow: &str, repository: &str, branch: &str) -> Document {
        let mut run = sample::held().runs.swap_remove(0);
        run.run = RunId::from_parts(1, [number; 10]);
        run.operations[0].branch = format!("refs/heads/{branch}");
        let started = run.started.as_mut().unwrap();
        (started.workflow, started.repository) = (workflow.to_owned(), Some(repository.to_owned()));
        run
    }

    #[test]
    fn all_times_that_a_branch_was_aligned_are_counted() {
        let (heading, rows, below) = aligned((0..120).map(|n| run(n, "nightly", "/a", "topic")).collect());
        assert_eq!((heading.as_str(), rows.len(), below), ("Aligned: 1 branch, 120 times", 1, None));
        assert_eq!(rows[0].last().unwrap(), "120");
    }

    #[test]
    fn branches_that_are_not_named_are_counted_whatever_aligned_them() {
        let both = |n: u8| ["nightly", "weekly"].map(|workflow| run(n, workflow, "/a", &format!("topic-{n}")));
        let (heading, rows, below) = aligned((0..25).flat_map(both).collect());
        assert_eq!(heading, "Aligned: 25 branches, 50 times");
        assert_eq!((rows.len(), rows[0][2].as_str()), (20, "nightly, weekly"));
        assert_eq!(below.unwrap(), "And 5 branches more.");
    }

    #[test]
    fn branches_of_one_name_in_two_repositories_are_two() {
        let (heading, rows, _) = aligned(vec![run(1, "nightly", "/a", "topic"), run(2, "nightly", "/b", "topic")]);
        assert_eq!(heading, "Aligned: 2 branches");
        let names: Vec<_> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str(), row[5].as_str())).collect();
        assert_eq!(names, [("a", "topic", "1"), ("b", "topic", "1")]);
    }
}
