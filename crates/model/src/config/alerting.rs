//! The part of the configuration that says what is a reason for an alert, and who hears of it.

mod mistakes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::mistakes::{mistakes, of_channel};
use super::{
    amount,
    schema::{
        ChannelName, ConditionText, ExpressionText, LabelName, LengthText, MatcherText, NumberText, ReasonText,
        WorkflowText,
    },
};
use crate::{Severity, Span};

/// How alerts are told, where no route says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// How long the first alert of a group waits for others that belong to it.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1h.
    /// Default: 30s.
    /// Reason: the default of Alertmanager; a cause mostly shows in several places within seconds.
    /// Example: `1m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1h"))]
    pub group_wait: Span,
    /// The least time between two messages about a group in which something changed.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1d.
    /// Default: 5m.
    /// Reason: the default of Alertmanager.
    /// Example: `15m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1d"))]
    pub group_interval: Span,
    /// After how long what goes on is told again.
    ///
    /// Unit: a length of time.
    /// Range: 5m to 30d.
    /// Default: 1d.
    /// Reason: ours. Alertmanager says 4h, for services that are down; branches are aligned by the day.
    /// Example: `4h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "5m", "x-most" = "30d"))]
    pub repeat_interval: Span,
    /// How many messages a channel gets within an hour. What is more is told together in one.
    ///
    /// Unit: messages.
    /// Range: 1 to 10000.
    /// Default: 30.
    /// Reason: ours. One every two minutes is more than anyone reads, and below the limits of all services we know.
    /// Example: `10`
    #[schemars(with = "u32", range(min = 1, max = 10000))]
    pub at_most_per_hour: u32,
    /// The longest that a silence may last.
    ///
    /// Unit: a length of time.
    /// Range: 1h to 365d.
    /// Default: 30d.
    /// Reason: ours. What is silenced for longer is forgotten; take out the rule instead.
    /// Example: `7d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1h", "x-most" = "365d"))]
    pub silence_at_most: Span,
    /// How long after the daemon starts nothing is told.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1h.
    /// Default: 30s.
    /// Reason: ours. Repositories are looked at first, so that a restart tells nothing that is over by then.
    /// Example: `2m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1h"))]
    pub settle: Span,
    /// The channel that is told where another can't be reached.
    ///
    /// Unit: the name of a channel.
    /// Range: a name that stands in `channels`.
    /// Default: none (nobody).
    /// Reason: which of your channels never fails together with the others cannot be guessed.
    /// Example: `deploy-bot`
    #[schemars(with = "ChannelName")]
    pub fallback: Option<String>,
    /// Built-in rules that are not wanted.
    ///
    /// Unit: names of rules.
    /// Range: names that `alignwatch rules list` shows.
    /// Default: [].
    /// Reason: the built-in rules are meant to be useful unchanged.
    /// Example: `[budget-soon-exceeded]`
    #[schemars(with = "Vec<WorkflowText>", extend("uniqueItems" = true))]
    pub skip_rules: Vec<String>,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            group_wait: Span(30),
            group_interval: Span::minutes(5),
            repeat_interval: Span::days(1),
            at_most_per_hour: 30,
            silence_at_most: Span::days(30),
            settle: Span(30),
            fallback: None,
            skip_rules: Vec::new(),
        }
    }
}

