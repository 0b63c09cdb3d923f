//! `alignwatch window`

use std::path::{Path, PathBuf};

use alignwatch_git::repository;
use alignwatch_model::{
    Span, Timestamp,
    calendar::calendar,
    config::{Config, parse_length},
    task::conflicts::{Conflict, conflicts},
    window::{ChangeWish, Opening, Wanted, Window},
};
use alignwatch_records::Openings;
use alignwatch_tasks::{
    ahead::jobs,
    by_id,
    journal::{Journal, Said},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape, layout::pad},
    surroundings,
};

/// Show maintenance windows and freezes, and what is in whose way
///
/// `check` holds windows, freezes, the fixed times of tasks and the expected alignment runs of the days to
/// come against each other, for each repository that is named or handed over (`maintenance.repositories`),
/// and names the next time at which there would be no conflict.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch window list              what there is, and what is open now
  alignwatch window next --n 5        the next five openings of each
  alignwatch window export > a.ics    a calendar of them; the daemon has it at /windows.ics
  alignwatch window check             what will be in each other's way in the next two weeks
  alignwatch window extend night 1h   the opening that is on lasts an hour longer
  alignwatch window end night         it is over now

Exit code 3 when `check` finds a conflict.")]
pub(crate) struct WindowArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show all windows and freezes, and whether each is open
    List,
    /// Show the next openings
    Next {
        /// So many of each
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
        n: u8,
    },
    /// Write the openings of the days to come as a calendar (iCalendar), which other programs read
    Export {
        /// So many days from now on
        #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
    },
    /// Make the opening of a window that is on longer
    Extend {
        /// The window
        name: String,
        /// How much longer
        #[arg(value_name = "TIME", value_parser = length)]
        by: Span,
        #[command(flatten)]
        asked: Asked,
    },
    /// End the opening of a window that is on
    End {
        /// The window
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show conflicts in the days to come
    Check {
        /// Repositories [default: those of `maintenance.repositories`, or all at once]
        path: Vec<PathBuf>,
        /// So many days from now on
        #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
    },
}

