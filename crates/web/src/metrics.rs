//! The metrics page: what was last measured, as OpenMetrics.

use std::{collections::BTreeMap, fmt};

use alignwatch_model::{
    metrics::{self, Distribution},
    record::Reading,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// The type of the page.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page. Errors: our own numbers could not be written, which is our own bug.
pub(crate) fn page(readings: &[Reading], distributions: &[Distribution]) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Measured(readings.to_vec())));
    registry.register_collector(Box::new(Counted(distributions.to_vec())));
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

/// The type of the page in the older format.
pub(crate) const CLASSIC_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The same page in the older format, in which the help of a counter names it as its values do. Source: prometheus.io,
/// "Exposition formats".
pub(crate) fn classic(page: &str) -> String {
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF"), ..) => String::new(),
            (Some("#"), Some(what), Some(name), Some(rest)) if metrics::by_name(&format!("{name}_total")).is_some() => {
                format!("# {what} {name}_total {rest}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    page.lines().map(line).collect()
}

#[derive(Debug)]
struct Measured(Vec<Reading>);

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut by_metric: BTreeMap<&str, BTreeMap<Vec<(String, String)>, f64>> = BTreeMap::new();
        for reading in &self.0 {
            // Several repositories measure the same machine: the last one counts.
            let labels = labels(&reading.repository, &reading.labels);
            by_metric.entry(reading.metric).or_default().insert(labels, reading.value);
        }
        for (name, samples) in by_metric {
            let Some(metric) = metrics::by_name(name) else { continue };
            let (kind, name) = match metric.kind {
                metrics::Kind::Gauge => (MetricType::Gauge, name),
                // The encoder adds the ending.
                metrics::Kind::Counter => (MetricType::Counter, name.trim_end_matches("_total")),
                // Its values are no readings.
                metrics::Kind::Histogram(_) => continue,
            };
            let mut family = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for (labels, value) in &samples {
                let sample = family.encode_family(labels)?;
                match metric.kind {
                    metrics::Kind::Counter => ConstCounter::new(*value).encode(sample)?,
                    metrics::Kind::Gauge | metrics::Kind::Histogram(_) => ConstGauge::new(*value).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Counted(Vec<Distribution>);

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut by_metric: BTreeMap<&str, BTreeMap<Vec<(String, String)>, &Distribution>> = BTreeMap::new();
        for one in &self.0 {
            by_metric.entry(one.metric).or_default().insert(labels(&one.repository, &one.labels), one);
        }
        for (name, samples) in by_metric {
            let Some(metric) = metrics::by_name(name) else { continue };
            let metrics::Kind::Histogram(bounds) = metric.kind else { continue };
            let mut family = encoder.encode_descriptor(name, metric.help, None, MetricType::Histogram)?;
            for (labels, one) in &samples {
                // The encoder adds up.
                let bounds = bounds.iter().copied().chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(one.counts.iter().copied()).collect();
                let n = one.counts.iter().sum();
                family.encode_family(labels)?.encode_histogram::<NoLabelSet>(one.sum, n, &buckets, None)?;
            }
        }
        Ok(())
    }
}

fn labels(repository: &str, own: &str) -> Vec<(String, String)> {
    let repo = (!repository.is_empty()).then(|| ("repo".to_owned(), repository.to_owned()));
    let own: BTreeMap<String, String> = serde_json::from_str(own).unwrap_or_default();
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
        let readings = [reading(r#"{"state":"behind"}"#, 3.0), reading(r#"{"state":"a\"\n}b"}"#, 1.0)];
        let page = page(&readings, &[]).unwrap();
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

    #[test]
    fn in_the_older_format_a_counter_is_helped_by_its_whole_name() {
        let reading = Reading {
            repository: "r".into(),
            metric: "alignwatch_task_runs_total",
            labels: r#"{"task":"pack-refs","result":"noop"}"#.into(),
            at: Timestamp(0),
            value: 2.0,
        };
        let page = classic(&page(&[reading], &[]).unwrap());
        let begins: Vec<_> = page.lines().map(|line| line.split('{').next().unwrap()).collect();
        assert!(begins[0].starts_with("# HELP alignwatch_task_runs_total Runs of each"), "{page}");
        assert_eq!(begins[1..], ["# TYPE alignwatch_task_runs_total counter", "alignwatch_task_runs_total"]);
    }

    #[test]
    fn a_histogram_has_all_its_bounds_what_is_above_them_its_sum_and_its_count() {
        let mut counts = vec![0; metrics::GIT_BOUNDS.len() + 1];
        (counts[0], counts[1], counts[metrics::GIT_BOUNDS.len()]) = (2, 1, 1);
        let distribution = Distribution {
            repository: String::new(),
            metric: "alignwatch_git_command_duration_seconds",
            labels: r#"{"command":"rev-list","exit":"ok"}"#.into(),
            at: Timestamp(0),
            counts,
            sum: 31.5,
        };
        let page = page(&[], &[distribution]).unwrap();
        let lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let of = r#"command="rev-list",exit="ok""#;
        let name = "alignwatch_git_command_duration_seconds";
        assert_eq!(lines.len(), metrics::GIT_BOUNDS.len() + 3);
        for (end, value) in [
            (format!("_bucket{{le=\"0.005\",{of}}}"), "2"),
            (format!("_bucket{{le=\"0.01\",{of}}}"), "3"),
            (format!("_bucket{{le=\"30.0\",{of}}}"), "3"),
            (format!("_bucket{{le=\"+Inf\",{of}}}"), "4"),
            (format!("_sum{{{of}}}"), "31.5"),
            (format!("_count{{{of}}}"), "4"),
        ] {
            assert!(lines.contains(&&*format!("{name}{end} {value}")), "{end}: {page}");
        }
    }
}
