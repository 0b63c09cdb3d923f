//! Rules: what is a reason for an alert.
//!
//! [`BUILT_IN`] is useful unchanged. Own rules stand beside it in the configuration (`rules`), and one with the
//! same name takes the place of a built-in one.

use std::fmt;

use super::{
    Labels, Matcher, Timing,
    burn::{Good, PAIRS, Pair, Slo},
    condition::{Condition, Subject},
    expression::{self, Expression},
    matcher,
};
use crate::{
    Severity, Span,
    checks::{self, Check, Family},
    config::{BurnEntry, LabelEntry, RuleEntry},
};

/// Facts of findings that are labels of their alerts: by them it is known what hangs on what.
pub const LABELS_OF_EVIDENCE: [&str; 2] = ["base", "host"];

/// The labels that an alert has of its finding.
pub fn finding_labels() -> impl Iterator<Item = &'static str> {
    ["check", "subject", "key", "repository"].into_iter().chain(LABELS_OF_EVIDENCE)
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name; the label `alertname` of its alerts.
    pub name: String,
    /// What it looks for.
    pub of: Of,
    /// What else must hold.
    pub when: Option<Condition>,
    /// What damps it.
    pub timing: Timing,
    /// How bad its alerts are; `None` = as bad as the finding.
    pub severity: Option<Severity>,
    /// Labels that its alerts have besides their own.
    pub labels: Labels,
    /// What is said of its alerts besides, by name.
    pub annotations: Labels,
    /// What its alerts say; `None` = what the finding says.
    pub summary: Option<String>,
    /// Where the procedure is written; `None` = where the finding says.
    pub runbook: Option<String>,
    /// Why it is there.
    pub why: String,
    /// It stands in the configuration.
    pub is_own: bool,
}

/// What a rule looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Of {
    /// Findings of these checks, at least so bad.
    Findings {
        /// The ids.
        checks: Vec<String>,
        /// How bad.
        at_least: Severity,
        /// What else must hold for the labels.
        matchers: Vec<Matcher>,
    },
    /// A number of a metric.
    Metric {
        /// What is bad.
        bad: Expression,
        /// What is well again; between the two, it stays as it is. `None` = whatever is not bad.
        clear: Option<f64>,
    },
    /// An error budget that goes too fast.
    BudgetBurns(Slo),
    /// A repository that can't be looked at.
    Unseen,
    /// A promise of alignwatch itself that is not kept.
    OwnPromise,
    /// A silence that ends soon, and under which something fires.
    SilenceEnds,
    /// A rule of the configuration that matches nothing for long.
    RuleIdle,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Of::Findings { checks, at_least, .. } if checks.len() == checks::ALL.len() => {
                write!(f, "findings of all checks, from {at_least} on")
            }
            Of::Findings { checks, at_least, .. } => write!(f, "findings of {}, from {at_least} on", checks.join(", ")),
            Of::Metric { bad, clear: None } => write!(f, "{bad}"),
            Of::Metric { bad, clear: Some(clear) } => write!(f, "{bad}, until it passes {clear}"),
            Of::BudgetBurns(slo) => write!(f, "{slo}"),
            Of::Unseen => f.write_str("repositories that cannot be looked at"),
            Of::OwnPromise => f.write_str("promises of alignwatch itself that it does not keep"),
            Of::SilenceEnds => f.write_str("silences that end soon, and under which something fires"),
            Of::RuleIdle => f.write_str("rules of the configuration that match nothing for a week"),
        }
    }
}

/// A built-in rule, as it is written down.
struct BuiltIn {
    name: &'static str,
    /// None = as bad as the finding.
    severity: Option<Severity>,
    of: What,
    hold: Span,
    keep_firing: Span,
    why: &'static str,
}

enum What {
    Findings(&'static [&'static str], Severity),
    BudgetBurns,
    Unseen,
    OwnPromise,
    SilenceEnds,
    RuleIdle,
}

