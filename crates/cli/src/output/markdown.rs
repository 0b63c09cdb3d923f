//! Markdown for issues, pull requests and job summaries.
//!
//! Foreign text stands in code spans, fences or escaped, so that no name can
//! become a heading, a link, HTML, or a mention of somebody.

use std::fmt::Write as _;

use alignwatch_model::{
    Branch, Evidence, Finding, Look, Remedy, Snapshot, State, Status, Timestamp, Verdict,
    snapshot::{Line, MissingBase},
};
use serde_json::Value;

use super::{
    escape::{self, markdown, markdown_block, markdown_cell, markdown_code},
    layout::{count, thousands},
};
use crate::report::{self, BranchesReport, CheckReport, Checked, Judgement};

/// Names in one list before the rest is counted: a report is read, not searched.
const ITEMS_AT_MOST: usize = 10;

/// The document of `check`.
pub fn check(report: &CheckReport) -> String {
    let sections: Vec<_> = report.repositories.iter().map(|checked| repository(checked, report)).collect();
    sections.join("\n")
}

/// The document of `branches`.
pub fn branches(report: &BranchesReport) -> String {
    let snapshot = &report.snapshot;
    let selected = report.selected();
    let limit = report.selection.limit.filter(|&limit| limit > 0).unwrap_or(selected.len());
    let mut text = format!("# Branches of {}\n\n{}\n", markdown_code(&snapshot.repository.path), summary(snapshot));
    text.push_str("| state | branch | ahead | behind | idle | merge | base |\n");
    text.push_str("|---|---|--:|--:|--:|---|---|\n");
    for branch in selected.iter().take(limit) {
        text.push_str(&row(branch, snapshot.seen_at));
    }
    if limit < selected.len() {
        put(&mut text, format_args!("\n{} more.\n", thousands(selected.len() - limit)));
    }
    text
}

