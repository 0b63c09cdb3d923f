//! The part of the configuration that says who is told, and where: one file a kind of channel.
//!
//! Secrets never stand in it, only where they are; see [`SecretRef`](super::SecretRef). The list of kinds is at the end of
//! this file, and a new kind is one line there and one file beside it.

mod alertmanager;
mod command;
mod discord;
mod file;
mod gitea;
mod github;
mod gitlab;
mod jira_service_management;
mod mail;
mod matrix;
mod mattermost;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod rocketchat;
mod slack;
mod teams;
mod telegram;
mod webhook;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alertmanager::Alertmanager;
pub use command::Command;
pub use discord::Discord;
pub use file::File;
pub use gitea::Gitea;
pub use github::Github;
pub use gitlab::Gitlab;
pub use jira_service_management::JiraServiceManagement;
pub use mail::{Mail, MailTls};
pub use matrix::Matrix;
pub use mattermost::Mattermost;
pub use ntfy::Ntfy;
pub use opsgenie::Opsgenie;
pub use pagerduty::Pagerduty;
pub use rocketchat::Rocketchat;
pub use slack::Slack;
pub use teams::Teams;
pub use telegram::Telegram;
pub use webhook::{Payload, Webhook};

use super::{Config, rules::Mistake};

/// A kind of channel: its keys, with a name in front of them.
macro_rules! channel {
    ($(#[$doc:meta])* $Kind:ident like $example:literal requires [$($required:literal),*] { $($fields:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        #[schemars(extend("required" = ["name" $(, $required)*]))]
        pub struct $Kind {
            /// How rules and people call it.
            ///
            /// Unit: a name.
            /// Range: 1 to 60 letters, digits, `.`, `_` and `-`; no other channel has it.
            /// Default: none.
            /// Reason: it stands in rules, commands and metrics.
            #[doc = $example]
            #[schemars(with = "crate::config::schema::ChannelName")]
            pub name: String,
            $($fields)*
        }
    };
}
pub(crate) use channel;

/// The one list of kinds.
macro_rules! channels {
    ($($(#[$doc:meta])* $key:ident: $Kind:ident,)*) => {
        /// Who is told, and where. What a channel needs to know that is secret stands elsewhere:
        /// `file:/path` (its first line), `env:NAME`, or `command:/path/to/program argument` (what it writes).
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Channels {
            $($(#[$doc])* pub $key: Vec<$Kind>,)*
        }

        /// One channel.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Channel {
            $(#[expect(missing_docs, reason = "its type says it")] $Kind($Kind),)*
        }

        impl Channels {
            /// The kinds, as they are written in the configuration.
            pub const KINDS: &[&str] = &[$(stringify!($key)),*];

            /// All channels: kind by kind, in the order of the file.
            pub fn all(&self) -> Vec<Channel> {
                let mut all = Vec::new();
                $(all.extend(self.$key.iter().cloned().map(Channel::$Kind));)*
                all
            }

            /// The names, in the same order.
            pub(super) fn names(&self) -> Vec<&str> {
                self.places().into_iter().map(|(name, _)| name).collect()
            }

            /// Names with their places, in the same order.
            fn places(&self) -> Vec<(&str, String)> {
                let mut names = Vec::new();
                $(names.extend(self.$key.iter().enumerate().map(|(index, channel)| {
                    (channel.name.as_str(), format!("channels.{}[{index}].name", stringify!($key)))
                }));)*
                names
            }
        }

        impl Channel {
            /// How rules and people call it.
            pub fn name(&self) -> &str {
                match self {
                    $(Channel::$Kind(channel) => &channel.name,)*
                }
            }

            /// What kind it is, as it is written in the configuration.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Channel::$Kind(_) => stringify!($key),)*
                }
            }
        }
    };
}

impl Channel {
    /// Does it open an incident or issue for each group of alerts, and close it by its key?
    pub fn keeps_incidents(&self) -> bool {
        matches!(self.kind(), "pagerduty" | "opsgenie" | "jira_service_management" | "github" | "gitlab" | "gitea")
    }
}

impl Channel {
    /// Is it a file or a program of this machine?
    pub fn is_local(&self) -> bool {
        matches!(self.kind(), "command" | "file")
    }
}

impl Channels {
    /// The channel of this name.
    pub fn named(&self, name: &str) -> Option<Channel> {
        self.all().into_iter().find(|channel| channel.name() == name)
    }
}

/// Channels that do not go together.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let names = config.channels.places();
    let twice = names.iter().enumerate().filter_map(|(index, (name, path))| {
        let (_, first) = names[..index].iter().find(|(other, _)| other == name && !name.is_empty())?;
        Some(Mistake {
            path: path.clone(),
            problem: format!("`{name}` is a channel already"),
            fix: "give each channel a name of its own".to_owned(),
            also_at: Some(first.clone()),
        })
    });
    twice.chain(mail::mistakes(&config.channels)).chain(command::mistakes(&config.channels)).collect()
}

channels! {
    /// Web addresses that get each notice as JSON, signed by the scheme of Standard Webhooks.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where you listen cannot be guessed.
    /// Example: `[{name: deploy-bot, url: "https://watch.example.org/hook"}]`
    webhook: Webhook,
    /// Mail servers that take each notice as a mail.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who wants mail cannot be guessed.
    /// Example: `[{name: team-mail, server: mail.example.org, from: watch@example.org, to: [team@example.org]}]`
    mail: Mail,
    /// Channels of Slack, by an incoming webhook.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-slack, url: "file:/run/secrets/slack"}]`
    slack: Slack,
    /// Channels or chats of Microsoft Teams, by a workflow that starts when a webhook request comes.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-teams, url: "file:/run/secrets/teams"}]`
    teams: Teams,
    /// Channels of Discord, by a webhook.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-discord, url: "file:/run/secrets/discord"}]`
    discord: Discord,
    /// Channels of Mattermost, by an incoming webhook.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-mattermost, url: "file:/run/secrets/mattermost"}]`
    mattermost: Mattermost,
    /// Rooms of Rocket.Chat, by an incoming webhook.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-rocketchat, url: "file:/run/secrets/rocketchat"}]`
    rocketchat: Rocketchat,
    /// Chats of Telegram, by a bot.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-telegram, token: "file:/run/secrets/telegram", chat: "-1001234567890"}]`
    telegram: Telegram,
    /// Rooms of Matrix.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your team talks cannot be guessed.
    /// Example: `[{name: team-matrix, url: "https://matrix.example.org", token: "file:/run/secrets/matrix", room: "!abcdef:example.org"}]`
    matrix: Matrix,
    /// Topics of ntfy.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: what you are subscribed to cannot be guessed.
    /// Example: `[{name: team-ntfy, topic: alignwatch-team}]`
    ntfy: Ntfy,
    /// Services of PagerDuty, by an integration for the Events API v2. A group of alerts is one incident.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who is on call cannot be guessed.
    /// Example: `[{name: on-call, key: "file:/run/secrets/pagerduty"}]`
    pagerduty: Pagerduty,
    /// Teams of Opsgenie, by an API integration. A group of alerts is one alert there.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who is on call cannot be guessed.
    /// Example: `[{name: on-call-opsgenie, key: "file:/run/secrets/opsgenie"}]`
    opsgenie: Opsgenie,
    /// Teams of Jira Service Management, by an API integration of its operations.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who is on call cannot be guessed.
    /// Example: `[{name: on-call-jira, key: "file:/run/secrets/jira"}]`
    jira_service_management: JiraServiceManagement,
    /// Alertmanagers of Prometheus that take our alerts as they take those of Prometheus.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your Alertmanager is cannot be guessed.
    /// Example: `[{name: alertmanager, urls: ["http://alertmanager.example.org:9093"]}]`
    alertmanager: Alertmanager,
    /// Issues of GitHub: one for each group of alerts, kept current and closed when all is over.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who keeps issues cannot be guessed.
    /// Example: `[{name: issues-github, repository: example/billing, token: "file:/run/secrets/github"}]`
    github: Github,
    /// Issues of GitLab: one for each group of alerts, kept current and closed when all is over.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who keeps issues cannot be guessed.
    /// Example: `[{name: issues-gitlab, project: example/billing, token: "file:/run/secrets/gitlab"}]`
    gitlab: Gitlab,
    /// Issues of Gitea or Forgejo: one for each group of alerts, kept current and closed when all is over.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: who keeps issues cannot be guessed.
    /// Example: `[{name: issues-gitea, repository: example/billing, token: "file:/run/secrets/gitea", url: "https://git.example.org"}]`
    gitea: Gitea,
    /// Programs that get each notice as JSON on their standard input.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: what you have to run cannot be guessed.
    /// Example: `[{name: pager-script, run: [/usr/local/bin/page]}]`
    command: Command,
    /// Files to which each notice is appended as one line of JSON.
    ///
    /// Unit: channels.
    /// Range: any number of channels.
    /// Default: [].
    /// Reason: where your logs are collected cannot be guessed.
    /// Example: `[{name: notices, path: /var/log/alignwatch/notices.jsonl}]`
    file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        Config::from_yaml(text, "f").expect_err("mistakes").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn channels_of_all_kinds_are_one_list_and_found_by_name() {
        let text = "channels:\n  webhook:\n  - {name: a, url: \"https://x.example/h\"}\n  mail:\n  \
                    - {name: b, server: m.example, from: w@x.example, to: [t@x.example]}\n";
        let channels = Config::from_yaml(text, "f").expect("no mistakes").0.channels;
        let listed: Vec<_> = channels.all().iter().map(|c| format!("{} {}", c.kind(), c.name())).collect();
        assert_eq!(listed, ["webhook a", "mail b"]);
        assert_eq!(channels.named("b").map(|channel| channel.kind()), Some("mail"));
        assert_eq!(channels.named("c"), None);
    }

    #[test]
    fn a_name_belongs_to_one_channel() {
        let text = "channels:\n  webhook:\n  - {name: a, url: \"https://x.example/h\"}\n  mail:\n  \
                    - {name: a, server: m.example, from: w@x.example, to: [t@x.example]}\n";
        assert_eq!(
            told(text),
            ["f:5:12: channels.mail[0].name: `a` is a channel already (line 3) (give each channel a name of its own)"]
        );
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        let text = "channels:\n  webhook:\n  - {name: a, url: \"https://x.example/h\", secret: [hunter2]}\n";
        let errors = Config::from_yaml(text, "f").expect_err("mistakes");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(!format!("{:?} {}", errors[0], errors[0]).contains("hunter2"), "{errors:?}");
        assert!(errors[0].to_string().contains("`file:/path`"), "{}", errors[0]);
    }

    #[test]
    fn a_program_is_named_by_its_path_from_the_root() {
        assert_eq!(
            told("channels:\n  command:\n  - {name: a, run: [page, --urgent]}\n"),
            ["f:3:21: channels.command[0].run[0]: `page` would be another program by another PATH \
                 (write its path from the root, like `/usr/local/bin/page`)"]
        );
    }

    #[test]
    fn no_mistake_in_a_channel_repeats_what_may_be_a_secret() {
        let webhook =
            |keys: &str| format!("channels:\n  webhook:\n  - name: a\n    url: \"https://x.example/h\"\n{keys}");
        for text in [
            webhook("    secret: whsec_X9X9X9\n"),
            webhook("    secret: [[whsec_X9X9X9]]\n"),
            webhook("    tokn: whsec_X9X9X9\n"),
            webhook("    url: \"https://y.example/whsec_X9X9X9\"\n"),
            webhook("  - {name: a, url: \"https://y.example/whsec_X9X9X9\"}\n"),
            "channels: {slak: [{name: a, url: whsec_X9X9X9}]}\n".to_owned(),
        ] {
            let errors = Config::from_yaml(&text, "f").expect_err(&text);
            assert!(!format!("{errors:?}").contains("whsec_X9X9X9"), "{errors:?}");
            assert!(!errors.iter().any(|error| error.to_string().contains("whsec_X9X9X9")), "{errors:?}");
        }
    }

    #[test]
    fn an_address_with_a_password_in_it_is_refused_and_not_repeated() {
        let text = "channels:\n  webhook:\n  - {name: a, url: \"https://me:hunter2@x.example/h\"}\n";
        let errors = Config::from_yaml(text, "f").expect_err("mistakes");
        assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
    }
}
