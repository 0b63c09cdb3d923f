//! For people on a terminal: what is wrong, how bad, and what to type, on one screen.

use alignwatch_model::{
    Look, RefName, Snapshot, State,
    snapshot::{Line, MissingBase},
};

use super::{
    escape,
    layout::{count, thousands, width, wrap, wrap_into},
    style::{Screen, Tone, concern},
};
use crate::report;

mod alerts;
mod block;
mod branches;
mod check;
mod doctor;
mod evidence;
mod explain;
mod footer;
mod remedy;
mod trends;

pub use alerts::alerts;
pub use branches::branches;
pub use check::{check, check_list};
pub use doctor::{doctor, journal};
pub use explain::explain;

/// Columns before the text of a finding: a symbol, the longest word for a severity, a blank.
const INDENT: usize = 11;

/// The name of a ref as people say it, harmless.
fn short(name: &RefName) -> String {
    escape::terminal(&name.short().text()).into_owned()
}

/// Branches by state, the ones that need a person first, on as many lines as it takes.
fn states(screen: &Screen, snapshot: &Snapshot) -> Vec<String> {
    if let Some(reason) = snapshot.looks.missing(Look::History) {
        return wrap(&format!("branches were not looked at: {}", escape::terminal(reason)), screen.width);
    }
    let mut lines = watched(screen, snapshot);
    let n_ignored = snapshot.n_ignored();
    if 0 < n_ignored {
        let told = format!("{} not looked at: ignored by the configuration", count(n_ignored, "branch"));
        lines.extend(wrap(&told, screen.width).iter().map(|line| screen.paint(Tone::Faint, line)));
    }
    lines
}

fn watched(screen: &Screen, snapshot: &Snapshot) -> Vec<String> {
    let counts = report::by_state(snapshot);
    let total: usize = counts.values().sum();
    if total == 0 {
        return vec!["no branches".to_owned()];
    }
    // States that nobody asked to judge would all be unknown, which says nothing.
    if snapshot.looks.missing(Look::Merges).is_some() {
        return vec![opening(snapshot, total).trim_end_matches(": ").to_owned()];
    }
    let present = State::BY_CONCERN.into_iter().filter(|state| counts[state] > 0);
    let states = present.map(|state| (state, format!("{} {}", thousands(counts[&state]), state.word())));
    let dot = format!(" {} ", screen.dot());
    let mut lines = vec![opening(snapshot, total)];
    let (mut used, mut is_first) = (width(&lines[0]), true);
    for (state, text) in states {
        if !is_first && used + width(&dot) + width(&text) > screen.width {
            lines.push("  ".to_owned());
            (used, is_first) = (2, true);
        }
        let before = if is_first { "" } else { &dot };
        used += width(before) + width(&text);
        let painted = screen.paint(Tone::Status(concern(state)), &text);
        lines.last_mut().expect("there is always a line to write on").push_str(&format!("{before}{painted}"));
        is_first = false;
    }
    lines
}

fn opening(snapshot: &Snapshot, total: usize) -> String {
    match report::n_in_use(snapshot) {
        in_use if in_use == total => format!("{}: ", count(total, "branch")),
        in_use => format!("{}, {} in use: ", count(total, "branch"), thousands(in_use)),
    }
}

/// What everything was measured against and how that was found.
///
/// A screen gets two lines of it, or one when it is small; when the reasons do
/// not fit there, only the names stand, and `-v` shows all.
fn measured_against(screen: &Screen, snapshot: &Snapshot) -> Vec<String> {
    if snapshot.looks.missing(Look::History).is_some() {
        return Vec::new();
    }
    let missing = snapshot.missing_bases.iter().flat_map(|base| wrap(&not_there(base), screen.width));
    let missing: Vec<String> = missing.collect();
    let lines = &snapshot.lines;
    if lines.is_empty() {
        let found = if missing.is_empty() { "no primary line was found: " } else { "" };
        return missing.into_iter().chain([format!("{found}nothing was measured")]).collect();
    }
    let told =
        |found: fn(&Line) -> String| format!("measured against {}", and(&lines.iter().map(found).collect::<Vec<_>>()));
    let in_full = wrap(&told(found), screen.width);
    let at_most = match screen.rows.filter(|_| screen.verbose == 0) {
        Some(rows) if rows < ROWS_OF_A_SMALL_SCREEN => 1,
        Some(_) => 2,
        None => usize::MAX,
    };
    let shown = if in_full.len() <= at_most { in_full } else { wrap_into(screen, &told(named), at_most) };
    shown.iter().map(|line| screen.paint(Tone::Faint, line)).chain(missing).collect()
}

fn not_there(base: &MissingBase) -> String {
    let name = escape::terminal(&base.name);
    format!("not measured against {name} ({}): {}", base.key, escape::terminal(&base.reason))
}

/// The classic terminal has 24 rows, and there each counts.
const ROWS_OF_A_SMALL_SCREEN: usize = 30;

/// `a`, `a and b`, `a, b and c`.
fn and(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn found(line: &Line) -> String {
    let because = escape::terminal(&line.because);
    if line.confidence >= 1.0 {
        return format!("{} ({because})", short(&line.name));
    }
    format!("{} ({because}, {:.2})", short(&line.name), line.confidence)
}

fn named(line: &Line) -> String {
    if line.confidence >= 1.0 { short(&line.name) } else { format!("{} ({:.2})", short(&line.name), line.confidence) }
}
