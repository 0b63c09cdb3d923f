//! A report in HTML: one file without anything beside it, for a screen, a mail and paper.
//!
//! All foreign text is escaped by [`crate::escape::xml`], which also shows what would hide.

use super::{
    Report,
    sections::{Cell, Item, Mark, Part, Section, minute, sections, title, tone},
};
use crate::escape::xml;

/// What the file looks like. No address stands in it, so that nothing is fetched.
const STYLE: &str = include_str!("report.css");

/// The report as a file of its own.
pub fn file(report: &Report) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>alignwatch: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main class=\"report\">\n{}</main>\n</body>\n</html>\n",
        xml(&title(report)),
        inner(report)
    )
}

/// The report as a part of a page that has its own frame and style.
pub fn inner(report: &Report) -> String {
    let mut page = format!(
        "<header class=\"report-head\"><h1>{}</h1><p class=\"facts\">{} to {} UTC · {}</p></header>\n<p class=\"headline\">{}</p>\n",
        xml(&title(report)),
        minute(report.from),
        minute(report.until),
        mark(&Mark { word: report.status.clone(), tone: tone(&report.status) }),
        prose(&report.headline)
    );
    for Section { id, title, parts } in sections(report) {
        page.push_str(&format!("<section aria-labelledby=\"h-{id}\"><h2 id=\"h-{id}\">{}</h2>\n", xml(&title)));
        parts.iter().for_each(|one| page.push_str(&part(one)));
        page.push_str("</section>\n");
    }
    page
}

fn part(part: &Part) -> String {
    match part {
        Part::Heading(title) => format!("<h3>{}</h3>\n", xml(title)),
        Part::Text(text) => format!("<p>{}</p>\n", prose(text)),
        Part::List { items, is_numbered } => {
            let tag = if *is_numbered { "ol" } else { "ul" };
            let items: String = items.iter().map(item).collect();
            format!("<{tag} class=\"told\">\n{items}</{tag}>\n")
        }
        Part::Table { head, rows } => table(head, rows),
    }
}

fn table(head: &[&str], rows: &[Vec<Cell>]) -> String {
    let is_number = |n: usize| rows.first().is_some_and(|row| row.get(n).is_some_and(|cell| cell.is_number));
    let class = |n: usize| if is_number(n) { " class=\"number\"" } else { "" };
    let name = |(n, name): (usize, &&str)| match name.is_empty() {
        true => "<td></td>".to_owned(),
        false => format!("<th scope=\"col\"{}>{}</th>", class(n), xml(name)),
    };
    let head: String = head.iter().enumerate().map(name).collect();
    let rows: String = rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row))).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"grid small\"><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn cells(row: &[Cell]) -> String {
    let cell = |(n, cell): (usize, &Cell)| {
        let class = if cell.is_number { " class=\"number\"" } else { "" };
        let inner = match cell.tone {
            "" => prose(&cell.text),
            tone => mark(&Mark { word: cell.text.clone(), tone }),
        };
        if n == 0 { format!("<th scope=\"row\"{class}>{inner}</th>") } else { format!("<td{class}>{inner}</td>") }
    };
    row.iter().enumerate().map(cell).collect()
}

fn item(item: &Item) -> String {
    let word = item.mark.as_ref().map(|word| format!("{} ", mark(word))).unwrap_or_default();
    let note = if item.note.is_empty() { String::new() } else { format!("<br><small>{}</small>", prose(&item.note)) };
    let commands: String = item
        .commands
        .iter()
        .map(|command| format!("<pre tabindex=\"0\"><code>{}</code></pre>", xml(command)))
        .collect();
    format!("<li>{word}{}{note}{commands}</li>\n", prose(&item.text))
}

/// Its colour, and its word for those who see none.
fn mark(mark: &Mark) -> String {
    format!("<span class=\"word {}\">{}</span>", mark.tone, xml(&mark.word))
}

/// A sentence in which foreign names stand between backticks: they become code.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return xml(text);
    }
    let part = |(n, part): (usize, &str)| if n % 2 == 1 { format!("<code>{}</code>", xml(part)) } else { xml(part) };
    parts.into_iter().enumerate().map(part).collect()
}