fn row(branch: &Branch, now: Timestamp) -> String {
    let number = |n: Option<u32>| n.map_or("?".to_owned(), |n| thousands(n as usize));
    let drift = branch.drift.seen();
    let cells = [
        branch.state().word().to_owned(),
        markdown_cell(&branch.name.short().text()),
        number(drift.map(|drift| drift.ahead)),
        number(drift.map(|drift| drift.behind)),
        branch.idle_age(now).map_or("?".to_owned(), |age| age.to_string()),
        merge(branch),
        branch.base.as_ref().map_or_else(String::new, |base| markdown_cell(&base.name.short().text())),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn merge(branch: &Branch) -> String {
    if let Some(proof) = branch.proof() {
        return format!("landed: {}", proof.word());
    }
    match (branch.merge.verdict, &branch.merge.conflicts) {
        (Verdict::Clean, _) => "clean".to_owned(),
        (Verdict::Conflict, Some(paths)) => format!("conflict in {}", count(paths.len(), "file")),
        (Verdict::Conflict, None) => "conflict".to_owned(),
        (Verdict::Unknown, _) => "unknown".to_owned(),
    }
}

fn repository(checked: &Checked, report: &CheckReport) -> String {
    let mut text = format!("# {}: {}\n\n", markdown_code(&checked.path), checked.status().word());
    match &checked.judgement {
        Ok(judgement) => judged(&mut text, judgement, report),
        Err(failure) => put(&mut text, format_args!("Could not be inspected: {}\n", markdown(&failure.message))),
    }
    text
}

fn judged(text: &mut String, judgement: &Judgement, report: &CheckReport) {
    text.push_str(&summary(&judgement.snapshot));
    let findings = judgement.findings();
    let limit = report.limit.filter(|&limit| limit > 0).unwrap_or(findings.len());
    at_a_glance(text, &findings[..limit.min(findings.len())]);
    for finding in findings.iter().take(limit) {
        put(text, format_args!("\n## {}: {}\n\n", finding.severity, markdown(&finding.summary)));
        told(text, finding);
    }
    if limit < findings.len() {
        put(text, format_args!("\n{} more findings.\n", findings.len() - limit));
    }
    checks(text, judgement);
}

fn at_a_glance(text: &mut String, findings: &[&Finding]) {
    if findings.is_empty() {
        text.push_str("\nNothing found.\n");
        return;
    }
    text.push_str("\n| severity | finding | check |\n|---|---|---|\n");
    for finding in findings {
        let summary = markdown(&finding.summary);
        put(text, format_args!("| {} | {summary} | {} |\n", finding.severity, markdown_cell(finding.check)));
    }
}

fn told(text: &mut String, finding: &Finding) {
    if !finding.impact.is_empty() {
        put(text, format_args!("{}\n\n", markdown(&finding.impact)));
    }
    for line in evidence(&finding.evidence) {
        put(text, format_args!("- {line}\n"));
    }
    if let Some(threshold) = &finding.threshold {
        put(text, format_args!("- threshold: {} ({})\n", value(&threshold.value), markdown(&threshold.source)));
    }
    remedy(text, &finding.remedy);
    put(text, format_args!("\n<sub>check {}</sub>\n", markdown_code(finding.check)));
}

/// The words, and the commands: those that only look apart from those that change something.
fn remedy(text: &mut String, remedy: &Remedy) {
    if !remedy.text.is_empty() {
        put(text, format_args!("\n{}\n", markdown(&remedy.text)));
    }
    let undo = if remedy.reversible == Some(false) { "**cannot be undone**" } else { "can be undone" };
    let commands: Vec<(&str, bool)> =
        remedy.commands.iter().map(String::as_str).zip(remedy.only_looks.iter().copied()).collect();
    for alike in commands.chunk_by(|one, next| one.1 == next.1) {
        let lead = if alike[0].1 { "See".to_owned() } else { format!("Fix ({undo})") };
        let block = markdown_block("sh", alike.iter().map(|(command, _)| *command));
        put(text, format_args!("\n{lead}:\n\n{block}\n"));
    }
}

/// A line for each fact; the number of a list stands beside its name.
fn evidence(evidence: &Evidence) -> Vec<String> {
    let total = |name: &str| evidence.get(&format!("n_{name}")).and_then(Value::as_u64);
    let is_a_total =
        |name: &str| name.strip_prefix("n_").is_some_and(|of| evidence.get(of).is_some_and(Value::is_array));
    let line = |(name, fact): (&String, &Value)| {
        let n = total(name).filter(|_| fact.is_array()).map(|n| format!(" ({n})")).unwrap_or_default();
        format!("{}{n}: {}", markdown(&name.replace('_', " ")), value(fact))
    };
    evidence.iter().filter(|(name, _)| !is_a_total(name)).map(line).collect()
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => markdown_code(text),
        Value::Array(items) => {
            let shown = items.iter().take(ITEMS_AT_MOST).map(self::value).collect::<Vec<_>>().join(", ");
            let more = items.len().saturating_sub(ITEMS_AT_MOST);
            if more > 0 { format!("{shown}, {more} more") } else { shown }
        }
        Value::Object(_) => markdown_code(&value.to_string()),
    }
}

fn summary(snapshot: &Snapshot) -> String {
    if let Some(reason) = snapshot.looks.missing(Look::History) {
        return format!("branches were not looked at: {}\n", markdown(reason));
    }
    let counts = report::by_state(snapshot);
    let total: usize = counts.values().sum();
    let present = State::BY_CONCERN.into_iter().filter(|state| counts[state] > 0);
    let told: Vec<_> = present.map(|state| format!("{} {}", thousands(counts[&state]), state.word())).collect();
    let lines: Vec<_> = snapshot.lines.iter().map(line).collect();
    let against = if lines.is_empty() { "no primary line was found".to_owned() } else { lines.join(", ") };
    let ignored = match snapshot.n_ignored() {
        0 => String::new(),
        n => format!("  \n{} not looked at: ignored by the configuration", count(n, "branch")),
    };
    let missing = snapshot.missing_bases.iter().map(not_there).collect::<String>();
    let states = markdown(&told.join(", "));
    format!("{}: {states}{ignored}  \nmeasured against: {against}{missing}\n", count(total, "branch"))
}

fn not_there(base: &MissingBase) -> String {
    let name = markdown_code(&base.name);
    format!("  \nnot measured against {name} ({}): {}", markdown(&base.key), markdown(&base.reason))
}

fn line(line: &Line) -> String {
    let name = markdown_code(&line.name.short().text());
    format!("{name} ({}, {:.2})", markdown(&line.because), line.confidence)
}

/// Every check that could not judge or did not look; those that are fine are counted.
fn checks(text: &mut String, judgement: &Judgement) {
    let with_reason: Vec<_> = judgement.checks.iter().filter(|result| result.reason.is_some()).collect();
    let fine = judgement.with_status(Status::Ok).count();
    put(text, format_args!("\n{} ok.\n", count(fine, "check")));
    if with_reason.is_empty() {
        return;
    }
    text.push_str("\n| check | status | reason |\n|---|---|---|\n");
    for result in with_reason {
        let reason = escape::markdown_cell(result.reason.as_deref().unwrap_or_default());
        put(text, format_args!("| {} | {} | {reason} |\n", markdown_cell(result.check.id), result.status));
    }
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(words);
}
