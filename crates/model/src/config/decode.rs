//! From the tree of a file to values, by the catalogue. Tells every mistake, not just the first.
//!
//! A value that is wrong is left out, so that the default stands in its place
//! while the rest is looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    catalogue::{Key, Shape},
    nearest::{nearest, unknown_key},
    scalar::{Wrong, scalar_value},
    tree::{At, Content, Node, Problem, for_message},
};

/// A key and the value that was written for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub path: String,
    pub value: Value,
    pub at: At,
}

/// What a tree said.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub settings: Vec<Setting>,
    pub problems: Vec<Problem>,
    /// Where each part of the settings stands, by path: `relations[1].branches[0]`.
    pub places: BTreeMap<String, At>,
}

/// Reads the tree of a whole file.
pub(super) fn decode_file(root: &Node, catalogue: &Key) -> Decoded {
    let mut decoder = Decoder { catalogue, out: Decoded::default() };
    match &root.content {
        Content::Nothing | Content::Broken => {}
        Content::Section(entries) => decoder.section(entries, catalogue),
        Content::Scalar(_) | Content::List(_) => decoder.out.problems.push(Problem::of_the_file(
            root.at,
            "the file begins with a value instead of a key",
            "begin with a key, like `bases: [main]`",
        )),
    }
    decoder.out
}

/// Reads the value of one key, as it stands in an environment variable or a flag.
pub(super) fn decode_value(node: &Node, key: &Key, catalogue: &Key) -> Decoded {
    let mut decoder = Decoder { catalogue, out: Decoded::default() };
    decoder.setting(key, node);
    decoder.out
}

struct Decoder<'a> {
    catalogue: &'a Key,
    out: Decoded,
}

impl Decoder<'_> {
    fn section(&mut self, entries: &[(Node, Node)], section: &Key) {
        let section_path = section.path.clone();
        for (key, node) in self.known_keys(entries, section.children(), &section_path) {
            self.setting(key, node);
        }
    }

    fn setting(&mut self, key: &Key, node: &Node) {
        match (&key.shape, &node.content) {
            // A section or rules that are all commented out read as nothing, and that is what is meant.
            (Shape::Section(_), Content::Nothing) => {}
            (Shape::List { .. }, Content::Nothing) if !key.item_keys().is_empty() => {}
            (Shape::Section(_), Content::Section(entries)) => self.section(entries, key),
            (Shape::Section(_), _) => self.wrong(node, &key.path, not_a_section(key, node)),
            (shape, _) => {
                if let Some(value) = self.value(node, shape, &key.path, key) {
                    self.out.settings.push(Setting { path: key.path.clone(), value, at: node.at });
                }
            }
        }
    }

    /// A value by its shape; `None` when its mistake was told.
    fn value(&mut self, node: &Node, shape: &Shape, path: &str, key: &Key) -> Option<Value> {
        self.out.places.insert(path.to_owned(), node.at);
        let value = match (shape, &node.content) {
            (_, Content::Broken) => return None,
            (_, Content::Nothing) => Err(no_value(path, key)),
            (Shape::List { is_filled: true, .. }, Content::List(items)) if items.is_empty() => Err(empty_list(key)),
            (Shape::List { item, .. }, Content::List(items)) => Ok(self.list(items, item, path, key)),
            (Shape::Section(keys), Content::Section(entries)) => Ok(self.rule(node, entries, keys, path)),
            (Shape::List { .. } | Shape::Section(_), _) | (_, Content::List(_) | Content::Section(_)) => {
                Err(wrong_kind(node, shape, key))
            }
            (shape, Content::Scalar(scalar)) => scalar_value(scalar, shape, &key.doc),
        };
        value.map_err(|wrong| self.wrong(node, path, wrong)).ok()
    }

    fn list(&mut self, items: &[Node], item: &Shape, path: &str, key: &Key) -> Value {
        let mut values: Vec<Value> = Vec::new();
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for (index, node) in items.iter().enumerate() {
            let value = self.value(node, item, &format!("{path}[{index}]"), key);
            match value {
                Some(Value::String(text)) if texts.contains(&text) => self.wrong(node, path, twice(&text)),
                Some(value) => {
                    texts.extend(value.as_str().map(str::to_owned));
                    self.out.places.insert(format!("{path}[{}]", values.len()), node.at);
                    values.push(value);
                }
                // A rule keeps its place, so that the others keep theirs.
                None if matches!(item, Shape::Section(_)) => values.push(Value::Object(Map::new())),
                None => {}
            }
        }
        Value::Array(values)
    }

    /// A section inside of a list, as one value. What is wrong in it is left out.
    fn rule(&mut self, node: &Node, entries: &[(Node, Node)], keys: &[Key], path: &str) -> Value {
        let mut object = Map::new();
        for (key, node) in self.known_keys(entries, keys, path) {
            let value = self.value(node, &key.shape, &format!("{path}.{}", key.name), key);
            object.extend(value.map(|value| (key.name.clone(), value)));
        }
        for key in keys.iter().filter(|key| key.is_required && !is_written(entries, key)) {
            self.wrong(node, path, missing(key));
        }
        Value::Object(object)
    }

    /// The entries whose key exists, each key once; tells the others.
    fn known_keys<'t, 'k>(
        &mut self,
        entries: &'t [(Node, Node)],
        keys: &'k [Key],
        path: &str,
    ) -> Vec<(&'k Key, &'t Node)> {
        let mut known: Vec<(&Key, &Node)> = Vec::new();
        let mut seen_at: BTreeMap<&str, At> = BTreeMap::new();
        for (name, value) in entries {
            match self.known_key(name, keys, path, &mut seen_at) {
                Ok(key) => known.push((key, value)),
                Err(wrong) => self.wrong(name, path, wrong),
            }
        }
        known
    }

    fn known_key<'t, 'k>(
        &self,
        name_node: &'t Node,
        keys: &'k [Key],
        path: &str,
        seen_at: &mut BTreeMap<&'t str, At>,
    ) -> Result<&'k Key, Wrong> {
        let name = name_node.text().ok_or_else(no_word)?;
        if let Some(first) = seen_at.get(name) {
            return Err(again(name, first.line));
        }
        seen_at.insert(name, name_node.at);
        let key = keys.iter().find(|key| key.name == name);
        key.ok_or_else(|| unknown_key(name, keys, path, self.catalogue))
    }

    fn wrong(&mut self, node: &Node, path: &str, Wrong { problem, fix }: Wrong) {
        self.out.problems.push(Problem { at: node.at, key: for_message(path), problem, fix });
    }
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }
}

