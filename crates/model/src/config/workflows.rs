//! The part of the configuration that says when alignment runs are expected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount, parse_length,
    rules::Mistake,
    schema::{CadenceText, LengthText, PathText, UuidText, WorkflowText, ZoneText},
};
use crate::{Span, Timestamp, schedule::Cadence};

/// What is expected of the runs of one workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct WorkflowRule {
    /// The workflow, as `alignwatch run --workflow NAME` names it.
    ///
    /// Unit: a name.
    /// Range: one name, not empty.
    /// Default: none.
    /// Reason: runs are compared by their name.
    /// Example: `nightly`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// The repositories in which it must run, even when it never did.
    ///
    /// Unit: paths from the root.
    /// Range: any number of different paths.
    /// Default: [] (those in which it ran before).
    /// Reason: a workflow that never ran leaves no trace by which it could be missed.
    /// Example: `[/srv/git/a.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// The id under which clients of cron monitors ping it: `/ping/ID`. Who knows it may ping.
    ///
    /// Unit: a UUID.
    /// Range: 32 hexadecimal digits in five groups; no other workflow has it.
    /// Default: none (it is pinged as `/ping/KEY/NAME`, where the key is a token).
    /// Reason: some clients know nothing but such an id.
    /// Example: `8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10`
    #[schemars(with = "UuidText")]
    pub ping: Option<String>,
    /// When it is due: so long after its last begin, or at the fixed times of a cron pattern of five fields.
    ///
    /// Unit: a length of time, or minute, hour, day of the month, month, day of the week.
    /// Range: 1m to 365d, or a pattern that is due some day, as in crontab(5).
    /// Default: none (it may run when it likes).
    /// Reason: how often a workflow should run cannot be guessed.
    /// Example: `30 3 * * 1-5`
    #[schemars(with = "CadenceText")]
    pub due: Option<String>,
    /// The time zone of a cron pattern in `due`.
    ///
    /// Unit: a name of the IANA time zone database.
    /// Range: `UTC`, or such as `Europe/Berlin`.
    /// Default: none (UTC).
    /// Reason: the same everywhere, and without a night that has an hour twice.
    /// Example: `Europe/Berlin`
    #[schemars(with = "ZoneText")]
    pub zone: Option<String>,
    /// How late a begin may be before the run is missed.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 30d.
    /// Default: none (1h; 2h for an interval of a day or more, since a day has 25 hours when clocks are set back).
    /// Reason: the default of Healthchecks; queues and slow machines make most runs late now and then.
    /// Example: `15m`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "30d"))]
    pub grace: Option<Span>,
    /// The longest that a run may be silent: then it is stuck.
    ///
    /// Unit: a length of time.
    /// Range: 10s to 30d.
    /// Default: none (three times its usual duration, and 1h at least).
    /// Reason: a run that reports heartbeats or stages can be held to them; of any other only its usual duration is known.
    /// Example: `10m`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "10s", "x-most" = "30d"))]
    pub silence: Option<Span>,
    /// The longest that a run may take.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 30d.
    /// Default: none (three times its usual duration, once ten runs are known).
    /// Reason: ours; a run that takes three times as long as the others has met something that they have not.
    /// Example: `2h`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "30d"))]
    pub longest: Option<Span>,
    /// The least that a run that does its work takes.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 30d.
    /// Default: none (a tenth of its usual duration, once ten runs are known and the usual is over 10 s).
    /// Reason: ours; a run that is over at once has often done nothing, whatever its exit code says.
    /// Example: `30s`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "30d"))]
    pub shortest: Option<Span>,
}

/// How late a begin may be, where nothing else is said. Source: the default of Healthchecks.
const GRACE: Span = Span::hours(1);

/// How early a begin may be for a fixed time. Source: ours; clocks of machines that are not set differ by minutes.
const EARLY_AT_MOST: Span = Span::minutes(5);

impl WorkflowRule {
    /// How late a begin may be.
    pub fn grace(&self) -> Span {
        // A day by the clock of a place has an hour more when clocks are set back.
        let by_days = matches!(self.cadence(), Some(Cadence::Every(span)) if Span::days(1) <= span);
        self.grace.unwrap_or(if by_days { Span(GRACE.0 + Span::hours(1).0) } else { GRACE })
    }

    /// When the run after one that began at `began_at` is due; `None` = whenever it likes.
    pub fn due_after(&self, began_at: Timestamp) -> Option<Timestamp> {
        let cadence = self.cadence()?;
        let next = cadence.after(began_at)?;
        let Cadence::At(_) = cadence else { return Some(next) };
        // One that began a little early, by another clock, is the one that was due then.
        let Some(after_that) = cadence.after(next) else { return Some(next) };
        let early = EARLY_AT_MOST.0.min(after_that.since(next).0 / 2);
        Some(if next.since(began_at).0 <= early { after_that } else { next })
    }

    fn cadence(&self) -> Option<Cadence> {
        Cadence::parse(self.due.as_ref()?, self.zone.as_deref().unwrap_or("UTC")).ok()
    }
}

