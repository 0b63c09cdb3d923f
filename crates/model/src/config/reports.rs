//! The part of the configuration that says which reports are sent, when and to whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, alerting, any_names_path, parse_length,
    rules::Mistake,
    schema::{CadenceText, ChannelName, PathText, WorkflowText, ZoneText},
    tree::for_message,
};
use crate::{
    report::Period,
    schedule::{BadSchedule, Cadence},
};

/// A report that is sent by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "due", "channels"]))]
pub struct ReportEntry {
    /// What people call it.
    ///
    /// Unit: a name.
    /// Range: one name, not empty; no other report has it.
    /// Default: none.
    /// Reason: it stands in the title of what is sent.
    /// Example: `weekly`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// When it is sent: so long after the last time, or at the fixed times of a cron pattern of five fields.
    ///
    /// Unit: a length of time, or minute, hour, day of the month, month, day of the week.
    /// Range: 1m to 365d, or a pattern that is due some day, as in crontab(5).
    /// Default: none.
    /// Reason: when you read cannot be guessed.
    /// Example: `0 8 * * 1`
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
    /// How much time it is about, up to when it is sent.
    ///
    /// Unit: one word.
    /// Range: day, week, month, quarter.
    /// Default: week.
    /// Reason: what changes within a day is what alerts are for.
    /// Example: `month`
    pub period: ReportPeriod,
    /// The repositories that it is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: who reads one report mostly cares for all.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// To whom it is sent.
    ///
    /// Unit: names of channels.
    /// Range: at least one that stands in `channels`; none of pagerduty, opsgenie, jira_service_management and
    /// alertmanager, which take alerts only.
    /// Default: [].
    /// Reason: a report that nobody gets needs no entry: `alignwatch report` makes one at any time.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", length(min = 1), extend("uniqueItems" = true))]
    pub channels: Vec<String>,
}

/// How much time a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportPeriod {
    /// 24 hours.
    Day,
    /// 7 days.
    #[default]
    Week,
    /// 30 days.
    Month,
    /// 91 days.
    Quarter,
}

impl From<ReportPeriod> for Period {
    fn from(period: ReportPeriod) -> Period {
        match period {
            ReportPeriod::Day => Period::Day,
            ReportPeriod::Week => Period::Week,
            ReportPeriod::Month => Period::Month,
            ReportPeriod::Quarter => Period::Quarter,
        }
    }
}

impl ReportEntry {
    /// How often it is due. Errors: what a checked configuration can't have.
    pub fn cadence(&self) -> Result<Cadence, BadSchedule> {
        Cadence::parse(self.due.as_deref().unwrap_or_default(), self.zone.as_deref().unwrap_or("UTC"))
    }

    /// Is it about the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        self.repositories.is_empty() || any_names_path(&self.repositories, path)
    }
}

/// Kinds of channels that know of incidents, and of nothing else.
const OF_ALERTS_ONLY: [&str; 4] = ["pagerduty", "opsgenie", "jira_service_management", "alertmanager"];

/// Reports that do not go together, or that nobody could get.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (at, report) in config.reports.iter().enumerate() {
        let first = config.reports[..at].iter().position(|other| !report.name.is_empty() && other.name == report.name);
        mistakes.extend(first.map(|first| Mistake {
            path: format!("reports[{at}].name"),
            problem: format!("there is a report `{}` already", for_message(&report.name)),
            fix: "give it another name".to_owned(),
            also_at: Some(format!("reports[{first}].name")),
        }));
        let is_interval = report.due.as_ref().is_some_and(|due| parse_length(due).is_some());
        mistakes.extend((report.zone.is_some() && is_interval).then(|| Mistake {
            path: format!("reports[{at}].zone"),
            problem: "a zone means nothing for an interval".to_owned(),
            fix: "take it out, or write a pattern as `due`".to_owned(),
            also_at: None,
        }));
        let channels = report.channels.iter().enumerate();
        mistakes
            .extend(channels.filter_map(|(n, name)| of_channel(config, format!("reports[{at}].channels[{n}]"), name)));
    }
    mistakes
}

fn of_channel(config: &Config, path: String, name: &str) -> Option<Mistake> {
    let Some(channel) = config.channels.named(name) else {
        return alerting::of_channel(&config.channels.names(), path, name);
    };
    OF_ALERTS_ONLY.contains(&channel.kind()).then(|| Mistake {
        path,
        problem: format!(
            "`{}` is a channel of {}, which takes alerts and no reports",
            for_message(name),
            channel.kind()
        ),
        fix: "name one that people read, such as mail".to_owned(),
        also_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::mistakes_told as told;

    #[test]
    fn a_report_that_could_reach_nobody_is_told_at_its_place() {
        let with = |more: &str| {
            told(&format!(
                "channels:\n  pagerduty: [{{name: pager, key: \"env:K\"}}]\n  file: [{{name: log, path: /tmp/x}}]\nreports:\n  - {{name: weekly, due: 7d{more}}}\n"
            ))
        };
        assert!(with("").contains("`channels` is missing"), "{}", with(""));
        assert!(with(", channels: [lag]").contains("did you mean `log`?"));
        assert!(with(", channels: [pager]").contains("takes alerts and no reports"), "{}", with(", channels: [pager]"));
        assert!(with(", channels: [log], zone: Europe/Berlin").contains("means nothing for an interval"));
    }
}
