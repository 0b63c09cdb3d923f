//! A report in Markdown: for issues, wikis and mails.

use super::{
    Report,
    sections::{Cell, Item, Part, Section, minute, sections, title},
};
use crate::escape::{markdown, markdown_block, markdown_code};

/// The report.
pub fn markdown_of(report: &Report) -> String {
    let mut text = format!("# alignwatch: {}\n\n", title(report));
    text.push_str(&format!("{}\n\n", prose(&report.headline)));
    text.push_str(&format!(
        "From {} to {} UTC. Health: **{}**.\n",
        minute(report.from),
        minute(report.until),
        report.status
    ));
    for Section { title, parts, .. } in sections(report) {
        text.push_str(&format!("\n## {}\n\n", markdown(&title)));
        let parts: Vec<String> = parts.iter().map(part).collect();
        text.push_str(&parts.join("\n"));
    }
    text
}

fn part(part: &Part) -> String {
    match part {
        Part::Heading(title) => format!("### {}\n", markdown(title)),
        Part::Text(text) => format!("{}\n", prose(text)),
        Part::List { items, is_numbered } => {
            items.iter().enumerate().map(|(n, one)| item(n, one, *is_numbered)).collect()
        }
        Part::Table { head, rows } => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let mut text = line(head.iter().map(|name| (*name).to_owned()).collect());
            let is_number = |n: usize| rows.first().is_some_and(|row| row.get(n).is_some_and(|cell| cell.is_number));
            let rule = |n: usize| if is_number(n) { "--:" } else { "---" }.to_owned();
            text.push_str(&line((0..head.len()).map(rule).collect()));
            rows.iter().for_each(|row| text.push_str(&line(row.iter().map(cell).collect())));
            text
        }
    }
}

fn item(n: usize, item: &Item, is_numbered: bool) -> String {
    let begin = if is_numbered { format!("{}. ", n + 1) } else { "- ".to_owned() };
    let mark = item.mark.as_ref().map(|mark| format!("**{}** ", markdown(&mark.word))).unwrap_or_default();
    let indent = " ".repeat(begin.len());
    let note = if item.note.is_empty() { String::new() } else { format!("  \n{indent}{}", prose(&item.note)) };
    let mut text = format!("{begin}{mark}{}{note}\n", prose(&item.text));
    if !item.commands.is_empty() {
        let block = markdown_block("sh", item.commands.iter().map(String::as_str));
        block.lines().for_each(|line| text.push_str(&format!("{indent}{line}\n")));
    }
    text
}

/// Cells hold names and numbers: what would be markup is text, and a bar does not end the cell.
fn cell(cell: &Cell) -> String {
    prose(&cell.text)
}

/// A sentence in which foreign names stand between backticks.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return within_a_line(&markdown(text));
    }
    let part = |(n, part): (usize, &str)| match n % 2 {
        1 => markdown_code(part).replace('|', "\\|"),
        _ => within_a_line(&markdown(part)),
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// Takes out escapes that only the begin of a line needs, and those of a colon that links and icons do not have.
fn within_a_line(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut chars = escaped.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek().copied();
        if char != '\\' || next.is_none() {
            text.push(char);
            continue;
        }
        let escaped = chars.next().unwrap_or_default();
        let is_after_number = text.ends_with(|char: char| char.is_ascii_digit());
        let is_begin = text.trim_start_matches(|char: char| char.is_ascii_digit()).is_empty();
        let is_plain = match escaped {
            ':' => chars.peek().is_none_or(|after| *after == ' '),
            '.' | '-' | '+' | '=' | ')' => is_after_number && !is_begin,
            _ => false,
        };
        if !is_plain {
            text.push('\\');
        }
        text.push(escaped);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_read_well_and_nothing_in_them_becomes_markup() {
        let written = |text: &str| prose(text);
        assert_eq!(written("2 runs (before: 1): 86.1 %, 2026-01-11"), "2 runs (before: 1): 86.1 %, 2026-01-11");
        assert_eq!(written("1. no list"), "1\\. no list");
        assert_eq!(written("https://x :smile: a\\: b"), "https\\://x \\:smile: a\\\\: b");
        assert_eq!(written("`a|b` is *not* bold"), "`a\\|b` is \\*not\\* bold");
    }
}