/// A reason for an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "expr"]))]
pub struct RuleEntry {
    /// Its name, in Prometheus `alert`. One with the name of a built-in rule takes the place of that.
    ///
    /// Unit: a name.
    /// Range: one name, not empty.
    /// Default: none.
    /// Reason: it is the label `alertname` of its alerts.
    /// Example: `disk-nearly-full`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// What is bad: numbers of a metric, as Prometheus writes it; or findings, from a severity on, as if `finding` were
    /// a metric with the labels `check`, `subject`, `key`, `repository`, `base` and `host`.
    ///
    /// Unit: a metric or `finding`, labels in braces, a comparison, a number or a severity.
    /// Range: a metric of docs/METRICS.md with labels that it has, or `repository`; `finding` with `>=`, or with nothing.
    /// Default: none.
    /// Reason: what is bad is for you to say.
    /// Example: `alignwatch_far_behind_branches > 20`
    #[schemars(with = "ExpressionText")]
    pub expr: String,
    /// The number at which it is well again; between the two, it stays as it is.
    ///
    /// Unit: the unit of the metric.
    /// Range: a number that is not bad itself.
    /// Default: none (whatever is not bad).
    /// Reason: one number for both is enough where it does not waver.
    /// Example: `15`
    #[schemars(with = "NumberText")]
    pub clear: Option<String>,
    /// What else must hold, in CEL (Common Expression Language). Of a finding it may ask for `evidence` (its facts, as `check --json`
    /// shows them), `labels`, `check`, `severity`, `subject`, `key` and `summary`; of a metric for `value` and `labels`.
    ///
    /// Unit: an expression that says yes or no.
    /// Range: operators, `size`, `contains`, `startsWith`, `endsWith`, `matches`, `double`, `int`, `has`, `in`, and over lists `exists`,
    /// `all` and `exists_one`; names that there are, up to 1000 characters.
    /// Default: none (nothing else).
    /// Reason: most rules need none; where it cannot be answered, the alert neither fires nor ends.
    /// Example: `value > 50.0 || labels.repository.startsWith("/srv/git/")`
    #[schemars(with = "ConditionText")]
    pub when: Option<String>,
    /// How much should be good over four weeks. With it, the rule is about how fast the error budget goes, over two windows at once:
    /// `expr` names a ratio that says which part is good, or says what is bad, which is good at all other times.
    ///
    /// Unit: percent.
    /// Range: a number between 0 and 100.
    /// Default: none (the rule is about the numbers themselves).
    /// Reason: what you promise is for you to say.
    /// Example: `99.5`
    #[schemars(with = "NumberText")]
    pub objective: Option<String>,
    /// How fast the error budget may go, for rules with an `objective`. Declared windows of maintenance do not count.
    ///
    /// Unit: pairs of windows.
    /// Range: any number of pairs.
    /// Default: [] (14.4 times over 1h and 5m or 6 times over 6h and 30m is critical, 3 times over 1d and 2h or once over 3d and 6h a
    /// warning).
    /// Reason: Google, The Site Reliability Workbook, chapter 5.
    /// Example: `[{short: 5m, long: 1h, factor: 14.4, severity: critical}]`
    pub burn_rates: Vec<BurnEntry>,
    /// How long it must be bad before it fires.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 30d.
    /// Default: none (at once).
    /// Reason: the default of Prometheus.
    /// Example: `15m`
    #[serde(rename = "for", with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "30d"))]
    pub hold: Option<Span>,
    /// How long it must be well before it ends.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 30d.
    /// Default: none (at once).
    /// Reason: the default of Prometheus.
    /// Example: `15m`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "30d"))]
    pub keep_firing_for: Option<Span>,
    /// How many of the last results must be bad before it fires.
    ///
    /// Unit: results.
    /// Range: 1 to 32.
    /// Default: none (1).
    /// Reason: what is bad now and then may be worth hearing of all the same.
    /// Example: `3`
    #[schemars(with = "u32", range(min = 1, max = 32))]
    pub times: Option<u32>,
    /// Of how many of the last results `times` must be bad.
    ///
    /// Unit: results.
    /// Range: 1 to 32.
    /// Default: none (as many as `times`).
    /// Reason: without it, they must follow one another.
    /// Example: `5`
    #[schemars(with = "u32", range(min = 1, max = 32))]
    pub of: Option<u32>,
    /// How bad its alerts are.
    ///
    /// Unit: one word.
    /// Range: info, warning, error, critical.
    /// Default: none (as bad as the finding; warning for a metric).
    /// Reason: the checks have thought about it.
    /// Example: `critical`
    #[schemars(with = "Severity")]
    pub severity: Option<Severity>,
    /// Labels that its alerts have besides their own. A table (`{team: release}`), as Prometheus has it, is read, too.
    ///
    /// Unit: names with values.
    /// Range: any number of different names.
    /// Default: [].
    /// Reason: routes can tell alerts apart by what they are about.
    /// Example: `[{name: team, value: release}]`
    pub labels: Vec<LabelEntry>,
    /// What is said of its alerts besides, to channels that have annotations (webhook, Alertmanager). Nothing is filled in.
    ///
    /// Unit: names with values.
    /// Range: any number of different names.
    /// Default: [].
    /// Reason: `summary` and `runbook` say what people need.
    /// Example: `[{name: dashboard, value: "https://grafana.example.org/d/drift"}]`
    pub annotations: Vec<LabelEntry>,
    /// What its alerts say.
    ///
    /// Unit: a sentence.
    /// Range: up to 200 characters.
    /// Default: none (what the finding says, or the number).
    /// Reason: that has the numbers in it.
    /// Example: `more than twenty branches are far behind`
    #[schemars(with = "ReasonText")]
    pub summary: Option<String>,
    /// Where the procedure is written.
    ///
    /// Unit: a web address or a place in a document.
    /// Range: up to 200 characters.
    /// Default: none (the one of the finding).
    /// Reason: each finding has one.
    /// Example: `https://wiki.example.org/drift`
    #[schemars(with = "ReasonText")]
    pub runbook: Option<String>,
}

