//! Gives the alerts of a notice to Alertmanager, as Prometheus does: API v2.
//!
//! Each member of a cluster gets them, since Alertmanager does not pass alerts on; one that takes them is enough.

use alignwatch_model::{
    Span, Timestamp,
    config::{SecretRef, channels::Alertmanager},
    notice::{Delivered, Failure, FailureReason, Notice, NoticeAlert},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, bare,
    failure::broken,
    fitted,
    http::{self, Request},
    limits, secret, secret_of, text,
    webhook::labels_and_annotations,
};

/// The size of a part for who finds the usual one too large, in bytes. Source: ours; far below what any proxy takes.
const SMALL_PART: usize = 50_000;

/// See the reason of `channels.alertmanager[].lasts`.
const LASTS: Span = Span::days(2);

impl Tell for Alertmanager {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let token = self.token.as_ref().map(|token| secret::read(token, way)).transpose()?;
        let lasts = self.lasts.unwrap_or(LASTS);
        let mut outcome = Err(broken(FailureReason::Configuration, "it has no address"));
        for (nth, url) in self.urls.iter().enumerate() {
            // One that hangs must leave time for the others.
            let way = way.with_part_of_time(self.urls.len() - nth);
            let one = tell_one(url, notice, lasts, token.as_deref(), way);
            if outcome.is_err() {
                outcome = one;
            }
        }
        outcome
    }

    fn draft(&self, notice: &Notice) -> String {
        let now = notice.alerts.iter().map(|alert| alert.ends_at.unwrap_or(alert.starts_at)).max().unwrap_or_default();
        let parts = parts(notice, now, self.lasts.unwrap_or(LASTS), limits::ALERTMANAGER_BODY.at_most);
        parts.iter().map(|part| format!("{part:#}")).collect::<Vec<_>>().join("\n")
    }

    fn secrets(&self) -> Vec<SecretRef> {
        self.token.iter().cloned().chain(self.urls.iter().filter_map(|url| secret_of(url))).collect()
    }
}

/// Gives all alerts to one member, in as many requests as that needs; in smaller ones when they are too large for it.
fn tell_one(url: &str, notice: &Notice, lasts: Span, token: Option<&str>, way: Way<'_>) -> Result<Delivered, Failure> {
    let to = http::address(url, way)?.below(&["api", "v2", "alerts"])?;
    let all_in_parts_of = |at_most| -> Result<Delivered, Failure> {
        let mut answer = None;
        for part in parts(notice, way.now, lasts, at_most) {
            let mut request = Request::json("POST", to.clone(), &part);
            if let Some(token) = token {
                request = request.with_secret("authorization", "Bearer ", token);
            }
            answer = Some(http::deliver(&request, way)?.delivered(None));
        }
        Ok(answer.unwrap_or(Delivered { answer: "there is no alert to tell".to_owned(), reference: None }))
    };
    match all_in_parts_of(limits::ALERTMANAGER_BODY.at_most) {
        // It is not for others to halve: each alert that is left out would be one that it takes for over.
        Err(failure) if failure.reason == FailureReason::TooLarge => {
            all_in_parts_of(SMALL_PART).map_err(|failure| Failure { reason: FailureReason::ClientError, ..failure })
        }
        outcome => outcome,
    }
}

/// All alerts, in parts no larger than so many bytes; one alert that is larger alone is shortened.
fn parts(notice: &Notice, now: Timestamp, lasts: Span, at_most: usize) -> Vec<Value> {
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut room = 0;
    for alert in &notice.alerts {
        let (value, size) = within(alert, notice, now, lasts, at_most);
        match parts.last_mut() {
            Some(part) if size <= room => part.push(value),
            _ => {
                // Two brackets.
                room = at_most.saturating_sub(2);
                parts.push(vec![value]);
            }
        }
        // And a comma.
        room = room.saturating_sub(size + 1);
    }
    parts.into_iter().map(Value::Array).collect()
}

/// One alert, and its size in bytes.
fn within(alert: &NoticeAlert, notice: &Notice, now: Timestamp, lasts: Span, at_most: usize) -> (Value, usize) {
    let value = of_alert(alert, notice, now, lasts);
    let size = value.to_string().len();
    if size + 2 <= at_most {
        return (value, size);
    }
    let alone = Notice { alerts: vec![alert.clone()], ..bare(notice) };
    let make = |one: &Notice| one.alerts.first().map_or(Value::Null, |alert| of_alert(alert, notice, now, lasts));
    let value = make(&fitted(&alone, at_most, |one| make(one).to_string().len() + 2));
    let size = value.to_string().len();
    (value, size)
}

