//! Posts a notice as JSON to a web address, signed by the scheme of Standard Webhooks 1.0.0.
//!
//! `webhook-id` is the notice's key and the same for each attempt; `webhook-timestamp` is the attempt's time;
//! `webhook-signature` has one signature for each secret. Any 2xx means that it arrived.

use alignwatch_model::{
    Timestamp,
    config::{
        SecretRef,
        channels::{Payload, Webhook},
    },
    notice::{Delivered, Failure, FailureReason, Notice},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Tell, Way, failure::broken, fitted, http, http::Request, limits, secret, secret_of, text};

impl Tell for Webhook {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let to = http::address(&self.url, way)?;
        let secrets = self
            .secret
            .iter()
            .map(|secret| key_of(&secret::read(secret, way)?, secret))
            .collect::<Result<Vec<_>, _>>()?;
        let request = Request::json("POST", to, &payload(self.payload, notice));
        let request = signed(request, &notice.key, way.now, &secrets);
        Ok(http::deliver(&request, way)?.delivered(None))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("POST {}\n{:#}", self.url, payload(self.payload, notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        self.secret.iter().cloned().chain(secret_of(&self.url)).collect()
    }
}

fn payload(kind: Payload, notice: &Notice) -> Value {
    let make = match kind {
        Payload::Alignwatch => ours,
        Payload::Alertmanager => alertmanager,
    };
    let size = |notice: &Notice| make(notice).to_string().len();
    make(&fitted(notice, limits::WEBHOOK_BODY.at_most, size))
}

/// The notice as it is, with its schema.
pub(crate) fn ours(notice: &Notice) -> Value {
    let mut value = serde_json::to_value(notice).unwrap_or_default();
    if let Value::Object(object) = &mut value {
        object.insert("schema".to_owned(), json!("alignwatch.notice/1"));
    }
    value
}

/// What Alertmanager posts, version 4, with all of its fields.
///
/// Source: `notify/webhook/webhook.go` and `template/template.go` of Alertmanager 0.25 to 0.34.
fn alertmanager(notice: &Notice) -> Value {
    let alerts: Vec<Value> =
        notice.alerts.iter().map(|alert| alertmanager_alert(alert, &notice.external_url)).collect();
    let labels: Vec<Value> = alerts.iter().map(|alert| alert["labels"].clone()).collect();
    let annotations: Vec<Value> = alerts.iter().map(|alert| alert["annotations"].clone()).collect();
    json!({
        "version": "4",
        "groupKey": notice.group_key,
        "truncatedAlerts": notice.n_left_out,
        "status": notice.status,
        "receiver": notice.receiver,
        "groupLabels": notice.group_labels,
        "commonLabels": common(&labels),
        "commonAnnotations": common(&annotations),
        "externalURL": notice.external_url,
        "alerts": alerts,
    })
}

/// One alert, as Alertmanager has it.
fn alertmanager_alert(alert: &alignwatch_model::notice::NoticeAlert, external_url: &str) -> Value {
    let (labels, annotations) = labels_and_annotations(alert);
    json!({
        "status": if alert.is_firing { "firing" } else { "resolved" },
        "labels": labels,
        "annotations": annotations,
        "startsAt": alert.starts_at,
        // The zero time of Go, for one that has not ended.
        "endsAt": alert.ends_at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |ends_at| ends_at.rfc3339()),
        "generatorURL": text::url(external_url).unwrap_or_default(),
        "fingerprint": alert.fingerprint,
    })
}

/// What Prometheus would have given an alert: `alertname` among the labels, what people read as annotations.
pub(crate) fn labels_and_annotations(alert: &alignwatch_model::notice::NoticeAlert) -> (Value, Value) {
    let mut labels = alert.labels.clone();
    labels.entry("alertname".to_owned()).or_insert_with(|| alert.rule.clone());
    labels.entry("severity".to_owned()).or_insert_with(|| text::severity_word(alert.severity).to_ascii_lowercase());
    let mut annotations = alert.annotations.clone();
    let said = [
        ("summary", Some(&alert.summary)),
        ("description", Some(&alert.description)),
        ("runbook_url", alert.runbook_url.as_ref()),
    ];
    for (name, text) in said {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            annotations.entry(name.to_owned()).or_insert_with(|| text.clone());
        }
    }
    (json!(labels), json!(annotations))
}

