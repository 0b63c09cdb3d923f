//! docs/CHANNELS.md: what each kind of channel sends, and how much it takes, from their code.

use alignwatch_model::{
    Timestamp,
    config::{self, Channel, Config},
    notice::{Notice, NoticeStatus},
};
use alignwatch_notify::{
    limits::{self, Unit},
    preview, test_notice,
};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from crates/notify. Do not edit. -->
# Channels

What each kind of channel sends, by the example of a test notice, and how much the other side takes. Their keys stand in
[CONFIGURATION](CONFIGURATION.md#channels), how they are tried in [OPERATING](OPERATING.md#telling-people). `alignwatch notify
test CHANNEL --preview` shows the same for one of yours.

The words are not made from templates of yours: an engine for those is the usual way to take over a monitor. Whoever wants
others takes the webhook or the command, which get all there is to know as JSON, schema `alignwatch.notice/1`.

## How much each takes

What is longer is told shorter, then counted (`… 12 more, see the rest`). The severity, the id of an alert and the link are
never cut. What is refused as too large all the same is halved and tried once more, under the same key.

| channel | of | at most | where that comes from |
|---|---|---|---|
";

/// docs/CHANNELS.md.
pub(crate) fn document() -> String {
    let rows: String = limits::TABLE.iter().map(row).collect();
    let kinds: String = examples().iter().map(section).collect();
    format!("{HEAD}{rows}\n## What each sends\n{kinds}")
}

fn row(limit: &limits::Limit) -> String {
    let unit = match limit.unit {
        Unit::Characters => "characters",
        Unit::Bytes => "bytes",
        Unit::Items => "",
    };
    let at_most = format!("{} {unit}", limit.at_most);
    format!("| {} | {} | {} | {} |\n", limit.channel, limit.of, at_most.trim(), limit.source)
}

/// A channel of each kind: the example of its key.
fn examples() -> Vec<Channel> {
    let kinds = config::catalogue().find("channels").map(|key| key.children()).unwrap_or_default();
    let text: String = kinds.iter().map(|kind| format!("  {}: {}\n", kind.name, kind.doc.example)).collect();
    let read = Config::from_yaml(&format!("channels:\n{text}"), "examples");
    read.map(|(config, _)| config.channels.all()).unwrap_or_default()
}

fn section(channel: &Channel) -> String {
    format!("\n### `{}`\n\n```\n{}\n```\n", channel.kind(), preview(channel, &notice()).trim_end())
}

/// Noon of the first day of 2026.
fn notice() -> Notice {
    let url = "https://watch.example.org/";
    test_notice("team", NoticeStatus::Firing, "build.example.org", url, Timestamp(1_767_268_800))
}

#[cfg(test)]
mod tests {
    use alignwatch_model::config::Channels;

    use super::*;

    #[test]
    fn every_kind_has_an_example_that_is_no_mistake() {
        let kinds: Vec<&str> = examples().iter().map(Channel::kind).collect();
        assert_eq!(kinds, Channels::KINDS);
    }
}
