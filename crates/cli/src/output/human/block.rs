//! The findings: each one a block of lines, and how the blocks share the room there is.
//!
//! Every block gets its headline, worst first, and the grave ones their command.
//! What room is left goes to more commands, to whole headlines, to evidence, and to
//! the words of the remedy, in this order, and each time from the worst block on.

use alignwatch_model::{Finding, Severity};

use super::{
    INDENT, evidence,
    remedy::{remedy, see_all},
};
use crate::{
    output::{
        escape,
        layout::{cut, list, pad, thousands, width, wrap},
        style::{Screen, Tone, tone_of},
    },
    report::Judgement,
};

/// From so many findings of one check and severity on, they stand as one.
const CROWD: usize = 3;

/// The lines of the findings, in so many lines (`None` = as many as it takes).
///
/// With `limit` they are so many blocks as they are (0 = all), whatever room there is.
pub(super) fn findings(
    screen: &Screen,
    judgement: &Judgement,
    room: Option<usize>,
    limit: Option<usize>,
) -> Vec<String> {
    let blocks = blocks(screen, judgement);
    let n_shown = match limit {
        Some(0) => blocks.len(),
        Some(limit) => limit.min(blocks.len()),
        None => room.map_or(blocks.len(), |room| blocks_that_fit(&blocks, room)),
    };
    let more = more(screen, &blocks[n_shown..]);
    let room = room.filter(|_| limit.is_none()).unwrap_or(usize::MAX).saturating_sub(more.len());
    let (parts, left) = share(&blocks[..n_shown], room);
    let separator = if left >= n_shown { "\n\n" } else { "\n" };
    let told: Vec<_> = blocks.iter().zip(parts).map(|(block, parts)| block.lines(parts).join("\n")).collect();
    let lines = told.join(separator);
    lines.lines().map(str::to_owned).chain(more).collect()
}

/// One cause of trouble, as lines in the order in which they are given room.
struct Block {
    severity: Severity,
    /// The check, and the branches that it is about: what is told of it where there is no room for more.
    check: &'static str,
    n_branches: Option<u64>,
    /// The headline cut to one line, for when room is short.
    brief: String,
    headline: Vec<String>,
    remedy: Vec<String>,
    evidence: Vec<String>,
    words: Vec<String>,
    /// Only with `-v`.
    details: Vec<String>,
}

/// Which parts of a block are shown, besides the brief or the whole headline.
#[derive(Clone, Copy, Default)]
struct Parts {
    headline: bool,
    remedy: bool,
    evidence: bool,
    words: bool,
}

fn blocks(screen: &Screen, judgement: &Judgement) -> Vec<Block> {
    let findings = judgement.findings();
    let crowds = findings.chunk_by(|a, b| (a.check, a.severity) == (b.check, b.severity));
    let mut blocks = Vec::new();
    for crowd in crowds {
        if crowd.len() < CROWD || screen.verbose > 0 {
            blocks.extend(crowd.iter().map(|finding| single(screen, finding)));
        } else {
            blocks.push(crowded(screen, crowd));
        }
    }
    blocks
}

fn single(screen: &Screen, finding: &Finding) -> Block {
    let room = screen.width - INDENT;
    let top = match screen.verbose {
        0 => evidence::top(screen, &finding.evidence, room).into_iter().collect(),
        _ => evidence::all(screen, &finding.evidence, usize::MAX),
    };
    Block {
        severity: finding.severity,
        check: finding.check,
        n_branches: n_branches(finding),
        brief: brief(screen, finding, ""),
        headline: headline(screen, finding, ""),
        remedy: remedy(screen, finding),
        evidence: indented(top.iter().flat_map(|line| wrap(line, room))),
        words: words(screen, finding),
        details: if screen.verbose > 0 { details(screen, finding) } else { Vec::new() },
    }
}

