//! Sends metrics to a receiver of OpenTelemetry: one request of OTLP over HTTP, in protobuf.
//!
//! What has a name in OpenTelemetry's semantic conventions bears it; all else bears its own. Sources: the OTLP
//! specification 1.5 (`/v1/metrics`, which answers may be tried again, what a partial success is); the semantic conventions for version control.

use std::collections::BTreeMap;

use alignwatch_model::{
    Timestamp,
    config::Otlp,
    metrics::{self, Distribution, Kind, Metric},
    notice::{Failure, FailureReason},
    record::Reading,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric as OtlpMetric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use prost::Message;

use crate::{
    DEADLINE, Egress, Way,
    failure::broken,
    http::{self, Request},
    secret,
};

/// Who sends.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The machine.
    pub host: String,
    /// Since when it counts.
    pub began_at: Timestamp,
}

/// What became of metrics that a receiver answered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What it took and what not, as a sentence part; `None` = it took all. The same is refused again if it is sent again.
    pub refused: Option<String>,
}

/// Sends these once. Errors: why they did not arrive.
pub fn export(
    otlp: &Otlp,
    readings: &[Reading],
    distributions: &[Distribution],
    sender: &Sender,
    egress: &Egress,
    now: Timestamp,
) -> Result<Exported, Failure> {
    let way = Way::new(egress, now, DEADLINE);
    let nowhere = || broken(FailureReason::Configuration, "no endpoint is configured");
    let to = http::address(otlp.endpoint.as_deref().ok_or_else(nowhere)?, way)?;
    let mut request = Request::bytes("POST", to, "application/x-protobuf", encode(readings, distributions, sender));
    for header in &otlp.headers {
        request = request.with_secret_header(&header.header, &secret::read(&header.value, way)?);
    }
    let answer = http::deliver(&request, way)?;
    Ok(Exported { refused: refused(&answer) })
}

/// How many of the points were refused, and why, where a receiver took only a part. Whatever else it answers to what it
/// took means that it took all.
fn refused(answer: &http::Answer) -> Option<String> {
    let partial = ExportMetricsServiceResponse::decode(answer.bytes()).ok()?.partial_success?;
    let n_points = u64::try_from(partial.rejected_data_points).ok().filter(|n_points| 0 < *n_points)?;
    let why = answer.told(&partial.error_message);
    let why = if why.is_empty() { "it does not say why".to_owned() } else { why };
    Some(format!("{n_points} of the values were refused: {why}"))
}

/// The message, as it is sent.
pub fn encode(readings: &[Reading], distributions: &[Distribution], sender: &Sender) -> Vec<u8> {
    let mut by_name: BTreeMap<String, (&'static Metric, BTreeMap<Vec<(String, String)>, &Reading>)> = BTreeMap::new();
    for reading in readings {
        let Some(metric) = metrics::by_name(reading.metric) else { continue };
        let (name, fixed) = named(metric);
        let (_, points) = by_name.entry(name.to_owned()).or_insert_with(|| (metric, BTreeMap::new()));
        // Several repositories measure the same machine: the last one counts.
        points.insert(attributes(&reading.repository, &reading.labels, name, &fixed), reading);
    }
    let values = by_name.into_iter().map(|(name, (metric, points))| one(name, metric, points, sender));
    let metrics = values.chain(histograms(distributions, sender)).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let scope = InstrumentationScope { name: "alignwatch".to_owned(), version: version.clone(), ..Default::default() };
    let about = [
        ("service.name", "alignwatch"),
        ("service.version", &version),
        ("service.instance.id", &sender.host),
        ("host.name", &sender.host),
    ];
    let resource = Resource { attributes: about.map(|(key, value)| text(key, value)).to_vec(), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// The name under which it is sent, and what is said with each value: as the catalogue has it, `NAME, with KEY = VALUE`.
fn named(metric: &'static Metric) -> (&'static str, Vec<(&'static str, &'static str)>) {
    match metric.otel.split_once(", with ") {
        _ if metric.otel.is_empty() => (metric.name, Vec::new()),
        None => (metric.otel, Vec::new()),
        Some((name, fixed)) => (name, fixed.split(", ").filter_map(|pair| pair.split_once(" = ")).collect()),
    }
}

/// The labels; of what bears a name of the conventions, they do as well.
fn attributes(repository: &str, labels: &str, name: &str, fixed: &[(&str, &str)]) -> Vec<(String, String)> {
    let own: BTreeMap<String, String> = serde_json::from_str(labels).unwrap_or_default();
    let repo = (!repository.is_empty()).then(|| ("repo".to_owned(), repository.to_owned()));
    let known = |key: String| match key.as_str() {
        "branch" if name.starts_with("vcs.") => "vcs.ref.head.name".to_owned(),
        "base" if name.starts_with("vcs.") => "vcs.ref.base.name".to_owned(),
        _ => key,
    };
    let fixed = fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    repo.into_iter().chain(own.into_iter().map(|(key, value)| (known(key), value))).chain(fixed).collect()
}

fn one(
    name: String,
    metric: &Metric,
    points: BTreeMap<Vec<(String, String)>, &Reading>,
    sender: &Sender,
) -> OtlpMetric {
    let point = |(attributes, reading): (Vec<(String, String)>, &Reading)| NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        start_time_unix_nano: if metric.kind == Kind::Counter { nanos(sender.began_at) } else { 0 },
        time_unix_nano: nanos(reading.at),
        value: Some(number_data_point::Value::AsDouble(reading.value)),
        ..Default::default()
    };
    let data_points = points.into_iter().map(point).collect();
    let data = match metric.kind {
        // Those of a histogram are no readings.
        Kind::Gauge | Kind::Histogram(_) => Data::Gauge(Gauge { data_points }),
        Kind::Counter => Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        }),
    };
    let unit = unit(&name, metric).to_owned();
    OtlpMetric { name, description: metric.help.to_owned(), unit, data: Some(data), ..Default::default() }
}