/// Who wants something, and why.
#[derive(Args, Debug)]
struct Asked {
    /// Who wants it [default: the name of this user]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

fn length(text: &str) -> Result<Span, String> {
    parse_length(text)
        .filter(|span| 0 < span.0)
        .ok_or_else(|| "it is not a length of time (write it like `1h`)".to_owned())
}

/// Lists or checks.
pub(crate) fn run(global: &Global, asked: &WindowArgs) -> Result<Exit, Failure> {
    let form = global.form("window", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let now = surroundings::now();
    match &asked.what {
        What::List => list(form, &config, now),
        What::Next { n } => next(form, &config, now, usize::from(*n)),
        What::Export { days } => {
            let text = calendar(&config.windows, now, Timestamp(now.0 + Span::days(*days).0));
            surroundings::answer(text.as_bytes())?;
            Ok(Exit::Fine)
        }
        What::Extend { name, by, asked } => change(form, &config, now, (name, Wanted::Longer(*by)), asked),
        What::End { name, asked } => change(form, &config, now, (name, Wanted::End), asked),
        What::Check { path, days } => check(form, &config, now, path, *days),
    }
}

/// Changes the opening that is on. It is on the disk, where the daemon and all commands see it, when this returns.
fn change(
    form: Format,
    config: &Config,
    now: Timestamp,
    (name, wanted): (&str, Wanted),
    asked: &Asked,
) -> Result<Exit, Failure> {
    let who = asked.who.clone().unwrap_or_else(|| std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()));
    let wish = ChangeWish { window: name.to_owned(), wanted, who, note: asked.note.clone() };
    let windows: Vec<Window> = windows(config).into_iter().map(|(window, _)| window).collect();
    let change = wish.change(&windows, now).map_err(Failure::could_not)?;
    let data_dir = configuring::data_dir(config).ok_or_else(|| {
        Failure::could_not("cannot note it: there is no data directory").hint("name one with `--data-dir DIR`")
    })?;
    Openings::of(&data_dir).note(&change, now).map_err(|error| Failure::caused_by(&error))?;
    let text = match form {
        Format::Json => escape::json(&json!({ "schema": "alignwatch.window_change/1", "change": change })),
        _ => format!("{}\n", escape::terminal(&change.words())),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn windows(config: &Config) -> Vec<(Window, String)> {
    let about = |repositories: &[String]| {
        if repositories.is_empty() { "all repositories".to_owned() } else { repositories.join(", ") }
    };
    config.windows.iter().filter_map(|rule| Some((rule.window().ok()?, about(&rule.repositories)))).collect()
}

fn list(form: Format, config: &Config, now: Timestamp) -> Result<Exit, Failure> {
    let windows = windows(config);
    let text = match form {
        Format::Json => {
            let one = |(window, about): &(Window, String)| {
                let (open, next) = (window.open_at(now), window.next_after(now));
                json!({
                    "name": window.name, "kind": window.purpose.word(), "about": about, "reason": window.reason,
                    "open": open.map(opening_json), "next": next.map(opening_json),
                    "unknown": window.doubt(), "waits_for_alerts_seconds": window.waits_for_alerts().map(|lasts| lasts.0),
                })
            };
            let all: Vec<Value> = windows.iter().map(one).collect();
            escape::json(&json!({ "schema": "alignwatch.windows/1", "windows": all }))
        }
        _ => {
            let mut text = String::new();
            for (window, about) in &windows {
                let state = state(window, now);
                let line = format!("{}  {}  {state}  ({about})", pad(window.purpose.word(), 11), pad(&window.name, 16));
                text.push_str(&format!("{}\n", escape::terminal(&line)));
            }
            if windows.is_empty() {
                text.push_str(
                    "there are no windows: tasks run when they are due; `windows` in the configuration makes some\n",
                );
            }
            text
        }
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

/// What there is to say of a window now.
fn state(window: &Window, now: Timestamp) -> String {
    let waits = window.waits_for_alerts().filter(|_| window.planned_at(now).is_some());
    match (window.doubt(), window.open_at(now), window.next_after(now)) {
        (Some(why), _, _) => format!("unknown: {why}"),
        (None, Some(open), _) => format!("open until {}", open.until),
        (None, None, _) if waits.is_some() => {
            format!("waits for an alert, then open for {}", waits.unwrap_or_default())
        }
        (None, None, Some(next)) => format!("opens {} for {}", next.from, next.until.since(next.from)),
        (None, None, None) => "over".to_owned(),
    }
}

fn opening_json(opening: Opening) -> Value {
    json!({ "from": opening.from, "until": opening.until })
}

fn next(form: Format, config: &Config, now: Timestamp, n: usize) -> Result<Exit, Failure> {
    let openings = |window: &Window| -> Vec<Opening> {
        std::iter::successors(window.next_after(now), |opening| window.next_after(opening.from)).take(n).collect()
    };
    let mut all: Vec<(Opening, Window)> = windows(config)
        .into_iter()
        .flat_map(|(window, _)| openings(&window).into_iter().map(move |one| (one, window.clone())))
        .collect();
    all.sort_by_key(|(opening, _)| (opening.from, opening.until));
    let text = match form {
        Format::Json => {
            let one = |(opening, window): &(Opening, Window)| json!({ "name": window.name, "kind": window.purpose.word(), "from": opening.from, "until": opening.until });
            escape::json(
                &json!({ "schema": "alignwatch.window_openings/1", "openings": all.iter().map(one).collect::<Vec<_>>() }),
            )
        }
        _ => {
            let line = |(opening, window): &(Opening, Window)| {
                let line = format!(
                    "{} to {}  {}  {}",
                    opening.from,
                    opening.until,
                    pad(window.purpose.word(), 11),
                    window.name
                );
                format!("{}\n", escape::terminal(&line))
            };
            if all.is_empty() { "no window opens again\n".to_owned() } else { all.iter().map(line).collect() }
        }
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn check(form: Format, config: &Config, now: Timestamp, paths: &[PathBuf], days: i64) -> Result<Exit, Failure> {
    let said = match configuring::data_dir(config) {
        Some(data_dir) => Journal::of(&data_dir).read().map_err(|error| Failure::caused_by(&error))?,
        None => Default::default(),
    };
    let named: Vec<PathBuf> = if paths.is_empty() { handed_over(config) } else { paths.to_vec() };
    let mut found: Vec<(String, Vec<Conflict>)> = Vec::new();
    for path in &named {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
        let id = repository::open(path).map(|opened| opened.id()).unwrap_or_default();
        found.push((whole.clone(), conflicts(config, &whole, &jobs(config, &said, &whole, &id), now, days)));
    }
    if named.is_empty() {
        found.push(("any repository".to_owned(), conflicts(config, "", &jobs(config, &said, "", ""), now, days)));
    }
    let n_found: usize = found.iter().map(|(_, conflicts)| conflicts.len()).sum();
    let text = match form {
        Format::Json => escape::json(&json!({
            "schema": "alignwatch.window_conflicts/1", "days": days,
            "repositories": found.iter().map(|(path, conflicts)| json!({ "path": path, "conflicts": conflicts })).collect::<Vec<_>>(),
        })),
        _ => told(&found, days),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(if n_found == 0 { Exit::Fine } else { Exit::Findings })
}

/// What whoever saves a configuration wants to know at once: rules for tasks that there are not, and conflicts ahead.
pub(crate) fn notes(config: &Config, now: Timestamp) -> Vec<String> {
    const DAYS: i64 = 14;
    let unknown = config.tasks.iter().enumerate().filter(|(_, rule)| by_id(&rule.name).is_none());
    let unknown =
        unknown.map(|(nth, rule)| format!("tasks[{nth}]: there is no task `{}`: `alignwatch task list`", rule.name));
    let paths: Vec<String> = config.maintenance.repositories.iter().cloned().chain([String::new()]).collect();
    let mut ahead: Vec<String> = paths
        .iter()
        .flat_map(|path| conflicts(config, path, &jobs(config, &Said::default(), path, ""), now, DAYS))
        .map(|conflict| format!("{}: first {}; `alignwatch window check` tells more", conflict.text, conflict.at))
        .collect();
    ahead.sort();
    ahead.dedup();
    unknown.chain(ahead).collect()
}

/// All repositories that were handed over, as far as their patterns find any.
pub(crate) fn handed_over(config: &Config) -> Vec<PathBuf> {
    let found =
        config.maintenance.repositories.iter().filter_map(|pattern| glob::glob(pattern).ok()).flatten().flatten();
    found.filter(|path| is_repository(path)).collect()
}

fn is_repository(path: &Path) -> bool {
    repository::open(path).is_ok()
}

fn told(found: &[(String, Vec<Conflict>)], days: i64) -> String {
    let mut text = String::new();
    for (path, conflicts) in found {
        text.push_str(&format!("{}\n", escape::terminal(path)));
        for conflict in conflicts {
            let more = if conflict.n_times == 1 { String::new() } else { format!(", {} times", conflict.n_times) };
            let free = conflict.free_at.map(|at| format!("; free: {at}")).unwrap_or_default();
            let line = format!("  {}: first {}{more}{free}", conflict.text, conflict.at);
            text.push_str(&format!("{}\n", escape::terminal(&line)));
        }
        if conflicts.is_empty() {
            text.push_str(&format!("  nothing is in each other's way in the next {days} days\n"));
        }
    }
    text
}
