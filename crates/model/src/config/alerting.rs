//! The part of the configuration that says what is a reason for an alert, and who hears of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, amount,
    rules::Mistake,
    schema::{
        ChannelName, ConditionText, ExpressionText, LabelName, LengthText, MatcherText, NumberText, ReasonText,
        WorkflowText,
    },
    tree::for_sentence,
};
use crate::{
    Severity, Span,
    alert::{
        Matcher, expression,
        rule::{self, Rule},
    },
};

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

/// Rules and routes that can't do what they are there for.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> =
        config.rules.iter().enumerate().filter_map(|(at, rule)| of_rule(config, at, rule)).collect();
    mistakes.extend(config.alerts.skip_rules.iter().enumerate().filter_map(|(at, name)| of_skipped(at, name)));
    let channels = config.channels.names();
    let turns = config.on_call.iter().map(|turns| turns.name.as_str());
    let receivers: Vec<&str> = channels.iter().copied().chain(turns).collect();
    let fallback = config.alerts.fallback.as_deref();
    mistakes.extend(fallback.and_then(|name| of_channel(&channels, "alerts.fallback".to_owned(), name)));
    for (at, route) in config.routes.iter().enumerate() {
        let named = route.channels.iter().enumerate().map(|(i, name)| (format!("routes[{at}].channels[{i}]"), name));
        let steps = route.escalate.iter().enumerate().flat_map(|(step, entry)| {
            let path = move |i| format!("routes[{at}].escalate[{step}].channels[{i}]");
            entry.channels.iter().enumerate().map(move |(i, name)| (path(i), name))
        });
        mistakes.extend(named.chain(steps).filter_map(|(path, name)| of_channel(&receivers, path, name)));
        let windows = route.escalate.iter().enumerate();
        mistakes.extend(windows.filter_map(|(step, entry)| of_during(config, at, step, entry.during.as_deref()?)));
    }
    let words = Words::of(config);
    for (at, route) in config.routes.iter().enumerate() {
        mistakes.extend(words.never_so(&format!("routes[{at}].matchers"), &route.matchers));
    }
    for (at, entry) in config.inhibit.iter().enumerate() {
        mistakes.extend(words.never_so(&format!("inhibit[{at}].source"), &entry.source));
        mistakes.extend(words.never_so(&format!("inhibit[{at}].target"), &entry.target));
    }
    mistakes.extend(config.rules.iter().enumerate().flat_map(|(at, rule)| of_texts(at, rule)));
    // What was written may hold anything.
    mistakes.into_iter().map(|mistake| Mistake { problem: for_sentence(&mistake.problem), ..mistake }).collect()
}

fn of_rule(config: &Config, at: usize, rule: &RuleEntry) -> Option<Mistake> {
    let first = config.rules[..at].iter().position(|other| !rule.name.is_empty() && other.name == rule.name);
    if let Some(first) = first {
        return Some(Mistake {
            path: format!("rules[{at}].name"),
            problem: format!("there is a rule `{}` already", rule.name),
            fix: "give it another name".to_owned(),
            also_at: Some(format!("rules[{first}].name")),
        });
    }
    // What is missing or no expression at all was told already.
    let rule::Bad { key, problem } = Rule::of_entry(rule).err().filter(|_| !rule.expr.is_empty())?;
    let fix = match key.rsplit('.').next().unwrap_or_default() {
        "clear" if problem.contains("says no number") => "take it out, or write which numbers are bad",
        "objective" if rule.expr.trim().starts_with("finding") => {
            "write a metric: `expr: alignwatch_findings{severity=\"error\"} > 0`"
        }
        "objective" => "write a number such as 99.5",
        "burn_rates" => "write `objective: 99`, or take them out",
        "short" => "write `short: 5m`, `long: 1h`",
        "factor" => "write a smaller number, or promise more",
        "clear" => "write a number on the good side of the one in `expr`",
        "times" => "make `of` larger",
        "when" => "`alignwatch check --json` shows the evidence of findings, docs/METRICS.md the labels of metrics",
        _ => "see docs/METRICS.md and `alignwatch check --list`",
    };
    Some(Mistake { path: format!("rules[{at}].{key}"), problem, fix: fix.to_owned(), also_at: None })
}

