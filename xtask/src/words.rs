//! `cargo xtask words`: gathers the words of which our own messages are made.
//!
//! The support bundle lets only these pass, so that a word of somebody else's never leaves by
//! accident. They are taken from the texts between quotes in product code; tests are left out,
//! since they hold secrets and names that were made up. A word that is missing in the list
//! becomes a pseudonym, so that an old list costs clarity and nothing else.

use std::{collections::BTreeSet, fs, io, path::Path};

use alignwatch_model::atoms::atoms;

/// Where the list lies.
pub(crate) const PATH: &str = "crates/cli/src/bundle/words.txt";

/// Crates whose messages reach a bundle.
const CRATES: [&str; 7] = ["model", "git", "host", "store", "records", "daemon", "cli"];

/// The list, sorted, a word a line.
pub(crate) fn gather(root: &Path) -> io::Result<String> {
    let mut words = BTreeSet::new();
    for name in CRATES {
        gather_below(&root.join("crates").join(name).join("src"), &mut words)?;
    }
    // One a line, so that two changes of the list meet in no line that both have.
    Ok(words.into_iter().map(|word| word + "\n").collect())
}

fn gather_below(folder: &Path, words: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather_below(&path, words)?;
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("bundle/secrets.rs") {
            let text = fs::read_to_string(&path)?;
            let product = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
            for literal in literals(product) {
                words.extend(atoms(&without_places(&literal)).filter(|word| is_word(word)).map(str::to_owned));
            }
        }
    }
    Ok(())
}

/// What is no number and no list of digits, and short enough to be a word.
fn is_word(word: &str) -> bool {
    const AT_MOST: usize = 40;
    const DIGITS_AT_MOST: usize = 4;
    let n_digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.len() <= AT_MOST
        && n_digits <= DIGITS_AT_MOST
        && word.is_ascii()
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A message without the places where values come in, and what touches them.
fn without_places(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    for char in text.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            char if depth == 0 => out.push(char),
            _ => {}
        }
        if depth > 0 {
            out.push(' ');
        }
    }
    out
}

/// The texts between quotes of a source file. Comments and single characters are passed over.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = source.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|&char| char == '\n');
            }
            '\'' => pass_character(&mut chars),
            '"' => found.push(text(&mut chars)),
            _ => {}
        }
    }
    found
}

/// `'x'` and `'\n'` are characters; `'a` of a lifetime is not.
fn pass_character(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut ahead = chars.clone();
    match (ahead.next(), ahead.next()) {
        (Some('\\'), _) => {
            chars.next();
            chars.next();
            chars.by_ref().find(|&char| char == '\'');
        }
        (Some(_), Some('\'')) => {
            chars.next();
            chars.next();
        }
        _ => {}
    }
}

fn text(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '\\' => {
                chars.next();
                text.push(' ');
            }
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_between_quotes() {
        let source = "// \"not this\"\nlet a = 'x'; let b = \"{n} branches \\\n conflict: `core.hooksPath`\"; fn f<'a>() { \"more\" }";
        let words: Vec<_> = literals(source)
            .iter()
            .flat_map(|text| atoms(&without_places(text)).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert_eq!(words, ["branches", "conflict", "core.hooksPath", "more"]);
    }
}
