//! The metrics page: what was last measured, as OpenMetrics.

use std::{collections::BTreeMap, fmt};

use alignwatch_model::{metrics, record::Reading};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// The type of the page.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page. Errors: our own numbers could not be written, which is our own bug.
pub(crate) fn page(readings: &[Reading]) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Measured(readings.to_vec())));
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Measured(Vec<Reading>);

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut by_metric: BTreeMap<&str, BTreeMap<Vec<(String, String)>, f64>> = BTreeMap::new();
        for reading in &self.0 {
            // Several repositories measure the same machine: the last one counts.
            by_metric.entry(reading.metric).or_default().insert(labels(reading), reading.value);
        }
        for (name, samples) in by_metric {
            let Some(metric) = metrics::by_name(name) else { continue };
            let (kind, name) = match metric.kind {
                metrics::Kind::Gauge => (MetricType::Gauge, name),
                // The encoder adds the ending.
                metrics::Kind::Counter => (MetricType::Counter, name.trim_end_matches("_total")),
            };
            let mut family = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for (labels, value) in &samples {
                let sample = family.encode_family(labels)?;
                match metric.kind {
                    metrics::Kind::Gauge => ConstGauge::new(*value).encode(sample)?,
                    metrics::Kind::Counter => ConstCounter::new(*value).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

fn labels(reading: &Reading) -> Vec<(String, String)> {
    let repo = (!reading.repository.is_empty()).then(|| ("repo".to_owned(), reading.repository.clone()));
    let own: BTreeMap<String, String> = serde_json::from_str(&reading.labels).unwrap_or_default();
    repo.into_iter().chain(own).collect()
}

#[cfg(test)]
mod tests {
    use alignwatch_model::Timestamp;

    use super::*;

    #[test]
    fn names_and_labels_stand_as_they_are_and_do_no_harm() {
        let reading = |labels: &str, value| Reading {
            repository: "r".into(),
            metric: "alignwatch_branches",
            labels: labels.into(),
            at: Timestamp(0),
            value,
        };
        let page = page(&[reading(r#"{"state":"behind"}"#, 3.0), reading(r#"{"state":"a\"\n}b"}"#, 1.0)]).unwrap();
        let lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                r#"alignwatch_branches{repo="r",state="a\"\n}b"} 1.0"#,
                r#"alignwatch_branches{repo="r",state="behind"} 3.0"#
            ]
        );
        assert!(page.ends_with("# EOF\n"));
    }
}
