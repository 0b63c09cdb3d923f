//! Sections of branches in the settings of a repository, written as git writes them.

use crate::config_text::{Pair, parse};

/// The text of the sections of these branches (`main`, `a/b`) that `before` has and `now` has nothing of.
///
/// Errors: one of the texts is no configuration, as a sentence part.
pub(super) fn missing(before: &[u8], now: &[u8], branches: &[String]) -> Result<Vec<u8>, String> {
    let read = |text: &[u8]| parse(text).map_err(|error| error.to_string());
    let (before, now) = (read(before)?, read(now)?);
    let mut text = Vec::new();
    for branch in branches {
        let own = |pair: &&Pair| key_in(&pair.key, branch).is_some();
        if now.iter().any(|pair| own(&pair)) || !before.iter().any(|pair| own(&pair)) {
            continue;
        }
        text.extend(format!("[branch \"{}\"]\n", escaped(branch)).bytes());
        for pair in before.iter().filter(own) {
            text.push(b'\t');
            text.extend(key_in(&pair.key, branch).unwrap_or_default());
            if let Some(value) = &pair.value {
                text.extend(b" = \"");
                value.iter().for_each(|&byte| value_byte(&mut text, byte));
                text.push(b'"');
            }
            text.push(b'\n');
        }
    }
    Ok(text)
}

/// The key within the section of this branch. It has no dot: `branch.a.b.merge` is of `a.b`, not of `a`.
fn key_in<'a>(key: &'a [u8], branch: &str) -> Option<&'a [u8]> {
    let rest = key.strip_prefix(b"branch.")?.strip_prefix(branch.as_bytes())?.strip_prefix(b".")?;
    (!rest.contains(&b'.')).then_some(rest)
}

fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

fn value_byte(text: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => text.extend(b"\\\""),
        b'\\' => text.extend(b"\\\\"),
        b'\n' => text.extend(b"\\n"),
        b'\t' => text.extend(b"\\t"),
        8 => text.extend(b"\\b"),
        byte => text.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_back_with_the_same_values_and_those_that_are_there_stay() {
        let before = b"[core]\n\tbare = false\n[branch \"a\"]\n\tremote = .\n\tmerge = refs/heads/main\n\tflag\n\
            [branch \"a.b\"]\n\tremote = origin\n[branch \"q\\\"\"]\n\tdescription = \"two\\nlines # \\\\ and a tab\\t\"\n";
        let now = b"[core]\n\tbare = false\n[user]\n\tname = A\n[branch \"a.b\"]\n\tremote = other\n";
        let branches = ["a", "a.b", "q\"", "none"].map(str::to_owned);
        let text = missing(before, now, &branches).unwrap();
        let all = parse(&[&now[..], &text].concat()).unwrap();
        for pair in parse(before).unwrap().iter().filter(|pair| !pair.key.starts_with(b"branch.a.b.")) {
            assert!(all.contains(pair), "{pair:?} in {}", String::from_utf8_lossy(&text));
        }
        assert_eq!(all.iter().filter(|pair| pair.key == b"branch.a.b.remote").count(), 1);
        assert_eq!(missing(before, &[&now[..], &text].concat(), &branches).unwrap(), b"", "a second time");
        assert!(missing(before, b"[", &branches).is_err());
    }
}
