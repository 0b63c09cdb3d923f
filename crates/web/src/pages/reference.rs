//! What is measured and judged, and by which numbers: the checks, the metrics, the configuration in force.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use alignwatch_model::{
    checks::{self, Check, Family},
    config::{Config, Key, Origin, catalogue, inline},
    metrics::{self, Metric},
    trend::words::Unit,
};
use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    shell::{Failed, Section, Shell, made},
    told::{self, Mark, Prose},
};
use crate::Shared;

/// Findings that are counted.
const FINDINGS_AT_MOST: usize = 1_000;

#[derive(Template)]
#[template(path = "checks.html")]
struct ChecksPage {
    shell: Shell,
    families: Vec<(Family, Vec<CheckRow>)>,
    n_checks: usize,
}

/// A check with what it says now.
struct CheckRow {
    check: &'static Check,
    severity: Mark,
    threshold: Option<(String, String)>,
    /// Why it is not made; empty when it is.
    left_out: String,
    n_findings: usize,
    looks_at: Prose,
    why: Prose,
    look: Prose,
    mend: Prose,
    sure: Prose,
    undo: Option<Prose>,
}

pub(super) async fn checks(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, |shared| {
        let shell = Shell::new(shared, "Checks", Section::Checks);
        let open = shared.read(|store| store.findings(None, false, FINDINGS_AT_MOST))?;
        let mut counts = BTreeMap::<String, usize>::new();
        open.into_iter().for_each(|finding| *counts.entry(finding.check).or_default() += 1);
        let config = &shared.loaded().config;
        let of = |family: Family| {
            let own = checks::ALL.iter().filter(|check| check.family == family);
            own.map(|check| CheckRow::of(check, config, counts.get(check.id).copied().unwrap_or(0))).collect()
        };
        let families = Family::ALL.into_iter().map(|family| (family, of(family)));
        let families = families.filter(|(_, rows): &(_, Vec<CheckRow>)| !rows.is_empty()).collect();
        Ok(ChecksPage { shell, families, n_checks: checks::ALL.len() })
    })
    .await
}

impl CheckRow {
    fn of(check: &'static Check, config: &Config, n_findings: usize) -> CheckRow {
        let threshold = check.threshold.as_ref().map(|spec| match config.thresholds.get(check.id) {
            Some(value) => (format!("{value} {}", spec.unit), format!("configured: thresholds.{}", check.id)),
            None => (format!("{} {}", spec.default, spec.unit), format!("default, source: {}", spec.source)),
        });
        CheckRow {
            check,
            severity: told::health(check.severity.word()),
            threshold,
            left_out: checks::is_made(check, config, |_| false).err().unwrap_or_default(),
            n_findings,
            looks_at: Prose::new(check.looks_at),
            why: Prose::new(check.why),
            look: Prose::new(check.runbook.look),
            mend: Prose::new(check.runbook.mend),
            sure: Prose::new(check.runbook.sure),
            undo: check.runbook.undo.map(Prose::new),
        }
    }
}

#[derive(Template)]
#[template(path = "metrics.html")]
struct MetricsPage {
    shell: Shell,
    rows: Vec<MetricRow>,
    n_series: usize,
}

struct MetricRow {
    metric: &'static Metric,
    /// Its labels, as in a query.
    labels: String,
    n_series: usize,
    /// The range of its last values.
    now: String,
    formula: Prose,
    worry: Prose,
    limit: Option<String>,
}

pub(super) async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, |shared| {
        let shell = Shell::new(shared, "Metrics", Section::Metrics);
        let readings = Arc::clone(&shared.readings.read().unwrap_or_else(PoisonError::into_inner));
        let mut values = BTreeMap::<&str, Vec<f64>>::new();
        readings.iter().for_each(|reading| values.entry(reading.metric).or_default().push(reading.value));
        let row = |metric: &&'static Metric| MetricRow::of(metric, values.get(metric.name).map_or(&[], Vec::as_slice));
        Ok(MetricsPage { shell, rows: metrics::ALL.iter().map(row).collect(), n_series: readings.len() })
    })
    .await
}

impl MetricRow {
    fn of(metric: &'static Metric, values: &[f64]) -> MetricRow {
        let unit = Unit::of(metric.unit);
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
        let now = match values.len() {
            0 => String::new(),
            _ if least == most => unit.told(least),
            _ => format!("{} to {}", unit.told(least), unit.told(most)),
        };
        let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(", ")) };
        MetricRow {
            metric,
            labels,
            n_series: values.len(),
            now,
            formula: Prose::new(metric.formula),
            worry: Prose::new(metric.worry),
            limit: metric.limit.map(|limit| unit.told(limit.value())),
        }
    }
}

#[derive(Template)]
#[template(path = "configuration.html")]
struct ConfigurationPage {
    shell: Shell,
    sections: Vec<SectionOf>,
    n_set: usize,
    notes: Vec<String>,
}

/// Keys of one section.
struct SectionOf {
    name: String,
    meaning: Prose,
    settings: Vec<Setting>,
}

/// A key with its value in force.
struct Setting {
    path: String,
    value: String,
    origin: String,
    is_set: bool,
    meaning: Prose,
    reason: Prose,
    range: String,
}

pub(super) async fn configuration(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failed> {
    made(shared, headers, |shared| {
        let shell = Shell::new(shared, "Configuration", Section::Configuration);
        let mut sections: Vec<SectionOf> = Vec::new();
        let top: Vec<Setting> =
            catalogue().children().iter().filter(|key| !key.is_section()).map(|key| setting(shared, key)).collect();
        sections.push(SectionOf { name: String::new(), meaning: Prose::new(""), settings: top });
        for key in catalogue().children().iter().filter(|key| key.is_section()) {
            let settings = key.leaves().into_iter().map(|key| setting(shared, key)).collect();
            sections.push(SectionOf {
                name: key.path.clone(),
                meaning: Prose::new(key.doc.meaning.as_str()),
                settings,
            });
        }
        let n_set = sections.iter().flat_map(|section| &section.settings).filter(|setting| setting.is_set).count();
        Ok(ConfigurationPage { shell, sections, n_set, notes: shared.loaded().notes.clone() })
    })
    .await
}

fn setting(shared: &Shared, key: &Key) -> Setting {
    let origin = shared.loaded().origins.of(&key.path);
    Setting {
        path: key.path.clone(),
        value: inline(&shared.loaded().config.value_of(key)),
        is_set: origin != Origin::Default,
        origin: origin.to_string(),
        meaning: Prose::new(key.doc.meaning.as_str()),
        reason: Prose::new(key.doc.reason.as_str()),
        range: key.doc.range.clone(),
    }
}
