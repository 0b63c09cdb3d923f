//! The part of the configuration that names windows and freezes.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount, any_names_path,
    rules::Mistake,
    schema::{LengthText, MomentText, OpeningText, PathText, ReasonText, WorkflowText, ZoneText},
};
use crate::{
    Known, Span, Timestamp,
    agenda::Agenda,
    alert::on_call::moment as date_and_time,
    recurrence::{self, Recurrence},
    schedule::{BadSchedule, Schedule, zone_named},
    window::{Begins, Change, Opening, Purpose, Window},
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
    /// When it is open: at the times of a cron pattern of five fields or of a recurrence rule, once, between two times, or
    /// during the events of a calendar.
    ///
    /// Unit: minute, hour, day of the month, month, day of the week; or a rule of iCalendar like `FREQ=MONTHLY;BYDAY=1SU`
    /// (RFC 5545); or two times with their offset and `/` between; or `calendar NAME`.
    /// Range: a pattern or a rule that is due some day, an interval as in ISO 8601, or a name that stands in `calendars`.
    /// Default: none.
    /// Reason: when your quiet hours are cannot be guessed.
    /// Example: `0 1 * * *`
    #[schemars(with = "OpeningText")]
    pub open: String,
    /// When it first opens at the earliest. What a recurrence rule leaves open, such as the time of the day, is as here.
    ///
    /// Unit: a date and a time in `zone`.
    /// Range: as in ISO 8601, without an offset; a must for a rule with `INTERVAL` or `COUNT`.
    /// Default: none (always; for a rule 2024-01-01T00:00, a Monday).
    /// Reason: "every second Sunday" means nothing without a first one.
    /// Example: `2026-01-04T02:00`
    #[schemars(with = "MomentText")]
    pub from: Option<String>,
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
    /// How long it is open from when an alert about its repositories first fires in it: a window that waits for what it is
    /// for, and opens once. It is not longer than the window lasts.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 30d.
    /// Default: none (it is open all the time).
    /// Reason: ours; most windows have their hours.
    /// Example: `1h`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "30d"))]
    pub flexible: Option<Span>,
    /// The time zone of a cron pattern or a recurrence rule in `open`.
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
    /// What others say of it since.
    #[serde(skip)]
    pub outside: Outside,
}

/// What no configuration says of a window: the calendar that it names, as it was read, and what was changed of its openings.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// The calendar.
    pub agenda: Known<Arc<Agenda>>,
    /// The changes of all windows.
    pub changes: Known<Arc<[Change]>>,
}

impl Default for Outside {
    /// No calendar was read, and nothing was changed.
    fn default() -> Outside {
        Outside { agenda: Known::default(), changes: Known::Seen(Arc::default()) }
    }
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

/// Where a rule begins that may begin anywhere.
const SOME_MONDAY: jiff::civil::DateTime = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);

/// What is wrong with a rule that counts from nowhere.
const WITHOUT_FROM: &str = "counts from some time on, and `from` does not say which";

impl WindowRule {
    /// The window, ready to be asked. Errors: what a checked configuration can't have.
    pub fn window(&self) -> Result<Window, BadSchedule> {
        let purpose = match self.kind {
            WindowKind::Maintenance => Purpose::Maintenance,
            WindowKind::Freeze => Purpose::Freeze,
            WindowKind::Hours => Purpose::Hours,
        };
        let reason = self.reason.as_deref().unwrap_or_default();
        let changes = match &self.outside.changes {
            Known::Seen(changes) => changes,
            Known::Unknown(why) => {
                let why = format!("what was changed of windows is not known: {why}");
                return Ok(Window::unknown(&self.name, purpose, reason, &why));
            }
        };
        let window = match (calendar(&self.open), interval(&self.open)) {
            (Some(_), _) => match &self.outside.agenda {
                Known::Seen(agenda) => Window::listed(&self.name, purpose, reason, agenda.openings()),
                Known::Unknown(why) => {
                    Window::unknown(&self.name, purpose, reason, &format!("its calendar is not known: {why}"))
                }
            },
            (None, Some(opening)) => Window::once(&self.name, purpose, reason, opening?)?,
            (None, None) => Window::again(&self.name, purpose, reason, self.begins()?, self.lasts.unwrap_or(LASTS)),
        };
        Ok(window.flexible(self.flexible).changed(changes.iter()))
    }

    /// The calendar that says when it is open.
    pub fn calendar(&self) -> Option<&str> {
        calendar(&self.open)
    }

    fn begins(&self) -> Result<Begins, BadSchedule> {
        let zone = self.zone.as_deref().unwrap_or("UTC");
        let from = self.from.as_deref().map(date_and_time).transpose().map_err(|bad| BadSchedule(bad.0))?;
        if recurrence::is_rule(&self.open) {
            return match from {
                None if recurrence::counts_from_a_beginning(&self.open) => Err(BadSchedule(WITHOUT_FROM.to_owned())),
                from => Recurrence::parse(&self.open, from.unwrap_or(SOME_MONDAY), zone).map(Begins::Rule),
            };
        }
        let not_before = match from {
            Some(from) => recurrence::instant(&zone_named(zone)?, from),
            None => None,
        };
        Ok(Begins::Cron {
            schedule: Schedule::parse(&self.open, zone)?,
            not_before: not_before.unwrap_or(Timestamp(i64::MIN)),
        })
    }

    /// Is it about the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        self.repositories.is_empty() || any_names_path(&self.repositories, path)
    }
}

