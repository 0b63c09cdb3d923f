//! The part of the configuration that names windows and freezes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount,
    rules::Mistake,
    schema::{LengthText, OpeningText, PathText, ReasonText, WorkflowText, ZoneText},
};
use crate::{
    Span, Timestamp,
    schedule::{BadSchedule, Schedule},
    window::{Opening, Purpose, Window},
};

/// A span of time in which maintenance may run, or in which nothing may change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "open"]))]
pub struct WindowRule {
    /// What people call it.
    ///
    /// Unit: a name.
    /// Range: one name, not empty.
    /// Default: none.
    /// Reason: it stands where something waits for it.
    /// Example: `release`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// What it is for.
    ///
    /// Unit: one word.
    /// Range: maintenance, freeze, hours.
    /// Default: maintenance.
    /// Reason: what most windows are for.
    /// Example: `freeze`
    pub kind: WindowKind,
    /// When it is open: at the times of a cron pattern of five fields, or once, between two times.
    ///
    /// Unit: minute, hour, day of the month, month, day of the week; or two times with their offset and `/` between.
    /// Range: a pattern that is due some day, or an interval as in ISO 8601.
    /// Default: none.
    /// Reason: when your quiet hours are cannot be guessed.
    /// Example: `0 1 * * *`
    #[schemars(with = "OpeningText")]
    pub open: String,
    /// How long it lasts each time.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 30d.
    /// Default: none (1h).
    /// Reason: ours; long enough for a full repack of a large repository.
    /// Example: `3h`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "30d"))]
    pub lasts: Option<Span>,
    /// The time zone of a cron pattern in `open`.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere, and without a night that has an hour twice.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
    /// The repositories that it is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: a freeze or a quiet night is mostly one for all.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// Why it is there.
    ///
    /// Unit: a sentence.
    /// Range: up to 200 characters.
    /// Default: none.
    /// Reason: whoever has to wait wants to know.
    /// Example: `code freeze for 4.2`
    #[schemars(with = "ReasonText")]
    pub reason: Option<String>,
}

/// What a window is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Maintenance may run in it.
    #[default]
    Maintenance,
    /// Nothing may be aligned or maintained in it.
    Freeze,
    /// Hours in which steps of an escalation tell; nothing else follows from it.
    Hours,
}

/// How long an opening lasts, where nothing is said.
const LASTS: Span = Span::hours(1);

impl WindowRule {
    /// The window, ready to be asked. Errors: what a checked configuration can't have.
    pub fn window(&self) -> Result<Window, BadSchedule> {
        let purpose = match self.kind {
            WindowKind::Maintenance => Purpose::Maintenance,
            WindowKind::Freeze => Purpose::Freeze,
            WindowKind::Hours => Purpose::Hours,
        };
        let reason = self.reason.as_deref().unwrap_or_default();
        match interval(&self.open) {
            Some(opening) => Window::once(&self.name, purpose, reason, opening?),
            None => {
                let begins = Schedule::parse(&self.open, self.zone.as_deref().unwrap_or("UTC"))?;
                Ok(Window::again(&self.name, purpose, reason, begins, self.lasts.unwrap_or(LASTS)))
            }
        }
    }

    /// Is it about the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        let matches = |pattern: &String| glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(path));
        self.repositories.is_empty() || self.repositories.iter().any(matches)
    }
}

/// Two times with `/` between them; `None` = it is something else. Errors: they are no times, or the wrong way round.
fn interval(text: &str) -> Option<Result<Opening, BadSchedule>> {
    // A pattern has `/`, too, but in front of it never a `T`.
    let (from, until) = text.split_once('/').filter(|(from, _)| from.contains(['T', 't']))?;
    Some(moment(from).and_then(|from| {
        let until = moment(until)?;
        if from < until { Ok(Opening { from, until }) } else { Err(BadSchedule("ends before it begins".to_owned())) }
    }))
}

fn moment(text: &str) -> Result<Timestamp, BadSchedule> {
    let time: jiff::Timestamp =
        text.parse().map_err(|_| BadSchedule("is no time with its offset, like 2026-12-24T12:00:00Z".to_owned()))?;
    Ok(Timestamp(time.as_second()))
}

/// Is it a pattern or an interval?
pub(super) fn check_opening(text: &str) -> Result<(), BadSchedule> {
    match interval(text) {
        Some(opening) => opening.map(drop),
        None => Schedule::parse(text, "UTC").map(drop),
    }
}

/// Rules of windows that do not go together.
pub(super) fn mistakes(config: &Config) -> impl Iterator<Item = Mistake> + use<'_> {
    config.windows.iter().enumerate().filter_map(|(index, rule)| {
        let key = match rule {
            WindowRule { lasts: Some(_), .. } => "lasts",
            WindowRule { zone: Some(_), .. } => "zone",
            _ => return None,
        };
        interval(&rule.open).is_some().then(|| Mistake {
            path: format!("windows[{index}].{key}"),
            problem: "a window between two times has it already".to_owned(),
            fix: "take it out".to_owned(),
            also_at: Some(format!("windows[{index}].open")),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_once_or_again_and_for_some_repositories() {
        let text = "windows:\n  - {name: a, open: \"0 1 * * *\", lasts: 3h, zone: Europe/Berlin}\n  \
                    - {name: b, kind: freeze, open: \"2026-12-24T12:00:00Z/2027-01-02T06:00:00Z\", \
                       repositories: [/srv/*.git]}\n";
        let config = Config::from_yaml(text, "f").unwrap().0;
        let [night, freeze] = &config.windows[..] else { panic!("{config:?}") };
        let opening = night.window().unwrap().next_after(Timestamp(1_767_225_600)).unwrap();
        assert_eq!(opening.until.since(opening.from), Span::hours(3));
        assert!(freeze.window().unwrap().open_at(Timestamp(1_798_761_600)).is_some());
        assert_eq!(
            (freeze.is_about("/srv/a.git"), freeze.is_about("/home/a"), night.is_about("/x")),
            (true, false, true)
        );
    }

    #[test]
    fn times_that_do_not_go_together_are_told() {
        let told = |rule: &str| {
            let errors = Config::from_yaml(&format!("windows:\n  - {rule}\n"), "f").unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(told("{name: a, open: 2026-12-24T12:00:00Z/2026-12-24T11:00:00Z}").contains("ends before"));
        assert!(told("{name: a, open: 2026-12-24T12:00:00Z/later}").contains("is no time"));
        assert!(told("{name: a, open: noon}").contains("cron pattern"));
        assert!(told("{name: a}").contains("`open` is missing"));
        let both = "{name: a, open: 2026-12-24T12:00:00Z/2026-12-25T12:00:00Z, lasts: 1h}";
        assert!(told(both).contains("has it already"));
    }
}
