//! An examination of the installation, by its id or by the key of its finding.

use super::{Explanation, Kind, World};
use crate::installation;

/// Examinations of `doctor`.
pub(super) static KIND: Kind = Kind { word: "examination", names, explain };

fn names(world: &World<'_>) -> Vec<String> {
    let ids = installation::ALL.iter().map(|examination| examination.id.to_owned());
    let keys = world.installation.iter().flat_map(|one| &one.told.findings).map(|finding| finding.key.clone());
    ids.chain(keys).collect()
}

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let is_meant = |key: &str| key == subject;
    let one = world
        .installation
        .iter()
        .find(|one| is_meant(one.examination.id) || one.told.findings.iter().any(|finding| is_meant(&finding.key)))?;
    let finding = one.told.findings.iter().find(|finding| is_meant(&finding.key)).or(one.told.findings.first());
    let summary = match finding {
        Some(finding) => format!("{}: {}", finding.severity, finding.summary),
        None => format!("{}: {}", one.status(), one.told.says),
    };
    let explanation = Explanation::of(&KIND, subject, summary);
    let mut explanation = match finding {
        Some(finding) => explanation.with_finding(finding),
        None => explanation,
    };
    explanation.seen = vec![format!("{}: {}", one.examination.title, one.told.says)];
    explanation.seen.extend(one.told.unknown.clone());
    explanation.impact = Some(one.examination.why.to_owned());
    explanation.related.push("alignwatch doctor -v".to_owned());
    Some(explanation)
}
