//! `alignwatch check`

use std::{path::PathBuf, time::Duration};

use alignwatch_git::health::pool::Borrowing;
use alignwatch_model::{Severity, checks};
use clap::{Args, ValueEnum};

use super::{Global, forms, length::length};
use crate::{
    Exit, configuring,
    failure::Failure,
    judging::{self, Asked},
    output::{Format, human, json, junit, markdown, sarif},
    report::CheckReport,
    surroundings,
};

/// Inspect repositories once and print findings, worst first
///
/// Each finding says what is wrong, shows evidence and gives a command to paste,
/// with a word on whether it can be undone. What could not be seen is listed as
/// unknown with its reason; it is never counted as healthy.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch check                        this repository, without any configuration
  alignwatch check -v --only conflicting  one check with all it knows
  alignwatch check --format sarif . > alignwatch.sarif
  alignwatch check --fail-on warning ~/src/*
  alignwatch check --budget 2s            what can be said in two seconds
  alignwatch check --list                 all checks with their thresholds

Exit code 3 when there are findings at or above --fail-on.")]
pub(crate) struct Check {
    /// Repositories
    #[arg(default_value = ".", hide_default_value = true)]
    path: Vec<PathBuf>,
    /// List all checks and stop
    #[arg(long)]
    list: bool,
    /// Run only these checks
    #[arg(long, value_name = "ID,…", value_delimiter = ',', value_parser = check_id(), hide_possible_values = true)]
    only: Vec<String>,
    /// Run all checks: also those that read all objects, and those that ask the remotes
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// Leave these checks out
    #[arg(long, value_name = "ID,…", value_delimiter = ',', value_parser = check_id(), hide_possible_values = true)]
    skip: Vec<String>,
    /// Look for at most so long; the cheap looks come first, and what there was no time for is skipped
    #[arg(long, value_name = "TIME", value_parser = length)]
    budget: Option<Duration>,
    /// End with exit code 3 when there is a finding of this severity or worse
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t)]
    fail_on: FailOn,
    /// Answer in this form
    #[arg(long, value_name = "FORMAT", value_parser = forms(&FORMS))]
    format: Option<Format>,
    /// Measure all branches against this ref
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Show at most so many findings; 0 = all [default: what fits the terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// From which severity on findings are a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Info,
    Warning,
    #[default]
    Error,
    Critical,
    Never,
}

/// The forms in which it can answer.
const FORMS: [Format; 5] = [Format::Human, Format::Json, Format::Markdown, Format::Sarif, Format::Junit];
const FORMS_OF_LIST: [Format; 2] = [Format::Human, Format::Json];

/// Inspects, judges and prints.
pub(crate) fn run(global: &Global, asked: &Check) -> Result<Exit, Failure> {
    if asked.list {
        return list(global);
    }
    let form = global.form("check", &FORMS)?;
    let config = configuring::configure(global)?;
    let is_awaited = form == Format::Human;
    let borrowing = Borrowing::among(&asked.path);
    let how = Asked { borrowing: Some(&borrowing), ..asked.asked(is_awaited) };
    let check_one = |path: &PathBuf| judging::check_one(global, &config, how, path);
    let repositories = asked.path.iter().map(check_one).collect();
    let report = CheckReport { repositories, fail_on: asked.fail_on.severity(), limit: asked.limit };
    let answer = match form {
        // The list of forms has no HTML: the dashboard shows a check.
        Format::Human | Format::Html => human::check(&report, &surroundings::screen(global)),
        Format::Json => json::check(&report),
        Format::Markdown => markdown::check(&report),
        Format::Sarif => sarif::check(&report),
        Format::Junit => junit::check(&report),
    };
    surroundings::answer(answer.as_bytes())?;
    tell_failures(&report);
    Ok(report.exit())
}

fn list(global: &Global) -> Result<Exit, Failure> {
    let answer = match global.form("check --list", &FORMS_OF_LIST)? {
        Format::Json => json::check_list(checks::ALL),
        _ => human::check_list(checks::ALL, &surroundings::screen(global)),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}

/// The documents say in their way that a repository could not be read; a person is told here as well.
fn tell_failures(report: &CheckReport) {
    for checked in &report.repositories {
        if let Err(failure) = &checked.judgement {
            surroundings::talk(&failure.told());
        }
    }
}

impl Check {
    fn asked(&self, is_awaited: bool) -> Asked<'_> {
        Asked {
            only: &self.only,
            skip: &self.skip,
            expensive: self.all,
            network: self.all,
            base: self.base.as_deref(),
            budget: self.budget,
            is_awaited,
            borrowing: None,
        }
    }
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Info => Some(Severity::Info),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Error => Some(Severity::Error),
            FailOn::Critical => Some(Severity::Critical),
            FailOn::Never => None,
        }
    }
}

/// Ids of checks; clap suggests the nearest for a wrong one.
fn check_id() -> clap::builder::PossibleValuesParser {
    checks::ALL.iter().map(|rule| rule.id).collect::<Vec<_>>().into()
}
