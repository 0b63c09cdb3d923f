//! From the tree of a file to values, by the catalogue. Tells every mistake, not just the first.
//!
//! A value that is wrong is left out, so that the default stands in its place
//! while the rest is looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    amount::{parse_length, parse_size},
    catalogue::{Doc, Key, Shape, catalogue},
    pattern::{BadName, check_name, check_path_pattern, check_pattern},
    tree::{At, Content, Node, Problem, Scalar, for_message},
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

/// A value that is not one: what is wrong, and what to do.
struct Wrong {
    problem: String,
    fix: String,
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

/// The key whose path or name is most like this; `None` when none is near.
pub fn nearest_key(asked: &str) -> Option<&'static Key> {
    let keys = catalogue().descendants();
    let path = nearest(asked, keys.iter().map(|key| key.path.as_str()), 1);
    let key_of = |path| keys.iter().find(|key| key.path == path);
    let by_name = || {
        let name = nearest(asked, keys.iter().map(|key| key.name.as_str()), 0)?;
        keys.iter().find(|key| key.name == name)
    };
    path.and_then(key_of).or_else(by_name).copied()
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
        match (shape, &node.content) {
            (_, Content::Broken) => None,
            (_, Content::Nothing) => {
                self.wrong(node, path, no_value(path, key));
                None
            }
            (Shape::List { item, is_filled }, Content::List(items)) => {
                self.list(node, items, item, *is_filled, path, key)
            }
            (Shape::Section(keys), Content::Section(entries)) => Some(self.rule(node, entries, keys, path)),
            (Shape::List { .. } | Shape::Section(_), _) | (_, Content::List(_) | Content::Section(_)) => {
                self.wrong(node, path, wrong_kind(node, shape, key));
                None
            }
            (shape, Content::Scalar(scalar)) => match scalar_value(scalar, shape, &key.doc) {
                Ok(value) => Some(value),
                Err(wrong) => {
                    self.wrong(node, path, wrong);
                    None
                }
            },
        }
    }

    fn list(
        &mut self,
        node: &Node,
        items: &[Node],
        item: &Shape,
        is_filled: bool,
        path: &str,
        key: &Key,
    ) -> Option<Value> {
        if is_filled && items.is_empty() {
            let fix = format!("write it like `{}`", key.doc.example);
            self.wrong(node, path, Wrong { problem: "is empty".to_owned(), fix });
            return None;
        }
        let is_of_rules = matches!(item, Shape::Section(_));
        let mut values: Vec<Value> = Vec::new();
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for (index, node) in items.iter().enumerate() {
            let item_path = format!("{path}[{index}]");
            match self.value(node, item, &item_path, key) {
                Some(Value::String(text)) if !texts.insert(text.clone()) => {
                    let shown = for_message(&text);
                    let problem = format!("`{shown}` is listed twice");
                    self.wrong(node, path, Wrong { problem, fix: "take one out".to_owned() });
                }
                Some(value) => {
                    self.out.places.insert(format!("{path}[{}]", values.len()), node.at);
                    values.push(value);
                }
                // A rule keeps its place, so that the others keep theirs.
                None if is_of_rules => values.push(Value::Object(Map::new())),
                None => {}
            }
        }
        Some(Value::Array(values))
    }

    /// A section inside of a list, as one value. What is wrong in it is left out.
    fn rule(&mut self, node: &Node, entries: &[(Node, Node)], keys: &[Key], path: &str) -> Value {
        let mut object = Map::new();
        for (key, node) in self.known_keys(entries, keys, path) {
            let path = format!("{path}.{}", key.name);
            if let Some(value) = self.value(node, &key.shape, &path, key) {
                object.insert(key.name.clone(), value);
            }
        }
        // A misspelled key is told already.
        let is_there = |key: &Key| {
            let mut names = entries.iter().filter_map(|(name, _)| name.text());
            names.any(|name| nearest(name, std::iter::once(key.name.as_str()), 1).is_some())
        };
        for key in keys.iter().filter(|key| key.is_required && !is_there(key)) {
            let problem = format!("the key `{}` is missing", key.name);
            let fix = format!("add a line like `{}: {}`", key.name, key.doc.example);
            self.wrong(node, path, Wrong { problem, fix });
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
        for (name_node, value) in entries {
            let Some(name) = name_node.text() else {
                let wrong = Wrong {
                    problem: "a key must be one word".to_owned(),
                    fix: "write it like `key: value`".to_owned(),
                };
                self.wrong(name_node, path, wrong);
                continue;
            };
            if let Some(first) = seen_at.get(name) {
                let problem = format!("the key `{}` stands here again, after line {}", for_message(name), first.line);
                let fix = "write it once, with all that belongs to it".to_owned();
                self.wrong(name_node, path, Wrong { problem, fix });
                continue;
            }
            seen_at.insert(name, name_node.at);
            match keys.iter().find(|key| key.name == name) {
                Some(key) => known.push((key, value)),
                None => self.wrong(name_node, path, self.unknown_key(name, keys, path)),
            }
        }
        known
    }

    /// What to say of a key that does not exist here: where it lives, or the nearest one.
    fn unknown_key(&self, name: &str, here: &[Key], path: &str) -> Wrong {
        let shown = for_message(name);
        let problem = match path {
            "" => format!("there is no key `{shown}` at the top level"),
            "thresholds" if self.is_check(name) => format!("the check `{shown}` compares with no number"),
            _ => format!("there is no key `{shown}` here"),
        };
        let fix = if name == "<<" {
            "write the keys out: merging is not understood".to_owned()
        } else if let Some(key) = nearest(name, here.iter().map(|key| key.name.as_str()), 0) {
            format!("did you mean `{key}`?")
        } else if let Some(key) = self.elsewhere(name, here) {
            key
        } else if let Some(key) = nearest(name, here.iter().map(|key| key.name.as_str()), 1) {
            format!("did you mean `{key}`?")
        } else if path == "thresholds" {
            "`alignwatch check --list` shows the checks with their numbers".to_owned()
        } else {
            keys_there(here)
        };
        Wrong { problem, fix }
    }

    /// The sections in which a key of this name stands.
    fn elsewhere(&self, name: &str, here: &[Key]) -> Option<String> {
        let is_here = |key: &Key| here.iter().any(|other| other.path == key.path);
        let others = self.catalogue.descendants().into_iter().filter(|key| !is_here(key));
        let mut namesakes: Vec<&Key> = others.filter(|key| folded(&key.name) == folded(name)).collect();
        // Keys of rules are named only when nothing else has the name.
        if namesakes.iter().any(|key| !key.path.contains('[')) {
            namesakes.retain(|key| !key.path.contains('['));
        }
        let correct = &namesakes.first()?.name;
        let section_of =
            |key: &&Key| key.path.rsplit_once('.').map(|(section, _)| format!("`{}`", section.trim_end_matches("[]")));
        let sections: Vec<String> = namesakes.iter().filter_map(section_of).collect();
        Some(if sections.len() < namesakes.len() {
            format!("`{correct}` is a key of the top level")
        } else {
            format!("`{correct}` stands under {}", sections.join(" and under "))
        })
    }

    fn is_check(&self, id: &str) -> bool {
        match self.catalogue.find("checks.skip").map(|key| &key.shape) {
            Some(Shape::List { item, .. }) => {
                matches!(&**item, Shape::CheckId(ids) if ids.iter().any(|other| other == id))
            }
            _ => false,
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, Wrong { problem, fix }: Wrong) {
        self.out.problems.push(Problem { at: node.at, key: for_message(path), problem, fix });
    }
}

impl Node {
    fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }
}