/// The entries that all of these have.
fn common(all: &[Value]) -> Value {
    let entries = all.first().and_then(Value::as_object).into_iter().flatten();
    let shared = entries.filter(|(name, value)| all.iter().all(|other| other.get(name.as_str()) == Some(value)));
    Value::Object(shared.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The bytes of a secret `whsec_…`.
fn key_of(text: &str, reference: &SecretRef) -> Result<Vec<u8>, Failure> {
    let bytes = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or_else(|| {
        let detail = format!(
            "what `{reference}` holds is no secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64"
        );
        broken(FailureReason::Configuration, detail)
    })
}

/// The request with its id, its time, and a signature for each secret.
fn signed(request: Request, key: &str, now: Timestamp, secrets: &[Vec<u8>]) -> Request {
    let id = alignwatch_model::escape::terminal(key).into_owned();
    let seconds = now.0.to_string();
    let signatures: Vec<String> =
        secrets.iter().map(|secret| signature(secret, &id, &seconds, &request.body)).collect();
    let request = request.with("webhook-id", id).with("webhook-timestamp", seconds);
    if signatures.is_empty() { request } else { request.with("webhook-signature", signatures.join(" ")) }
}

fn signature(secret: &[u8], id: &str, seconds: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use alignwatch_model::config::Channel;
    use insta::assert_snapshot;

    use super::*;
    use crate::{sample, sink::Sink};

    fn channel(url: String) -> Webhook {
        Webhook { name: "w".into(), url, ..Webhook::default() }
    }

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // Source: the example of the Standard Webhooks specification.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signature = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_notice_arrives_whole_with_its_key_and_the_time_of_the_attempt() {
        let sink = Sink::answering(["HTTP/1.1 204 No Content\r\n\r\n"]);
        let outcome = crate::deliver(
            &Channel::Webhook(channel(sink.url("/hook?x=1"))),
            &sample::notice(),
            &sink.egress(),
            Timestamp(1_767_225_660),
        );
        assert_eq!(outcome.expect("it arrives").answer, "204 No Content");
        let request = sink.request();
        assert_eq!(
            (request.line.as_str(), request.header("webhook-id"), request.header("webhook-timestamp")),
            ("POST /hook?x=1 HTTP/1.1", Some("n-1"), Some("1767225660"))
        );
        let mut json = request.json();
        assert_eq!(json.as_object_mut().and_then(|object| object.remove("schema")), Some(json!("alignwatch.notice/1")));
        assert_eq!(serde_json::from_value::<Notice>(json).expect("a notice"), sample::notice());
    }

    #[test]
    fn the_payload_of_alertmanager_has_all_its_fields() {
        assert_snapshot!(format!("{:#}", payload(Payload::Alertmanager, &sample::over())), @r#"
        {
          "alerts": [
            {
              "annotations": {
                "description": "The longer it waits, the more will collide.",
                "runbook_url": "https://docs.example.org/far-behind",
                "summary": "feature/0 is far behind"
              },
              "endsAt": "2026-01-01T03:00:00Z",
              "fingerprint": "0000000000000000",
              "generatorURL": "https://watch.example.org/alerts",
              "labels": {
                "alertname": "far-behind",
                "branch": "feature/0",
                "repository": "a.git",
                "severity": "error"
              },
              "startsAt": "2026-01-01T00:00:00Z",
              "status": "resolved"
            }
          ],
          "commonAnnotations": {
            "description": "The longer it waits, the more will collide.",
            "runbook_url": "https://docs.example.org/far-behind",
            "summary": "feature/0 is far behind"
          },
          "commonLabels": {
            "alertname": "far-behind",
            "branch": "feature/0",
            "repository": "a.git",
            "severity": "error"
          },
          "externalURL": "https://watch.example.org/alerts",
          "groupKey": "far-behind/a.git",
          "groupLabels": {
            "alertname": "far-behind"
          },
          "receiver": "team",
          "status": "resolved",
          "truncatedAlerts": 0,
          "version": "4"
        }
        "#);
    }

    #[test]
    fn a_body_stays_below_its_limit_and_counts_what_it_leaves_out() {
        for kind in [Payload::Alignwatch, Payload::Alertmanager] {
            let body = payload(kind, &sample::many(500));
            let n_told = body["alerts"].as_array().map_or(0, Vec::len) as u64;
            let n_left = body["n_left_out"].as_u64().or_else(|| body["truncatedAlerts"].as_u64());
            assert!(body.to_string().len() <= limits::WEBHOOK_BODY.at_most && n_told > 5);
            assert_eq!(n_left, Some(505 - n_told));
        }
    }
}