/// Is the key there, or misspelled, which is told already?
fn is_written(entries: &[(Node, Node)], key: &Key) -> bool {
    let mut names = entries.iter().filter_map(|(name, _)| name.text());
    names.any(|name| nearest(name, std::iter::once(key.name.as_str()), 1).is_some())
}

fn missing(key: &Key) -> Wrong {
    let fix = format!("add a line like `{}: {}`", key.name, key.doc.example);
    Wrong { problem: format!("the key `{}` is missing", key.name), fix }
}

fn no_word() -> Wrong {
    Wrong { problem: "a key must be one word".to_owned(), fix: "write it like `key: value`".to_owned() }
}

fn again(name: &str, first_line: u32) -> Wrong {
    let problem = format!("the key `{}` stands here again, after line {first_line}", for_message(name));
    Wrong { problem, fix: "write it once, with all that belongs to it".to_owned() }
}

fn twice(text: &str) -> Wrong {
    Wrong { problem: format!("`{}` is listed twice", for_message(text)), fix: "take one out".to_owned() }
}

fn empty_list(key: &Key) -> Wrong {
    Wrong { problem: "is empty".to_owned(), fix: format!("write it like `{}`", key.doc.example) }
}

fn no_value(path: &str, key: &Key) -> Wrong {
    let fix = match path.ends_with(']') {
        true => "write a value, or take the item out".to_owned(),
        false => format!("write it like `{}`, or leave the key out for the default", key.doc.example),
    };
    Wrong { problem: "has no value".to_owned(), fix }
}

fn not_a_section(key: &Key, node: &Node) -> Wrong {
    if let Some((name, value)) = node.text().and_then(|text| text.split_once(':')) {
        let (name, value) = (for_message(name), for_message(value));
        let problem = "a space is missing after `:`".to_owned();
        return Wrong { problem, fix: format!("write `{name}: {value}`") };
    }
    let example = key.children().iter().find(|child| !child.is_section());
    let fix = example.map_or_else(
        || "write keys below it".to_owned(),
        |child| format!("write keys below it, like `{}: {}`", child.name, child.doc.example),
    );
    Wrong { problem: "a value stands where keys are expected".to_owned(), fix }
}

fn wrong_kind(node: &Node, shape: &Shape, key: &Key) -> Wrong {
    let found = match node.content {
        Content::List(_) => "a list stands",
        Content::Section(_) => "keys stand",
        Content::Nothing => "nothing stands",
        Content::Scalar(_) | Content::Broken => "one value stands",
    };
    let expected = match shape {
        Shape::List { .. } => "a list is",
        Shape::Section(_) => "keys are",
        _ => "one value is",
    };
    let good = match (shape, &node.content) {
        (Shape::List { .. }, Content::Scalar(scalar)) if key.item_keys().is_empty() && !shape.is_secret() => {
            format!("[{}]", for_message(&scalar.text))
        }
        (Shape::Section(_), _) => key.doc.example.trim_start_matches('[').trim_end_matches(']').to_owned(),
        _ => key.doc.example.clone(),
    };
    let fix = if good.is_empty() { "write keys below it".to_owned() } else { format!("write it like `{good}`") };
    Wrong { problem: format!("{found} where {expected} expected"), fix }
}