fn of_alert(alert: &NoticeAlert, notice: &Notice, now: Timestamp, lasts: Span) -> Value {
    let (labels, annotations) = labels_and_annotations(alert);
    json!({
        "labels": with_valid_names(labels),
        "annotations": with_valid_names(annotations),
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at.unwrap_or(Timestamp(now.0.saturating_add(lasts.0))),
        "generatorURL": text::url(&notice.external_url).unwrap_or_default(),
    })
}

/// Names that Alertmanager takes: letters, digits and `_`. An empty value is no value there.
fn with_valid_names(entries: Value) -> Value {
    let valid = |name: &str| {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
    };
    let entries = entries.as_object().into_iter().flatten().filter(|(_, value)| value.as_str() != Some(""));
    Value::Object(entries.map(|(name, value)| (valid(name), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::{sample, sink::Sink};

    #[test]
    fn an_alert_is_what_prometheus_would_have_sent() {
        assert_snapshot!(format!("{:#}", parts(&sample::notice(), Timestamp(1_767_225_660), LASTS, 1_000_000)[0]), @r#"
        [
          {
            "annotations": {
              "description": "The longer it waits, the more will collide.",
              "runbook_url": "https://docs.example.org/far-behind",
              "summary": "feature/0 is far behind"
            },
            "endsAt": "2026-01-03T00:01:00Z",
            "generatorURL": "https://watch.example.org/alerts",
            "labels": {
              "alertname": "far-behind",
              "branch": "feature/0",
              "repository": "a.git",
              "severity": "error"
            },
            "startsAt": "2026-01-01T00:00:00Z"
          }
        ]
        "#);
    }

    #[test]
    fn what_is_over_has_its_end() {
        let body = parts(&sample::over(), Timestamp(1_767_240_000), LASTS, 1_000_000);
        assert_eq!(body[0][0]["endsAt"], json!("2026-01-01T03:00:00Z"));
    }

    #[test]
    fn every_alert_is_in_one_of_the_parts() {
        let mut notice = sample::many(5_000);
        notice.alerts[7].description = "x".repeat(300_000);
        for at_most in [limits::ALERTMANAGER_BODY.at_most, SMALL_PART] {
            let parts = parts(&notice, Timestamp(0), LASTS, at_most);
            assert!(parts.iter().all(|part| part.to_string().len() <= at_most), "{at_most}");
            let told = parts.iter().flat_map(|part| part.as_array().into_iter().flatten());
            let told: Vec<&str> = told.filter_map(|alert| alert["labels"]["branch"].as_str()).collect();
            let all: Vec<&str> = notice.alerts.iter().map(|alert| alert.labels["branch"].as_str()).collect();
            assert_eq!(told, all);
        }
    }

    #[test]
    fn who_finds_a_part_too_large_gets_smaller_ones_with_all_alerts() {
        let (too_large, ok) = ("HTTP/1.1 413 Content Too Large\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n");
        let tell = |answers: Vec<&str>| {
            let sink = Sink::answering(answers);
            let channel = Alertmanager { urls: vec![sink.url("")], ..Alertmanager::default() };
            let channel = alignwatch_model::config::Channel::Alertmanager(channel);
            let outcome = crate::deliver(&channel, &sample::many(300), &sink.egress(), Timestamp(1_767_225_660));
            (outcome, sink)
        };
        let n_parts = parts(&sample::many(300), Timestamp(1_767_225_660), LASTS, SMALL_PART).len();
        assert!(1 < n_parts, "{n_parts}");
        let (outcome, sink) = tell([vec![too_large], vec![ok; n_parts]].concat());
        outcome.expect("all parts are taken");
        assert_eq!(sink.request().json().as_array().map(Vec::len), Some(300));
        let n_told: usize = (0..n_parts).map(|_| sink.request().json().as_array().map_or(0, Vec::len)).sum();
        assert_eq!(n_told, 300);

        let (outcome, sink) = tell([vec![too_large], vec![ok; n_parts - 1], vec![too_large]].concat());
        let failure = outcome.expect_err("one part is not taken");
        assert_eq!((failure.reason, failure.is_permanent), (FailureReason::ClientError, true));
        assert_eq!(sink.n_more(), n_parts + 1, "nothing is halved");
    }

    #[test]
    fn names_of_labels_are_made_valid() {
        assert_eq!(with_valid_names(json!({ "a-b": "1", "7": "2", "x": "" })), json!({ "a_b": "1", "_7": "2" }));
    }
}
