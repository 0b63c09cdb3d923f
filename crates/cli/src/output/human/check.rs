//! `check` for people.
//!
//! On a terminal all of it fits on one screen. Every finding gets its line, worst
//! first, and the grave ones their command; what room is left goes to more commands,
//! then evidence, then the words of the remedy, again from the worst on. In a pipe,
//! or with `-v`, there is room for all.

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

/// Reasons why checks could not judge, before the rest is counted.
const UNKNOWN_AT_MOST: usize = 2;

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
    severity: Severity,
    /// The headline cut to one line, for when room is short.
    brief: String,
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
            blocks.push(crowded(screen, checked, crowd));
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
        severity: finding.severity,
        brief: brief(screen, finding, ""),
        headline: headline(screen, finding, ""),
        remedy: remedy(screen, checked, finding),
        evidence: indented(top.iter().flat_map(|line| wrap(line, room))),
        words: words(screen, finding),
        details: if screen.verbose > 0 { details(screen, finding) } else { Vec::new() },
    }
}

/// Many findings of one check: the first speaks for all, since checks put the gravest first.
fn crowded(screen: &Screen, checked: &Checked, crowd: &[&Finding]) -> Block {
    let first = crowd[0];
    let more = format!(" (+ {} more)", crowd.len() - 1);
    let room = screen.width - INDENT;
    let others = crowd[1..].iter().take(CROWD).map(|finding| cut(screen, &escape::terminal(&finding.summary), room));
    let rest = (crowd.len() > CROWD + 1).then(|| format!("{} {} more", screen.ellipsis(), crowd.len() - CROWD - 1));
    Block {
        severity: first.severity,
        brief: brief(screen, first, &more),
        headline: headline(screen, first, &more),
        remedy: vec![labelled(screen, SEE, &show_command(checked, first.check))],
        evidence: indented(others.chain(rest)),
        words: Vec::new(),
        details: Vec::new(),
    }
}

/// The summary behind its severity, and the id of the check at the right edge where it fits.
fn headline(screen: &Screen, finding: &Finding, more: &str) -> Vec<String> {
    let mut lines = wrap(&format!("{}{more}", escape::terminal(&finding.summary)), screen.width - INDENT);
    for (at, line) in lines.iter_mut().enumerate() {
        let lead = if at == 0 { mark(screen, finding.severity) } else { " ".repeat(INDENT) };
        let blanks = screen.width.saturating_sub(INDENT + layout::width(line) + finding.check.len());
        let id = if at == 0 && blanks >= 2 && screen.is_wide() {
            format!("{}{}", " ".repeat(blanks), screen.paint(Tone::Faint, finding.check))
        } else {
            String::new()
        };
        *line = format!("{lead}{}{id}", screen.paint(Tone::Title, line));
    }
    lines
}

fn brief(screen: &Screen, finding: &Finding, more: &str) -> String {
    let room = screen.width - INDENT - layout::width(more);
    let summary = cut(screen, &escape::terminal(&finding.summary), room);
    format!("{}{}", mark(screen, finding.severity), screen.paint(Tone::Title, &format!("{summary}{more}")))
}

fn mark(screen: &Screen, severity: Severity) -> String {
    let mark = format!("{} {}", screen.symbol(severity.into()), severity.word());
    screen.paint(tone_of(severity), &pad(&mark, INDENT))
}

/// Stands before a command that changes something.
const FIX: &str = "fix: ";

/// Stands before a command that only looks.
const SEE: &str = "see: ";

/// The commands to type, with a word on whether they can be undone.
fn remedy(screen: &Screen, checked: &Checked, finding: &Finding) -> Vec<String> {
    let commands: Vec<_> = finding.remedy.commands.iter().map(|command| escape::terminal(command)).collect();
    let fits = |command: &str| INDENT + layout::width(command) <= screen.width;
    let shows_all = screen.verbose > 0 || screen.rows.is_none();
    match &commands[..] {
        [] => Vec::new(),
        [only] if shows_all || fits(only) => with_undo(screen, &commands, finding.remedy.reversible),
        _ if shows_all => with_undo(screen, &commands, finding.remedy.reversible),
        _ => vec![labelled(screen, SEE, &show_command(checked, finding.check))],
    }
}

