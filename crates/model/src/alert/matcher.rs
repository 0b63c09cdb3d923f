//! Matchers: conditions on labels, written as Alertmanager writes them.
//!
//! `name="value"`, `name!="value"`, `name=~"pattern"`, `name!~"pattern"`. A pattern is held against the whole value, and a
//! label that is missing is empty. Source: Alertmanager, docs/configuration.md, "Matcher".

use std::{collections::BTreeMap, fmt};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::Severity;

/// Labels of an alert.
pub type Labels = BTreeMap<String, String>;

/// The longest pattern, in bytes. Source: ours; longer ones are made by programs that can use several matchers.
const PATTERN_AT_MOST: usize = 1_000;

/// What a compiled pattern may take, in bytes. Source: ours; a thousandth of what the crate allows would do for names.
const COMPILED_AT_MOST: usize = 1 << 20;

/// Matchers in one text at most.
const MATCHERS_AT_MOST: usize = 64;

/// One condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written", into = "Written")]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// The value, or the pattern.
    pub value: String,
    /// Must it match, or must it not?
    pub is_equal: bool,
    pattern: Option<Regex>,
}

/// As it stands in JSON: the form of Alertmanager's API, version 2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// A text that is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadMatcher(pub String);

impl Matcher {
    /// A matcher. Errors: the pattern is none, or too large; the name is no label's.
    pub fn new(name: &str, value: &str, is_regex: bool, is_equal: bool) -> Result<Matcher, BadMatcher> {
        if !is_label(name) {
            return Err(BadMatcher(format!("`{name}` is no name of a label: letters, digits and `_`")));
        }
        let pattern = is_regex.then(|| compiled(value)).transpose()?;
        Ok(Matcher { name: name.to_owned(), value: value.to_owned(), is_equal, pattern })
    }

    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Matcher {
        Matcher { name: name.to_owned(), value: value.to_owned(), is_equal: true, pattern: None }
    }

    /// Reads one, such as `severity=~"error|critical"`; quotes may be left out where the value has none and no comma.
    /// Errors: what is wrong with it.
    pub fn parse(text: &str) -> Result<Matcher, BadMatcher> {
        let text = text.trim();
        let at =
            text.find(['=', '!']).ok_or_else(|| BadMatcher(format!("`{text}` has no `=`: write name=\"value\"")))?;
        let (name, rest) = text.split_at(at);
        let signs = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let found = signs
            .into_iter()
            .find_map(|(sign, is_regex, is_equal)| rest.strip_prefix(sign).map(|value| (value, is_regex, is_equal)));
        let (value, is_regex, is_equal) =
            found.ok_or_else(|| BadMatcher(format!("`{text}`: after `!` comes `=` or `~`")))?;
        Matcher::new(name.trim(), &unquoted(value.trim())?, is_regex, is_equal)
    }

    /// Must the label be this one word? One that must be empty may also be missing.
    pub fn is_word(&self) -> bool {
        self.is_equal && self.pattern.is_none() && !self.value.is_empty()
    }

    /// Is it a pattern?
    pub fn is_regex(&self) -> bool {
        self.pattern.is_some()
    }

    /// Why it speaks of nothing that its label can be, which is one of these words; `None` = it does. Also what must not be, and
    /// never is, is a slip of the pen.
    pub fn speaks_of_none(&self, words: &[&str]) -> Option<String> {
        let speaks_of = |word: &&&str| match &self.pattern {
            Some(pattern) => pattern.is_match(word),
            None => **word == self.value,
        };
        // A label that is not there is empty.
        if words.iter().any(|word| speaks_of(&word)) || self.value.is_empty() {
            return None;
        }
        let near = crate::config::nearest_word(&self.value, words.iter().copied(), 2);
        let few = if words.len() <= 12 {
            format!("it is one of {}", words.join(", "))
        } else {
            "docs/METRICS.md and `alignwatch check --list` show all".to_owned()
        };
        let hint = near.map_or(few, |near| format!("did you mean `{near}`?"));
        Some(format!("`{}` is never `{}`; {hint}", self.name, self.value))
    }

    /// The words that it speaks of, where it names them: its value, or those between the `|` of a plain pattern.
    pub fn words(&self) -> Vec<String> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '|' | '-' | '_');
        match &self.pattern {
            None => vec![self.value.clone()],
            Some(_) if self.value.chars().all(is_plain) => self.value.split('|').map(str::to_owned).collect(),
            Some(_) => Vec::new(),
        }
    }

    /// Do all alerts meet it, whatever they are?
    pub fn is_met_by_all(&self) -> bool {
        let of = |value: &str| Labels::from([(self.name.clone(), value.to_owned())]);
        let severities = Severity::ALL.map(Severity::word);
        if !self.is_equal && !self.value.is_empty() {
            return false;
        }
        // No alert that somebody means has such a name.
        const ODD: [&str; 3] = ["\u{1}", "zq9 /x", "Zq9-x"];
        match self.name.as_str() {
            "severity" => severities.iter().all(|word| self.matches(&of(word))),
            "alertname" => ODD.iter().all(|word| self.matches(&of(word))),
            _ => self.matches(&Labels::new()) && ODD.iter().all(|word| self.matches(&of(word))),
        }
    }

    /// Does it hold for these labels?
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let is_same = self.pattern.as_ref().map_or(value == self.value, |pattern| pattern.is_match(value));
        is_same == self.is_equal
    }
}

