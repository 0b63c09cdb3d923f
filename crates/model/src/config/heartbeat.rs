//! The part of the configuration that says how others notice when alignwatch itself fails: the heartbeat that an outside
//! watch waits for, and the scheduled tests of channels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount, parse_length,
    rules::Mistake,
    schema::{CadenceText, ChannelName, LengthText, UrlText, ZoneText},
};
use crate::{
    Span,
    schedule::{BadSchedule, Cadence},
};

/// The dead man's switch: an address outside that is called as long as alignwatch does all that it should. Who listens
/// there raises the alarm when the calls stop, which alignwatch itself could not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Heartbeat {
    /// The address that is called. Mostly it is secret as a whole: then write where it is read, `file:/path` or `env:NAME`.
    ///
    /// Unit: a web address, or where it is read.
    /// Range: `https://` or `http://` with a host, without a password.
    /// Default: none (nobody outside notices when alignwatch is dead).
    /// Reason: who watches over your watch cannot be guessed.
    /// Example: `file:/run/secrets/heartbeat`
    #[schemars(with = "UrlText")]
    pub url: Option<String>,
    /// How often it is called.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 1d.
    /// Default: 5m.
    /// Reason: the interval at which repositories are looked at; tell the other side to wait for three of them.
    /// Example: `10m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "1d"))]
    pub every: Span,
    /// What is done when alignwatch does not do all that it should: the same address with `/fail` at its end is told the
    /// reasons, as Healthchecks and others know it; or nothing is called, and the other side notices the silence.
    ///
    /// Unit: one word.
    /// Range: tell, be_silent.
    /// Default: tell.
    /// Reason: who is told why need not find it out.
    /// Example: `be_silent`
    pub when_failing: WhenFailing,
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat { url: None, every: Span::minutes(5), when_failing: WhenFailing::Tell }
    }
}

/// What is done while alignwatch does not do all that it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFailing {
    /// The reasons are told.
    #[default]
    Tell,
    /// Nothing is called.
    BeSilent,
}

/// A scheduled test of channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["channels", "due"]))]
pub struct CanaryEntry {
    /// The channels that are tested.
    ///
    /// Unit: names of channels.
    /// Range: at least one of the names that stand in `channels`; each stands in one canary.
    /// Default: [].
    /// Reason: a test that tests nothing is a mistake.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", length(min = 1), extend("uniqueItems" = true))]
    pub channels: Vec<String>,
    /// When it is sent: so long after the last one, or at the fixed times of a cron pattern of five fields.
    ///
    /// Unit: a length of time, or minute, hour, day of the month, month, day of the week.
    /// Range: 1m to 365d, or a pattern that is due some day, as in crontab(5).
    /// Default: none.
    /// Reason: how often your people want to see a test cannot be guessed.
    /// Example: `0 9 * * 1-5`
    #[schemars(with = "CadenceText")]
    pub due: String,
    /// The time zone of a cron pattern in `due`.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere, and without a night that has an hour twice.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
    /// What is done when it is due while a window for maintenance is open that is about all repositories.
    ///
    /// Unit: one word.
    /// Range: wait, send.
    /// Default: wait.
    /// Reason: in quiet hours nobody wants to hear that all is well; it is sent when they are over.
    /// Example: `send`
    pub in_windows: InWindows,
}

/// What is done with a test that is due in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InWindows {
    /// It waits for the end of the window.
    #[default]
    Wait,
    /// It is sent.
    Send,
}

impl CanaryEntry {
    /// How often it is due. Errors: what a checked configuration can't have.
    pub fn cadence(&self) -> Result<Cadence, BadSchedule> {
        Cadence::parse(&self.due, self.zone.as_deref().unwrap_or("UTC"))
    }
}

/// Canaries that name no channel, or one that another has, and zones that mean nothing.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut seen: Vec<(&str, String)> = Vec::new();
    let mut mistakes = Vec::new();
    for (at, canary) in config.canaries.iter().enumerate() {
        if canary.zone.is_some() && parse_length(&canary.due).is_some() {
            mistakes.push(Mistake {
                path: format!("canaries[{at}].zone"),
                problem: "a zone means nothing for an interval".to_owned(),
                fix: "take it out, or write a pattern as `due`".to_owned(),
                also_at: None,
            });
        }
        for (i, name) in canary.channels.iter().enumerate() {
            let path = format!("canaries[{at}].channels[{i}]");
            mistakes.extend(super::alerting::of_channel(&config.channels.names(), path.clone(), name));
            match seen.iter().find(|(other, _)| other == name) {
                Some((_, first)) => mistakes.push(Mistake {
                    path,
                    problem: "this channel has a canary already".to_owned(),
                    fix: "take one out".to_owned(),
                    also_at: Some(first.clone()),
                }),
                None => seen.push((name, path)),
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNELS: &str = "channels:\n  webhook:\n  - {name: team, url: \"https://x.example/h\"}\n";

    fn told(text: &str) -> String {
        super::super::mistakes_told(&format!("{CHANNELS}{text}"))
    }

    #[test]
    fn a_heartbeat_and_a_canary_are_read() {
        let text = format!(
            "{CHANNELS}heartbeat: {{url: \"env:BEAT\", every: 10m, when_failing: be_silent}}\n\
             canaries:\n  - {{channels: [team], due: \"0 9 * * 1-5\", zone: Europe/Berlin, in_windows: send}}\n"
        );
        let config = Config::from_yaml(&text, "f").unwrap().0;
        assert_eq!((config.heartbeat.url.as_deref(), config.heartbeat.every), (Some("env:BEAT"), Span::minutes(10)));
        assert_eq!(config.heartbeat.when_failing, WhenFailing::BeSilent);
        assert!(config.canaries[0].cadence().is_ok());
    }

    #[test]
    fn what_can_test_or_call_nothing_is_told_at_its_place() {
        assert!(told("canaries:\n  - {channels: [taem], due: 1d}\n").contains("did you mean `team`"));
        assert!(told("canaries:\n  - {channels: [team], due: 1d, zone: UTC}\n").contains("means nothing"));
        let twice = told("canaries:\n  - {channels: [team], due: 1d}\n  - {channels: [team], due: 2d}\n");
        assert!(twice.contains("canaries[1].channels[0]: this channel has a canary already (line 5)"), "{twice}");
        assert!(told("canaries:\n  - {channels: [team]}\n").contains("`due` is missing"));
        assert!(told("canaries:\n  - {channels: [team], due: never}\n").contains("is neither"));
        assert!(told("heartbeat: {url: \"hc-ping.com/x\"}\n").contains("heartbeat.url"));
    }
}
