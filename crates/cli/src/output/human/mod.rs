//! For people on a terminal: what is wrong, how bad, and what to type, on one screen.

use alignwatch_model::{RefName, snapshot::Line};

use super::{
    escape,
    layout::{count, thousands, wrap, wrap_into},
    style::{Screen, Tone, concern},
};
use crate::report::{BY_CONCERN, ByState};

mod block;
mod branches;
mod check;
mod evidence;
mod footer;
mod remedy;

pub use branches::branches;
pub use check::{check, check_list};

/// Columns before the text of a finding: a symbol, the longest word for a severity, a blank.
const INDENT: usize = 11;

/// The name of a ref as people say it, harmless.
fn short(name: &RefName) -> String {
    escape::terminal(&name.short().text()).into_owned()
}

/// Branches by state, the ones that need a person first, on as many lines as it takes.
fn states(screen: &Screen, counts: &ByState) -> Vec<String> {
    let total: usize = counts.values().sum();
    let opening = format!("{}: ", count(total, "branch"));
    let dot = format!(" {} ", screen.dot());
    let mut lines = vec![opening.clone()];
    let mut used = opening.chars().count();
    let mut is_first = true;
    for state in BY_CONCERN {
        let n = counts.get(&state).copied().unwrap_or(0);
        if n == 0 {
            continue;
        }
        let text = format!("{} {}", thousands(n), state.word());
        if !is_first && used + 3 + text.chars().count() > screen.width {
            lines.push("  ".to_owned());
            used = 2;
            is_first = true;
        }
        let last = lines.last_mut().expect("there is always a line to write on");
        if !is_first {
            last.push_str(&dot);
            used += 3;
        }
        used += text.chars().count();
        last.push_str(&screen.paint(Tone::Status(concern(state)), &text));
        is_first = false;
    }
    if total == 0 {
        return vec!["no branches".to_owned()];
    }
    lines
}

/// What everything was measured against and how that was found.
///
/// A screen gets two lines of it, or one when it is small, since repositories
/// with many release lines would fill it; `-v` shows all.
fn measured_against(screen: &Screen, lines: &[Line]) -> Vec<String> {
    if lines.is_empty() {
        return vec!["no primary line was found: nothing was measured".to_owned()];
    }
    let told: Vec<_> = lines.iter().map(found).collect();
    let text = format!("measured against {}", and(&told));
    let lines = match screen.rows.filter(|_| screen.verbose == 0) {
        Some(rows) => wrap_into(screen, &text, if rows < ROWS_OF_A_SMALL_SCREEN { 1 } else { 2 }),
        None => wrap(&text, screen.width),
    };
    lines.iter().map(|line| screen.paint(Tone::Faint, line)).collect()
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
