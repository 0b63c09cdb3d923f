//! `check` for people.
//!
//! On a terminal all of it fits on one screen. Every finding gets its line, worst
//! first; what room is left goes to commands, then evidence, then the words of the
//! remedy, again from the worst on. In a pipe, or with `-v`, there is room for all.

use std::{collections::BTreeMap, time::Duration};

use alignwatch_model::{Finding, Severity, Status, checks::Check};

use super::{super::layout, evidence, measured_against, states};
use crate::{
    output::{
        escape,
        layout::{count, cut, cut_middle, pad, wrap},
        style::{Screen, Tone, tone_of},
        table::{self, Cell, Column, Gives},
    },
    report::{self, CheckReport, CheckResult, Checked, Judgement},
};

/// Columns before the text of a finding: a symbol, the longest word for a severity, blanks.
const INDENT: usize = 11;

/// From so many findings of one check and severity on, they stand as one.
const CROWD: usize = 3;

/// Checks that could not judge, before the rest is counted.
const UNKNOWN_AT_MOST: usize = 3;

/// The whole answer of `check`.
pub fn check(report: &CheckReport, screen: &Screen) -> String {
    let mut sections: Vec<_> =
        report.repositories.iter().map(|checked| section(checked, report, screen).join("\n")).collect();
    if report.repositories.len() > 1 {
        sections.push(all_together(report, screen));
    }
    sections.join("\n\n") + "\n"
}

/// The list of checks.
pub fn check_list(list: &[&Check], screen: &Screen) -> String {
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

fn section(checked: &Checked, report: &CheckReport, screen: &Screen) -> Vec<String> {
    let judgement = match &checked.judgement {
        Ok(judgement) => judgement,
        Err(failure) => return could_not(screen, &checked.path, &failure.message),
    };
    let header = header(screen, checked, judgement);
    let footer = footer(screen, checked, judgement);
    let blocks = blocks(screen, checked, judgement);
    let room = screen.rows.filter(|_| screen.verbose == 0).map(|rows| {
        // One line belongs to the prompt that follows, two to the blanks around the findings.
        rows.saturating_sub(header.len() + footer.len() + 3).max(ROWS_AT_LEAST)
    });
    let findings = fill(screen, &blocks, room, report.limit, checked);
    [header, findings, footer].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&String::new())
}

/// Even on a tiny screen the worst are shown; the rest scrolls.
const ROWS_AT_LEAST: usize = 6;

fn could_not(screen: &Screen, path: &str, message: &str) -> Vec<String> {
    let words: Vec<_> = message.lines().map(escape::terminal).collect();
    let head = title(screen, path, Status::Unknown, "could not be inspected");
    let told = words.iter().flat_map(|line| wrap(line, screen.width - 2)).map(|line| format!("  {line}"));
    std::iter::once(head).chain(told).collect()
}

/// Columns in which a path can still be told from another.
const PATH_AT_LEAST: usize = 20;

fn title(screen: &Screen, path: &str, status: Status, words: &str) -> String {
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
    lines.extend(states(screen, &report::by_state(snapshot)));
    lines.extend(measured_against(screen, &snapshot.lines));
    lines
}

