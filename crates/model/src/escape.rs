//! Makes foreign text harmless, with one function for each kind of text that somebody reads.
//!
//! Branch names, authors, messages, paths and settings come from repositories
//! that we do not trust. Before such text is shown or sent anywhere it goes through
//! one of these functions. Afterwards it holds no control character (C0, C1,
//! DEL, not even a newline), nothing that changes the direction of text, and
//! nothing invisible: each of them becomes visible, as `\u{202e}`.
//!
//! Bytes that are not UTF-8 were made visible as `\xNN` before they became text.

use std::{borrow::Cow, fmt::Write as _};

pub use crate::quote::is_unsafe;
use crate::quote::seen;

/// For a terminal, and for any other plain text.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !seen(text).any(|(_, hides)| hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (char, hides) in seen(text) {
        push_visible(&mut shown, char, hides);
    }
    Cow::Owned(shown)
}

/// For flowing Markdown text: no markup, no HTML, no link, no mention of a person or an issue.
pub fn markdown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let mut chars = seen(text).peekable();
    let mut before = None;
    while let Some((char, hides)) = chars.next() {
        match char {
            // An entity would not do for `@` and `#`: forges look for mentions in the finished page.
            '@' | '#' if chars.peek().is_some_and(|(next, _)| next.is_alphanumeric()) => {
                let _ = write!(shown, "\\{char}<!-- -->");
            }
            '.' if before.is_none_or(|before: char| before.is_ascii_digit() || before.eq_ignore_ascii_case(&'w')) => {
                shown.push_str("\\.");
            }
            '-' | '+' | '=' | ')' if before.is_none_or(|before: char| before.is_ascii_digit()) => {
                let _ = write!(shown, "\\{char}");
            }
            _ if "\\`*_{}[]<>#|~!&$:@\"'".contains(char) && needs_backslash(char) => {
                let _ = write!(shown, "\\{char}");
            }
            _ => push_visible(&mut shown, char, hides),
        }
        before = Some(char);
    }
    shown
}

/// Quotes are markup only inside of markup.
fn needs_backslash(char: char) -> bool {
    !matches!(char, '"' | '\'')
}

/// For Markdown as code, outside of a table: the text stands as it is, between long enough fences.
pub fn markdown_code(text: &str) -> String {
    let shown = terminal(text);
    let fence = "`".repeat(longest_run_of_backticks(&shown) + 1);
    // A space next to a backtick, or at both ends, belongs to the fence; so it is given one to eat.
    let needs_space = shown.is_empty() || shown.starts_with(['`', ' ']) || shown.ends_with(['`', ' ']);
    let space = if needs_space { " " } else { "" };
    format!("{fence}{space}{shown}{space}{fence}")
}

/// For Markdown as code in a cell of a table, where a bar ends the cell even inside of code.
pub fn markdown_cell(text: &str) -> String {
    markdown_code(text).replace('|', "\\|")
}

/// For Markdown as a block of code, such as commands to paste, each line escaped on its own.
pub fn markdown_block<'a>(language: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.into_iter().map(terminal).collect();
    let longest = lines.iter().map(|line| longest_run_of_backticks(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", lines.join("\n"))
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or(0)
}

/// For XML, as text or as the value of an attribute in double quotes.
pub fn xml(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    for (char, hides) in seen(text) {
        match char {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&apos;"),
            // The two noncharacters that XML forbids.
            '\u{fffe}' | '\u{ffff}' => push_code(&mut shown, char),
            _ => push_visible(&mut shown, char, hides),
        }
    }
    shown
}

/// For a plain-text message in SARIF, where brackets would make a link.
pub fn sarif(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    for (char, hides) in seen(text) {
        if matches!(char, '\\' | '[' | ']') {
            shown.push('\\');
        }
        push_visible(&mut shown, char, hides);
    }
    shown
}

fn push_visible(shown: &mut String, char: char, hides: bool) {
    if hides { push_code(shown, char) } else { shown.push(char) }
}

fn push_code(shown: &mut String, char: char) {
    // Writing to a String cannot fail.
    let _ = write!(shown, "\\u{{{:x}}}", char as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_shown_instead() {
        assert_eq!(terminal("evil\u{202e}gnp\x1b[31m\n"), "evil\\u{202e}gnp\\u{1b}[31m\\u{a}");
        assert_eq!(terminal("grün/ünïcode-分支"), "grün/ünïcode-分支");
        assert!(matches!(terminal("plain"), Cow::Borrowed(_)));
        assert_eq!(terminal("🛡\u{fe0f} guard a\u{fe0f}b"), "🛡\u{fe0f} guard a\\u{fe0f}b");
    }

    #[test]
    fn markdown_takes_names_as_text() {
        assert_eq!(markdown("see @you in #12 and <b>"), r"see \@<!-- -->you in \#<!-- -->12 and \<b\>");
        assert_eq!(markdown("1. x"), r"1\. x");
        assert_eq!(markdown("- x a-b"), r"\- x a-b");
        assert_eq!(markdown("www.x.y https://z"), r"www\.x.y https\://z");
        assert_eq!(markdown("it's 12 files, 3.5 %"), r"it's 12 files, 3\.5 %");
    }

    #[test]
    fn markdown_code_is_fenced_more_tightly_than_its_text_can_open() {
        assert_eq!(markdown_code("plain"), "`plain`");
        assert_eq!(markdown_code("a`b``c"), "```a`b``c```");
        assert_eq!(markdown_code("`x"), "`` `x ``");
        assert_eq!(markdown_cell("a|b"), r"`a\|b`");
        assert_eq!(markdown_block("sh", ["echo ```", "x"]), "````sh\necho ```\nx\n````");
    }

    #[test]
    fn xml_and_sarif_hold_no_markup() {
        assert_eq!(xml("<a b=\"c\">&'\u{ffff}"), "&lt;a b=&quot;c&quot;&gt;&amp;&apos;\\u{ffff}");
        assert_eq!(sarif("[x](y) \\"), r"\[x\](y) \\");
    }
}
