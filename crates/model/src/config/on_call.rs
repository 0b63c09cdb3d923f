//! The part of the configuration that says who is told in turn.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config,
    rules::Mistake,
    schema::{ChannelName, MomentText, WorkflowText, ZoneText},
};
use crate::{
    Known,
    agenda::Agenda,
    alert::on_call::{self, BadTurns, Duty, Turns},
    schedule::BadSchedule,
};

/// People who are told in turn: each for some days, then the next one; or as a calendar says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "channels"]))]
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
    /// The calendar that says who is on duty: whom an event names in its title or among those who take part is told while it
    /// lasts, and where it names nobody, those whose turn it is by `from`, else the first of `channels`.
    ///
    /// Unit: a name.
    /// Range: a name that stands in `calendars`.
    /// Default: none.
    /// Reason: many teams plan their turns elsewhere.
    /// Example: `duty`
    #[schemars(with = "ChannelName")]
    pub calendar: Option<String>,
    /// What the calendar calls the people behind the channels. The name of a channel is always understood.
    ///
    /// Unit: names.
    /// Range: any number.
    /// Default: [].
    /// Reason: a calendar has names of people, not of channels.
    /// Example: `[{channel: deploy-bot, called: "Mia Berg"}]`
    pub people: Vec<Person>,
    /// When the first turn of the first one begins. Each later turn begins at the same time by the clock on the wall.
    ///
    /// Unit: a date and a time in `zone`.
    /// Range: as in ISO 8601, without an offset; a must where no `calendar` is named.
    /// Default: none.
    /// Reason: turns are counted from here.
    /// Example: `2026-01-05T09:00`
    #[schemars(with = "MomentText")]
    pub from: Option<String>,
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
    /// What the calendar says, as it was read.
    #[serde(skip)]
    pub agenda: Option<Known<Arc<Agenda>>>,
}

/// What a calendar calls somebody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["channel", "called"]))]
pub struct Person {
    /// The channel.
    ///
    /// Unit: the name of a channel.
    /// Range: a name that stands in `channels` here.
    /// Default: none.
    /// Reason: it is told.
    /// Example: `deploy-bot`
    #[schemars(with = "ChannelName")]
    pub channel: String,
    /// The words in a title, or the name or mail address of who takes part; large letters are as good as small ones.
    ///
    /// Unit: words.
    /// Range: up to 100 characters.
    /// Default: none.
    /// Reason: how your calendar calls people cannot be guessed.
    /// Example: `Mia Berg`
    #[schemars(with = "WorkflowText")]
    pub called: String,
}

impl Default for OnCall {
    fn default() -> OnCall {
        OnCall {
            name: String::new(),
            channels: Vec::new(),
            calendar: None,
            people: Vec::new(),
            from: None,
            turn_days: 7,
            zone: None,
            agenda: None,
        }
    }
}

impl OnCall {
    /// Who is on duty, ready to be asked. Errors: what a checked configuration can't have.
    pub fn duty(&self) -> Result<Duty, BadTurns> {
        let zone = self.zone.as_deref().unwrap_or("UTC");
        let turns = self.from.as_deref().map(|from| Turns::new(&self.channels, from, i64::from(self.turn_days), zone));
        let known = |agenda: Option<Known<Arc<Agenda>>>| agenda.unwrap_or_default();
        let agenda = self.calendar.as_ref().map(|_| known(self.agenda.clone()));
        let people = self.people.iter().map(|person| (person.called.clone(), person.channel.clone()));
        let channels = self.channels.iter().map(|channel| (channel.clone(), channel.clone()));
        Duty::new(&self.channels, turns.transpose()?, agenda, people.chain(channels).collect())
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
        let path = |key: &str| format!("on_call[{at}].{key}");
        mistakes.extend(
            entry.calendar.as_deref().and_then(|name| super::calendars::unnamed(config, path("calendar"), name)),
        );
        if entry.calendar.is_none() && entry.from.is_none() {
            mistakes.push(Mistake {
                path: path("name"),
                problem: format!("it says neither from when on `{}` take turns, nor a calendar", entry.name),
                fix: "write `from: 2026-01-05T09:00`, or `calendar: NAME`".to_owned(),
                also_at: None,
            });
        }
        let strange = entry.people.iter().enumerate().filter(|(_, person)| !entry.channels.contains(&person.channel));
        mistakes.extend(strange.map(|(i, person)| Mistake {
            path: format!("on_call[{at}].people[{i}].channel"),
            problem: format!("`{}` takes no turns here", person.channel),
            fix: "add it to `channels` of the same entry".to_owned(),
            also_at: None,
        }));
        let channels = entry.channels.iter().enumerate();
        mistakes.extend(channels.filter_map(|(i, name)| {
            let path = format!("on_call[{at}].channels[{i}]");
            super::alerting::of_channel(&names, path, name)
        }));
    }
    mistakes
}
