//! JUnit XML, for continuous integration: one suite a repository, one case a check.
//!
//! A check fails when it found something at or above `--fail-on`, so that the
//! report and the exit code say the same. Milder findings stand in the output of
//! the case. A check that could not judge, or did not look, is `skipped` with its
//! reason, which begins with `unknown:` where it could not: so it never counts as
//! passed, and fails no build by itself. A repository that could not be read is an error.

use std::fmt::Write as _;

use alignwatch_model::Finding;

use super::escape::xml;
use crate::report::{CheckReport, CheckResult, Checked};

/// The document of `check`.
pub fn check(report: &CheckReport) -> String {
    let suites: String = report.repositories.iter().map(|checked| suite(checked, report)).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"alignwatch\">\n{suites}</testsuites>\n")
}

fn suite(checked: &Checked, report: &CheckReport) -> String {
    let cases: Vec<Case> = match &checked.judgement {
        Ok(judgement) => judgement.checks.iter().map(|result| case(result, report)).collect(),
        Err(failure) => vec![Case::broken(&failure.message, checked.elapsed.as_secs_f64())],
    };
    let n = |kind| cases.iter().filter(|case| case.kind == kind).count();
    let timestamp = checked.judgement.as_ref().ok().map(|judgement| judgement.snapshot.seen_at.rfc3339());
    // The schema wants local time without a zone; ours is UTC.
    let timestamp = timestamp.map(|at| format!(" timestamp=\"{}\"", xml(at.trim_end_matches('Z')))).unwrap_or_default();
    let mut text = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.6}\"{timestamp}>\n",
        xml(&checked.path),
        cases.len(),
        n(Kind::Failed),
        n(Kind::Broken),
        n(Kind::Skipped),
        checked.elapsed.as_secs_f64(),
    );
    for case in &cases {
        text.push_str(&case.told(&checked.path));
    }
    text.push_str("  </testsuite>\n");
    text
}

struct Case {
    name: String,
    seconds: f64,
    kind: Kind,
    message: String,
    details: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Failed,
    Skipped,
    Broken,
}

fn case(result: &CheckResult, report: &CheckReport) -> Case {
    let failures: Vec<_> = result.findings.iter().filter(|finding| report.is_failure(finding)).collect();
    let (kind, message) = match (failures.first(), &result.reason) {
        (Some(first), _) => (Kind::Failed, first.summary.clone()),
        (None, Some(reason)) if result.status == alignwatch_model::Status::Skipped => (Kind::Skipped, reason.clone()),
        (None, Some(reason)) => (Kind::Skipped, format!("unknown: {reason}")),
        (None, None) => (Kind::Passed, String::new()),
    };
    let details = result.findings.iter().flat_map(lines).collect();
    Case { name: result.check.id.to_owned(), seconds: result.elapsed.as_secs_f64(), kind, message, details }
}

fn lines(finding: &Finding) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", finding.severity, finding.summary)];
    lines.extend((!finding.remedy.text.is_empty()).then(|| finding.remedy.text.clone()));
    let labelled = |(command, looks): (&String, &bool)| format!("  {}: {command}", if *looks { "see" } else { "fix" });
    lines.extend(finding.remedy.commands.iter().zip(&finding.remedy.only_looks).map(labelled));
    lines
}

impl Case {
    fn broken(message: &str, seconds: f64) -> Case {
        Case {
            name: "inspection".to_owned(),
            seconds,
            kind: Kind::Broken,
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    fn told(&self, path: &str) -> String {
        // Details are escaped line by line, so that the only newlines are ours.
        let details: Vec<_> = self.details.iter().map(|line| xml(line)).collect();
        let details = details.join("\n");
        let message = xml(&self.message);
        let mut text = format!(
            "    <testcase classname=\"alignwatch.{}\" name=\"{}\" time=\"{:.6}\"",
            xml(path),
            xml(&self.name),
            self.seconds
        );
        let body = match self.kind {
            Kind::Failed => format!("<failure type=\"finding\" message=\"{message}\">{details}</failure>"),
            Kind::Broken => format!("<error type=\"unreadable\" message=\"{message}\"/>"),
            Kind::Skipped => format!("<skipped message=\"{message}\"/>"),
            Kind::Passed if details.is_empty() => String::new(),
            Kind::Passed => format!("<system-out>{details}</system-out>"),
        };
        // Writing to a String cannot fail.
        let _ = match body.is_empty() {
            true => writeln!(text, "/>"),
            false => writeln!(text, ">\n      {body}\n    </testcase>"),
        };
        text
    }
}