/// What was counted as histograms.
fn histograms(distributions: &[Distribution], sender: &Sender) -> Vec<OtlpMetric> {
    let mut by_name: BTreeMap<&str, Vec<&Distribution>> = BTreeMap::new();
    for one in distributions {
        by_name.entry(one.metric).or_default().push(one);
    }
    let one = |(name, all): (&str, Vec<&Distribution>)| {
        let metric = metrics::by_name(name)?;
        let Kind::Histogram(bounds) = metric.kind else { return None };
        let point = |one: &&Distribution| HistogramDataPoint {
            attributes: attributes(&one.repository, &one.labels, name, &[])
                .iter()
                .map(|(key, value)| text(key, value))
                .collect(),
            start_time_unix_nano: nanos(sender.began_at),
            time_unix_nano: nanos(one.at),
            count: one.counts.iter().sum(),
            sum: Some(one.sum),
            bucket_counts: one.counts.clone(),
            explicit_bounds: bounds.to_vec(),
            ..Default::default()
        };
        let data = Data::Histogram(Histogram {
            data_points: all.iter().map(point).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
        });
        let unit = unit(name, metric).to_owned();
        let description = metric.help.to_owned();
        Some(OtlpMetric { name: name.to_owned(), description, unit, data: Some(data), ..Default::default() })
    };
    by_name.into_iter().filter_map(one).collect()
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default().saturating_mul(1_000_000_000)
}

