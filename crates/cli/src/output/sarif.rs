//! SARIF 2.1.0, for code scanning: one run a repository, one rule a check, one result a finding.
//!
//! The fingerprint of a result is the finding's key, so that the same cause is
//! the same alert tomorrow. Checks that could not judge become notifications of
//! the run; they are no results, and the run says so.

use alignwatch_model::{
    Evidence, Finding, Severity, Status,
    checks::{ALL, Check},
};
use serde_json::{Value, json};

use super::escape;
use crate::report::{CheckReport, CheckResult, Checked, Judgement};

/// The document of `check`.
pub fn check(report: &CheckReport) -> String {
    let runs: Vec<_> = report.repositories.iter().map(run).collect();
    escape::json(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    }))
}

fn run(checked: &Checked) -> Value {
    match &checked.judgement {
        Ok(judgement) => judged(judgement),
        Err(failure) => {
            let failed = json!({ "level": "error", "message": message(&failure.message) });
            json!({
                "tool": { "driver": driver(&[]) },
                "invocations": [{ "executionSuccessful": false, "toolExecutionNotifications": [failed] }],
                "results": [],
            })
        }
    }
}

fn judged(judgement: &Judgement) -> Value {
    let rules: Vec<_> = judgement.checks.iter().map(|result| result.check).collect();
    let results: Vec<_> = judgement.findings().iter().map(|finding| result(finding, &rules)).collect();
    let notifications: Vec<_> = judgement.undecided().map(|result| notification(result, &rules)).collect();
    json!({
        "tool": { "driver": driver(&rules) },
        "automationDetails": { "id": format!("alignwatch/{}/", judgement.snapshot.repository.id) },
        "invocations": [{
            "executionSuccessful": true,
            "endTimeUtc": judgement.snapshot.seen_at,
            "toolExecutionNotifications": notifications,
        }],
        "results": results,
    })
}

fn driver(rules: &[&Check]) -> Value {
    let rules = if rules.is_empty() { ALL } else { rules };
    json!({
        "name": "alignwatch",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.iter().map(|rule| self::rule(rule)).collect::<Vec<_>>(),
    })
}

fn rule(check: &Check) -> Value {
    json!({
        "id": check.id,
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": check.why },
        "help": { "text": format!("Looks at: {}", check.looks_at) },
    })
}

fn result(finding: &Finding, rules: &[&Check]) -> Value {
    json!({
        "ruleId": finding.check,
        "ruleIndex": index(finding.check, rules),
        "level": level(finding.severity),
        "message": message(&told(finding)),
        "locations": [location(finding)],
        "partialFingerprints": { "alignwatchKey/v1": finding.key },
        "properties": {
            "severity": finding.severity,
            "subject": finding.subject,
            "evidence": finding.evidence,
            "threshold": finding.threshold,
            "remedy": finding.remedy,
        },
    })
}

/// All that a person needs, since scanners show the message and hide the properties.
fn told(finding: &Finding) -> String {
    let mut told = finding.summary.clone();
    for more in [&finding.impact, &finding.remedy.text] {
        if !more.is_empty() {
            told.push_str(". ");
            told.push_str(more);
        }
    }
    told
}

/// A file where the evidence names one, else the repository itself: scanners want a place for every result.
fn location(finding: &Finding) -> Value {
    let (path, line) = place(&finding.evidence).unwrap_or((".".to_owned(), 1));
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&path), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": line },
        },
        "logicalLocations": [{ "fullyQualifiedName": finding.subject }],
    })
}

fn place(evidence: &Evidence) -> Option<(String, u64)> {
    let line = |fields: &Evidence| fields.get("line").and_then(Value::as_u64).filter(|&line| line > 0).unwrap_or(1);
    let path = |fields: &Evidence| fields.get("path").and_then(Value::as_str).map(str::to_owned);
    let first_file = evidence.get("files").and_then(|files| files.get(0)).and_then(Value::as_object);
    let fields = if evidence.contains_key("path") { Some(evidence) } else { first_file };
    fields.and_then(|fields| Some((path(fields)?, line(fields))))
}

/// A relative path as a URI: everything but unreserved characters and slashes in percent.
fn uri(path: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped = |byte: u8| if keep(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
    path.trim_start_matches('/').bytes().map(escaped).collect()
}

fn notification(result: &CheckResult, rules: &[&Check]) -> Value {
    let reason = result.reason.as_deref().unwrap_or("no reason given");
    json!({
        "level": "warning",
        "message": message(&format!("{} could not judge all: {reason}", result.check.id)),
        "associatedRule": { "id": result.check.id, "index": index(result.check.id, rules) },
    })
}

fn index(id: &str, rules: &[&Check]) -> Option<usize> {
    rules.iter().position(|rule| rule.id == id)
}

fn message(text: &str) -> Value {
    json!({ "text": escape::sarif(text) })
}

fn level(severity: Severity) -> &'static str {
    match Status::from(severity) {
        Status::Critical | Status::Error => "error",
        Status::Warning => "warning",
        _ => "note",
    }
}