/// How many of each severity, the worst first; the mildest are left out where they do not fit.
fn by_severity(screen: &Screen, judgement: &Judgement) -> String {
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

/// One cause of trouble, as lines in the order in which they are given room.
struct Block {
    headline: Vec<String>,
    remedy: Vec<String>,
    evidence: Vec<String>,
    words: Vec<String>,
    /// Only with `-v`.
    details: Vec<String>,
}

fn blocks(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Vec<Block> {
    let findings = judgement.findings();
    let crowds = findings.chunk_by(|a, b| (a.check, a.severity) == (b.check, b.severity));
    let mut blocks = Vec::new();
    for crowd in crowds {
        if crowd.len() < CROWD || screen.verbose > 0 {
            blocks.extend(crowd.iter().map(|finding| single(screen, checked, finding)));
        } else {
            blocks.push(crowded(screen, checked, judgement, crowd));
        }
    }
    blocks
}

fn single(screen: &Screen, checked: &Checked, finding: &Finding) -> Block {
    let room = screen.width - INDENT;
    let top = match screen.verbose {
        0 => evidence::top(screen, &finding.evidence, room).into_iter().collect(),
        _ => evidence::all(screen, &finding.evidence, usize::MAX),
    };
    Block {
        headline: headline(screen, finding.severity, &finding.summary, finding.check),
        remedy: remedy(screen, checked, finding),
        evidence: indented(top.iter().flat_map(|line| wrap(line, room))),
        words: words(screen, finding),
        details: if screen.verbose > 0 { details(screen, finding) } else { Vec::new() },
    }
}

fn crowded(screen: &Screen, checked: &Checked, judgement: &Judgement, crowd: &[&Finding]) -> Block {
    let first = crowd[0];
    let title = judgement.checks.iter().find(|result| result.check.id == first.check).map(|result| result.check.title);
    let summary = format!("{}: {}", title.unwrap_or(first.check), count(crowd.len(), "finding"));
    let room = screen.width - INDENT;
    let shown = crowd.iter().take(CROWD).map(|finding| cut(screen, &escape::terminal(&finding.summary), room));
    let more = (crowd.len() > CROWD).then(|| format!("{} {} more", screen.ellipsis(), crowd.len() - CROWD));
    Block {
        headline: headline(screen, first.severity, &summary, first.check),
        remedy: fix(screen, &show_command(checked, first.check), None),
        evidence: indented(shown.chain(more)),
        words: Vec::new(),
        details: Vec::new(),
    }
}

/// The summary behind its severity, and the id of the check at the right edge where it fits.
fn headline(screen: &Screen, severity: Severity, summary: &str, check: &str) -> Vec<String> {
    let mark = pad(&format!("{} {}", screen.symbol(severity.into()), severity.word()), INDENT);
    let mut lines = wrap(&escape::terminal(summary), screen.width - INDENT);
    for (at, line) in lines.iter_mut().enumerate() {
        let lead = if at == 0 { screen.paint(tone_of(severity), &mark) } else { " ".repeat(INDENT) };
        let blanks = screen.width.saturating_sub(INDENT + layout::width(line) + check.len());
        let id = if at == 0 && blanks >= 2 && screen.is_wide() {
            format!("{}{}", " ".repeat(blanks), screen.paint(Tone::Faint, check))
        } else {
            String::new()
        };
        *line = format!("{lead}{}{id}", screen.paint(Tone::Title, line));
    }
    lines
}

/// The command to type, with a word on whether it can be undone.
fn remedy(screen: &Screen, checked: &Checked, finding: &Finding) -> Vec<String> {
    let undo = Some(finding.remedy.reversible);
    let commands: Vec<_> = finding.remedy.commands.iter().map(|command| escape::terminal(command)).collect();
    let fits = |command: &str| INDENT + layout::width(command) <= screen.width;
    match &commands[..] {
        [] => Vec::new(),
        _ if screen.verbose > 0 || screen.rows.is_none() => {
            let mut lines = fix(screen, &commands[0], if commands.len() == 1 { undo } else { None });
            let rest = commands[1..].iter().map(|command| screen.paint(Tone::Command, command));
            lines.extend(rest.map(|command| format!("{}{command}", " ".repeat(INDENT))));
            if commands.len() > 1 {
                lines.push(format!("{}{}", " ".repeat(INDENT), screen.paint(Tone::Faint, undo_note(undo))));
            }
            lines
        }
        [only] if fits(only) => fix(screen, only, undo),
        _ => fix(screen, &show_command(checked, finding.check), None),
    }
}

/// Stands in the gutter, so that commands begin where all text begins.
const FIX: &str = "      fix: ";

fn fix(screen: &Screen, command: &str, undo: Option<bool>) -> Vec<String> {
    let line = format!("{}{}", screen.paint(Tone::Faint, FIX), screen.paint(Tone::Command, command));
    let note = undo_note(undo);
    if note.is_empty() {
        return vec![line];
    }
    let note_painted = screen.paint(Tone::Faint, note);
    if INDENT + layout::width(command) + 2 + note.len() <= screen.width {
        return vec![format!("{line}  {note_painted}")];
    }
    vec![line, format!("{}{note_painted}", " ".repeat(INDENT))]
}

fn undo_note(undo: Option<bool>) -> &'static str {
    match undo {
        None => "",
        Some(true) => "undo: yes",
        Some(false) => "undo: no",
    }
}

/// The command that shows a finding in full.
fn show_command(checked: &Checked, check: &str) -> String {
    let path = if checked.path_word.is_empty() { String::new() } else { format!(" {}", checked.path_word) };
    format!("alignwatch check -v --only {check}{}", escape::terminal(&path))
}

fn words(screen: &Screen, finding: &Finding) -> Vec<String> {
    let text = escape::terminal(&finding.remedy.text);
    if text.is_empty() { Vec::new() } else { indented(wrap(&text, screen.width - INDENT)) }
}

fn details(screen: &Screen, finding: &Finding) -> Vec<String> {
    let threshold = finding.threshold.as_ref().map(|threshold| {
        let value = match &threshold.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("threshold: {value} ({})", threshold.source)
    });
    let impact = (!finding.impact.is_empty()).then(|| format!("impact: {}", finding.impact));
    let doc = (!finding.doc.is_empty()).then(|| format!("more: {}", finding.doc));
    let lines = [impact, threshold, doc, Some(format!("key: {}", finding.key))].into_iter().flatten();
    let wrapped = lines.flat_map(|line| wrap(&escape::terminal(&line), screen.width - INDENT));
    indented(wrapped).iter().map(|line| screen.paint(Tone::Faint, line)).collect()
}

fn indented(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}{line}", " ".repeat(INDENT))).collect()
}