/// The unit, as UCUM has it. Source: the OpenTelemetry specification, "Instrument units".
fn unit(name: &str, metric: &Metric) -> &'static str {
    match (name, metric.unit) {
        ("vcs.ref.revisions_delta", _) => "{revision}",
        ("vcs.ref.count", _) => "{ref}",
        (_, "seconds") => "s",
        (_, "bytes") => "By",
        (_, "ratio") => "1",
        (_, "commits") => "{commit}",
        _ => "",
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::config::{Config, SecretRef};

    use super::*;
    use crate::sink::Sink;

    fn readings() -> Vec<Reading> {
        let reading = |repository: &str, metric, labels: &str, value| Reading {
            repository: repository.into(),
            metric,
            labels: labels.into(),
            at: Timestamp(1_767_225_600),
            value,
        };
        let labels = r#"{"base":"refs/heads/main","branch":"refs/heads/<x>"}"#;
        vec![
            reading("r", "alignwatch_branch_behind_commits", labels, 7.0),
            reading("r", "alignwatch_branch_ahead_commits", labels, 2.0),
            reading("r", "alignwatch_branches", r#"{"state":"behind"}"#, 3.0),
            reading("", "alignwatch_host_cpu_used_ratio", "{}", 0.25),
            reading("", "alignwatch_otlp_failed_exports_total", "{}", 4.0),
            reading("r", "no_such_metric", "{}", 1.0),
        ]
    }

    fn sender() -> Sender {
        Sender { host: "here".into(), began_at: Timestamp(1_767_000_000) }
    }

    /// `name unit {attributes} value`, a line each.
    fn told(message: &ExportMetricsServiceRequest) -> Vec<String> {
        let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
        let line = |metric: &OtlpMetric| {
            let (kind, points) = match metric.data.as_ref().unwrap() {
                Data::Gauge(gauge) => ("gauge", &gauge.data_points),
                Data::Sum(sum) => ("sum", &sum.data_points),
                other => panic!("{other:?}"),
            };
            let point = |point: &NumberDataPoint| {
                let pairs: Vec<_> = point
                    .attributes
                    .iter()
                    .map(|pair| match &pair.value.as_ref().unwrap().value {
                        Some(Value::StringValue(value)) => format!("{}={value}", pair.key),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
                format!("{} {kind} [{}] {{{}}} {value}", metric.name, metric.unit, pairs.join(","))
            };
            points.iter().map(point).collect::<Vec<_>>()
        };
        metrics.iter().flat_map(line).collect()
    }

    #[test]
    fn what_the_conventions_know_bears_their_names_and_all_else_its_own() {
        let message = ExportMetricsServiceRequest::decode(&encode(&readings(), &[], &sender())[..]).unwrap();
        insta::assert_snapshot!(told(&message).join("\n"), @r"
        alignwatch_branches gauge [] {repo=r,state=behind} 3
        alignwatch_host_cpu_used_ratio gauge [1] {} 0.25
        alignwatch_otlp_failed_exports_total sum [] {} 4
        vcs.ref.revisions_delta gauge [{revision}] {repo=r,vcs.ref.base.name=refs/heads/main,vcs.ref.head.name=refs/heads/<x>,vcs.revision_delta.direction=ahead} 2
        vcs.ref.revisions_delta gauge [{revision}] {repo=r,vcs.ref.base.name=refs/heads/main,vcs.ref.head.name=refs/heads/<x>,vcs.revision_delta.direction=behind} 7
        ");
    }

    #[test]
    fn a_histogram_is_sent_with_its_bounds_and_since_when_it_counts() {
        let mut counts = vec![0; metrics::GIT_BOUNDS.len() + 1];
        (counts[0], counts[1]) = (2, 1);
        let distribution = Distribution {
            repository: String::new(),
            metric: "alignwatch_git_command_duration_seconds",
            labels: r#"{"command":"rev-list","exit":"ok"}"#.into(),
            at: Timestamp(1_767_225_600),
            counts: counts.clone(),
            sum: 1.5,
        };
        let message = ExportMetricsServiceRequest::decode(&encode(&[], &[distribution], &sender())[..]).unwrap();
        let Some(Data::Histogram(histogram)) = &message.resource_metrics[0].scope_metrics[0].metrics[0].data else {
            panic!("{message:?}")
        };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, &point.bucket_counts), (3, Some(1.5), &counts));
        assert_eq!(point.explicit_bounds, metrics::GIT_BOUNDS);
        assert!(point.start_time_unix_nano < point.time_unix_nano);
    }

    #[test]
    fn it_is_posted_with_its_headers_and_no_secret_of_them_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "Bearer t0ps3cr3tt0ken\n").unwrap();
        let sink = Sink::answering([
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 503 Busy\r\nretry-after: 7\r\n\r\nno Bearer t0ps3cr3tt0ken",
        ]);
        let text = format!(
            "otlp: {{endpoint: \"{}\", headers: [{{header: authorization, value: \"file:{}\"}}]}}",
            sink.url("/v1/metrics"),
            file.display()
        );
        let otlp = Config::from_yaml(&text, "f").unwrap().0.otlp;
        assert_eq!(otlp.headers[0].value, SecretRef::File(file.display().to_string()));
        let send = || export(&otlp, &readings(), &[], &sender(), &sink.egress(), Timestamp(0));
        assert_eq!(send().unwrap().refused, None);
        let asked = sink.request();
        assert_eq!(asked.line, "POST /v1/metrics HTTP/1.1");
        assert_eq!(asked.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(asked.header("authorization"), Some("Bearer t0ps3cr3tt0ken"));
        assert!(ExportMetricsServiceRequest::decode(&asked.body[..]).is_ok());
        let failure = send().unwrap_err();
        assert!(!failure.is_permanent && !failure.detail.contains("t0ps3cr3tt0ken"), "{failure}");
        assert_eq!(failure.retry_after, Some(alignwatch_model::Span(7)));
    }

    #[test]
    fn a_receiver_that_takes_a_part_only_is_heard() {
        use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;
        let answer = |rejected_data_points: i64, why: &str| {
            let partial = ExportMetricsPartialSuccess { rejected_data_points, error_message: why.to_owned() };
            let body = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            [head.into_bytes(), body].concat()
        };
        // Longer than 127, so that a length in the message is no text.
        let why = format!("no such key t0ps3cr3tt0ken {}", "x".repeat(150));
        let answers =
            [answer(3, &why), answer(0, "deprecated"), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()];
        let sink = Sink::serving(move |listener, _| {
            use std::io::Write;
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let Some(_) = crate::sink::read(&mut stream) else { return };
                let _ = stream.write_all(&answer);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "t0ps3cr3tt0ken").unwrap();
        let text = format!(
            "otlp: {{endpoint: \"{}\", headers: [{{header: api-key, value: \"file:{}\"}}]}}",
            sink.url("/v1/metrics"),
            file.display()
        );
        let otlp = Config::from_yaml(&text, "f").unwrap().0.otlp;
        let send = || export(&otlp, &readings(), &[], &sender(), &sink.egress(), Timestamp(0)).unwrap().refused;
        let refused = send().unwrap();
        assert!(refused.starts_with("3 of the values were refused: no such key [secret] xxx"), "{refused}");
        assert!(refused.len() < 300, "{refused}");
        assert_eq!((send(), send()), (None, None), "a warning, and what is no message");
    }
}
