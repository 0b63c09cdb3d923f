//! `alignwatch rules`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Known, Span, Timestamp,
    alert::{
        Policy,
        backtest::{Backtest, SHORT, backtest},
        export,
        rule::{Of, Rule},
        trial,
    },
    config::{Config, length_text, size_text},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape},
    surroundings,
};

/// See which rules make alerts, test them, and try them on the past
///
/// A file of tests says what is seen when, what people do, and which alerts and messages are expected then. It covers the
/// whole road of an alert: rules, grouping, silences, windows, escalation, channels that are down, restarts.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch rules list
  alignwatch rules test rules-test.yaml
  alignwatch rules export > alignwatch.rules.yml    for `promtool check rules` and a Prometheus
  alignwatch rules backtest conflict            how often it would have fired in the last four weeks
  alignwatch rules backtest far --days 90")]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The rules in force, built in and own
    List,
    /// Print them as a file of rules for a Prometheus
    Export,
    /// Run tests of rules from files
    Test {
        /// Files with tests, as docs/OPERATING.md describes them
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say how often a rule would have fired, by what the daemon remembers
    Backtest {
        /// Its name
        rule: String,
        /// How far back
        #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
}

/// The largest file of tests that is read. Source: ours; a thousand tests stay below a tenth of it.
const FILE_AT_MOST_BYTES: u64 = 4 << 20;

/// Lists.
pub(crate) fn run(global: &Global, asked: &RulesArgs) -> Result<Exit, Failure> {
    let form = global.form("rules", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let policy = Policy::of(&config);
    let text = match &asked.what {
        What::List => list(&policy, &idle(&config, &policy), form),
        What::Export => export::prometheus(&policy),
        What::Test { files } => return test(files, &config, form),
        What::Backtest { rule, days } => replay(&config, &policy, rule, *days, form)?,
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn test(files: &[PathBuf], config: &Config, form: Format) -> Result<Exit, Failure> {
    let (mut n_wrong, mut shown, mut text) = (0, Vec::new(), String::new());
    for file in files {
        let failed = |reason: String| Failure::usage(format!("cannot run `{}`: {reason}", file.display()));
        let trials = trial::parse(&read(file)?).map_err(failed)?;
        for (name, wrong) in trials.run(config).map_err(failed)? {
            n_wrong += usize::from(!wrong.is_empty());
            let word = if wrong.is_empty() { "ok" } else { "WRONG" };
            text.push_str(&format!("{word:<6} {}\n", escape::terminal(&name)));
            wrong.iter().for_each(|line| text.push_str(&format!("       {}\n", escape::terminal(line))));
            shown.push(json!({"file": file.display().to_string(), "test": name, "wrong": wrong}));
        }
    }
    let text = match form {
        Format::Json => escape::json(&json!({"schema": "alignwatch.rules-test/1", "tests": shown})),
        _ => text,
    };
    surroundings::answer(text.as_bytes())?;
    match n_wrong {
        0 => Ok(Exit::Fine),
        n => Err(Failure::could_not(format!("{n} of {} tests are not as expected", shown.len()))),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |reason: String| Failure::could_not(format!("cannot read `{}`: {reason}", file.display()));
    let length = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
    if FILE_AT_MOST_BYTES < length {
        return Err(failed(format!("it is larger than {}", size_text(FILE_AT_MOST_BYTES))));
    }
    std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))
}

fn replay(config: &Config, policy: &Policy, name: &str, days: u16, form: Format) -> Result<String, Failure> {
    let rule = policy.rule(name).ok_or_else(|| {
        Failure::usage(format!("there is no rule `{name}`")).hint("`alignwatch rules list` shows them")
    })?;
    if !matches!(rule.of, Of::Metric { .. } | Of::Findings { .. } | Of::BudgetBurns(_)) {
        let reason = format!("cannot replay `{name}`: what it looks for ({}) is not remembered", rule.of);
        return Err(Failure::could_not(reason));
    }
    let data_dir = configuring::data_dir(config)
        .ok_or_else(|| Failure::could_not("cannot replay anything: there is no data directory"))?;
    let to = surroundings::now();
    let from = Timestamp(to.0 - Span::days(days.into()).0);
    let failed = |reason| Failure::could_not(format!("cannot replay anything: {reason}"));
    let pasts = alerts::pasts(&data_dir, rule, from, to).map_err(failed)?;
    let objective = f64::from(config.serve.aligned_objective) / 100.0;
    let told = backtest(rule, &pasts, objective, (from, to), alerts::STEP);
    if form == Format::Json {
        return Ok(escape::json(&json!({"schema": "alignwatch.backtest/1", "rule": name, "result": told})));
    }
    Ok(told_of(name, &told, days))
}

fn told_of(name: &str, told: &Backtest, days: u16) -> String {
    let known = told.to.since(told.from);
    let basis = match told.reconstructed_until {
        Some(until) => format!("  until {until} by one number a week, as history tells it\n"),
        None => String::new(),
    };
    let Some(noise) = told.noise_ratio else {
        return format!("{name} would not have fired in the {known} that are remembered of {days} days\n{basis}");
    };
    let times = alignwatch_model::words::count(told.firings.len(), "time");
    let mut text = format!(
        "{name} would have fired {times} in the {known} that are remembered of {days} days: {}, {:.0} % of the time; {:.0} % of them over within {}\n{basis}",
        told.per_week
            .map_or_else(|| "too short to say how often a week".to_owned(), |often| format!("{often:.1} a week")),
        100.0 * told.firing_ratio,
        100.0 * noise,
        length_text(SHORT),
    );
    for firing in told.firings.iter().rev().take(FIRINGS_SHOWN) {
        let until = firing.until.map_or_else(|| "now".to_owned(), |until| until.to_string());
        let line = format!("{} to {until}  {}: {}", firing.from, firing.repository, firing.summary);
        text.push_str(&format!("  {}\n", escape::terminal(&line)));
    }
    if FIRINGS_SHOWN < told.firings.len() {
        text.push_str(&format!("  and {} before (--json shows all)\n", told.firings.len() - FIRINGS_SHOWN));
    }
    text
}

/// Firings that are shown, the newest first. Source: ours; what fits on a screen.
const FIRINGS_SHOWN: usize = 20;

/// Rules that match nothing for long, with since when.
type Idle = Known<BTreeMap<String, Timestamp>>;

/// As the store knows them.
fn idle(config: &Config, policy: &Policy) -> Idle {
    let now = surroundings::now();
    let Some(data_dir) = configuring::data_dir(config) else {
        return Known::Unknown("there is no data directory".to_owned());
    };
    Known::from_result(alerts::alerting(&data_dir, config, now)).map(|known| {
        let since = |rule: &Rule| Some((rule.name.clone(), known.book.matches_nothing_since(&rule.name, now)?));
        policy.rules.iter().filter_map(since).collect()
    })
}

fn list(policy: &Policy, idle: &Idle, form: Format) -> String {
    if form == Format::Json {
        let rules: Vec<Value> = policy.rules.iter().map(|rule| document(rule, idle)).collect();
        return escape::json(
            &json!({"schema": "alignwatch.rules/1", "rules": rules, "matches_unknown": idle.reason()}),
        );
    }
    let lines = policy.rules.iter().map(|rule| line(rule, idle));
    let unknown = idle.reason().map(|reason| format!("Whether they match anything is not known: {reason}\n"));
    lines.chain(unknown).collect()
}

fn document(rule: &Rule, idle: &Idle) -> Value {
    json!({
        "matches_nothing_since": idle.seen().and_then(|idle| idle.get(&rule.name)),
        "name": rule.name, "is_own": rule.is_own, "looks_for": rule.looks_for(), "severity": rule.severity,
        "for_seconds": rule.timing.hold.0, "keep_firing_for_seconds": rule.timing.keep_firing.0,
        "times": rule.timing.times, "of": rule.timing.of, "labels": rule.labels, "why": rule.why,
        "when": rule.when.as_ref().map(ToString::to_string), "annotations": rule.annotations,
    })
}

fn line(rule: &Rule, idle: &Idle) -> String {
    let whose = if rule.is_own { "own" } else { "built in" };
    let mut when = Vec::new();
    let timing = rule.timing;
    when.extend((0 < timing.hold.0).then(|| format!("for {}", length_text(timing.hold))));
    when.extend((0 < timing.keep_firing.0).then(|| format!("ends when well for {}", length_text(timing.keep_firing))));
    when.extend((1 < timing.times).then(|| format!("{} of the last {}", timing.times, timing.of)));
    let when = if when.is_empty() { "at once".to_owned() } else { when.join(", ") };
    let idle = idle
        .seen()
        .and_then(|idle| idle.get(&rule.name))
        .map(|since| format!("    matches nothing since {since}\n"))
        .unwrap_or_default();
    let text = format!("{} ({whose}; {when})\n    {}\n    why: {}\n{idle}", rule.name, rule.looks_for(), rule.why);
    text.lines().map(|line| format!("{}\n", escape::terminal(line))).collect()
}