/// The rules that are there without any configuration, the gravest first.
///
/// Source of times: ours. What may be lost is told at once; what a push or a retry sets right by itself waits for that.
const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "work-lost",
        severity: None,
        of: What::Findings(&["work-lost", "dropped-side", "forbidden-merged", "base-rewritten"], Severity::Warning),
        hold: Span(0),
        keep_firing: Span(0),
        why: "Work that an alignment lost comes back only while somebody still has it",
    },
    BuiltIn {
        name: "repository-damaged",
        severity: None,
        of: What::Findings(
            &[
                "missing-objects",
                "object-check",
                "connectivity",
                "pack-bytes",
                "incomplete-packs",
                "broken-refs",
                "index-readable",
                "object-pool",
            ],
            Severity::Error,
        ),
        hold: Span(0),
        keep_firing: Span(0),
        why: "Damage spreads with each fetch and each repack, and the other copies are deleted meanwhile",
    },
    BuiltIn {
        name: "maintenance-failed",
        severity: None,
        of: What::Findings(&["task-failed"], Severity::Error),
        hold: Span(0),
        keep_firing: Span(0),
        why: "What the task is for is still there; one that lost objects has to be looked at while they can be brought back",
    },
    BuiltIn {
        name: "task-without-effect",
        severity: None,
        of: What::Findings(&["task-without-effect"], Severity::Warning),
        hold: Span(0),
        keep_firing: Span(0),
        why: "A task that acts and changes nothing looks like one that works",
    },
    BuiltIn {
        name: "backup-unproven",
        severity: None,
        of: What::Findings(&["backup-unproven"], Severity::Warning),
        hold: Span::hours(1),
        keep_firing: Span(0),
        why: "A backup that nobody restored is a hope; it is needed when it is too late to make another",
    },
    BuiltIn {
        name: "own-promise",
        severity: None,
        of: What::OwnPromise,
        hold: Span::minutes(5),
        keep_firing: Span::minutes(5),
        why: "While alignwatch itself does not do what it should, silence means nothing",
    },
    BuiltIn {
        name: "repository-unseen",
        severity: None,
        of: What::Unseen,
        hold: Span::minutes(10),
        keep_firing: Span(0),
        why: "Nothing else is known of a repository that cannot be looked at",
    },
    BuiltIn {
        name: "run-failed",
        severity: None,
        of: What::Findings(&["run-failed", "run-stuck", "run-lost"], Severity::Warning),
        hold: Span(0),
        keep_firing: Span(0),
        why: "Branches drift until somebody sees that the alignment does not work",
    },
    BuiltIn {
        name: "run-missed",
        severity: None,
        of: What::Findings(&["run-missed"], Severity::Warning),
        hold: Span(0),
        keep_firing: Span(0),
        why: "An alignment that does not run at all reports nothing",
    },
    BuiltIn {
        name: "alignment-budget-burns",
        severity: None,
        of: What::BudgetBurns,
        hold: Span(0),
        keep_firing: Span::minutes(15),
        why: "At this pace the promise on alignment is broken before its four weeks are over",
    },
    BuiltIn {
        name: "conflict",
        severity: None,
        of: What::Findings(&["conflicting", "conflict-markers"], Severity::Error),
        hold: Span::minutes(15),
        keep_firing: Span::minutes(15),
        why: "A conflict is cheapest while the author still knows the change",
    },
    BuiltIn {
        name: "over-budget",
        severity: None,
        of: What::Findings(&["over-budget", "base-behind-remote"], Severity::Warning),
        hold: Span::hours(1),
        keep_firing: Span::minutes(15),
        why: "What was agreed on drift is broken",
    },
    BuiltIn {
        name: "budget-soon-exceeded",
        // As a finding it is only good to know; whoever is told hears it while there is still time.
        severity: Some(Severity::Warning),
        of: What::Findings(&["budget-soon-exceeded"], Severity::Info),
        hold: Span::hours(1),
        keep_firing: Span::hours(1),
        why: "Aligned in time, a branch never breaks what was agreed",
    },
    BuiltIn {
        name: "repository-unwell",
        severity: None,
        of: What::Findings(
            &[
                "missing-base",
                "stale-lock",
                "unfinished-operation",
                "known-bad-git",
                "dangerous-config",
                "room-to-repack",
            ],
            Severity::Error,
        ),
        hold: Span::minutes(15),
        keep_firing: Span(0),
        why: "Alignments stop at it, or do something else than they should",
    },
    BuiltIn {
        name: "remote-unreachable",
        severity: None,
        of: What::Findings(&["remote-unreachable"], Severity::Warning),
        hold: Span::minutes(15),
        keep_firing: Span(0),
        why: "Nothing can be fetched or pushed; what fails for want of the remote follows from it, and is held back",
    },
    BuiltIn {
        name: "host-unwell",
        severity: None,
        of: What::Findings(
            &["host-disk", "host-inodes", "host-memory", "host-cpu", "host-load", "clock"],
            Severity::Warning,
        ),
        hold: Span::minutes(15),
        keep_firing: Span::minutes(15),
        why: "On a machine that is full or overloaded, alignments fail in ways that look like other faults",
    },
    BuiltIn {
        name: "silence-ends-soon",
        severity: Some(Severity::Warning),
        of: What::SilenceEnds,
        hold: Span(0),
        keep_firing: Span(0),
        why: "When it ends, all that fires under it is told at once",
    },
    BuiltIn {
        name: "rule-matches-nothing",
        severity: Some(Severity::Warning),
        of: What::RuleIdle,
        hold: Span(0),
        keep_firing: Span(0),
        why: "A rule that can never fire looks like one that has nothing to tell",
    },
];