/// Many findings of one check: the first speaks for all, since checks put the gravest first.
fn crowded(screen: &Screen, crowd: &[&Finding]) -> Block {
    let first = crowd[0];
    let more = format!(" (+ {} more)", crowd.len() - 1);
    let room = screen.width - INDENT;
    let others = crowd[1..].iter().take(CROWD).map(|finding| cut(screen, &escape::terminal(&finding.summary), room));
    let rest = (crowd.len() > CROWD + 1).then(|| format!("{} {} more", screen.ellipsis(), crowd.len() - CROWD - 1));
    Block {
        severity: first.severity,
        check: first.check,
        n_branches: n_branches(first),
        brief: brief(screen, first, &more),
        headline: headline(screen, first, &more),
        remedy: vec![see_all(screen, first.check)],
        evidence: indented(others.chain(rest)),
        words: Vec::new(),
        details: Vec::new(),
    }
}

/// The summary behind its severity, and the id of the check at the right edge where it fits.
pub(super) fn headline(screen: &Screen, finding: &Finding, more: &str) -> Vec<String> {
    let mut lines = wrap(&format!("{}{more}", escape::terminal(&finding.summary)), screen.width - INDENT);
    for (at, line) in lines.iter_mut().enumerate() {
        let lead = if at == 0 { mark(screen, finding.severity) } else { " ".repeat(INDENT) };
        let blanks = screen.width.saturating_sub(INDENT + width(line) + finding.check.len());
        let id = if at == 0 && blanks >= 2 && screen.is_wide() {
            format!("{}{}", " ".repeat(blanks), screen.paint(Tone::Faint, finding.check))
        } else {
            String::new()
        };
        *line = format!("{lead}{}{id}", screen.paint(Tone::Title, line));
    }
    lines
}

pub(super) fn brief(screen: &Screen, finding: &Finding, more: &str) -> String {
    let room = screen.width - INDENT - width(more);
    let summary = cut(screen, &escape::terminal(&finding.summary), room);
    format!("{}{}", mark(screen, finding.severity), screen.paint(Tone::Title, &format!("{summary}{more}")))
}

fn mark(screen: &Screen, severity: Severity) -> String {
    let mark = format!("{} {}", screen.symbol(severity.into()), severity.word());
    screen.paint(tone_of(severity), &pad(&mark, INDENT))
}

pub(super) fn words(screen: &Screen, finding: &Finding) -> Vec<String> {
    let text = escape::terminal(&finding.remedy.text);
    if text.is_empty() { Vec::new() } else { indented(wrap(&text, screen.width - INDENT)) }
}

pub(super) fn details(screen: &Screen, finding: &Finding) -> Vec<String> {
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

pub(super) fn indented(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}{line}", " ".repeat(INDENT))).collect()
}

fn n_branches(finding: &Finding) -> Option<u64> {
    finding.evidence.get("n_branches").and_then(serde_json::Value::as_u64)
}

/// Lines for what is left out.
const LINES_OF_THE_REST: usize = 2;

/// What is left out, each by its check and its branches, the widest first; and where to see it.
fn more(screen: &Screen, left_out: &[Block]) -> Vec<String> {
    if left_out.is_empty() {
        return Vec::new();
    }
    let mut left_out: Vec<&Block> = left_out.iter().collect();
    left_out.sort_by_key(|block| std::cmp::Reverse(block.n_branches));
    let told = |block: &&Block| match block.n_branches {
        Some(n) => format!("{} {}", block.check, thousands(n as usize)),
        None => block.check.to_owned(),
    };
    let told: Vec<_> = left_out.iter().map(told).collect();
    let head = format!("{} {} more: ", screen.ellipsis(), left_out.len());
    let tail = format!(" {} alignwatch check --limit 0", screen.dot());
    // Lines are broken at blanks, so that the first is not full.
    const LOST_AT_A_BREAK: usize = 28;
    let room = (LINES_OF_THE_REST * screen.width).saturating_sub(width(&head) + width(&tail) + LOST_AT_A_BREAK);
    let text = format!("{head}{}{tail}", list(screen, &told, told.len(), room));
    wrap(&text, screen.width).iter().map(|line| screen.paint(Tone::Faint, line)).collect()
}

/// The most blocks that fit when each has its brief, and the grave ones their remedy: at least one.
fn blocks_that_fit(blocks: &[Block], room: usize) -> usize {
    let least = |block: &Block| 1 + if block.is_grave() { block.remedy.len() } else { 0 };
    let fits = |&n: &usize| {
        let line_of_the_rest = if n < blocks.len() { LINES_OF_THE_REST } else { 0 };
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