/// Gives the room to the blocks, and says how many have none.
fn fill(
    screen: &Screen,
    blocks: &[Block],
    room: Option<usize>,
    limit: Option<usize>,
    checked: &Checked,
) -> Vec<String> {
    let limit = match limit {
        Some(0) => blocks.len(),
        Some(limit) => limit.min(blocks.len()),
        None => blocks_that_fit(blocks, room),
    };
    // Asked for a number of findings, we show them as they are: then the screen may scroll.
    let mut left = room.map_or(usize::MAX, |room| room.saturating_sub(heights(&blocks[..limit])));
    let mut shown: Vec<_> = blocks[..limit].iter().map(|block| (block, [false; 3])).collect();
    for part in 0..3 {
        for (block, parts) in &mut shown {
            let height = block.part(part).len();
            if height <= left {
                parts[part] = true;
                left = left.saturating_sub(height);
            }
        }
    }
    let is_airy = left >= shown.len().saturating_sub(1);
    let mut lines = Vec::new();
    for (at, (block, parts)) in shown.into_iter().enumerate() {
        if at > 0 && is_airy {
            lines.push(String::new());
        }
        lines.extend(block.lines(parts));
    }
    if limit < blocks.len() {
        let path = if checked.path_word.is_empty() { "" } else { " PATH" };
        let more = format!("{} {} more: alignwatch check --limit 0{path}", screen.ellipsis(), blocks.len() - limit);
        lines.push(screen.paint(Tone::Faint, &more));
    }
    lines
}

fn blocks_that_fit(blocks: &[Block], room: Option<usize>) -> usize {
    let Some(room) = room else { return blocks.len() };
    if heights(blocks) <= room {
        return blocks.len();
    }
    // One line says how many are left.
    (0..blocks.len()).rev().find(|&n| heights(&blocks[..n]) < room).unwrap_or(0).max(1)
}

