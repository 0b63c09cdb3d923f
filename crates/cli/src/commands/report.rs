//! `alignwatch report`

use std::path::{Path, PathBuf};

use alignwatch_model::{
    Timestamp,
    config::Config,
    report::{self, Held, Period, Times, html, letter, markdown, session},
};
use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use serde_json::Value;

use super::{Global, forms};
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape, layout::wrap},
    surroundings,
};

/// Report on a period: health, numbers against the period before, what to do
///
/// Made from what the daemon kept: what was aligned, lost or nearly lost, alerts and how much of them
/// was noise, what maintenance did, where numbers lead, and five things to do. Time in which nobody
/// looked is unknown: it counts neither as good nor as bad, and the report says how much it was.
/// `reports` in the configuration sends one by itself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch report                                        the last week, here
  alignwatch report --period month --format html -o r.html one file, for a browser, a mail or paper
  alignwatch report --format markdown                      for an issue or a wiki
  alignwatch report --json --compat monitoring-session     in the five parts of a monitoring session")]
pub(crate) struct Report {
    /// Only on these repositories [default: all that are watched]
    path: Vec<PathBuf>,
    /// How much time: 24 hours, 7, 30 or 91 days
    #[arg(long, value_name = "PERIOD", default_value = "week",
        value_parser = PossibleValuesParser::new(Period::ALL.map(Period::word)))]
    period: String,
    /// When the period ended, such as 2026-11-28T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Answer in this form
    #[arg(long, value_name = "FORMAT",
        value_parser = forms(&[Format::Human, Format::Json, Format::Markdown, Format::Html]))]
    format: Option<Format>,
    /// Write it to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With --format json: in another shape
    #[arg(long, value_name = "SHAPE", value_enum)]
    compat: Option<Compat>,
}

/// Shapes of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compat {
    /// The five parts of a monitoring session
    MonitoringSession,
}

/// Makes the report.
pub(crate) fn run(global: &Global, asked: &Report) -> Result<Exit, Failure> {
    let form = global.form("report", &[Format::Human, Format::Json, Format::Markdown, Format::Html])?;
    if asked.compat.is_some() && form != Format::Json {
        return Err(Failure::usage("--compat is about JSON").hint("write --format json"));
    }
    let config = configuring::configure(global)?;
    let now = surroundings::now();
    let times = times(asked, &config, now)?;
    let held = held(&config, &asked.path, &times)?;
    let text = written(form, asked, &held, &config, times);
    match &asked.output {
        Some(path) => write(path, &text)?,
        None => surroundings::answer(text.as_bytes())?,
    }
    Ok(Exit::Fine)
}

fn times(asked: &Report, config: &Config, now: Timestamp) -> Result<Times, Failure> {
    let period = Period::from_word(&asked.period).unwrap_or(Period::Week);
    let until = match &asked.until {
        // What was seen within this second belongs to it.
        None => return Ok(Times::of(period, Timestamp(now.0 + 1), &config.store, now)),
        Some(text) => end(text, now).ok_or_else(|| {
            Failure::usage(format!("cannot read `{}` as a time", escape::terminal(text)))
                .hint("write a day (2026-11-28), a time (2026-11-28T06:00:00Z), `today`, `yesterday` or `last-week`")
        })?,
    };
    if now < until {
        return Err(Failure::usage(format!("cannot report on what is to come: {until} lies ahead")));
    }
    Ok(Times::of(period, until, &config.store, now))
}

/// The end of the report: where the named day begins, in UTC; `last-week` ends where this week began, on Monday.
fn end(text: &str, now: Timestamp) -> Option<Timestamp> {
    let today = Timestamp(now.0 - now.0.rem_euclid(DAY));
    // 1970 began on a Thursday.
    let days_since_monday = (today.0 / DAY + 3).rem_euclid(7);
    match text {
        "today" => Some(today),
        "yesterday" => Some(Timestamp(today.0 - DAY)),
        "last-week" => Some(Timestamp(today.0 - days_since_monday * DAY)),
        _ => Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z"))),
    }
}

const DAY: i64 = 86_400;

/// What is known of these times, of these repositories; without any, of all that are watched.
pub(crate) fn held(config: &Config, paths: &[PathBuf], times: &Times) -> Result<Held, Failure> {
    let data_dir = configuring::data_dir(config).ok_or_else(|| {
        Failure::could_not("cannot report on anything: there is no data directory").hint("name one: --data-dir DIR")
    })?;
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let wanted: Vec<String> = paths.iter().map(|path| absolute(path).to_string_lossy().into_owned()).collect();
    let is_about = |path: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == path);
    let held = alignwatch_daemon::reporting::held(&data_dir, times, &is_about).map_err(|reason| {
        Failure::could_not(format!("cannot report on anything: {reason}"))
            .hint("`alignwatch serve` watches and remembers")
    })?;
    match paths.first().filter(|_| held.repositories.is_empty()) {
        None => Ok(held),
        Some(path) => {
            let path = escape::terminal(&path.to_string_lossy()).into_owned();
            Err(Failure::could_not(format!("cannot report on `{path}`: it was never watched"))
                .hint("`alignwatch report` without a path reports on all that are"))
        }
    }
}

fn written(form: Format, asked: &Report, held: &Held, config: &Config, times: Times) -> String {
    let report = report::report(held, config, times);
    match form {
        Format::Html => html::file(&report),
        Format::Markdown => markdown::markdown_of(&report),
        Format::Json if asked.compat.is_some() => escape::json(&session(held, config, &times)),
        Format::Json => escape::json(&report),
        _ => human(&letter::letter(&report, "report")),
    }
}

/// The report in the five parts of a monitoring session.
pub(crate) fn session(held: &Held, config: &Config, times: &Times) -> Value {
    let tasks: Vec<&str> = alignwatch_tasks::ALL.iter().map(|task| task.id).collect();
    session::session(&report::report(held, config, *times), held, config, times, &tasks)
}

/// For a terminal: each line within its width.
fn human(letter: &letter::Letter) -> String {
    /// Columns: a line that is longer is hard to read.
    const WIDTH: usize = 100;
    let mut text = format!("{}\n\n", escape::terminal(&letter.title));
    for line in letter.lines() {
        let line = escape::terminal(&line);
        let indent = line.len() - line.trim_start().len();
        for (n, part) in wrap(line.trim_start(), WIDTH - indent).iter().enumerate() {
            let more = if n == 0 { 0 } else { 2 };
            text.push_str(&format!("{}{part}\n", " ".repeat(indent + more)));
        }
    }
    text
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::could_not(format!("cannot write the report to {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_can_be_named() {
        // A Sunday.
        let now = Timestamp::parse("2026-11-29T17:00:00Z").unwrap();
        let told = |text: &str| end(text, now).map(|at| at.rfc3339());
        for (text, expected) in [
            ("today", "2026-11-29T00:00:00Z"),
            ("yesterday", "2026-11-28T00:00:00Z"),
            ("last-week", "2026-11-23T00:00:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z"),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(told("last month"), None);
    }
}
