//! Text in columns: how wide it is, where it is cut, how it is broken into lines.
//!
//! Works on text that is already harmless (see [`super::escape`]) and not yet coloured.

pub use alignwatch_model::words::{count, thousands};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::Screen;

/// Columns that the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut at its end to fit into so many columns.
pub fn cut(screen: &Screen, text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = screen.ellipsis();
    let room = columns.saturating_sub(width(mark));
    format!("{}{mark}", head(text, room))
}

/// The text, cut in its middle: names that differ at their end keep their end.
pub fn cut_middle(screen: &Screen, text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = screen.ellipsis();
    let room = columns.saturating_sub(width(mark));
    let at_the_end = room * 2 / 5;
    format!("{}{mark}{}", head(text, room - at_the_end), tail(text, at_the_end))
}

/// The text with spaces behind it, up to so many columns.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text with spaces before it, up to so many columns.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text in lines of at most so many columns, broken at spaces where there are any.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        while width(&word) > columns && line.is_empty() {
            let begin = head(&word, columns).to_owned();
            // A character wider than the column still has to go somewhere.
            let begin = if begin.is_empty() { word.chars().take(1).collect() } else { begin };
            word = word[begin.len()..].to_owned();
            lines.push(begin);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// The text in at most so many lines; the last is cut when there would be more.
pub fn wrap_into(screen: &Screen, text: &str, lines: usize) -> Vec<String> {
    let mut wrapped = wrap(text, screen.width);
    if wrapped.len() > lines && lines > 0 {
        let rest = wrapped.split_off(lines - 1).join(" ");
        wrapped.push(cut(screen, &rest, screen.width));
    }
    wrapped
}

/// As many items as fit into so many columns, and how many are left: `a, b, … 12 more`.
///
/// `total` may be more than the items that are given. At least one item is shown, cut if need be.
pub fn list(screen: &Screen, items: &[String], total: usize, columns: usize) -> String {
    let fits = |shown: usize| width(&join(screen, items, shown, total)) <= columns;
    let shown = (1..=items.len()).rev().find(|&shown| fits(shown)).unwrap_or(1.min(items.len()));
    cut(screen, &join(screen, items, shown, total), columns)
}

fn join(screen: &Screen, items: &[String], shown: usize, total: usize) -> String {
    let mut text = items[..shown].join(", ");
    if total > shown {
        let comma = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{comma}{} {} more", screen.ellipsis(), thousands(total - shown)));
    }
    text
}

fn head(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        taken += char.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

fn tail(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, char) in text.char_indices().rev() {
        taken += char.width().unwrap_or(0);
        if taken > columns {
            return &text[at + char.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCREEN: Screen = Screen { width: 80, rows: None, colour: false, unicode: true, verbose: 0 };

    #[test]
    fn names_are_cut_where_they_tell_least() {
        assert_eq!(cut(&SCREEN, "feature/long-name", 10), "feature/l…");
        assert_eq!(cut_middle(&SCREEN, "agent/some-long-idea-15936782", 16), "agent/som…936782");
        assert_eq!(cut(&SCREEN, "short", 5), "short");
        assert_eq!(cut(&SCREEN, "分支分支", 5), "分支…");
    }

    #[test]
    fn lists_say_how_many_are_left() {
        let items = ["a", "bb", "ccc"].map(String::from);
        assert_eq!(list(&SCREEN, &items, 3, 80), "a, bb, ccc");
        assert_eq!(list(&SCREEN, &items, 1234, 80), "a, bb, ccc, … 1,231 more");
        assert_eq!(list(&SCREEN, &["a", "bb", "cccccc"].map(String::from), 3, 12), "a, … 2 more");
        assert_eq!(list(&SCREEN, &[], 0, 12), "");
    }

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn nothing_runs_over_its_columns(text in "\\PC{0,60}", columns in 4_usize..40) {
            let text = super::super::escape::terminal(&text);
            prop_assert!(width(&cut(&SCREEN, &text, columns)) <= columns);
            prop_assert!(width(&cut_middle(&SCREEN, &text, columns)) <= columns);
            for line in wrap(&text, columns) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }
    }
}
