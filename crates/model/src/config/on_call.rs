//! The part of the configuration that says who is told in turn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config,
    rules::Mistake,
    schema::{ChannelName, MomentText, ZoneText},
};
use crate::{
    alert::on_call::{self, BadTurns, Turns},
    schedule::BadSchedule,
};

/// People who are told in turn: each for some days, then the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "channels", "from"]))]
pub struct OnCall {
    /// Its name: routes and steps of an escalation name it as they name a channel.
    ///
    /// Unit: a name.
    /// Range: letters, digits, `-` and `_`; no channel has it.
    /// Default: none.
    /// Reason: it stands where channels do.
    /// Example: `on-duty`
    #[schemars(with = "ChannelName")]
    pub name: String,
    /// The channels of those who take turns, in their order.
    ///
    /// Unit: names of channels.
    /// Range: names that stand in `channels`.
    /// Default: [].
    /// Reason: turns of nobody are a mistake.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", length(min = 1))]
    pub channels: Vec<String>,
    /// When the first turn of the first one begins. Each later turn begins at the same time by the clock on the wall.
    ///
    /// Unit: a date and a time in `zone`.
    /// Range: as in ISO 8601, without an offset.
    /// Default: none.
    /// Reason: turns are counted from here.
    /// Example: `2026-01-05T09:00`
    #[schemars(with = "MomentText")]
    pub from: String,
    /// How long a turn is.
    ///
    /// Unit: days.
    /// Range: 1 to 365.
    /// Default: 7.
    /// Reason: ours; a week is what most teams do.
    /// Example: `1`
    #[schemars(with = "u16", range(min = 1, max = 365))]
    pub turn_days: u16,
    /// The time zone of `from`.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
}

impl Default for OnCall {
    fn default() -> OnCall {
        OnCall { name: String::new(), channels: Vec::new(), from: String::new(), turn_days: 7, zone: None }
    }
}

impl OnCall {
    /// The turns, ready to be asked. Errors: what a checked configuration can't have.
    pub fn turns(&self) -> Result<Turns, BadTurns> {
        Turns::new(&self.channels, &self.from, i64::from(self.turn_days), self.zone.as_deref().unwrap_or("UTC"))
    }
}

/// Is it a date with a time?
pub(super) fn check_moment(text: &str) -> Result<(), BadSchedule> {
    on_call::moment(text).map(drop).map_err(|BadTurns(reason)| BadSchedule(reason))
}

/// Turns that can't be taken.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let names = config.channels.names();
    let mut mistakes = Vec::new();
    for (at, entry) in config.on_call.iter().enumerate() {
        let same = config.on_call[..at].iter().position(|other| other.name == entry.name && !entry.name.is_empty());
        let taken = same.map(|first| format!("on_call[{first}].name"));
        if taken.is_some() || names.contains(&entry.name.as_str()) {
            mistakes.push(Mistake {
                path: format!("on_call[{at}].name"),
                problem: format!("something else that can be told is called `{}` already", entry.name),
                fix: "give it another name".to_owned(),
                also_at: taken,
            });
        }
        let channels = entry.channels.iter().enumerate();
        mistakes.extend(channels.filter_map(|(i, name)| {
            let path = format!("on_call[{at}].channels[{i}]");
            super::alerting::of_channel(&names, path, name)
        }));
    }
    mistakes
}