fn with_undo<T: AsRef<str>>(screen: &Screen, commands: &[T], is_reversible: bool) -> Vec<String> {
    let mut label_before = "";
    let mut lines = Vec::new();
    for command in commands.iter().map(AsRef::as_ref) {
        let label = if only_looks(command) { SEE } else { FIX };
        lines.push(labelled(screen, if label == label_before { "" } else { label }, command));
        label_before = label;
    }
    let Some(changing) = commands.iter().map(AsRef::as_ref).rfind(|command| !only_looks(command)) else {
        return lines;
    };
    let note = if is_reversible { "undo: yes" } else { "undo: no" };
    let painted = screen.paint(if is_reversible { Tone::Faint } else { Tone::Plain }, note);
    let fits = commands.len() == 1 && INDENT + layout::width(changing) + 2 + note.len() <= screen.width;
    match lines.last_mut().filter(|_| fits) {
        Some(line) => line.push_str(&format!("  {painted}")),
        None => lines.push(format!("{}{painted}", " ".repeat(INDENT))),
    }
    lines
}

/// A command behind its label in the gutter, so that commands begin where all text begins.
fn labelled(screen: &Screen, label: &str, command: &str) -> String {
    let label = format!("{}{label}", " ".repeat(INDENT - label.len()));
    format!("{}{}", screen.paint(Tone::Faint, &label), screen.paint(Tone::Command, command))
}

/// Commands of Git that change neither refs nor files nor settings.
const LOOKING: [&str; 14] = [
    "cat-file",
    "cherry",
    "diff",
    "for-each-ref",
    "fsck",
    "grep",
    "log",
    "ls-remote",
    "merge-base",
    "merge-tree",
    "range-diff",
    "rev-list",
    "show",
    "status",
];

/// Does this command leave everything as it is? In doubt it does not.
fn only_looks(command: &str) -> bool {
    if command.contains(['&', ';', '|', '>', '$', '`']) {
        return false;
    }
    let mut words = command.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("alignwatch"), Some("check" | "branches"), _) => true,
        (Some("git"), Some("reflog"), Some("show")) => true,
        (Some("git"), Some("config"), Some("--get" | "--get-all" | "--list" | "--show-origin")) => true,
        (Some("git"), Some(verb), _) => LOOKING.contains(&verb),
        _ => false,
    }
}

/// The command that shows a finding in full.
fn show_command(checked: &Checked, check: &str) -> String {
    format!("alignwatch check -v --only {check}{}", path_behind(checked))
}

/// The path as a last word of a command; nothing for the current directory.
fn path_behind(checked: &Checked) -> String {
    if checked.path_word.is_empty() { String::new() } else { format!(" {}", escape::terminal(&checked.path_word)) }
}

fn words(screen: &Screen, finding: &Finding) -> Vec<String> {
    let text = escape::terminal(&finding.remedy.text);
    if text.is_empty() { Vec::new() } else { indented(wrap(&text, screen.width - INDENT)) }
}

fn details(screen: &Screen, finding: &Finding) -> Vec<String> {
    let threshold = finding
        .threshold
        .as_ref()
        .map(|threshold| format!("threshold: {} ({})", evidence::value(&threshold.value), threshold.source));
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
    let n_shown = match limit {
        Some(0) => blocks.len(),
        Some(limit) => limit.min(blocks.len()),
        None => room.map_or(blocks.len(), |room| blocks_that_fit(blocks, room)),
    };
    let shown = &blocks[..n_shown];
    // Asked for a number of findings, we show them as they are: then the screen may scroll.
    let room = room.filter(|_| limit.is_none()).unwrap_or(usize::MAX);
    let more = (n_shown < blocks.len()).then(|| more(screen, checked, blocks.len() - n_shown));
    let (parts, left) = share(shown, room.saturating_sub(more.iter().len()));
    let is_airy = left >= shown.len();
    let mut lines = Vec::new();
    for (at, (block, parts)) in shown.iter().zip(parts).enumerate() {
        if at > 0 && is_airy {
            lines.push(String::new());
        }
        lines.extend(block.lines(parts));
    }
    lines.extend(more);
    lines
}

fn more(screen: &Screen, checked: &Checked, n_left: usize) -> String {
    let path = path_behind(checked);
    let more = format!("{} {n_left} more: alignwatch check --limit 0{path}", screen.ellipsis());
    screen.paint(Tone::Faint, &cut(screen, &more, screen.width))
}

/// Which parts of a block are shown.
#[derive(Clone, Copy, Default)]
struct Parts {
    remedy: bool,
    headline: bool,
    evidence: bool,
    words: bool,
}

/// The most blocks that fit when each has its brief, and the grave ones their remedy: at least one.
fn blocks_that_fit(blocks: &[Block], room: usize) -> usize {
    let least = |block: &Block| 1 + if block.is_grave() { block.remedy.len() } else { 0 };
    let fits = |&n: &usize| {
        let line_of_the_rest = usize::from(n < blocks.len());
        blocks[..n].iter().map(least).sum::<usize>() + line_of_the_rest <= room
    };
    (0..=blocks.len()).rev().find(fits).unwrap_or(0).max(1.min(blocks.len()))
}