/// The name after `calendar`; `None` = it is something else.
fn calendar(text: &str) -> Option<&str> {
    let (word, name) = text.trim().split_once(char::is_whitespace)?;
    (word == "calendar").then_some(name.trim())
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

/// Is it a pattern, a rule, an interval or a calendar?
pub(super) fn check_opening(text: &str) -> Result<(), BadSchedule> {
    match interval(text) {
        None if calendar(text).is_some() => Ok(()),
        Some(opening) => opening.map(drop),
        None if recurrence::is_rule(text) => recurrence::check(text),
        None if begins_with_a_year(text) => Err(BadSchedule(NO_INTERVAL.to_owned())),
        None => Schedule::parse(text, "UTC").map(drop),
    }
}

/// What a single opening lacks.
const NO_INTERVAL: &str = "is no time from one moment to another: for a single opening write both with time and offset, such as \
                           `2026-12-24T12:00:00Z/2027-01-02T06:00:00Z`";

/// A date, and no pattern: those have no number of four digits with a `-` after it in front.
fn begins_with_a_year(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    4 < bytes.len() && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

/// Rules of windows that do not go together.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let found = config.windows.iter().enumerate().filter_map(|(index, rule)| {
        let at = |key: &str| format!("windows[{index}].{key}");
        said_twice(rule, at)
            .or_else(|| no_calendar(config, rule, at))
            .or_else(|| bad_rule(rule, at))
            .or_else(|| too_flexible(rule, at))
    });
    found.collect()
}

/// What a window between two times, or of a calendar, has already.
fn said_twice(rule: &WindowRule, at: impl Fn(&str) -> String) -> Option<Mistake> {
    let problem = match (interval(&rule.open), calendar(&rule.open)) {
        (Some(_), _) => "a window between two times has it already",
        (None, Some(_)) => "the events of a calendar have it already",
        (None, None) => return None,
    };
    let key = match rule {
        WindowRule { lasts: Some(_), .. } => "lasts",
        WindowRule { zone: Some(_), .. } => "zone",
        WindowRule { from: Some(_), .. } => "from",
        _ => return None,
    };
    Some(Mistake {
        path: at(key),
        problem: problem.to_owned(),
        fix: "take it out".to_owned(),
        also_at: Some(at("open")),
    })
}

fn no_calendar(config: &Config, rule: &WindowRule, at: impl Fn(&str) -> String) -> Option<Mistake> {
    super::calendars::unnamed(config, at("open"), calendar(&rule.open)?)
}

fn bad_rule(rule: &WindowRule, at: impl Fn(&str) -> String) -> Option<Mistake> {
    // What is wrong with a text alone was told where it stands.
    let is_rule = recurrence::is_rule(&rule.open) && recurrence::check(&rule.open).is_ok();
    let is_told = !is_rule || rule.from.as_deref().is_some_and(|from| date_and_time(from).is_err());
    let problem = rule.begins().err().filter(|_| !is_told)?.0;
    Some(Mistake {
        path: at("open"),
        problem: format!("this rule {problem}"),
        fix: "say from when on it counts, such as `from: 2026-01-04T02:00`, and let it be due after that".to_owned(),
        also_at: rule.from.is_some().then(|| at("from")),
    })
}

fn too_flexible(rule: &WindowRule, at: impl Fn(&str) -> String) -> Option<Mistake> {
    let flexible = rule.flexible?;
    let lasts = match interval(&rule.open) {
        Some(opening) => opening.ok().map(|opening| opening.until.since(opening.from)),
        None if calendar(&rule.open).is_some() => None,
        None => Some(rule.lasts.unwrap_or(LASTS)),
    };
    (lasts? < flexible).then(|| Mistake {
        path: at("flexible"),
        problem: "it would be open longer than the window in which it may begin".to_owned(),
        fix: "let the window last longer, or write a shorter time".to_owned(),
        also_at: rule.lasts.is_some().then(|| at("lasts")),
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
        assert!(told("{name: a, open: FREQ=DAILY;INTERVAL=2}").contains("`from` does not say which"));
        assert!(told("{name: a, open: FREQ=HOURLY, from: \"2026-01-04T02:00\"}").contains("several times a day"));
        let over = "{name: a, open: FREQ=DAILY;UNTIL=20250101, from: \"2026-01-04T02:00\"}";
        assert!(told(over).contains("this rule is never due"), "{}", told(over));
    }

    #[test]
    fn a_window_recurs_by_a_rule_of_calendars() {
        let text = "windows:\n  - {name: a, open: FREQ=MONTHLY;BYDAY=1SU, from: \"2026-01-04T02:00\", lasts: 3h, zone: Europe/Berlin}\n";
        let config = Config::from_yaml(text, "f").unwrap().0;
        let window = config.windows[0].window().unwrap();
        // 2026-07-05T00:00:00Z, which is 02:00 in Berlin.
        let sunday = Timestamp(1_783_209_600);
        let open = window.open_at(Timestamp(sunday.0 + 60)).unwrap();
        assert_eq!((open.from, open.until.since(open.from)), (sunday, Span::hours(3)));
        assert_eq!(window.open_at(open.until), None);
    }

    #[test]
    fn no_window_opens_before_it_is_to() {
        for open in ["0 2 * * *", "FREQ=DAILY"] {
            let text = format!(
                "windows:\n  - {{name: a, open: \"{open}\", from: \"2026-07-05T02:00\", zone: Europe/Berlin}}\n"
            );
            let window = Config::from_yaml(&text, "f").unwrap().0.windows[0].window().unwrap();
            let sunday = Timestamp(1_783_209_600);
            assert_eq!(window.next_after(Timestamp(0)).unwrap().from, sunday, "{open}");
            assert!(
                window.open_at(sunday).is_some() && window.open_at(Timestamp(sunday.0 - 86_400)).is_none(),
                "{open}"
            );
        }
    }
}
