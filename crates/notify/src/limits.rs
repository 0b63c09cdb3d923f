//! How much each channel takes: one table, with where each number comes from.
//!
//! Services change their limits. What is too much for one all the same is halved and tried once more.

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Characters. Counted in UTF-16 units, which are never fewer, since many services count so.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// Things in a list.
    Items,
}

/// The most that a channel takes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The kind of channel, as in the configuration.
    pub channel: &'static str,
    /// Of what.
    pub of: &'static str,
    /// How much.
    pub at_most: usize,
    /// Of which unit.
    pub unit: Unit,
    /// Who says so.
    pub source: &'static str,
}

macro_rules! limits {
    ($($name:ident: $channel:literal, $of:literal, $at_most:literal $unit:ident, $source:literal;)*) => {
        $(pub(crate) const $name: Limit =
            Limit { channel: $channel, of: $of, at_most: $at_most, unit: Unit::$unit, source: $source };)*

        /// All limits.
        pub const TABLE: &[Limit] = &[$($name),*];
    };
}

limits! {
    WEBHOOK_BODY: "webhook", "body", 20_000 Bytes, "Standard Webhooks 1.0.0 advises less than 20 KB";
    MAIL_SUBJECT: "mail", "subject", 200 Characters, "ours: two lines of a phone; RFC 5322 allows 998 in a line";
    MAIL_ALERTS: "mail", "alerts", 100 Items, "ours: more is no mail that somebody reads";
    SLACK_TITLE: "slack", "header", 150 Characters, "docs.slack.dev, header block";
    SLACK_SECTION: "slack", "section", 3_000 Characters, "docs.slack.dev, text object in a section block";
    SLACK_BLOCKS: "slack", "blocks", 50 Items, "docs.slack.dev, blocks in a message";
    SLACK_ALL: "slack", "all blocks", 13_000 Characters, "bolt-js#2509: blocks of more than about 13,200 in all are refused";
    TEAMS_BODY: "teams", "body", 21_000 Bytes, "Microsoft says 28 KB; the gem msteams_hermes found 21 KB safe";
    DISCORD_TITLE: "discord", "title", 256 Characters, "discord.com, embed limits; Alertmanager notify/discord";
    DISCORD_TEXT: "discord", "description", 4_096 Characters, "discord.com, embed limits; Alertmanager notify/discord";
    MATTERMOST_TITLE: "mattermost", "title", 1_024 Characters, "as Alertmanager notify/slack";
    MATTERMOST_TEXT: "mattermost", "text", 16_383 Characters, "Alertmanager notify/mattermost";
    ROCKETCHAT_TITLE: "rocketchat", "title", 1_024 Characters, "Alertmanager notify/rocketchat";
    ROCKETCHAT_TEXT: "rocketchat", "text", 5_000 Characters, "Message_MaxAllowedSize of Rocket.Chat, by default";
    TELEGRAM_TEXT: "telegram", "text", 4_096 Characters, "Bot API, sendMessage; Alertmanager notify/telegram";
    MATRIX_TEXT: "matrix", "text", 16_000 Bytes, "ours: text and HTML together stay below the 65,536 bytes of an event";
    NTFY_TEXT: "ntfy", "message", 4_096 Bytes, "ntfy v1.11.0: longer becomes an attachment";
    NTFY_TITLE: "ntfy", "title", 250 Bytes, "ours: one line of a phone";
    PAGERDUTY_SUMMARY: "pagerduty", "summary", 1_024 Characters, "Events API v2; Alertmanager notify/pagerduty";
    PAGERDUTY_DETAILS: "pagerduty", "details", 100_000 Bytes, "Events API v2 takes 512,000 bytes in all";
    OPSGENIE_MESSAGE: "opsgenie", "message", 130 Characters, "Alert API; Alertmanager notify/opsgenie";
    OPSGENIE_TEXT: "opsgenie", "description", 15_000 Characters, "Alert API";
    OPSGENIE_ALIAS: "opsgenie", "alias", 512 Characters, "Alert API";
    ALERTMANAGER_BODY: "alertmanager", "body", 1_000_000 Bytes, "ours: a request that every proxy lets through";
    GITHUB_TITLE: "github", "title", 256 Characters, "repo-automation-bots#1895";
    GITHUB_BODY: "github", "body", 65_536 Characters, "create-issue-from-file#1049";
    GITLAB_TITLE: "gitlab", "title", 255 Characters, "docs.gitlab.com, limits of issues";
    GITLAB_BODY: "gitlab", "description", 65_000 Bytes, "ours: as the others; docs.gitlab.com allows 1,048,576 bytes, of which a list would be endless";
    GITEA_TITLE: "gitea", "title", 255 Characters, "go-gitea/gitea#27494";
    GITEA_BODY: "gitea", "body", 65_000 Bytes, "a TEXT column of MySQL holds 65,535 bytes";
    COMMAND_INPUT: "command", "standard input", 1_000_000 Bytes, "ours";
    FILE_LINE: "file", "line", 1_000_000 Bytes, "ours: a line that log collectors still take";
}

impl Limit {
    /// How much of this unit a text is.
    pub(crate) fn size_of(&self, text: &str) -> usize {
        match self.unit {
            Unit::Bytes => text.len(),
            Unit::Characters | Unit::Items => text.encode_utf16().count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::config::Channels;

    use super::*;

    #[test]
    fn every_limit_belongs_to_a_kind_of_channel_and_has_a_source() {
        for limit in TABLE {
            assert!(Channels::KINDS.contains(&limit.channel), "{}", limit.channel);
            assert!(limit.source.len() >= 4, "{limit:?}");
        }
    }

    #[test]
    fn characters_are_counted_as_services_do() {
        assert_eq!([DISCORD_TITLE, NTFY_TEXT].map(|limit| limit.size_of("ä𝄞")), [3, 6]);
    }
}
