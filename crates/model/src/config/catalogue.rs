//! All keys with their documentation, made from the schema and so from the types.
//!
//! The parser, the starter file, `config explain` and docs/CONFIGURATION.md all
//! walk this one tree.

use std::sync::LazyLock;

use serde_json::Value;

use super::{Config, schema};
use crate::checks::{self, Check};

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its name inside of its section; empty for the whole file.
    pub name: String,
    /// All names from the top: `budget.age`, `relations[].base`.
    pub path: String,
    /// What people should know about it.
    pub doc: Doc,
    /// What may be written.
    pub shape: Shape,
    /// It must be there when its section is.
    pub is_required: bool,
    /// The default as JSON; `Null` when there is none.
    pub default: Value,
}

/// What people should know about a key. Sections have a meaning only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// What it does, in sentences.
    pub meaning: String,
    /// What is counted or listed.
    pub unit: String,
    /// Least and greatest value, or what is allowed.
    pub range: String,
    /// The default, and in brackets what `none` means.
    pub default: String,
    /// Why the default is what it is, and where it comes from.
    pub reason: String,
    /// A good value, as YAML.
    pub example: String,
}

/// What may be written as a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Keys.
    Section(Vec<Key>),
    /// Items of one shape, all different.
    List {
        /// What an item is.
        item: Box<Shape>,
        /// There must be one at least.
        is_filled: bool,
    },
    /// A whole number between two, both included.
    Whole {
        /// Least.
        least: i64,
        /// Greatest.
        most: i64,
    },
    /// One of these words.
    Words(Vec<Word>),
    /// A length of time between two, both included, as text.
    Length {
        /// Least.
        least: String,
        /// Greatest.
        most: String,
    },
    /// A size between two, both included, as text.
    Size {
        /// Least.
        least: String,
        /// Greatest.
        most: String,
    },
    /// A pattern of branch names.
    Pattern,
    /// A pattern of paths.
    PathPattern,
    /// The name of a branch.
    Name,
    /// A space of refs.
    Space,
    /// A path from the root.
    Path,
    /// A path from the root, a web address, or where that is read.
    Place,
    /// The name of a workflow.
    Workflow,
    /// An interval, or a cron pattern of five fields.
    Cadence,
    /// The name of a time zone.
    Zone,
    /// A cron pattern of five fields, or two times with `/` between them.
    Opening,
    /// A date and a time of the day, without an offset.
    Moment,
    /// A sentence for people.
    Sentence,
    /// A metric and the numbers that are bad.
    Expression,
    /// A condition on facts and labels, in CEL.
    Condition,
    /// A condition on a label.
    Matcher,
    /// The name of a label.
    Label,
    /// A number, whole or not.
    Number,
    /// An IP address.
    Address,
    /// A host name.
    Host,
    /// The name of a channel.
    Channel,
    /// Where a secret is read.
    Secret,
    /// A web address, or where it is read.
    Url,
    /// A mail address.
    Mailbox,
    /// A UUID.
    Uuid,
    /// A network of IP addresses.
    Network,
    /// The id of a check, one of these.
    CheckId(Vec<String>),
}

/// A word that may be written, with its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As written.
    pub word: String,
    /// What it means, as a sentence.
    pub meaning: String,
}

/// The whole file as one section, with the thresholds of all checks.
pub fn catalogue() -> &'static Key {
    static CATALOGUE: LazyLock<Key> = LazyLock::new(|| of_checks(checks::ALL));
    &CATALOGUE
}

/// The whole file as one section, with the thresholds of these checks.
pub(super) fn of_checks(checks: &[&Check]) -> Key {
    let default = serde_json::to_value(Config::default()).unwrap_or_default();
    of_schema(&schema::schema(checks), "", "", &default, false)
}

impl Shape {
    /// May what is written there be a secret, by mistake or not?
    pub fn is_secret(&self) -> bool {
        match self {
            Shape::Secret | Shape::Url => true,
            Shape::List { item, .. } => item.is_secret(),
            _ => false,
        }
    }
}

impl Key {
    /// The keys of a section; none of anything else.
    pub fn children(&self) -> &[Key] {
        match &self.shape {
            Shape::Section(keys) => keys,
            _ => &[],
        }
    }

    /// The keys of the items, where this is a list of sections.
    pub fn item_keys(&self) -> &[Key] {
        match &self.shape {
            Shape::List { item, .. } => match &**item {
                Shape::Section(keys) => keys,
                _ => &[],
            },
            _ => &[],
        }
    }

