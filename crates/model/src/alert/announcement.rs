//! What channels are told of maintenance windows and of stale branches: letters that go the road of all messages.
//!
//! They have a key of their own that says what they are about, so that one which was decided twice is one message.

use std::collections::BTreeMap;

use super::{Labels, outbox::Outgoing, unsent::Telling};
use crate::{
    Timestamp,
    notice::NoticeReason,
    report::letter::{Letter, Paragraph},
    task::report::Told,
};

/// What is told of a maintenance window, for this channel.
pub fn of_window(key: &str, channel: &str, window: &str, told: &Told, now: Timestamp) -> Outgoing {
    about(key, channel, Subject { label: "window", name: window, title: "maintenance window" }, told, now)
}

/// What is told of stale branches of the repository at this path, for this channel.
pub fn of_stale(key: &str, channel: &str, path: &str, told: &Told, now: Timestamp) -> Outgoing {
    about(key, channel, Subject { label: "repository", name: path, title: "stale branches in" }, told, now)
}

/// What a letter is about.
struct Subject<'a> {
    label: &'a str,
    name: &'a str,
    title: &'a str,
}

fn about(key: &str, channel: &str, subject: Subject<'_>, told: &Told, now: Timestamp) -> Outgoing {
    let Subject { label, name, title } = subject;
    let details = Paragraph { title: format!("{name}:"), lines: told.details.clone() };
    let letter = Letter {
        title: format!("{title} {name}"),
        summary: told.summary.clone(),
        path: "/maintenance".to_owned(),
        paragraphs: Some(details).filter(|details| !details.lines.is_empty()).into_iter().collect(),
    };
    let telling = Telling {
        channel: channel.to_owned(),
        group_key: format!("{label}/{name}"),
        group_labels: Labels::from([(label.to_owned(), name.to_owned())]),
        reason: NoticeReason::Report,
        alerts: Vec::new(),
        // Nobody hears later that it is over: it never was anything.
        covers: BTreeMap::new(),
        letter: Some(Box::new(letter)),
    };
    Outgoing::new(key.to_owned(), telling, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_a_window_is_one_message_whatever_happens() {
        let told = Told { summary: "it closed".into(), details: vec!["a".into(), "b".into()] };
        let row = of_window("k", "team", "night", &told, Timestamp(7));
        let notice = row.notice("http://localhost/");
        assert_eq!((notice.key.as_str(), notice.receiver.as_str()), ("k", "team"));
        let letter = notice.letter.unwrap();
        assert_eq!((letter.summary.as_str(), letter.paragraphs[0].lines.as_slice()), ("it closed", &told.details[..]));
    }
}
