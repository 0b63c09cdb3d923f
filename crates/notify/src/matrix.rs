//! Writes a notice into a room of Matrix. The transaction is the notice's key, so that a repetition is none there.

use alignwatch_model::{
    config::{SecretRef, channels::Matrix},
    escape,
    notice::{Delivered, Failure, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, hash,
    http::{self, Request},
    key_and_address,
    limits::{self, Limit},
    secret,
    text::{self, Markup, PLAIN},
};

const MARKUP: Markup = Markup {
    text: escape::xml,
    bold: |text| format!("<strong>{}</strong>", escape::xml(text)),
    code: |text| format!("<code>{}</code>", escape::xml(text)),
    link: |url, words| format!("<a href=\"{}\">{}</a>", escape::xml(url), escape::xml(words)),
    line: "<br>",
    paragraph: "</p><p>",
};

impl Tell for Matrix {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let token = secret::read(&self.token, way)?;
        let transaction = hash(&notice.key);
        let parts = ["_matrix", "client", "v3", "rooms", &self.room, "send", "m.room.message", &transaction];
        let to = http::address(&self.url, way)?.below(&parts)?;
        let request = Request::json("PUT", to, &message(notice)).with_secret("authorization", "Bearer ", &token);
        let answer = http::deliver_or_wait(&request, way, "/retry_after_ms", 1_000.0)?;
        Ok(answer.delivered(answer.text(&answer.json()["event_id"], 255)))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.token, Some(&self.url))
    }
}

fn message(notice: &Notice) -> Value {
    let title = text::title(notice, Limit { at_most: 300, ..limits::MATRIX_TEXT });
    let plain = text::body(notice, &PLAIN, limits::MATRIX_TEXT, 50);
    let html = text::body(notice, &MARKUP, limits::MATRIX_TEXT, 50);
    json!({
        "msgtype": "m.notice",
        "body": format!("{title}\n\n{plain}"),
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<p><strong>{}</strong></p><p>{html}</p>", escape::xml(&title)),
        // Nobody is meant, whatever stands in the text (MSC3952).
        "m.mentions": {},
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_text_and_html_that_mean_nobody() {
        assert_snapshot!(format!("{:#}", message(&sample::notice())), @r#"
        {
          "body": "[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)\n\nERROR feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\nsince 2026-01-01 00:00 UTC, alert a0\nThe longer it waits, the more will collide.\nMerge the base into it.\ngit merge-base main feature/0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts",
          "format": "org.matrix.custom.html",
          "formatted_body": "<p><strong>[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)</strong></p><p><strong>ERROR</strong> feature/0 is 240 commits behind main (limit 200)<br><code>refs/heads/feature/0</code> in <code>a.git</code><br>since 2026-01-01 00:00 UTC, alert a0<br>The longer it waits, the more will collide.<br>Merge the base into it.<br><code>git merge-base main feature/0</code><br><a href=\"https://docs.example.org/far-behind\">what to do</a></p><p><a href=\"https://watch.example.org/alerts\">see all</a></p>",
          "m.mentions": {},
          "msgtype": "m.notice"
        }
        "#);
    }

    #[test]
    fn a_message_is_smaller_than_an_event_may_be() {
        for notice in [sample::many(300), sample::hostile(&"<&\"".repeat(20_000))] {
            assert!(message(&notice).to_string().len() <= 60_000);
        }
    }
}