fn scalar_value(scalar: &Scalar, shape: &Shape, doc: &Doc) -> Result<Value, Wrong> {
    let text = scalar.text.as_str();
    let shown = for_message(text);
    let like = format!("write it like `{}`", doc.example);
    match shape {
        Shape::Whole { least, most } => whole(scalar, *least, *most, doc).map(Value::from),
        Shape::Length { least, most } => {
            bounded(text, least, most, parse_length, "a length of time", &like).map(Value::from)
        }
        Shape::Size { least, most } => bounded(text, least, most, parse_size, "a size", &like).map(Value::from),
        Shape::Words(words) => {
            let words: Vec<&str> = words.iter().map(|word| word.word.as_str()).collect();
            one_of(text, &words, "a word for this key", &format!("write one of {}", words.join(", ")))
        }
        Shape::CheckId(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            one_of(text, &ids, "the id of a check", "`alignwatch check --list` shows all ids")
        }
        Shape::Pattern => named(text, &shown, check_pattern(text)),
        Shape::PathPattern => named(text, &shown, check_path_pattern(text)),
        Shape::Name => named(text, &shown, check_name(text)),
        Shape::Space => space(text, &shown),
        Shape::Path => path_from_root(text, &shown),
        Shape::List { .. } | Shape::Section(_) => Err(Wrong { problem: format!("`{shown}` is one value"), fix: like }),
    }
}

fn whole(scalar: &Scalar, least: i64, most: i64, doc: &Doc) -> Result<i64, Wrong> {
    let shown = for_message(&scalar.text);
    let like = format!("write it like `{}`", doc.example);
    let digits = scalar.text.strip_prefix(['-', '+']).unwrap_or(&scalar.text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong { problem: format!("`{shown}` is not a whole number"), fix: like });
    }
    if scalar.is_quoted {
        let problem = format!("`\"{shown}\"` is text and not a number");
        return Err(Wrong { problem, fix: "take away the quotes".to_owned() });
    }
    let out_of_range =
        || Wrong { problem: format!("`{shown}` is outside of {least} to {most} {}", doc.unit), fix: like.clone() };
    // More digits than an i64 holds are outside of every range.
    let number: i64 = scalar.text.parse().map_err(|_| out_of_range())?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(out_of_range()) }
}

