//! Draws the live view: a pure function from the view to a frame. Eighty columns and twenty-four lines are enough.

use alignwatch_model::{Status, Timestamp, record::GONE, words::count};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span as Piece},
    widgets::{Cell, Clear, Paragraph, Row as Line1, Table, TableState, Wrap},
};

use super::{
    rows::{Row, called, head},
    view::{Tab, View},
};
use crate::output::{escape::terminal, style::Screen};

/// Lines besides those of the list: two above, the head, two of detail, the keys.
const OTHER_LINES: u16 = 6;

/// Narrower or lower, nothing useful can be read.
const LEAST: (u16, u16) = (40, 10);

const KEYS: &str = "q quit  1-4 ←→ list  ↑↓ PgUp PgDn move  / filter  r read again  ? help";
const KEYS_ASCII: &str = "q quit  1-4 list  j k PgUp PgDn move  / filter  r read again  ? help";

const HELP: &str = "\
 1 2 3 4, Tab, Left, Right   branches, runs, alerts, tasks
 Up, Down, j, k              the row before, the next one
 PgUp, PgDn, Home, End       a page; the first, the last
 /                           type what a row must hold; Enter keeps, Esc drops it
 r                           read again now; otherwise every two seconds
 q, Esc, Ctrl-C              quit

 Nothing is changed here. `alignwatch alert ack`, `alignwatch task run` and the
 dashboard do that. Any key goes back.";

/// Rows of the list that fit.
pub(crate) fn page(height: u16) -> usize {
    usize::from(height.saturating_sub(OTHER_LINES))
}

/// Draws all of it.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View, look: &Screen, now: Timestamp) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new("alignwatch top needs 40 x 10").wrap(Wrap { trim: true }), area);
        return;
    }
    let [top, tabs, list, detail, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(2),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(summary(view, look, now)), top);
    frame.render_widget(Paragraph::new(tab_line(view, look, now)), tabs);
    let rows = view.rows(view.tab, now);
    draw_list(frame, list, view, &rows, look);
    let told = rows.get(view.chosen(rows.len())).map_or("", |row| row.detail.as_str());
    frame.render_widget(Paragraph::new(told.to_owned()).wrap(Wrap { trim: true }).style(faint(look)), detail);
    frame.render_widget(Paragraph::new(key_line(view, look)).style(faint(look)), keys);
    if view.shows_help {
        draw_help(frame, area);
    }
}

/// How all of it is, where it comes from, and how old it is.
fn summary(view: &View, look: &Screen, now: Timestamp) -> Line<'static> {
    let Some(board) = &view.board else {
        let told = view.trouble.as_deref().unwrap_or("reading …");
        return Line::from(format!("alignwatch: {}", terminal(told)));
    };
    let n = |words: &[&str]| board.repositories.iter().filter(|one| words.contains(&one.status.as_str())).count();
    let parts = [
        (n(&["critical"]), Status::Critical, "critical"),
        (n(&["error"]), Status::Error, "error"),
        (n(&[GONE]), Status::Error, GONE),
        (n(&["unknown"]), Status::Unknown, "unknown"),
        (n(&["warning"]), Status::Warning, "warning"),
        (n(&["ok", "info", "skipped"]), Status::Ok, "ok"),
    ];
    let mut line = vec![Piece::raw(match &board.repositories[..] {
        [one] => called(&one.path),
        all => count(all.len(), "repository"),
    })];
    for (n, status, word) in parts.into_iter().filter(|(n, ..)| 0 < *n) {
        line.push(Piece::raw("  "));
        line.push(Piece::styled(format!("{} {n} {word}", look.symbol(status)), style(status, look)));
    }
    let old = now.since(view.read_at);
    line.push(Piece::styled(format!("  {} · {old} old", view.from), faint(look)));
    let trouble = view.trouble.iter().chain(&board.troubles).next();
    line.extend(trouble.map(|text| Piece::styled(format!("  {}", terminal(text)), style(Status::Error, look))));
    Line::from(line)
}