fn heights(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.headline.len()).sum()
}

impl Block {
    /// The parts in the order in which they are given room.
    fn part(&self, part: usize) -> &[String] {
        [&self.remedy, &self.evidence, &self.words][part]
    }

    fn lines(&self, [remedy, evidence, words]: [bool; 3]) -> impl Iterator<Item = String> {
        let parts = [
            (true, &self.headline),
            (evidence, &self.evidence),
            (true, &self.details),
            (words, &self.words),
            (remedy, &self.remedy),
        ];
        parts.into_iter().filter(|(is_shown, _)| *is_shown).flat_map(|(_, lines)| lines.clone())
    }
}

fn footer(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Vec<String> {
    let mut lines = unknown(screen, judgement);
    lines.extend(skipped(screen, judgement));
    let well = judgement.with_status(Status::Ok).count();
    let ok = format!("{} {} ok", screen.symbol(Status::Ok), count(well, "check"));
    let path =
        if checked.path_word.is_empty() { String::new() } else { format!(" {}", escape::terminal(&checked.path_word)) };
    let next =
        if screen.verbose == 0 { format!(" {} more: alignwatch check -v{path}", screen.dot()) } else { String::new() };
    let line = format!("{ok} {} {}{next}", screen.dot(), seconds(checked.elapsed));
    lines.push(screen.paint(Tone::Faint, &cut(screen, &line, screen.width.max(layout::width(&ok) + 12))));
    lines
}

fn unknown(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let undecided: Vec<_> = judgement.undecided().collect();
    let at_most = if screen.verbose > 0 || screen.rows.is_none() { undecided.len() } else { UNKNOWN_AT_MOST };
    let mark = pad(&format!("{} unknown", screen.symbol(Status::Unknown)), INDENT);
    let mut lines = Vec::new();
    for result in undecided.iter().take(at_most) {
        let text = format!("{}: {}", result.check.id, result.reason.as_deref().unwrap_or("no reason given"));
        let room = screen.width - INDENT;
        let wrapped = wrap(&escape::terminal(&text), room);
        let told = if screen.verbose > 0 { wrapped } else { vec![cut(screen, &escape::terminal(&text), room)] };
        for (at, line) in told.into_iter().enumerate() {
            let lead = if at == 0 { mark.clone() } else { " ".repeat(INDENT) };
            lines.push(format!("{}{line}", screen.paint(Tone::Status(Status::Unknown), &lead)));
        }
    }
    if at_most < undecided.len() {
        lines.push(format!("{}{} {} more unknown", " ".repeat(INDENT), screen.ellipsis(), undecided.len() - at_most));
    }
    lines
}

/// Skipped checks by their reason; those that were left out by request are only counted.
fn skipped(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let mut by_reason = BTreeMap::<&str, Vec<&CheckResult>>::new();
    for result in judgement.with_status(Status::Skipped) {
        by_reason.entry(result.reason.as_deref().unwrap_or("no reason given")).or_default().push(result);
    }
    let mark = pad(&format!("{} skipped", screen.symbol(Status::Skipped)), INDENT);
    let line = |(reason, results): (&str, Vec<&CheckResult>)| {
        let reason = escape::terminal(reason);
        let ids: Vec<_> = results.iter().map(|result| result.check.id.to_owned()).collect();
        let text = if reason.starts_with("left out by") {
            format!("{} {reason}", count(results.len(), "check"))
        } else {
            format!("{}: {reason}", ids.join(", "))
        };
        screen.paint(Tone::Faint, &format!("{mark}{}", cut(screen, &text, screen.width - INDENT)))
    };
    by_reason.into_iter().map(line).collect()
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

/// Time as people read it.
pub(super) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        small if small < 10.0 => format!("{small:.2} s"),
        large => format!("{large:.0} s"),
    }
}