/// A length or size between two, as it was written.
fn bounded<T: PartialOrd>(
    text: &str,
    least: &str,
    most: &str,
    parse: fn(&str) -> Option<T>,
    kind: &str,
    like: &str,
) -> Result<String, Wrong> {
    let shown = for_message(text);
    let Some(amount) = parse(text) else {
        let has_no_unit = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let problem = if has_no_unit { format!("`{shown}` has no unit") } else { format!("`{shown}` is not {kind}") };
        return Err(Wrong { problem, fix: like.to_owned() });
    };
    let is_inside = parse(least).is_none_or(|least| least <= amount) && parse(most).is_none_or(|most| amount <= most);
    if is_inside {
        return Ok(text.to_owned());
    }
    Err(Wrong { problem: format!("`{shown}` is outside of {least} to {most}"), fix: like.to_owned() })
}

fn one_of(text: &str, words: &[&str], kind: &str, all: &str) -> Result<Value, Wrong> {
    if words.contains(&text) {
        return Ok(Value::from(text));
    }
    let near = nearest(text, words.iter().copied(), 1);
    let fix = near.map_or_else(|| all.to_owned(), |word| format!("did you mean `{word}`?"));
    Err(Wrong { problem: format!("`{}` is not {kind}", for_message(text)), fix })
}

fn named(text: &str, shown: &str, checked: Result<(), BadName>) -> Result<Value, Wrong> {
    match checked {
        Ok(()) => Ok(Value::from(text)),
        Err(BadName { problem, fix }) if text.is_empty() => Err(Wrong { problem: format!("`\"\"` {problem}"), fix }),
        Err(BadName { problem, fix }) => Err(Wrong { problem: format!("`{shown}` {problem}"), fix }),
    }
}

fn space(text: &str, shown: &str) -> Result<Value, Wrong> {
    /// Spaces that have a word.
    const WORDS: [&str; 3] = ["heads", "remotes", "pulls"];
    if WORDS.contains(&text) {
        return Ok(Value::from(text));
    }
    if text.starts_with("refs/") {
        let folder = text.strip_suffix('/').filter(|folder| check_name(folder).is_ok());
        let wrong = || Wrong {
            problem: format!("`{shown}` is not a prefix of full names"),
            fix: "let it begin with `refs/` and end with `/`, like `refs/agents/`".to_owned(),
        };
        return folder.map(|_| Value::from(text)).ok_or_else(wrong);
    }
    let fix = match nearest(text, WORDS.into_iter(), 1) {
        Some(word) => format!("did you mean `{word}`?"),
        None => "write heads, remotes, pulls, or a prefix like `refs/agents/`".to_owned(),
    };
    Err(Wrong { problem: format!("`{shown}` is not a space of refs"), fix })
}

fn path_from_root(text: &str, shown: &str) -> Result<Value, Wrong> {
    let has_drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    let problem = if text.contains('\0') {
        format!("`{shown}` holds a zero byte, which no path does")
    } else if text.starts_with('/') || has_drive {
        return Ok(Value::from(text));
    } else if text.starts_with('~') {
        format!("`{shown}` begins with `~`, which only a shell understands")
    } else {
        format!("`{shown}` would depend on the folder that alignwatch is started in")
    };
    Err(Wrong { problem, fix: "write the whole path, like `/var/lib/alignwatch`".to_owned() })
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
        (Shape::List { .. }, Content::Scalar(scalar)) if key.item_keys().is_empty() => {
            format!("[{}]", for_message(&scalar.text))
        }
        (Shape::Section(_), _) => key.doc.example.trim_start_matches('[').trim_end_matches(']').to_owned(),
        _ => key.doc.example.clone(),
    };
    let fix = if good.is_empty() { "write keys below it".to_owned() } else { format!("write it like `{good}`") };
    Wrong { problem: format!("{found} where {expected} expected"), fix }
}

fn keys_there(keys: &[Key]) -> String {
    /// Names that can be read at a glance.
    const NAMED_AT_MOST: usize = 12;
    if keys.is_empty() {
        return "take it out: no key belongs here".to_owned();
    }
    let names: Vec<_> = keys.iter().take(NAMED_AT_MOST).map(|key| key.name.as_str()).collect();
    let more = if keys.len() > NAMED_AT_MOST { ", …" } else { "" };
    format!("the keys here are {}{more}", names.join(", "))
}

/// The word that is most like this one: by a third of its letters, and `slack` more.
fn nearest<'a>(name: &str, words: impl Iterator<Item = &'a str>, slack: usize) -> Option<&'a str> {
    /// Longer names are not looked at: the comparison takes their product in time.
    const COMPARED_AT_MOST: usize = 64;
    if name.len() > COMPARED_AT_MOST {
        return None;
    }
    let name = folded(name);
    let near_enough = (name.chars().count() / 4).max(1) + slack;
    let distance_of = |word: &'a str| (strsim::damerau_levenshtein(&name, &folded(word)), word);
    words
        .map(distance_of)
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= near_enough)
        .map(|(_, word)| word)
}

/// Without what people vary without noticing: capitals and the kind of hyphen.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
