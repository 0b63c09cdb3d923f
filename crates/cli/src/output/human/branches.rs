//! `branches` for people: a summary, then a table that fits the screen, the urgent ones first.

use std::borrow::Cow;

use alignwatch_model::{Branch, Landed, Relation, Snapshot, State, Status, Timestamp, Verdict};

use super::{footer::seconds, measured_against, short, states};
use crate::{
    output::{
        escape,
        layout::{count, thousands},
        style::{Screen, Tone, concern},
        table::{self, Cell, Column, Gives},
    },
    report::BranchesReport,
};

/// Even on a tiny screen a table has some rows; the rest scrolls.
const ROWS_AT_LEAST: usize = 8;

const COLUMNS: [Column; 8] = [
    Column { title: "state", gives: Gives::Nothing, is_number: false },
    Column { title: "branch", gives: Gives::Middle { reads_well: 28, at_least: 12 }, is_number: false },
    Column { title: "ahead", gives: Gives::Nothing, is_number: true },
    Column { title: "behind", gives: Gives::Nothing, is_number: true },
    Column { title: "idle", gives: Gives::Nothing, is_number: true },
    Column { title: "merge", gives: Gives::EndThenAll { at_least: 10, rank: 1 }, is_number: false },
    Column { title: "base", gives: Gives::EndThenAll { at_least: 6, rank: 3 }, is_number: false },
    Column { title: "note", gives: Gives::EndThenAll { at_least: 10, rank: 2 }, is_number: false },
];

/// The whole answer of `branches`.
pub fn branches(report: &BranchesReport, screen: &Screen) -> String {
    let snapshot = &report.snapshot;
    let mut lines = states(screen, snapshot);
    lines.extend(measured_against(screen, snapshot));
    let selected = report.selected();
    let limit = limit(report.selection.limit, screen, lines.len()).min(selected.len());
    if !selected.is_empty() {
        lines.push(String::new());
        let rows = rows(screen, snapshot, &selected[..limit]);
        lines.extend(table::lines(screen, &COLUMNS, &rows));
    }
    if selected.is_empty() {
        lines.push(String::new());
    }
    lines.push(closing(screen, report, limit, selected.len()));
    lines.join("\n") + "\n"
}

/// As many rows as fit below the summary, when somebody looks at a screen; all of them otherwise.
fn limit(asked: Option<usize>, screen: &Screen, rows_above: usize) -> usize {
    match (asked, screen.rows) {
        (Some(0), _) | (None, None) => usize::MAX,
        (Some(limit), _) => limit,
        // A blank, the head of the table, the closing line and the prompt need four.
        (None, Some(rows)) => rows.saturating_sub(rows_above + 4).max(ROWS_AT_LEAST),
    }
}

fn rows(screen: &Screen, snapshot: &Snapshot, shown: &[Cow<'_, Branch>]) -> Vec<Vec<Cell>> {
    let mut bases: Vec<_> = snapshot.watched().filter_map(|branch| Some(&branch.base.as_ref()?.name)).collect();
    bases.sort_unstable();
    bases.dedup();
    // With a single base the column would say the same on every row, and the summary has said it.
    let tells_base = bases.len() > 1;
    shown.iter().map(|branch| row(screen, branch, snapshot.seen_at, tells_base)).collect()
}

fn row(screen: &Screen, branch: &Branch, now: Timestamp, tells_base: bool) -> Vec<Cell> {
    let state = branch.state();
    let status = concern(state);
    let drift = branch.drift.seen();
    let number = |n: Option<u32>| Cell::plain(n.map_or("?".to_owned(), |n| thousands(n as usize)));
    let base = branch.base.as_ref().filter(|_| tells_base).map(|base| short(&base.name)).unwrap_or_default();
    vec![
        Cell::toned(Tone::Status(status), format!("{} {}", screen.symbol(status), state.word())),
        Cell::plain(short(&branch.name)),
        number(drift.map(|drift| drift.ahead)),
        number(drift.map(|drift| drift.behind)),
        Cell::plain(branch.idle_age(now).map_or("?".to_owned(), |age| age.to_string())),
        merge(branch, state),
        Cell::toned(Tone::Faint, base),
        Cell::toned(Tone::Faint, note(branch, now)),
    ]
}

/// Would it merge, and if it already has: how that is known.
fn merge(branch: &Branch, state: State) -> Cell {
    if let (State::Merged | State::SquashMerged | State::Continued | State::Reverted, Some(proof)) =
        (state, branch.proof())
    {
        return Cell::toned(Tone::Faint, proof.word());
    }
    match (state, branch.merge.verdict, &branch.merge.conflicts) {
        (State::Aligned | State::Behind | State::Merged | State::Unrelated, ..) => Cell::plain(""),
        (State::Unknown, ..) if !branch.has_diverged() => Cell::plain(""),
        (_, Verdict::Clean, _) => Cell::plain("clean"),
        (_, Verdict::Conflict, Some(paths)) => Cell::toned(Tone::Status(Status::Error), count(paths.len(), "file")),
        (_, Verdict::Conflict, None) => Cell::toned(Tone::Status(Status::Error), "conflict"),
        (_, Verdict::Unknown, _) => Cell::toned(Tone::Status(Status::Unknown), "unknown"),
    }
}

/// What else is worth knowing, the most important first.
fn note(branch: &Branch, now: Timestamp) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(branch.why_unknown().map(|reason| escape::terminal(reason).into_owned()));
    if let (Landed::Unknown(reason), None) = (&branch.landed, branch.drift.reason()) {
        notes.push(format!("landed? {}", escape::terminal(reason)));
    }
    if !matches!(branch.relation, Relation::Track) {
        notes.push(branch.relation.word().to_owned());
    }
    if let Some(n) = branch.markers.seen().map(Vec::len).filter(|&n| n > 0) {
        notes.push(format!("markers in {}", count(n, "file")));
    }
    if branch.drift.seen().is_some_and(|drift| drift.is_criss_cross()) {
        notes.push("criss-cross".to_owned());
    }
    if branch.upstream.as_ref().is_some_and(|upstream| upstream.gone) {
        notes.push("upstream gone".to_owned());
    }
    if branch.within_budget(now) == Some(false) {
        notes.push("over budget".to_owned());
    }
    notes.join(", ")
}

fn closing(screen: &Screen, report: &BranchesReport, shown: usize, selected: usize) -> String {
    let time = seconds(report.elapsed);
    let line = if selected == 0 {
        format!("no branch is as it was asked for {} {time}", screen.dot())
    } else if shown < selected {
        format!("{} {} more: --limit 0 {} {time}", screen.ellipsis(), thousands(selected - shown), screen.dot())
    } else {
        format!("{} {} {time}", count(selected, "branch"), screen.dot())
    };
    screen.paint(Tone::Faint, &line)
}