/// Reads several, with commas between them and braces around them or not: `{repository="a",severity!="info"}`.
/// Errors: what is wrong with one of them.
pub fn parse_all(text: &str) -> Result<Vec<Matcher>, BadMatcher> {
    let text = text.trim();
    let inner = text.strip_prefix('{').map_or(text, |rest| rest.strip_suffix('}').unwrap_or(rest));
    let parts = parts(inner);
    if MATCHERS_AT_MOST < parts.len() {
        return Err(BadMatcher(format!("more than {MATCHERS_AT_MOST} matchers")));
    }
    parts.into_iter().filter(|part| !part.trim().is_empty()).map(Matcher::parse).collect()
}

/// Do all of them hold? None of them: yes.
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

/// Splits at commas that stand outside of quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn unquoted(text: &str) -> Result<String, BadMatcher> {
    let Some(inner) = text.strip_prefix('"') else {
        let is_plain = !text.contains('"');
        return if is_plain {
            Ok(text.to_owned())
        } else {
            Err(BadMatcher(format!("`{text}`: a quote in the middle")))
        };
    };
    let inner = inner.strip_suffix('"').ok_or_else(|| BadMatcher(format!("`{text}`: the last quote is missing")))?;
    let (mut value, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                // As Alertmanager does: a backslash before anything else stands for itself, so that `\d` can be written.
                Some(c) => value.extend(['\\', c]),
                None => return Err(BadMatcher(format!("`{text}` ends with a backslash"))),
            },
            '"' => return Err(BadMatcher(format!("`{text}`: a quote in the middle"))),
            c => value.push(c),
        }
    }
    Ok(value)
}

pub(super) fn compiled(pattern: &str) -> Result<Regex, BadMatcher> {
    if PATTERN_AT_MOST < pattern.len() {
        return Err(BadMatcher(format!("the pattern is longer than {PATTERN_AT_MOST} bytes")));
    }
    let whole = regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(COMPILED_AT_MOST).build();
    whole.map_err(|error| {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        BadMatcher(format!("`{pattern}` is no pattern: {last}"))
    })
}

fn is_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.is_regex(), self.is_equal) {
            (false, true) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (true, false) => "!~",
        };
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{sign}\"{value}\"", self.name)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        let parts =
            |matcher: &Matcher| (matcher.name.clone(), matcher.value.clone(), matcher.is_equal, matcher.is_regex());
        parts(self) == parts(other)
    }
}

impl TryFrom<Written> for Matcher {
    type Error = BadMatcher;

    fn try_from(written: Written) -> Result<Matcher, BadMatcher> {
        Matcher::new(&written.name, &written.value, written.is_regex, written.is_equal)
    }
}

impl From<Matcher> for Written {
    fn from(matcher: Matcher) -> Written {
        let is_regex = matcher.is_regex();
        Written { name: matcher.name, value: matcher.value, is_regex, is_equal: matcher.is_equal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_sign_does_what_alertmanager_says() {
        let seen = labels(&[("severity", "error"), ("branch", "a b")]);
        for (text, holds) in [
            ("severity=error", true),
            ("severity=\"error\"", true),
            ("severity!=\"error\"", false),
            ("severity=~\"err.*|critical\"", true),
            ("severity=~\"err\"", false),
            ("severity!~\"err\"", true),
            ("missing=\"\"", true),
            ("missing!=\"\"", false),
            ("branch=\"a b\"", true),
        ] {
            assert_eq!(Matcher::parse(text).unwrap().matches(&seen), holds, "{text}");
        }
    }

    #[test]
    fn what_is_written_comes_back_as_it_was() {
        for text in ["a=\"x,y\"", "a!=\"\\\"q\\\"\"", "a=~\"\\\\d+\"", "a!~\"n\\n\""] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(matcher.to_string(), text);
            let json = serde_json::to_string(&matcher).unwrap();
            assert_eq!(serde_json::from_str::<Matcher>(&json).unwrap(), matcher, "{json}");
        }
        let several = parse_all("{a=\"x,y\", b=~\"c|d\"}").unwrap();
        assert_eq!(several.len(), 2);
        assert_eq!(parse_all("").unwrap(), []);
    }

    #[test]
    fn what_all_alerts_meet_is_known() {
        for (text, is_met) in [
            ("alertname=~\".+\"", true),
            ("alertname!=\"\"", true),
            ("severity=~\"info|warning|error|critical\"", true),
            ("team=~\".*\"", true),
            ("team=~\".+\"", false),
            ("alertname=~\"con.*\"", false),
            ("severity!=\"critical\"", false),
            ("alertname!=\"conflict\"", false),
        ] {
            assert_eq!(Matcher::parse(text).unwrap().is_met_by_all(), is_met, "{text}");
        }
    }

    #[test]
    fn what_is_no_matcher_is_told() {
        for (text, part) in [
            ("severity", "has no `=`"),
            ("a=\"x", "last quote"),
            ("a=~\"(\"", "is no pattern"),
            ("1a=x", "no name of a label"),
            ("a!x", "after `!`"),
            ("a=~\"(a{1000}){1000}\"", "is no pattern"),
        ] {
            let told = Matcher::parse(text).unwrap_err().to_string();
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