/// A pair of windows, and how fast an error budget may go in both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["short", "long", "factor"]))]
pub struct BurnEntry {
    /// The short window, which says that it still goes on.
    ///
    /// Unit: a length of time.
    /// Range: 5m to 1d.
    /// Default: 0s.
    /// Reason: a twelfth of the long one is usual; it must be shorter than that.
    /// Example: `5m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "5m", "x-most" = "1d"))]
    pub short: Span,
    /// The long window, which says that it matters.
    ///
    /// Unit: a length of time.
    /// Range: 10m to 3d.
    /// Default: 0s.
    /// Reason: three days are kept in mind.
    /// Example: `1h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "10m", "x-most" = "3d"))]
    pub long: Span,
    /// How many times faster than four weeks allow it must go in both.
    ///
    /// Unit: times.
    /// Range: above 0, and such that it can ever fire.
    /// Default: none.
    /// Reason: 14.4 uses a fiftieth of the budget in an hour.
    /// Example: `14.4`
    #[schemars(with = "NumberText")]
    pub factor: String,
    /// How bad that is.
    ///
    /// Unit: one word.
    /// Range: info, warning, error, critical.
    /// Default: none (the one of the rule, else warning).
    /// Reason: said once for all.
    /// Example: `critical`
    #[schemars(with = "Severity")]
    pub severity: Option<Severity>,
}

/// A label of alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "value"]))]
pub struct LabelEntry {
    /// Its name.
    ///
    /// Unit: a name.
    /// Range: letters, digits and `_`.
    /// Default: none.
    /// Reason: matchers name it.
    /// Example: `team`
    #[schemars(with = "LabelName")]
    pub name: String,
    /// Its value.
    ///
    /// Unit: a text.
    /// Range: up to 200 characters.
    /// Default: none.
    /// Reason: matchers compare it.
    /// Example: `release`
    #[schemars(with = "ReasonText")]
    pub value: String,
}