/// Shares the room among the blocks: what tells most first, and of that the worst blocks first.
///
/// Gives what each block shows, and the lines that are left.
fn share(blocks: &[Block], room: usize) -> (Vec<Parts>, usize) {
    let mut left = room.saturating_sub(blocks.len());
    let mut parts = vec![Parts::default(); blocks.len()];
    let mut give = |height: fn(&Block) -> usize, wants: fn(&Block) -> bool, part: fn(&mut Parts) -> &mut bool| {
        for (block, parts) in blocks.iter().zip(&mut parts).filter(|(block, _)| wants(block)) {
            if !*part(parts) && height(block) <= left {
                *part(parts) = true;
                left = left.saturating_sub(height(block));
            }
        }
    };
    give(|block| block.remedy.len(), Block::is_grave, |parts| &mut parts.remedy);
    give(|block| block.headline.len().saturating_sub(1), Block::is_grave, |parts| &mut parts.headline);
    give(|block| block.remedy.len(), |_| true, |parts| &mut parts.remedy);
    give(|block| block.headline.len().saturating_sub(1), |_| true, |parts| &mut parts.headline);
    give(|block| block.evidence.len(), |_| true, |parts| &mut parts.evidence);
    give(|block| block.words.len(), |_| true, |parts| &mut parts.words);
    (parts, left)
}

impl Block {
    fn is_grave(&self) -> bool {
        self.severity >= Severity::Error
    }

    fn lines(&self, parts: Parts) -> Vec<String> {
        let mut lines = if parts.headline { self.headline.clone() } else { vec![self.brief.clone()] };
        let details = [
            (parts.evidence, &self.evidence),
            (true, &self.details),
            (parts.words, &self.words),
            (parts.remedy, &self.remedy),
        ];
        lines.extend(details.into_iter().filter(|(is_shown, _)| *is_shown).flat_map(|(_, lines)| lines.clone()));
        lines
    }
}

fn footer(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Vec<String> {
    let mut lines = unknown(screen, judgement);
    lines.extend(skipped(screen, judgement));
    lines.extend(where_to_paste(screen, checked, judgement));
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

/// Commands are for a shell in the repository; that is worth a line when the shell is elsewhere.
fn where_to_paste(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Option<String> {
    let has_commands = judgement.findings().iter().any(|finding| !finding.remedy.commands.is_empty());
    let is_elsewhere = has_commands && !checked.path_word.is_empty();
    is_elsewhere.then(|| labelled(screen, "first: ", &format!("cd{}", path_behind(checked))))
}

/// Reasons why something is not known, each with the checks that it blinds.
fn unknown(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let mut by_reason = Vec::<(&str, Vec<String>)>::new();
    for result in judgement.undecided() {
        let reason = result.reason.as_deref().unwrap_or("no reason given");
        match by_reason.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, ids)) => ids.push(result.check.id.to_owned()),
            None => by_reason.push((reason, vec![result.check.id.to_owned()])),
        }
    }
    let at_most = if screen.verbose > 0 || screen.rows.is_none() { by_reason.len() } else { UNKNOWN_AT_MOST };
    let mut lines: Vec<_> =
        by_reason.iter().take(at_most).flat_map(|(reason, ids)| unknown_for(screen, reason, ids)).collect();
    if let Some(n_left) = by_reason.len().checked_sub(at_most).filter(|&n_left| n_left > 0) {
        lines.push(format!("{}{} {n_left} more reasons", " ".repeat(INDENT), screen.ellipsis()));
    }
    lines
}

fn unknown_for(screen: &Screen, reason: &str, ids: &[String]) -> Vec<String> {
    let room = screen.width - INDENT;
    let ids = layout::list(screen, ids, ids.len(), room / 2);
    let text = format!("{ids}: {}", escape::terminal(reason));
    let lines = if screen.verbose > 0 { wrap(&text, room) } else { vec![cut(screen, &text, room)] };
    let mark = pad(&format!("{} unknown", screen.symbol(Status::Unknown)), INDENT);
    let lead = |at| if at == 0 { mark.clone() } else { " ".repeat(INDENT) };
    let paint = |at| screen.paint(Tone::Status(Status::Unknown), &lead(at));
    lines.into_iter().enumerate().map(|(at, line)| format!("{}{line}", paint(at))).collect()
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