    /// Is it a section, so that values stand one level below?
    pub fn is_section(&self) -> bool {
        matches!(self.shape, Shape::Section(_))
    }

    /// All keys that have a value of their own, top-down. A list of sections is one.
    pub fn leaves(&self) -> Vec<&Key> {
        match &self.shape {
            Shape::Section(keys) => keys.iter().flat_map(Key::leaves).collect(),
            _ => vec![self],
        }
    }

    /// All keys below, sections and the keys of items included, top-down.
    pub fn descendants(&self) -> Vec<&Key> {
        let below = self.children().iter().chain(self.item_keys());
        below.flat_map(|key| std::iter::once(key).chain(key.descendants())).collect()
    }

    /// The key with this path, such as `budget.age`. Indexes may stand in it, or be left out:
    /// `relations[2].base` and `relations.base` are one key.
    pub fn find(&self, path: &str) -> Option<&Key> {
        let plain = without_indexes(path);
        self.descendants().into_iter().find(|key| without_indexes(&key.path) == plain)
    }

    /// The environment variable that sets it; `None` for sections and lists of sections.
    pub fn variable(&self) -> Option<String> {
        let is_settable = !self.is_section() && self.item_keys().is_empty() && !self.path.contains('[');
        is_settable.then(|| format!("ALIGNWATCH_{}", self.path.replace(['.', '-'], "_").to_ascii_uppercase()))
    }
}

/// `relations[2].base` without what stands in brackets: `relations.base`.
fn without_indexes(path: &str) -> String {
    let mut depth = 0;
    let mut is_outside = |c: char| {
        depth += i32::from(c == '[');
        let is_outside = depth == 0;
        depth -= i32::from(c == ']');
        is_outside
    };
    path.chars().filter(|&c| is_outside(c)).collect()
}

fn of_schema(schema: &Value, name: &str, path: &str, default: &Value, is_required: bool) -> Key {
    let shape = shape_of(schema, path, default);
    let default = if default.is_null() { schema["default"].clone() } else { default.clone() };
    let doc = Doc::parse(text_of(schema, "description"));
    Key { name: name.to_owned(), path: path.to_owned(), doc, shape, is_required, default }
}

fn shape_of(schema: &Value, path: &str, default: &Value) -> Shape {
    let (least, most) = (text_of(schema, "x-least").to_owned(), text_of(schema, "x-most").to_owned());
    match text_of(schema, "x-shape") {
        "length" => return Shape::Length { least, most },
        "size" => return Shape::Size { least, most },
        "pattern" => return Shape::Pattern,
        "path-pattern" => return Shape::PathPattern,
        "name" => return Shape::Name,
        "space" => return Shape::Space,
        "path" => return Shape::Path,
        "place" => return Shape::Place,
        "workflow" => return Shape::Workflow,
        "cadence" => return Shape::Cadence,
        "zone" => return Shape::Zone,
        "opening" => return Shape::Opening,
        "moment" => return Shape::Moment,
        "words" => return Shape::Sentence,
        "expression" => return Shape::Expression,
        "condition" => return Shape::Condition,
        "matcher" => return Shape::Matcher,
        "label" => return Shape::Label,
        "number" => return Shape::Number,
        "address" => return Shape::Address,
        "host" => return Shape::Host,
        "channel" => return Shape::Channel,
        "secret" => return Shape::Secret,
        "url" => return Shape::Url,
        "mailbox" => return Shape::Mailbox,
        "uuid" => return Shape::Uuid,
        "network" => return Shape::Network,
        "check" => return Shape::CheckId(texts_of(&schema["enum"])),
        _ => {}
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or_default() {
        "object" => section_of(schema, path, default),
        "array" => Shape::List {
            item: Box::new(shape_of(&schema["items"], &format!("{path}[]"), &Value::Null)),
            is_filled: schema["minItems"].as_u64().is_some_and(|least| least > 0),
        },
        "integer" => Shape::Whole {
            least: schema["minimum"].as_i64().unwrap_or(0),
            most: schema["maximum"].as_i64().unwrap_or(i64::MAX),
        },
        _ => Shape::Words(words_of(&schema["oneOf"])),
    }
}

fn section_of(schema: &Value, path: &str, default: &Value) -> Shape {
    let required = texts_of(&schema["required"]);
    let properties = schema["properties"].as_object().into_iter().flatten();
    let key_of = |(name, schema): (&String, &Value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        of_schema(schema, name, &path, &default[name], required.contains(name))
    };
    Shape::Section(properties.map(key_of).collect())
}

fn words_of(choices: &Value) -> Vec<Word> {
    let word_of = |choice: &Value| Word {
        word: text_of(choice, "const").to_owned(),
        meaning: text_of(choice, "description").to_owned(),
    };
    choices.as_array().into_iter().flatten().map(word_of).collect()
}

fn text_of<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema[name].as_str().unwrap_or_default()
}

