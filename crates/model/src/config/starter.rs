//! The commented starter file.

use serde_json::Value;

use super::catalogue::{Key, Shape, catalogue};

/// Characters of a comment line, the indentation included.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of alignwatch: all keys with their defaults. As it is, this file changes nothing.
#
# Lines that begin with `#` and a space explain the key below them. To set a key, take away the `#` before it.
# `alignwatch config check` says whether the file is right, `alignwatch config show` what is in force and
# where it comes from, `alignwatch config explain KEY` what a key means.
";

/// A configuration file in which each key stands as a comment, with its documentation above it.
///
/// It sets nothing: as it is, it means the defaults.
pub fn starter_file() -> String {
    let mut lines = Vec::new();
    for key in catalogue().children() {
        lines.push(String::new());
        key_lines(&mut lines, key, "");
    }
    format!("{HEAD}{}\n", lines.join("\n"))
}

/// The same file with every key set, to its default or its example.
#[cfg(test)]
pub(super) fn starter_file_set() -> String {
    let is_words = |line: &&str| line.trim_start().starts_with("# ") || line.trim() == "#";
    let set_line = |line: &str| line.replacen('#', "", 1) + "\n";
    starter_file().lines().filter(|line| !is_words(line)).map(set_line).collect()
}

fn key_lines(lines: &mut Vec<String>, key: &Key, indent: &str) {
    if key.is_section() {
        // The name of a section stands without `#`, so that one line is enough to set a key in it.
        words(lines, indent, &key.doc.meaning);
        lines.push(format!("{indent}{}:", key.name));
        for child in key.children() {
            key_lines(lines, child, &format!("{indent}  "));
        }
        return;
    }
    documentation(lines, key, indent);
    if key.item_keys().is_empty() {
        lines.push(format!("{indent}#{}: {}", key.name, value_or_example(key)));
    } else {
        rule_lines(lines, key, indent);
    }
}

/// A list of sections: one item with all its keys. Its name stands without `#`, too.
fn rule_lines(lines: &mut Vec<String>, key: &Key, indent: &str) {
    lines.push(format!("{indent}{}:", key.name));
    for (at, item_key) in key.item_keys().iter().enumerate() {
        words(lines, &format!("{indent}    "), &item_key.doc.meaning);
        if let Shape::Words(choices) = &item_key.shape {
            for choice in choices {
                words(lines, &format!("{indent}    "), &format!("`{}`: {}", choice.word, choice.meaning));
            }
        }
        let start = if at == 0 { "  #- " } else { "    #" };
        lines.push(format!("{indent}{start}{}: {}", item_key.name, value_or_example(item_key)));
    }
}

fn documentation(lines: &mut Vec<String>, key: &Key, indent: &str) {
    let doc = &key.doc;
    words(lines, indent, &doc.meaning);
    words(lines, indent, &format!("Unit: {}. Range: {}. Default: {}.", doc.unit, doc.range, doc.default));
    words(lines, indent, &format!("Reason: {}", doc.reason));
}

/// The default where there is one that shows how the value is written, else the example.
fn value_or_example(key: &Key) -> String {
    match (&key.shape, &key.default) {
        (Shape::Section(keys), _) => {
            let pairs: Vec<_> = keys.iter().map(|key| format!("{}: {}", key.name, key.doc.example)).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        (_, Value::Array(items)) if !items.is_empty() => {
            format!("[{}]", items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        (_, Value::String(text)) if !text.is_empty() => text.clone(),
        (_, Value::Null | Value::Array(_) | Value::String(_)) => key.doc.example.clone(),
        (_, other) => other.to_string(),
    }
}

/// Words as comment lines of bearable length.
fn words(lines: &mut Vec<String>, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    let n_before = line.len();
    for word in text.split_whitespace() {
        if line.len() > n_before && line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("{indent}#")));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn as_it_is_the_starter_file_changes_nothing() {
        let (config, origins) = Config::from_yaml(&starter_file(), "alignwatch.yaml").expect("no mistakes");
        assert_eq!(config, Config::default());
        assert_eq!(origins.set_keys().count(), 0);
    }

    #[test]
    fn every_key_of_the_starter_file_can_be_set() {
        let set = starter_file_set();
        let (_, origins) =
            Config::from_yaml(&set, "alignwatch.yaml").unwrap_or_else(|errors| panic!("{errors:#?}\n{set}"));
        let paths: Vec<_> = origins.set_keys().map(|(path, _)| path.to_owned()).collect();
        let mut expected: Vec<_> = catalogue().leaves().into_iter().map(|key| key.path.clone()).collect();
        expected.sort();
        assert_eq!(paths, expected);
    }

    #[test]
    fn no_line_of_the_starter_file_is_too_long_to_read() {
        let text = starter_file();
        let longest = text.lines().max_by_key(|line| line.len()).unwrap_or_default();
        assert!(longest.len() <= 120, "{longest}");
    }
}