/// Rules of workflows that do not go together.
pub(super) fn mistakes(config: &Config) -> impl Iterator<Item = Mistake> + use<'_> {
    config.workflows.iter().enumerate().flat_map(|(index, rule)| {
        let path = |key: &str| format!("workflows[{index}].{key}");
        let is_interval = rule.due.as_ref().is_some_and(|due| parse_length(due).is_some());
        let zone = (rule.zone.is_some() && is_interval).then(|| Mistake {
            path: path("zone"),
            problem: "a zone means nothing for an interval".to_owned(),
            fix: "take it out, or write a pattern as `due`".to_owned(),
            also_at: None,
        });
        let crossed = rule.shortest.zip(rule.longest).is_some_and(|(shortest, longest)| longest <= shortest);
        let crossed = crossed.then(|| Mistake {
            path: path("longest"),
            problem: "no run can be longer than `shortest` and shorter than `longest`".to_owned(),
            fix: "make `longest` longer".to_owned(),
            also_at: Some(path("shortest")),
        });
        let first = config.workflows[..index].iter().position(|other| !rule.name.is_empty() && other.name == rule.name);
        let twice = first.map(|first| Mistake {
            path: path("name"),
            problem: format!("`{}` has a rule already", rule.name),
            fix: "put all that is expected of it into one".to_owned(),
            also_at: Some(format!("workflows[{first}].name")),
        });
        let same = |other: &WorkflowRule| other.ping.is_some() && other.ping == rule.ping;
        let first = config.workflows[..index].iter().position(same);
        let same_ping = first.map(|first| Mistake {
            path: path("ping"),
            problem: "another workflow has this id".to_owned(),
            fix: "make one for each, as with `uuidgen`".to_owned(),
            also_at: Some(format!("workflows[{first}].ping")),
        });
        [zone, crossed, twice, same_ping].into_iter().flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_an_interval_after_the_last_or_at_the_next_fixed_time() {
        let every = WorkflowRule { due: Some("6h".into()), ..WorkflowRule::default() };
        assert_eq!(every.due_after(Timestamp(0)), Some(Timestamp(6 * 3600)));
        let fixed = WorkflowRule { due: Some("0 3 * * *".into()), ..WorkflowRule::default() };
        assert_eq!(fixed.due_after(Timestamp(0)), Some(Timestamp(3 * 3600)));
        assert_eq!(WorkflowRule::default().due_after(Timestamp(0)), None);
        assert_eq!(fixed.due_after(Timestamp(3 * 3600 - 60)), Some(Timestamp(27 * 3600)), "a minute early is in time");
        let often = WorkflowRule { due: Some("*/2 * * * *".into()), ..WorkflowRule::default() };
        assert_eq!(often.due_after(Timestamp(10)), Some(Timestamp(120)));
    }

    #[test]
    fn the_last_time_that_is_ever_due_is_due() {
        let yearly = WorkflowRule { due: Some("0 0 1 1 *".into()), ..WorkflowRule::default() };
        let times = std::iter::successors(Some(Timestamp(95_500_000_000)), |at| yearly.due_after(*at));
        let cadence = yearly.cadence().unwrap();
        let last = times.last().unwrap();
        assert_eq!(cadence.after(last), None, "{last:?} is the last");
    }

    #[test]
    fn nothing_is_late_in_the_nights_in_which_clocks_are_changed() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_second())).unwrap();
        let berlin = |due: &str| WorkflowRule {
            due: Some(due.into()),
            zone: Some("Europe/Berlin".into()),
            ..WorkflowRule::default()
        };
        // 03:30 by the clock of Berlin, before and after each night.
        let nightly = berlin("30 3 * * *");
        assert_eq!(nightly.due_after(at("2026-03-28T02:30:04Z")), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(nightly.due_after(at("2026-10-24T01:30:04Z")), Some(at("2026-10-25T02:30:00Z")));
        // What begins each day by that clock begins 25 hours after the last, once a year.
        let daily = WorkflowRule { due: Some("1d".into()), ..WorkflowRule::default() };
        let late = at("2026-10-25T02:30:09Z").since(daily.due_after(at("2026-10-24T01:30:00Z")).unwrap());
        assert!(late <= daily.grace(), "{late:?}");
        let strict = WorkflowRule { grace: Some(Span::minutes(5)), ..daily };
        assert_eq!(strict.grace(), Span::minutes(5), "what is configured counts");
    }

    #[test]
    fn rules_that_contradict_themselves_or_each_other_are_told_with_their_places() {
        let text = "workflows:\n  - {name: a, due: 1d}\n  - {name: a, due: 2h, zone: UTC}\n  \
                    - {name: b, shortest: 2h, longest: 1h}\n";
        let errors = Config::from_yaml(text, "f").unwrap_err();
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        for part in ["has a rule already", "a zone means nothing", "no run can be longer"] {
            assert!(told.iter().any(|error| error.contains(part)), "{part}: {told:#?}");
        }
    }

    #[test]
    fn what_is_no_schedule_or_zone_is_told_at_its_place() {
        let text = "workflows:\n  - {name: a, due: \"0 0 31 2 *\", zone: Mars}\n";
        let errors = Config::from_yaml(text, "f").unwrap_err();
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("is never due"), "{told:#?}");
        assert!(told[1].contains("is no time zone"), "{told:#?}");
    }
}
