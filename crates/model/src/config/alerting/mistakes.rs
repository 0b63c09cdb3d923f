//! What in rules, routes and the like can never do what it is there for.

use super::{LabelEntry, RuleEntry};
use crate::{
    Severity,
    alert::{
        Matcher, expression,
        rule::{self, Rule},
    },
    config::{self, Config, rules::Mistake, tree::for_sentence},
};

/// Rules and routes that can't do what they are there for.
pub(in crate::config) fn mistakes(config: &Config) -> Vec<Mistake> {
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
        let near = config::nearest_word(word, known.iter().copied(), 1);
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
    let near = config::nearest_word(name, built_in.iter().map(|rule| rule.name.as_str()), 1);
    Some(Mistake {
        path: format!("alerts.skip_rules[{at}]"),
        problem: format!("there is no built-in rule `{name}`"),
        fix: near.map_or("`alignwatch rules list` shows all".to_owned(), |near| format!("did you mean `{near}`?")),
        also_at: None,
    })
}

/// Names nothing that can be told.
pub(in crate::config) fn of_channel(names: &[&str], path: String, name: &str) -> Option<Mistake> {
    if names.contains(&name) {
        return None;
    }
    let near = config::nearest_word(name, names.iter().copied(), 1);
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
    use super::*;
    use crate::{Span, config::mistakes_told as told};

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