/// Labels of a rule that every alert has of itself, and texts in which somebody expects something to be filled in.
fn of_texts(at: usize, rule: &RuleEntry) -> Vec<Mistake> {
    let mistake =
        |path: String, problem: String, fix: &str| Mistake { path, problem, fix: fix.to_owned(), also_at: None };
    // Two of its alerts that such a label made alike would be taken for one.
    let of_itself: Vec<&str> = match Rule::metric_named(&rule.expr) {
        Some(metric) => expression::labels_named(metric).collect(),
        None => rule::finding_labels().collect(),
    };
    let own = |(n, label): (usize, &LabelEntry)| {
        let fix = match label.name.as_str() {
            "severity" => "write `severity` beside `labels`",
            name if name == "alertname" || of_itself.contains(&name) => "give it another name",
            _ => return None,
        };
        let problem = format!("each alert has `{}` of itself", label.name);
        Some(mistake(format!("rules[{at}].labels[{n}].name"), problem, fix))
    };
    let annotations = rule.annotations.iter().enumerate();
    let annotations = annotations.map(|(n, one)| (format!("annotations[{n}].value"), one.value.as_str()));
    let texts = [("summary", &rule.summary), ("runbook", &rule.runbook)];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?)));
    let labels = rule.labels.iter().enumerate().map(|(n, one)| (format!("labels[{n}].value"), one.value.as_str()));
    let template = |(key, text): (String, &str)| {
        let problem = "nothing is filled in, and `{{` would be told as it is".to_owned();
        let fix = "write a plain sentence, or leave it out: then the number stands in it";
        text.contains("{{").then(|| mistake(format!("rules[{at}].{key}"), problem, fix))
    };
    let templates = texts.chain(labels).chain(annotations).filter_map(template);
    rule.labels.iter().enumerate().filter_map(own).chain(templates).collect()
}

/// The values that labels of alerts can have.
struct Words {
    severities: Vec<&'static str>,
    checks: Vec<&'static str>,
    /// Names of rules; others may post alerts with any name.
    rules: Vec<String>,
    skipped: Vec<String>,
}

impl Words {
    fn of(config: &Config) -> Words {
        let skipped = config.alerts.skip_rules.clone();
        let built_in = Rule::built_in().into_iter().map(|rule| rule.name).filter(|name| !skipped.contains(name));
        Words {
            severities: Severity::ALL.iter().map(|severity| severity.word()).collect(),
            checks: crate::checks::ALL.iter().map(|check| check.id).collect(),
            rules: built_in.chain(config.rules.iter().map(|rule| rule.name.clone())).collect(),
            skipped,
        }
    }

    /// Matchers on what no alert has. The severities of others are read as one of ours; their names and checks may be any, so that
    /// only a slip of the pen is one.
    fn never_so(&self, path: &str, matchers: &[String]) -> Vec<Mistake> {
        let wrong = |(i, text): (usize, &String)| {
            let matcher = Matcher::parse(text).ok()?;
            let (problem, fix) = matcher.words().into_iter().find_map(|word| self.is_never(&matcher.name, &word))?;
            Some(Mistake { path: format!("{path}[{i}]"), problem, fix, also_at: None })
        };
        matchers.iter().enumerate().filter_map(wrong).collect()
    }

    /// Why a label is never this word, and what to write.
    fn is_never(&self, label: &str, word: &str) -> Option<(String, String)> {
        let rules: Vec<&str> = self.rules.iter().map(String::as_str).collect();
        let known = match label {
            "severity" => &self.severities,
            "check" => &self.checks,
            "alertname" => &rules,
            _ => return None,
        };
        if word.is_empty() || known.contains(&word) {
            return None;
        }
        let problem = format!("`{label}` is never `{word}`");
        if label == "alertname" && self.skipped.iter().any(|name| name == word) {
            return Some((problem, "take it out of `alerts.skip_rules`, or take this out".to_owned()));
        }
        let near = super::nearest_word(word, known.iter().copied(), 1);
        match near {
            Some(near) => Some((problem, format!("did you mean `{near}`?"))),
            None if label == "severity" => Some((problem, format!("write {}", known.join(", ")))),
            None => None,
        }
    }
}

fn of_skipped(at: usize, name: &str) -> Option<Mistake> {
    let built_in = Rule::built_in();
    if built_in.iter().any(|rule| rule.name == name) {
        return None;
    }
    let near = super::nearest_word(name, built_in.iter().map(|rule| rule.name.as_str()), 1);
    Some(Mistake {
        path: format!("alerts.skip_rules[{at}]"),
        problem: format!("there is no built-in rule `{name}`"),
        fix: near.map_or("`alignwatch rules list` shows all".to_owned(), |near| format!("did you mean `{near}`?")),
        also_at: None,
    })
}