/// A way from alerts to people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "channels"]))]
pub struct RouteEntry {
    /// Its name.
    ///
    /// Unit: a name.
    /// Range: one name, not empty.
    /// Default: none.
    /// Reason: `alignwatch explain` says by which route somebody was told.
    /// Example: `release-team`
    #[schemars(with = "WorkflowText")]
    pub name: String,
    /// Which alerts go it: all of these hold.
    ///
    /// Unit: matchers, as Alertmanager writes them.
    /// Range: any number of different matchers.
    /// Default: [].
    /// Reason: without any, all alerts do.
    /// Example: `["severity=~\"error|critical\""]`
    #[schemars(with = "Vec<MatcherText>", extend("uniqueItems" = true))]
    pub matchers: Vec<String>,
    /// The channels that are told; `receiver`, as Alertmanager has it, is read, too.
    ///
    /// Unit: names of channels.
    /// Range: names that stand in `channels` or `on_call`.
    /// Default: [].
    /// Reason: a route that tells nobody keeps what it matches from the routes after it.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", extend("uniqueItems" = true))]
    pub channels: Vec<String>,
    /// Labels in which alerts agree that are told together.
    ///
    /// Unit: names of labels.
    /// Range: any number of different names.
    /// Default: [] (repository and alertname).
    /// Reason: one message for one cause in one repository.
    /// Example: `[repository]`
    #[schemars(with = "Vec<LabelName>", extend("uniqueItems" = true))]
    pub group_by: Vec<String>,
    /// How long the first alert of a group waits for others.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1h.
    /// Default: none (`alerts.group_wait`).
    /// Reason: said once for all.
    /// Example: `0s`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1h"))]
    pub group_wait: Option<Span>,
    /// The least time between two messages about a group in which something changed.
    ///
    /// Unit: a length of time.
    /// Range: 0s to 1d.
    /// Default: none (`alerts.group_interval`).
    /// Reason: said once for all.
    /// Example: `1m`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "0s", "x-most" = "1d"))]
    pub group_interval: Option<Span>,
    /// After how long what goes on is told again.
    ///
    /// Unit: a length of time.
    /// Range: 5m to 30d.
    /// Default: none (`alerts.repeat_interval`).
    /// Reason: said once for all.
    /// Example: `4h`
    #[serde(with = "amount::optional_length")]
    #[schemars(with = "LengthText", extend("x-least" = "5m", "x-most" = "30d"))]
    pub repeat_interval: Option<Span>,
    /// Who is told when nobody acknowledges it and it goes on.
    ///
    /// Unit: steps.
    /// Range: any number of steps.
    /// Default: [].
    /// Reason: who should be woken cannot be guessed.
    /// Example: `[{after: 30m, channels: [deploy-bot]}]`
    pub escalate: Vec<StepEntry>,
    /// What happens with the routes after this one.
    ///
    /// Unit: one word.
    /// Range: stop, go_on.
    /// Default: stop.
    /// Reason: as in Alertmanager, where it is called `continue`.
    /// Example: `go_on`
    pub then: Then,
}

/// What happens after a route that matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// No other route is looked at.
    #[default]
    Stop,
    /// The routes after it are looked at, too.
    GoOn,
}

/// A step of an escalation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["after", "channels"]))]
pub struct StepEntry {
    /// How long after the first ones were told of the alert; while nobody was, no step begins.
    ///
    /// Unit: a length of time.
    /// Range: 1m to 30d.
    /// Default: 0s.
    /// Reason: how long the first ones have is for you to say.
    /// Example: `30m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1m", "x-most" = "30d"))]
    pub after: Span,
    /// The channels that are told then.
    ///
    /// Unit: names of channels.
    /// Range: names that stand in `channels` or `on_call`.
    /// Default: [].
    /// Reason: a step that tells nobody is a mistake.
    /// Example: `[deploy-bot]`
    #[schemars(with = "Vec<ChannelName>", length(min = 1), extend("uniqueItems" = true))]
    pub channels: Vec<String>,
    /// Only while this window is open; a step that is due outside of it waits for it.
    ///
    /// Unit: the name of a window.
    /// Range: a name that stands in `windows`.
    /// Default: none (at any time).
    /// Reason: most steps are there for the worst.
    /// Example: `release`
    #[schemars(with = "WorkflowText")]
    pub during: Option<String>,
}

/// Alerts that hide others, which follow from them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["source", "target"]))]
pub struct InhibitEntry {
    /// What the cause meets; `source_matchers` is read, too.
    ///
    /// Unit: matchers, as Alertmanager writes them.
    /// Range: at least one.
    /// Default: [].
    /// Reason: without any, everything would hide.
    /// Example: `["alertname=\"host-unwell\""]`
    #[schemars(with = "Vec<MatcherText>", length(min = 1), extend("uniqueItems" = true))]
    pub source: Vec<String>,
    /// What is hidden while the cause fires; `target_matchers` is read, too.
    ///
    /// Unit: matchers, as Alertmanager writes them.
    /// Range: at least one.
    /// Default: [].
    /// Reason: without any, everything would be hidden.
    /// Example: `["alertname=\"run-failed\""]`
    #[schemars(with = "Vec<MatcherText>", length(min = 1), extend("uniqueItems" = true))]
    pub target: Vec<String>,
    /// Labels in which both are the same.
    ///
    /// Unit: names of labels.
    /// Range: any number of different names.
    /// Default: [].
    /// Reason: without any, one cause hides all targets.
    /// Example: `[repository]`
    #[schemars(with = "Vec<LabelName>", extend("uniqueItems" = true))]
    pub equal: Vec<String>,
}