impl Rule {
    /// The built-in rules.
    pub fn built_in() -> Vec<Rule> {
        BUILT_IN.iter().map(Rule::of_built_in).collect()
    }

    fn of_built_in(rule: &BuiltIn) -> Rule {
        let of = match rule.of {
            What::Findings(checks, at_least) => Of::Findings {
                checks: checks.iter().map(|&id| id.to_owned()).collect(),
                at_least,
                matchers: Vec::new(),
            },
            What::BudgetBurns => Of::BudgetBurns(Slo::of_alignment()),
            What::Unseen => Of::Unseen,
            What::OwnPromise => Of::OwnPromise,
            What::SilenceEnds => Of::SilenceEnds,
            What::RuleIdle => Of::RuleIdle,
        };
        Rule {
            name: rule.name.to_owned(),
            of,
            when: None,
            timing: Timing { hold: rule.hold, keep_firing: rule.keep_firing, ..Timing::default() },
            severity: rule.severity,
            labels: Labels::new(),
            annotations: Labels::new(),
            summary: None,
            runbook: None,
            why: rule.why.to_owned(),
            is_own: false,
        }
    }

    /// What it looks for, with what else must hold.
    pub fn looks_for(&self) -> String {
        let when = self.when.as_ref().map_or(String::new(), |when| format!(", where {when}"));
        format!("{}{when}", self.of)
    }

    /// Is it about the machine, whichever repository is looked at?
    pub fn is_about_machine(&self) -> bool {
        let is_of_host = |id: &String| checks::by_id(id).is_some_and(|check| check.family == Family::Host);
        matches!(&self.of, Of::Findings { checks, .. } if checks.iter().all(is_of_host))
    }

    /// Is this something that a rule can look for? Errors: what is wrong.
    pub fn reads(expr: &str) -> Result<(), String> {
        // A part that is well stands alone where an `objective` stands beside it.
        match Good::parse(expr) {
            Ok(Good::Part { .. }) => Ok(()),
            _ => Of::parse(expr, None).map(drop).map_err(|bad| bad.problem),
        }
    }

    /// The metric that this text names, whatever else is wrong with it.
    pub fn metric_named(expr: &str) -> Option<&'static str> {
        expression::series(expr).ok().map(|(metric, ..)| metric.name)
    }

    /// A rule of the configuration. Errors: what is wrong with it, by the key that holds it.
    pub fn of_entry(entry: &RuleEntry) -> Result<Rule, Bad> {
        let of = match &entry.objective {
            None if !entry.burn_rates.is_empty() => {
                return Err(Bad::of("burn_rates", "they need an `objective` beside them"));
            }
            None => Of::parse(&entry.expr, entry.clear.as_deref())?,
            Some(objective) => Of::BudgetBurns(slo_of(entry, objective)?),
        };
        let when = entry.when.as_deref().map(|text| of.condition(text).map_err(|problem| Bad::of("when", problem)));
        let when = when.transpose()?;
        let (times, of_last) = (entry.times.unwrap_or(1), entry.of.or(entry.times).unwrap_or(1));
        if of_last < times {
            return Err(Bad::of("times", format!("can never be so many of the last {of_last}")));
        }
        let named = |all: &[LabelEntry]| all.iter().map(|one| (one.name.clone(), one.value.clone())).collect();
        Ok(Rule {
            name: entry.name.clone(),
            severity: match of {
                // Each pair of windows has its own.
                Of::BudgetBurns(_) => None,
                Of::Metric { .. } => entry.severity.or(Some(Severity::Warning)),
                _ => entry.severity,
            },
            of,
            when,
            timing: Timing {
                hold: entry.hold.unwrap_or_default(),
                keep_firing: entry.keep_firing_for.unwrap_or_default(),
                times,
                of: of_last,
            },
            labels: named(&entry.labels),
            annotations: named(&entry.annotations),
            summary: entry.summary.clone(),
            runbook: entry.runbook.clone(),
            why: "configured".to_owned(),
            is_own: true,
        })
    }
}

