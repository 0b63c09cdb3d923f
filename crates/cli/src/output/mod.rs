//! The documents: one file for each form. All are pure functions from a report to text.
//!
//! Foreign text enters a document through [`escape`] and nowhere else.

pub mod escape;
pub mod human;
pub mod json;
pub mod junit;
pub mod layout;
pub mod markdown;
pub mod progress;
pub mod sarif;
pub mod style;
pub mod table;

/// The forms in which a command can answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, on a terminal
    #[default]
    Human,
    /// For programs; see docs/schema
    Json,
    /// For issues, pull requests and job summaries
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for continuous integration
    Junit,
    /// One file for a browser, a mail or paper
    Html,
}

impl Format {
    /// Its word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Format::Human => "human",
            Format::Json => "json",
            Format::Markdown => "markdown",
            Format::Sarif => "sarif",
            Format::Junit => "junit",
            Format::Html => "html",
        }
    }
}
