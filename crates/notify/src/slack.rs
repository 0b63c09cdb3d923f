//! Posts a notice to Slack, through an incoming webhook.
//!
//! Foreign text stands in blocks of plain text, where Slack looks for no mention, link or markup. The text
//! beside them, for notifications of the system, is escaped as Slack asks: `&`, `<` and `>`.

use alignwatch_model::{
    config::{SecretRef, channels::Slack},
    notice::{Delivered, Failure, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, http,
    limits::{self, Limit},
    text::{self, PLAIN},
};

impl Tell for Slack {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        http::post(&self.url, &message(notice), way)
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        vec![self.url.clone()]
    }
}

fn message(notice: &Notice) -> Value {
    let title = text::title(notice, limits::SLACK_TITLE);
    let room =
        Limit { at_most: limits::SLACK_ALL.at_most - 2 * limits::SLACK_TITLE.at_most - 2_100, ..limits::SLACK_ALL };
    let paragraphs = text::body(notice, &PLAIN, room, limits::SLACK_BLOCKS.at_most - 3);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&title) })];
    blocks.extend(sections(&paragraphs).into_iter().map(|text| json!({ "type": "section", "text": plain(&text) })));
    if let Some(url) = text::url(&notice.external_url) {
        let button = json!({ "type": "button", "text": plain("See all"), "url": url });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    json!({ "text": escaped(&title), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Paragraphs put together, each no longer than a section may be.
fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for paragraph in text.split(PLAIN.paragraph) {
        let paragraph = text::cut_to(paragraph, limits::SLACK_SECTION);
        match sections.last_mut() {
            Some(last)
                if limits::SLACK_SECTION.size_of(last) + limits::SLACK_SECTION.size_of(&paragraph) + 2
                    <= limits::SLACK_SECTION.at_most =>
            {
                last.push_str(PLAIN.paragraph);
                last.push_str(&paragraph);
            }
            _ => sections.push(paragraph),
        }
    }
    sections
}

/// Source: docs.slack.dev, formatting text: only these three are control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_a_header_the_alerts_and_a_way_to_all() {
        assert_snapshot!(format!("{:#}", message(&sample::notice())), @r#"
        {
          "blocks": [
            {
              "text": {
                "emoji": false,
                "text": "[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)",
                "type": "plain_text"
              },
              "type": "header"
            },
            {
              "text": {
                "emoji": false,
                "text": "ERROR feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\nsince 2026-01-01 00:00 UTC, alert a0\nThe longer it waits, the more will collide.\nMerge the base into it.\ngit merge-base main feature/0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts",
                "type": "plain_text"
              },
              "type": "section"
            },
            {
              "elements": [
                {
                  "text": {
                    "emoji": false,
                    "text": "See all",
                    "type": "plain_text"
                  },
                  "type": "button",
                  "url": "https://watch.example.org/alerts"
                }
              ],
              "type": "actions"
            }
          ],
          "text": "[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)",
          "unfurl_links": false,
          "unfurl_media": false
        }
        "#);
    }

    #[test]
    fn nothing_foreign_stands_where_slack_would_obey_it() {
        for name in sample::NAUGHTY {
            let message = message(&sample::hostile(name));
            let text = message["text"].as_str().expect("text");
            assert!(!text.contains(['<', '>']), "{text}");
            for block in message["blocks"].as_array().expect("blocks") {
                let kind = &block["text"]["type"];
                assert!(kind == "plain_text" || block["type"] == "actions", "{block}");
            }
        }
    }

    #[test]
    fn a_long_message_stays_within_all_limits() {
        let message = message(&sample::many(400));
        let blocks = message["blocks"].as_array().expect("blocks");
        let lengths: Vec<usize> =
            blocks.iter().filter_map(|block| Some(block["text"]["text"].as_str()?.len())).collect();
        assert!(blocks.len() <= limits::SLACK_BLOCKS.at_most);
        assert!(lengths.iter().all(|length| *length <= limits::SLACK_SECTION.at_most), "{lengths:?}");
        assert!(lengths.iter().sum::<usize>() <= limits::SLACK_ALL.at_most, "{lengths:?}");
        assert!(message.to_string().contains(" more, see the rest"), "{message}");
    }
}
