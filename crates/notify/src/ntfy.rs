//! Publishes a notice to a topic of ntfy. The text is plain, so that nothing in it is obeyed.

use alignwatch_model::{
    Severity,
    config::{SecretRef, channels::Ntfy},
    notice::{Delivered, Failure, Notice, NoticeStatus},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way,
    http::{self, Request},
    limits, secret, secret_of,
    text::{self, PLAIN},
};

impl Tell for Ntfy {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let url = http::address(self.url.as_deref().unwrap_or("https://ntfy.sh"), way)?;
        let mut request = Request::json("POST", url, &message(&self.topic, notice));
        if let Some(token) = &self.token {
            request = request.with_secret("authorization", "Bearer ", &secret::read(token, way)?);
        }
        let answer = http::deliver(&request, way)?;
        Ok(answer.delivered(answer.text(&answer.json()["id"], 40)))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(&self.topic, notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        self.token.iter().cloned().chain(self.url.as_deref().and_then(secret_of)).collect()
    }
}

fn message(topic: &str, notice: &Notice) -> Value {
    let mut message = json!({
        "topic": topic,
        "title": text::title(notice, limits::NTFY_TITLE),
        "message": text::body(notice, &PLAIN, limits::NTFY_TEXT, 20),
        "priority": priority(notice),
    });
    if let Some(url) = text::url(&notice.external_url) {
        message["click"] = json!(url);
    }
    message
}

/// From 1, which makes no sound, to 5, which wakes people.
fn priority(notice: &Notice) -> u8 {
    match (notice.status, notice.severity()) {
        (NoticeStatus::Resolved, _) => 2,
        (_, Some(Severity::Critical)) => 5,
        (_, Some(Severity::Error)) => 4,
        (_, Some(Severity::Warning)) => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_plain_text() {
        assert_snapshot!(format!("{:#}", message("t", &sample::over())), @r#"
        {
          "click": "https://watch.example.org/alerts",
          "message": "All are over.\n\nOVER feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\n2026-01-01 00:00 UTC to 2026-01-01 03:00 UTC, 3 h, told late, changed while muted, alert a0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts",
          "priority": 2,
          "title": "[OVER] feature/0 is 240 commits behind main (limit 200) (a.git)",
          "topic": "t"
        }
        "#);
    }

    #[test]
    fn a_message_does_not_become_an_attachment() {
        for notice in [sample::many(300), sample::hostile(&"ä".repeat(20_000))] {
            let message = message("t", &notice);
            assert!(message["message"].as_str().expect("text").len() <= 4_096);
            assert!(message["title"].as_str().expect("text").len() <= 250);
        }
    }
}
