//! From one written value to a value, by its shape; or what is wrong with it, and a good one.

use serde_json::Value;

use super::{
    amount::{parse_length, parse_size},
    calendars::check_place,
    catalogue::{Doc, Shape},
    egress::Network,
    nearest::nearest,
    on_call::check_moment,
    pattern::{BadName, check_name, check_path_pattern, check_pattern},
    secret::{self, SecretRef},
    tree::{Scalar, for_message, for_sentence},
    windows::check_opening,
};
use crate::{
    alert::{condition, matcher::Matcher, rule::Rule},
    schedule::{self, BadSchedule, Cadence},
};

/// A value that is not one: what is wrong, and what to do.
pub(super) struct Wrong {
    pub problem: String,
    pub fix: String,
}

/// The value that a scalar means in this shape. Lengths and sizes stay text.
pub(super) fn scalar_value(scalar: &Scalar, shape: &Shape, doc: &Doc) -> Result<Value, Wrong> {
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
        Shape::Place => named(text, &shown, check_place(text, &like)),
        Shape::Workflow => named(text, &shown, check_workflow(text, &like)),
        Shape::Cadence => named(text, &shown, scheduled(Cadence::parse(text, "UTC").map(drop), &like)),
        Shape::Zone => named(text, &shown, scheduled(schedule::zone_named(text).map(drop), &like)),
        Shape::Opening => named(text, &shown, scheduled(check_opening(text), &like)),
        Shape::Moment => named(text, &shown, scheduled(check_moment(text), &like)),
        Shape::Sentence => named(text, &shown, check_sentence(text, &like)),
        Shape::Expression => told(&shown, Rule::reads(text), &like).map(|()| Value::from(text)),
        Shape::Condition => told(&shown, condition::is_small(text), &like).map(|()| Value::from(text)),
        Shape::Matcher => {
            told(&shown, Matcher::parse(text).map(drop).map_err(|bad| bad.0), &like).map(|()| Value::from(text))
        }
        Shape::Label => named(text, &shown, check_label(text, &like)),
        Shape::Number => named(text, &shown, check_number(text, &like)),
        Shape::Address => named(text, &shown, check_address(text, &like)),
        Shape::Host => named(text, &shown, check_host(text, &like)),
        Shape::Channel => named(text, &shown, check_channel(text, &like)),
        Shape::Secret => secret_place(text),
        Shape::Url => url(text, &like),
        Shape::Mailbox => named(text, &shown, check_mailbox(text, &like)),
        Shape::Uuid => named(text, &shown, check_uuid(text, &like)),
        Shape::Network => named(text, &shown, check_network(text, &like)),
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

fn scheduled(checked: Result<(), BadSchedule>, like: &str) -> Result<(), BadName> {
    checked.map_err(|BadSchedule(problem)| BadName { problem: for_sentence(&problem), fix: like.to_owned() })
}

/// A mistake in a text that says itself what it is about.
fn told(shown: &str, checked: Result<(), String>, like: &str) -> Result<(), Wrong> {
    checked.map_err(|problem| {
        let names_it = problem.contains('`');
        let problem = for_sentence(&problem);
        Wrong { problem: if names_it { problem } else { format!("`{shown}`: {problem}") }, fix: like.to_owned() }
    })
}

fn check_label(text: &str, like: &str) -> Result<(), BadName> {
    let is_label = Matcher::new(text, "", false, true).is_ok();
    if is_label { Ok(()) } else { Err(BadName { problem: "is no name of a label".to_owned(), fix: like.to_owned() }) }
}

fn check_number(text: &str, like: &str) -> Result<(), BadName> {
    let is_number = text.trim().parse().is_ok_and(f64::is_finite);
    if is_number { Ok(()) } else { Err(BadName { problem: "is no number".to_owned(), fix: like.to_owned() }) }
}

fn check_address(text: &str, like: &str) -> Result<(), BadName> {
    let is_address = text.parse::<core::net::IpAddr>().is_ok();
    if is_address { Ok(()) } else { Err(BadName { problem: "is no IP address".to_owned(), fix: like.to_owned() }) }
}

/// Labels of letters, digits and `-`. Source: RFC 1123, section 2.1.
fn check_host(text: &str, like: &str) -> Result<(), BadName> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_host = text.len() <= 253 && text.split('.').all(is_label);
    if is_host { Ok(()) } else { Err(BadName { problem: "is no host name".to_owned(), fix: like.to_owned() }) }
}

