//! Posts a notice to Mattermost, through an incoming webhook; and so to Rocket.Chat, which took over its form.
//!
//! Both read Markdown, and both look for mentions in finished text, where no backslash helps. So foreign text
//! gets a backslash in front of markup, and `＠` in the place of `@`: people read the same, and nobody is called.

use alignwatch_model::{
    config::{SecretRef, channels::Mattermost},
    notice::{Delivered, Failure, Notice},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way,
    colour::colour,
    http,
    limits::{self, Limit},
    text::{self, Markup},
};

/// Markdown of Mattermost and Rocket.Chat.
const MARKUP: Markup = Markup {
    text: escaped,
    bold: |text| format!("**{}**", escaped(text)),
    code: escaped,
    link: |url, words| format!("[{}]({url})", escaped(words)),
    line: "\n",
    paragraph: "\n\n",
};

impl Tell for Mattermost {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        http::post(&self.url, &message(notice, limits::MATTERMOST_TITLE, limits::MATTERMOST_TEXT), way)
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", message(notice, limits::MATTERMOST_TITLE, limits::MATTERMOST_TEXT))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        vec![self.url.clone()]
    }
}

/// One attachment: it has a colour and a title, and mentions in it call nobody.
pub(crate) fn message(notice: &Notice, title: Limit, text: Limit) -> Value {
    let title = text::cut_to(&escaped(&text::title(notice, title)), title);
    let mut attachment = json!({
        "fallback": title,
        "color": colour(notice).web(),
        "title": title,
        "text": text::body(notice, &MARKUP, text, 30),
    });
    if let Some(url) = text::url(&notice.external_url) {
        attachment["title_link"] = json!(url);
    }
    json!({ "attachments": [attachment] })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '@' => out.push('\u{ff20}'),
            // A link is made of what only looks like one, unless this is not there to see.
            ':' => out.push_str("\\:"),
            char if "\\*_~`|>#[]()<-+.!&$".contains(char) => out.extend(['\\', char]),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_message_is_one_attachment() {
        assert_snapshot!(format!("{:#}", message(&sample::notice(), limits::MATTERMOST_TITLE, limits::MATTERMOST_TEXT)), @r##"
        {
          "attachments": [
            {
              "color": "#d55e00",
              "fallback": "\\[ERROR\\] feature/0 is 240 commits behind main \\(limit 200\\) \\(a\\.git\\)",
              "text": "**ERROR** feature/0 is 240 commits behind main \\(limit 200\\)\nrefs/heads/feature/0 in a\\.git\nsince 2026\\-01\\-01 00\\:00 UTC, alert a0\nThe longer it waits, the more will collide\\.\nMerge the base into it\\.\ngit merge\\-base main feature/0\n[what to do](https://docs.example.org/far-behind)\n\n[see all](https://watch.example.org/alerts)",
              "title": "\\[ERROR\\] feature/0 is 240 commits behind main \\(limit 200\\) \\(a\\.git\\)",
              "title_link": "https://watch.example.org/alerts"
            }
          ]
        }
        "##);
    }

    #[test]
    fn nobody_is_mentioned_and_nothing_is_markup() {
        for name in sample::NAUGHTY {
            let message = message(&sample::hostile(name), limits::MATTERMOST_TITLE, limits::MATTERMOST_TEXT);
            let text = message["attachments"][0]["text"].as_str().expect("text");
            assert!(!message.to_string().contains('@'), "{message}");
            let bare = text
                .replace("[what to do](https://docs.example.org/far-behind)", "")
                .replace("[see all](https://watch.example.org/alerts)", "")
                .replace("**ERROR**", "");
            let mut chars = bare.chars();
            while let Some(char) = chars.next() {
                match char {
                    '\\' => drop(chars.next()),
                    char => assert!(!"*_~`|>[]<".contains(char), "{char} in {bare}"),
                }
            }
        }
    }

    #[test]
    fn a_message_is_no_longer_than_each_of_both_takes() {
        for (title, limit) in
            [(limits::MATTERMOST_TITLE, limits::MATTERMOST_TEXT), (limits::ROCKETCHAT_TITLE, limits::ROCKETCHAT_TEXT)]
        {
            for notice in [sample::many(300), sample::hostile(&"_*".repeat(20_000))] {
                let message = message(&notice, title, limit);
                let size =
                    |name: &str| message["attachments"][0][name].as_str().map_or(0, |text| text.encode_utf16().count());
                assert!(size("title") <= title.at_most && size("text") <= limit.at_most);
            }
        }
    }
}