/// Names nothing that can be told.
pub(super) fn of_channel(names: &[&str], path: String, name: &str) -> Option<Mistake> {
    if names.contains(&name) {
        return None;
    }
    let near = super::nearest_word(name, names.iter().copied(), 1);
    let fix = near.map_or("write it below `channels`".to_owned(), |near| format!("did you mean `{near}`?"));
    Some(Mistake { path, problem: format!("there is no channel `{name}`"), fix, also_at: None })
}

fn of_during(config: &Config, at: usize, step: usize, name: &str) -> Option<Mistake> {
    (!config.windows.iter().any(|window| window.name == name)).then(|| Mistake {
        path: format!("routes[{at}].escalate[{step}].during"),
        problem: format!("there is no window `{name}`"),
        fix: "write it below `windows`, with `kind: hours`".to_owned(),
        also_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::mistakes_told as told, *};

    #[test]
    fn a_route_for_a_severity_that_no_alert_has_is_a_mistake() {
        let channels = "channels: {webhook: [{name: team, url: \"https://x.example/h\"}]}\n";
        let wrong = format!("{channels}routes: [{{name: all, channels: [team], matchers: ['severity=\"eror\"']}}]\n");
        assert!(told(&wrong).contains("did you mean `error`?"), "{}", told(&wrong));
        let hidden = "inhibit: [{source: ['severity=~\"page|fatal\"'], target: ['alertname=\"x\"']}]\n";
        assert!(told(hidden).contains("is never"), "{}", told(hidden));
    }

    #[test]
    fn what_can_never_match_is_a_mistake_and_names_of_others_are_not() {
        let channels = "channels: {webhook: [{name: team, url: \"https://x.example/h\"}]}\n";
        let route =
            |matcher: &str| format!("{channels}routes: [{{name: all, channels: [team], matchers: ['{matcher}']}}]\n");
        for (matcher, part) in [
            ("alertname=\"conflct\"", "did you mean `conflict`?"),
            ("alertname=~\"run-failed|run-misssed\"", "did you mean `run-missed`?"),
            ("severity=~\"critical|hgih\"", "`severity` is never `hgih`"),
            ("check!=\"conflictign\"", "did you mean `conflicting`?"),
        ] {
            assert!(told(&route(matcher)).contains(part), "{matcher}: {}", told(&route(matcher)));
        }
        for fine in ["alertname=\"KubeNodeNotReady\"", "alertname=~\"Kube.*\"", "severity=~\".+\"", "check=\"\""] {
            assert!(Config::from_yaml(&route(fine), "f").is_ok(), "{fine}");
        }
        let skipped = format!("{}alerts: {{skip_rules: [conflict]}}\n", route("alertname=\"conflict\""));
        assert!(told(&skipped).contains("skip_rules"), "{}", told(&skipped));
    }

    #[test]
    fn a_rule_sets_no_label_that_alerts_have_of_themselves() {
        for name in ["alertname", "severity", "repository", "subject"] {
            let text = format!(
                "rules:\n  - {{name: a, expr: finding, severity: info, labels: [{{name: {name}, value: x}}]}}\n"
            );
            assert!(told(&text).contains("has `"), "{name}: {}", told(&text));
        }
    }

    #[test]
    fn a_rule_about_a_metric_sets_none_of_the_labels_of_its_series_and_any_other() {
        let with = |name: &str| {
            let expr = "alignwatch_host_disk_used_ratio{role=\"repository\"} > 0.9";
            format!("rules:\n  - {{name: a, expr: '{expr}', labels: [{{name: {name}, value: x}}]}}\n")
        };
        for name in ["role", "repository", "alertname", "severity"] {
            assert!(told(&with(name)).contains("has `"), "{name}: {}", told(&with(name)));
        }
        for name in ["subject", "team"] {
            assert!(Config::from_yaml(&with(name), "f").is_ok(), "{name}: {}", told(&with(name)));
        }
    }

    #[test]
    fn the_whole_of_what_is_wrong_with_a_condition_is_told_at_its_line() {
        let text = "rules:\n  - name: many\n    expr: finding{check=\"conflicting\"}\n    when: evidence.n_branches > 5 && evidence.n_brnches < 100 && subject != \"main\"\n";
        let told = told(text);
        assert!(told.starts_with("f:4:"), "{told}");
        assert!(told.contains("no finding has the fact `n_brnches`; did you mean `n_branches`?"), "{told}");
        assert!(told.contains("alignwatch check --json"), "{told}");
        let fine = text.replace("n_brnches", "n_branches");
        assert!(Config::from_yaml(&fine, "f").is_ok());
    }

    #[test]
    fn a_promise_that_cannot_be_broken_or_says_nothing_is_told_at_its_line_with_what_to_write() {
        let rule = |keys: &str| format!("rules:\n  - name: a\n{keys}");
        for (keys, place, part) in [
            ("    expr: alignwatch_aligned_ratio\n    objective: 100\n", "f:4:", "is not between 0 and 100 percent"),
            ("    expr: alignwatch_aligned_ratio\n", "f:3:", "after the metric comes"),
            ("    expr: alignwatch_repo_packs\n    objective: 99\n", "f:3:", "after the metric comes"),
            ("    expr: finding\n    objective: 99\n", "f:4:", "findings have no error budget"),
            (
                "    expr: alignwatch_aligned_ratio\n    objective: 99\n    clear: 5\n",
                "f:5:",
                "says no number that is bad",
            ),
            ("    expr: alignwatch_repo_packs > 9\n    objective: 99\n    clear: 12\n", "f:5:", "would never end"),
            (
                "    expr: alignwatch_repo_packs > 9\n    burn_rates: [{short: 5m, long: 1h, factor: 2}]\n",
                "f:4:",
                "`objective: 99`",
            ),
            (
                "    expr: alignwatch_repo_packs > 9\n    objective: 90\n    burn_rates:\n      - {short: 5m, long: 1h, factor: 2}\n      \
                 - {short: 5m, long: 1h, factor: 14.4}\n",
                "f:7:",
                "with nothing good at all, this budget goes 10.0 times too fast",
            ),
            (
                "    expr: alignwatch_repo_packs > 9\n    objective: 99\n    burn_rates: [{short: 1h, long: 1h, factor: 2}]\n",
                "f:5:",
                "it must be shorter than `long`",
            ),
            (
                "    expr: alignwatch_repo_packs > 9\n    objective: 99\n    burn_rates: [{short: 1h, long: 30d, factor: 2}]\n",
                "f:5:",
                "3d",
            ),
        ] {
            let told = told(&rule(keys));
            assert!(told.contains(part) && told.contains(place), "{keys}: {told}");
        }
    }

    #[test]
    fn a_promise_has_the_usual_windows_as_far_as_its_budget_can_go_so_fast() {
        let rules = "rules:\n  - {name: a, expr: alignwatch_aligned_ratio, objective: 90}\n  \
                     - {name: b, expr: 'alignwatch_repo_packs > 9', objective: 99, severity: error}\n";
        let config = Config::from_yaml(rules, "f").unwrap_or_else(|errors| panic!("{errors:#?}")).0;
        let factors = |entry: &RuleEntry| match Rule::of_entry(entry).unwrap().of {
            crate::alert::rule::Of::BudgetBurns(slo) => {
                slo.pairs.iter().map(|pair| (pair.factor, pair.severity.word())).collect::<Vec<_>>()
            }
            other => panic!("{other}"),
        };
        assert_eq!(factors(&config.rules[0]), [(6.0, "critical"), (3.0, "warning"), (1.0, "warning")]);
        let error = "error";
        assert_eq!(factors(&config.rules[1]), [(14.4, error), (6.0, error), (3.0, error), (1.0, error)]);
    }

    #[test]
    fn a_rule_reads_as_it_does_in_prometheus() {
        let text = "rules:\n  - {name: far, expr: 'alignwatch_far_behind_branches > 20', clear: \"15\", for: 1h, keep_firing_for: 15m}\n";
        let config = Config::from_yaml(text, "f").unwrap().0;
        let rule = Rule::of_entry(&config.rules[0]).unwrap();
        assert_eq!((rule.timing.hold, rule.timing.keep_firing), (Span::hours(1), Span::minutes(15)));
    }

    #[test]
    fn what_can_never_fire_or_tell_anyone_is_told_at_its_place() {
        assert!(told("rules:\n  - {name: a, expr: alignwatch_brunches > 1}\n").contains("did you mean"));
        assert!(told("rules:\n  - {name: a}\n").contains("`expr` is missing"));
        assert!(told("rules:\n  - {name: a, expr: 'finding{check=\"stail\"}'}\n").contains("could never fire"));
        assert!(told("rules:\n  - {name: a, expr: finding}\n  - {name: a, expr: finding}\n").contains("already"));
        assert!(told("alerts: {skip_rules: [conflicts]}\n").contains("did you mean `conflict`"));
        assert!(told("routes:\n  - {name: a, channels: [nobody]}\n").contains("there is no channel `nobody`"));
        assert!(told("routes:\n  - {name: a, channels: [], matchers: [x]}\n").contains("has no `=`"));
    }
}
