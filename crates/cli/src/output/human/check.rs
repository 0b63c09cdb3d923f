//! `check` for people.
//!
//! On a terminal all of it fits on one screen: what it is about above, what was not
//! judged below, and the findings in the room between. In a pipe, or with `-v`,
//! there is room for all.

use std::collections::BTreeMap;

use alignwatch_model::{Severity, Status, checks::Check};

use super::{INDENT, block, footer::footer, measured_against, remedy, states, trends};
use crate::{
    output::{
        escape, layout,
        layout::{count, cut, cut_middle, wrap},
        style::{Screen, Tone},
        table::{self, Cell, Column, Gives},
    },
    report::{CheckReport, Checked, Judgement},
};

/// The whole answer of `check`.
pub fn check(report: &CheckReport, screen: &Screen) -> String {
    let mut sections: Vec<_> =
        report.repositories.iter().map(|checked| section(checked, report, screen).join("\n")).collect();
    if report.repositories.len() > 1 {
        sections.push(all_together(report, screen));
    }
    sections.join("\n\n") + "\n"
}

/// The list of checks; with `-v`, all that is known of each.
pub fn check_list(list: &[&Check], screen: &Screen) -> String {
    if screen.verbose > 0 {
        let told: Vec<_> = list.iter().map(|check| in_full(screen, check).join("\n")).collect();
        return told.join("\n\n") + "\n";
    }
    let columns = [
        Column { title: "check", gives: Gives::Nothing, is_number: false },
        Column { title: "finds", gives: Gives::EndThenAll { at_least: 30, rank: 1 }, is_number: false },
        Column { title: "threshold", gives: Gives::EndThenAll { at_least: 12, rank: 2 }, is_number: false },
        Column { title: "source", gives: Gives::EndThenAll { at_least: 16, rank: 3 }, is_number: false },
    ];
    let row = |check: &&Check| {
        let (threshold, source) = match &check.threshold {
            Some(spec) => (format!("{} {}", spec.default, spec.unit), spec.source),
            None => Default::default(),
        };
        let source = Cell::toned(Tone::Faint, source);
        vec![Cell::toned(Tone::Command, check.id), Cell::plain(check.title), Cell::plain(threshold), source]
    };
    let rows: Vec<_> = list.iter().map(row).collect();
    table::lines(screen, &columns, &rows).join("\n") + "\n"
}

fn in_full(screen: &Screen, check: &Check) -> Vec<String> {
    let threshold = check.threshold.as_ref().map(|spec| {
        let (least, most) = spec.range;
        format!("threshold: {} {}, {least} to {most} ({})", spec.default, spec.unit, spec.source)
    });
    let Check { title, looks_at, why, runbook, .. } = check;
    let facts = [
        format!("{title} ({}; at worst {}; {})", check.family, check.severity, check.cost().word()),
        format!("looks at: {looks_at}"),
        format!("why: {why}"),
    ];
    let procedure = [
        format!("look closer: {}", runbook.look),
        format!("mend: {}", runbook.mend),
        format!("be sure: {}", runbook.sure),
        format!("undo: {}", runbook.undo.unwrap_or("there is nothing to take back, or it cannot be")),
    ];
    let lines = facts.into_iter().chain(threshold).chain(procedure).flat_map(|fact| wrap(&fact, screen.width - 2));
    let indented = lines.map(|line| format!("  {line}"));
    std::iter::once(screen.paint(Tone::Command, check.id)).chain(indented).collect()
}

fn section(checked: &Checked, report: &CheckReport, screen: &Screen) -> Vec<String> {
    let judgement = match &checked.judgement {
        Ok(judgement) => judgement,
        Err(failure) => return could_not(screen, &checked.path, &failure.message),
    };
    let header = header(screen, checked, judgement);
    let footer = footer(screen, checked, judgement);
    let room = screen.rows.filter(|_| screen.verbose == 0).map(|rows| {
        // One line belongs to the prompt that follows, two to the blanks around the findings.
        rows.saturating_sub(header.len() + footer.len() + 3).max(ROWS_AT_LEAST)
    });
    let findings = block::findings(screen, judgement, room, report.limit);
    [header, findings, trends::trends(screen, judgement), footer]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(&String::new())
}

/// Even on a tiny screen the worst are shown; the rest scrolls.
const ROWS_AT_LEAST: usize = 6;

pub(super) fn could_not(screen: &Screen, path: &str, message: &str) -> Vec<String> {
    let words: Vec<_> = message.lines().map(escape::terminal).collect();
    let head = title(screen, path, Status::Unknown, "could not be inspected");
    let told = words.iter().flat_map(|line| wrap(line, screen.width - 2)).map(|line| format!("  {line}"));
    std::iter::once(head).chain(told).collect()
}

/// Columns in which a path can still be told from another.
const PATH_AT_LEAST: usize = 20;

pub(super) fn title(screen: &Screen, path: &str, status: Status, words: &str) -> String {
    let mark = format!("{} {}", screen.symbol(status), status.word());
    let room = screen.width.saturating_sub(layout::width(&mark) + layout::width(words) + 5);
    let path = cut_middle(screen, &escape::terminal(path), room.max(PATH_AT_LEAST));
    let used = layout::width(&mark) + layout::width(&path) + 5;
    let words = cut(screen, words, screen.width.saturating_sub(used));
    let dot = screen.paint(Tone::Faint, screen.dot());
    format!("{}  {} {dot} {words}", screen.paint(Tone::Status(status), &mark), screen.paint(Tone::Title, &path))
}

fn header(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Vec<String> {
    let snapshot = &judgement.snapshot;
    let path = if snapshot.repository.path.is_empty() { &checked.path } else { &snapshot.repository.path };
    let mut lines = vec![title(screen, path, judgement.status(), &by_severity(screen, judgement))];
    lines.extend(states(screen, snapshot));
    lines.extend(measured_against(screen, snapshot));
    lines.extend(remedy::first(screen, checked));
    lines
}

/// How many of each severity, the worst first; the mildest are left out where they do not fit.
pub(super) fn by_severity(screen: &Screen, judgement: &Judgement) -> String {
    let findings = judgement.findings();
    let with = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let told = [
        (with(Severity::Critical), "critical", "critical"),
        (with(Severity::Error), "error", "errors"),
        (with(Severity::Warning), "warning", "warnings"),
        (with(Severity::Info), "info", "infos"),
        (judgement.undecided().count(), "unknown", "unknown"),
    ];
    let mut told: Vec<_> = told
        .into_iter()
        .filter(|&(n, ..)| n > 0)
        .map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many }))
        .collect();
    let room = screen.width.saturating_sub(PATH_AT_LEAST + INDENT + 4);
    while told.len() > 1 && layout::width(&told.join(", ")) > room {
        told.pop();
    }
    if told.is_empty() { "nothing found".to_owned() } else { told.join(", ") }
}

fn all_together(report: &CheckReport, screen: &Screen) -> String {
    let worst = report.repositories.iter().map(Checked::status).fold(Status::Ok, Status::worst);
    let mut tally = BTreeMap::<u8, (Status, usize)>::new();
    for checked in &report.repositories {
        let status = checked.status();
        tally.entry(u8::MAX - status.rank()).or_insert((status, 0)).1 += 1;
    }
    let told: Vec<_> = tally.values().map(|(status, n)| format!("{n} {status}")).collect();
    let mark = format!("{} {}", screen.symbol(worst), worst.word());
    let total = count(report.repositories.len(), "repository");
    format!("{}  {total}: {}", screen.paint(Tone::Status(worst), &mark), told.join(", "))
}
