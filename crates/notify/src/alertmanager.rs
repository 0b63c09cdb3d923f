//! Gives the alerts of a notice to Alertmanager, as Prometheus does: API v2.
//!
//! Each member of a cluster gets them, since Alertmanager does not pass alerts on; one that takes them is enough.

use alignwatch_model::{
    Span, Timestamp,
    config::{SecretRef, channels::Alertmanager},
    notice::{Delivered, Failure, FailureReason, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way,
    failure::broken,
    fitted,
    http::{self, Request},
    limits, secret, secret_of, text,
    webhook::labels_and_annotations,
};

/// See the reason of `channels.alertmanager[].lasts`.
const LASTS: Span = Span::days(2);

impl Tell for Alertmanager {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let token = self.token.as_ref().map(secret::read).transpose()?;
        let body = alerts(notice, way.now, self.lasts.unwrap_or(LASTS));
        let mut outcome = Err(broken(FailureReason::Configuration, "it has no address"));
        for (nth, url) in self.urls.iter().enumerate() {
            // One that hangs must leave time for the others.
            let one = tell_one(url, &body, token.as_deref(), way.with_part_of_time(self.urls.len() - nth));
            if outcome.is_err() {
                outcome = one;
            }
        }
        outcome
    }

    fn draft(&self, notice: &Notice) -> String {
        let now = notice.alerts.iter().map(|alert| alert.ends_at.unwrap_or(alert.starts_at)).max().unwrap_or_default();
        format!("{:#}", alerts(notice, now, self.lasts.unwrap_or(LASTS)))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        self.token.iter().cloned().chain(self.urls.iter().filter_map(|url| secret_of(url))).collect()
    }
}

fn tell_one(url: &str, body: &Value, token: Option<&str>, way: Way<'_>) -> Result<Delivered, Failure> {
    let url = http::below(&http::address(url)?, &["api", "v2", "alerts"])?;
    let mut request = Request::json("POST", url, body);
    if let Some(token) = token {
        request = request.with_secret("authorization", "Bearer ", token);
    }
    Ok(http::deliver(&request, way)?.delivered(None))
}

fn alerts(notice: &Notice, now: Timestamp, lasts: Span) -> Value {
    let make =
        |notice: &Notice| Value::Array(notice.alerts.iter().map(|alert| of_alert(alert, notice, now, lasts)).collect());
    make(&fitted(notice, limits::ALERTMANAGER_BODY.at_most, |notice| make(notice).to_string().len()))
}

fn of_alert(alert: &alignwatch_model::notice::NoticeAlert, notice: &Notice, now: Timestamp, lasts: Span) -> Value {
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
    use crate::sample;

    #[test]
    fn an_alert_is_what_prometheus_would_have_sent() {
        assert_snapshot!(format!("{:#}", alerts(&sample::notice(), Timestamp(1_767_225_660), LASTS)), @r#"
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
        let body = alerts(&sample::over(), Timestamp(1_767_240_000), LASTS);
        assert_eq!(body[0]["endsAt"], json!("2026-01-01T03:00:00Z"));
    }

    #[test]
    fn names_of_labels_are_made_valid() {
        assert_eq!(with_valid_names(json!({ "a-b": "1", "7": "2", "x": "" })), json!({ "a_b": "1", "_7": "2" }));
    }
}