/// What is wrong with a rule of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Bad {
    /// The key that holds it, within the rule: `burn_rates[1].short`.
    pub key: String,
    /// How it is wrong.
    pub problem: String,
}

impl Bad {
    fn of(key: impl Into<String>, problem: impl Into<String>) -> Bad {
        Bad { key: key.into(), problem: problem.into() }
    }
}

impl Of {
    /// Reads what a rule looks for. Errors: the key that is wrong, and how.
    pub(crate) fn parse(text: &str, clear: Option<&str>) -> Result<Of, Bad> {
        match text.trim().strip_prefix("finding") {
            Some(_) if clear.is_some() => Err(Bad::of("clear", "a finding is there or not: nothing lies between")),
            Some(rest) if !rest.starts_with('s') => findings_of(rest).map_err(|problem| Bad::of("expr", problem)),
            _ => metric_of(text, clear),
        }
    }

    /// The metric that it is about, if one.
    pub fn metric(&self) -> Option<&str> {
        match self {
            Of::Metric { bad, .. } => Some(&bad.metric),
            Of::BudgetBurns(slo) => Some(slo.good.metric()),
            _ => None,
        }
    }

    /// Reads what else must hold. Errors: what is wrong with it.
    fn condition(&self, text: &str) -> Result<Condition, String> {
        match self {
            Of::Findings { checks, .. } => Condition::parse(text, Subject::Finding(checks)),
            Of::Metric { .. } | Of::BudgetBurns(_) => {
                let labels: Vec<&str> = self.metric().into_iter().flat_map(expression::labels_named).collect();
                Condition::parse(text, Subject::Number(&labels))
            }
            _ => Err("only findings and metrics have conditions".to_owned()),
        }
    }
}

/// `{check="conflicting"} >= error`, what stands after `finding`.
fn findings_of(text: &str) -> Result<Of, String> {
    let (labels, severity) = text.split_once(">=").unwrap_or((text, ""));
    let matchers = matcher::parse_all(labels).map_err(|bad| bad.0)?;
    if let Some(matcher) = matchers.iter().find(|matcher| !finding_labels().any(|label| label == matcher.name)) {
        let all = finding_labels().collect::<Vec<_>>().join("`, `");
        return Err(format!("a finding has no label `{}`; it has `{all}`", matcher.name));
    }
    let severities = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    let at_least = match severity.trim() {
        "" => Severity::Info,
        word => *severities
            .iter()
            .find(|known| known.word() == word)
            .ok_or_else(|| format!("`{word}` is no severity: write info, warning, error or critical"))?,
    };
    let (of_check, matchers): (Vec<_>, Vec<_>) = matchers.into_iter().partition(|matcher| matcher.name == "check");
    let label = |id: &str| Labels::from([("check".to_owned(), id.to_owned())]);
    let can_fire = |check: &&&Check| at_least <= check.severity && matcher::all_match(&of_check, &label(check.id));
    let checks: Vec<String> = checks::ALL.iter().filter(can_fire).map(|check| check.id.to_owned()).collect();
    if checks.is_empty() {
        return Err("it could never fire: no check of this name finds anything so bad".to_owned());
    }
    Ok(Of::Findings { checks, at_least, matchers })
}

/// The promise of a rule, and how fast its error budget may go.
fn slo_of(entry: &RuleEntry, objective: &str) -> Result<Slo, Bad> {
    if entry.expr.trim().starts_with("finding") {
        return Err(Bad::of("objective", "findings have no error budget, metrics have"));
    }
    let good = match (Good::parse(&entry.expr).map_err(|problem| Bad::of("expr", problem))?, entry.clear.as_deref()) {
        (Good::Part { .. }, Some(_)) => return Err(Bad::of("clear", "`expr` says no number that is bad")),
        (part, None) => part,
        (Good::Unless { bad, .. }, clear) => Good::Unless { clear: clear_of(&bad, &entry.expr, clear)?, bad },
    };
    let percent = objective.trim().parse().ok().filter(|percent: &f64| 0.0 < *percent && *percent < 100.0);
    let percent =
        percent.ok_or_else(|| Bad::of("objective", format!("`{objective}` is not between 0 and 100 percent")))?;
    let objective = percent / 100.0;
    let usual = || PAIRS.iter().map(|pair| Pair { severity: entry.severity.unwrap_or(pair.severity), ..*pair });
    let own = entry.burn_rates.iter().enumerate().map(|(at, one)| {
        pair_of(one, entry.severity, objective)
            .map_err(|bad| Bad::of(format!("burn_rates[{at}].{}", bad.key), bad.problem))
    });
    let mut pairs: Vec<Pair> = own.collect::<Result<_, _>>()?;
    if pairs.is_empty() {
        pairs.extend(usual().filter(|pair| can_burn(pair.factor, objective)));
    }
    pairs.sort_by(|one, other| other.severity.cmp(&one.severity).then(other.factor.total_cmp(&one.factor)));
    Ok(Slo { good, objective: Some(objective), pairs })
}