fn texts_of(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Doc {
    /// Takes a doc comment apart: sentences first, then lines that begin with a label.
    fn parse(comment: &str) -> Doc {
        let mut doc = Doc::default();
        let mut current = &mut doc.meaning;
        for line in comment.lines() {
            let (label, rest) = line.split_once(": ").unwrap_or(("", line));
            let (field, text) = match label {
                "Unit" => (&mut doc.unit, rest),
                "Range" => (&mut doc.range, rest),
                "Default" => (&mut doc.default, rest),
                "Reason" => (&mut doc.reason, rest),
                "Example" => (&mut doc.example, rest),
                _ => {
                    append(current, line);
                    continue;
                }
            };
            append(field, text);
            current = field;
        }
        for sentence in [&mut doc.unit, &mut doc.range, &mut doc.default] {
            *sentence = sentence.trim_end_matches('.').to_owned();
        }
        // In the comment it is code, so that brackets make no link there.
        doc.example = doc.example.trim_matches('`').to_owned();
        doc
    }
}

fn append(text: &mut String, line: &str) {
    let line = line.trim();
    if !text.is_empty() && !line.is_empty() {
        text.push(' ');
    }
    text.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{length_text, parse_length, parse_size, size_text};

    #[test]
    fn every_key_with_a_value_is_documented_whole() {
        for key in catalogue().descendants().into_iter().filter(|key| !key.is_section()) {
            let doc = &key.doc;
            for (what, text) in [
                ("meaning", &doc.meaning),
                ("unit", &doc.unit),
                ("range", &doc.range),
                ("default", &doc.default),
                ("reason", &doc.reason),
                ("example", &doc.example),
            ] {
                assert!(!text.is_empty(), "{} has no {what}: {doc:?}", key.path);
            }
            assert!(doc.meaning.ends_with('.') && doc.reason.ends_with('.'), "{}: {doc:?}", key.path);
        }
        assert!(catalogue().descendants().iter().all(|key| !key.doc.meaning.is_empty()));
    }

    #[test]
    fn what_the_comments_say_about_range_and_default_is_true() {
        for key in catalogue().descendants() {
            let stated = key.doc.default.split(" (").next().unwrap_or_default();
            if !key.is_section() {
                assert_eq!(stated, in_words(&key.default), "default of {}", key.path);
            }
            let range = match &key.shape {
                Shape::Whole { least, most } => format!("{least} to {most}"),
                Shape::Length { least, most } => {
                    let tidy = |text: &str| length_text(parse_length(text).expect("a length"));
                    format!("{} to {}", tidy(least), tidy(most))
                }
                Shape::Size { least, most } => {
                    let tidy = |text: &str| size_text(parse_size(text).expect("a size"));
                    format!("{} to {}", tidy(least), tidy(most))
                }
                Shape::Words(words) => words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(", "),
                _ => continue,
            };
            assert_eq!(key.doc.range, range, "range of {}", key.path);
        }
    }

    fn in_words(value: &Value) -> String {
        match value {
            Value::Null => "none".to_owned(),
            // A text that must be written has no default.
            Value::String(text) if text.is_empty() => "none".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) => format!("[{}]", items.iter().map(in_words).collect::<Vec<_>>().join(", ")),
            other => other.to_string(),
        }
    }

    #[test]
    fn keys_are_found_by_their_path() {
        let path = |text| catalogue().find(text).map(|key| key.path.as_str());
        assert_eq!(path("budget.age"), Some("budget.age"));
        assert_eq!(path("relations[12].budget.age"), Some("relations[].budget.age"));
        assert_eq!(path("relations.base"), Some("relations[].base"));
        assert_eq!(path("relations"), Some("relations"));
        assert_eq!(path("nonsense"), None);
    }

    #[test]
    fn variables_follow_from_the_path() {
        let variable = |path| catalogue().find(path).and_then(Key::variable);
        assert_eq!(variable("inspect.git_deadline").as_deref(), Some("ALIGNWATCH_INSPECT_GIT_DEADLINE"));
        assert_eq!(variable("data_dir").as_deref(), Some("ALIGNWATCH_DATA_DIR"));
        assert_eq!(variable("relations"), None);
        assert_eq!(variable("budget"), None);
        let all: Vec<_> = catalogue().leaves().into_iter().filter_map(Key::variable).collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len());
    }
}
