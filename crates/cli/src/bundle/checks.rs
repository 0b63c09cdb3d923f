//! What the checks say of each repository.

use alignwatch_model::Finding;
use serde_json::{Value, json};

use super::{
    Collector, Material,
    redact::{Kind, Redactor},
};
use crate::report::{CheckResult, Checked};

/// Results of all checks.
pub(super) static COLLECTOR: Collector =
    Collector { name: "checks", holds: "what the checks say of each repository", collect };

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let repositories = material.report.checked.repositories.iter().map(|checked| repository(checked, redactor));
    Ok(Value::Array(repositories.collect()))
}

fn repository(checked: &Checked, redactor: &Redactor) -> Value {
    let path = redactor.name(Kind::Repository, &checked.path);
    let status = checked.status().word();
    match &checked.judgement {
        Err(failure) => json!({ "repository": path, "status": status, "reason": redactor.text(&failure.message) }),
        Ok(judgement) => json!({
            "repository": path,
            "status": status,
            "elapsed_seconds": checked.elapsed.as_secs_f64(),
            "checks": judgement.checks.iter().map(|result| check(result, redactor)).collect::<Vec<_>>(),
            "findings": judgement.findings().into_iter().map(|one| finding(one, redactor)).collect::<Vec<_>>(),
        }),
    }
}

fn check(result: &CheckResult, redactor: &Redactor) -> Value {
    json!({
        "id": result.check.id,
        "status": result.status.word(),
        "reason": result.reason.as_deref().map(|reason| redactor.text(reason)),
        "elapsed_seconds": result.elapsed.as_secs_f64(),
    })
}

fn finding(finding: &Finding, redactor: &Redactor) -> Value {
    json!({
        "check": finding.check,
        "key": redactor.text(&finding.key),
        "severity": finding.severity,
        "summary": redactor.text(&finding.summary),
        "threshold": finding.threshold.as_ref().map(|threshold| json!({
            "value": redactor.value(&threshold.value),
            "source": redactor.text(&threshold.source),
        })),
        "evidence": redactor.value(&Value::Object(finding.evidence.clone())),
    })
}