fn pair_of(entry: &BurnEntry, severity: Option<Severity>, objective: f64) -> Result<Pair, Bad> {
    let (short, long) = (entry.short, entry.long);
    if long.0 <= short.0 {
        return Err(Bad::of(
            "short",
            "it must be shorter than `long`: the long one says that it matters, the short one that it goes on",
        ));
    }
    let factor = entry.factor.trim().parse().ok().filter(|factor: &f64| 0.0 < *factor && factor.is_finite());
    let factor = factor.ok_or_else(|| Bad::of("factor", format!("`{}` is no number above 0", entry.factor)))?;
    if !can_burn(factor, objective) {
        let most = 1.0 / (1.0 - objective);
        return Err(Bad::of(
            "factor",
            format!("it could never fire: with nothing good at all, this budget goes {most:.1} times too fast"),
        ));
    }
    Ok(Pair { short, long, factor, severity: entry.severity.or(severity).unwrap_or(Severity::Warning) })
}

/// Can the budget go faster than this?
fn can_burn(factor: f64, objective: f64) -> bool {
    factor * (1.0 - objective) < 1.0
}

fn metric_of(text: &str, clear: Option<&str>) -> Result<Of, Bad> {
    let bad = Expression::parse(text).map_err(|problem| Bad::of("expr", problem))?;
    let clear = clear_of(&bad, text, clear)?;
    Ok(Of::Metric { bad, clear })
}

/// The number at which it is well again.
fn clear_of(bad: &Expression, text: &str, clear: Option<&str>) -> Result<Option<f64>, Bad> {
    let Some(clear) = clear else { return Ok(None) };
    let number = clear.trim().parse().ok().filter(|number: &f64| number.is_finite());
    let number = number.ok_or_else(|| Bad::of("clear", format!("`{clear}` is no number")))?;
    if bad.comparison.holds(number, bad.number) {
        let problem = format!("{number} is itself bad by `{text}`, so that it would never end");
        return Err(Bad::of("clear", problem));
    }
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_rules_name_checks_that_exist_and_can_fire() {
        for rule in Rule::built_in() {
            let Of::Findings { checks, at_least, .. } = &rule.of else { continue };
            for id in checks {
                let check = checks::by_id(id).unwrap_or_else(|| panic!("{}: no check {id}", rule.name));
                assert!(*at_least <= check.severity, "{}: {id} never gets {at_least}", rule.name);
            }
        }
    }

    #[test]
    fn a_repository_of_which_nothing_is_measured_for_want_of_a_base_is_told() {
        let mut found = Rule::built_in().into_iter().filter_map(|rule| match rule.of {
            Of::Findings { checks, at_least, .. } if at_least <= Severity::Error => Some(checks),
            _ => None,
        });
        assert!(found.any(|checks| checks.iter().any(|id| id == "missing-base")));
    }

    #[test]
    fn names_differ() {
        let names: std::collections::BTreeSet<_> = Rule::built_in().into_iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), BUILT_IN.len());
    }

    #[test]
    fn what_can_never_fire_or_never_end_is_a_mistake() {
        let entry = |expr: &str, clear: Option<&str>| RuleEntry {
            name: "r".into(),
            expr: expr.into(),
            clear: clear.map(str::to_owned),
            ..RuleEntry::default()
        };
        let told = |entry: &RuleEntry| Rule::of_entry(entry).unwrap_err().problem;
        assert!(told(&entry("finding{check=\"no-such\"}", None)).contains("could never fire"));
        assert!(told(&entry("finding{branch=\"x\"}", None)).contains("has no label `branch`"));
        assert!(told(&entry("finding >= bad", None)).contains("is no severity"));
        assert!(told(&entry("alignwatch_repo_refs > 10", Some("11"))).contains("would never end"));
        let rule = Rule::of_entry(&entry("alignwatch_repo_refs > 10", Some("8"))).unwrap();
        assert_eq!(rule.severity, Some(Severity::Warning));
        let never = RuleEntry { times: Some(3), of: Some(2), ..entry("alignwatch_repo_refs > 10", None) };
        assert!(told(&never).contains("can never be so many"));
    }
}
