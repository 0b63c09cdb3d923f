//! Writes a notice into a chat of Telegram, by a bot.
//!
//! The text is Telegram's small HTML. Names and commands stand in `<code>`, where Telegram looks for no
//! mentions and links; elsewhere `@` becomes `＠`. Links are not looked up for a preview.

use alignwatch_model::{
    config::{SecretRef, channels::Telegram},
    notice::{Delivered, Failure, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way,
    http::{self, Request},
    key_and_address,
    limits::{self, Limit},
    secret,
    text::{self, Markup},
};

const MARKUP: Markup = Markup {
    text: escaped,
    bold: |text| format!("<b>{}</b>", escaped(text)),
    code: |text| format!("<code>{}</code>", escaped(text)),
    link: |url, words| format!("<a href=\"{}\">{}</a>", url.replace('&', "&amp;"), escaped(words)),
    line: "\n",
    paragraph: "\n\n",
};

impl Tell for Telegram {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let token = secret::read(&self.token, way)?;
        let base = http::address(self.url.as_deref().unwrap_or("https://api.telegram.org"), way)?;
        let to = base.below(&[&format!("bot{token}"), "sendMessage"])?;
        let mut request = Request::json("POST", to, &message(&self.chat, notice));
        request.secrets.push(token);
        let answer = http::deliver_or_wait(&request, way, "/parameters/retry_after", 1.0)?;
        Ok(answer.delivered(answer.json()["result"]["message_id"].as_i64().map(|id| id.to_string())))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(&self.chat, notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.token, self.url.as_deref())
    }
}

fn message(chat: &str, notice: &Notice) -> Value {
    let title = text::title(notice, Limit { at_most: 200, ..limits::TELEGRAM_TEXT });
    let head = format!("<b>{}</b>\n\n", escaped(&title));
    let room = Limit {
        at_most: limits::TELEGRAM_TEXT.at_most - limits::TELEGRAM_TEXT.size_of(&head),
        ..limits::TELEGRAM_TEXT
    };
    let text = head + &text::body(notice, &MARKUP, room, 30);
    json!({ "chat_id": chat, "text": text, "parse_mode": "HTML", "link_preview_options": { "is_disabled": true } })
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    text.replace('@', "\u{ff20}")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_small_html() {
        assert_snapshot!(format!("{:#}", message("-100", &sample::notice())), @r#"
        {
          "chat_id": "-100",
          "link_preview_options": {
            "is_disabled": true
          },
          "parse_mode": "HTML",
          "text": "<b>[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)</b>\n\n<b>ERROR</b> feature/0 is 240 commits behind main (limit 200)\n<code>refs/heads/feature/0</code> in <code>a.git</code>\nsince 2026-01-01 00:00 UTC, alert a0\nThe longer it waits, the more will collide.\nMerge the base into it.\n<code>git merge-base main feature/0</code>\n<a href=\"https://docs.example.org/far-behind\">what to do</a>\n\n<a href=\"https://watch.example.org/alerts\">see all</a>"
        }
        "#);
    }

    #[test]
    fn foreign_text_makes_no_tag_and_calls_nobody() {
        for name in sample::NAUGHTY {
            let message = message("-100", &sample::hostile(name));
            let text = message["text"].as_str().expect("text");
            let ours = [
                "<b>",
                "</b>",
                "<code>",
                "</code>",
                "</a>",
                "<a href=\"https://watch.example.org/alerts\">",
                "<a href=\"https://docs.example.org/far-behind\">",
            ];
            let bare = ours.iter().fold(text.to_owned(), |text, tag| text.replace(tag, ""));
            assert!(!bare.contains(['<', '>', '"', '@']), "{bare}");
        }
    }

    #[test]
    fn a_message_is_no_longer_than_telegram_takes() {
        for notice in [sample::many(300), sample::hostile(&"<&".repeat(20_000))] {
            let message = message("-100", &notice);
            assert!(message["text"].as_str().expect("text").encode_utf16().count() <= 4_096);
        }
    }
}
