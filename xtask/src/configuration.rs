//! docs/CONFIGURATION.md and the JSON Schema of the configuration, from the doc comments of the keys.

use alignwatch_model::{
    checks::{self, Check, ThresholdSpec},
    config::{self, Key, Shape, inline},
};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from the doc comments in crates/model/src/config. Do not edit. -->
# Configuration

alignwatch needs no configuration. With one, you say which refs are branches, what they owe their base, how far apart
they may drift, and from which number on something is a finding.

```sh
alignwatch config init                          # writes a commented alignwatch.yaml to start from
alignwatch config check alignwatch.yaml         # is it right? every mistake with its line
alignwatch --config alignwatch.yaml config show # what is in force, and where each value comes from
alignwatch config explain budget.age            # what a key means, and its value now
alignwatch config schema                        # the JSON Schema, for completion in editors
```

## Where it is read from

The first of these that is given or there:

1. `--config FILE`
2. the file that `$ALIGNWATCH_CONFIG` names
3. `$XDG_CONFIG_HOME/alignwatch/alignwatch.yaml`, or `~/.config/alignwatch/alignwatch.yaml` when that variable is not set

`--config /dev/null` means the defaults. A file inside of a repository is never read unless it is named: whoever can push
to a repository, or plant one, could otherwise take branches out of sight, raise thresholds, or choose where files are
written. No key runs a program.

A value is taken from the strongest layer that sets it: **flag**, then **environment variable**, then **file**, then
**default**. Each key with a single value or a list of them has a variable, named after its path: `budget.age` is
`ALIGNWATCH_BUDGET_AGE`, `thresholds.far-behind` is `ALIGNWATCH_THRESHOLDS_FAR_BEHIND`. A list is written in brackets
there: `ALIGNWATCH_BASES='[main, develop]'`. A variable that is set to nothing counts as not set.

## How it is written

One YAML document in UTF-8, at most 1 MiB. All keys are optional, and an empty file means the defaults. A key that does
not exist is a mistake, and so is one that stands twice; nothing is skipped in silence. Text stays text: a branch called
`NO` or `2024` needs no quotes, and only a pattern that begins with `*`, `!`, `[`, `{` or `@` does.

| what | how | examples |
|---|---|---|
| a length of time | numbers with units, from long to short: `w`, `d`, `h`, `m`, `s`, or whole words | `14d`, `2h 30m`, `90 seconds` |
| a size | a number with `B`, `KiB`, `MiB`, `GiB` or `TiB` | `64 MiB` |
| a pattern of branches | held against the full name, the short one, and the name at the remote. `*` and `?` stay inside one part of a name, `**` crosses parts, `{a,b}` is either, `[ab]` is one character | `feature/**`, `release-{1,2}.*` |
| a pattern of paths | the same, held against the whole path in the repository | `docs/**` |
| the name of a branch | short or full | `main`, `origin/main`, `refs/heads/main` |

All mistakes are told at once, each with its place and a good value:

```
config error: alignwatch.yaml:14:8: budget.age: `2 weekz` is not a length of time (write it like `14d`)
    |
 14 |   age: 2 weekz
    |        ^^^^^^^
```

An example:

```yaml
bases: [main, develop]

budget:
  behind: 200
  age: 14d

relations:
  - branches: [\"release/*\"]
    relation: backport
  - branches: [\"dependabot/**\", \"renovate/**\"]
    base: develop
    budget: {age: 7d}

thresholds:
  far-behind: 500
```

";

/// docs/CONFIGURATION.md.
pub(crate) fn document() -> String {
    let mut text = HEAD.to_owned();
    let catalogue = config::catalogue();
    text.push_str("## Keys\n\n");
    for key in catalogue.descendants().into_iter().filter(|key| !is_threshold(key)) {
        let depth = key.path.matches('.').count();
        let first = key.doc.meaning.split(". ").next().unwrap_or_default().trim_end_matches('.');
        text.push_str(&format!("{}* [`{}`](#{}): {first}\n", "  ".repeat(depth), key.path, anchor(&key.path)));
    }
    for key in catalogue.children() {
        describe(&mut text, key, 3);
    }
    text
}

/// The schema, as `alignwatch config schema` prints it.
pub(crate) fn schema() -> String {
    format!("{:#}\n", config::schema(checks::ALL))
}