/// A name that stands in rules, commands, labels and addresses.
fn check_channel(text: &str, like: &str) -> Result<(), BadName> {
    /// Characters of a name. Source: ours; a column of a table.
    const AT_MOST: usize = 60;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=AT_MOST).contains(&text.len()) && text.bytes().all(is_plain);
    let problem = format!("is no name of a channel: 1 to {AT_MOST} letters, digits, `.`, `_` and `-`");
    if is_name { Ok(()) } else { Err(BadName { problem, fix: like.to_owned() }) }
}

/// A reference to a secret. What was written is not repeated: it may be the secret.
fn secret_place(text: &str) -> Result<Value, Wrong> {
    let wrong = |problem| Wrong { problem: format!("the value {problem}"), fix: secret::HOW.to_owned() };
    SecretRef::parse(text).map(|_| Value::from(text)).map_err(wrong)
}

/// A web address, or a reference to one. What was written is not repeated: it may be the secret.
pub(super) fn url(text: &str, like: &str) -> Result<Value, Wrong> {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return match SecretRef::parse(text) {
            Ok(_) => Ok(Value::from(text)),
            Err(_) => Err(Wrong { problem: "the value is no web address".to_owned(), fix: like.to_owned() }),
        };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        let fix = "take it out, or write where the whole address is read: `file:/path` or `env:NAME`".to_owned();
        return Err(Wrong { problem: "the address has a user or password in it".to_owned(), fix });
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_visible = |c: char| !c.is_control() && !c.is_whitespace();
    let is_address = !host.is_empty() && !text.contains('#') && text.chars().all(is_visible);
    if is_address {
        return Ok(Value::from(text));
    }
    Err(Wrong { problem: "the value is no web address".to_owned(), fix: like.to_owned() })
}

/// A mail address as RFC 5321 has it, without quoting; a name and `<>` may stand around it.
fn check_mailbox(text: &str, like: &str) -> Result<(), BadName> {
    let address = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(_, address)| address);
    let is_atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_address = address.rsplit_once('@').is_some_and(|(local, domain)| {
        (1..=64).contains(&local.len()) && local.chars().all(is_atom) && check_host(domain, like).is_ok()
    });
    let is_mailbox = is_address && text.len() <= 320 && !text.chars().any(char::is_control);
    if is_mailbox { Ok(()) } else { Err(BadName { problem: "is no mail address".to_owned(), fix: like.to_owned() }) }
}

/// Five groups of hexadecimal digits. Source: RFC 9562, section 4.
fn check_uuid(text: &str, like: &str) -> Result<(), BadName> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex);
    if is_uuid { Ok(()) } else { Err(BadName { problem: "is no UUID".to_owned(), fix: like.to_owned() }) }
}

fn check_network(text: &str, like: &str) -> Result<(), BadName> {
    if Network::parse(text).is_some() {
        return Ok(());
    }
    let problem = "is no network: an address, `/`, and how many of its first bits count, the others being 0";
    Err(BadName { problem: problem.to_owned(), fix: like.to_owned() })
}

fn check_sentence(text: &str, like: &str) -> Result<(), BadName> {
    /// Characters of a sentence. Source: ours; two lines on a screen.
    const AT_MOST: usize = 200;
    let is_sentence = (1..=AT_MOST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let problem = format!("is no sentence: 1 to {AT_MOST} characters that can be seen");
    if is_sentence { Ok(()) } else { Err(BadName { problem, fix: like.to_owned() }) }
}

/// A name that stands in file names, labels and on screens.
fn check_workflow(text: &str, like: &str) -> Result<(), BadName> {
    /// Characters of a name. Source: ours; a label of a metric that people can still read.
    const AT_MOST: usize = 100;
    let is_name = (1..=AT_MOST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let problem = format!("is no name of a workflow: 1 to {AT_MOST} characters that can be seen");
    if is_name { Ok(()) } else { Err(BadName { problem, fix: like.to_owned() }) }
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
