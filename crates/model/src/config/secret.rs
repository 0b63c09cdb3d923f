//! Where a secret is. A secret itself never stands in the configuration, which is shown, copied and bundled.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a secret is read each time it is needed, so that a new one counts at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// The first line of a file, by its path from the root.
    File(String),
    /// An environment variable, by its name.
    Variable(String),
    /// What a program writes: its path from the root, and arguments. No shell reads them.
    Command(Vec<String>),
}

/// How a reference is written.
pub(super) const HOW: &str = "put it into a file that only alignwatch can read and write `file:/path`, or write \
                              `env:NAME` or `command:/path/to/program argument`";

impl SecretRef {
    /// Reads `file:/run/secrets/x`, `env:NAME` or `command:/usr/bin/pass show x`.
    ///
    /// Errors: why it is none, as a sentence part that follows "the value"; the text itself is not in it.
    pub fn parse(text: &str) -> Result<SecretRef, &'static str> {
        if text.chars().any(char::is_control) {
            return Err("holds a control character");
        }
        if let Some(path) = text.strip_prefix("file:") {
            return if path.starts_with('/') {
                Ok(SecretRef::File(path.to_owned()))
            } else {
                Err("names no path from the root")
            };
        }
        if let Some(name) = text.strip_prefix("env:") {
            return if is_variable(name) {
                Ok(SecretRef::Variable(name.to_owned()))
            } else {
                Err("names no environment variable")
            };
        }
        if let Some(command) = text.strip_prefix("command:") {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let is_named = words.first().is_some_and(|program| program.starts_with('/'));
            return if is_named {
                Ok(SecretRef::Command(words))
            } else {
                Err("names no program by its path from the root")
            };
        }
        Err("would be a secret that stands in the configuration")
    }
}

/// A name as POSIX shells allow it.
fn is_variable(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::File(path) => write!(f, "file:{path}"),
            SecretRef::Variable(name) => write!(f, "env:{name}"),
            SecretRef::Command(words) => write!(f, "command:{}", words.join(" ")),
        }
    }
}

impl Default for SecretRef {
    /// None yet; no checked configuration has it, since the keys for secrets are required or optional.
    fn default() -> SecretRef {
        SecretRef::File(String::new())
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // A key without default is shown as empty.
            SecretRef::File(path) if path.is_empty() => serializer.serialize_str(""),
            reference => serializer.collect_str(reference),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretRef, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(SecretRef::default());
        }
        SecretRef::parse(&text).map_err(|problem| serde::de::Error::custom(format!("the value {problem}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_where_and_is_written_as_it_was_read() {
        for text in ["file:/run/secrets/slack", "env:SLACK_URL", "command:/usr/bin/pass show slack"] {
            assert_eq!(SecretRef::parse(text).map(|secret| secret.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_secret_itself_is_refused_and_never_repeated() {
        for text in [
            "hunter2",
            "https://hooks.slack.com/services/T0/B0/x",
            "file:x",
            "env:1A",
            "env:",
            "command:pass",
            "command:",
            "file:/a\nb",
        ] {
            let problem = SecretRef::parse(text).expect_err(text);
            assert!(!problem.contains(text), "{problem}");
        }
    }
}
