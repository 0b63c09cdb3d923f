//! The part of the configuration that names calendars which others keep: who is on duty, when nothing may change.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount,
    pattern::BadName,
    rules::Mistake,
    schema::{ChannelName, LengthText, PlaceText, ZoneText},
};
use crate::{Known, Span, agenda::Agenda, window::Change};

/// A calendar that others keep, in iCalendar (RFC 5545).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "at"]))]
pub struct CalendarEntry {
    /// Its name, by which `on_call` and `windows` name it.
    ///
    /// Unit: a name.
    /// Range: letters, digits, `-` and `_`.
    /// Default: none.
    /// Reason: it stands where a calendar is meant.
    /// Example: `duty`
    #[schemars(with = "ChannelName")]
    pub name: String,
    /// Where it is read: a file, or an address. An address is mostly secret as a whole: then write where it is read,
    /// `file:/path` or `env:NAME`.
    ///
    /// Unit: a path from the root, a web address, or where that is read.
    /// Range: a file, or an address with `https://` or `http://`, of 4 MiB at most.
    /// Default: none.
    /// Reason: where you keep it cannot be guessed.
    /// Example: `/etc/alignwatch/duty.ics`
    #[schemars(with = "PlaceText")]
    pub at: String,
    /// The time zone of times for which the calendar names none, and of whole days.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
    /// How often the daemon reads it again. When that fails, what was read last stays in force, and that is told.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 1d.
    /// Default: 15m.
    /// Reason: ours; who swaps a turn does it longer before.
    /// Example: `1h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "1d"))]
    pub every: Span,
}

impl Default for CalendarEntry {
    fn default() -> CalendarEntry {
        CalendarEntry { name: String::new(), at: String::new(), zone: None, every: Span::minutes(15) }
    }
}

/// The calendars that were read, by their names.
pub type Agendas = BTreeMap<String, Known<Arc<Agenda>>>;

impl Config {
    /// The same with what calendars say, and what was changed of windows.
    #[must_use]
    pub fn with_outside(mut self, agendas: &Agendas, changes: &Known<Arc<[Change]>>) -> Config {
        let agenda =
            |name: &str| agendas.get(name).cloned().unwrap_or_else(|| Known::Unknown("it was not read yet".to_owned()));
        for rule in &mut self.windows {
            if let Some(name) = rule.calendar() {
                rule.outside.agenda = agenda(name);
            }
            rule.outside.changes = changes.clone();
        }
        for turns in &mut self.on_call {
            turns.agenda = turns.calendar.as_deref().map(agenda);
        }
        self
    }
}

/// Is it a path from the root, or an address?
pub(super) fn check_place(text: &str, like: &str) -> Result<(), BadName> {
    let is_path = text.starts_with('/') && !text.chars().any(char::is_control);
    if is_path {
        return Ok(());
    }
    super::scalar::url(text, like)
        .map(drop)
        .map_err(|wrong| BadName { problem: format!("is no path from the root: {}", wrong.problem), fix: wrong.fix })
}

/// A calendar that is named and is not there.
pub(super) fn unnamed(config: &Config, path: String, name: &str) -> Option<Mistake> {
    let known = config.calendars.iter().map(|entry| entry.name.as_str());
    if known.clone().any(|known| known == name) {
        return None;
    }
    let near = super::nearest_word(name, known, 2);
    Some(Mistake {
        path,
        problem: format!("there is no calendar `{name}`"),
        fix: near.map_or_else(|| "add it to `calendars`".to_owned(), |near| format!("did you mean `{near}`?")),
        also_at: None,
    })
}

/// Calendars that share a name.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let found = config.calendars.iter().enumerate().filter_map(|(at, entry)| {
        let first =
            config.calendars[..at].iter().position(|other| other.name == entry.name && !entry.name.is_empty())?;
        Some(Mistake {
            path: format!("calendars[{at}].name"),
            problem: format!("another calendar is called `{}` already", entry.name),
            fix: "give it another name".to_owned(),
            also_at: Some(format!("calendars[{first}].name")),
        })
    });
    found.collect()
}
