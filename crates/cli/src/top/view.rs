//! What the live view shows, and how keys change that.

use alignwatch_daemon::board::{Board, ROWS_AT_MOST, STATES_LISTED};
use alignwatch_model::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::rows::{self, Row};

/// The longest filter. Source: ours; no name that one types is longer.
const FILTER_AT_MOST: usize = 100;

/// A list that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Branches,
    Runs,
    Alerts,
    Tasks,
}

impl Tab {
    pub(crate) const ALL: [Tab; 4] = [Tab::Branches, Tab::Runs, Tab::Alerts, Tab::Tasks];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tab::Branches => "Branches",
            Tab::Runs => "Runs",
            Tab::Alerts => "Alerts",
            Tab::Tasks => "Tasks",
        }
    }

    fn place(self) -> usize {
        Tab::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }

    fn moved(self, by: usize) -> Tab {
        Tab::ALL[(self.place() + by) % Tab::ALL.len()]
    }
}

/// All that a screen is drawn from.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// What is known; `None` = nothing was read yet.
    pub(crate) board: Option<Board>,
    /// Where that comes from, in a few words.
    pub(crate) from: String,
    /// Why it is not newer.
    pub(crate) trouble: Option<String>,
    /// When it was read.
    pub(crate) read_at: Timestamp,
    pub(crate) tab: Tab,
    /// The row that is chosen, for each list.
    pub(super) chosen: [usize; 4],
    pub(crate) filter: String,
    pub(crate) is_typing: bool,
    pub(crate) shows_help: bool,
}

/// What a key asks for, besides another view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    Refresh,
    Quit,
}

impl View {
    /// The rows of the list, as far as the filter lets them through.
    pub(crate) fn rows(&self, tab: Tab, now: Timestamp) -> Vec<Row> {
        let Some(board) = &self.board else { return Vec::new() };
        let rows = rows::rows(board, tab, now);
        let wanted = self.filter.to_lowercase();
        rows.into_iter().filter(|row| wanted.is_empty() || row.holds(&wanted)).collect()
    }

    /// There are more branches than were read.
    pub(crate) fn is_cut(&self) -> bool {
        let Some(board) = &self.board else { return false };
        let n_of = |path: &str, state| {
            board.branches.iter().filter(|(of, branch)| of == path && branch.state == state).count()
        };
        board
            .repositories
            .iter()
            .any(|one| STATES_LISTED.into_iter().any(|state| n_of(&one.path, state) == ROWS_AT_MOST))
    }

    /// The row that is chosen, of so many.
    pub(crate) fn chosen(&self, n_rows: usize) -> usize {
        self.chosen[self.tab.place()].min(n_rows.saturating_sub(1))
    }

    /// Takes a key. `page`: rows that fit on the screen.
    pub(crate) fn key(&mut self, key: KeyEvent, page: usize, now: Timestamp) -> Asked {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Asked::Quit;
        }
        if self.is_typing {
            self.typed(key.code);
            return Asked::Nothing;
        }
        if self.shows_help {
            self.shows_help = false;
            return Asked::Nothing;
        }
        let n_rows = self.rows(self.tab, now).len();
        let at = self.chosen(n_rows);
        match key.code {
            KeyCode::Char('q') => return Asked::Quit,
            KeyCode::Esc if self.filter.is_empty() => return Asked::Quit,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('r') => return Asked::Refresh,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('?' | 'h') => self.shows_help = true,
            KeyCode::Char(digit @ '1'..='4') => self.tab = Tab::ALL[digit as usize - '1' as usize],
            KeyCode::Tab | KeyCode::Right => self.tab = self.tab.moved(1),
            KeyCode::BackTab | KeyCode::Left => self.tab = self.tab.moved(Tab::ALL.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(at + 1, n_rows),
            KeyCode::Up | KeyCode::Char('k') => self.choose(at.saturating_sub(1), n_rows),
            KeyCode::PageDown | KeyCode::Char(' ') => self.choose(at + page.max(1), n_rows),
            KeyCode::PageUp => self.choose(at.saturating_sub(page.max(1)), n_rows),
            KeyCode::Home | KeyCode::Char('g') => self.choose(0, n_rows),
            KeyCode::End | KeyCode::Char('G') => self.choose(n_rows, n_rows),
            _ => {}
        }
        Asked::Nothing
    }

    fn choose(&mut self, at: usize, n_rows: usize) {
        self.chosen[self.tab.place()] = at.min(n_rows.saturating_sub(1));
    }

    fn typed(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(char) if self.filter.chars().count() < FILTER_AT_MOST => self.filter.push(char),
            _ => {}
        }
    }
}
