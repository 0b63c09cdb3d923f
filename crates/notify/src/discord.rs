//! Posts a notice to Discord, as an embed through a webhook. Nobody is mentioned, whatever stands in it.

use alignwatch_model::{
    config::{SecretRef, channels::Discord},
    notice::{Delivered, Failure, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way,
    colour::colour,
    http::{self, Request},
    limits,
    text::{self, Markup},
};

/// Discord's Markdown: a backslash in front of everything that could mean something.
const MARKUP: Markup = Markup {
    text: escaped,
    bold: |text| format!("**{}**", escaped(text)),
    code: escaped,
    link: |url, words| format!("[{}]({url})", escaped(words)),
    line: "\n",
    paragraph: "\n\n",
};

impl Tell for Discord {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        // So that it answers with the message, and not before there is one.
        let to = http::address(&self.url.to_string(), way)?.with_query([("wait", "true")]);
        let request = Request::json("POST", to, &message(notice));
        let answer = http::deliver_or_wait(&request, way, "/retry_after", 1.0)?;
        Ok(answer.delivered(answer.text(&answer.json()["id"], 40)))
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(notice))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        vec![self.url.clone()]
    }
}

fn message(notice: &Notice) -> Value {
    // The title is read as Markdown, too, and grows by its backslashes.
    let title = text::title(notice, limits::DISCORD_TITLE);
    let escaped_title = text::cut_to(&escaped(&title), limits::DISCORD_TITLE);
    let mut embed = json!({
        "title": escaped_title,
        "description": text::body(notice, &MARKUP, limits::DISCORD_TEXT, 25),
        "color": colour(notice).number(),
    });
    if let Some(url) = text::url(&notice.external_url) {
        embed["url"] = json!(url);
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if "\\*_~`|>#[]()<@:-+.!".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_one_embed_that_mentions_nobody() {
        assert_snapshot!(format!("{:#}", message(&sample::notice())), @r#"
        {
          "allowed_mentions": {
            "parse": []
          },
          "embeds": [
            {
              "color": 13983232,
              "description": "**ERROR** feature/0 is 240 commits behind main \\(limit 200\\)\nrefs/heads/feature/0 in a\\.git\nsince 2026\\-01\\-01 00\\:00 UTC, alert a0\nThe longer it waits, the more will collide\\.\nMerge the base into it\\.\ngit merge\\-base main feature/0\n[what to do](https://docs.example.org/far-behind)\n\n[see all](https://watch.example.org/alerts)",
              "title": "\\[ERROR\\] feature/0 is 240 commits behind main \\(limit 200\\) \\(a\\.git\\)",
              "url": "https://watch.example.org/alerts"
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_discord_would_obey_is_escaped() {
        for name in sample::NAUGHTY {
            let message = message(&sample::hostile(name));
            let text = message["embeds"][0]["description"].as_str().expect("text");
            let bare = text
                .replace("[what to do](https://docs.example.org/far-behind)", "")
                .replace("[see all](https://watch.example.org/alerts)", "")
                .replace("**ERROR**", "");
            let mut chars = bare.chars();
            while let Some(char) = chars.next() {
                match char {
                    '\\' => drop(chars.next()),
                    char => assert!(!"*_~`|>[]<@".contains(char), "{char} in {bare}"),
                }
            }
            assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
        }
    }

    #[test]
    fn a_message_fits_its_embed() {
        for notice in [sample::many(300), sample::hostile(&"_*".repeat(20_000))] {
            let message = message(&notice);
            let size = |name: &str| message["embeds"][0][name].as_str().map_or(0, |text| text.encode_utf16().count());
            assert!(
                size("title") <= 256 && size("description") <= 4_096 && size("title") + size("description") <= 6_000
            );
        }
    }
}