fn describe(text: &mut String, key: &Key, level: usize) {
    text.push_str(&format!("\n{} `{}`\n\n{}\n", "#".repeat(level), key.path, key.doc.meaning));
    if key.path == "thresholds" {
        thresholds(text);
        return;
    }
    if !key.is_section() {
        facts(text, key);
    }
    for child in key.children().iter().chain(key.item_keys()) {
        describe(text, child, (level + 1).min(6));
    }
}

fn facts(text: &mut String, key: &Key) {
    let doc = &key.doc;
    let variable = key.variable().map_or_else(String::new, |variable| format!("| variable | `{variable}` |\n"));
    text.push_str(&format!(
        "\n| | |\n|---|---|\n| unit | {} |\n| range | {} |\n| default | {} |\n| reason | {} |\n{variable}",
        cell(&doc.unit),
        cell(&doc.range),
        cell(&default_words(key)),
        cell(&doc.reason),
    ));
    if let Shape::Words(words) = &key.shape {
        text.push('\n');
        for word in words {
            text.push_str(&format!("* `{}`: {}\n", word.word, word.meaning));
        }
    }
    text.push_str(&format!("\n```yaml\n{}{}\n```\n", example(key), named_elsewhere(key)));
}

/// What an example refers to, so that it is whole.
fn named_elsewhere(key: &Key) -> &'static str {
    let is_channel = key.path.starts_with("channels");
    match key.doc.example.as_str() {
        "release" if key.path.ends_with(".during") => {
            "\nchannels: {webhook: [{name: deploy-bot, url: \"https://watch.example.org/hook\"}]}\n\
             windows: [{name: release, kind: hours, open: \"0 8 * * 1-5\", lasts: 10h}]"
        }
        "release" if key.path.ends_with(".unless_open") => {
            "\nwindows: [{name: release, kind: hours, open: \"0 8 * * 1-5\", lasts: 10h}]"
        }
        _ if is_channel => "",
        _ if key.path.ends_with(".calendar") || key.path.contains("on_call[].people") => {
            "\nchannels: {webhook: [{name: deploy-bot, url: \"https://watch.example.org/hook\"}]}\n\
             calendars: [{name: duty, at: /etc/alignwatch/duty.ics}]"
        }
        text if text.contains("deploy-bot") || names_a_channel(key) => {
            "\nchannels: {webhook: [{name: deploy-bot, url: \"https://watch.example.org/hook\"}]}"
        }
        _ => "",
    }
}

/// Every route, canary, turn and report names a channel.
fn names_a_channel(key: &Key) -> bool {
    ["routes[].", "canaries[].", "on_call[].", "reports[]."].iter().any(|start| key.path.starts_with(start))
}

/// The example with what must stand around it.
fn example(key: &Key) -> String {
    match key.path.split_once("[].") {
        Some((list, below)) => of_item("", list, below, &key.doc.example),
        None => nested(&key.path, &key.doc.example),
    }
}

/// An item of a list with this value in it. Each item must say what it is about.
fn of_item(around: &str, list: &str, below: &str, value: &str) -> String {
    let whole = format!("{around}{list}");
    let (name, inner) = match below.split_once("[].") {
        Some((inner, rest)) => (inner, of_item(&format!("{whole}[]."), inner, rest, value)),
        None => (below, on_one_line(below, value)),
    };
    let mut lines = about(&whole, name);
    lines.push(inner);
    nested_list(list, &lines.join("\n").replace('\n', "\n    "))
}

/// The keys that every item of a list must have, besides this one.
fn about(list: &str, below: &str) -> Vec<String> {
    let keys = config::catalogue().find(list).map(|list| list.item_keys()).unwrap_or_default();
    let required = keys.iter().filter(|key| key.is_required && key.name != below);
    let mut lines: Vec<String> = required.map(|key| format!("{}: {}", key.name, key.doc.example)).collect();
    // Whose turn it is comes from one of several keys, and a budget from a promise.
    match (list, below) {
        ("rules", "burn_rates") => lines.push("objective: 99".into()),
        ("on_call", "from" | "calendar") => {}
        ("on_call", "people") => lines.push("calendar: duty".into()),
        ("on_call", _) => lines.push("from: 2026-01-05T09:00".into()),
        _ => {}
    }
    lines
}

