//! Evidence as people read it: names without their prefix, numbers with their unit.

use alignwatch_model::{Evidence, Span};
use serde_json::{Map, Value};

use super::super::{escape, layout, style::Screen};

/// Facts that show best what a finding is about, in this order.
const TELLING: [&str; 4] = ["branches", "files", "paths", "refs"];

/// Where the facts come from: worth a line only among all of them.
const SOURCE: &str = "source";

/// The one fact to show when there is room for one line.
pub(super) fn top(screen: &Screen, evidence: &Evidence, columns: usize) -> Option<String> {
    let is_list = |name: &&String| evidence[name.as_str()].as_array().is_some_and(|list| !list.is_empty());
    let telling = TELLING.into_iter().filter_map(|name| evidence.get_key_value(name)).map(|(name, _)| name);
    match telling.chain(evidence.keys()).find(is_list) {
        Some(name) => Some(fact(screen, evidence, name, columns)),
        None => scalars(screen, evidence, columns),
    }
}

/// Every fact, a line each, those first that tell most; empty lists say nothing and are left out.
pub(super) fn all(screen: &Screen, evidence: &Evidence, columns: usize) -> Vec<String> {
    let is_told_by_its_list =
        |name: &str| name.strip_prefix("n_").is_some_and(|of| evidence.get(of).is_some_and(Value::is_array));
    let is_empty = |name: &str| evidence[name].as_array().is_some_and(Vec::is_empty);
    let mut names: Vec<_> = evidence.keys().filter(|name| !is_told_by_its_list(name) && !is_empty(name)).collect();
    let place = |name: &str| TELLING.iter().position(|&telling| telling == name).unwrap_or(TELLING.len());
    names.sort_by_key(|name| place(name));
    names.into_iter().map(|name| fact(screen, evidence, name, columns)).collect()
}

/// One value without a name.
pub(super) fn value(value: &Value) -> String {
    scalar("", value)
}

fn scalars(screen: &Screen, evidence: &Evidence, columns: usize) -> Option<String> {
    let told: Vec<_> = evidence
        .iter()
        .filter(|(name, value)| !value.is_null() && !value.is_array() && !value.is_object() && *name != SOURCE)
        .map(|(name, value)| format!("{} {}", label(name), scalar(name, value)))
        .collect();
    (!told.is_empty()).then(|| layout::list(screen, &told, told.len(), columns))
}

fn fact(screen: &Screen, evidence: &Evidence, name: &str, columns: usize) -> String {
    let label = label(name);
    let Some(list) = evidence[name].as_array() else {
        return format!("{label}: {}", scalar(name, &evidence[name]));
    };
    let items: Vec<_> = list.iter().map(|item| scalar(name, item)).collect();
    let total = evidence.get(&format!("n_{name}")).and_then(Value::as_u64).map_or(items.len(), |n| n as usize);
    let room = columns.saturating_sub(label.len() + 2);
    format!("{label}: {}", layout::list(screen, &items, total.max(items.len()), room))
}

fn label(name: &str) -> String {
    let words = name.trim_start_matches("n_");
    let words = ["_seconds", "_bytes", "_percent"].iter().find_map(|unit| words.strip_suffix(unit)).unwrap_or(words);
    escape::terminal(&words.replace('_', " ")).into_owned()
}

fn scalar(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => with_unit(name, number),
        Value::String(text) => escape::terminal(if is_path(name) { text } else { spoken(text) }).into_owned(),
        Value::Array(list) => list.iter().map(|item| scalar(name, item)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => object(fields),
    }
}

/// `path:line` where there are both; otherwise the first text with the rest behind it.
fn object(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).map(|value| scalar(name, value));
    let is_head = |name: &&str| fields.get(*name).is_some_and(Value::is_string);
    let Some(head) = ["branch", "ref", "path", "name"].into_iter().find(is_head) else {
        let told: Vec<_> =
            fields.iter().map(|(name, value)| format!("{} {}", label(name), scalar(name, value))).collect();
        return told.join(", ");
    };
    let line = if head == "path" { text("line") } else { None };
    let rest = fields.iter().filter(|(name, _)| *name != head && (line.is_none() || *name != "line"));
    let rest: Vec<_> = rest.map(|(name, value)| format!("{} {}", label(name), scalar(name, value))).collect();
    let head = text(head).unwrap_or_default();
    let head = line.map_or(head.clone(), |line| format!("{head}:{line}"));
    if rest.is_empty() { head } else { format!("{head} ({})", rest.join(", ")) }
}

fn with_unit(name: &str, number: &serde_json::Number) -> String {
    if let Some(whole) = number.as_i64() {
        if name.ends_with("_seconds") {
            return Span(whole).to_string();
        }
        if name.ends_with("_bytes") {
            return bytes(whole);
        }
        if name.ends_with("_percent") {
            return format!("{whole} %");
        }
        return match usize::try_from(whole) {
            // A year or a port would read oddly with a comma; from five digits on they help.
            Ok(whole) if whole >= 10_000 => layout::thousands(whole),
            _ => whole.to_string(),
        };
    }
    let unit = if name.ends_with("_percent") { " %" } else { "" };
    format!("{number}{unit}")
}

fn bytes(number: i64) -> String {
    let mut rest = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest.abs() < 1024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} TiB")
}

/// The path of a ref's file begins like the ref itself, and is no name.
fn is_path(name: &str) -> bool {
    name.contains("path") || name.contains("file")
}

/// Refs as people say them.
fn spoken(text: &str) -> &str {
    ["refs/heads/", "refs/remotes/"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCREEN: Screen = Screen { width: 80, rows: None, colour: false, unicode: true, verbose: 0 };

    fn evidence(value: Value) -> Evidence {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_branches_tell_most() {
        let seen = evidence(
            json!({"base": "refs/heads/main", "branches": ["refs/heads/a", "refs/heads/\u{1b}b"], "n_branches": 12}),
        );
        assert_eq!(top(&SCREEN, &seen, 60).unwrap(), "branches: a, \\u{1b}b, … 10 more");
        assert_eq!(all(&SCREEN, &seen, 60), ["branches: a, \\u{1b}b, … 10 more", "base: main"]);
    }

    #[test]
    fn without_a_list_the_numbers_stand_in_one_line() {
        let seen = evidence(json!({"age_seconds": 7200, "size_bytes": 1536, "is_held": false, "owner": null}));
        assert_eq!(top(&SCREEN, &seen, 60).unwrap(), "age 2 h, is held no, size 1.5 KiB");
        assert_eq!(all(&SCREEN, &seen, 60)[2], "owner: unknown");
    }

    #[test]
    fn places_read_as_compilers_write_them() {
        let seen = evidence(json!({"files": [{"path": "src/x.py", "line": 12, "n_branches": 262}]}));
        assert_eq!(top(&SCREEN, &seen, 60).unwrap(), "files: src/x.py:12 (branches 262)");
    }
}