fn tab_line(view: &View, look: &Screen, now: Timestamp) -> Line<'static> {
    let mut line = Vec::new();
    for (n, tab) in Tab::ALL.into_iter().enumerate() {
        let n_rows = view.rows(tab, now).len();
        // Of ten thousand branches only those are read that need somebody first.
        let more = if tab == Tab::Branches && view.is_cut() { "+" } else { "" };
        let text = format!(" {} {} {n_rows}{more} ", n + 1, tab.name());
        let style = if tab == view.tab { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        line.push(Piece::styled(text, style));
    }
    if view.is_typing || !view.filter.is_empty() {
        let cursor = if view.is_typing { "_" } else { "" };
        line.push(Piece::styled(format!("  /{}{cursor}", terminal(&view.filter)), style(Status::Info, look)));
    }
    Line::from(line)
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, view: &View, rows: &[Row], look: &Screen) {
    let columns = head(view.tab);
    if rows.is_empty() {
        let told = match (&view.board, view.filter.is_empty()) {
            (None, _) => "",
            (_, false) => "Nothing holds that.",
            (_, true) => nothing(view.tab),
        };
        frame.render_widget(Paragraph::new(format!("\n  {told}")), area);
        return;
    }
    // The first column has the symbol, so that no colour is needed.
    let widths = columns.iter().map(|(_, width)| match width {
        0 => Constraint::Min(12),
        width => Constraint::Length(*width),
    });
    // What is least needed goes first on a narrow screen.
    let n_shown = if area.width < 70 { columns.len() - 1 } else { columns.len() };
    let names = columns.iter().take(n_shown).map(|(name, _)| Cell::from(*name));
    let line = |row: &Row| {
        let cell = |(n, text): (usize, &String)| match n {
            0 => Cell::from(format!("{} {text}", look.symbol(row.status))).style(style(row.status, look)),
            _ => Cell::from(text.clone()),
        };
        Line1::new(row.cells.iter().take(n_shown).enumerate().map(cell).collect::<Vec<_>>())
    };
    let table = Table::new(rows.iter().map(line), widths.take(n_shown).collect::<Vec<_>>())
        .header(Line1::new(names).style(faint(look).add_modifier(Modifier::UNDERLINED)))
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(view.chosen(rows.len()));
    frame.render_stateful_widget(table, area, &mut state);
}

/// What is said where a list is empty.
fn nothing(tab: Tab) -> &'static str {
    match tab {
        Tab::Branches => "No branch needs anybody.",
        Tab::Runs => "No alignment run was reported yet.",
        Tab::Alerts => "No alert fires.",
        Tab::Tasks => "No task ran yet.",
    }
}

fn key_line(view: &View, look: &Screen) -> &'static str {
    match (view.is_typing, look.unicode) {
        (true, _) => "type what a row must hold   Enter keep   Esc drop",
        (false, true) => KEYS,
        (false, false) => KEYS_ASCII,
    }
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let lines = HELP.lines().count() as u16;
    let [_, middle, _] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(lines + 2), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Clear, middle);
    frame.render_widget(Paragraph::new(format!("\n{HELP}")), middle);
}

fn faint(look: &Screen) -> Style {
    if look.colour { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
}

/// The colours of other screens; without colour, words and symbols say it.
fn style(status: Status, look: &Screen) -> Style {
    if !look.colour {
        return Style::new();
    }
    match status {
        Status::Critical => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Status::Error => Style::new().fg(Color::Red),
        Status::Warning => Style::new().fg(Color::Yellow),
        Status::Info => Style::new().fg(Color::Cyan),
        Status::Unknown => Style::new().fg(Color::Magenta),
        Status::Ok => Style::new(),
        Status::Skipped => Style::new().add_modifier(Modifier::DIM),
    }
}
