//! Opens and closes an incident of PagerDuty, one for each group, by the Events API v2.
//!
//! The deduplication key is the group's, so that a change or a repetition finds the incident that is open.

use alignwatch_model::{
    config::{SecretRef, channels::Pagerduty},
    escape::terminal,
    notice::{Delivered, Failure, Notice, NoticeStatus},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, group_hash,
    http::{self, Request},
    key_and_address, limits, secret,
    text::{self, PLAIN},
};

impl Tell for Pagerduty {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let key = secret::read(&self.key, way)?;
        let base = http::address(self.url.as_deref().unwrap_or("https://events.pagerduty.com"), way)?;
        let url = base.below(&["v2", "enqueue"])?;
        let mut body = event(notice);
        body["routing_key"] = json!(key);
        let mut request = Request::json("POST", url, &body);
        request.secrets.push(key);
        Ok(http::deliver(&request, way)?.delivered(Some(group_hash(notice))))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", event(notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.key, self.url.as_deref())
    }
}

/// The event, without the key of the service.
fn event(notice: &Notice) -> Value {
    if notice.status == NoticeStatus::Resolved {
        return json!({ "event_action": "resolve", "dedup_key": group_hash(notice) });
    }
    let source = text::shared(&notice.alerts, |alert| &alert.repository).unwrap_or("several repositories");
    let class = text::shared(&notice.alerts, |alert| &alert.rule).unwrap_or("several rules");
    let link = text::url(&notice.external_url);
    json!({
        "event_action": "trigger",
        "dedup_key": group_hash(notice),
        "client": "alignwatch",
        "client_url": link,
        "links": link.iter().map(|url| json!({ "href": url, "text": "See all" })).collect::<Vec<_>>(),
        "payload": {
            "summary": text::title(notice, limits::PAGERDUTY_SUMMARY),
            "source": text::cut(&terminal(source), 255),
            "severity": notice.severity().map_or_else(|| "info".to_owned(), |severity| text::severity_word(severity).to_ascii_lowercase()),
            "timestamp": notice.alerts.iter().map(|alert| alert.starts_at).min(),
            "class": text::cut(&terminal(class), 255),
            "custom_details": { "alerts": text::body(notice, &PLAIN, limits::PAGERDUTY_DETAILS, 100) },
        },
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_group_opens_an_incident_and_closes_the_same() {
        assert_snapshot!(format!("{:#}", event(&sample::notice())), @r#"
        {
          "client": "alignwatch",
          "client_url": "https://watch.example.org/alerts",
          "dedup_key": "c307d67c5b4353c1244b3aa6aaffdb62",
          "event_action": "trigger",
          "links": [
            {
              "href": "https://watch.example.org/alerts",
              "text": "See all"
            }
          ],
          "payload": {
            "class": "far-behind",
            "custom_details": {
              "alerts": "ERROR feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\nsince 2026-01-01 00:00 UTC, alert a0\nThe longer it waits, the more will collide.\nMerge the base into it.\ngit merge-base main feature/0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts"
            },
            "severity": "error",
            "source": "/srv/git/a.git",
            "summary": "[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)",
            "timestamp": "2026-01-01T00:00:00Z"
          }
        }
        "#);
        assert_eq!(
            event(&sample::over()),
            json!({ "event_action": "resolve", "dedup_key": group_hash(&sample::notice()) })
        );
    }

    #[test]
    fn an_event_is_smaller_than_it_may_be() {
        for notice in [sample::many(3_000), sample::hostile(&"\u{1}".repeat(400_000))] {
            let event = event(&notice);
            assert!(event.to_string().len() <= 512_000);
            assert!(event["payload"]["summary"].as_str().expect("text").encode_utf16().count() <= 1_024);
        }
    }
}