/// `budget.age` and `14d` as `budget: {age: 14d}`.
fn on_one_line(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((section, below)) => format!("{section}: {{{}}}", on_one_line(below, value)),
        None => format!("{path}: {value}"),
    }
}

/// `budget.age` and `14d` as two lines.
fn nested(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((section, below)) => format!("{section}:\n  {}", nested(below, value).replace('\n', "\n  ")),
        None => format!("{path}: {value}"),
    }
}

/// A list whose one item has these lines, with the sections around it.
fn nested_list(path: &str, item: &str) -> String {
    match path.split_once('.') {
        Some((section, below)) => format!("{section}:\n  {}", nested_list(below, item).replace('\n', "\n  ")),
        None => format!("{path}:\n  - {item}"),
    }
}

fn default_words(key: &Key) -> String {
    let shown = format!("`{}`", inline(&key.default));
    match key.doc.default.split_once(" (") {
        Some((_, meaning)) => format!("{} ({meaning}", shown.replace("`none`", "none")),
        None => shown,
    }
}

fn thresholds(text: &mut String) {
    let example = "thresholds:\n  far-behind: 500";
    text.push_str("\nA check that is not listed here compares with no number.\n\n");
    text.push_str("| check | what it looks at | unit | range | default | where the default comes from |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for (check, spec) in checks::ALL.iter().filter_map(|check| Some((check, check.threshold.as_ref()?))) {
        text.push_str(&threshold_row(check, spec));
    }
    text.push_str(&format!("\n```yaml\n{example}\n```\n"));
}

fn threshold_row(check: &Check, spec: &ThresholdSpec) -> String {
    let (least, most) = spec.range;
    format!(
        "| `{}` | {} | {} | {least} to {most} | {} | {} |\n",
        check.id,
        cell(check.looks_at),
        spec.unit,
        spec.default,
        cell(spec.source)
    )
}

fn is_threshold(key: &Key) -> bool {
    key.path.starts_with("thresholds.")
}

/// Text on one line of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The anchor that forges give to a heading that is this path as code.
fn anchor(path: &str) -> String {
    path.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect::<String>()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alignwatch_model::config::Config;

    use super::*;

    fn blocks_of_yaml(text: &str) -> Vec<&str> {
        text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
    }

    #[test]
    fn every_example_is_a_good_configuration_and_sets_something() {
        let document = document();
        let blocks = blocks_of_yaml(&document);
        let n_keys =
            config::catalogue().descendants().iter().filter(|key| !key.is_section() && !is_threshold(key)).count();
        assert_eq!(blocks.len(), n_keys + 2);
        for block in blocks {
            match Config::from_yaml(block, "example.yaml") {
                Ok((_, origins)) => assert!(origins.set_keys().count() > 0, "{block}"),
                Err(errors) => panic!("{errors:#?}\n{block}"),
            }
        }
    }

    #[test]
    fn the_mistake_that_is_shown_is_told_like_that() {
        let text = format!("{}budget:\n  age: 2 weekz\n", "\n".repeat(12));
        let errors = Config::from_yaml(&text, "alignwatch.yaml").expect_err("a mistake");
        let told = format!("config error: {}\n{}", errors[0], errors[0].excerpt.as_ref().expect("a line"));
        assert!(HEAD.contains(&told), "{told}");
    }

    #[test]
    fn every_link_leads_to_a_heading_and_every_key_has_one() {
        let document = document();
        let links: BTreeSet<String> =
            document.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect();
        let headings = document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
        let anchors: BTreeSet<String> = headings.map(anchor).collect();
        assert!(links.is_subset(&anchors), "{:?}", links.difference(&anchors));
        let keys = config::catalogue().descendants();
        assert!(keys.into_iter().filter(|key| !is_threshold(key)).all(|key| links.contains(&anchor(&key.path))));
    }

    #[test]
    fn every_threshold_stands_in_the_table() {
        let document = document();
        for check in checks::ALL.iter().filter(|check| check.threshold.is_some()) {
            assert!(document.contains(&format!("| `{}` |", check.id)), "{}", check.id);
        }
    }
}
