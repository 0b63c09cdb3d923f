//! A table that fits its screen: columns shrink, then go, in the order they are less needed.
//!
//! In a file or a pipe nothing is cut: there, whole names are worth more than straight edges.

use super::{
    layout::{cut, cut_middle, width},
    style::{Screen, Tone},
};

/// A column.
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// How it gives way when the screen is narrow.
    pub gives: Gives,
    /// Numbers stand at the right edge.
    pub is_number: bool,
}

/// How a column gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Keeps its width.
    Nothing,
    /// Is cut in the middle: down to what reads well, then, when nothing else can give way, to the least.
    Middle {
        /// Columns that read well.
        reads_well: usize,
        /// The least width that still says something.
        at_least: usize,
    },
    /// Is cut at its end, down to so many columns; the highest rank goes altogether, first.
    EndThenAll {
        /// The least width that still says something.
        at_least: usize,
        /// The higher, the sooner it goes.
        rank: u8,
    },
}

/// A field of the table.
pub struct Cell {
    /// Its text, already harmless.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
}

/// Blanks between columns.
const GAP: usize = 2;

impl Gives {
    fn at_least(self) -> Option<usize> {
        match self {
            Gives::Nothing => None,
            Gives::Middle { at_least, .. } | Gives::EndThenAll { at_least, .. } => Some(at_least),
        }
    }

    fn reads_well(self) -> Option<usize> {
        match self {
            Gives::Middle { reads_well, .. } => Some(reads_well),
            _ => None,
        }
    }
}

impl Cell {
    /// Ordinary text.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone: Tone::Plain }
    }

    /// Text in a tone.
    pub fn toned(tone: Tone, text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone }
    }
}

/// The lines of the table, its head first. A column that is empty in all rows is left out.
pub fn lines(screen: &Screen, columns: &[Column], rows: &[Vec<Cell>]) -> Vec<String> {
    let widths = fit(screen, columns, natural_widths(columns, rows));
    let head: Vec<_> = columns.iter().map(|column| Cell::toned(Tone::Faint, column.title)).collect();
    std::iter::once(&head).chain(rows).map(|row| line(screen, columns, &widths, row)).collect()
}

fn natural_widths(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<usize> {
    let widest = |at: usize| rows.iter().map(|row| width(&row[at].text)).max().unwrap_or(0);
    let with_title = |(at, column): (usize, &Column)| match widest(at) {
        0 => 0,
        cells => cells.max(width(column.title)),
    };
    columns.iter().enumerate().map(with_title).collect()
}

/// Leaves out as few columns as it can, and then cuts as little as it can.
fn fit(screen: &Screen, columns: &[Column], mut natural: Vec<usize>) -> Vec<usize> {
    if screen.rows.is_none() {
        return natural;
    }
    loop {
        let mut widths = natural.clone();
        let at_ends = |gives| matches!(gives, Gives::EndThenAll { .. });
        shrink(screen, columns, &mut widths, at_ends, Gives::at_least);
        shrink(screen, columns, &mut widths, |gives| !at_ends(gives), Gives::reads_well);
        if total(&widths) <= screen.width {
            return widths;
        }
        let Some(at) = least_needed(columns, &natural) else {
            shrink(screen, columns, &mut widths, |_| true, Gives::at_least);
            return widths;
        };
        natural[at] = 0;
    }
}

/// Takes from the columns that may give, from the richest first, until all fit or none has more to give.
fn shrink(
    screen: &Screen,
    columns: &[Column],
    widths: &mut [usize],
    may_give: impl Fn(Gives) -> bool,
    least: impl Fn(Gives) -> Option<usize>,
) {
    while let Some(excess) = total(widths).checked_sub(screen.width).filter(|&excess| excess > 0) {
        let slack = |at: usize| {
            let at_least = least(columns[at].gives).filter(|_| may_give(columns[at].gives))?;
            let slack = widths[at].checked_sub(at_least.max(width(columns[at].title)))?;
            (slack > 0).then_some((at, slack))
        };
        let Some((at, slack)) = (0..columns.len()).filter_map(slack).max_by_key(|&(_, slack)| slack) else { return };
        widths[at] -= slack.min(excess);
    }
}

fn least_needed(columns: &[Column], widths: &[usize]) -> Option<usize> {
    let rank = |at: usize| match columns[at].gives {
        Gives::EndThenAll { rank, .. } if widths[at] > 0 => Some(rank),
        _ => None,
    };
    (0..columns.len()).filter(|&at| rank(at).is_some()).max_by_key(|&at| rank(at))
}

fn total(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|&&width| width > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

fn line(screen: &Screen, columns: &[Column], widths: &[usize], row: &[Cell]) -> String {
    let mut line = String::new();
    let shown = columns.iter().zip(widths).zip(row).filter(|((_, width), _)| **width > 0);
    let mut missing = 0;
    for ((column, &columns_wide), cell) in shown {
        let text = match column.gives {
            Gives::Middle { .. } => cut_middle(screen, &cell.text, columns_wide),
            _ => cut(screen, &cell.text, columns_wide),
        };
        let blanks = columns_wide.saturating_sub(width(&text));
        let (before, behind) = if column.is_number { (blanks, 0) } else { (0, blanks) };
        // Blanks are written only when something follows, so that no line ends in them.
        if !text.is_empty() {
            line.push_str(&" ".repeat(missing + before));
            line.push_str(&screen.paint(cell.tone, &text));
            missing = 0;
        } else {
            missing += before;
        }
        missing += behind + GAP;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Column; 3] {
        [
            Column { title: "branch", gives: Gives::Middle { reads_well: 16, at_least: 8 }, is_number: false },
            Column { title: "behind", gives: Gives::Nothing, is_number: true },
            Column { title: "note", gives: Gives::EndThenAll { at_least: 6, rank: 1 }, is_number: false },
        ]
    }

    fn shown(width: usize, rows: Option<usize>) -> String {
        let screen = Screen { width, rows, colour: false, unicode: true, verbose: 0 };
        let row = |cells: [&str; 3]| cells.map(Cell::plain).into_iter().collect::<Vec<_>>();
        let rows = [row(["feature/one-15936782", "1,531", "two merge bases"]), row(["x", "7", ""])];
        lines(&screen, &columns(), &rows).join("\n")
    }

    #[test]
    fn columns_give_way_in_the_order_they_are_less_needed() {
        assert_eq!(
            shown(80, Some(24)),
            "branch                behind  note\nfeature/one-15936782   1,531  two merge bases\nx                          7"
        );
        assert_eq!(
            shown(38, Some(24)),
            "branch                behind  note\nfeature/one-15936782   1,531  two mer…\nx                          7"
        );
        assert_eq!(
            shown(33, Some(24)),
            "branch             behind  note\nfeature/on…936782   1,531  two m…\nx                       7"
        );
        assert_eq!(
            shown(30, Some(24)),
            "branch                behind\nfeature/one-15936782   1,531\nx                          7"
        );
        assert_eq!(shown(20, Some(24)), "branch        behind\nfeature…6782   1,531\nx                  7");
    }

    #[test]
    fn in_a_pipe_nothing_is_cut() {
        assert!(shown(20, None).contains("feature/one-15936782   1,531  two merge bases"));
    }
}
