//! How things look: tones, symbols and the screen that they are drawn on.
//!
//! Nothing is said by colour alone: each severity and state has its word and its
//! symbol. The palette works without telling red from green: trouble is red or
//! yellow, facts are cyan, what is not known is magenta, and what is well is plain.

use alignwatch_model::{Severity, State, Status};
use anstyle::{AnsiColor, Style};

/// What is written on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Lines, when somebody sees them all at once; `None` when it is a file or a pipe.
    pub rows: Option<usize>,
    /// Escape sequences for colour are understood and wanted.
    pub colour: bool,
    /// Characters beyond ASCII can be shown.
    pub unicode: bool,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// The name of the thing that the screen is about.
    Title,
    /// Of less importance.
    Faint,
    /// To be typed.
    Command,
    /// As bad as this, or as well.
    Status(Status),
}

impl Screen {
    /// The text in its tone. Widths must be computed before: colour has none.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let style = style(tone);
        if !self.colour || text.is_empty() || style == Style::new() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }

    /// Is there room for columns that are good to have?
    pub fn is_wide(&self) -> bool {
        self.width >= 110
    }

    /// The symbol of a status: a different shape for each, one column wide.
    pub fn symbol(&self, status: Status) -> &'static str {
        let (unicode, ascii) = match status {
            Status::Critical => ("◆", "#"),
            Status::Error => ("✗", "x"),
            Status::Unknown => ("?", "?"),
            Status::Warning => ("▲", "!"),
            Status::Info => ("●", "i"),
            Status::Skipped => ("○", "-"),
            Status::Ok => ("✓", "+"),
        };
        self.either(unicode, ascii)
    }

    /// What stands where something was left out.
    pub fn ellipsis(&self) -> &'static str {
        self.either("…", "...")
    }

    /// What stands between things in a line.
    pub fn dot(&self) -> &'static str {
        self.either("·", "|")
    }

    fn either(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }
}

/// How much a state asks for attention, as the status whose tone and symbol it borrows.
pub fn concern(state: State) -> Status {
    match state {
        State::Conflicting | State::Reverted => Status::Error,
        State::Continued | State::Unrelated => Status::Warning,
        State::Unknown => Status::Unknown,
        State::Diverged | State::Behind => Status::Info,
        State::Aligned => Status::Ok,
        State::Merged | State::SquashMerged => Status::Skipped,
    }
}

/// The tone of a severity.
pub fn tone_of(severity: Severity) -> Tone {
    Tone::Status(severity.into())
}

fn style(tone: Tone) -> Style {
    let coloured = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match tone {
        Tone::Plain | Tone::Status(Status::Ok) => Style::new(),
        Tone::Title => Style::new().bold(),
        Tone::Faint | Tone::Status(Status::Skipped) => Style::new().dimmed(),
        Tone::Command => coloured(AnsiColor::Cyan),
        Tone::Status(Status::Critical) => coloured(AnsiColor::Red).bold().invert(),
        Tone::Status(Status::Error) => coloured(AnsiColor::Red).bold(),
        Tone::Status(Status::Warning) => coloured(AnsiColor::Yellow),
        Tone::Status(Status::Info) => coloured(AnsiColor::Cyan),
        Tone::Status(Status::Unknown) => coloured(AnsiColor::Magenta),
    }
}
