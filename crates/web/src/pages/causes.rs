//! What is wrong, by cause: the findings of one check stand together, the worst first.

use std::cmp::Reverse;

use alignwatch_model::{Severity, Timestamp, checks, words::count};
use alignwatch_store::PastFinding;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::told::{self, Ago, Mark, Prose};

/// Branches, or other items of evidence, that are shown before the rest is counted.
const ITEMS_AT_MOST: usize = 12;

/// Causes as a page shows them: what is only good to know is folded away.
#[derive(Template)]
#[template(path = "causes.html")]
pub(super) struct Causes {
    /// What needs somebody.
    pub(super) grave: Vec<Cause>,
    /// What is good to know.
    pub(super) mild: Vec<Cause>,
    names_repository: bool,
}

impl Causes {
    /// `names_repository` = findings of several repositories stand together.
    pub(super) fn of(findings: Vec<PastFinding>, names_repository: bool, now: Timestamp) -> Causes {
        let causes = causes(findings, now);
        let (mild, grave) = causes.into_iter().partition(|cause| cause.severity == Severity::Info);
        Causes { grave, mild, names_repository }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.grave.is_empty() && self.mild.is_empty()
    }
}

/// All findings of one check.
pub(super) struct Cause {
    /// The severity of the worst.
    pub(super) severity: Severity,
    pub(super) mark: Mark,
    pub(super) check: String,
    pub(super) title: String,
    /// What it means, and how many there are: `4 findings in 2 repositories`.
    pub(super) extent: String,
    /// The oldest of them.
    pub(super) since: Ago,
    pub(super) findings: Vec<Told>,
}

/// One finding.
pub(super) struct Told {
    pub(super) mark: Mark,
    pub(super) repository: String,
    pub(super) summary: Prose,
    pub(super) impact: Prose,
    pub(super) to_do: Prose,
    pub(super) since: Ago,
    pub(super) document: Document,
}

/// What a finding says in full.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub(super) impact: String,
    pub(super) evidence: Map<String, Value>,
    pub(super) threshold: Option<Threshold>,
    pub(super) remedy: Remedy,
    pub(super) doc: String,
}

/// What it was compared with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Threshold {
    pub(super) value: Value,
    pub(super) source: String,
}

/// What to do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Remedy {
    pub(super) text: String,
    pub(super) commands: Vec<String>,
    pub(super) only_looks: Vec<bool>,
    pub(super) reversible: Option<bool>,
}

/// A piece of evidence: its name and its values.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) items: Vec<Item>,
    /// Items that are not shown.
    pub(super) n_more: usize,
}

/// One value; a branch leads to its page.
pub(super) struct Item {
    pub(super) text: String,
    pub(super) path: Option<String>,
}

/// Findings by cause: the worst first, then what touches most branches.
fn causes(findings: Vec<PastFinding>, now: Timestamp) -> Vec<Cause> {
    let mut told: Vec<(Severity, u64, PastFinding, Document)> = Vec::with_capacity(findings.len());
    for finding in findings {
        let document: Document = serde_json::from_str(&finding.document).unwrap_or_default();
        told.push((severity(&finding.severity), reach(&document), finding, document));
    }
    let mut by_check = std::collections::BTreeMap::<String, Vec<_>>::new();
    for one in told {
        by_check.entry(one.2.check.clone()).or_default().push(one);
    }
    let mut groups: Vec<_> = by_check.into_iter().collect();
    for (_, findings) in &mut groups {
        findings.sort_by(|a, b| (Reverse((a.0, a.1)), &a.2.key).cmp(&(Reverse((b.0, b.1)), &b.2.key)));
    }
    groups.sort_by_key(|(check, findings)| {
        let worst = findings.first().map(|one| one.0);
        // A busy machine is told after what is wrong with repositories.
        let is_of_host = checks::by_id(check).is_some_and(|check| check.family == checks::Family::Host);
        let widest = if is_of_host { 0 } else { findings.iter().map(|one| one.1).max().unwrap_or(0) };
        (Reverse((worst, widest)), check.clone())
    });
    groups.into_iter().map(|(check, findings)| cause(check, findings, now)).collect()
}

fn cause(check: String, findings: Vec<(Severity, u64, PastFinding, Document)>, now: Timestamp) -> Cause {
    let mut repositories: Vec<&str> = findings.iter().map(|one| one.2.repository.as_str()).collect();
    repositories.sort_unstable();
    repositories.dedup();
    let mut extent = count(findings.len(), "finding");
    if 1 < repositories.len() {
        extent.push_str(&format!(" in {}", count(repositories.len(), "repository")));
    }
    let since = findings.iter().map(|one| one.2.began_at).min().unwrap_or(now);
    let worst = findings.first().map_or("unknown", |one| one.2.severity.as_str());
    Cause {
        severity: severity(worst),
        mark: told::health(worst),
        title: checks::by_id(&check).map_or_else(|| check.clone(), |check| check.title.to_owned()),
        check,
        extent,
        since: Ago::new(since, now),
        findings: findings.into_iter().map(|(_, _, finding, document)| Told::of(finding, document, now)).collect(),
    }
}

/// Branches that a finding touches; see the same order in `check`.
fn reach(document: &Document) -> u64 {
    const A_HANDFUL: u64 = 10;
    document.evidence.get("n_branches").and_then(Value::as_u64).unwrap_or(A_HANDFUL)
}

fn severity(word: &str) -> Severity {
    let all = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    all.into_iter().find(|severity| severity.word() == word).unwrap_or(Severity::Critical)
}

impl Told {
    fn of(finding: PastFinding, document: Document, now: Timestamp) -> Told {
        Told {
            mark: told::health(&finding.severity),
            repository: finding.repository,
            summary: Prose::new(finding.summary),
            impact: Prose::new(document.impact.as_str()),
            to_do: Prose::new(document.remedy.text.as_str()),
            since: Ago::new(finding.began_at, now),
            document,
        }
    }

    /// The evidence, piece by piece.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.document.evidence.iter().map(|(name, value)| self.fact(name, value)).collect()
    }

    fn fact(&self, name: &str, value: &Value) -> Fact {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        let items = values.iter().take(ITEMS_AT_MOST).map(|value| self.item(value)).collect();
        Fact { name: name.replace('_', " "), items, n_more: values.len().saturating_sub(ITEMS_AT_MOST) }
    }

    fn item(&self, value: &Value) -> Item {
        match value {
            Value::String(text) if text.starts_with("refs/") => {
                let path = told::branch_path(&self.repository, text);
                Item { text: told::short(text).to_owned(), path: Some(path) }
            }
            Value::String(text) => Item { text: text.clone(), path: None },
            other => Item { text: other.to_string(), path: None },
        }
    }

    /// The commands, each with whether it only looks.
    pub(super) fn commands(&self) -> Vec<(&str, bool)> {
        let remedy = &self.document.remedy;
        let looks = remedy.only_looks.iter().copied().chain(std::iter::repeat(false));
        remedy.commands.iter().map(String::as_str).zip(looks).collect()
    }
}
