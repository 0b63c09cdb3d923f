//! What `doctor` says of the installation.

use serde_json::{Value, json};

use super::{Collector, Material, redact::Redactor};

/// Examinations of the installation.
pub(super) static COLLECTOR: Collector =
    Collector { name: "installation", holds: "what doctor says of the installation", collect };

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let examinations = material.report.installation.iter().map(|one| {
        let findings = one.told.findings.iter().map(|finding| {
            json!({
                "key": redactor.text(&finding.key),
                "severity": finding.severity,
                "summary": redactor.text(&finding.summary),
            })
        });
        json!({
            "id": one.examination.id,
            "status": one.status().word(),
            "says": redactor.text(&one.told.says),
            "unknown": one.told.unknown.as_deref().map(|reason| redactor.text(reason)),
            "findings": findings.collect::<Vec<_>>(),
        })
    });
    Ok(Value::Array(examinations.collect()))
}
