//! A report as a letter: what a channel brings to people who never open the tool.

use serde::{Deserialize, Serialize};

use super::{
    Report,
    sections::{Cell, Item, Part, Section, sections, title},
};

/// A message that is about no alert: a title, and paragraphs of lines. Foreign text may stand in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What it is, in a few words.
    pub title: String,
    /// All of it in a few sentences.
    pub summary: String,
    /// Where the dashboard shows it, from its root: `/report?period=week`.
    #[serde(default)]
    pub path: String,
    /// What a channel with little room leaves out, the last first.
    pub paragraphs: Vec<Paragraph>,
}

/// A part of a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paragraph {
    /// Its heading.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// Lines of a paragraph. Source: ours; more is read in the file or the dashboard.
const LINES_AT_MOST: usize = 24;

impl Letter {
    /// All of it as lines, without markup: paragraphs have an empty line between them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary.clone()];
        for paragraph in &self.paragraphs {
            lines.extend([String::new(), paragraph.title.clone()]);
            lines.extend(paragraph.lines.iter().map(|line| format!("  {line}")));
        }
        lines
    }
}

/// The report as a letter; `name` is what the configuration calls it.
pub fn letter(report: &Report, name: &str) -> Letter {
    let paragraph = |Section { title, parts, .. }: Section| {
        let mut lines: Vec<String> = parts.iter().flat_map(lines).collect();
        let n_more = lines.len().saturating_sub(LINES_AT_MOST);
        lines.truncate(LINES_AT_MOST);
        if 0 < n_more {
            lines.push(format!("… {n_more} more lines"));
        }
        Paragraph { title, lines }
    };
    Letter {
        title: format!("{name}: {}", title(report)),
        summary: report.headline.clone(),
        path: format!("/report?period={}&until={}", report.period, report.until.0),
        paragraphs: sections(report).into_iter().map(paragraph).collect(),
    }
}

fn lines(part: &Part) -> Vec<String> {
    match part {
        Part::Heading(title) => vec![format!("{title}:")],
        Part::Text(text) => vec![text.clone()],
        Part::List { items, is_numbered } => {
            items.iter().enumerate().flat_map(|(n, one)| item(n, one, *is_numbered)).collect()
        }
        Part::Table { head, rows } => rows.iter().map(|row| line(head, row)).collect(),
    }
}

fn item(n: usize, item: &Item, is_numbered: bool) -> Vec<String> {
    let begin = if is_numbered { format!("{}. ", n + 1) } else { "- ".to_owned() };
    let mark = item.mark.as_ref().map(|mark| format!("{}: ", mark.word)).unwrap_or_default();
    let note = if item.note.is_empty() { String::new() } else { format!(" ({})", item.note.trim_end_matches('.')) };
    let first = format!("{begin}{mark}{}{note}", item.text);
    [first].into_iter().chain(item.commands.iter().map(|command| format!("   $ {command}"))).collect()
}

/// A row on one line: `Aligned: now 91 %, before 88 %, change +3 points, better`.
fn line(head: &[&str], row: &[Cell]) -> String {
    let mut cells = std::iter::zip(head, row);
    let first = cells.next().map_or("", |(_, cell)| cell.text.as_str());
    let told = |(name, cell): (&&str, &Cell)| match (name.is_empty(), cell.text.is_empty()) {
        (_, true) => None,
        (true, false) => Some(cell.text.clone()),
        (false, false) => Some(format!("{} {}", name.to_lowercase(), cell.text)),
    };
    let rest: Vec<String> = cells.filter_map(told).collect();
    format!("{first}: {}", rest.join(", "))
}
