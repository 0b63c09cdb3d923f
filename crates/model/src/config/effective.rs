//! The configuration in force, shown as a file that means the same.

use serde_json::Value;

use super::{
    Config, Loaded, Origin,
    catalogue::{Key, catalogue},
};
use crate::quote::is_unsafe;

/// Columns at which the origins stand, when the values leave room for that.
const ORIGINS_AT: usize = 44;

/// All keys with their values in force as YAML, and behind each where it comes from.
///
/// Read again, it gives the same configuration. A key without value stands as a comment.
pub fn effective_file(loaded: &Loaded) -> String {
    let mut text = String::new();
    for key in catalogue().children() {
        key_lines(&mut text, loaded, key, "");
    }
    text
}

/// A value on one line of YAML, as it could be written in a file: `[main, "*"]`, `14d`, `none`.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text_inline(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let written = entries.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<_> = written.map(|(name, value)| format!("{name}: {}", inline(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

impl Config {
    /// The value of a key as JSON, lengths and sizes as text; `Null` when there is none.
    ///
    /// The threshold of a check that nobody set is the check's own.
    pub fn value_of(&self, key: &Key) -> Value {
        let all = serde_json::to_value(self).unwrap_or_default();
        let value = key.path.split('.').fold(&all, |place, name| &place[name]);
        if value.is_null() { key.default.clone() } else { value.clone() }
    }
}

fn key_lines(text: &mut String, loaded: &Loaded, key: &Key, indent: &str) {
    if key.is_section() {
        text.push_str(&format!("{indent}{}:\n", key.name));
        for child in key.children() {
            key_lines(text, loaded, child, &format!("{indent}  "));
        }
        return;
    }
    let value = loaded.config.value_of(key);
    let origin = loaded.origins.of(&key.path);
    if let (Value::Array(rules), false) = (&value, key.item_keys().is_empty() || value == Value::Array(Vec::new())) {
        push_line(text, &format!("{indent}{}:", key.name), &origin_words(&origin));
        rules.iter().for_each(|rule| text.push_str(&format!("{indent}  - {}\n", inline(rule))));
        return;
    }
    if value.is_null() {
        // The words in brackets say what having none means.
        let meaning = key.doc.default.trim_start_matches("none").trim();
        push_line(text, &format!("{indent}#{}:", key.name), &format!("none, by default {meaning}"));
    } else {
        push_line(text, &format!("{indent}{}: {}", key.name, inline(&value)), &origin_words(&origin));
    }
}

fn origin_words(origin: &Origin) -> String {
    origin.to_string().chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

fn push_line(text: &mut String, setting: &str, origin: &str) {
    let gap = ORIGINS_AT.saturating_sub(setting.chars().count()).max(2);
    text.push_str(&format!("{setting}{}# {origin}\n", " ".repeat(gap)));
}

/// Text as YAML reads it back: plain where that is certain, else in double quotes.
fn text_inline(text: &str) -> String {
    let first_is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ' ');
    let is_safe = first_is_plain && text.chars().all(is_plain) && !text.ends_with(' ') && !is_other_kind(text);
    if is_safe { text.to_owned() } else { quoted(text) }
}

/// Would a reader without a schema take it for a number, a truth value or nothing?
fn is_other_kind(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    matches!(lower.as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
        || text.parse::<f64>().is_ok()
        || lower.starts_with("0x")
        || lower.starts_with("0o")
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) => quoted.push_str(&format!("\\U{:08x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::{RelationRule, starter_file};

    fn loaded(text: &str) -> Loaded {
        let (config, origins) = Config::from_yaml(text, "alignwatch.yaml").expect("a good file");
        Loaded { config, origins, notes: Vec::new() }
    }

    #[test]
    fn what_is_shown_means_the_same_when_it_is_read_again() {
        for text in [
            "",
            &starter_file(),
            "bases: ['NO', \"1.5\", main]\nbudget: {behind: 3}\ndata_dir: '/tmp/a: b # c'",
            "relations:\n- {branches: ['*'], relation: curated}\n- branches: [a/b]\n  base: x\n  budget: {age: 2h 30m}",
            "thresholds: {stale: 7}\nrefs: {exclude: [\"a\\\"b\"]}",
        ] {
            let before = loaded(text);
            let shown = effective_file(&before);
            let after = loaded(&shown);
            let mut expected = before.config.clone();
            // The thresholds of all checks are shown, so that they count as set afterwards.
            expected.thresholds = after.config.thresholds.clone();
            assert_eq!(after.config, expected, "{shown}");
            assert!(before.config.thresholds.iter().all(|(id, value)| after.config.thresholds[id] == *value));
        }
    }

    #[test]
    fn each_value_stands_beside_its_origin() {
        let shown = effective_file(&loaded("bases: [main]\nbudget:\n  age: 14d\n"));
        let lines: Vec<_> = shown.lines().skip_while(|line| !line.starts_with("bases")).take(4).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        bases: [main]                               # alignwatch.yaml:1
        budget:
          age: 14d                                  # alignwatch.yaml:3
          #behind:                                  # none, by default (no limit)
        ");
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        assert_eq!(
            inline(&json!(["main", "NO", "2024", "*", "a b", "true", "-x"])),
            r#"[main, "NO", "2024", "*", a b, "true", "-x"]"#
        );
        let rule = RelationRule { branches: vec!["a".into()], ..RelationRule::default() };
        assert_eq!(
            inline(&serde_json::to_value(rule).expect("plain JSON")),
            "{branches: [a], relation: track, repositories: []}"
        );
    }

    proptest! {
        #[test]
        fn any_text_survives_being_shown(text in any::<String>()) {
            // A path takes all but a zero byte.
            let text = format!("/{}", text.replace('\0', ""));
            let before = Loaded { config: Config { data_dir: Some(text.clone()), ..Config::default() }, ..Loaded::default() };
            let shown = effective_file(&before);
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_unsafe(c)), "{:?}", shown);
            prop_assert_eq!(loaded(&shown).config.data_dir, Some(text), "{}", shown);
        }
    }
}
