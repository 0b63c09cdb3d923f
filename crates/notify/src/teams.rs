//! Posts a notice to Microsoft Teams, as an Adaptive Card to a workflow.
//!
//! Foreign text stands in runs of a rich text block, which Teams takes as they are, without Markdown.

use alignwatch_model::{
    Severity,
    config::{SecretRef, channels::Teams},
    notice::{Delivered, Failure, Notice, NoticeStatus},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, http,
    limits::{self, Limit},
    text::{self, PLAIN},
};

impl Tell for Teams {
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

/// The largest card that fits. JSON makes text longer by an amount that only the text knows, so that it is tried.
fn message(notice: &Notice) -> Value {
    /// What remains when text is cut to it: a title, an alert and the link.
    const LEAST: usize = 2_000;
    let mut room = limits::TEAMS_BODY.at_most - 1_000;
    loop {
        let message = message_of(notice, room);
        if message.to_string().len() <= limits::TEAMS_BODY.at_most || room <= LEAST {
            return message;
        }
        room = room * 3 / 4;
    }
}

fn message_of(notice: &Notice, room: usize) -> Value {
    let title = text::title(notice, Limit { at_most: 200, ..limits::TEAMS_BODY });
    let body = text::body(notice, &PLAIN, Limit { at_most: room, ..limits::TEAMS_BODY }, 100);
    let mut blocks = vec![runs(&title, json!({ "weight": "Bolder", "size": "Medium", "color": colour(notice) }))];
    for paragraph in body.split(PLAIN.paragraph) {
        blocks.extend(paragraph.split(PLAIN.line).enumerate().map(|(nth, line)| {
            let style = if nth == 0 { json!({}) } else { json!({ "isSubtle": true }) };
            runs(line, style)
        }));
    }
    let link =
        text::url(&notice.external_url).map(|url| json!({ "type": "Action.OpenUrl", "title": "See all", "url": url }));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "msteams": { "width": "Full" },
        "body": blocks,
        "actions": link.into_iter().collect::<Vec<_>>(),
    });
    let attachment =
        json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card });
    json!({ "type": "message", "attachments": [attachment] })
}

fn runs(text: &str, style: Value) -> Value {
    let mut run = json!({ "type": "TextRun", "text": text });
    if let (Some(run), Value::Object(style)) = (run.as_object_mut(), style) {
        run.extend(style);
    }
    json!({ "type": "RichTextBlock", "inlines": [run] })
}

fn colour(notice: &Notice) -> &'static str {
    match (notice.status, notice.severity()) {
        (NoticeStatus::Resolved, _) => "Good",
        (_, Some(Severity::Error | Severity::Critical)) => "Attention",
        (_, Some(Severity::Warning)) => "Warning",
        _ => "Default",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_one_adaptive_card() {
        assert_snapshot!(format!("{:#}", message(&sample::over())), @r#"
        {
          "attachments": [
            {
              "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "actions": [
                  {
                    "title": "See all",
                    "type": "Action.OpenUrl",
                    "url": "https://watch.example.org/alerts"
                  }
                ],
                "body": [
                  {
                    "inlines": [
                      {
                        "color": "Good",
                        "size": "Medium",
                        "text": "[OVER] feature/0 is 240 commits behind main (limit 200) (a.git)",
                        "type": "TextRun",
                        "weight": "Bolder"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "All are over.",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "OVER feature/0 is 240 commits behind main (limit 200)",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "isSubtle": true,
                        "text": "refs/heads/feature/0 in a.git",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "isSubtle": true,
                        "text": "2026-01-01 00:00 UTC to 2026-01-01 03:00 UTC, 3 h, told late, changed while muted, alert a0",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "isSubtle": true,
                        "text": "what to do: https://docs.example.org/far-behind",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "see all: https://watch.example.org/alerts",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  }
                ],
                "fallbackText": "[OVER] feature/0 is 240 commits behind main (limit 200) (a.git)",
                "msteams": {
                  "width": "Full"
                },
                "type": "AdaptiveCard",
                "version": "1.4"
              },
              "contentType": "application/vnd.microsoft.card.adaptive",
              "contentUrl": null
            }
          ],
          "type": "message"
        }
        "#);
    }

    #[test]
    fn foreign_text_is_never_in_a_block_that_reads_markdown() {
        for name in sample::NAUGHTY {
            assert!(!message(&sample::hostile(name)).to_string().contains("\"TextBlock\""));
        }
    }

    #[test]
    fn a_card_stays_below_the_limit_however_its_text_is_escaped() {
        for notice in [sample::many(500), sample::hostile(&"\"\\".repeat(40_000))] {
            let size = message(&notice).to_string().len();
            assert!((1_000..=limits::TEAMS_BODY.at_most).contains(&size), "{size}");
        }
    }
}
